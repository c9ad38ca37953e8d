//! The repository's hooks run as by the operator's own git, and may refuse.

use hotfix::git::{Error, Kind, Outcome};

use super::sandbox::Sandbox;

/// A hook that notes that it ran, and where.
fn noting(name: &str) -> String {
    format!("#!/bin/sh\necho \"{name} $(git rev-parse --abbrev-ref HEAD)\" >> \"$T/ran\"\n")
}

#[test]
fn every_hook_runs_once_in_its_place() {
    let sandbox = Sandbox::new();
    sandbox.config("core.hooksPath", &sandbox.path("hooks").display().to_string());
    let names =
        ["pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "pre-push", "pre-merge-commit", "post-merge"];
    for name in names {
        sandbox.put(&format!("hooks/{name}"), &noting(name));
    }
    sandbox.fix();
    let expected = [
        "pre-commit hotfix/1",
        "prepare-commit-msg hotfix/1",
        "commit-msg hotfix/1",
        "post-commit hotfix/1",
        // One for each push, also for one that finds nothing to do; a merge that is there is not pushed.
        "pre-push hotfix/1",
        "pre-push hotfix/1",
        // In a work tree of its own, at the commit of main.
        "pre-merge-commit HEAD",
        "prepare-commit-msg hotfix/1",
        "commit-msg hotfix/1",
        "pre-push hotfix/1",
        "post-merge hotfix/1",
        "pre-push main",
    ];
    assert_eq!(sandbox.text("ran").lines().collect::<Vec<_>>(), expected);
}

#[test]
fn post_merge_runs_once_where_main_is_checked_out_too() {
    let sandbox = Sandbox::new();
    sandbox.put("work/.git/hooks/post-merge", &noting("post-merge"));
    sandbox.git("work", "switch -q -c hotfix/1");
    sandbox.write("file", "two\n");
    sandbox.git("work", "commit -qam two");
    sandbox.git("work", "switch -q main");
    assert_eq!(sandbox.open().merge("hotfix/1", "main", Some("origin"), "merge").unwrap().outcome, Outcome::Done);
    assert_eq!(sandbox.text("ran"), "post-merge main\n");
    assert_eq!(sandbox.text("work/file"), "two\n");
}

#[test]
fn a_hook_sees_no_setting_that_its_own_git_would_not_have() {
    let sandbox = Sandbox::new();
    // A pattern finds nothing where paths are taken literally.
    sandbox.put("work/.git/hooks/pre-commit", "#!/bin/sh\ngit diff --cached --name-only -- 'fi*' > \"$T/ran\"\n");
    sandbox.write("file", "two\n");
    sandbox.open().commit("two", &["file".to_owned()]).unwrap();
    assert_eq!(sandbox.text("ran"), "file\n");
    // Only what git says is in English.
    let mut sandbox = Sandbox::new();
    sandbox.set("LC_ALL", "C.UTF-8");
    sandbox.put("work/.git/hooks/pre-commit", "#!/bin/sh\necho \"$LC_ALL,$LC_CTYPE\" > \"$T/ran\"\n");
    sandbox.write("file", "two\n");
    sandbox.open().commit("two", &["file".to_owned()]).unwrap();
    assert_eq!(sandbox.text("ran"), ",C.UTF-8\n");
}

#[test]
fn a_refusing_hook_is_shown_with_what_it_says_and_changes_nothing() {
    for name in ["pre-commit", "commit-msg"] {
        let sandbox = Sandbox::new();
        sandbox.put(&format!("work/.git/hooks/{name}"), "#!/bin/sh\necho \"no $(basename $0)\"\nexit 1\n");
        sandbox.write("file", "two\n");
        let before = sandbox.git("work", "rev-parse HEAD");
        let error = sandbox.open().commit("two", &["file".to_owned()]).unwrap_err();
        assert!(error.to_string().contains(&format!("no {name}")), "{error}");
        assert_eq!(sandbox.git("work", "rev-parse HEAD"), before);
    }
    let sandbox = Sandbox::new();
    sandbox.put("work/.git/hooks/pre-commit", "#!/bin/sh\nexit 1\n");
    sandbox.write("file", "two\n");
    let error = sandbox.open().commit("two", &["file".to_owned()]).unwrap_err();
    assert!(error.to_string().contains("a hook may have refused"), "{error}");
}

#[test]
fn a_merge_is_refused_by_each_of_its_hooks_before_anything_is_pushed() {
    for name in ["pre-merge-commit", "prepare-commit-msg", "commit-msg", "pre-push"] {
        let sandbox = Sandbox::new();
        sandbox.git("work", "switch -q -c hotfix/1");
        sandbox.write("file", "two\n");
        sandbox.git("work", "commit -qam two");
        sandbox.put(&format!("work/.git/hooks/{name}"), "#!/bin/sh\necho \"no, file is $(cat file)\"\nexit 1\n");
        let before = sandbox.git("work", "for-each-ref");
        let remote = sandbox.git("remote.git", "for-each-ref");
        let error = sandbox.open().merge("hotfix/1", "main", Some("origin"), "merge").unwrap_err();
        assert!(
            matches!(&error, Error::Hook { hook, output } if *hook == name && output.contains("no, file is two")),
            "{error}"
        );
        assert_eq!(sandbox.git("work", "for-each-ref"), before);
        assert_eq!(sandbox.git("remote.git", "for-each-ref"), remote);
        assert_eq!(sandbox.git("work", "worktree list --porcelain").matches("worktree ").count(), 1);
        std::fs::remove_file(sandbox.path(&format!("work/.git/hooks/{name}"))).unwrap();
        assert_eq!(sandbox.open().merge("hotfix/1", "main", Some("origin"), "merge").unwrap().outcome, Outcome::Done);
    }
}

#[test]
fn what_hooks_write_into_a_message_stays_and_the_commit_is_known_again() {
    let sandbox = Sandbox::new();
    sandbox.put(
        "work/.git/hooks/commit-msg",
        "#!/bin/sh\nsed -i.bak '1s/^/[OPS-1] /' \"$1\" && echo 'Change-Id: I1' >> \"$1\"\n",
    );
    sandbox.fix();
    assert_eq!(sandbox.git("remote.git", "log -1 --format=%B main"), "[OPS-1] merge it\nChange-Id: I1");
    let message = sandbox.git("remote.git", "log -1 --format=%B main^2");
    assert_eq!(message, "[OPS-1] fix it\n\nFixes: #1\nChange-Id: I1");
}

#[test]
fn the_tree_is_the_one_that_pre_merge_commit_leaves() {
    let sandbox = Sandbox::new();
    sandbox.git("work", "switch -q -c hotfix/1");
    sandbox.write("file", "two\n");
    sandbox.git("work", "commit -qam two");
    let hook =
        "#!/bin/sh\ngit rev-parse -q --verify MERGE_HEAD >/dev/null && echo made > generated && git add generated\n";
    sandbox.put("work/.git/hooks/pre-merge-commit", hook);
    sandbox.open().merge("hotfix/1", "main", Some("origin"), "merge").unwrap();
    assert_eq!(sandbox.git("remote.git", "ls-tree --name-only main"), "file\ngenerated");
    assert_eq!(sandbox.git("work", "status --porcelain"), "");
}

#[test]
fn a_push_pushes_what_was_asked_for_and_nothing_else() {
    let sandbox = Sandbox::new();
    for (name, value) in [("push.followTags", "true"), ("push.default", "matching"), ("push.gpgSign", "if-asked")] {
        sandbox.config(name, value);
    }
    sandbox.git("work", "tag -a -m other v9");
    sandbox.git("work", "branch other");
    sandbox.git("work", "push -q --no-follow-tags origin other");
    sandbox.git("work", "commit -q --allow-empty -m more");
    sandbox.git("work", "branch -f other");
    let other = sandbox.git("remote.git", "rev-parse other");
    sandbox.open().push("origin", &[(Kind::Branch, "main")]).unwrap();
    assert_eq!(sandbox.git("remote.git", "rev-parse other"), other);
    assert_eq!(sandbox.git("remote.git", "tag"), "v1.2.3");
    assert_eq!(sandbox.git("remote.git", "rev-parse main"), sandbox.git("work", "rev-parse main"));
}
