//! Updates to those who are concerned.

use hotfix::engine::Ending;
use hotfix::event::Event;
use hotfix::operator::{Answer, Falling, Form, Purpose, Way};

use super::fixture::{Does, Lab, SECRET, YES, because, ctrl_c, text, way};

const RUNBOOK: &str = r#"
name: lab
version: 1
secrets: [SECRET]
channels:
  pager: { type: command, run: 'echo "$HOTFIX_MESSAGE" >> $T/paged; [ ! -e $T/broken ]' }
  chat: { type: slack, url_env: CHAT_URL }
updates: { every: 20m, text: "{{ issue }} lasts {{ lasting }} at {{ standing }} after {{ so_far }} {{ env.SECRET }}, each {{ update_every }}" }
stages:
  - { id: first, title: First, steps: [{ id: n, run: 'true' }] }
  - id: s
    title: Mend it
    steps:
      - { id: a, confirm: "Sure?" }
      - { id: b, confirm: "Sure again?" }
"#;

fn ways(question: &hotfix::operator::Question) -> (Vec<Way>, Vec<String>) {
    match &question.form {
        Form::Due(due) => match &due.what {
            Falling::Update { channels, .. } => (due.ways.clone(), channels.clone()),
            other @ Falling::Call { .. } => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_draft_is_sent_when_a_person_says_so_and_never_unasked() {
    let lab = Lab::new(RUNBOOK, 30);
    lab.wait(19);
    let drive = lab.drive(vec![("s/a", YES), ("s/b", ctrl_c())]);
    assert_eq!(
        drive.steps(),
        ["s/a", "s/b"],
        "an incident that is old already has no update before the run's own 20 minutes"
    );
    lab.wait(1);
    let drive = lab.drive(vec![("update", way(Way::Send)), ("s/b", ctrl_c())]);
    let (ways, channels) = ways(&drive.asked[0]);
    assert_eq!(ways, [Way::Send, Way::Edit, Way::Done, Way::Skip, Way::Later]);
    assert_eq!(channels, ["pager"], "the chat's address is not set");
    assert_eq!(
        drive.asked[0].prompt,
        format!("42 lasts 50m00s at 2/2 Mend it after First {}, each 20m", hotfix_mask())
    );
    assert_eq!(lab.left("paged").lines().count(), 1);
    assert!(lab.left("paged").starts_with("42 lasts 50m00s") && !lab.left("paged").contains(SECRET));
    assert!(!lab.journal().contains(SECRET));
    assert_eq!(lab.story(), ["sent pager"]);
    // The next is 20 minutes after it, whoever drives.
    lab.wait(19);
    lab.drive(vec![("s/b", Does::Thinks(1)), ("update", because(Way::Skip, "nothing new")), ("s/b", YES)]);
    assert_eq!(lab.story(), ["sent pager"]);
    let skipped = |event: &Event| matches!(event, Event::PromptAnswered { purpose: Purpose::Update, answer: Answer::Way { way: Way::Skip, reason: Some(reason) }, .. } if reason == "nothing new");
    assert!(lab.events().iter().any(skipped));
    assert_eq!(lab.left("paged").lines().count(), 1);
}

fn hotfix_mask() -> String {
    hotfix::mask::Masker::new([SECRET]).unwrap().text(SECRET)
}

#[test]
fn an_edited_draft_is_asked_about_again_and_what_reached_nobody_stays_due() {
    let lab = Lab::new(RUNBOOK, 0);
    std::fs::write(lab.path("broken"), "").unwrap();
    lab.wait(21);
    let drive = lab.drive(vec![
        ("update", way(Way::Edit)),
        ("update", text("All is dark.\n")),
        ("update", way(Way::Send)),
        ("update", way(Way::Later)),
        ("s/a", ctrl_c()),
    ]);
    assert_eq!(drive.ending, Ending::Signal(hotfix::operator::Signal::Int));
    assert_eq!((drive.asked[2].prompt.as_str(), drive.asked[3].prompt.as_str()), ("All is dark.", "All is dark."));
    assert!(drive.heard.iter().any(|line| line.contains("pager did not get the message")), "{:?}", drive.heard);
    assert_eq!(lab.story(), ["failed pager"]);
    // Sent by hand, it counts.
    lab.wait(5);
    let drive = lab.drive(vec![
        ("update", because(Way::Done, "by telephone")),
        ("s/a", Does::Thinks(20)),
        ("update", ctrl_c()),
    ]);
    assert_eq!(drive.steps(), ["update", "s/a", "update"]);
    // A clock that was set back does not silence it.
    lab.set(-600);
    lab.drive(vec![("update", way(Way::Done)), ("s/a", YES), ("s/b", YES)]);
}

#[test]
fn without_a_channel_the_draft_is_there_to_be_copied_and_cannot_be_sent() {
    let chat = RUNBOOK.replace("every: 20m,", "every: 20m, channels: [chat],");
    let lab = Lab::new(&chat, 0);
    lab.wait(20);
    let drive = lab.drive(vec![("update", way(Way::Done)), ("s/a", YES), ("s/b", YES)]);
    assert_eq!(ways(&drive.asked[0]), (vec![Way::Edit, Way::Done, Way::Skip, Way::Later], Vec::new()));
    assert_eq!(lab.story(), Vec::<String>::new());
    // With its address it can.
    let lab = Lab::new(&chat, 0).with("CHAT_URL", "http://127.0.0.1:1/x");
    lab.wait(20);
    let drive = lab.drive(vec![("update", way(Way::Send)), ("update", ctrl_c())]);
    assert_eq!(ways(&drive.asked[0]).1, ["chat"]);
    assert_eq!(lab.story(), ["failed chat"]);
}

#[test]
fn where_nobody_is_it_is_said_each_time_and_nothing_is_sent() {
    let lab = Lab::new(RUNBOOK, 0);
    lab.wait(45);
    let drive = lab.unattended(vec![("s/a", YES), ("s/b", YES)]);
    assert_eq!(drive.ending, Ending::Finished);
    let said = drive.heard.iter().filter(|line| line.contains("time for an update")).count();
    assert_eq!(said, 1, "{:?}", drive.heard);
    assert_eq!((lab.left("paged"), lab.story()), (String::new(), Vec::new()));
}

#[test]
fn the_last_update_is_the_one_after_production_is_well() {
    let runbook = format!(
        "{RUNBOOK}  - id: deploy\n    steps:\n      - {{ id: it, affects: production, run: 'true' }}\n      - {{ id: look, run: 'true' }}\n  - id: tell\n    steps:\n      - {{ id: all, notify: 'It is well' }}\n      - {{ id: c, confirm: 'Over?' }}\n"
    );
    let lab = Lab::new(&runbook, 0);
    lab.drive(vec![("s/a", YES), ("s/b", YES), ("deploy/it", text("v1.2.4")), ("tell/c", ctrl_c())]);
    assert_eq!(lab.story(), ["failed chat", "sent pager"]);
    lab.wait(500);
    lab.drive(vec![("tell/c", YES)]);
}

#[test]
fn a_rollback_that_told_everybody_is_the_last_update_too() {
    let stages = "  - id: deploy\n    steps:\n      - { id: it, affects: production, run: 'true', undo: { run: 'true' } }\n      - { id: keep, confirm: { prompt: 'Keep it?', no: rollback } }\n  - id: back\n    trigger: rollback\n    steps:\n      - { id: valid, run: 'true' }\n      - { id: tell, notify: { text: 'It is back', channels: [pager] } }\n  - id: over\n    when: direction != 'x'\n    steps:\n      - { id: c, confirm: 'Over?' }\n";
    let told = format!("{RUNBOOK}{stages}");
    let silent = told.replace("      - { id: tell, notify: { text: 'It is back', channels: [pager] } }\n", "");
    for (runbook, asked) in [(told, vec!["over/c"]), (silent, vec!["update", "over/c"])] {
        let lab = Lab::new(&runbook, 0);
        let no = Does::Answers(Answer::No);
        let forward = vec![("s/a", YES), ("s/b", YES), ("deploy/it", text("v1.2.4")), ("deploy/keep", no)];
        let back = vec![("rollback", text("v1.2.3")), ("rollback", ctrl_c())];
        assert_eq!(lab.drive([forward, back].concat()).ending, Ending::RolledBack);
        lab.wait(21);
        let plan = asked.iter().map(|step| (*step, if *step == "update" { way(Way::Done) } else { YES }));
        assert_eq!(lab.drive(plan.collect()).ending, Ending::Finished);
    }
}
