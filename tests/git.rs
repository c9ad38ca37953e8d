//! The repository's operations on real repositories with a bare remote, each done twice.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hotfix::git::{Continues, Error, Kind, Outcome, Prompts, Reach, Repository, Request, check_name, preflight};
use hotfix::vars::Environment;

/// A clone `work` of the bare `remote.git` with one commit on main, tagged v1.2.3.
struct Sandbox {
    dir: tempfile::TempDir,
    env: Environment,
}

impl Sandbox {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_string_lossy().into_owned();
        let config = dir.path().join("gitconfig");
        fs::write(&config, "[user]\nname=Ada\nemail=ada@example.com\n[init]\ndefaultBranch=main\n").unwrap();
        let pairs = [
            ("HOME", home),
            ("GIT_CONFIG_GLOBAL", config.to_string_lossy().into_owned()),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
            ("PATH", std::env::var("PATH").unwrap()),
        ];
        let env = pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let sandbox = Self { dir, env };
        sandbox.git(".", "init -q --bare remote.git");
        sandbox.git(".", "clone -q remote.git work");
        sandbox.write("file", "one\n");
        sandbox.git("work", "add file");
        sandbox.git("work", "commit -q -m first");
        sandbox.git("work", "tag -a -m release v1.2.3");
        sandbox.git("work", "push -q origin main v1.2.3");
        sandbox
    }

    fn git(&self, dir: &str, args: &str) -> String {
        let mut command = Command::new("git");
        command.current_dir(self.dir.path().join(dir)).env_clear().envs(self.env.iter());
        let ended = command.args(args.split(' ')).output().unwrap();
        assert!(ended.status.success(), "git {args}: {}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8(ended.stdout).unwrap().trim_end().to_owned()
    }

    fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.work().join(name), text).unwrap();
    }

    fn open(&self) -> Repository {
        Repository::discover(&self.work(), self.env.clone(), Prompts::Never).unwrap()
    }

    fn preflight(&self, path: &Path, tag: &str, new_tag: &str) -> hotfix::git::Preflight {
        let scripts = ["./file".to_owned(), "./deploy.sh".to_owned()];
        let (branch, remote, reach) = ("hotfix/1", "origin", Reach::Online);
        let continues = Continues::Nothing;
        let wanted = Request { tag, new_tag, branch, continues, main: "main", remote, reach, scripts: &scripts };
        preflight(path, self.env.clone(), Prompts::Never, &wanted).unwrap()
    }
}

#[test]
fn a_hotfix_goes_from_tag_to_main_and_each_repetition_changes_nothing() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let paths = ["file".to_owned()];
    for outcome in [Outcome::Done, Outcome::Already] {
        assert_eq!(repository.create_branch("hotfix/1", "v1.2.3").unwrap(), outcome);
    }
    sandbox.write("file", "two\n");
    sandbox.write("untracked", "");
    for outcome in [Outcome::Done, Outcome::Already] {
        assert_eq!(repository.commit("fix it\n\nFixes: #1", &paths).unwrap(), outcome);
    }
    let head = repository.head().unwrap().unwrap();
    let refs = [(Kind::Branch, "hotfix/1"), (Kind::Tag, "v1.2.4")];
    for outcome in [Outcome::Done, Outcome::Already] {
        assert_eq!(repository.tag("v1.2.4", &head, "release").unwrap(), outcome);
    }
    for outcome in [Outcome::Done, Outcome::Already] {
        assert_eq!(repository.push("origin", &refs).unwrap(), outcome);
    }
    for outcome in [Outcome::Done, Outcome::Already] {
        assert_eq!(repository.merge("hotfix/1", "main", Some("origin"), "merge").unwrap(), outcome);
    }
    assert_eq!(sandbox.git("work", "status --porcelain"), "?? untracked");
    assert_eq!(sandbox.git("work", "rev-parse main"), sandbox.git("remote.git", "rev-parse main"));
    assert_eq!(sandbox.git("work", "rev-parse main^2"), head);
    for outcome in [Outcome::Done, Outcome::Already] {
        assert_eq!(repository.delete_branch("hotfix/1", "main", Some("origin")).unwrap(), outcome);
    }
    assert_eq!(sandbox.git("remote.git", "branch --format=%(refname:short)"), "main");
    let linked = sandbox.dir.path().join("linked");
    for outcome in [Outcome::Done, Outcome::Already] {
        assert_eq!(repository.add_worktree(&linked, &head).unwrap(), outcome);
    }
    repository.remove_worktree(&linked).unwrap();
}

#[test]
fn a_conflict_names_its_files_and_moves_nothing() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    repository.create_branch("hotfix/1", "v1.2.3").unwrap();
    sandbox.write("file", "two\n");
    sandbox.git("work", "commit -qam two");
    sandbox.git("work", "switch -q main");
    sandbox.write("file", "three\n");
    sandbox.git("work", "commit -qam three");
    let before = sandbox.git("work", "rev-parse main");
    let error = repository.merge("hotfix/1", "main", Some("origin"), "merge").unwrap_err();
    assert!(matches!(error, Error::Conflict { files, .. } if files == ["file"]));
    assert_eq!(sandbox.git("work", "rev-parse main"), before);
    let error = repository.delete_branch("hotfix/1", "main", None).unwrap_err();
    assert!(matches!(error, Error::NotContained { .. }));
}

#[test]
fn names_that_look_like_options_are_refused() {
    let repository = Sandbox::new().open();
    assert!(matches!(repository.fetch("--upload-pack=touch pwned").unwrap_err(), Error::BadName { .. }));
    for name in ["-x", "a..b", "a b", "a/", "/a", ".a", "a.lock", "a@{1}", "HEAD", "a\\b", ""] {
        assert!(check_name(name).is_err(), "{name}");
    }
    check_name("hotfix/login-1").unwrap();
}

#[test]
fn preflight_says_all_that_is_wrong_at_once_with_what_mends_it() {
    let sandbox = Sandbox::new();
    let clean = sandbox.preflight(&sandbox.work(), "v1.2.3", "v1.2.4");
    assert_eq!((clean.failures.len(), clean.missing_scripts.as_slice()), (0, &["./deploy.sh".to_owned()][..]));
    sandbox.git("work", "push -q origin HEAD:hotfix/1");
    sandbox.write("untracked", "");
    fs::write(sandbox.dir.path().join("gitconfig"), "").unwrap();
    let found = sandbox.preflight(&sandbox.work(), "1.2.3", "v1.2.3");
    assert_eq!(found.failures.len(), 6, "{:?}", found.failures);
    assert!(found.failures.iter().any(|failure| failure.problem.contains("nearest: v1.2.3")));
    assert!(found.failures.iter().any(|failure| failure.mend == "git stash -u"));
    let outside = sandbox.preflight(sandbox.dir.path(), "v1.2.3", "v1.2.4");
    assert_eq!(outside.failures.len(), 1);
}
