//! A repository with a bare remote, a runbook with every step of git, and the program run in it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use hotfix::clock::pause;
use hotfix::event::Record;
use hotfix::run::{Outline, Run};
use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The steps of git, in their order, each behind a question of its own: `s/before-ID`.
pub(crate) const STEPS: [(&str, &str); 8] = [
    ("fetch", "git: fetch"),
    ("branch", "git: { branch: '{{ branch }}', from: '{{ tag }}' }"),
    ("bump", "git: { bump: '{{ version }}' }"),
    ("commit", "git: { commit: 'fix: {{ issue }}' }"),
    ("tag", "git: { tag: '{{ new_tag }}', message: 'Hotfix {{ new_tag }}' }"),
    ("push", "git: { push: ['{{ branch }}', '{{ new_tag }}'] }"),
    ("merge", "git: { merge: '{{ branch }}', into: '{{ main }}', also: [develop] }"),
    ("delete", "git: { delete_branch: '{{ branch }}' }"),
];

/// What is done by hand before the commit.
const WORK: &str = "      - { id: work, run: 'echo fix > app.txt; rm -f old.txt' }\n";

pub(crate) struct World {
    dir: TempDir,
}

impl World {
    /// One whose main and develop have gone on since v1.2.3, and whose remote has a tag that is not here.
    pub(crate) fn new() -> Self {
        let world = Self::empty();
        let top = "name: repeat\nversion: 1\nversion_files: [VERSION]\nstages:\n  - id: s\n    steps:\n";
        let steps = STEPS.into_iter().map(|(id, action)| {
            let before = if id == "bump" { WORK } else { "" };
            format!("{before}      - {{ id: before-{id}, confirm: Go on? }}\n      - {{ id: {id}, {action} }}\n")
        });
        world.write("runbook.yaml", &(top.to_owned() + &steps.collect::<String>()));
        world.git(".", "init -q --bare -b main remote.git");
        world.git(".", "init -q -b main work");
        world.git("work", "remote add origin ../remote.git");
        for (name, text) in [("app.txt", "one\n"), ("old.txt", "old\n"), ("VERSION", "1.2.3\n")] {
            world.write(&format!("work/{name}"), text);
        }
        world.git("work", "add .");
        world.git("work", "commit -q -m first");
        world.git("work", "tag -a -m release v1.2.3");
        for branch in ["main", "develop"] {
            world.git("work", &format!("switch -q -C {branch}"));
            world.write(&format!("work/{branch}.txt"), "new\n");
            world.git("work", "add .");
            world.git("work", &format!("commit -q -m {branch}"));
        }
        world.git("work", "tag -a -m beta v2.0.0-beta");
        world.git("work", "push -q origin main develop v1.2.3 v2.0.0-beta");
        world.git("work", "tag -d v2.0.0-beta");
        world.git("work", "switch -q main");
        world
    }

    fn empty() -> Self {
        Self { dir: tempfile::Builder::new().prefix("hotfix-repeat-").tempdir().unwrap() }
    }

    /// A copy of it, as it is on the disk.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::empty();
        let from = self.path(".").display().to_string();
        assert!(copy.command("cp", ".").args(["-R", &from, "."]).status().unwrap().success());
        copy
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file; one that begins with `#!` can be run.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        if text.starts_with("#!") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    /// A command in the world; a `git` in the directory `wrapped` comes before the others.
    pub(crate) fn command(&self, program: &str, dir: &str) -> Command {
        let mut command = Command::new(program);
        let at = |name: &str| self.path(name).display().to_string();
        command.current_dir(self.path(dir)).env_clear().stdin(Stdio::null());
        command.env("PATH", format!("{}:{}", at("wrapped"), std::env::var("PATH").unwrap()));
        command.env("HOME", at(".")).env("T", at(".")).env("HOTFIX_RUNBOOK", at("runbook.yaml"));
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@example.com");
        }
        command
    }

    /// What `git` says in `dir` to these words.
    #[track_caller]
    pub(crate) fn git(&self, dir: &str, words: &str) -> String {
        let ended = self.command("git", dir).args(words.split(' ')).output().unwrap();
        assert!(ended.status.success(), "git {words}: {}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8(ended.stdout).unwrap().trim_end().to_owned()
    }

    /// The program, about to begin the run or take it up, with `yes` to the questions before these steps and about the commit,
    /// however often they are asked; with `again` the step that has failed is tried again, once. Its process id is in `$T/pid`.
    pub(crate) fn driver(&self, steps: &[&str], again: bool) -> Command {
        let yes = |times: usize| vec!["yes"; times];
        let of_step = |(id, _): (&str, &str)| {
            let used = self.run().step(&format!("s/{id}")).answers;
            let all = if again { [yes(used), vec!["retry"], yes(9)].concat() } else { yes(used + 9) };
            format!("s/{id}: [{}]\n", all.join(", "))
        };
        let before = steps.iter().map(|step| format!("s/before-{step}: [{}]\n", yes(60).join(", ")));
        self.write("answers.yaml", &STEPS.into_iter().map(of_step).chain(before).collect::<String>());
        let mut command = self.command("sh", "work");
        command.args(["-c", "echo $$ > \"$T/pid\"; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_hotfix")]);
        command.args(if self.runs().is_empty() { &["start", "v1.2.3", "42"][..] } else { &["resume"] });
        command.arg("--answers").arg(self.path("answers.yaml"));
        command
    }

    /// Drives the run on to the question before the next step that is not named, whatever locks a killed `git` has left: how often
    /// one was told of. `code` is how that ends.
    #[track_caller]
    pub(crate) fn go(&self, steps: &[&str], code: i32, context: &str) -> usize {
        let mut locks = 0;
        loop {
            let ended = self.driver(steps, locks > 0).output().unwrap();
            let said = said(&ended);
            match ended.status.code() {
                Some(ended) if ended == code => return locks,
                Some(5) if locks < 20 => unlock(&said, context),
                other => panic!("{context}: ended with {other:?}\n{said}"),
            }
            locks += 1;
        }
    }

    /// Waits until there is a file.
    #[track_caller]
    pub(crate) fn wait_for(&self, name: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.path(name).exists() {
            assert!(Instant::now() < end, "{name} does not come");
            pause(Duration::from_millis(1));
        }
    }

    /// The directories of its runs.
    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        let runs = fs::read_dir(self.path("work/.git/hotfix/runs"));
        let runs = runs.into_iter().flatten().map(|entry| entry.unwrap());
        let whole = runs.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
        whole.map(|entry| entry.path()).collect()
    }

    /// The whole lines of the journal.
    pub(crate) fn journal(&self) -> Vec<u8> {
        let read = self.runs().pop().and_then(|run| fs::read(run.join("journal.jsonl")).ok());
        let mut bytes = read.unwrap_or_default();
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        bytes.truncate(whole);
        bytes
    }

    /// The run, as its records tell it.
    fn run(&self) -> Run {
        let mut run = Run::new(Outline::default());
        let text = String::from_utf8(self.journal()).unwrap();
        text.lines().for_each(|line| run.apply(&Record::parse(line).unwrap()));
        run
    }

    /// All that may be seen of the repository and its remote but the hashes of commits, which time is in.
    pub(crate) fn state(&self) -> String {
        let refs = "for-each-ref --format=%(refname):%(objecttype):%(tree)%(*tree):%(contents:subject):%(symref)";
        let mut state = String::new();
        for dir in ["work", "remote.git"] {
            // Every commit that a ref leads to has a line.
            for words in [refs, "log --all --format=%T:%s:%an"] {
                let mut lines: Vec<_> = self.git(dir, words).lines().map(str::to_owned).collect();
                lines.sort();
                state += &(lines.join("\n") + "\n");
            }
        }
        for words in ["status --porcelain --branch", "ls-files -s"] {
            state += &(self.git("work", words) + "\n");
        }
        for (name, bytes) in self.tree("work").into_iter().filter(|(name, _)| !name.starts_with(".git/")) {
            state += &[&name, ": ", &*String::from_utf8_lossy(&bytes), "\n"].concat();
        }
        state
    }

    /// What is left in git's own directory that should be gone: locks, the message of a merge, other work trees.
    pub(crate) fn left(&self) -> Vec<String> {
        let own = self.tree("work/.git").into_keys().filter(|name| !name.starts_with("hotfix/"));
        own.filter(|name| {
            Path::new(name).extension().is_some_and(|extension| extension == "lock")
                || name.starts_with("worktrees/")
                || name.contains("MERGE_MSG")
                || name == "MERGE_HEAD"
        })
        .collect()
    }

    /// Every file at or below a directory, by its path from there, with its bytes.
    pub(crate) fn tree(&self, dir: &str) -> BTreeMap<String, Vec<u8>> {
        let (top, mut found) = (self.path(dir), BTreeMap::new());
        let mut left = vec![top.clone()];
        while let Some(path) = left.pop() {
            if path.is_dir() && !path.is_symlink() {
                left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            } else {
                let name = path.strip_prefix(&top).unwrap().display().to_string();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
        found
    }

    /// That all is over: its log holds, and taking it up once more ends with 0 and changes no byte, here or on the remote.
    #[track_caller]
    pub(crate) fn is_over(&self, context: &str) {
        let before = [self.tree("work"), self.tree("remote.git")];
        for args in [&["resume"][..], &["verify"]] {
            let ended = self.command(env!("CARGO_BIN_EXE_hotfix"), "work").args(args).output().unwrap();
            assert_eq!(ended.status.code(), Some(0), "{context}: {args:?}: {}", said(&ended));
        }
        ["work", "remote.git"].iter().for_each(|dir| drop(self.git(dir, "fsck --no-dangling --no-progress")));
        assert!(before == [self.tree("work"), self.tree("remote.git")], "{context}: something was changed");
    }
}

/// What a program said, on both channels.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Does what is said about a file that is in the way: waits for whoever may hold it, then removes it.
#[track_caller]
pub(crate) fn unlock(said: &str, context: &str) {
    let named = said.lines().rev().find_map(|line| line.split_once("remove it with `rm ")?.1.split('`').next());
    let Some(file) = named.map(PathBuf::from) else { panic!("{context}: no lock is told of\n{said}") };
    // Each that is running is named, in a line that begins with its id; most of them are at work elsewhere.
    let id = |line: &str| line.split_whitespace().next()?.parse().ok().and_then(Pid::from_raw);
    let running: Vec<Pid> = match said.split_once("one that is running") {
        Some((_, rest)) => rest.lines().skip(1).map_while(id).collect(),
        None => Vec::new(),
    };
    assert_eq!(running.is_empty(), !said.contains("one that is running"), "{context}: {said}");
    let end = Instant::now() + Duration::from_secs(10);
    while file.exists() && Instant::now() < end && running.iter().any(|pid| test_kill_process(*pid).is_ok()) {
        pause(Duration::from_millis(5));
    }
    if let Err(error) = fs::remove_file(&file) {
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{context}");
    }
}
