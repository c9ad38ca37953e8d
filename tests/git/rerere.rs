//! A conflict that was solved once is solved again, where the configuration says so.

use hotfix::git::{Error, Outcome};

use super::sandbox::Sandbox;

/// A sandbox where main and hotfix/1 contend for `file` and `other`, and the conflict in `solved` has been solved before.
fn solved(files: &[&str]) -> Sandbox {
    let sandbox = Sandbox::with(&[], |it| it.write("other", "one\n"));
    sandbox.config("rerere.enabled", "true");
    sandbox.git("work", "switch -q -c hotfix/1");
    for name in ["file", "other"] {
        sandbox.write(name, &format!("{name} fix\n"));
    }
    sandbox.git("work", "commit -qam fix");
    sandbox.git("work", "switch -q main");
    for name in ["file", "other"] {
        sandbox.write(name, &format!("{name} main\n"));
    }
    sandbox.git("work", "commit -qam main");
    assert!(!sandbox.run("git", "work", &["merge", "-q", "hotfix/1"]).status.success());
    for name in files {
        sandbox.write(name, "both\n");
        sandbox.git("work", &format!("add {name}"));
    }
    sandbox.git("work", "rerere");
    sandbox.git("work", "reset -q --hard");
    sandbox.git("work", "switch -q hotfix/1");
    sandbox
}

#[test]
fn a_merge_all_of_whose_conflicts_were_solved_is_made() {
    let sandbox = solved(&["file", "other"]);
    let merge = || sandbox.open().merge("hotfix/1", "main", None, "merge").unwrap().outcome;
    assert_eq!([merge(), merge()], [Outcome::Replayed, Outcome::Already]);
    assert_eq!(sandbox.git("work", "show main:file main:other"), "both\nboth");
    assert_eq!(sandbox.git("work", "status --porcelain"), "");
    assert_eq!(sandbox.git("work", "worktree list --porcelain").matches("worktree ").count(), 1);
}

#[test]
fn a_merge_with_a_new_conflict_is_none() {
    let sandbox = solved(&["file"]);
    let before = sandbox.git("work", "for-each-ref");
    let error = sandbox.open().merge("hotfix/1", "main", None, "merge").unwrap_err();
    assert!(matches!(&error, Error::Conflict(it) if it.files == ["file", "other"]), "{error}");
    assert_eq!(sandbox.git("work", "for-each-ref"), before);
    // What was solved before is in the work tree for the rest.
    let Error::Conflict(conflict) = error else { panic!("{error}") };
    assert_eq!(std::fs::read_to_string(conflict.at.join("file")).unwrap(), "both\n");
    assert_eq!(sandbox.git("work", "worktree list --porcelain").matches("worktree ").count(), 2);
}

#[test]
fn nothing_is_replayed_where_it_is_switched_off() {
    let sandbox = solved(&["file", "other"]);
    sandbox.config("rerere.enabled", "false");
    let error = sandbox.open().merge("hotfix/1", "main", None, "merge").unwrap_err();
    assert!(matches!(error, Error::Conflict(_)));
}

#[test]
fn what_a_killed_merge_left_is_no_hindrance() {
    let sandbox = solved(&["file", "other"]);
    sandbox.git("work", "worktree add -q --detach .git/hotfix-merge main");
    sandbox.put("work/.git/hotfix-merge/file", "half\n");
    assert_eq!(sandbox.open().merge("hotfix/1", "main", None, "merge").unwrap().outcome, Outcome::Replayed);
    let sandbox = solved(&["file", "other"]);
    sandbox.put("work/.git/hotfix-merge/file", "half\n");
    assert_eq!(sandbox.open().merge("hotfix/1", "main", None, "merge").unwrap().outcome, Outcome::Replayed);
}
