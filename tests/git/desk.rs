//! A conflict is solved by a person in a work tree of its own, and taken from there.

use std::fs;
use std::path::{Path, PathBuf};

use hotfix::git::{Conflict, Error, Outcome};

use super::back::{elsewhere, merge, merges, ready};
use super::killed::{Killed, arm, copy, disarm};
use super::sandbox::Sandbox;

const DESK: &str = "work/.git/hotfix/merge/hotfix+1-into-main";

/// A sandbox where main, which has moved on the remote, and hotfix/1 contend for `file`.
fn contended() -> Sandbox {
    let sandbox = ready();
    elsewhere(&sandbox, "main", "file", "main\n");
    sandbox.write("mine", "not committed\n");
    sandbox
}

#[track_caller]
fn conflicts(sandbox: &Sandbox) -> Conflict {
    match merge(sandbox).unwrap_err() {
        Error::Conflict(conflict) => conflict,
        error => panic!("{error}"),
    }
}

/// That the merge is told to be unfinished, with these words.
#[track_caller]
fn is_unsolved(sandbox: &Sandbox, words: &[&str]) {
    let before = sandbox.git("remote.git", "for-each-ref");
    let error = merge(sandbox).unwrap_err();
    assert!(matches!(error, Error::Unsolved(_)), "{error}");
    for word in words.iter().chain(&["is not finished", "  cd ", "then try again"]) {
        assert!(error.to_string().contains(word), "`{word}`: {error}");
    }
    assert_eq!(sandbox.git("remote.git", "for-each-ref"), before);
}

/// Solves it as a person would, by the commands that are told: the commit.
fn solve(sandbox: &Sandbox, text: &str) -> String {
    sandbox.put(&format!("{DESK}/file"), text);
    sandbox.git(DESK, "add file");
    sandbox.git(DESK, "commit -q --no-edit");
    sandbox.git(DESK, "rev-parse HEAD")
}

/// That the work tree of the operator is as it was, and the other one is gone.
#[track_caller]
fn is_tidy(sandbox: &Sandbox) {
    assert_eq!(sandbox.git("work", "status --porcelain --branch"), "## hotfix/1\n?? mine");
    assert_eq!(sandbox.text("work/file"), "fix\n");
    assert_eq!(sandbox.git("work", "worktree list --porcelain").matches("worktree ").count(), 1);
    assert!(!sandbox.path(DESK).exists());
}

fn same(one: &Path, other: PathBuf) -> bool {
    fs::canonicalize(one).unwrap() == fs::canonicalize(other).unwrap()
}

#[test]
fn a_conflict_is_solved_in_a_work_tree_of_its_own_and_taken_from_there() {
    let sandbox = contended();
    let conflict = conflicts(&sandbox);
    assert_eq!((&conflict.files[..], conflict.again), (&["file".to_owned()][..], false));
    assert!(same(&conflict.at, sandbox.path(DESK)), "{conflict}");
    let commands = format!("  cd {}\n  (edit these files)\n  git add file\n  git commit\n", conflict.at.display());
    assert!(conflict.to_string().contains(&commands), "{conflict}");
    let text = sandbox.text(&format!("{DESK}/file"));
    assert!(text.contains("<<<<<<<") && text.contains("fix\n") && text.contains("main\n"), "{text}");
    is_unsolved(&sandbox, &["still unmerged", "  file\n", "git add file"]);
    sandbox.git(DESK, "add file");
    is_unsolved(&sandbox, &["not committed", "git commit"]);
    sandbox.git(DESK, "commit -q --no-edit");
    is_unsolved(&sandbox, &["conflict markers in", "  file:1\n", "  file:3\n", "git commit --all --amend"]);
    sandbox.put(&format!("{DESK}/file"), "both\n");
    is_unsolved(&sandbox, &["differ from its commit", "  file\n"]);
    sandbox.git(DESK, "commit -q --all --amend --no-edit");
    let solved = sandbox.git(DESK, "rev-parse HEAD");
    merges(&sandbox, Outcome::Done);
    assert_eq!(sandbox.git("remote.git", "rev-parse main"), solved);
    assert_eq!(sandbox.git("work", "rev-parse main"), solved);
    let parents = [sandbox.git("other", "rev-parse main"), sandbox.git("work", "rev-parse hotfix/1")].join("\n");
    assert_eq!(sandbox.git("remote.git", "rev-parse main^1 main^2"), parents);
    assert_eq!(sandbox.git("remote.git", "log -1 --format=%s main"), "merge");
    is_tidy(&sandbox);
    merges(&sandbox, Outcome::Already);
}

#[test]
fn lines_that_look_like_markers_and_were_there_before_are_none() {
    let sandbox = ready();
    let marks = "<<<<<<< a\n=======\n>>>>>>> b\n";
    sandbox.write("other", marks);
    sandbox.git("work", "commit -qam marks");
    elsewhere(&sandbox, "main", "file", "main\n");
    sandbox.write("mine", "not committed\n");
    conflicts(&sandbox);
    solve(&sandbox, "both\n");
    merges(&sandbox, Outcome::Done);
    assert_eq!(sandbox.git("remote.git", "show main:other"), marks.trim_end());
}

#[test]
fn what_was_solved_is_kept_where_main_moves_meanwhile() {
    let sandbox = contended();
    conflicts(&sandbox);
    let solved = solve(&sandbox, "both\n");
    elsewhere(&sandbox, "main", "other", "new\n");
    merges(&sandbox, Outcome::Done);
    let parents = [sandbox.git("other", "rev-parse main"), solved].join("\n");
    assert_eq!(sandbox.git("remote.git", "rev-parse main^1 main^2"), parents);
    assert_eq!(sandbox.git("remote.git", "show main:file main:other"), "both\nnew");
    is_tidy(&sandbox);
}

#[test]
fn what_was_solved_and_conflicts_with_what_is_new_is_solved_on_top() {
    let sandbox = contended();
    conflicts(&sandbox);
    let solved = solve(&sandbox, "both\n");
    elsewhere(&sandbox, "main", "file", "newer\n");
    let conflict = conflicts(&sandbox);
    assert!(conflict.again && conflict.to_string().contains("`main` has moved meanwhile"), "{conflict}");
    assert_eq!(sandbox.git(DESK, "rev-parse HEAD"), solved);
    is_unsolved(&sandbox, &["still unmerged"]);
    solve(&sandbox, "all\n");
    merges(&sandbox, Outcome::Done);
    assert_eq!(sandbox.git("remote.git", "show main:file"), "all");
    let main = sandbox.open();
    assert!(main.is_ancestor(&solved, &sandbox.git("remote.git", "rev-parse main")).unwrap());
    is_tidy(&sandbox);
}

#[test]
fn a_merge_that_was_given_up_there_is_begun_anew_and_another_commit_is_none() {
    let sandbox = contended();
    conflicts(&sandbox);
    sandbox.git(DESK, "merge --abort");
    conflicts(&sandbox);
    sandbox.git(DESK, "merge --abort");
    sandbox.put(&format!("{DESK}/file"), "no merge\n");
    sandbox.git(DESK, "commit -qam squashed");
    is_unsolved(&sandbox, &["does not have `hotfix/1`", "git merge --no-ff hotfix/1"]);
    assert!(!sandbox.run("git", DESK, &["merge", "-q", "--no-ff", "hotfix/1"]).status.success());
    solve(&sandbox, "both\n");
    merges(&sandbox, Outcome::Done);
    assert_eq!(sandbox.git("remote.git", "show main:file"), "both");
    is_tidy(&sandbox);
}

#[test]
fn a_merge_by_hand_elsewhere_counts_where_another_was_begun() {
    let sandbox = contended();
    conflicts(&sandbox);
    fs::remove_file(sandbox.path("work/mine")).unwrap();
    sandbox.git("work", "switch -q main");
    sandbox.git("work", "pull -q origin main");
    assert!(!sandbox.run("git", "work", &["merge", "-q", "--no-ff", "hotfix/1"]).status.success());
    sandbox.write("file", "both\n");
    sandbox.git("work", "commit -q --all --no-edit");
    merges(&sandbox, Outcome::Done);
    assert_eq!(sandbox.git("remote.git", "show main:file"), "both");
    // What was begun and is nowhere else is a person's to throw away.
    assert!(sandbox.path(DESK).exists());
}

#[test]
fn what_was_solved_is_known_again_by_rerere() {
    let sandbox = contended();
    sandbox.config("rerere.enabled", "true");
    conflicts(&sandbox);
    solve(&sandbox, "both\n");
    // The same conflict, in another branch.
    sandbox.git("work", "fetch -q");
    sandbox.git("work", "push -q origin origin/main:refs/heads/develop");
    let develop = sandbox.open().merge("hotfix/1", "develop", Some("origin"), "merge").unwrap();
    assert_eq!(develop.outcome, Outcome::Replayed);
    assert_eq!(sandbox.git("remote.git", "show develop:file"), "both");
}

#[test]
fn what_was_solved_for_a_protected_main_waits_as_a_request_and_is_not_lost() {
    let sandbox = contended();
    conflicts(&sandbox);
    let solved = solve(&sandbox, "both\n");
    sandbox.put("remote.git/hooks/update", "#!/bin/sh\n[ $1 != refs/heads/main ]\n");
    for _ in 0..2 {
        assert!(matches!(merge(&sandbox).unwrap_err(), Error::Waiting(_)));
        assert_eq!(sandbox.git("remote.git", "rev-parse hotfix/1-merge-main"), solved);
        assert!(sandbox.path(DESK).exists());
    }
    sandbox.git("remote.git", "update-ref refs/heads/main refs/heads/hotfix/1-merge-main");
    merges(&sandbox, Outcome::Already);
    is_tidy(&sandbox);
}

#[test]
fn killed_while_it_is_opened_it_is_opened_again() {
    let original = contended();
    for how in [Killed::Before, Killed::After] {
        let mut n = 1;
        loop {
            let mut sandbox = copy(&original);
            arm(&mut sandbox, how, n);
            let _ = merge(&sandbox);
            disarm(&mut sandbox);
            if !sandbox.path("killed").exists() {
                break;
            }
            // It may have been opened before git was killed.
            let error = merge(&sandbox).unwrap_err();
            assert!(matches!(error, Error::Conflict(_) | Error::Unsolved(_)), "{how:?} {n}: {error}");
            assert!(sandbox.text(&format!("{DESK}/file")).contains("<<<<<<<"), "{how:?} {n}");
            solve(&sandbox, "both\n");
            merges(&sandbox, Outcome::Done);
            is_tidy(&sandbox);
            n += 1;
        }
        assert!(n > 6, "{how:?} {n}");
    }
}

#[test]
fn killed_while_it_is_taken_it_is_taken_again() {
    let mut n = 1;
    loop {
        let mut sandbox = contended();
        conflicts(&sandbox);
        let solved = solve(&sandbox, "both\n");
        arm(&mut sandbox, Killed::After, n);
        let _ = merge(&sandbox);
        disarm(&mut sandbox);
        let killed = sandbox.path("killed").exists();
        if let Err(error) = merge(&sandbox) {
            panic!("{n}: {error}");
        }
        assert_eq!(sandbox.git("remote.git", "rev-parse main"), solved, "{n}");
        assert_eq!(sandbox.git("work", "rev-parse main"), solved, "{n}");
        is_tidy(&sandbox);
        if !killed {
            break;
        }
        n += 1;
    }
    assert!(n > 8, "{n}");
}
