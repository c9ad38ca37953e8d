//! What each operation does, and what it refuses.

use std::fs;

use hotfix::git::{Error, Outcome, check_name};

use super::sandbox::Sandbox;

#[test]
fn a_hotfix_goes_from_tag_to_main_and_each_repetition_changes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.fix();
    let (repository, linked) = (sandbox.open(), sandbox.path("linked"));
    let head = repository.head().unwrap().unwrap();
    for outcome in [Outcome::Done, Outcome::Already] {
        assert_eq!(repository.add_worktree(&linked, &head).unwrap(), outcome);
    }
    for outcome in [Outcome::Done, Outcome::Already] {
        assert_eq!(repository.remove_worktree(&linked).unwrap(), outcome);
    }
}

#[test]
fn a_commit_takes_the_named_files_and_no_other_whatever_their_names() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    for name in ["a*", "ab", ":(top)x", "-x"] {
        sandbox.write(name, "one\n");
    }
    repository.add(&["a*".to_owned(), ":(top)x".to_owned(), "-x".to_owned()]).unwrap();
    repository.commit("named", &["a*".to_owned(), ":(top)x".to_owned(), "-x".to_owned()]).unwrap();
    assert_eq!(sandbox.git("work", "show --name-only --format="), "-x\n:(top)x\na*");
    assert_eq!(sandbox.git("work", "status --porcelain"), "?? ab");
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
    sandbox.git("work", "push -q origin main");
    let before = sandbox.git("work", "rev-parse main");
    let error = repository.merge("hotfix/1", "main", Some("origin"), "merge").unwrap_err();
    assert!(matches!(error, Error::Conflict(it) if it.files == ["file"]));
    assert_eq!(sandbox.git("work", "rev-parse main"), before);
    let error = repository.delete_branch("hotfix/1", "main", None).unwrap_err();
    assert!(matches!(error, Error::NotContained { .. }));
}

#[test]
fn a_branch_that_is_checked_out_is_left_and_no_file_is_touched() {
    for (main, expected, reflog) in [
        ("dir/new", "HEAD", "checkout: moving from hotfix/1 to "),
        ("file", "refs/heads/main", "checkout: moving from hotfix/1 to main"),
    ] {
        let sandbox = Sandbox::new();
        let repository = sandbox.open();
        repository.create_branch("hotfix/1", "v1.2.3").unwrap();
        sandbox.write("file", "two\n");
        repository.commit("two", &["file".to_owned()]).unwrap();
        let head = repository.head().unwrap().unwrap();
        sandbox.git("work", "switch -q main");
        sandbox.write(main, "two\n");
        sandbox.git("work", "add .");
        sandbox.git("work", "commit -q -m more");
        sandbox.git("work", "merge -q -m merge hotfix/1");
        sandbox.git("work", "switch -q hotfix/1");
        // What the operator has begun meanwhile stays, also where main has another file there.
        for (name, text) in [("file", "mine\n"), ("dir/new", "mine as well\n")] {
            sandbox.write(name, text);
        }
        sandbox.put("work/.git/hooks/post-checkout", "#!/bin/sh\necho \"$@\" >>\"$T/hook\"\n");
        let index = std::fs::read(sandbox.path("work/.git/index")).unwrap();
        for outcome in [Outcome::Done, Outcome::Already] {
            assert_eq!(repository.delete_branch("hotfix/1", "main", None).unwrap(), outcome);
        }
        assert_eq!(sandbox.git("work", "rev-parse --symbolic-full-name HEAD"), expected);
        assert_eq!(sandbox.text("work/file") + &sandbox.text("work/dir/new"), "mine\nmine as well\n");
        assert_eq!(std::fs::read(sandbox.path("work/.git/index")).unwrap(), index);
        let said = sandbox.git("work", "reflog -1 --format=%gs HEAD");
        assert!(said.starts_with(reflog), "{said}");
        let now = repository.head().unwrap().unwrap();
        assert_eq!(now == head, expected == "HEAD");
        assert_eq!(sandbox.text("hook"), format!("{head} {now} 1\n"));
    }
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

#[test]
fn a_commit_of_somebody_else_s_is_not_taken_for_the_one_to_be_made() {
    let sandbox = Sandbox::new();
    let commit = |message: &str| sandbox.open().commit(message, &["file".to_owned()]);
    sandbox.write("file", "two\n");
    commit("[OPS-1] fix: 42").unwrap();
    // It has what is looked for, and a hook's addition.
    assert_eq!(commit("fix: 42").unwrap(), Outcome::Already);
    for message in ["fix: 4", "fix: 42\n\nmore"] {
        assert!(matches!(commit(message).unwrap_err(), Error::NothingToCommit(_)), "{message}");
    }
    // What is on the remote was made before.
    sandbox.git("work", "push -q origin main");
    assert!(matches!(commit("fix: 42").unwrap_err(), Error::NothingToCommit(_)));
    assert_eq!(commit("[OPS-1] fix: 42").unwrap(), Outcome::Already);
}
