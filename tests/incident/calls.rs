//! Calls.

use hotfix::engine::Ending;
use hotfix::event::Event;
use hotfix::operator::{Falling, Form, Purpose, Signal, Unanswered, Way};

use super::fixture::{Does, Lab, YES, because, ctrl_c, text, way};

const RUNBOOK: &str = r#"
name: lab
version: 1
contacts:
  senior: { name: Grace, phone: "+1-555-0124" }
  manager: { name: Joan, phone: "+1-555-0125" }
  commander: { name: Ida }
escalation:
  - { after: 15m, contact: senior, say: "{{ issue }} for {{ lasting }}, at {{ standing }}, needs {{ needs }} {{ env.SECRET }}" }
  - { after: 30m, contact: manager }
  - { after: 60m, contact: commander }
stages:
  - id: s
    title: Mend it
    budget: 10m
    steps:
      - { id: a, title: Look, confirm: "Sure?" }
      - { id: b, confirm: "Sure again?" }
"#;

const SENIOR: &str = "escalation/senior";
const MANAGER: &str = "escalation/manager";
const COMMANDER: &str = "escalation/commander";

#[test]
fn a_prompt_is_interrupted_when_it_is_time_and_is_there_again_afterwards() {
    let lab = Lab::new(RUNBOOK, 0);
    let drive = lab.drive(vec![
        ("s/a", Does::Thinks(15)),
        (SENIOR, because(Way::Acknowledged, "on her way")),
        ("s/a", YES),
        ("s/b", YES),
    ]);
    assert_eq!(drive.ending, Ending::Finished);
    assert_eq!(drive.steps(), ["s/a", SENIOR, "s/a", "s/b"]);
    assert_eq!(lab.story(), ["due senior", "acknowledged senior"]);
    let question = &drive.asked[1];
    let Form::Due(due) = &question.form else { panic!("{question:?}") };
    assert_eq!(question.purpose, Purpose::Escalation);
    assert!(matches!(&due.what, Falling::Call { whom, .. } if whom == "Grace, +1-555-0124"), "{due:?}");
    assert!(question.prompt.starts_with("42 for 15m00s, at 1/1 Mend it, needs Look "), "{}", question.prompt);
    assert!(!lab.journal().contains(super::fixture::SECRET) && !question.prompt.contains("hunter2"));
    let note = lab.events().into_iter().find_map(|event| match event {
        Event::EscalationMade { note, .. } => note,
        _ => None,
    });
    assert_eq!(note.as_deref(), Some("on her way"));
    assert!(drive.heard.iter().any(|line| line.contains("Mend it takes longer than the 10m00s")), "{:?}", drive.heard);
    let warned = drive.heard.iter().filter(|line| line.contains("takes longer")).count();
    assert_eq!(warned, 1);
}

#[test]
fn what_is_to_be_said_is_what_is_under_way_or_waited_for_or_what_failed() {
    let steps = r#"
      - { id: look, title: Look at it, confirm: "Sure?" }
      - { id: count, title: Count it, run: "echo nine; exit 3" }
      - { id: deploy, title: Deploy it, affects: production, run: "true" }
"#;
    let (head, _) = RUNBOOK.split_once("      - { id: a").unwrap();
    let (before, say) = head.split_once(", say:").unwrap();
    let (_, behind) = say.split_once("\" }").unwrap();
    let lab = Lab::new(&format!("{before} }}{behind}{}", steps.trim_start_matches('\n')), 0);
    let drive = lab.drive(vec![
        ("s/look", Does::Thinks(15)),
        (SENIOR, way(Way::Acknowledged)),
        ("s/look", Does::Sleeps(15, Box::new(YES))),
        (MANAGER, way(Way::Acknowledged)),
        ("s/count", Does::Thinks(30)),
        (COMMANDER, way(Way::Called)),
        ("s/count", because(Way::Skip, "later")),
        ("s/deploy", text("v1.2.4")),
    ]);
    assert_eq!(drive.ending, Ending::Finished);
    let said = |step: &str| drive.asked.iter().find(|question| question.step == step).unwrap().prompt.clone();
    assert!(said(SENIOR).ends_with("We are at 1/1 Mend it, waiting for: Look at it."), "{}", said(SENIOR));
    assert!(said(MANAGER).ends_with("We are at 1/1 Mend it, under way: Count it."), "{}", said(MANAGER));
    let failed = said(COMMANDER);
    assert!(failed.contains("We are at 1/1 Mend it. FAILED: Count it: ") && failed.contains('3'), "{failed}");
}

#[test]
fn what_was_not_answered_is_asked_again_by_the_next_process_and_what_was_is_not() {
    let lab = Lab::new(RUNBOOK, 0);
    let drive = lab.drive(vec![("s/a", Does::Thinks(16)), (SENIOR, ctrl_c())]);
    assert_eq!(drive.ending, Ending::Signal(Signal::Int));
    assert_eq!(lab.story(), ["due senior"]);
    // Before anything else, and due once on record.
    let drive = lab.drive(vec![(SENIOR, way(Way::Called)), ("s/a", ctrl_c())]);
    assert_eq!(drive.steps(), [SENIOR, "s/a"]);
    assert_eq!(lab.story(), ["due senior", "called senior"]);
    // A night later all the others are due, each is one question, the earliest first.
    lab.wait(8 * 60);
    let plan = vec![(MANAGER, because(Way::Decline, "asleep")), (COMMANDER, way(Way::Acknowledged)), ("s/a", ctrl_c())];
    let drive = lab.drive(plan);
    let late = |at: usize| match &drive.asked[at].form {
        Form::Due(due) => due.at,
        other => panic!("{other:?}"),
    };
    assert!(late(0) < late(1), "the earliest first");
    let all = [
        "due senior",
        "called senior",
        "due manager",
        "due commander",
        "declined manager: asleep",
        "acknowledged commander",
    ];
    assert_eq!(lab.story(), all);
    assert_eq!(lab.drive(vec![("s/a", YES), ("s/b", YES)]).ending, Ending::Finished);
    assert_eq!(lab.story(), all);
}

#[test]
fn an_incident_that_began_before_the_run_counts_from_then() {
    let lab = Lab::new(RUNBOOK, 25);
    lab.drive(vec![
        (SENIOR, way(Way::Called)),
        ("s/a", Does::Thinks(5)),
        (MANAGER, way(Way::Called)),
        ("s/a", YES),
        ("s/b", YES),
    ]);
    assert_eq!(lab.story(), ["due senior", "called senior", "due manager", "called manager"]);
}

#[test]
fn later_is_five_minutes_also_for_the_next_process_and_the_menu_leads_out() {
    let lab = Lab::new(RUNBOOK, 20);
    lab.drive(vec![(SENIOR, way(Way::Later)), ("s/a", ctrl_c())]);
    lab.wait(4);
    lab.drive(vec![("s/a", ctrl_c())]);
    lab.wait(1);
    let menu = Does::Leaves(Unanswered::Menu { way: Way::Pause, reason: None });
    let note = Does::Leaves(Unanswered::Note("she does not answer".into()));
    let drive = lab.drive(vec![(SENIOR, note), (SENIOR, menu)]);
    assert_eq!(drive.ending, Ending::Paused);
    assert_eq!(lab.story(), ["due senior"]);
    assert!(lab.events().contains(&Event::NoteAdded { text: "she does not answer".into() }));
    // A clock that is set back asks at once, and loses nothing.
    lab.set(-300);
    lab.drive(vec![(SENIOR, way(Way::Later)), ("s/a", ctrl_c())]);
    lab.set(-400);
    lab.drive(vec![(SENIOR, way(Way::Called)), ("s/a", YES), ("s/b", YES)]);
    assert_eq!(lab.story(), ["due senior", "called senior"]);
}

#[test]
fn nobody_is_asked_where_nobody_is_and_the_run_goes_on() {
    let lab = Lab::new(RUNBOOK, 35);
    let drive = lab.unattended(vec![("s/a", YES), ("s/b", ctrl_c())]);
    assert_eq!(lab.story(), ["due senior", "due manager"]);
    assert!(drive.heard.iter().any(|line| line.contains("call Joan, +1-555-0125")), "{:?}", drive.heard);
    // Whoever comes to the terminal is asked.
    lab.drive(vec![(SENIOR, way(Way::Called)), (MANAGER, way(Way::Called)), ("s/b", YES)]);
    assert_eq!(lab.story().len(), 4);
}

const DEPLOY: &str = r#"
name: lab
version: 1
contacts: { senior: { name: Grace } }
escalation: [{ after: 15m, contact: senior }]
stages:
  - id: deploy
    steps:
      - { id: direct, affects: production, run: "true", undo: { run: "true" } }
      - { id: hand, confirm: { prompt: "Look?", no: continue, into: looked } }
  - id: validate
    steps:
      - { id: well, when: CHECK, run: "true" }
  - id: after
    steps:
      - { id: a, ask: "What?" }
"#;

#[test]
fn it_stops_once_production_is_validated_and_not_because_it_was_deployed() {
    let typed = || super::fixture::text("v1.2.4");
    // Deployed, and the question that looks at it is open: it is due.
    let lab = Lab::new(&DEPLOY.replace("CHECK", "looked"), 0);
    lab.drive(vec![("deploy/direct", typed()), ("deploy/hand", Does::Thinks(20)), ("escalation/senior", ctrl_c())]);
    assert_eq!(lab.story(), ["due senior"]);
    // Validated: nothing is due any more, though nobody ever answered.
    let lab = Lab::new(&DEPLOY.replace("CHECK", "looked"), 0);
    let drive = lab.drive(vec![("deploy/direct", typed()), ("deploy/hand", YES), ("after/a", ctrl_c())]);
    // The header counted down to the call, and does so no longer.
    let told: Vec<_> = drive.heard.iter().filter(|line| line.ends_with(" to call")).collect();
    assert_eq!(told, ["1 to call", "0 to call"]);
    lab.wait(100);
    lab.drive(vec![("after/a", super::fixture::text("x"))]);
    assert_eq!(lab.story(), Vec::<String>::new());
    // Nothing looked at it: every step that would have was left out.
    let bare = DEPLOY
        .replace("CHECK", "direction == 'back'")
        .replace("      - { id: hand, confirm: { prompt: \"Look?\", no: continue, into: looked } }\n", "");
    let lab = Lab::new(&bare, 0);
    lab.drive(vec![("deploy/direct", typed()), ("after/a", Does::Thinks(20)), ("escalation/senior", ctrl_c())]);
    assert_eq!(lab.story(), ["due senior"]);
}

const WATCHED: &str = r#"
name: lab
version: 1
contacts: { senior: { name: Grace } }
escalation: [{ after: 15m, contact: senior }]
stages:
  - id: s
    steps:
      - { id: a, affects: production, run: "true", undo: { run: "sleep 1; touch $T/undone" } }
      - { id: m, monitor: { for: 4h, background: true, on_breach: rollback, probes: [{ name: whole, interval: 1m, run: "test ! -e $T/broken", success_condition: "exit_code == 0" }] } }
      - { id: q, confirm: "Is it well?" }
"#;

#[test]
fn a_breach_behind_a_call_takes_production_back_and_nothing_falls_due_meanwhile() {
    let lab = Lab::new(WATCHED, 0);
    lab.drive(vec![("s/a", super::fixture::text("v1.2.4")), ("s/q", ctrl_c())]);
    lab.wait(15);
    std::fs::write(lab.path("broken"), "").unwrap();
    // The undo lasts for longer than a question waits before it comes.
    let drive = lab.drive(vec![(SENIOR, Does::Thinks(2))]);
    assert_eq!((drive.ending, drive.asked.len()), (Ending::RolledBack, 1));
    assert!(lab.path("undone").exists());
    assert_eq!(lab.story(), ["due senior"]);
}
