//! A merge made in memory against the same one by `git merge`, on histories made by chance.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hotfix::git::{Error, Outcome};

use super::sandbox::Sandbox;

/// Chance, the same for the same seed: xorshift64*, <https://doi.org/10.18637/jss.v008.i14>.
struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(bits).unwrap() % end
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// The names that files get; `.u` is merged by `union`, `.crlf` has line ends of its own.
const NAMES: [&str; 12] = [
    "a.txt",
    "b.txt",
    "c.u",
    "d.crlf",
    "dir/a.txt",
    "dir/b.txt",
    "dir/deep/c.txt",
    "other/a.txt",
    "other/e.bin",
    "x",
    "y",
    "large.txt",
];

/// A history in a sandbox's `work`.
struct History {
    sandbox: Sandbox,
    chance: Chance,
}

impl History {
    fn new(seed: u64) -> Self {
        let sandbox = Sandbox::empty();
        sandbox.git(".", "init -q work");
        // What a branch of its own settings would be to a merge.
        for (name, values) in [
            ("merge.renames", &["true", "false", "copies"][..]),
            ("merge.directoryRenames", &["true", "false", "conflict"]),
            ("merge.conflictStyle", &["merge", "diff3", "zdiff3"]),
            ("merge.renormalize", &["false", "true"]),
            ("merge.renameLimit", &["0", "1"]),
            ("core.autocrlf", &["false", "true", "input"]),
            ("diff.algorithm", &["myers", "histogram"]),
        ] {
            let mut chance = Chance::new(seed ^ u64::from(name.bytes().map(u32::from).sum::<u32>()));
            chance.below(2);
            sandbox.config(name, chance.of(values));
        }
        sandbox.config("core.safecrlf", "false");
        let mut history = Self { sandbox, chance: Chance::new(seed) };
        history.sandbox.write(".gitattributes", "*.u merge=union\n*.crlf text eol=crlf\n*.bin -text\n");
        for name in NAMES {
            let text = history.text(if name == "large.txt" { 20_000 } else { 30 }, name);
            history.sandbox.write(name, &text);
        }
        fs::write(history.path("other/e.bin"), [0, 1, 2, 0, 255]).unwrap();
        symlink("a.txt", history.path("link")).unwrap();
        history.link_to(1);
        history.commit();
        history
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sandbox.path("work").join(name)
    }

    fn text(&mut self, lines: usize, name: &str) -> String {
        let end = if name.len().is_multiple_of(2) { "\r\n" } else { "\n" };
        (0..lines).fold(String::new(), |mut text, line| {
            let _ = write!(text, "{name} line {line} {}{end}", self.chance.below(3));
            text
        })
    }

    /// Runs `git` with an index so old that every file is looked into, whatever second it was written in.
    fn run(&self, words: &str) -> Output {
        let index = self.path(".git/index");
        if index.exists() {
            dated(&index, UNIX_EPOCH + Duration::from_secs(1));
        }
        self.sandbox.run("git", "work", &words.split(' ').collect::<Vec<_>>())
    }

    #[track_caller]
    fn git(&self, words: &str) {
        let ended = self.run(words);
        assert!(ended.status.success(), "git {words}: {}", String::from_utf8_lossy(&ended.stderr));
    }

    /// A submodule that is not there, at some commit.
    fn link_to(&mut self, commit: usize) {
        fs::create_dir_all(self.path("sub")).unwrap();
        self.git(&format!("update-index --add --cacheinfo 160000,{commit:040x},sub"));
    }

    fn commit(&mut self) {
        self.git("add -A");
        // No two commits are one, though they may be of one second.
        let number = self.chance.below(1 << 30);
        self.git(&format!("commit -q --allow-empty -m {number}"));
    }

    /// Every file there is, without the attributes.
    fn files(&self) -> Vec<String> {
        let listed = self.sandbox.git("work", "ls-files --cached --others --exclude=sub");
        let there =
            |name: &str| name != ".gitattributes" && self.path(name).symlink_metadata().is_ok_and(|it| !it.is_dir());
        listed.lines().filter(|name| there(name)).map(str::to_owned).collect()
    }

    /// Changes something, here and there.
    fn change(&mut self) {
        for _ in 0..=self.chance.below(3) {
            let files = self.files();
            if files.is_empty() {
                return;
            }
            let name = files[self.chance.below(files.len())].clone();
            let file = self.path(&name);
            let is_link = file.is_symlink();
            let (name, ending) = (self.chance.of(&NAMES), self.chance.of(&["new", "txt", "u"]));
            let new = self.path(name).with_extension(ending);
            match self.chance.below(10) {
                0 => rename(&file, &new),
                1 if self.path("dir").is_dir() => rename(&self.path("dir"), &self.path("moved")),
                2 => fs::remove_file(&file).unwrap(),
                3 if !is_link => {
                    let mode = self.chance.of(&[0o644, 0o755]);
                    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
                }
                4 => {
                    fs::remove_file(&file).unwrap();
                    symlink(self.chance.of(&NAMES), &file).unwrap();
                }
                5 => {
                    // A file becomes a directory.
                    fs::remove_file(&file).unwrap();
                    fs::create_dir_all(&file).unwrap();
                    let text = self.text(5, "inside");
                    fs::write(file.join("inside"), text).unwrap();
                }
                6 => {
                    let commit = 1 + self.chance.below(3);
                    self.link_to(commit);
                }
                7 => {
                    let attribute =
                        self.chance.of(&["merge=union", "-merge", "text", "text eol=crlf", "-text", "binary"]);
                    let pattern = self.chance.of(&["*.txt", "dir/*", "x"]);
                    let attributes = self.sandbox.text("work/.gitattributes");
                    self.sandbox.write(".gitattributes", &format!("{attributes}{pattern} {attribute}\n"));
                }
                _ if is_link => {}
                _ => self.edit(&file),
            }
        }
        self.commit();
    }

    /// Changes, adds or takes out a few lines in one place, or a byte of a file that has none.
    fn edit(&mut self, file: &Path) {
        let mut bytes = fs::read(file).unwrap();
        if bytes.contains(&0) || bytes.is_empty() {
            bytes.push(u8::try_from(self.chance.below(4)).unwrap());
            return fs::write(file, bytes).unwrap();
        }
        let text = String::from_utf8(bytes).unwrap();
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        let at = self.chance.below(lines.len());
        let to = (at + self.chance.below(4)).min(lines.len());
        let new = self.chance.below(4);
        let new = self.text(new, "edited");
        lines.splice(at..to, [new]);
        fs::write(file, lines.concat()).unwrap();
    }

    fn switch(&self, args: &str) {
        // A link to a submodule that is not there leaves its directory behind.
        self.git(&format!("switch -q -f {args}"));
        fs::create_dir_all(self.path("sub")).unwrap();
    }

    /// Both sides take over what the other had, and each settles it for itself.
    fn cross(&self) {
        let [main, fix] = ["main", "hotfix/1"].map(|name| self.sandbox.git("work", &format!("rev-parse {name}")));
        for (name, other) in [("main", fix), ("hotfix/1", main)] {
            self.switch(name);
            if !self.run(&format!("merge -q --no-ff -X ours -m cross {other}")).status.success() {
                self.git("read-tree --reset -u HEAD");
                let tree = self.sandbox.git("work", "write-tree");
                let words = format!("commit-tree -p HEAD -p {other} -m cross {tree}");
                let commit = self.sandbox.git("work", &words);
                self.git(&format!("reset -q --hard {commit}"));
            }
        }
    }
}

/// Gives a file this time.
fn dated(file: &Path, time: SystemTime) {
    fs::File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
}

fn rename(from: &Path, to: &Path) {
    let parent = to.parent().unwrap();
    let free = parent.ancestors().all(|parent| !parent.is_file() && !parent.is_symlink());
    if free && to.symlink_metadata().is_err() {
        fs::create_dir_all(parent).unwrap();
        fs::rename(from, to).unwrap();
    }
}

/// What comes of a merge: its tree, or the files that conflict.
type Merged = Result<String, BTreeSet<String>>;

fn by_git(sandbox: &Sandbox) -> Merged {
    sandbox.git("work", "worktree add -q --force ../by-git main");
    fs::create_dir_all(sandbox.path("by-git/sub")).unwrap();
    // As if it had been checked out a while ago: nothing in it has changed since.
    let index = sandbox.git("by-git", "rev-parse --path-format=absolute --git-path index");
    dated(Path::new(&index), SystemTime::now() + Duration::from_secs(2));
    let merged = sandbox.run("git", "by-git", &["merge", "--no-ff", "-m", "merge", "hotfix/1"]);
    let unmerged = sandbox.git("by-git", "-c core.quotePath=false ls-files --unmerged");
    let names = unmerged.lines().map(|line| line.split_once('\t').unwrap().1);
    let plain = |name: &str| name.trim_end_matches("~HEAD").trim_end_matches("~hotfix_1").to_owned();
    let names = names.map(plain).collect();
    let result = if merged.status.success() { Ok(sandbox.git("by-git", "rev-parse HEAD^{tree}")) } else { Err(names) };
    sandbox.git("by-git", "reset -q --hard");
    sandbox.git("by-git", "switch -q --detach");
    result
}

fn by_us(sandbox: &Sandbox) -> Merged {
    match sandbox.open().merge("hotfix/1", "main", None, "merge") {
        Ok(merge) => {
            assert_eq!(merge.outcome, Outcome::Done);
            Ok(sandbox.git("work", "rev-parse main^{tree}"))
        }
        Err(Error::Conflict(conflict)) => Err(conflict.files.into_iter().collect()),
        Err(error) => panic!("{error}"),
    }
}

/// How many merges were clean and how many conflicted, of those with these seeds.
fn compare(seeds: std::ops::Range<u64>, crosses: usize) -> (usize, usize) {
    let (mut clean, mut conflicting) = (0, 0);
    for seed in seeds {
        let mut history = History::new(seed);
        history.switch("-c hotfix/1");
        for round in 0..=crosses {
            for name in ["hotfix/1", "main"] {
                history.switch(name);
                for _ in 0..=history.chance.below(2) {
                    history.change();
                }
            }
            if round < crosses {
                history.cross();
            }
        }
        history.switch("hotfix/1");
        let sandbox = &history.sandbox;
        let before = sandbox.git("work", "rev-parse main hotfix/1");
        let expected = by_git(sandbox);
        sandbox.git("work", &format!("branch -f main {}", before.lines().next().unwrap()));
        let merged = by_us(sandbox);
        assert_eq!(merged, expected, "seed {seed}, {crosses} crosses");
        if merged.is_ok() {
            assert_eq!(sandbox.git("work", "rev-parse main^1 main^2"), before, "seed {seed}");
            clean += 1;
        } else {
            assert_eq!(sandbox.git("work", "rev-parse main hotfix/1"), before, "seed {seed}");
            conflicting += 1;
        }
    }
    (clean, conflicting)
}

#[test]
fn two_lines_are_merged_as_by_git() {
    let (clean, conflicting) = compare(50..80, 0);
    assert!(clean >= 5 && conflicting >= 5, "{clean} clean, {conflicting} conflicting");
}

#[test]
fn two_lines_that_cross_are_merged_as_by_git() {
    let (clean, conflicting) = compare(1000..1012, 2);
    assert!(clean >= 3 && conflicting >= 3, "{clean} clean, {conflicting} conflicting");
}
