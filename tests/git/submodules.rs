//! A repository with a submodule.

use hotfix::git::{ChangeKind, Error, Kind, Outcome};

use super::sandbox::Sandbox;

/// A sandbox whose submodule `sub` is at its first commit in v1.2.3 and at its second in main.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with(&[], |it| {
        it.git(".", "init -q --bare sub.git");
        it.git(".", "clone -q sub.git origin-of-sub");
        it.put("origin-of-sub/in", "one\n");
        it.git("origin-of-sub", "add .");
        it.git("origin-of-sub", "commit -q -m one");
        it.git("origin-of-sub", "push -q origin main");
        it.git("work", "submodule --quiet add ../sub.git sub");
    });
    sandbox.put("origin-of-sub/in", "two\n");
    sandbox.git("origin-of-sub", "commit -qam two");
    sandbox.git("origin-of-sub", "push -q origin main");
    sandbox.git("work", "submodule --quiet update --remote");
    sandbox.git("work", "commit -qam second");
    sandbox.git("work", "push -q origin main");
    sandbox
}

#[test]
fn it_follows_the_branch_and_no_commit_takes_it_along() {
    let sandbox = sandbox();
    let (repository, in_main) = (sandbox.open(), sandbox.git("work", "rev-parse main:sub"));
    repository.create_branch("hotfix/1", "v1.2.3").unwrap();
    assert_eq!(sandbox.text("work/sub/in"), "one\n");
    assert_eq!(repository.changes().unwrap(), []);
    sandbox.git("work/sub", "checkout -q -B main origin/main");
    assert_eq!(repository.changes().unwrap()[0].kind, ChangeKind::Tracked);
    // What was killed before it came to the submodule is done by doing it again.
    assert_eq!(repository.create_branch("hotfix/1", "v1.2.3").unwrap(), Outcome::Already);
    assert_eq!(repository.changes().unwrap(), []);
    sandbox.git("work", "switch -q main");
    sandbox.git("work", "submodule --quiet update");
    sandbox.git("work", "branch -q -D hotfix/1");
    sandbox.fix();
    assert_eq!(sandbox.git("remote.git", "rev-parse main:sub"), in_main);
    assert_eq!(sandbox.text("work/sub/in"), "one\n");
}

#[test]
fn what_is_changed_inside_it_is_no_change_and_another_commit_of_it_is_told_with_what_mends_it() {
    let sandbox = sandbox();
    sandbox.write("sub/in", "three\n");
    sandbox.write("sub/new", "");
    assert_eq!(sandbox.open().changes().unwrap(), []);
    sandbox.git("work/sub", "checkout -q -f origin/main~1");
    sandbox.is_refused("work", "1 changed files: sub", "git submodule update --recursive");
}

#[test]
fn it_is_pushed_by_itself_and_a_push_only_looks_whether_it_was() {
    for setting in ["on-demand", "only"] {
        let sandbox = sandbox();
        sandbox.config("push.recurseSubmodules", setting);
        sandbox.git("work/sub", "checkout -q -B main origin/main");
        sandbox.git("work/sub", "commit -q --allow-empty -m three");
        sandbox.git("work", "switch -q -c hotfix/1");
        sandbox.git("work", "commit -qam third");
        let push = || sandbox.open().push("origin", &[(Kind::Branch, "hotfix/1")]);
        let before = sandbox.git("sub.git", "for-each-ref");
        let error = push().unwrap_err();
        assert!(
            matches!(&error, Error::Refused { output, .. } if output.contains("not be found on any remote")),
            "{error}"
        );
        assert_eq!(sandbox.git("sub.git", "for-each-ref"), before);
        sandbox.git("work/sub", "push -q --recurse-submodules=no origin main");
        assert_eq!(push().unwrap(), Outcome::Done);
        assert!(sandbox.git("remote.git", "for-each-ref").contains("hotfix/1"));
    }
}
