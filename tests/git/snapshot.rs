//! The work tree as a tree, with the index left as it is.

use super::sandbox::Sandbox;

#[test]
fn a_snapshot_has_what_git_does_not_know_yet_and_leaves_index_and_files_alone() {
    let sandbox = Sandbox::with(&[], |it| {
        it.write(".gitignore", "ignored\n");
        it.write("gone", "one\n");
    });
    let it = sandbox.open();
    assert_eq!(it.snapshot().unwrap().tree, sandbox.git("work", "rev-parse HEAD^{tree}"));
    for (name, text) in [("file", "two\n"), ("dir/new", "new\n"), ("ignored", "x\n"), ("staged", "half\n")] {
        sandbox.write(name, text);
    }
    sandbox.git("work", "add staged");
    sandbox.write("staged", "whole\n");
    std::fs::remove_file(sandbox.path("work/gone")).unwrap();
    // As one that was killed leaves it.
    sandbox.put("work/.git/hotfix-index.lock", "");
    let (before, index) = (sandbox.git("work", "status --porcelain"), sandbox.git("work", "ls-files -s"));
    let tree = it.snapshot().unwrap().tree;
    let files = sandbox.git("work", &format!("ls-tree -r --name-only {tree}"));
    assert_eq!(files, ".gitignore\ndir/new\nfile\nstaged");
    for (name, text) in [("file", "two"), ("staged", "whole")] {
        assert_eq!(sandbox.git("work", &format!("show {tree}:{name}")), text);
    }
    assert_eq!(sandbox.git("work", "status --porcelain"), before);
    assert_eq!(sandbox.git("work", "ls-files -s"), index);
    assert!(!sandbox.path("work/.git/hotfix-index").exists());
    assert!(it.has_entry(&tree, "dir/new").unwrap() && !it.has_entry(&tree, "gone").unwrap());
}

#[test]
fn a_linked_work_tree_and_one_without_an_index_have_theirs() {
    let sandbox = Sandbox::new();
    sandbox.git("work", "worktree add -q ../linked -b other");
    sandbox.put("linked/file", "linked\n");
    let tree = sandbox.open_at("linked").snapshot().unwrap().tree;
    assert_eq!(sandbox.git("work", &format!("show {tree}:file")), "linked");
    let head = sandbox.git("work", "rev-parse HEAD^{tree}");
    std::fs::remove_file(sandbox.path("work/.git/index")).unwrap();
    assert_eq!(sandbox.open().snapshot().unwrap().tree, head);
}

#[test]
fn large_files_that_git_does_not_know_are_named_and_not_kept() {
    let sandbox = Sandbox::with(&[], |it| it.write(".gitignore", "ignored\n"));
    let large = "x".repeat(1024 * 1024 + 1);
    for name in ["dir/a [1].bin", "*", "ignored"] {
        sandbox.write(name, &large);
    }
    sandbox.write("dir/exact", &large[1..]);
    // What git knows is kept whatever its size: it would be in a commit too.
    sandbox.write("file", &format!("{large}y"));
    let snapshot = sandbox.open().snapshot().unwrap();
    let size = 1024 * 1024 + 1;
    assert_eq!(snapshot.large, [("*".to_owned(), size), ("dir/a [1].bin".to_owned(), size)]);
    let files = sandbox.git("work", &format!("ls-tree -r --name-only {}", snapshot.tree));
    assert_eq!(files, ".gitignore\ndir/exact\nfile");
    sandbox.write("blob", &large);
    let id = sandbox.git("work", "hash-object blob");
    let kept = sandbox.git("work", "cat-file --batch-all-objects --batch-check");
    assert!(!kept.contains(&id), "what was left out is in the repository");
    assert!(!sandbox.path("work/.git/hotfix-paths").exists());
}
