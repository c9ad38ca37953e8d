//! A whole fix through the program in repositories that are not the plainest, and what it says where there can be none.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::fixture::{Ended, Project, steps};

/// The fix is committed as it is shown.
const ANSWER: &str = "s/commit: yes\n";

/// A runbook with every git step there is.
fn project() -> Project {
    steps(&[
        "{id: fetch, git: fetch}",
        "{id: branch, git: {branch: '{{ branch }}', from: '{{ tag }}'}}",
        "{id: work, run: 'echo fixed > app.txt'}",
        "{id: commit, git: {commit: 'fix: {{ issue }}'}}",
        "{id: tag, git: {tag: '{{ new_tag }}', message: Release}}",
        "{id: push, git: {push: ['{{ branch }}', '{{ new_tag }}']}}",
        "{id: merge, git: {merge: '{{ branch }}', into: '{{ main }}'}}",
        "{id: delete, git: {delete_branch: '{{ branch }}'}}",
    ])
    .open()
}

fn start_in(project: &Project, dir: &str) -> Ended {
    let mut command = project.command(env!("CARGO_BIN_EXE_hotfix"), dir);
    let answers = project.path("answers.yaml");
    fs::write(&answers, ANSWER).unwrap();
    let ended = command.args(["start", "v1.2.3", "42", "--answers"]).arg(answers).output().unwrap();
    let texts = [&ended.stdout, &ended.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    Ended { code: ended.status.code(), said: texts.concat() }
}

/// That the fix is on the remote, in main, and its branch gone.
#[track_caller]
fn is_fixed(project: &Project, dir: &str) {
    let remote = |words: &str| project.git("remote.git", words);
    assert_eq!(remote("show main:app.txt v1.2.4^{commit}:app.txt"), "fixed\nfixed");
    assert_eq!(remote("rev-parse main^2"), remote("rev-parse v1.2.4^{commit}"));
    let refs = "refs/heads/main\nrefs/tags/v1.2.3\nrefs/tags/v1.2.4";
    assert_eq!(remote("for-each-ref --format=%(refname)"), refs);
    assert_eq!(project.git(dir, "status --porcelain"), "");
    // The files are as they were: where another work tree has main, HEAD is on no branch.
    let head = if dir == "linked" { "main^2" } else { "main" };
    assert_eq!(project.git(dir, "rev-parse HEAD"), remote(&format!("rev-parse {head}")));
}

fn executable(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn sha256() {
    let project = project();
    for name in ["work", "remote.git"] {
        fs::remove_dir_all(project.path(name)).unwrap();
    }
    project.git(".", "init -q --bare -b main --object-format=sha256 remote.git");
    project.git(".", "init -q -b main --object-format=sha256 work");
    project.git("work", "remote add origin ../remote.git");
    project.write("app.txt", "one\n");
    project.git("work", "add .");
    project.git("work", "commit -q -m first");
    project.git("work", "tag -a -m release v1.2.3");
    project.git("work", "push -q origin main v1.2.3");
    project.start(ANSWER).exits(0);
    is_fixed(&project, "work");
}

#[test]
fn a_linked_worktree() {
    let project = project();
    project.git("work", "worktree add -q --detach ../linked");
    start_in(&project, "linked").exits(0).says(&["no file was touched", "main is checked out in"]);
    is_fixed(&project, "linked");
    assert_eq!(fs::read_to_string(project.path("work/app.txt")).unwrap(), "fixed\n");
}

#[test]
fn signed_with_hooks_of_a_shared_directory() {
    let mut project = project();
    let key = project.path("key").display().to_string();
    let made = project.command("ssh-keygen", ".").args(["-q", "-t", "ed25519", "-N", "", "-f", &key]).status().unwrap();
    assert!(made.success());
    let config = project.path("gitconfig").display().to_string();
    project.set("GIT_CONFIG_GLOBAL", &config);
    let hooks = project.path("hooks").display().to_string();
    for (name, value) in [
        ("gpg.format", "ssh"),
        ("user.signingKey", &format!("{key}.pub")),
        ("commit.gpgSign", "true"),
        ("tag.gpgSign", "true"),
        ("core.hooksPath", &hooks),
    ] {
        project.git(".", &format!("config --global {name} {value}"));
    }
    executable(&project.path("hooks/commit-msg"), "#!/bin/sh\necho 'Change-Id: I1' >> \"$1\"\n");
    executable(
        &project.path("hooks/pre-push"),
        "#!/bin/sh\n[ -e \"$T/open\" ] || { echo 'no push on Fridays'; exit 1; }\n",
    );
    project.start(ANSWER).exits(5).says(&["the hook `pre-push` refuses", "no push on Fridays"]);
    project.tells("s/push", &["started", "failed git"]);
    fs::write(project.path("open"), "").unwrap();
    project.resume("s/push: retry\n").exits(0);
    is_fixed(&project, "work");
    for name in ["main", "main^2", "v1.2.4"] {
        let object = project.git("remote.git", &format!("cat-file -p {name}"));
        assert!(object.contains("BEGIN SSH SIGNATURE"), "{object}");
        assert_eq!(object.contains("Change-Id: I1"), name != "v1.2.4", "{object}");
    }
}

#[test]
fn what_a_remote_refuses_is_told_ref_by_ref() {
    let project = project();
    let hook =
        "#!/bin/sh\n[ $1 != refs/tags/v1.2.4 ] || [ -e \"$T/open\" ] || { echo 'freeze until Monday'; exit 1; }\n";
    executable(&project.path("remote.git/hooks/update"), hook);
    let ended = project.start(ANSWER).exits(5);
    let ended = ended.says(&["`origin` refuses the push and has taken nothing of it", "v1.2.4: a hook or a rule"]);
    ended.says(&["freeze until Monday"]).keeps(&["hotfix/42: "]);
    assert_eq!(project.git("remote.git", "for-each-ref --format=%(refname)"), "refs/heads/main\nrefs/tags/v1.2.3");
    fs::write(project.path("open"), "").unwrap();
    project.resume("s/push: retry\n").exits(0);
    is_fixed(&project, "work");
}

#[test]
fn a_lock_that_a_killed_git_left_is_told_and_the_step_is_done_again() {
    let project = project();
    let lock = project.path("work/.git/refs/tags/v1.2.4.lock");
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    fs::write(&lock, "").unwrap();
    project.start(ANSWER).exits(5).says(&["v1.2.4.lock` is in the way", "rm "]);
    fs::remove_file(&lock).unwrap();
    project.resume("s/tag: retry\n").exits(0);
    is_fixed(&project, "work");
}

#[test]
fn a_shallow_clone_and_a_left_lock_are_refused_before_anything_happens() {
    let project = project();
    project.git("work", "commit -q --allow-empty -m second");
    project.git("work", "push -q origin main");
    let url = format!("file://{}", project.path("remote.git").display());
    project.git(".", &format!("clone -q --depth 1 --no-single-branch {url} shallow"));
    fs::write(project.path("shallow/.git/index.lock"), "").unwrap();
    let ended = start_in(&project, "shallow").exits(4);
    ended.says(&["the clone is shallow", "git fetch --unshallow --tags", "index.lock` is in the way", "\n      rm "]);
    fs::remove_file(project.path("shallow/.git/index.lock")).unwrap();
    project.git("shallow", "fetch -q --unshallow --tags");
    start_in(&project, "shallow").exits(0);
    is_fixed(&project, "shallow");
}

#[test]
fn a_repository_of_somebody_else_is_refused_with_what_trusts_it() {
    let mut project = project();
    project.set("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1");
    project.start(ANSWER).exits(4).says(&["git does not trust", "git config --global --add safe.directory"]);
}

#[test]
fn a_conflict_that_is_solved_as_once_before_is_told() {
    let project = project();
    let git = |words: &str| project.git("work", words);
    git("config rerere.enabled true");
    git("switch -q -c before");
    project.write("app.txt", "fixed\n");
    git("commit -qam before");
    git("switch -q main");
    project.write("app.txt", "main\n");
    git("commit -qam main");
    git("push -q origin main");
    assert!(!project.command("git", "work").args(["merge", "-q", "before"]).output().unwrap().status.success());
    project.write("app.txt", "both\n");
    git("add app.txt");
    git("rerere");
    git("reset -q --hard");
    git("branch -q -D before");
    project.start(ANSWER).exits(0).says(&["a conflict was solved as it was once before"]);
    assert_eq!(project.git("remote.git", "show main:app.txt"), "both");
    assert_eq!(git("status --porcelain"), "");
}
