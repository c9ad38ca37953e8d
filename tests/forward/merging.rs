//! Merging back, as a person at the keyboard sees it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::fixture::{Project, Setup, steps};

const BRANCH: &str = "{id: branch, git: {branch: '{{ branch }}', from: '{{ tag }}'}}";
const WORK: &str = "{id: work, run: 'echo fix > app.txt'}";
const COMMIT: &str = "{id: commit, git: {commit: 'fix: {{ issue }}'}}";
const DELETE: &str = "{id: delete, git: {delete_branch: '{{ branch }}'}}";
const MERGE: &str = "{id: merge, git: {merge: '{{ branch }}', into: '{{ main }}', also: [develop, 'release/*']}}";

/// A hotfix up to its merge, with what `elsewhere` does in another clone meanwhile.
fn hotfix(elsewhere: &str) -> Setup {
    let elsewhere = format!(
        "{{id: elsewhere, run: 'git clone -q \"$T/remote.git\" \"$T/other\" && cd \"$T/other\" && {{ {elsewhere}; }}'}}"
    );
    steps(&[BRANCH, WORK, COMMIT, &elsewhere, MERGE, DELETE])
}

const ANSWER: &str = "s/commit: yes\n";
const DESK: &str = "work/.git/hotfix/merge/hotfix+42-into-";

fn hook(project: &Project, text: &str) {
    let path = project.path("remote.git/hooks/update");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn solve(project: &Project, into: &str) {
    let desk = format!("{DESK}{into}");
    fs::write(project.path(&desk).join("app.txt"), "both\n").unwrap();
    project.git(&desk, "add app.txt");
    project.git(&desk, "commit -q --no-edit");
}

/// The branches of the remote.
fn branches(project: &Project) -> String {
    project.git("remote.git", "for-each-ref --format=%(refname:short) refs/heads").replace('\n', " ")
}

#[test]
fn develop_and_open_releases_get_the_fix_too_and_no_other_branch() {
    let there = "git push -q origin main:develop main:release/1.3 main:release/1.4 main:releases";
    let project = hotfix(there).open();
    let plan = project.hotfix(&["plan", "v1.2.3", "42"]);
    plan.exits(0).says(&[
        "merge hotfix/42 into main, and push main to origin",
        "into each that there is of: develop, release/*",
    ]);
    project.start(ANSWER).exits(0);
    for name in ["main", "develop", "release/1.3", "release/1.4"] {
        assert_eq!(project.git("remote.git", &format!("show {name}:app.txt")), "fix", "{name}");
        let subject = project.git("remote.git", &format!("log -1 --format=%s {name}"));
        assert_eq!(subject, format!("Merge branch 'hotfix/42' into {name}"));
        assert!(project.git("remote.git", &format!("log -1 --format=%B {name}")).contains("Hotfix-Audit: "));
    }
    assert_eq!(project.git("remote.git", "show releases:app.txt"), "one");
    assert_eq!(branches(&project), "develop main release/1.3 release/1.4 releases");
    assert_eq!(project.git("work", "for-each-ref --format=%(refname:short) refs/heads"), "main");
}

#[test]
fn a_conflict_is_solved_in_its_own_work_tree_and_retry_goes_on_from_there() {
    let there = "echo main > app.txt && git commit -qam main && git push -q origin main";
    let project = hotfix(there).open();
    project.start(ANSWER).exits(5).says(&["conflicts in", "  app.txt", "  cd ", "git add app.txt", "git commit"]);
    project.tells("s/merge", &["started", "failed conflict"]);
    assert_eq!(project.git("work", "status --porcelain --branch"), "## hotfix/42");
    project.resume("s/merge: retry\n").exits(5).says(&["is not finished", "still unmerged", "  app.txt"]);
    solve(&project, "main");
    let solved = project.git(&format!("{DESK}main"), "rev-parse HEAD");
    project.resume("s/merge: [retry, retry]\n").exits(0);
    assert_eq!(project.git("remote.git", "rev-parse main"), solved);
    assert!(project.git("remote.git", "log -1 --format=%B main").contains("Hotfix-Audit: "));
    assert!(!project.path(&format!("{DESK}main")).exists());
    assert_eq!(branches(&project), "main");
}

#[test]
fn one_branch_that_needs_a_person_does_not_keep_the_others_from_the_fix() {
    let there = "git push -q origin main:release/1.3 && git switch -q -c develop && echo new > app.txt && \
                 git commit -qam new && git push -q origin develop";
    let project = hotfix(there).open();
    hook(&project, "#!/bin/sh\n[ $1 != refs/heads/main ] || [ -e \"$T/open\" ]\n");
    project.start(ANSWER).exits(5).says(&[
        "lets nobody push to `main`",
        "hotfix/42-merge-main",
        "into `develop` conflicts in",
    ]);
    assert_eq!(project.git("remote.git", "show release/1.3:app.txt"), "fix");
    solve(&project, "develop");
    project.resume("s/merge: retry\n").exits(5).says(&["lets nobody push to `main`"]).keeps(&["into `develop`"]);
    project.tells("s/merge", &["started", "failed git", "started", "failed waiting"]);
    assert_eq!(project.git("remote.git", "show develop:app.txt"), "both");
    // Nothing is deleted while main has not got it.
    assert_eq!(branches(&project), "develop hotfix/42-merge-main main release/1.3");
    project.git("remote.git", "update-ref refs/heads/main refs/heads/hotfix/42-merge-main");
    project.resume("s/merge: [retry, retry]\n").exits(0);
    assert_eq!(branches(&project), "develop main release/1.3");
    assert_eq!(project.git("work", "for-each-ref --format=%(refname:short) refs/heads"), "main");
}

#[test]
fn what_an_aborted_run_leaves_of_its_merges_is_listed() {
    let there = "git switch -q -c develop && echo new > app.txt && git commit -qam new && git push -q origin develop";
    let project = hotfix(there).open();
    hook(&project, "#!/bin/sh\n[ $1 != refs/heads/main ]\n");
    project.start(ANSWER).exits(5);
    project.hotfix(&["abort", "--reason", "no more"]).says(&[
        "left: the branch hotfix/42-merge-main on origin, a merge that waits; `git push origin --delete hotfix/42-merge-main`",
        "hotfix+42-into-develop, where a merge was begun; `git worktree remove --force ",
    ]);
    assert!(project.path(&format!("{DESK}develop")).exists());
}

#[test]
fn where_a_request_is_opened_is_told_of_a_known_host() {
    for (url, page) in [
        (
            "ssh://git@github.com/acme/app.git",
            "https://github.com/acme/app/compare/main...hotfix/42-merge-main?expand=1",
        ),
        (
            "git@gitlab.acme.io:acme/app.git",
            "https://gitlab.acme.io/acme/app/-/merge_requests/new?merge_request%5Bsource_branch%5D=hotfix%2F42-merge-main",
        ),
    ] {
        let mut project = steps(&[BRANCH, WORK, COMMIT, MERGE, DELETE]).open();
        // Whatever host is asked, this one answers.
        let ssh = "#!/bin/sh\nfor last; do :; done\nlast=${last%% *}\nexec git \"${last#git-}\" \"$T/remote.git\"\n";
        fs::write(project.path("ssh"), ssh).unwrap();
        fs::set_permissions(project.path("ssh"), fs::Permissions::from_mode(0o755)).unwrap();
        project.set("GIT_SSH", &project.path("ssh").display().to_string());
        project.set("GIT_SSH_VARIANT", "simple");
        project.git("work", &format!("remote set-url origin {url}"));
        hook(&project, "#!/bin/sh\n[ $1 != refs/heads/main ]\n");
        project.start(ANSWER).exits(5).says(&["lets nobody push to `main`", page]);
        assert_eq!(branches(&project), "hotfix/42-merge-main main");
    }
}

#[test]
fn commits_of_one_s_own_are_left_with_a_warning() {
    let there = "cd \"$T/work\" && git branch -q -f main \"$(git commit-tree -p main -m mine \"main^{tree}\")\"";
    let project = hotfix(there).open();
    project
        .start(ANSWER)
        .exits(0)
        .says(&["`main` has commits of its own here and was left", "`origin/main` has the merge"]);
    assert_eq!(project.git("work", "log -1 --format=%s main"), "mine");
    assert_eq!(project.git("remote.git", "show main:app.txt"), "fix");
}

#[test]
fn also_goes_with_a_merge_alone_and_is_a_list() {
    for (action, said) in [
        ("{push: [a], also: [develop]}", "`also` goes with `merge` alone"),
        ("{merge: a, into: b, also: develop}", "list"),
    ] {
        let project = steps(&[&format!("{{id: a, git: {action}}}")]).open();
        project.hotfix(&["check", "../runbook.yaml"]).exits(3).says(&[said]);
    }
}
