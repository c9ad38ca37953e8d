//! The fields that any step may have: when it runs, how often, how long, and what it gives.

use std::time::Instant;

use hotfix::event::Event;

use super::fixture::steps;

#[test]
fn a_condition_leaves_a_step_out_and_its_variable_is_none() {
    let project = steps(&[
        "{id: a, when: issue == '43', run: 'echo out', capture: {x: stdout}}",
        "{id: b, when: 'x is none and new_tag == \"v1.2.4\"', run: 'echo \"${HOTFIX_X-unset}\"'}",
        "{id: c, run: [echo, 'x={{ x }} {{ x is none }}']}",
    ])
    .stage("t\n when: issue == '44'".replace("\n ", "\n").as_str(), &["{id: d, run: 'false'}"])
    .open();
    project.start("").exits(0).says(&["issue == '43'"]);
    project.tells("s/a", &["skipped: `issue == '43'` does not hold"]);
    project.tells("t/d", &["skipped: `issue == '44'` does not hold"]);
    assert_eq!(project.output("s.b.1.log"), "unset\n");
    assert!(project.output("s.c.1.log").to_lowercase().contains("true"));
}

#[test]
fn scripts_see_the_values_of_the_run_in_the_work_tree_or_the_directory_given() {
    let project = steps(&[
        "{id: a, guide: '**Careful** with {{ tag }}', run: 'pwd; env | grep ^HOTFIX | grep -v OUTPUT | sort'}",
        "{id: b, dir: 'sub/{{ kind }}', env: {COLOUR: '{{ colour }}', HOTFIX_TAG: other}, run: 'pwd; echo $COLOUR $HOTFIX_TAG'}",
    ])
    .top("vars: {kind: blue, colour: 'light {{ tag }}', many: 3, yes: true}")
    .file("sub/blue/x", "")
    .open();
    project.start_with("", &["--set", "colour=deep {{ tag }}"]).exits(0).says(&["Careful"]);
    let work = project.path("work").canonicalize().unwrap().display().to_string();
    let said = project.output("s.a.1.log");
    for line in [
        work.as_str(),
        "HOTFIX=1",
        "HOTFIX_TAG=v1.2.3",
        "HOTFIX_NEW_TAG=v1.2.4",
        "HOTFIX_VERSION=1.2.4",
        "HOTFIX_PREVIOUS_VERSION=1.2.3",
        "HOTFIX_ROLLBACK_TO=v1.2.3",
        "HOTFIX_ISSUE=42",
        "HOTFIX_SLUG=42",
        "HOTFIX_BRANCH=hotfix/42",
        "HOTFIX_MAIN=main",
        "HOTFIX_REMOTE=origin",
        "HOTFIX_STAGE=s",
        "HOTFIX_STEP=a",
        "HOTFIX_ATTEMPT=1",
        "HOTFIX_COLOUR=deep v1.2.3",
        "HOTFIX_KIND=blue",
        "HOTFIX_MANY=3",
        "HOTFIX_YES=true",
    ] {
        assert!(said.lines().any(|one| one == line), "{line} is not in:\n{said}");
    }
    let names = ["HOTFIX_RUN_ID=", "HOTFIX_OPERATOR=", "HOTFIX_ELAPSED="];
    assert!(names.iter().all(|name| said.contains(name)), "{said}");
    assert!(!said.contains("HOTFIX_ROLLBACK="), "{said}");
    assert_eq!(project.output("s.b.1.log"), format!("{work}/sub/blue\ndeep v1.2.3 other\n"));
}

#[test]
fn what_a_step_gives_is_read_only_where_it_succeeds() {
    let fails_once = "{id: a, retries: 1, capture: {x: output, y: output, gone: output}, \
                      run: 'echo \"x=$HOTFIX_ATTEMPT\" >> \"$HOTFIX_OUTPUT\"; [ $HOTFIX_ATTEMPT = 2 ] || exit 1; \
                      printf \"y<<END\\none=1\\ntwo\\nEND\\n\" >> \"$HOTFIX_OUTPUT\"'}";
    let project = steps(&[
        fails_once,
        "{id: b, capture: {out: stdout}, run: 'echo to stderr >&2; printf \"one\\ntwo\\n\\n\"'}",
        "{id: c, run: 'echo \"$HOTFIX_X+$HOTFIX_Y+${HOTFIX_GONE-none}+$HOTFIX_OUT\"'}",
        "{id: d, capture: {bad: output}, run: 'echo nonsense > \"$HOTFIX_OUTPUT\"'}",
    ])
    .open();
    project.start("").exits(5).says(&["KEY=VALUE"]);
    project.tells("s/a", &["started", "failed exit, again", "started", "done"]);
    assert_eq!(project.output("s.c.1.log"), "2+one=1\ntwo+none+one\ntwo\n");
    assert!(project.output("s.b.1.log").contains("to stderr"));
    project.tells("s/d", &["started", "failed output"]);
}

#[test]
fn a_failure_is_tried_again_as_often_as_the_runbook_says_and_after_the_delay() {
    let step = "{id: a, retries: 2, delay: 300ms, backoff: 2, run: 'echo x >> \"$T/tries\"; exit 7'}";
    let project = steps(&[step]).open();
    let began = Instant::now();
    project.start("").exits(5).says(&["exit code 7", "s/a"]);
    assert!(began.elapsed().as_millis() >= 900, "300 ms and 600 ms were to pass");
    assert_eq!(project.left("tries"), "x\nx\nx\n");
    let again = ["started", "failed exit, again", "started", "failed exit, again", "started", "failed exit"];
    project.tells("s/a", &again);
    // Asked for by a person, the count begins afresh.
    project.resume("s/a: [retry, {skip: known}]\n").exits(0);
    assert_eq!(project.left("tries").lines().count(), 6);
    assert_eq!(project.story("s/a").last().unwrap(), "skipped: known");
}

#[test]
fn only_what_retry_on_names_is_tried_again() {
    let step =
        |when: &str| format!("{{id: a, retries: 1, retry_on: '{when}', timeout: 20s, run: 'echo busy; exit 4'}}");
    for (when, tries) in [
        ("exit_code == 4", 2),
        ("exit_code == 5", 1),
        ("\"busy\" in output", 2),
        ("timed_out", 1),
        ("attempt < 9 and not timed_out", 2),
    ] {
        let project = steps(&[&step(when)]).open();
        project.start("").exits(5);
        assert_eq!(project.story("s/a").iter().filter(|word| *word == "started").count(), tries, "{when}");
    }
}

#[test]
fn a_timeout_stops_the_step_and_is_tried_again_only_where_the_runbook_says_so() {
    let slow = "run: 'echo x >> \"$T/tries\"; echo begun; read line < \"$T/never\"'";
    for (fields, tries, reason) in [
        ("timeout: 1s, retries: 1", 1, "timeout"),
        ("timeout: 1s, retries: 1, retry_on: timed_out", 2, "timeout"),
        ("inactivity_timeout: 1s, retries: 1", 1, "inactivity"),
        ("inactivity_timeout: 1s, retries: 1, retry_on: timed_out", 2, "inactivity"),
    ] {
        let project = steps(&[&format!("{{id: a, {fields}, {slow}}}")]).open();
        project.fifo("never");
        project.start("").exits(5).says(&["begun"]);
        assert_eq!(project.left("tries").lines().count(), tries, "{fields}");
        assert_eq!(project.story("s/a").last().unwrap(), &format!("failed {reason}"), "{fields}");
    }
}

#[test]
fn what_ignores_the_signals_is_killed_after_the_grace_with_its_background_jobs() {
    let stubborn = "(trap \"\" INT TERM; while :; do echo . >> \"$T/alive\"; read -t 0.02 x < \"$T/never\"; done) & \
                    trap \"\" INT TERM; echo begun; wait; read x < \"$T/never\"; read x < \"$T/never\"";
    let step = format!("{{id: a, timeout: 1s, kill_grace: 100ms, run: ['bash', '-c', '{stubborn}']}}");
    let project = steps(&[&step]).open();
    project.fifo("never");
    let began = Instant::now();
    project.start("").exits(5).says(&["timeout"]);
    assert!(began.elapsed().as_secs() < 20);
    let before = project.left("alive");
    // Nothing writes any more: two runs of a small program later the file is as it was.
    project.git("work", "status");
    project.git("work", "status");
    assert!(!before.is_empty());
    assert_eq!(project.left("alive"), before);
}

#[test]
fn a_required_step_cannot_be_skipped() {
    let project = steps(&["{id: a, required: true, run: 'exit 1'}"]).open();
    project.start("s/a: {skip: no time}\n").exits(5);
    project.resume("s/a: done\n").exits(0);
    project.tells("s/a", &["started", "failed exit", "by hand"]);
}

#[test]
fn what_is_to_hold_after_a_step_must_hold() {
    let project = steps(&[
        "{id: a, capture: {x: stdout}, run: 'echo $HOTFIX_ATTEMPT', retries: 1, verify: {run: '[ \"$HOTFIX_X\" = 2 ]'}}",
        "{id: b, run: 'true', verify: {confirm: 'Does it?'}}",
    ])
    .open();
    project.start("s/b: yes\n").exits(0);
    project.tells("s/a", &["started", "failed exit, again", "started", "done"]);
    assert_eq!(project.given()["x"], "2");
}

#[test]
fn before_a_production_step_is_tried_again_it_is_looked_whether_it_has_happened() {
    let step = "{id: a, affects: production, retries: 3, done_if: '[ -e \"$T/deployed\" ]', \
                run: 'echo x >> \"$T/tries\"; [ $HOTFIX_ATTEMPT = 1 ] || touch \"$T/deployed\"; exit 1'}";
    let project = steps(&[step]).open();
    project.start("s/a: v1.2.4\n").exits(0).says(&["done_if"]);
    assert_eq!(project.left("tries").lines().count(), 2);
    let blind = steps(&["{id: a, affects: production, retries: 3, run: 'true'}"]).open();
    blind.start("s/a: v1.2.4\n").exits(3).says(&["not retried blindly"]);
}

#[test]
fn a_step_that_runs_always_runs_again_on_resume() {
    let project = steps(&[
        "{id: a, always: true, run: 'echo x >> \"$T/always\"'}",
        "{id: b, run: 'echo x >> \"$T/once\"'}",
        "{id: c, confirm: Sure?}",
    ])
    .open();
    project.start("").exits(7);
    project.resume("s/c: yes\n").exits(0);
    assert_eq!((project.left("always").as_str(), project.left("once").as_str()), ("x\nx\n", "x\n"));
}

#[test]
fn a_step_that_talks_to_the_operator_waits_for_one() {
    let project = steps(&["{id: a, interactive: true, run: 'echo in'}"]).open();
    project.start("").exits(7).says(&["s/a", "needs a terminal"]);
    project.tells("s/a", &["started", "interrupted"]);
}

#[test]
fn the_record_of_a_step_says_what_ran_with_which_script_and_values() {
    let project = steps(&[
        "{id: a, run: './deploy.sh \"$HOTFIX_NEW_TAG\"'}",
        "{id: b, when: 'count > 2', run: [echo, '{{ new_tag }}']}",
        "{id: c, when: missing_for_sure is none, capture: {missing_for_sure: stdout}, run: 'echo c'}",
    ])
    .top("vars: {count: 3}")
    .file("deploy.sh", "#!/bin/sh\necho \"deploying $1\"\n")
    .open();
    project.start("").exits(3).says(&["missing_for_sure"]);
    let project = steps(&["{id: a, run: './deploy.sh \"$HOTFIX_NEW_TAG\"'}", "{id: b, run: [echo, '{{ new_tag }}']}"])
        .file("deploy.sh", "#!/bin/sh\necho \"deploying $1\"\n")
        .open();
    project.start("").exits(0).says(&["HOTFIX_NEW_TAG=v1.2.4", "echo v1.2.4", "deploying v1.2.4"]);
    let started: Vec<_> = project
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::StepStarted { what, evidence, .. } => Some((what, evidence)),
            _ => None,
        })
        .collect();
    let script = std::fs::read(project.path("work/deploy.sh")).unwrap();
    assert_eq!(started[0].0, "./deploy.sh \"$HOTFIX_NEW_TAG\"");
    assert_eq!(started[0].1["script_sha256"], hotfix::digest::sha256(&script));
    assert_eq!(started[0].1["head"], project.git("work", "rev-parse HEAD"));
    assert_eq!(started[0].1["values"]["HOTFIX_NEW_TAG"], "v1.2.4");
    assert_eq!(started[1].0, "echo v1.2.4");
}

#[test]
fn whom_to_call_is_said_once_when_it_is_time() {
    let project = steps(&["{id: a, confirm: Sure?}", "{id: b, run: 'true'}"])
        .top("contacts: {senior: {name: Grace, phone: '+1-555'}, boss: {name: Joan}}")
        .top("escalation: [{after: 0s, contact: senior}, {after: 10h, contact: boss}]")
        .open();
    project.start("").exits(7).says(&["call Grace, +1-555"]).keeps(&["call Joan"]);
    project.resume("s/a: yes\n").exits(0);
    let due = project.events().into_iter().filter(|event| matches!(event, Event::EscalationDue { .. })).count();
    assert_eq!(due, 1);
}

#[test]
fn a_value_that_looks_like_a_command_or_a_template_stays_a_value() {
    let project = steps(&[
        "{id: a, ask: {prompt: What?, into: what}}",
        "{id: b, run: 'printf \"%s\" \"$HOTFIX_WHAT\"'}",
        "{id: c, run: [printf, '%s', '{{ what }}']}",
    ])
    .open();
    let nasty = "$(touch pwned) `touch pwned` {{ tag }} '\"; touch pwned #";
    project.start(&format!("s/a: {}\n", serde_json::to_string(nasty).unwrap())).exits(0);
    assert_eq!(project.output("s.b.1.log"), nasty);
    assert_eq!(project.output("s.c.1.log"), nasty);
    assert!(!project.path("work/pwned").exists());
    let pasted = steps(&["{id: a, run: 'echo {{ tag }}'}"]).open();
    pasted.start("").exits(3).says(&["$HOTFIX_NEW_TAG"]);
}

#[test]
fn a_command_with_a_terminal_is_captured_as_any_other() {
    let project = steps(&[
        "{id: a, tty: true, capture: {x: stdout}, done_if: 'test -t 1', run: 'test -t 1 && printf \"one\\ntwo\\n\"'}",
        "{id: c, tty: true, env: {TERM: xterm}, run: 'test -t 1 && test -t 2 && tput cols && echo \"100%\" >&2'}",
        "{id: b, run: 'test -t 1 || echo \"$HOTFIX_X\"'}",
    ])
    .open();
    project.start("").exits(0);
    assert_eq!(project.output("s.a.1.log"), "one\ntwo\n");
    assert_eq!(project.output("s.c.1.log"), "80\n100%\n");
    assert_eq!(project.output("s.b.1.log"), "one\ntwo\n");
}
