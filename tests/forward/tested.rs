//! What is tagged is what was tested, but for the version.

use hotfix::event::Event;
use serde_json::{Value, json};

use super::fixture::{Project, Setup, steps};

const BRANCH: &str = "{id: branch, git: {branch: '{{ branch }}', from: '{{ tag }}'}}";
const WORK: &str = "{id: work, run: 'echo fixed > app.txt; echo new > new.txt; echo x > scrap.txt'}";
const BUMP: &str = "{id: bump, git: {bump: '{{ version }}'}}";
const COMMIT: &str = "{id: commit, git: {commit: 'fix: {{ issue }}'}}";
const TAG: &str = "{id: tag, git: {tag: '{{ new_tag }}', message: Release, tested: test}}";
const FOCUSED: &str = "{id: focused, run: 'grep -q fixed app.txt'}";
const MANUAL: &str = "{id: manual, checklist: [It works]}";
const COMMITTED: &str = "r/commit: [[new.txt], yes]\n";

fn between(work: &str, tests: &[&str], release: &[&str]) -> Setup {
    let setup = steps(&[BRANCH, work]).top("version_files: [package.json]").stage("test", tests).stage("r", release);
    setup
        .file("package.json", "{\n  \"version\": \"1.2.3\"\n}\n")
        .file("package-lock.json", "{\n  \"version\": \"1.2.3\"\n}\n")
}

/// What the step that tags has recorded of the tests.
#[track_caller]
fn recorded(project: &Project) -> Value {
    let of = |event| match event {
        Event::StepDone { step, result, .. } if step == "r/tag" => Some(result),
        _ => None,
    };
    project.events().into_iter().find_map(of).unwrap().into()
}

/// The beginning of the commit that is to be tagged.
fn short(project: &Project) -> String {
    project.git("work", "rev-parse hotfix/42")[..8].to_owned()
}

#[test]
fn the_version_may_differ_and_is_shown_and_so_is_what_was_left_out() {
    let project = between(WORK, &[FOCUSED, MANUAL], &[BUMP, COMMIT, TAG]).open();
    project.hotfix(&["plan", "v1.2.3", "42"]).exits(0).says(&["once it is what the stage test tested"]);
    let before = project.git("work", "status --porcelain");
    // A resume between knows it from the log.
    project.start("test/manual: all\n").exits(7);
    assert_eq!(before, "");
    project.resume(&format!("test/manual: all\n{COMMITTED}")).exits(0).says(&[
        "only version files and their lock files have changed since it was tested (test/focused,\n      test/manual):",
        "+1 -1  package-lock.json   (lock file)\n",
        "+1 -1  package.json\n",
        "WARNING: there when it was tested, and not in v1.2.4: scrap.txt",
    ]);
    assert_eq!(
        recorded(&project),
        json!({
            "differs": ["package-lock.json", "package.json"],
            "left_out": ["scrap.txt"],
            "tested": ["test/focused", "test/manual"],
        })
    );
    assert_eq!(project.git("work", "status --porcelain"), "?? scrap.txt", "what is staged stays as it was");
    let started = |event| match event {
        Event::StepStarted { step, evidence, .. } if step == "test/focused" => Some(evidence),
        _ => None,
    };
    let tree = project.events().into_iter().find_map(started).unwrap()["tree"].as_str().unwrap().to_owned();
    assert_eq!(project.git("work", &format!("show {tree}:new.txt")), "new");
}

#[test]
fn without_any_difference_it_is_said_so_and_without_any_test_too() {
    let project = between(WORK, &[FOCUSED], &[COMMIT, TAG]).open();
    project
        .start("r/commit: [[new.txt, scrap.txt], yes]\n")
        .exits(0)
        .says(&["v1.2.4 is what was tested: test/focused"]);
    assert_eq!(recorded(&project), json!({ "tested": ["test/focused"] }));
    let project = between(WORK, &["{id: focused, when: 'false', run: 'true'}"], &[COMMIT, TAG]).open();
    project.start(COMMITTED).exits(0).says(&["no test of the stage `test` is on record"]);
    assert_eq!(recorded(&project), json!({}));
}

#[test]
fn another_file_that_differs_is_refused_by_name_until_the_very_commit_is_said_to_be_tested() {
    let late = "{id: late, run: 'echo late > app.txt'}";
    let project = between(WORK, &[FOCUSED], &[late, BUMP, COMMIT, TAG]).open();
    project.start(COMMITTED).exits(7).says(&[
        "v1.2.4 would not be what was tested:",
        "changed since test/focused:\n  app.txt\n",
        "Test again what is committed now (Esc has a shell):\n  grep -q fixed app.txt",
        &format!("type the commit it was: {}", short(&project)),
    ]);
    assert_eq!(project.git("work", "tag"), "v1.2.3");
    project.resume(&format!("{COMMITTED}r/tag: yes\n")).exits(7).says(&["app.txt"]);
    let said = format!("{COMMITTED}r/tag: \"{}\"\n", short(&project));
    project.resume(&said).exits(0);
    assert_eq!(recorded(&project)["untested"], json!(["app.txt"]));
    project.hotfix(&["report"]).exits(0).says(&["Changed after its tests", "app.txt"]);
    assert_eq!(project.git("work", "rev-parse v1.2.4^{commit}"), project.git("work", "rev-parse hotfix/42"));
}

#[test]
fn a_file_that_the_commit_lacks_or_that_has_more_than_the_version_differs() {
    let late = "{id: late, run: 'echo >> package.json; git rm -q gone.txt'}";
    let setup = between(WORK, &[FOCUSED], &[BUMP, late, COMMIT, TAG]).file("gone.txt", "here\n");
    setup.open().start(COMMITTED).exits(7).says(&["changed since test/focused:\n  gone.txt\n  package.json\n"]);
}

#[test]
fn each_test_is_of_what_was_there_when_it_began_the_last_time() {
    let once = "{id: security, run: 'grep -q mended app.txt'}";
    let project = between(WORK, &[FOCUSED, once], &[COMMIT, TAG]).open();
    project.start("").exits(5);
    project.write("app.txt", "fixed and mended\n");
    let ended = project.resume(&format!("test/security: retry\n{COMMITTED}")).exits(7);
    ended
        .says(&["changed since test/focused:\n  app.txt\n", "  grep -q fixed app.txt\n"])
        .keeps(&["since test/security", "  grep -q mended app.txt\n"]);
}

#[test]
fn the_stage_has_to_be_there_and_goes_with_a_tag() {
    let check = |action: &str, said: &[&str]| {
        let project = between(WORK, &[FOCUSED], &[&format!("{{id: a, git: {action}}}")]).open();
        project.hotfix(&["check", "../runbook.yaml"]).exits(3).says(said);
    };
    check("{tag: v2, tested: tests}", &["`tests` is not among the stages", "did you mean `test`?"]);
    check("{push: [a], tested: test}", &["`tested` goes with `tag` alone"]);
}
