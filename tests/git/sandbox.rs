//! A repository with a bare remote, and a hotfix in it from the tag to main.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hotfix::git::{Continues, Error, Kind, Known, Outcome, Preflight, Prompts, Reach, Repository, Request, preflight};
use hotfix::vars::Environment;

/// A clone `work` of the bare `remote.git` with one commit on main, tagged v1.2.3.
pub(crate) struct Sandbox {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) env: Environment,
}

impl Sandbox {
    /// One that has files only.
    pub(crate) fn new() -> Self {
        Self::with(&[], |_| {})
    }

    /// One whose repositories are made by `git init` with these options, with what `prepare` does before the first commit.
    pub(crate) fn with(options: &[&str], prepare: impl FnOnce(&Self)) -> Self {
        let sandbox = Self::empty();
        sandbox.git(".", &[&["init", "-q", "--bare"], options, &["remote.git"]].concat().join(" "));
        sandbox.git(".", &[&["init", "-q"], options, &["work"]].concat().join(" "));
        sandbox.git("work", "remote add origin ../remote.git");
        prepare(&sandbox);
        sandbox.write("file", "one\n");
        sandbox.git("work", "add .");
        sandbox.git("work", "commit -q -m first");
        sandbox.git("work", "tag -a -m release v1.2.3");
        sandbox.git("work", "push -q origin main v1.2.3");
        sandbox
    }

    /// One whose refs are in tables, where git is of 2.45 at least and knows that.
    pub(crate) fn reftable() -> Option<Self> {
        let option = "--ref-format=reftable";
        let known = Self::empty().run("git", ".", &["init", "-q", option, "probe"]).status.success();
        if !known {
            skipped("reftable, which this git does not know");
        }
        known.then(|| Self::with(&[option], |_| {}))
    }

    /// A directory without a repository, and who commits.
    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text =
            "[user]\nname=Ada\nemail=ada@example.com\n[init]\ndefaultBranch=main\n[protocol \"file\"]\nallow=always\n";
        fs::write(dir.path().join("gitconfig"), text).unwrap();
        let pairs = [
            ("HOME", dir.path().display().to_string()),
            ("T", dir.path().display().to_string()),
            ("GIT_CONFIG_GLOBAL", dir.path().join("gitconfig").display().to_string()),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
            ("PATH", std::env::var("PATH").unwrap()),
        ];
        let env = pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { dir, env }
    }

    /// Sets a variable of the environment.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let other = self.env.iter().filter(|(other, _)| *other != name);
        let pairs: Vec<_> =
            other.chain([(name, value)]).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        self.env = pairs.into_iter().collect();
    }

    /// Sets something in the operator's own configuration.
    pub(crate) fn config(&self, name: &str, value: &str) {
        let ended = self.run("git", ".", &["config", "--global", name, value]);
        assert!(ended.status.success());
    }

    pub(crate) fn run(&self, program: &str, dir: &str, args: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.current_dir(self.path(dir)).env_clear().envs(self.env.iter()).stdin(Stdio::null());
        command.args(args).output().unwrap()
    }

    /// What `git` says in `dir` to these words.
    #[track_caller]
    pub(crate) fn git(&self, dir: &str, words: &str) -> String {
        let ended = self.run("git", dir, &words.split(' ').collect::<Vec<_>>());
        assert!(ended.status.success(), "git {words}: {}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8(ended.stdout).unwrap().trim_end().to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.path("work")
    }

    /// Writes a file of the work tree.
    pub(crate) fn write(&self, name: &str, text: &str) {
        self.put(&format!("work/{name}"), text);
    }

    /// Writes a file; one that begins with `#!` can be run.
    pub(crate) fn put(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        if text.starts_with("#!") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    /// The text of a file; empty where there is none.
    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(crate) fn open(&self) -> Repository {
        self.open_at("work")
    }

    pub(crate) fn open_at(&self, dir: &str) -> Repository {
        Repository::discover(&self.path(dir), self.env.clone(), Prompts::Never).unwrap()
    }

    pub(crate) fn preflight(&self, path: &Path, tag: &str, new_tag: &str) -> Preflight {
        let scripts = ["./file".to_owned(), "./deploy.sh".to_owned()];
        let (branch, remote, reach) = ("hotfix/1", "origin", Reach::Online);
        let continues = Continues::Nothing;
        let wanted = Request {
            tag,
            new_tag,
            branch,
            continues,
            main: "main",
            remote,
            reach,
            scripts: &scripts,
            known: Known::default(),
        };
        preflight(path, self.env.clone(), Prompts::Never, &wanted).unwrap()
    }

    /// That preflight finds this one failure, with the line that mends it.
    #[track_caller]
    pub(crate) fn is_refused(&self, dir: &str, problem: &str, mend: &str) {
        let found = self.preflight(&self.path(dir), "v1.2.3", "v1.2.4").failures;
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].problem.contains(problem) && found[0].mend.contains(mend), "{found:?}");
    }

    /// Makes a fix in `work`, releases it, merges it and deletes its branch; every operation is done twice.
    #[track_caller]
    pub(crate) fn fix(&self) {
        self.fix_in("work");
    }

    #[track_caller]
    pub(crate) fn fix_in(&self, dir: &str) {
        let failures = self.preflight(&self.path(dir), "v1.2.3", "v1.2.4").failures;
        assert!(failures.is_empty(), "{failures:?}");
        let repository = self.open_at(dir);
        twice(|| repository.create_branch("hotfix/1", "v1.2.3"));
        self.put(&format!("{dir}/file"), "two\n");
        twice(|| repository.commit("fix it\n\nFixes: #1", &["file".to_owned()]));
        let head = repository.head().unwrap().unwrap();
        twice(|| repository.tag("v1.2.4", &head, "release\n\n#1 is fixed"));
        twice(|| repository.push("origin", &[(Kind::Branch, "hotfix/1"), (Kind::Tag, "v1.2.4")]));
        twice(|| repository.merge("hotfix/1", "main", Some("origin"), "merge it").map(|merge| merge.outcome));
        twice(|| repository.delete_branch("hotfix/1", "main", Some("origin")));
        let remote = |words: &str| self.git("remote.git", words);
        assert_eq!(remote("show v1.2.4:file"), "two");
        assert_eq!(remote("show main:file"), "two");
        assert_eq!(
            remote("for-each-ref --format=%(refname) refs"),
            "refs/heads/main\nrefs/tags/v1.2.3\nrefs/tags/v1.2.4"
        );
        assert_eq!(remote("rev-parse main^2"), head);
        assert_eq!(self.git(dir, "rev-parse main"), remote("rev-parse main"));
        // HEAD is where that changes no file.
        let trees = ["main", &head].map(|rev| self.git(dir, &format!("rev-parse {rev}^{{tree}}")));
        let elsewhere = self.git(dir, "for-each-ref --format=%(worktreepath)%(HEAD) refs/heads/main");
        let free = elsewhere.trim().is_empty() || elsewhere.ends_with('*');
        let expected = if free && trees[0] == trees[1] { "refs/heads/main" } else { "HEAD" };
        assert_eq!(self.git(dir, "rev-parse --symbolic-full-name HEAD"), expected);
        assert_eq!(self.git(dir, "rev-parse HEAD^{tree}"), trees[1]);
        assert_eq!(self.git(dir, "status --porcelain"), "");
        assert_eq!(self.git(dir, "worktree list --porcelain").matches("hotfix-merge").count(), 0);
        assert!(remote("cat-file -p v1.2.4").contains("\n\nrelease\n\n#1 is fixed"));
    }
}

/// That the first time does it, and the second finds it done.
#[track_caller]
fn twice(act: impl Fn() -> Result<Outcome, Error>) {
    for expected in [Outcome::Done, Outcome::Already] {
        match act() {
            Ok(outcome) => assert_eq!(outcome, expected),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Says loudly what is not checked here: past the capture that swallows what a passing test prints.
pub(crate) fn skipped(what: &str) {
    std::io::stderr().write_all(format!("\n!!!!!!!! NOT CHECKED: {what} !!!!!!!!\n").as_bytes()).unwrap();
}
