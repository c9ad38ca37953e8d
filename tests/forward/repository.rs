//! The git steps, on a real repository with a real remote.

use hotfix::event::Event;
use serde_json::Value;

use super::fixture::{Project, hashes, steps};

const BRANCH: &str = "{id: branch, git: {branch: '{{ branch }}', from: '{{ tag }}'}}";
const COMMIT: &str = "{id: commit, git: {commit: 'fix: {{ issue }}'}}";
const TAG: &str = "{id: tag, git: {tag: '{{ new_tag }}', message: Release}}";
const PUSH: &str = "{id: push, git: {push: ['{{ branch }}', '{{ new_tag }}']}}";

fn work(command: &str) -> String {
    format!("{{id: work, run: '{command}'}}")
}

/// That the trailer of `object` names a record of the journal as it stands.
#[track_caller]
fn anchored(project: &Project, message: &str) {
    let trailer = message.lines().find_map(|line| line.strip_prefix("Hotfix-Audit: ")).expect(message);
    let parts: Vec<_> = trailer.split(' ').collect();
    let seq: usize = parts[1].parse().unwrap();
    assert_eq!(parts[0], project.records()[0].run);
    assert_eq!(parts[2], hashes(&project.journal())[seq]);
}

fn result(project: &Project, key: &str) -> serde_json::Map<String, Value> {
    let of = |event| match event {
        Event::StepDone { step, result, .. } if step == key => Some(result),
        _ => None,
    };
    project.events().into_iter().find_map(of).unwrap()
}

#[test]
fn a_fix_goes_from_the_tag_to_the_remote_and_into_main() {
    let merge = "{id: merge, git: {merge: '{{ branch }}', into: '{{ main }}'}}";
    let delete = "{id: delete, git: {delete_branch: '{{ branch }}'}}";
    let bump = "{id: bump, git: {bump: '{{ version }}'}}";
    let work = work("echo fixed > app.txt");
    let project = steps(&["{id: fetch, git: fetch}", BRANCH, &work, bump, COMMIT, TAG, PUSH, merge, delete])
        .top("version_files: [package.json, gone.json]")
        .file("package.json", "{\n  \"name\": \"app\",\n  \"version\": \"1.2.3\"\n}\n")
        .open();
    project.write("later.txt", "later\n");
    for words in ["add .", "commit -q -m later", "push -q origin main"] {
        project.git("work", words);
    }
    let other = project.git("work", "rev-parse main");
    project.start("s/commit: yes\n").exits(0).says(&[
        "+1 -1  app.txt",
        "+1 -1  package.json",
        "gone.json is not there",
        "git push --atomic origin hotfix/42 v1.2.4",
        "no file was touched: the work tree is at",
        "`git switch main` leads to main",
    ]);
    let remote = |what: &str| project.git("remote.git", what);
    assert_eq!(remote("show v1.2.4:package.json"), "{\n  \"name\": \"app\",\n  \"version\": \"1.2.4\"\n}");
    assert_eq!(remote("cat-file -t v1.2.4"), "tag");
    assert_eq!(remote("log -1 --format=%s v1.2.4^{commit}"), "fix: 42");
    assert_eq!(remote("rev-parse main^1 main^2"), format!("{other}\n{}", remote("rev-parse v1.2.4^{commit}")));
    assert_eq!(project.git("work", "rev-parse main"), remote("rev-parse main"));
    assert_eq!(remote("for-each-ref --format=%(refname) refs/heads"), "refs/heads/main");
    assert_eq!(project.git("work", "for-each-ref --format=%(refname) refs/heads"), "refs/heads/main");
    assert_eq!(project.git("work", "status --porcelain"), "");
    assert_eq!(result(&project, "s/delete")["detached"], remote("rev-parse v1.2.4^{commit}"));
    let message = remote("cat-file -p v1.2.4");
    assert!(message.contains("\n\nRelease\n"), "{message}");
    anchored(&project, &message);
    anchored(&project, &remote("log -1 --format=%B main"));
    assert_eq!(result(&project, "s/commit")["files"], serde_json::json!(["app.txt", "package.json"]));
}

#[test]
fn a_commit_takes_whatever_git_knows_and_nothing_else_unasked() {
    let changes = "git rm -q gone.txt; git mv old.txt new.txt; rm lost.txt; echo two > app.txt; echo x > staged.txt; git add staged.txt; \
                   echo y > unknown.txt; echo z > \"other name.txt\"; mkdir dir; echo w > dir/deep.txt";
    let work = work(changes);
    let project = steps(&[BRANCH, &work, COMMIT])
        .file("gone.txt", "gone\n")
        .file("old.txt", "a\nb\nc\nd\n")
        .file("lost.txt", "lost\n")
        .open();
    project.start("s/*: all\n").exits(7).says(&["git does not know these files"]);
    project.resume("s/commit: all of them\n").exits(7);
    project.resume("s/commit: ['other name.txt']\n").exits(7);
    project.resume("s/commit: [['other name.txt', dir/]]\n").exits(7).says(&["Commit these 8 files", "yes or no"]);
    project.resume("s/commit: [['other name.txt', dir/], no]\n").exits(9);
    assert_eq!(project.git("work", "log -1 --format=%s"), "first", "no is no");
    project.resume("s/commit: [['other name.txt', dir/], no, yes]\n").exits(0);
    let files = project.git("work", "show --no-renames --name-status --format=%s HEAD");
    let expected = "fix: 42\n\nM\tapp.txt\nA\tdir/deep.txt\nD\tgone.txt\nD\tlost.txt\nA\tnew.txt\nD\told.txt\nA\tother name.txt\nA\tstaged.txt";
    assert_eq!(files, expected);
    assert_eq!(project.git("work", "status --porcelain"), "?? unknown.txt");
}

#[test]
fn more_than_a_fix_should_be_is_warned_of_and_what_programs_write_is_called_out() {
    let change = "for file in app.txt other.txt gen.js Cargo.lock; do printf \"1\\n2\\n3\\n\" > $file; done; head -c 9 /dev/zero > logo";
    let commit = "{id: commit, git: {commit: fix, warn_above: {files: 2, lines: 7}}}";
    let open = |commit: &str| {
        let project = steps(&[BRANCH, &work(change), commit]).file(".gitattributes", "gen.js linguist-generated\n");
        let files = ["other.txt", "gen.js", "Cargo.lock", "logo"];
        files.iter().fold(project, |project, file| project.file(file, "0\n")).open()
    };
    let project = open(commit);
    let shown = [
        "+3 -1   Cargo.lock   (lock file)",
        "+3 -1   gen.js   (generated)",
        "binary  logo",
        "Commit these 5 files, +12 -4",
    ];
    let too_much =
        ["3 files are changed, and a fix should not exceed 2", "8 lines are changed, and a fix should not exceed 7"];
    project.start("").exits(7).says(&shown).says(&too_much);
    assert!(project.output("s.commit.1.log").contains("+3\n"), "the menu shows the difference");
    open(&commit.replace("files: 2, lines: 7", "files: 3, lines: 8"))
        .start("")
        .exits(7)
        .says(&shown)
        .keeps(&["should not exceed"]);
}

#[test]
fn nothing_unknown_is_committed_where_the_answer_names_nothing() {
    let work = work("echo two > app.txt; echo x > unknown.txt");
    let project = steps(&[BRANCH, &work, COMMIT]).open();
    project.start("s/commit: [[], yes]\n").exits(0);
    assert_eq!(project.git("work", "status --porcelain"), "?? unknown.txt");
    let project = steps(&[BRANCH, COMMIT]).open();
    project.start("").exits(5);
    project.tells("s/commit", &["started", "failed git"]);
}

#[test]
fn a_push_is_all_or_nothing_and_a_refusal_leaves_main_where_it_was() {
    let work = work("echo two > app.txt");
    let merge = "{id: merge, git: {merge: '{{ branch }}', into: '{{ main }}'}}";
    let project = steps(&[BRANCH, &work, COMMIT, TAG, PUSH, merge]).open();
    let hook = project.path("remote.git/hooks/update");
    std::fs::write(
        &hook,
        "#!/bin/sh\ncase $1 in refs/tags/*) [ -e \"$T/open\" ];; refs/heads/main) [ -e \"$T/main\" ];; esac\n",
    )
    .unwrap();
    project.command("chmod", ".").args(["+x", &hook.display().to_string()]).status().unwrap();
    project.start("s/commit: yes\n").exits(5);
    project.tells("s/push", &["started", "failed git"]);
    assert_eq!(project.git("remote.git", "for-each-ref --format=%(refname) refs/heads"), "refs/heads/main");
    std::fs::write(project.path("open"), "").unwrap();
    let main = project.git("work", "rev-parse main");
    project.resume("s/push: retry\n").exits(5);
    project.tells("s/merge", &["started", "failed waiting"]);
    assert_eq!(project.git("work", "rev-parse main"), main);
    std::fs::write(project.path("main"), "").unwrap();
    project.resume("s/merge: retry\n").exits(0);
}

#[test]
fn main_may_have_moved_on_the_remote_and_a_conflict_names_its_files() {
    let merge = "{id: merge, git: {merge: '{{ branch }}', into: '{{ main }}'}}";
    let elsewhere = |file: &str| {
        format!(
            "{{id: elsewhere, run: 'git clone -q ../remote.git \"$T/other\" && cd \"$T/other\" && echo three > {file} && git add . && git commit -qm other && git push -q origin main'}}"
        )
    };
    let work = work("echo two > app.txt");
    let project = steps(&[BRANCH, &work, COMMIT, &elsewhere("new.txt"), merge]).open();
    project.start("s/commit: yes\n").exits(0);
    assert_eq!(project.git("remote.git", "show main:new.txt"), "three");
    assert_eq!(project.git("remote.git", "show main:app.txt"), "two");
    let project = steps(&[BRANCH, &work, COMMIT, &elsewhere("app.txt"), merge]).open();
    project.start("s/commit: yes\n").exits(5).says(&["conflicts in", "app.txt"]);
    assert_eq!(project.git("work", "status --porcelain"), "");
}

#[test]
fn a_branch_that_holds_more_than_main_is_not_deleted() {
    let work = work("echo two > app.txt");
    let delete = "{id: delete, git: {delete_branch: '{{ branch }}'}}";
    let project = steps(&[BRANCH, &work, COMMIT, PUSH.replace(", '{{ new_tag }}'", "").as_str(), delete]).open();
    project.start("s/commit: yes\n").exits(5);
    project.tells("s/delete", &["started", "failed git"]);
    let refs = project.git("remote.git", "for-each-ref --format=%(refname) refs/heads");
    assert_eq!(refs, "refs/heads/hotfix/42\nrefs/heads/main");
}

#[test]
fn a_remote_that_hangs_is_given_up_after_the_timeout() {
    for (fields, words) in [
        ("timeout: 300ms, retries: 1", &["started", "failed timeout"][..]),
        (
            "timeout: 300ms, retries: 1, retry_on: timed_out",
            &["started", "failed timeout, again", "started", "failed timeout"],
        ),
    ] {
        let mut project = steps(&[&format!("{{id: a, {fields}, git: fetch}}")]).open();
        project.fifo("never");
        project.set("GIT_SSH_COMMAND", "read line < \"$T/never\"; :");
        project.git("work", "remote set-url origin ssh://nobody.invalid/repo");
        project.start_with("", &["--offline"]).exits(5).says(&["took longer"]);
        project.tells("s/a", words);
    }
}
