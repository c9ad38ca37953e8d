//! A fix that main has already, taken by the step that is there for it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use hotfix::event::Event;
use serde_json::json;

use super::fixture::{Project, steps};

const BRANCH: &str = "{id: branch, git: {branch: '{{ branch }}', from: '{{ tag }}'}}";
const TAKE: &str = "{id: take, git: {cherry_pick: '{{ main }}', taken: taken}}";
const WRITE: &str = "{id: write, when: not taken, run: 'echo written > app.txt'}";
const COMMIT: &str = "{id: commit, git: {commit: 'fix: {{ issue }}'}}";
const TAG: &str = "{id: tag, git: {tag: '{{ new_tag }}', message: Release}}";

/// A project whose main has gone on since the tag: what each commit writes, and its subject.
fn project(commits: &[(&str, &str, &str)]) -> Project {
    with("true", commits)
}

/// One whose branch has done `first` before.
fn with(first: &str, commits: &[(&str, &str, &str)]) -> Project {
    let first = format!("{{id: first, run: '{first}'}}");
    let project = steps(&[BRANCH, &first, TAKE, WRITE, COMMIT, TAG]).open();
    for (file, text, subject) in commits {
        project.write(file, text);
        project.git("work", "add .");
        let status = project.command("git", "work").args(["commit", "-q", "-m", subject]).status().unwrap();
        assert!(status.success());
    }
    project.git("work", "push -q origin main");
    project
}

fn id(project: &Project, subject: &str) -> String {
    project.git("work", &format!("log -1 --format=%H --grep=^{subject} origin/main"))
}

/// The subjects of the branch since the tag, the oldest first.
fn subjects(project: &Project) -> String {
    project.git("work", "log --reverse --format=%s v1.2.3..hotfix/42").replace('\n', " ")
}

fn taken(project: &Project) -> serde_json::Value {
    project.given()["taken"].clone()
}

#[test]
fn a_commit_of_main_is_the_fix_and_what_is_left_of_the_stage_goes_on_with_it() {
    let project = project(&[("app.txt", "fixed\n", "fix"), ("new.txt", "new\n", "feature")]);
    let fix = id(&project, "fix");
    let plan = project.hotfix(&["plan", "v1.2.3", "42"]);
    plan.exits(0).says(&["git cherry-pick -x what is chosen of main"]);
    project.hotfix(&["plan", "v1.2.3", "42", "--answers-template"]).exits(0).says(&["s/take:  # a text"]);
    project.start("").exits(7).says(&["  feature\n", "  fix\n", "Which commits of `main` are taken?"]);
    project.resume(&format!("s/take: \"{}\"\n", &fix[..9])).exits(0).says(&[
        "Ada, ",
        "+1 -1  app.txt",
        "is taken",
        "nothing is left to commit: the fix is in",
    ]);
    assert_eq!(subjects(&project), "fix");
    project.tells("s/write", &["skipped: `not taken` does not hold"]);
    assert_eq!(taken(&project), json!(fix));
    assert_eq!(project.git("work", "rev-parse v1.2.4^{commit}"), project.git("work", "rev-parse hotfix/42"));
    let body = project.git("work", "log -1 --format=%b v1.2.4^{commit}");
    assert_eq!(body, format!("(cherry picked from commit {fix})"));
}

#[test]
fn several_are_taken_in_their_order_and_none_leaves_the_fix_to_be_written() {
    let project = project(&[("a.txt", "a\n", "one"), ("b.txt", "b\n", "two"), ("c.txt", "c\n", "three")]);
    let [one, three] = ["one", "three"].map(|subject| id(&project, subject));
    project.start(&format!("s/take: \"{one}, {three}\"\n")).exits(0);
    assert_eq!(subjects(&project), "one three");
    assert_eq!(taken(&project), json!(format!("{one} {three}")));
    let project = self::project(&[("a.txt", "a\n", "one")]);
    project.start("s/take: none\ns/commit: yes\n").exits(0);
    assert_eq!(subjects(&project), "fix: 42");
    assert_eq!(taken(&project), json!(""));
}

#[test]
fn what_is_here_already_is_said_and_an_id_that_is_none_is_asked_for_again() {
    let first = "echo fixed > app.txt && git commit -q -a -m backported";
    let project = with(first, &[("app.txt", "fixed\n", "fix"), ("a.txt", "a\n", "one")]);
    let fix = id(&project, "fix");
    project.start("s/take: zzzzzzz\n").exits(5).says(&["`zzzzzzz` cannot be taken: an id is made of 0-9 and a-f"]);
    project.resume("s/take: [zzzzzzz, retry, 12e45]\n").exits(5).says(&["has to be an id in quotes"]);
    let again = format!("s/take: [zzzzzzz, retry, 12e45, retry, \"{fix}\"]\n");
    project.resume(&(again + "s/commit: yes\n")).exits(0).says(&["is not taken: all that it changes is here already"]);
    assert_eq!(subjects(&project), "backported fix: 42", "it is written then");
    assert_eq!(project.git("work", "show v1.2.4:app.txt"), "written");
    let none = self::project(&[]);
    none.start("").exits(7).says(&["`main` has no commit that is not here already"]);
}

/// One whose commit conflicts with what the branch has.
fn conflicting() -> (Project, String) {
    let project = with("echo mine > app.txt && git commit -q -a -m mine", &[("app.txt", "fixed\n", "fix")]);
    let fix = id(&project, "fix");
    (project, fix)
}

#[test]
fn a_conflict_is_solved_in_the_work_tree_by_whoever_and_gone_on_with() {
    let (project, fix) = conflicting();
    let said = ["conflict  app.txt", "git add -- app.txt", "conflicts with what is here", "solve | go on | give up"];
    project.start(&format!("s/take: \"{fix}\"\n")).exits(7).says(&said);
    assert_eq!(project.git("work", "rev-parse CHERRY_PICK_HEAD"), fix);
    let (other, _) = conflicting();
    let theirs = id(&other, "fix");
    other.start(&format!("s/take: \"{theirs}\"\n")).exits(7);
    let said = format!("left: {} is being taken here; `git cherry-pick --abort` would end that", &theirs[..10]);
    other.hotfix(&["abort", "--reason", "no more"]).exits(0).says(&[&said[..40]]);
    project.resume(&format!("s/take: [\"{fix}\", go on]\n")).exits(7).says(&["conflict  app.txt"]);
    project.git("work", "add app.txt");
    project.resume(&format!("s/take: [\"{fix}\", go on]\n")).exits(7).says(&["conflict markers are left in app.txt:1"]);
    project.write("app.txt", "both\n");
    project.git("work", "add app.txt");
    project.resume(&format!("s/take: [\"{fix}\", go on]\n")).exits(0).says(&["is taken"]);
    assert_eq!(subjects(&project), "mine fix");
    assert_eq!(project.git("work", "show v1.2.4:app.txt"), "both");
    assert_eq!(taken(&project), json!(fix));
}

#[test]
fn a_conflict_is_solved_by_a_command_or_by_the_operator_s_own_git() {
    let (project, fix) = conflicting();
    let command = "echo both > app.txt && git add app.txt";
    project.start(&format!("s/take: [\"{fix}\", solve, '{command}']\n")).exits(0).says(&["is taken"]);
    assert_eq!(subjects(&project), "mine fix");
    let (project, fix) = conflicting();
    let command = "echo own > app.txt && git add . && GIT_EDITOR=: git cherry-pick --continue";
    project.start(&format!("s/take: [\"{fix}\", solve, '{command}']\n")).exits(0);
    assert_eq!(subjects(&project), "mine fix");
    assert_eq!(project.git("work", "show v1.2.4:app.txt"), "own");
    assert_eq!(taken(&project), json!(fix));
}

#[test]
fn a_conflict_that_is_given_up_leaves_the_branch_as_it_was_and_the_fix_is_written() {
    let (project, fix) = conflicting();
    project.start(&format!("s/take: [\"{fix}\", give up]\ns/commit: yes\n")).exits(0).says(&["nothing of it is left"]);
    assert_eq!(subjects(&project), "mine fix: 42");
    assert_eq!(project.git("work", "show v1.2.4:app.txt"), "written");
    assert_eq!(taken(&project), json!(""));
    project.tells("s/write", &["started", "done"]);
}

#[test]
fn killed_in_the_middle_it_is_taken_once() {
    for moment in ["before", "after"] {
        let mut project = project(&[("app.txt", "fixed\n", "fix")]);
        let fix = id(&project, "fix");
        let find = project.command("sh", ".").args(["-c", "command -v git"]).output().unwrap();
        let git = String::from_utf8(find.stdout).unwrap().trim().to_owned();
        let path = project.path("wrapped");
        fs::create_dir(&path).unwrap();
        // The program itself is killed, with the git that it waits for.
        let act = if moment == "after" { format!("{git} \"$@\";") } else { String::new() };
        let kill = "kill -9 $(ps -o ppid= -p $$) $$";
        let text =
            format!("#!/bin/sh\ncase \" $* \" in *' cherry-pick -x '*) {act} {kill};; esac\nexec {git} \"$@\"\n");
        fs::write(path.join("git"), text).unwrap();
        fs::set_permissions(path.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
        let usual = std::env::var("PATH").unwrap();
        project.set("PATH", &format!("{}:{usual}", path.display()));
        let answers = format!("s/take: \"{fix}\"\n");
        assert_eq!(project.start(&answers).code, None, "{moment}: it was killed");
        project.set("PATH", &usual);
        project.resume(&answers).exits(0);
        assert_eq!(subjects(&project), "fix", "{moment}");
        assert_eq!(taken(&project), json!(fix));
        let asked = |event: &Event| matches!(event, Event::PromptAnswered { step, .. } if step == "s/take");
        assert_eq!(project.events().iter().filter(|event| asked(event)).count(), 1, "{moment}");
    }
}

#[test]
fn taken_goes_with_a_cherry_pick_alone_and_is_the_name_of_a_variable() {
    for (action, said) in [
        ("{push: [a], taken: it}", "`taken` goes with `cherry_pick` alone"),
        ("{cherry_pick: main, taken: tag}", "shadows a built-in name"),
    ] {
        let project = steps(&[&format!("{{id: a, git: {action}}}")]).open();
        project.hotfix(&["check", "../runbook.yaml"]).exits(3).says(&[said]);
    }
}
