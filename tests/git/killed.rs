//! git is killed at every moment of every operation; doing it again ends where an undisturbed one does.

use std::fs;
use std::path::Path;

use hotfix::git::{Error, Kind, Outcome, Repository};

use super::sandbox::Sandbox;

type Operation = fn(&Repository) -> Result<Outcome, Error>;

/// What a fix takes, in this order.
const OPERATIONS: [(&str, Operation); 6] = [
    ("branch", |it| it.create_branch("hotfix/1", "v1.2.3")),
    ("commit", |it| {
        // As the step does: what is left to commit is looked up each time.
        let paths: Vec<String> = it.changes()?.into_iter().map(|change| change.path).collect();
        it.commit("fix it", &paths)
    }),
    ("tag", |it| it.tag("v1.2.4", "HEAD", "release")),
    ("push", |it| it.push("origin", &[(Kind::Branch, "hotfix/1"), (Kind::Tag, "v1.2.4")])),
    ("merge", |it| it.merge("hotfix/1", "main", Some("origin"), "merge it").map(|merge| merge.outcome)),
    ("delete", |it| it.delete_branch("hotfix/1", "main", Some("origin"))),
];

/// The same merge where its files are looked at by a hook, in a work tree of their own.
const WATCHED: &str = "watched merge";

/// A sandbox where all is done up to the operation `name`; main has gone on since the tag.
fn ready_for(name: &str) -> (Sandbox, Operation) {
    let sandbox = Sandbox::with(&[], |it| {
        for name in ["gone", "mode", "dir/deep"] {
            it.write(name, "one\n");
        }
    });
    sandbox.git("work", "rm -q gone");
    sandbox.write("dir/new", "#!/bin/sh\n");
    sandbox.write("dir/deep", "a longer text than there was before\n");
    sandbox.git("work", "add .");
    sandbox.git("work", "commit -q -m main");
    sandbox.git("work", "push -q origin main");
    for (done, operation) in OPERATIONS {
        if done == "merge" && name == WATCHED {
            sandbox.put("work/.git/hooks/pre-merge-commit", "#!/bin/sh\ngrep -q two file\n");
        }
        if name.ends_with(done) {
            return (sandbox, operation);
        }
        operation(&sandbox.open()).unwrap();
        if done == "branch" {
            sandbox.write("file", "two\n");
            fs::remove_file(sandbox.path("work/mode")).unwrap();
        }
    }
    unreachable!("{name} is no operation");
}

/// A copy of a sandbox, as it is on the disk.
pub(super) fn copy(original: &Sandbox) -> Sandbox {
    let copy = Sandbox::empty();
    for name in ["work", "remote.git"] {
        let from = original.path(name).display().to_string();
        assert!(copy.run("cp", ".", &["-R", &from, "."]).status.success());
    }
    copy
}

/// All that may be seen of a sandbox but the hashes of commits, which time is in.
fn state(sandbox: &Sandbox) -> String {
    let refs = "for-each-ref --format=%(refname):%(tree)%(*tree):%(contents:subject):%(symref)";
    let mut state = String::new();
    for dir in ["work", "remote.git"] {
        for words in [refs, "rev-list --count --all", "rev-parse --symbolic-full-name HEAD HEAD^{tree}"] {
            state += &(sandbox.git(dir, words) + "\n");
        }
    }
    state + &sandbox.git("work", "status --porcelain") + &sandbox.git("work", "ls-files -s")
}

/// How git is killed at the `n`th moment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Killed {
    /// Before the `n`th git of the operation does anything.
    Before,
    /// When it has done what it does.
    After,
    /// The `n`th time that a ref is about to change, is changed, or was left as it is.
    InTransaction,
    /// The `n`th time that it has the content of a file to check out.
    InCheckout,
}

/// Has git killed at the `n`th moment; it leaves `$T/killed` then.
pub(super) fn arm(sandbox: &mut Sandbox, how: Killed, n: usize) {
    let count = "n=$(($(cat \"$T/count\" 2>/dev/null || echo 0) + 1)); echo $n > \"$T/count\"";
    let kill = |at: &str, what: &str| format!("if [ $n = {n} ]; then {at} touch \"$T/killed\"; kill -9 {what}; fi\n");
    match how {
        Killed::Before | Killed::After => {
            let real = String::from_utf8(sandbox.run("sh", ".", &["-c", "command -v git"]).stdout).unwrap();
            let first = if matches!(how, Killed::After) { format!("{} \"$@\";", real.trim()) } else { String::new() };
            let text = format!("#!/bin/sh\n{count}\n{}exec {} \"$@\"\n", kill(&first, "$$"), real.trim());
            sandbox.put("wrapped/git", &text);
            let path = format!("{}:{}", sandbox.path("wrapped").display(), std::env::var("PATH").unwrap());
            sandbox.set("PATH", &path);
        }
        Killed::InTransaction => {
            let hook = format!("#!/bin/sh\ncat >/dev/null\n{count}\n{}exit 0\n", kill("", "$PPID"));
            sandbox.put("work/.git/hooks/reference-transaction", &hook);
        }
        Killed::InCheckout => {
            // A command of one word is started without a shell between.
            sandbox.put("filter", &format!("#!/bin/sh\n{count}\n{}exec cat\n", kill("", "$PPID")));
            sandbox.config("filter.killing.smudge", &sandbox.path("filter").display().to_string());
            sandbox.put("work/.git/info/attributes", "* filter=killing\n");
        }
    }
}

pub(super) fn disarm(sandbox: &mut Sandbox) {
    sandbox.set("PATH", &std::env::var("PATH").unwrap());
    for name in ["work/.git/hooks/reference-transaction", "work/.git/info/attributes"] {
        let _ = fs::remove_file(sandbox.path(name));
    }
}

/// Kills the operation `name` at every moment, and does it again: how often it was killed, and how often a lock was told of.
#[track_caller]
fn killed_everywhere(name: &str, how: Killed) -> (usize, usize) {
    let (original, operation) = ready_for(name);
    let undisturbed = copy(&original);
    operation(&undisturbed.open()).unwrap();
    let (expected, mut locks) = (state(&undisturbed), 0);
    for n in 1.. {
        let mut sandbox = copy(&original);
        arm(&mut sandbox, how, n);
        // Killed where nobody waits for it, it may have done everything.
        let _ = operation(&sandbox.open());
        if !sandbox.path("killed").exists() {
            return (n - 1, locks);
        }
        disarm(&mut sandbox);
        loop {
            match operation(&sandbox.open()) {
                Ok(_) => break,
                Err(Error::Locked { file, mend }) => {
                    assert!(mend.contains(&format!("rm {file}")), "{mend}");
                    fs::remove_file(Path::new(&file)).unwrap();
                    locks += 1;
                }
                Err(error) => panic!("{name}, {how:?} {n}: {error}\n{}", state(&sandbox)),
            }
        }
        assert_eq!(state(&sandbox), expected, "{name}, {how:?} {n}");
    }
    unreachable!("it ends");
}

/// That there were so many moments at least.
#[track_caller]
fn between(name: &str, moments: usize) {
    for how in [Killed::Before, Killed::After] {
        let (killed, _) = killed_everywhere(name, how);
        assert!(killed >= moments, "{name} was killed only {killed} times");
    }
    let (killed, _) = killed_everywhere(name, Killed::InTransaction);
    assert!(killed >= 1, "{name} was never killed in a transaction");
}

#[test]
fn create_branch() {
    between("branch", 1);
}

#[test]
fn create_branch_in_the_middle_of_the_files() {
    let (killed, locks) = killed_everywhere("branch", Killed::InCheckout);
    assert!(killed >= 2 && locks >= 2, "killed {killed} times, {locks} locks");
}

#[test]
fn a_branch_that_an_orphaned_git_makes_meanwhile_is_taken_up() {
    let mut sandbox = Sandbox::new();
    let real = String::from_utf8(sandbox.run("sh", ".", &["-c", "command -v git"]).stdout).unwrap();
    let real = real.trim();
    let text = format!(
        "#!/bin/sh\ncase \" $* \" in *' switch '*' -c '*) {real} branch hotfix/1 v1.2.3; touch \"$T/made\";; esac\nexec {real} \"$@\"\n"
    );
    sandbox.put("wrapped/git", &text);
    let path = format!("{}:{}", sandbox.path("wrapped").display(), std::env::var("PATH").unwrap());
    sandbox.set("PATH", &path);
    assert_eq!(sandbox.open().create_branch("hotfix/1", "v1.2.3").unwrap(), Outcome::Done);
    assert!(sandbox.path("made").exists());
    assert_eq!(sandbox.git("work", "symbolic-ref --short HEAD"), "hotfix/1");
}

#[test]
fn commit() {
    between("commit", 4);
}

#[test]
fn tag() {
    between("tag", 1);
}

#[test]
fn push() {
    between("push", 2);
}

#[test]
fn merge() {
    between("merge", 6);
}

#[test]
fn merge_in_a_work_tree_of_its_own() {
    between(WATCHED, 12);
}

#[test]
fn delete_branch() {
    between("delete", 5);
}

#[test]
fn delete_branch_checks_no_file_out() {
    assert_eq!(killed_everywhere("delete", Killed::InCheckout), (0, 0));
}

#[test]
fn a_file_of_the_operator_s_is_not_taken_for_one_that_a_killed_switch_left() {
    let (sandbox, operation) = ready_for("branch");
    for (name, text) in [("dir/deep", "mine\n"), ("gone", "mine\n")] {
        sandbox.write(name, text);
        let error = operation(&sandbox.open()).unwrap_err();
        assert!(matches!(&error, Error::Refused { output, .. } if output.contains("would be overwritten")), "{error}");
        assert_eq!(sandbox.text(&format!("work/{name}")), text);
        sandbox.git("work", "stash -q -u");
    }
}

#[test]
fn a_lock_that_was_left_is_found_before_a_run_starts() {
    let sandbox = Sandbox::new();
    sandbox.put("work/.git/index.lock", "");
    sandbox.is_refused("work", "index.lock` is in the way", "rm ");
}

#[test]
fn a_lock_is_told_with_every_git_that_may_hold_it() {
    let mut sandbox = Sandbox::new();
    let path = format!("{}:{}", sandbox.path("wrapped").display(), std::env::var("PATH").unwrap());
    sandbox.set("PATH", &path);
    let told = |running: &str| {
        sandbox.put("wrapped/ps", &format!("#!/bin/sh\nprintf '{running}'\n"));
        sandbox.put("work/.git/refs/tags/v2.lock", "");
        sandbox.open().tag("v2", "HEAD", "two").unwrap_err().to_string()
    };
    let quiet = told("  1 /sbin/init\\n  7 gitlab-runner\\n  8 /usr/bin/git fsmonitor--daemon run\\n");
    assert!(quiet.contains("no git is running now") && quiet.contains("v2.lock`, then try again"), "{quiet}");
    let busy = told("  9 /usr/bin/git gc --auto\\n");
    assert!(busy.contains("one that is running:\n  9 /usr/bin/git gc --auto\nwait for it"), "{busy}");
}

#[test]
fn every_lock_is_told_with_its_file() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let told = |result: Result<Outcome, Error>, lock: &str| match result {
        Err(Error::Locked { file, .. }) => {
            assert!(file.ends_with(lock), "{file}");
            fs::remove_file(file).unwrap();
        }
        other => panic!("{lock}: {other:?}"),
    };
    sandbox.put("work/.git/refs/tags/v2.lock", "");
    told(repository.tag("v2", "HEAD", "two"), ".git/refs/tags/v2.lock");
    sandbox.put("work/.git/index.lock", "");
    sandbox.write("file", "two\n");
    told(repository.commit("two", &["file".to_owned()]), ".git/index.lock");
    repository.commit("two", &["file".to_owned()]).unwrap();
    if let Some(sandbox) = Sandbox::reftable() {
        sandbox.put("work/.git/reftable/tables.list.lock", "");
        told(sandbox.open().tag("v2", "HEAD", "two"), ".git/reftable/tables.list.lock");
    }
    sandbox.git("work", "branch other");
    sandbox.put("work/.git/packed-refs.lock", "");
    told(repository.delete_branch("other", "main", None), ".git/packed-refs.lock");
}

#[test]
fn git_is_told_to_have_everything_on_the_disk() {
    let mut sandbox = Sandbox::new();
    for (name, value) in [("core.fsync", "none"), ("core.fsyncMethod", "writeout-only")] {
        sandbox.config(name, value);
    }
    let trace = sandbox.path("trace").display().to_string();
    sandbox.set("GIT_TRACE2_EVENT", &trace);
    sandbox.write("file", "two\n");
    let repository = sandbox.open();
    let synced = |act: &dyn Fn() -> Result<Outcome, Error>| {
        let _ = fs::remove_file(&trace);
        assert_eq!(act().unwrap(), Outcome::Done);
        let text = fs::read_to_string(&trace).unwrap();
        let counts = text
            .lines()
            .filter(|line| line.contains("hardware-flush"))
            .filter_map(|line| line.rsplit_once("\"count\":")?.1.trim_end_matches('}').parse::<usize>().ok());
        counts.sum::<usize>()
    };
    // A blob, a tree, a commit, the branch.
    let commit = synced(&|| repository.commit("two", &["file".to_owned()]));
    assert!(commit >= 4, "{commit}");
    // The branch. The index is git's own affair.
    let branch = synced(&|| repository.create_branch("hotfix/2", "v1.2.3"));
    assert!(branch >= 1, "{branch}");
    sandbox.git("work", "switch -q main");
    let tag = synced(&|| repository.tag("v2", "HEAD", "two"));
    assert!(tag >= 2, "{tag}");
    sandbox.git("work", "switch -q -c hotfix/1");
    sandbox.git("work", "commit -q --allow-empty -m fix");
    let merge = synced(&|| repository.merge("hotfix/1", "main", None, "merge").map(|merge| merge.outcome));
    assert!(merge >= 2, "{merge}");
}
