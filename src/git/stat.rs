//! What a commit would hold: how much of each file, and which files nobody writes by hand.

use std::io::Read as _;
use std::path::Path;

use super::{Error, Repository};

/// The files that package managers write, by the last part of their names.
const LOCK_FILES: [&str; 17] = [
    "Cargo.lock",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "deno.lock",
    "composer.lock",
    "Gemfile.lock",
    "poetry.lock",
    "Pipfile.lock",
    "pdm.lock",
    "uv.lock",
    "go.sum",
    "gradle.lockfile",
    "packages.lock.json",
    "Podfile.lock",
];
/// What asks which files a program writes.
const GENERATED: [&str; 4] = ["check-attr", "-z", "linguist-generated", "--"];
/// How much of a file that git does not know is read to count its lines, in bytes.
const COUNTED: u64 = 4 * 1024 * 1024;
/// How far into it a NUL byte makes it binary, in bytes, as git has it.
const BINARY: usize = 8000;

/// What would be committed of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its path from the top of the work tree.
    pub path: String,
    /// How many lines are added and removed; `None` for a binary file.
    pub lines: Option<(u64, u64)>,
    /// Who writes such a file.
    pub origin: Origin,
}

/// Who writes a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A person.
    Person,
    /// A package manager.
    LockFile,
    /// Some other program: the attribute `linguist-generated` says so.
    Generated,
}

impl Repository {
    /// How the files that git knows at `known` and those it does not know yet at `new` differ from HEAD; and the same of `known`
    /// as a patch. `staged` says whether the index has anything that HEAD has not.
    ///
    /// # Errors
    /// Where `git` refuses.
    pub fn preview(&self, (known, new): (&[String], &[String]), staged: bool) -> Result<(Vec<Stat>, String), Error> {
        let paths: Vec<String> = known.iter().chain(new).cloned().collect();
        if paths.is_empty() {
            return Ok((Vec::new(), String::new()));
        }
        // Where nothing is staged the index is the same as HEAD: with that and a path in the first directory of many files,
        // git 2.47 takes seconds.
        let base: &[&str] = if staged { &["HEAD", "--"] } else { &["--"] };
        let diff = ["--literal-pathspecs", "diff", "--numstat", "--patch", "-z", "--no-renames", "--no-color"];
        let diff = diff.iter().chain(&["--no-ext-diff", "--no-textconv"]).chain(base).copied();
        let diff: Vec<&str> = diff.chain(known.iter().map(String::as_str)).collect();
        let attribute: Vec<&str> = GENERATED.into_iter().chain(paths.iter().map(String::as_str)).collect();
        let (differ, attribute) = if known.is_empty() {
            (String::new(), self.program.text(&attribute)?)
        } else {
            self.program.each([&diff, &attribute]).map(|[differ, attribute]| (differ, attribute))?
        };
        // What is counted ends with one NUL for each file; another is between that and the patch.
        let (counts, patch) = differ.split_once("\0\0").unwrap_or((&differ, ""));
        let (counts, generated) = (counted(counts), generated(&attribute));
        let stat = |path: &String| {
            let lines = match counts.iter().find(|(known, _)| known == path) {
                Some((_, lines)) => *lines,
                None => count(&self.work_tree().join(path)).map(|lines| (lines, 0)),
            };
            Stat { path: path.clone(), lines, origin: origin(path, &generated) }
        };
        Ok((paths.iter().map(stat).collect(), patch.to_owned()))
    }

    /// How the tree of `new` differs from that of `old`: two commits, or trees.
    ///
    /// # Errors
    /// Where one of them is not here.
    pub fn stat_between(&self, old: &str, new: &str) -> Result<Vec<Stat>, Error> {
        let args = ["diff", "--numstat", "-z", "--no-renames", "--no-ext-diff", "--end-of-options", old, new, "--"];
        let said = self.program.text(&args)?;
        let counted = counted(&said);
        let paths: Vec<String> = counted.iter().map(|(path, _)| (*path).to_owned()).collect();
        let generated = if paths.is_empty() { Vec::new() } else { generated(&self.about(&GENERATED, &paths)?) };
        let stat = |(path, lines): (&str, _)| Stat { path: path.to_owned(), lines, origin: origin(path, &generated) };
        Ok(counted.into_iter().map(stat).collect())
    }

    /// The files at or below `paths` that git does not know and does not ignore.
    ///
    /// # Errors
    /// Where `git` refuses.
    pub fn unknown(&self, paths: &[String]) -> Result<Vec<String>, Error> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let found =
            self.about(&["--literal-pathspecs", "ls-files", "-z", "--others", "--exclude-standard", "--"], paths)?;
        Ok(found.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
    }

    /// The files whose index differs from HEAD; `None` where that cannot be told.
    pub(super) fn staged(&self) -> Result<Option<Vec<String>>, Error> {
        let said = self.program.git(&["diff-index", "--cached", "--name-only", "-z", "HEAD", "--"])?;
        let names = || said.stdout.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Ok((said.code == 0).then(names))
    }

    /// What `git diff` is given to compare with HEAD. Where nothing is staged the index is the same: with HEAD and a path in the
    /// first directory of many files, git 2.47 takes seconds.
    pub(super) fn base_of(staged: Option<&[String]>) -> &'static [&'static str] {
        if staged.is_some_and(<[String]>::is_empty) { &["--"] } else { &["HEAD", "--"] }
    }

    fn about(&self, args: &[&str], paths: &[String]) -> Result<String, Error> {
        let all: Vec<&str> = args.iter().copied().chain(paths.iter().map(String::as_str)).collect();
        self.program.text(&all)
    }
}

/// Those files that a program writes, of what git tells of the attribute.
fn generated(said: &str) -> Vec<String> {
    let fields: Vec<&str> = said.split('\0').collect();
    let set = fields.chunks_exact(3).filter(|one| matches!(one[2], "set" | "true"));
    set.map(|one| one[0].to_owned()).collect()
}

/// What `git diff --numstat -z` tells: of each file how many lines are added and removed.
fn counted(said: &str) -> Vec<(&str, Option<(u64, u64)>)> {
    let files = said.split('\0').filter_map(|line| {
        let (added, rest) = line.split_once('\t')?;
        let (removed, path) = rest.split_once('\t')?;
        Some((path, added.parse().ok().zip(removed.parse().ok())))
    });
    files.collect()
}

/// Who writes the file at `path`.
fn origin(path: &str, generated: &[String]) -> Origin {
    let name = path.rsplit('/').next().unwrap_or(path);
    if LOCK_FILES.contains(&name) {
        Origin::LockFile
    } else if generated.iter().any(|generated| generated == path) {
        Origin::Generated
    } else {
        Origin::Person
    }
}

/// How many lines the file at `path` has; `None` where it is binary or cannot be read.
fn count(path: &Path) -> Option<u64> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(COUNTED).read_to_end(&mut bytes).ok()?;
    if bytes.iter().take(BINARY).any(|byte| *byte == 0) {
        return None;
    }
    let whole = bytes.split(|byte| *byte == b'\n').count() as u64 - 1;
    Some(whole + u64::from(!bytes.is_empty() && !bytes.ends_with(b"\n")))
}
