//! The way back: from each moment, from another terminal, interrupted, and incomplete.

use hotfix::event::Event;
use hotfix::operator::Way;

use crate::fixture::{World, ends, kill};

const YES: (&str, &str) = ("rollback", "yes");

/// A run in `strategy` that has paused because the step `failing` fails, and its answers.
fn stopped_at(failing: &str, strategy: &str, other: &[(&str, &str)]) -> (World, String) {
    let world = World::new();
    let other: Vec<_> = other.iter().copied().chain([YES]).collect();
    let answers = world.answers_but(strategy, &other);
    let mut start = world.command(&["start", "v1.2.3", "1234", "--answers", &answers]);
    ends(&start.env("HOTFIX_DRILL_FAIL", failing).output().unwrap(), 5);
    (world, answers)
}

fn undone(events: &[Event]) -> Vec<&str> {
    let undone = |event: &'_ Event| matches!(event, Event::UndoStarted { .. });
    let started = events.iter().filter(|event| undone(event));
    started.map(|event| if let Event::UndoStarted { step, .. } = event { step.as_str() } else { "" }).collect()
}

fn count(events: &[Event], wanted: impl Fn(&Event) -> bool) -> usize {
    events.iter().filter(|event| wanted(event)).count()
}

#[test]
fn production_comes_first_the_same_command_runs_once_and_the_validation_always() {
    let (world, answers) = stopped_at("validate/security", "blue-green", &[]);
    assert_eq!(world.production(), "v1.2.4");
    let said = ends(&world.hotfix(&["rollback", "--answers", &answers, "--reason", "a hole"]), 10);
    assert_eq!(world.production(), "v1.2.3");
    let events = world.events();
    assert_eq!(undone(&events), ["deploy/switch", "staging/deploy-staging"]);
    let along = |event: &Event| matches!(event, Event::UndoDone { step, along_with: Some(other), .. } if step == "strategy/deploy-blue" && other == "deploy/switch");
    assert_eq!(count(&events, along), 1, "{events:?}");
    let back = world.scripts();
    let from = back.iter().position(|name| name == "deploy-production.sh").unwrap();
    assert_eq!(&back[from..], ["deploy-production.sh", "deploy-staging.sh", "validate-rollback.sh"]);
    let skipped = |event: &Event| matches!(event, Event::StepSkipped { step, .. } if step == "rollback/restore");
    assert_eq!(count(&events, skipped), 1, "no deploy where an undo restored production");
    for text in [
        "undo deploy/switch: ./deploy-production.sh v1.2.3",
        "the tag v1.2.4 on origin",
        "git push origin --delete v1.2.4",
        "When automation fails, roll back by hand:",
        "1. Switch the load balancer back to the previous version (v1.2.3).",
    ] {
        assert!(said.contains(text), "{text}\n{said}");
    }
    assert!(!said.contains("Nothing is rolled back here"), "{said}");
    let reason = |event: &Event| matches!(event, Event::RollbackStarted { reason: Some(reason), to, .. } if reason == "a hole" && to == "v1.2.3");
    assert_eq!(count(&events, reason), 1);
}

#[test]
fn where_production_was_not_touched_nothing_of_it_is_run_and_that_is_said() {
    let (world, answers) = stopped_at("staging/smoke", "direct", &[]);
    let said = ends(&world.hotfix(&["rollback", "--answers", &answers]), 10);
    assert!(said.contains("production has not been touched"), "{said}");
    let scripts = world.scripts();
    assert_eq!(scripts, ["deploy-staging.sh", "deploy-staging.sh"], "forth and back");
    assert_eq!(world.production(), "v1.2.3");
}

#[test]
fn the_step_that_failed_is_undone_too() {
    let (world, answers) = stopped_at("deploy/switch", "blue-green", &[]);
    ends(&world.hotfix(&["rollback", "--answers", &answers]), 10);
    assert_eq!(undone(&world.events())[0], "deploy/switch");
    assert_eq!(world.production(), "v1.2.3");
}

#[test]
fn a_rollback_needs_its_own_yes() {
    let (world, _) = stopped_at("validate/security", "direct", &[]);
    let without = world.answers_but("direct", &[]);
    ends(&world.hotfix(&["rollback", "--answers", &without]), 7);
    ends(&world.hotfix(&["rollback"]), 7);
    assert_eq!(count(&world.events(), |event| matches!(event, Event::RollbackStarted { .. })), 0);
    assert_eq!(world.production(), "v1.2.4", "nothing was done");
}

#[test]
fn a_failed_validation_is_incomplete_and_a_second_rollback_completes_it() {
    let (world, answers) = stopped_at("validate/security", "direct", &[]);
    let mut back = world.command(&["rollback", "--answers", &answers]);
    let said = ends(&back.env("HOTFIX_DRILL_FAIL", "rollback/validate").output().unwrap(), 11);
    assert!(said.contains("NOT COMPLETE") && said.contains("rollback/validate"), "{said}");
    let events = world.events();
    assert_eq!(
        count(&events, |event| matches!(event, Event::UndoFailed { step, .. } if step == "rollback/validate")),
        1
    );
    assert_eq!(count(&events, |event| matches!(event, Event::RunRolledBack { .. })), 0);
    let forward = world.hotfix(&["start", "v1.2.3", "1", "--answers", &answers]);
    ends(&forward, 8);
    ends(&world.hotfix(&["rollback", "--answers", &answers]), 10);
    assert_eq!(
        world.scripts().iter().filter(|name| *name == "deploy-production.sh").count(),
        2,
        "once forth, once back"
    );
}

/// A runbook over the drill's own with one step of one stage changed.
fn changed(world: &World, stage: &str, step: &str) -> String {
    let path = world.sandbox.dir().join("changed.yaml");
    let base = world.sandbox.repository().join(".hotfix/runbook.yaml");
    let text = format!(
        "name: changed\nversion: 1\nextends: {}\nstages:\n  - id: {stage}\n    steps:\n      - {step}\n",
        base.display()
    );
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn a_failed_undo_outside_production_delays_nothing_and_is_named_with_its_command() {
    let world = World::new();
    let answers = world.answers_but("direct", &[YES, ("validate/security", "rollback")]);
    let runbook = changed(&world, "staging", "{ id: deploy-staging, undo: { run: 'exit 3' } }");
    let mut start = world.command(&["start", "v1.2.3", "1234", "--answers", &answers, "--runbook", &runbook]);
    let said = ends(&start.env("HOTFIX_DRILL_FAIL", "validate/security").output().unwrap(), 11);
    assert!(said.contains("staging/deploy-staging: exit 3"), "{said}");
    assert_eq!(world.production(), "v1.2.3", "production is back all the same");
    let events = world.events();
    assert_eq!(undone(&events), ["deploy/direct", "staging/deploy-staging"]);
    assert_eq!(count(&events, |event| matches!(event, Event::UndoFailed { .. })), 1);
    assert_eq!(count(&events, |event| matches!(event, Event::RunRolledBack { .. })), 1, "it is validated");
}

#[test]
fn a_failed_undo_may_be_tried_again_done_by_hand_or_left() {
    for (answer, code) in [("[rollback, retry]", 10), ("[rollback, done]", 10), ("[rollback, leave]", 11)] {
        let world = World::new();
        let answers = world.answers_but(
            "direct",
            &[
                ("staging/deploy-staging", answer.trim_start_matches("[rollback, ").trim_end_matches(']')),
                ("validate/security", "rollback"),
            ],
        );
        // It fails the first time only.
        let flag = world.sandbox.dir().join("flag");
        let undo = format!(
            "{{ id: deploy-staging, undo: {{ run: 'test -e {0} || {{ touch {0}; exit 1; }}' }} }}",
            flag.display()
        );
        let runbook = changed(&world, "staging", &undo);
        let mut start = world.command(&["start", "v1.2.3", "1234", "--answers", &answers, "--runbook", &runbook]);
        ends(&start.env("HOTFIX_DRILL_FAIL", "validate/security").output().unwrap(), code);
    }
}

#[test]
fn chosen_after_a_failure_it_goes_back_at_once() {
    let world = World::new();
    let answers = world.answers_but("rolling", &[("validate/security", "rollback")]);
    let mut start = world.command(&["start", "v1.2.3", "1234", "--answers", &answers]);
    ends(&start.env("HOTFIX_DRILL_FAIL", "validate/security").output().unwrap(), 10);
    assert_eq!(world.production(), "v1.2.3");
    let ways = |event: &Event| {
        matches!(event, Event::PromptAnswered { answer: hotfix::operator::Answer::Way { way: Way::Rollback, .. }, .. })
    };
    assert_eq!(count(&world.events(), ways), 1);
}

#[test]
fn what_is_left_after_a_rollback_is_done_by_resume_and_nothing_of_the_way_forward() {
    let (world, answers) = stopped_at("validate/security", "direct", &[]);
    ends(&world.hotfix(&["rollback", "--answers", &answers]), 10);
    let calls = world.scripts();
    let said = ends(&world.hotfix(&["resume", "--answers", &answers]), 0);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let left = "Observation period; Documentation and incident report; After the incident.";
    assert!(said.contains(&format!("Production was rolled back to v1.2.3. Left to do: {left}")), "{said}");
    assert!(
        said.contains("ROLLED BACK TO v1.2.3 · #1234 · stage 15/18 Observation") && !said.contains("ROLLING BACK"),
        "{said}"
    );
    assert_eq!(world.scripts(), calls, "no script is called any more");
    let events = world.events();
    let done = |key: &str| count(&events, |event| matches!(event, Event::StepDone { step, .. } if step == key));
    assert_eq!((done("observe/stable"), done("document/lessons"), done("merge-back/merge")), (1, 1, 0));
    ends(&world.hotfix(&["resume", "--answers", &answers]), 13);
}

#[test]
fn a_finished_run_can_be_taken_back_and_the_next_start_takes_the_next_free_tag() {
    let world = World::new();
    let answers = world.answers_but("direct", &[YES]);
    ends(&world.hotfix(&["start", "v1.2.3", "1234", "--answers", &answers]), 0);
    let said = ends(&world.hotfix(&["rollback", "--answers", &answers]), 10);
    assert!(said.contains("main has the fix"), "{said}");
    assert_eq!(world.production(), "v1.2.3");
    let said = ends(&world.hotfix(&["start", "v1.2.3", "1234", "--answers", &world.answers("{}")]), 7);
    assert!(said.contains("v1.2.3 -> v1.2.5"), "{said}");
}

#[test]
fn a_later_start_for_the_same_issue_goes_on_with_the_branch() {
    let (world, answers) = stopped_at("staging/smoke", "direct", &[]);
    ends(&world.hotfix(&["rollback", "--answers", &answers]), 10);
    let said = ends(&world.hotfix(&["start", "v1.2.3", "1234", "--answers", &world.answers("{}")]), 7);
    assert!(said.contains("v1.2.5") && said.contains("hotfix/1234 is there from an earlier run"), "{said}");
    ends(&world.hotfix(&["abort", "--reason", "enough"]), 0);
    let said = ends(&world.hotfix(&["start", "v1.2.3", "99", "--name", "1234", "--answers", &world.answers("{}")]), 4);
    assert!(said.contains("the branch `hotfix/1234` exists here"), "another issue's branch is not taken: {said}");
}

#[test]
fn an_aborted_run_can_be_taken_back() {
    let (world, answers) = stopped_at("validate/security", "direct", &[("abort", "v1.2.4")]);
    ends(&world.hotfix(&["abort", "--reason", "home"]), 7);
    let said = ends(&world.hotfix(&["abort", "--reason", "home", "--answers", &answers]), 0);
    assert!(said.contains("the tag v1.2.4 on origin"), "what is left behind is listed: {said}");
    ends(&world.hotfix(&["resume", "--answers", &answers]), 13);
    ends(&world.hotfix(&["rollback", "--answers", &answers]), 10);
    assert_eq!(world.production(), "v1.2.3");
}

#[test]
fn from_another_terminal_the_first_process_lets_go_and_its_command_is_stopped_to_the_last_child() {
    let world = World::new();
    let answers = world.answers_but("direct", &[YES]);
    let pids = world.sandbox.dir().join("pids");
    // The shell and its child ignore what asks them to end.
    let run = format!(
        "{{ id: critical-paths, kill_grace: 200ms, run: \"trap '' INT TERM; sleep 1000 & echo $! $$ >{}; echo hung; wait\" }}",
        pids.display()
    );
    let runbook = changed(&world, "validate", &run);
    let (mut first, mut lines) =
        world.begin(&["start", "v1.2.3", "1234", "--answers", &answers, "--runbook", &runbook]);
    lines.wait_for("  hung");
    let status = world.hotfix(&["status"]);
    assert!(ends(&status, 0).contains("validate/critical-paths"));
    ends(&world.hotfix(&["rollback", "--answers", &answers]), 10);
    let last = lines.all();
    assert_eq!(first.wait().unwrap().code(), Some(8), "{last}");
    assert!(last.contains("Drill Operator on") && last.contains("takes production back"), "it says who: {last}");
    for pid in std::fs::read_to_string(pids).unwrap().split_whitespace() {
        // One that nobody has reaped yet is no longer running.
        let script = format!("ps -o stat= -p {pid} | grep -q '^[^Z]'");
        let alive = world.sandbox.command("sh").args(["-c", &script]).status().unwrap();
        assert!(!alive.success(), "{pid} still runs");
    }
    assert_eq!(world.production(), "v1.2.3");
}

#[test]
fn a_first_process_that_does_not_let_go_is_killed_after_three_seconds() {
    let world = World::new();
    let answers = world.answers_but("direct", &[YES]);
    let (mut first, mut lines) = world.begin(&["start", "v1.2.3", "1234", "--answers", &answers]);
    lines.wait_for("monitor/watch");
    let stop = world.sandbox.command("kill").args(["-STOP", &first.id().to_string()]).status().unwrap();
    assert!(stop.success());
    let said = ends(&world.hotfix(&["rollback", "--answers", &answers]), 10);
    assert!(said.contains("does not let go; it is killed"), "{said}");
    assert_eq!(first.wait().unwrap().code(), None, "by a signal");
    drop(lines);
    assert_eq!(world.production(), "v1.2.3");
}

#[test]
fn killed_in_the_middle_resume_and_rollback_go_on_with_it_and_forward_is_closed() {
    for door in ["resume", "rollback"] {
        let (world, answers) = stopped_at("validate/security", "blue-green", &[]);
        for moment in ["rollback.started", "undo.started", "undo.done"] {
            let (child, mut lines) =
                world.begin(&[if moment == "rollback.started" { "rollback" } else { door }, "--answers", &answers]);
            let is_there =
                || std::fs::read_to_string(world.journal()).unwrap().contains(&format!("\"event\":\"{moment}\""));
            while !is_there() && lines.next().is_some() {}
            kill(child);
        }
        let calls = || world.scripts().iter().filter(|name| *name == "deploy-production.sh").count();
        ends(&world.hotfix(&[door, "--answers", &answers]), 10);
        assert_eq!(calls(), 1, "{door}: the undo ran once");
        assert_eq!(world.production(), "v1.2.3");
        let forward =
            |event: &Event| matches!(event, Event::StepStarted { step, .. } if step == "validate/performance");
        assert_eq!(count(&world.events(), forward), 0);
    }
}

#[test]
fn a_script_that_is_not_as_the_release_has_it_is_taken_from_the_release() {
    let (world, answers) = stopped_at("validate/security", "direct", &[]);
    let script = world.sandbox.repository().join("deploy-production.sh");
    std::fs::write(&script, "#!/bin/sh\nexit 1\n").unwrap();
    let said = ends(&world.hotfix(&["rollback", "--answers", &answers]), 10);
    assert!(said.contains("./deploy-production.sh is not as the release has it here"), "{said}");
    assert_eq!(std::fs::read_to_string(&script).unwrap(), "#!/bin/sh\nexit 1\n", "the work tree is not touched");
    assert!(
        !world.runs().last().unwrap().join("worktrees").read_dir().is_ok_and(|mut entries| entries.next().is_some())
    );
}

#[test]
fn a_linked_worktree_that_was_cut_off_while_it_was_made_is_made_again() {
    let (world, answers) = stopped_at("validate/security", "direct", &[]);
    let script = world.sandbox.repository().join("deploy-production.sh");
    std::fs::write(&script, "#!/bin/sh\nexit 1\n").unwrap();
    let commit = world.sandbox.command("git").args(["rev-parse", "v1.2.4^{commit}"]).output().unwrap().stdout;
    let commit = String::from_utf8(commit).unwrap();
    let tree = world.runs().last().unwrap().join("worktrees").join(&commit[..12]);
    let tree = tree.to_str().unwrap();
    let made = ["worktree", "add", "-q", "--detach", "--no-checkout", tree, commit.trim()];
    assert!(world.sandbox.command("git").args(made).status().unwrap().success());
    ends(&world.hotfix(&["rollback", "--answers", &answers]), 10);
    assert_eq!(world.production(), "v1.2.3");
}
