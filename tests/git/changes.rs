//! What is changed is what `git status` says is changed.

use std::fs;

use hotfix::git::{Change, ChangeKind};

use super::sandbox::Sandbox;

/// What `git status` says, in the order of the paths.
fn by_status(sandbox: &Sandbox) -> Vec<(String, ChangeKind, bool)> {
    let args = ["status", "--porcelain=v2", "-z", "--no-renames", "--untracked-files=normal"];
    let said = String::from_utf8(sandbox.run("git", "work", &args).stdout).unwrap();
    let change = |record: &str| {
        let (kind, fields) = match record.as_bytes()[0] {
            b'1' => (ChangeKind::Tracked, 9),
            b'u' => (ChangeKind::Unmerged, 11),
            b'?' => (ChangeKind::Untracked, 2),
            _ => panic!("{record}"),
        };
        let staged = kind == ChangeKind::Unmerged || (kind == ChangeKind::Tracked && record.as_bytes()[2] != b'.');
        (record.splitn(fields, ' ').last().unwrap().to_owned(), kind, staged)
    };
    let mut all: Vec<_> = said.split('\0').filter(|record| !record.is_empty()).map(change).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn by_us(sandbox: &Sandbox) -> Vec<(String, ChangeKind, bool)> {
    let all = sandbox.open().changes().unwrap().into_iter();
    let mut all: Vec<_> = all.map(|Change { path, kind, staged }| (path, kind, staged)).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[test]
fn every_file_is_told_as_git_status_tells_it() {
    let sandbox = Sandbox::with(&[], |it| {
        for name in ["gone", "lost", "both", "mode", "dir/in", "full/in", "typed", "é and \"x\""] {
            it.write(name, "one\n");
        }
        it.write(".gitignore", "*.o\nbuild/\n!kept.o\n");
    });
    assert_eq!(by_us(&sandbox), []);
    sandbox.git("work", "rm -q gone");
    sandbox.git("work", "update-index --chmod=+x mode");
    fs::remove_file(sandbox.path("work/lost")).unwrap();
    fs::remove_file(sandbox.path("work/typed")).unwrap();
    std::os::unix::fs::symlink("file", sandbox.path("work/typed")).unwrap();
    sandbox.write("both", "two\n");
    sandbox.git("work", "add both");
    sandbox.write("both", "three\n");
    sandbox.write("é and \"x\"", "two\n");
    // Known to git only by name; added; and not known at all, on every level.
    for name in ["meant", "added", "new", "a\nb", "dir/new", "dir/deep/new", "far/off/new", "far/off/x.o"] {
        sandbox.write(name, "new\n");
    }
    sandbox.git("work", "add --intent-to-add meant");
    sandbox.git("work", "add added");
    // A file where git knows a directory, and what is in it gone.
    fs::remove_dir_all(sandbox.path("work/full")).unwrap();
    sandbox.write("full", "a file\n");
    // What is ignored, alone and beside other files, and what has nothing in it.
    for name in ["build/x", "only/x.o", "some/x.o", "some/new", "x.o", "kept.o", "only/kept.o", "a/build/x"] {
        sandbox.write(name, "x\n");
    }
    sandbox.put("work/.git/info/exclude", "private/\n");
    sandbox.write("private/x", "x\n");
    fs::create_dir_all(sandbox.path("work/empty/deeper")).unwrap();
    // Repositories inside, one without a commit, one that is ignored.
    for name in ["nested", "bare of commits", "deep/nested", "build/nested"] {
        sandbox.run("git", "work", &["init", "-q", name]);
        sandbox.write(&format!("{name}/x"), "x\n");
        if name != "bare of commits" {
            sandbox.git(&format!("work/{name}"), "add x");
            sandbox.git(&format!("work/{name}"), "commit -q -m x");
        }
    }
    let (ours, expected) = (by_us(&sandbox), by_status(&sandbox));
    assert_eq!(ours, expected);
    assert!(ours.len() > 20, "{ours:?}");
}

#[test]
fn a_conflict_is_told_as_git_status_tells_it() {
    let sandbox = Sandbox::new();
    sandbox.git("work", "switch -q -c other");
    sandbox.write("file", "two\n");
    sandbox.git("work", "commit -q -a -m two");
    sandbox.git("work", "switch -q main");
    sandbox.write("file", "three\n");
    sandbox.git("work", "commit -q -a -m three");
    sandbox.write("new", "new\n");
    assert!(!sandbox.run("git", "work", &["merge", "-q", "other"]).status.success());
    let expected = [("file".to_owned(), ChangeKind::Unmerged, true), ("new".to_owned(), ChangeKind::Untracked, false)];
    assert_eq!(by_us(&sandbox), expected);
    assert_eq!(by_status(&sandbox), expected);
}

#[test]
fn a_preview_tells_the_lines_of_known_files_against_head_and_of_new_ones_as_they_are() {
    let sandbox = Sandbox::with(&[], |it| it.write("a*", "one\n"));
    for (name, text) in [("file", "two\nthree\n"), ("a*", "two\n"), ("ab", "a\nb\n"), (":(top)x", "x\n")] {
        sandbox.write(name, text);
    }
    let repository = sandbox.open();
    for staged in [false, true] {
        let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (stats, patch) = repository.preview((&of(&["a*", "file"]), &of(&[":(top)x", "ab"])), staged).unwrap();
        let told: Vec<_> = stats.iter().map(|stat| (stat.path.as_str(), stat.lines)).collect();
        let expected = [("a*", (1, 1)), ("file", (2, 1)), (":(top)x", (1, 0)), ("ab", (2, 0))];
        assert_eq!(told, expected.map(|(path, lines)| (path, Some(lines))));
        assert_eq!(patch.matches("diff --git").count(), 2, "{patch}");
        assert_eq!(patch.matches("\n+two\n").count(), 2, "{patch}");
        sandbox.git("work", "add file");
    }
    assert_eq!(repository.preview((&[], &[]), false).unwrap(), (Vec::new(), String::new()));
}
