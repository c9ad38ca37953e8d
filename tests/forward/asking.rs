//! The actions that ask: note, ask, confirm, checklist, approve, shell.

use hotfix::event::Event;
use serde_json::json;

use super::fixture::{Project, steps};

#[test]
fn each_kind_of_question_gives_its_answer_to_a_variable_and_to_scripts() {
    let project = steps(&[
        "{id: note, note: '# Read {{ tag }}'}",
        "{id: text, ask: {prompt: What?, into: what}}",
        "{id: choice, ask: {prompt: Which?, choice: [SEV1, SEV2], into: severity}}",
        "{id: choices, ask: {prompt: Which ones?, choices: [a, b, c], into: picked}}",
        "{id: number, ask: {prompt: How many?, number: true, into: many}}",
        "{id: editor, ask: {prompt: Write, editor: true, into: story}}",
        "{id: short, ask: Anything else?}",
        "{id: show, run: 'printf \"%s|%s|%s|%s|%s\" \"$HOTFIX_WHAT\" \"$HOTFIX_SEVERITY\" \"$HOTFIX_PICKED\" \"$HOTFIX_MANY\" \"$HOTFIX_STORY\"'}",
        "{id: list, run: [echo, '{{ severity }} {{ picked[1] }} {{ many + 1 }}']}",
    ])
    .open();
    let answers = "s/note: {done: seen}\ns/text: it's $(broken) \"here\"\ns/choice: SEV2\ns/choices: [[a, c]]\n\
                   s/number: 3\ns/editor: |\n  two\n  lines\ns/short: no\n";
    project.start(answers).exits(0).says(&["Read v1.2.3", "Finished"]);
    project.tells("s/note", &["started", "by hand: seen"]);
    let given = project.given();
    assert_eq!(given["what"], "it's $(broken) \"here\"");
    assert_eq!(given["picked"], json!(["a", "c"]));
    assert_eq!(given["many"], json!(3));
    assert_eq!(project.output("s.show.1.log"), "it's $(broken) \"here\"|SEV2|[\"a\",\"c\"]|3|two\nlines\n");
    assert_eq!(project.output("s.list.1.log"), "SEV2 c 4\n");
}

#[test]
fn an_answer_that_does_not_fit_is_not_used_and_counts_as_missing() {
    for (step, misfit, fits) in [
        ("ask: {prompt: Which?, choice: [a, b]}", "c", "a"),
        ("ask: {prompt: Which ones?, choices: [a, b]}", "[[a, c]]", "[[a, b]]"),
        ("ask: {prompt: How many?, number: true}", "many", "2.5"),
        ("ask: What?", "'  '", "that"),
        ("confirm: Sure?", "true", "yes"),
        ("confirm: {prompt: Sure?, type: '{{ new_tag }}'}", "yes", "v1.2.4"),
        ("checklist: [a, b]", "[[a]]", "[[a, b]]"),
        ("checklist: [a, b]", "[[a, b, c]]", "all"),
        ("checklist: [{item: a, optional: true}, b]", "[[a]]", "[[b]]"),
        ("approve: Fine?", "{approve: ada, note: mine}", "{approve: bob, note: fine}"),
        ("approve: Fine?", "yes", "{approve: bob}"),
        ("note: Read", "read", "done"),
    ] {
        let project = steps(&[&format!("{{id: a, {step}}}")]).open();
        project.start(&format!("s/a: {misfit}\n")).exits(7).says(&["s/a", "hotfix resume"]);
        project.tells("s/a", &["started"]);
        assert!(project.paused().unwrap().starts_with("nobody to answer: s/a"), "{step}");
        let answered = |event| matches!(event, &Event::PromptAnswered { .. });
        assert_eq!(project.events().iter().filter(|event| answered(event)).count(), 0, "{step}: {misfit}");
        project.resume(&format!("s/a: {fits}\n")).exits(0);
        assert!(matches!(project.events().last(), Some(Event::RunFinished {})));
    }
}

#[test]
fn a_no_pauses_declines_rolls_back_or_goes_on_as_the_runbook_says() {
    let project = steps(&["{id: a, confirm: Sure?}", "{id: b, run: 'true'}"]).open();
    project.start("s/a: [no, no, yes]\n").exits(9);
    project.tells("s/b", &[]);
    project.resume("s/a: [no, no, yes]\n").exits(9);
    project.resume("s/a: [no, no, yes]\n").exits(0);
    project.tells("s/b", &["started", "done"]);

    let declining = ["{id: a, confirm: {prompt: Worth it?, no: decline}}", "{id: b, run: 'true'}"];
    let project = steps(&declining).open();
    project.start("s/a: no\n").exits(6).says(&["normal release process"]);
    assert!(matches!(project.events().last(), Some(Event::RunDeclined { reason }) if reason.contains("Worth it?")));
    project.resume("s/a: yes\n").exits(13);

    let going_on = [
        "{id: a, confirm: {prompt: Keep?, no: continue, into: keep}}",
        "{id: b, when: keep, run: 'true'}",
        "{id: c, when: not keep, run: 'echo \"$HOTFIX_KEEP\"'}",
    ];
    let project = steps(&going_on).open();
    project.start("s/a: no\n").exits(0);
    project.tells("s/b", &["skipped: `keep` does not hold"]);
    assert_eq!(project.output("s.c.1.log"), "false\n");

    let undone = [
        "{id: a, run: 'true', undo: {run: 'echo back > \"$T/undone\"'}}",
        "{id: b, confirm: {prompt: Keep?, no: rollback}}",
    ];
    let project = steps(&undone).open();
    project.start("s/b: no\n").exits(10);
    assert_eq!(project.left("undone"), "back\n");
}

#[test]
fn a_decline_behind_production_is_refused_by_validation() {
    let stage = ["{id: a, affects: production, run: 'true'}", "{id: b, confirm: {prompt: Sure?, no: decline}}"];
    let project = steps(&stage).open();
    project.start("").exits(3).says(&["cannot be declined"]);
    assert_eq!(project.runs().len(), 0);
}

#[test]
fn what_a_checklist_leaves_out_is_on_the_record() {
    let project = steps(&["{id: a, checklist: {items: [one, {item: two, optional: true}, {item: three}]}}"]).open();
    project.start("s/a: [[one, three]]\n").exits(0);
    let left = project.events().into_iter().find_map(|event| match event {
        Event::StepDone { result, .. } => Some(result),
        _ => None,
    });
    assert_eq!(left.unwrap()["left_out"], json!(["two"]));
}

#[test]
fn an_approval_names_a_second_person_and_an_optional_one_may_be_skipped_with_a_reason() {
    let optional = "{id: b, approve: {prompt: Anybody?, optional: true}}";
    let project = steps(&["{id: a, approve: Fine?}", optional]).open();
    project.start("s/a: {approve: bob, note: 'looked at it'}\ns/b: {skip: alone at night}\n").exits(0);
    project.tells("s/a", &["started", "approved by bob: looked at it", "done"]);
    project.tells("s/b", &["started", "skipped: alone at night"]);

    let project = steps(&["{id: a, approve: Fine?}"]).open();
    let answers = "s/a: [{skip: alone}, retry, {approve: bob}]\n";
    project.start(answers).exits(0);
    project.tells("s/a", &["started", "failed not_approved", "started", "approved by bob: ", "done"]);
}

#[test]
fn the_operator_is_whoever_git_says_and_cannot_approve() {
    let mut project = steps(&["{id: a, approve: Fine?}", "{id: b, run: 'echo \"$HOTFIX_OPERATOR\"'}"]).open();
    project.set("USER", "grace");
    let by = |project: &Project| project.records()[0].by.clone();
    project.start("").exits(7);
    let me = by(&project);
    project.resume(&format!("s/a: {{approve: '{me}'}}\n")).exits(7);
    project.resume(&format!("s/a: {{approve: ' {} '}}\n", me.to_uppercase())).exits(7);
    project.resume("s/a: {approve: Bob}\n").exits(0);
    assert_eq!(project.output("s.b.1.log"), format!("{me}\n"));
}

#[test]
fn a_shell_step_runs_the_command_that_answers_it_or_is_done() {
    let project = steps(&["{id: a, shell: Fix it}", "{id: b, shell: {prompt: Look}}"]).open();
    project.start("s/a: 'echo fix $HOTFIX_NEW_TAG > app.txt'\ns/b: done\n").exits(0).says(&["$ echo fix"]);
    assert_eq!(project.left("work/app.txt"), "fix v1.2.4\n");
    let project = steps(&["{id: a, shell: Fix it}"]).open();
    project.start("s/a: ['exit 3', retry, 'true']\n").exits(0);
    project.tells("s/a", &["started", "failed exit", "started", "done"]);
}

#[test]
fn a_script_that_is_not_there_is_work_by_hand_and_said_at_preflight() {
    let project = steps(&[
        "{id: a, run: './deploy.sh \"$HOTFIX_NEW_TAG\"'}",
        "{id: b, dir: sub, run: [./there.sh, '{{ tag }}']}",
        "{id: c, dir: sub, run: ./gone.sh}",
    ])
    .file("sub/there.sh", "#!/bin/sh\npwd; echo $1\n")
    .open();
    let warnings = ["./deploy.sh is not in v1.2.3", "./sub/gone.sh is not in v1.2.3"];
    project.start("").exits(7).says(&warnings).says(&["by hand", "deploy.sh"]).keeps(&["there.sh is not"]);
    assert!(matches!(&project.events()[0], Event::RunStarted { warnings, .. } if warnings.len() == 2));
    project.resume("s/*: done\n").exits(0);
    project.tells("s/a", &["started", "interrupted", "started", "by hand"]);
    let here = project.path("work/sub").canonicalize().unwrap();
    assert_eq!(project.output("s.b.1.log"), format!("{}\nv1.2.3\n", here.display()));
}

#[test]
fn a_question_that_was_paused_waits_for_its_answer_and_is_no_step_with_an_unknown_end() {
    let project = steps(&["{id: q, confirm: On?}"]).open();
    project.start("{}").exits(7);
    project.hotfix(&["status"]).says(&["waits for an answer since"]).keeps(&["not known"]);
    project.resume("{}").exits(7);
    project.tells("s/q", &["started", "interrupted", "started"]);
    let says = ["s/q interrupted (attempt 1): it was not answered yet, and is asked again"];
    project.hotfix(&["log"]).says(&says).keeps(&["not known"]);
}
