//! What stops a run before it starts, and what the command line may say.

use hotfix::event::Event;

use super::fixture::{Project, steps};

fn quick() -> Project {
    steps(&["{id: a, run: 'echo $HOTFIX_TAG $HOTFIX_NEW_TAG $HOTFIX_BRANCH $HOTFIX_VERSION'}"]).open()
}

fn began(project: &Project) -> Vec<String> {
    match project.events().swap_remove(0) {
        Event::RunStarted { warnings, .. } => warnings,
        other => panic!("{other:?}"),
    }
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_what_mends_it() {
    let mut project = quick();
    project.write("app.txt", "changed\n");
    project.write("new.txt", "");
    project.git("work", "branch hotfix/42");
    project.git("work", "push -q origin main:hotfix/42");
    project.git("work", "tag v9.9.9");
    project.git("work", "push -q origin v9.9.9");
    for name in ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"] {
        project.unset(name);
    }
    let ended = project.hotfix(&["start", "v1.2.4", "42", "--new-tag", "v9.9.9"]).exits(4);
    ended.says(&[
        "git stash -u",
        "app.txt",
        "no tag `v1.2.4`",
        "nearest: v1.2.3",
        "git fetch --tags",
        "branch `hotfix/42` exists here",
        "branch `hotfix/42` exists on `origin`",
        "--name SLUG",
        "tag `v9.9.9` exists here",
        "tag `v9.9.9` exists on `origin`",
        "--new-tag TAG",
        "git config user.name",
    ]);
    assert_eq!(project.runs().len(), 0);
}

#[test]
fn a_remote_that_is_not_there_or_does_not_answer_is_named_and_offline_goes_without() {
    for spoil in ["remote remove origin", "remote set-url origin /nowhere"] {
        let project = quick();
        project.git("work", spoil);
        project.start("").exits(4).says(&["origin", "--offline"]);
        project.start_with("", &["--offline"]).exits(0).says(&["was not asked: --offline"]);
        assert!(began(&project).iter().any(|warning| warning.contains("--offline")));
    }
}

#[test]
fn the_new_tag_is_the_next_free_one_here_and_on_the_remote() {
    let project = quick();
    project.git("work", "tag v1.2.4");
    project.git("work", "tag v1.2.5");
    project.git("work", "push -q origin v1.2.5");
    project.git("work", "tag -d v1.2.5");
    project.start("").exits(0);
    assert_eq!(project.output("s.a.1.log"), "v1.2.3 v1.2.6 hotfix/42 1.2.6\n");
}

#[test]
fn the_command_line_names_the_tag_the_branch_and_how_the_version_follows() {
    let project = quick();
    project.hotfix(&["start", "v1.2.3", "#7 Login broken!", "--bump", "hotfix"]).exits(0).says(&["warning"]);
    assert_eq!(project.output("s.a.1.log"), "v1.2.3 v1.2.3-hotfix.1 hotfix/7-login-broken 1.2.3-hotfix.1\n");
    assert!(began(&project).iter().any(|warning| warning.contains("v1.2.3-hotfix.1")), "{:?}", began(&project));
    let project = quick();
    project.start_with("", &["--new-tag", "v2.0.0", "--name", "login"]).exits(0);
    assert_eq!(project.output("s.a.1.log"), "v1.2.3 v2.0.0 hotfix/login 2.0.0\n");
    quick().start_with("", &["--name", "a..b"]).exits(4).says(&["choose another"]);
}

#[test]
fn variables_are_set_in_their_type_and_only_those_there_are() {
    let project = steps(&[
        "{id: a, when: 'count + 1 == 5 and flag and base == \"trunk\"', run: 'echo $HOTFIX_TEXT'}",
        "{id: b, run: 'true'}",
    ])
    .top("vars: {count: 1, flag: false, text: x, base: tag}")
    .open();
    let set = ["--set", "count=4", "--set", "flag=true", "--set", "text=a=b", "--base", "trunk"];
    project.start_with("", &set).exits(0);
    assert_eq!(project.output("s.a.1.log"), "a=b\n");
    project.start_with("", &["--set", "cuont=4"]).exits(2).says(&["cuont", "count"]);
    project.start_with("", &["--set", "count"]).exits(2).says(&["KEY=VALUE"]);
    assert_eq!(project.runs().len(), 1);
    // Where the runbook knows no base, saying one would come to nothing.
    quick().start_with("", &["--base", "trunk"]).exits(2).says(&["base"]);
}

#[test]
fn another_remote_is_the_one_that_is_asked() {
    let project = steps(&["{id: a, run: 'echo $HOTFIX_NEW_TAG'}"]).top("vars: {remote: origin}").open();
    project.git(".", "clone -q --bare remote.git upstream.git");
    project.git("work", "remote add upstream ../upstream.git");
    project.git("work", "tag v1.2.4");
    project.git("work", "push -q upstream v1.2.4");
    project.git("work", "tag -d v1.2.4");
    project.start_with("", &["--set", "remote=upstream"]).exits(0);
    assert_eq!(project.output("s.a.1.log"), "v1.2.5\n");
}

#[test]
fn an_answer_for_an_unknown_step_is_an_error_before_anything_starts() {
    let project = quick();
    project.start("s/b: yes\n").exits(2).says(&["s/b", "s/a"]);
    project.start("t/*: done\n").exits(2);
    project.start("- yes\n").exits(2);
    project.hotfix(&["start", "v1.2.3", "42", "--answers", "/nowhere"]).exits(2).says(&["/nowhere"]);
    assert_eq!(project.runs().len(), 0);
    project.hotfix(&["start", "v1.2.3"]).exits(2);
    project.hotfix(&["start", "v1.2.3", "42", "--bump", "major"]).exits(2);
}

#[test]
fn outside_a_repository_nothing_starts() {
    let mut project = quick();
    project.set("GIT_CEILING_DIRECTORIES", &project.path("").display().to_string());
    let outside = |args: &[&str]| project.command(env!("CARGO_BIN_EXE_hotfix"), ".").args(args).output().unwrap();
    let ended = outside(&["start", "v1.2.3", "42"]);
    assert_eq!(ended.status.code(), Some(4), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(outside(&["resume"]).status.code(), Some(13));
}

#[test]
fn a_runbook_that_is_not_valid_is_refused_with_file_and_line() {
    let project = steps(&["{id: a, runn: 'true'}"]).open();
    project.start("").exits(3).says(&["runbook.yaml:6", "did you mean", "run"]);
    assert_eq!(project.runs().len(), 0);
}

#[test]
fn a_tag_that_only_the_remote_has_is_fetched() {
    let project = quick();
    project.git("work", "tag -d v1.2.3");
    project.start_with("", &["--offline"]).exits(4).says(&["no tag `v1.2.3`"]);
    project.start("").exits(0).says(&["the tag v1.2.3 was not here, and was fetched from origin"]);
    assert_eq!(project.git("work", "cat-file -t v1.2.3"), "tag");
}

#[test]
fn a_plan_says_where_its_tag_is_not_here() {
    let project = quick();
    project.hotfix(&["plan", "v1.2.33", "42"]).exits(0).says(&["there is no tag v1.2.33 here (nearest: v1.2.3)"]);
    project.hotfix(&["plan", "v1.2.3", "42"]).exits(0).keeps(&["there is no tag"]);
}

#[test]
fn hotfixes_that_nobody_finished_are_named_and_the_finished_are_not() {
    let project = quick();
    let commit = |branch: &str| {
        project.git("work", &format!("switch -q -c {branch} main"));
        project.git("work", &format!("commit -q --allow-empty -m {branch}"));
    };
    commit("hotfix/7");
    project.git("work", "tag -a -m Hotfix v1.2.2-hotfix");
    commit("hotfix/8");
    project.git("work", "push -q origin hotfix/8");
    project.git("work", "branch -q -m hotfix/8 else/8");
    commit("topic");
    project.git("work", "tag -a -m Preview v2.0.0-rc.1");
    commit("hotfix/9");
    project.git("work", "tag -a -m Hotfix v1.2.1-hotfix");
    project.git("work", "switch -q main");
    project.git("work", "merge -q --no-ff -m back hotfix/9");
    project.git("work", "push -q origin main");
    let said = [
        "unfinished hotfixes: hotfix/7 (here), hotfix/8 (on origin)",
        "never merged back into the main branch, so that the next release may lack them: v1.2.2-hotfix",
    ];
    project.start("").exits(0).says(&said).keeps(&["hotfix/9", "v1.2.1-hotfix", "v2.0.0-rc.1"]);
    assert!(said.iter().all(|said| began(&project).contains(&(*said).to_owned())), "{:?}", began(&project));
}

#[test]
fn what_was_released_and_never_came_back_is_known_by_its_trailer() {
    let tag = "{id: tag, git: {tag: '{{ new_tag }}', message: Release}}";
    let work = "{id: work, run: 'git commit -q --allow-empty -m fix'}";
    let project = steps(&["{id: branch, git: {branch: '{{ branch }}', from: '{{ tag }}'}}", work, tag]).open();
    project.start("").exits(0);
    project.git("work", "switch -q main");
    let said = ["unfinished hotfixes: hotfix/42 (here)", "may lack them: v1.2.4"];
    project.hotfix(&["start", "v1.2.3", "43"]).exits(0).says(&said);
}
