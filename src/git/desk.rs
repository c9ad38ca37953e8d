//! A work tree in which a person solves a conflict, away from the operator's.
//!
//! # How
//! It is a linked work tree under the state directory, at the commit that is merged into, with the merge begun as `git merge`
//! does, so that the markers are in the files and `rerere` sees what is done. What is committed there is looked at the next time:
//! HEAD must have what is merged, nothing may be left uncommitted, and no line of a marker may have come in. Where the branch has
//! moved on the remote since, what was solved is merged with what is new. If that conflicts too it is begun in the same place, on
//! top of what was solved, of which nothing is lost.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::back::Back;
use super::program::Program;
use super::{Error, Repository};

/// A merge that conflicts, and where a person can solve it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// What was to be merged.
    pub branch: String,
    /// Into what.
    pub into: String,
    /// The files both changed.
    pub files: Vec<String>,
    /// The work tree where the merge is begun.
    pub at: PathBuf,
    /// The branch has moved since a person had solved it once, and what they did conflicts with what is new.
    pub again: bool,
}

/// A merge that a person has begun to solve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsolved {
    /// What is merged.
    pub branch: String,
    /// Into what.
    pub into: String,
    /// The work tree where it is begun.
    pub at: PathBuf,
    /// What is left to do.
    pub left: Left,
}

/// What is left to do in the work tree of a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// These files are unmerged.
    Unmerged(Vec<String>),
    /// All is solved, but there is no commit.
    Uncommitted,
    /// These files differ from the commit.
    Changed(Vec<String>),
    /// The commit there does not have what is merged.
    Unmade,
    /// The commit has markers: `FILE:LINE`.
    Markers(Vec<String>),
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { branch, into, files, at, again } = self;
        if *again {
            writeln!(
                f,
                "`{into}` has moved meanwhile; what you have solved is kept, and conflicts with what is new in:"
            )?;
        } else {
            writeln!(f, "merging `{branch}` into `{into}` conflicts in:")?;
        }
        listed(f, files)?;
        writeln!(f, "the merge is begun in a work tree of its own; solve it there:")?;
        solve(f, at, files)?;
        write!(f, "then try again, which goes on from there")
    }
}

impl std::error::Error for Conflict {}

impl fmt::Display for Unsolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { branch, into, at, left } = self;
        let place = quoted(&at.to_string_lossy());
        write!(f, "the merge of `{branch}` into `{into}` is not finished: ")?;
        match left {
            Left::Unmerged(files) => {
                writeln!(f, "still unmerged are")?;
                listed(f, files)?;
                solve(f, at, files)?;
            }
            Left::Uncommitted => writeln!(f, "all is solved, but not committed\n  cd {place}\n  git commit")?,
            Left::Changed(files) => {
                writeln!(f, "these files differ from its commit")?;
                listed(f, files)?;
                writeln!(f, "  cd {place}\n  git commit --all --amend    (or `git restore` them)")?;
            }
            Left::Unmade => {
                writeln!(f, "the commit there does not have `{branch}`")?;
                writeln!(f, "  cd {place}\n  git merge --no-ff {}", quoted(branch))?;
            }
            Left::Markers(lines) => {
                writeln!(f, "its commit has conflict markers in")?;
                listed(f, lines)?;
                writeln!(f, "  cd {place}\n  (edit these files)\n  git commit --all --amend")?;
            }
        }
        write!(f, "then try again")
    }
}

impl std::error::Error for Unsolved {}

fn listed(f: &mut fmt::Formatter<'_>, files: &[String]) -> fmt::Result {
    files.iter().try_for_each(|file| writeln!(f, "  {file}"))
}

/// The commands by which a conflict in `files` is solved.
fn solve(f: &mut fmt::Formatter<'_>, at: &Path, files: &[String]) -> fmt::Result {
    const NAMED: usize = 8;
    let names = match files.len() {
        0..=NAMED => files.iter().map(|file| quoted(file)).collect::<Vec<_>>().join(" "),
        _ => "--update".to_owned(),
    };
    let names = if names.starts_with('-') && files.len() <= NAMED { format!("-- {names}") } else { names };
    writeln!(f, "  cd {}\n  (edit these files)", quoted(&at.to_string_lossy()))?;
    writeln!(f, "  git add {names}\n  git commit")
}

fn quoted(text: &str) -> String {
    shlex::try_quote(text).map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
}

impl Repository {
    /// Where the conflict of a merge is solved.
    fn desk(&self, back: Back<'_>) -> PathBuf {
        self.desks().join(desk_of(back.branch, back.into))
    }

    fn desks(&self) -> PathBuf {
        self.common_dir().join("hotfix").join("merge")
    }

    /// The work trees in which conflicts of the branch `branch` are to be solved.
    ///
    /// # Errors
    /// Where the directory they are in cannot be read.
    pub fn unsolved(&self, branch: &str) -> Result<Vec<PathBuf>, Error> {
        let dir = self.desks();
        let failed = |source| Error::File { file: dir.display().to_string(), source };
        if !dir.exists() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for entry in fs::read_dir(&dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_string_lossy().starts_with(&desk_of(branch, "")) {
                found.push(entry.path());
            }
        }
        found.sort();
        Ok(found)
    }

    /// The commit in which a person has solved the conflict; `None` where none was begun, or what was begun is untouched.
    ///
    /// # Errors
    /// [`Error::Unsolved`] with what is left to do.
    pub(super) fn solved(&self, back: Back<'_>, ours: &str) -> Result<Option<String>, Error> {
        let at = self.desk(back);
        let desk = self.program.at(&at);
        if !begun(&desk)? {
            return Ok(None);
        }
        let unsolved = |left| {
            let [branch, into] = [back.branch, back.into].map(str::to_owned);
            Err(Error::Unsolved(Unsolved { branch, into, at: at.clone(), left }))
        };
        if is_merging(&desk)? {
            let unmerged = paths(&desk.text(&["diff", "--name-only", "--diff-filter=U", "-z"])?);
            return unsolved(if unmerged.is_empty() { Left::Uncommitted } else { Left::Unmerged(unmerged) });
        }
        let head = desk.text(&["rev-parse", "--verify", "HEAD"])?.trim_end().to_owned();
        let changed = changed(&desk)?;
        if !self.is_ancestor(back.theirs, &head)? {
            let untouched = changed.is_empty() && self.is_ancestor(&head, ours)?;
            return if untouched { Ok(None) } else { unsolved(Left::Unmade) };
        }
        if !changed.is_empty() {
            return unsolved(Left::Changed(changed));
        }
        let markers = markers(&desk, &[ours, back.theirs])?;
        if markers.is_empty() { Ok(Some(head)) } else { unsolved(Left::Markers(markers)) }
    }

    /// Begins the merge where a person can solve it. Where they have solved it once, `ours` is merged into that.
    pub(super) fn open_desk(&self, back: Back<'_>, ours: &str, again: bool) -> Result<PathBuf, Error> {
        let at = self.desk(back);
        let desk = self.program.at(&at);
        if !again {
            self.remove_desk(&at)?;
            let failed = |source| Error::File { file: at.display().to_string(), source };
            at.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
            self.tree_to_merge_in(&at, ours)?;
        }
        let args = ["merge", "--quiet", "--no-commit", "--no-ff", "--strategy=ort", "--no-verify-signatures"];
        let message = format!("--message={}", back.message.trim_end());
        let theirs = if again { ours } else { back.theirs };
        let args = [&args[..], &["--no-autostash", &message, theirs]].concat();
        let said = desk.git(&args)?;
        if !is_merging(&desk)? {
            return Err(desk.refused(&args, &said));
        }
        let mark = mark(&desk)?;
        fs::write(&mark, "").map_err(|source| Error::File { file: mark.display().to_string(), source })?;
        Ok(at)
    }

    /// Removes the work tree of a conflict, where `commit` has all that is in it.
    pub(super) fn clear_desk(&self, back: Back<'_>, commit: &str) -> Result<(), Error> {
        let at = self.desk(back);
        let desk = self.program.at(&at);
        if !at.exists() {
            return Ok(());
        }
        if begun(&desk)? {
            let head = desk.text(&["rev-parse", "--verify", "HEAD"])?;
            if is_merging(&desk)? || !changed(&desk)?.is_empty() || !self.is_ancestor(head.trim_end(), commit)? {
                return Ok(());
            }
        }
        self.remove_desk(&at)
    }

    fn remove_desk(&self, at: &Path) -> Result<(), Error> {
        if !at.exists() {
            return Ok(());
        }
        let text = at.to_string_lossy();
        let said = self.program.git(&["worktree", "remove", "--force", "--force", "--", &text])?;
        if said.code != 0 && at.exists() {
            // One whose making was interrupted is nothing that git knows.
            fs::remove_dir_all(at).map_err(|source| Error::File { file: text.to_string(), source })?;
        }
        Ok(())
    }
}

/// What the work tree is called in which `branch` is merged into `into`.
fn desk_of(branch: &str, into: &str) -> String {
    format!("{branch}-into-{into}").replace('/', "+")
}

/// The file that says that the merge was begun; without it a work tree was never handed to a person.
fn mark(desk: &Program) -> Result<PathBuf, Error> {
    let path = desk.text(&["rev-parse", "--path-format=absolute", "--git-path", "hotfix-merge-begun"])?;
    Ok(PathBuf::from(path.trim_end_matches('\n')))
}

fn begun(desk: &Program) -> Result<bool, Error> {
    if !desk.dir.join(".git").is_file() {
        return Ok(false);
    }
    let args = ["rev-parse", "--git-dir"];
    let said = desk.git(&args)?;
    match said.code {
        0 => Ok(mark(desk)?.exists()),
        _ if said.stderr.contains("not a git repository") => Ok(false),
        // One that was killed says nothing of what a person may have done there.
        _ => Err(desk.refused(&args, &said)),
    }
}

fn is_merging(desk: &Program) -> Result<bool, Error> {
    let args = ["rev-parse", "--verify", "--quiet", "MERGE_HEAD"];
    let said = desk.git(&args)?;
    match said.code {
        0 => Ok(true),
        1 => Ok(false),
        _ => Err(desk.refused(&args, &said)),
    }
}

/// The files git knows that differ from HEAD.
fn changed(desk: &Program) -> Result<Vec<String>, Error> {
    Ok(paths(&desk.text(&["diff", "--name-only", "--no-ext-diff", "--ignore-submodules=dirty", "-z", "HEAD", "--"])?))
}

fn paths(said: &str) -> Vec<String> {
    said.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect()
}

/// The lines of HEAD that are conflict markers and in none of `parents`: `FILE:LINE`.
fn markers(desk: &Program, parents: &[&str]) -> Result<Vec<String>, Error> {
    let mut found: Option<BTreeSet<String>> = None;
    for parent in parents {
        let args = ["diff", "--check", "--no-ext-diff", parent, "HEAD", "--"];
        let said = desk.git(&args)?;
        if ![0, 2].contains(&said.code) {
            return Err(desk.refused(&args, &said));
        }
        let lines = said.stdout.lines().filter(|line| !line.starts_with('+'));
        let lines = lines.filter_map(|line| line.trim_end_matches('.').strip_suffix(": leftover conflict marker"));
        let lines: BTreeSet<String> = lines.map(str::to_owned).collect();
        found = Some(found.map_or(lines.clone(), |found| found.intersection(&lines).cloned().collect()));
    }
    Ok(found.into_iter().flatten().collect())
}
