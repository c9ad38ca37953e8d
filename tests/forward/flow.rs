//! The end of a hotfix beside the end that `git flow hotfix` comes to, on two copies of one repository.
//!
//! # What differs, and why
//! The tag is on the release commit, which is what was tested and deployed; `git flow` tags the merge that comes of it afterwards.
//! What develop gets is what the tag is on, in both. The work tree is left as it is, and not brought to develop: on main where
//! that has the same files, else on no branch.

use std::collections::BTreeMap;
use std::io::Write as _;

use super::fixture::{Project, Setup, steps};

const WORK: &str = "{id: work, run: 'echo fix > app.txt'}";
const COMMIT: &str = "{id: commit, git: {commit: 'fix it'}}";
const TAG: &str = "{id: tag, git: {tag: '{{ new_tag }}', message: 'Released {{ new_tag }}'}}";
const PUSH: &str = "{id: push, git: {push: ['{{ branch }}', '{{ new_tag }}']}}";
const DELETE: &str = "{id: delete, git: {delete_branch: '{{ branch }}'}}";

/// What is set by `git flow init`.
const CONFIG: [(&str, &str); 8] = [
    ("branch.master", "main"),
    ("branch.develop", "develop"),
    ("prefix.feature", "feature/"),
    ("prefix.bugfix", "bugfix/"),
    ("prefix.release", "release/"),
    ("prefix.hotfix", "hotfix/"),
    ("prefix.support", "support/"),
    ("prefix.versiontag", "v"),
];

/// A hotfix from its branch to its end.
fn hotfix(from: &str, also: Option<&str>) -> Setup {
    let branch = format!("{{id: branch, git: {{branch: '{{{{ branch }}}}', from: '{from}'}}}}");
    let also = also.map(|also| format!(", also: [{also}]")).unwrap_or_default();
    let merge = format!("{{id: merge, git: {{merge: '{{{{ branch }}}}', into: '{{{{ main }}}}'{also}}}}}");
    steps(&["{id: fetch, git: fetch}", &branch, WORK, COMMIT, TAG, PUSH, &merge, DELETE])
}

/// Whether there is the `git flow` that Debian has. In CI on Linux there has to be.
fn is_there(project: &Project, test: &str) -> bool {
    let version = project.command("git", ".").args(["flow", "version"]).output().unwrap();
    if String::from_utf8_lossy(&version.stdout).contains("AVH") {
        return true;
    }
    let needed = std::env::var_os("HOTFIX_CI").is_some() && cfg!(target_os = "linux");
    assert!(!needed, "no `git flow` (AVH) to compare with: install git-flow");
    // Not by `eprintln!`, which nobody sees of a test that passes.
    let said = format!("SKIPPED: {test}: there is no `git flow` (AVH) on the PATH\n");
    std::io::stderr().write_all(said.as_bytes()).unwrap();
    false
}

/// Has the hotfix made in `work` by the program, and in a copy of it, `flow`, by `git flow`.
fn both(project: &Project, base: &str, finish: &[&str]) {
    for (from, to) in [("work", "flow"), ("remote.git", "flow.git")] {
        assert!(project.command("cp", ".").args(["-R", from, to]).status().unwrap().success());
    }
    project.start_with("s/commit: yes\n", &["--name", "1.2.4"]).exits(0);
    project.git("flow", "remote set-url origin ../flow.git");
    for (name, value) in CONFIG {
        project.git("flow", &format!("config gitflow.{name} {value}"));
    }
    project.git("flow", "fetch -q --tags origin");
    project.git("flow", &format!("flow hotfix start 1.2.4 {base}"));
    std::fs::write(project.path("flow/app.txt"), "fix\n").unwrap();
    project.git("flow", "add app.txt");
    let commit = project.command("git", "flow").args(["commit", "-q", "-m", "fix it"]).status().unwrap();
    assert!(commit.success());
    project.git("flow", "flow hotfix publish 1.2.4");
    let mut command = project.command("git", "flow");
    command.env("GIT_MERGE_AUTOEDIT", "no").args(["flow", "hotfix", "finish", "-p"]);
    // It adds the tag's name to the message.
    command.args(["-m", "Released"]);
    let ended = command.args(finish).arg("1.2.4").output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
}

/// What the history of `rev` comes to, without who made it, when and in what words: trees, and what was merged with what.
fn shape(project: &Project, dir: &str, rev: &str) -> String {
    let log = project.git(dir, &format!("log --topo-order --reverse --format=%H,%T,%P {rev}"));
    let (mut shapes, mut last) = (BTreeMap::<&str, String>::new(), "");
    for line in log.lines() {
        let (commit, rest) = line.split_once(',').unwrap();
        let (tree, parents) = rest.split_once(',').unwrap();
        let parents: Vec<&str> = parents.split_whitespace().map(|parent| shapes[parent].as_str()).collect();
        let text = format!("{tree} {}", parents.join(" "));
        shapes.insert(commit, ::hotfix::digest::sha256(text.as_bytes()));
        last = commit;
    }
    shapes[last].clone()
}

/// That these are the same in both, here and on the remote: every ref but those that `differ`, by its history.
#[track_caller]
fn is_the_same_but(project: &Project, differ: &[&str]) {
    for (ours, flow) in [("work", "flow"), ("remote.git", "flow.git")] {
        let names = |dir: &str| project.git(dir, "for-each-ref --format=%(refname)");
        assert_eq!(names(ours), names(flow), "{ours}");
        assert!(!names(ours).contains("hotfix/"), "{}", names(ours));
        for name in names(ours).lines() {
            let kind = |dir: &str| project.git(dir, &format!("cat-file -t {name}"));
            assert_eq!(kind(ours), kind(flow), "{name}");
            let same = shape(project, ours, name) == shape(project, flow, name);
            let differs = differ.iter().any(|short| name.ends_with(&format!("/{short}")));
            assert_eq!(same, !differs, "{ours} {name}");
            // A tree differs nowhere: the tag's is what the release commit has, which the merge has as well, unless main went on.
            if !name.starts_with("refs/tags/") {
                let tree = |dir: &str| project.git(dir, &format!("rev-parse {name}^{{tree}}"));
                assert_eq!(tree(ours), tree(flow), "{ours} {name}");
            }
        }
    }
    for dir in ["work", "flow"] {
        assert_eq!(project.git(dir, "status --porcelain"), "", "{dir}");
        assert_eq!(project.git(dir, "worktree list --porcelain").matches("worktree ").count(), 1, "{dir}");
        assert_eq!(project.git(dir, "stash list"), "", "{dir}");
        let config = project.git(dir, "config --local --list");
        assert!(!config.contains("hotfix/1.2.4"), "{dir}: {config}");
        let remote =
            ["main", "develop"].iter().filter(|name| names_of(project, dir).contains(&format!("heads/{name}\n")));
        for name in remote {
            let at = |full: &str| project.git(dir, &format!("rev-parse {full}/{name}"));
            assert_eq!(at("refs/heads"), at("refs/remotes/origin"), "{dir} {name}");
        }
    }
}

fn names_of(project: &Project, dir: &str) -> String {
    project.git(dir, "for-each-ref --format=%(refname)") + "\n"
}

/// The one difference: the tag is on the release commit here, on the merge of it there. It has the same message in both.
#[track_caller]
fn the_tag_is_on_the_release_commit_here_and_on_the_merge_there(project: &Project, main: &str) {
    for (ours, flow) in [("work", "flow"), ("remote.git", "flow.git")] {
        let at = |dir: &str, rev: &str| project.git(dir, &format!("rev-parse {rev}"));
        assert_eq!(at(ours, "v1.2.4^{commit}"), at(ours, &format!("{main}^2")), "{ours}");
        assert_eq!(at(flow, "v1.2.4^{commit}"), at(flow, main), "{flow}");
        assert_eq!(shape(project, ours, "v1.2.4"), shape(project, flow, "v1.2.4^2"));
        let subject =
            |dir: &str| project.git(dir, "for-each-ref --format=%(objecttype):%(contents:subject) refs/tags/v1.2.4");
        assert_eq!(subject(ours), subject(flow));
        for dir in [ours, flow] {
            assert!(project.git(dir, &format!("tag --merged {main}")).ends_with("v1.2.4"), "{dir}");
        }
        // The fix is in develop too, and is known there by its tag.
        if names_of(project, ours).contains("heads/develop\n") && main == "main" {
            assert!(project.git(ours, "tag --merged develop").ends_with("v1.2.4"));
        }
    }
}

/// A develop that went on, on the remote and here.
fn develop(project: &Project) {
    project.git("work", "switch -q -c develop");
    project.write("feature.txt", "new\n");
    project.git("work", "add .");
    project.git("work", "commit -q -m feature");
    project.git("work", "push -q origin develop");
    project.git("work", "switch -q main");
}

#[test]
fn it_ends_as_git_flow_does_but_for_where_the_tag_is() {
    let project = hotfix("{{ tag }}", Some("develop")).open();
    if !is_there(&project, "it_ends_as_git_flow_does_but_for_where_the_tag_is") {
        return;
    }
    develop(&project);
    both(&project, "main", &[]);
    // Each brings into develop what its tag is on.
    is_the_same_but(&project, &["develop", "v1.2.4"]);
    the_tag_is_on_the_release_commit_here_and_on_the_merge_there(&project, "main");
    for (ours, flow) in [("work", "flow"), ("remote.git", "flow.git")] {
        for dir in [ours, flow] {
            let at = |rev: &str| project.git(dir, &format!("rev-parse {rev}"));
            assert_eq!(at("develop^2"), at("v1.2.4^{commit}"), "{dir}");
        }
        assert_eq!(shape(&project, ours, "develop^1"), shape(&project, flow, "develop^1"));
    }
    let on = |dir: &str| project.git(dir, "symbolic-ref --short HEAD");
    assert_eq!((on("work"), on("flow")), ("main".to_owned(), "develop".to_owned()));
}

#[test]
fn where_git_flow_merges_the_branch_itself_into_develop_that_is_the_same_too() {
    let project = hotfix("{{ tag }}", Some("develop")).open();
    if !is_there(&project, "where_git_flow_merges_the_branch_itself_into_develop_that_is_the_same_too") {
        return;
    }
    develop(&project);
    both(&project, "main", &["-b"]);
    is_the_same_but(&project, &["v1.2.4"]);
    the_tag_is_on_the_release_commit_here_and_on_the_merge_there(&project, "main");
}

#[test]
fn from_a_main_that_went_on_it_ends_as_git_flow_does() {
    let project = hotfix("{{ main }}", Some("develop")).open();
    if !is_there(&project, "from_a_main_that_went_on_it_ends_as_git_flow_does") {
        return;
    }
    develop(&project);
    project.write("more.txt", "more\n");
    project.git("work", "add .");
    project.git("work", "commit -q -m more");
    project.git("work", "push -q origin main");
    both(&project, "main", &["-b"]);
    is_the_same_but(&project, &["v1.2.4"]);
    the_tag_is_on_the_release_commit_here_and_on_the_merge_there(&project, "main");
}

#[test]
fn without_a_develop_it_ends_as_git_flow_does_on_a_branch_of_its_own() {
    // `git flow` wants a develop, and leaves it alone where the base is another branch than main.
    let project = hotfix("{{ tag }}", None).top("vars: { main: support/1.x }").open();
    if !is_there(&project, "without_a_develop_it_ends_as_git_flow_does_on_a_branch_of_its_own") {
        return;
    }
    develop(&project);
    project.git("work", "switch -q -c support/1.x v1.2.3");
    project.git("work", "push -q origin support/1.x");
    both(&project, "support/1.x", &[]);
    is_the_same_but(&project, &["v1.2.4"]);
    the_tag_is_on_the_release_commit_here_and_on_the_merge_there(&project, "support/1.x");
    let on = |dir: &str| project.git(dir, "symbolic-ref --short HEAD");
    assert_eq!((on("work"), on("flow")), ("support/1.x".to_owned(), "support/1.x".to_owned()));
}
