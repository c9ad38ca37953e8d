//! A rollback that was begun by mistake: whoever leaves its question is back where they were, and nothing is undone.

use hotfix::engine::Ending;
use hotfix::event::Event;
use hotfix::operator::{Answer, Purpose, Unanswered, Way};

use super::fixture::{Does, Lab, YES, because, text, way};

const BACK: &str = "rollback";

fn menu(way: Way) -> Does {
    Does::Leaves(Unanswered::Menu { way, reason: None })
}

/// Production is touched by `s/a`; `steps` follow.
fn lab(steps: &str) -> Lab {
    Lab::new(
        &format!(
            "name: lab\nversion: 1\nstages:\n  - id: s\n    steps:\n      - {{id: a, affects: production, run: 'true', undo: {{run: 'touch $T/undone'}}}}\n{steps}"
        ),
        0,
    )
}

impl Lab {
    /// How often a rollback was decided against, where none was begun.
    fn stayed(&self) -> usize {
        let events = self.events();
        assert!(!events.iter().any(|event| matches!(event, Event::RollbackStarted { .. })), "{events:?}");
        assert!(!self.path("undone").exists());
        let no = |event: &&Event| {
            matches!(event, Event::PromptAnswered { purpose: Purpose::Rollback, answer: Answer::No, .. })
        };
        events.iter().filter(no).count()
    }
}

#[test]
fn it_leads_back_to_the_question_the_failure_and_the_no_that_led_there() {
    let steps = "      - {id: q, confirm: 'Is it well?'}\n      - {id: b, run: 'exit 3'}\n      - {id: keep, confirm: {prompt: 'Keep it?', no: rollback}}\n";
    let lab = lab(steps);
    let drive = lab.drive(vec![
        ("s/a", text("v1.2.4")),
        ("s/q", menu(Way::Rollback)),
        (BACK, menu(Way::Return)),
        ("s/q", YES),
        ("s/b", way(Way::Rollback)),
        (BACK, menu(Way::Return)),
        ("s/b", because(Way::Skip, "later")),
        ("s/keep", Does::Answers(Answer::No)),
        (BACK, menu(Way::Return)),
        ("s/keep", YES),
    ]);
    assert_eq!(drive.ending, Ending::Finished);
    assert_eq!(lab.stayed(), 3);
    let question = &drive.asked[2];
    assert_eq!(question.menu, [Way::Return, Way::Pause]);
    assert!(question.prompt.ends_with("Until then nothing is undone: Esc leads back."), "{}", question.prompt);
    assert!(drive.heard.iter().any(|line| line.starts_with("Nothing was undone.")), "{:?}", drive.heard);
}

#[test]
fn what_was_decided_against_counts_as_no_answer_and_the_next_process_may_roll_back() {
    let lab = lab("      - {id: keep, confirm: {prompt: 'Keep it?', no: rollback}}\n");
    let no = || ("s/keep", Does::Answers(Answer::No));
    let left = Does::Leaves(Unanswered::Interrupted(hotfix::operator::Signal::Int));
    lab.drive(vec![("s/a", text("v1.2.4")), no(), (BACK, menu(Way::Return)), ("s/keep", left)]);
    assert_eq!(lab.stayed(), 1);
    let again = lab.drive(vec![no(), (BACK, text("v1.2.3"))]);
    assert_eq!(again.ending, Ending::RolledBack);
    assert!(lab.path("undone").exists());
}

#[test]
fn it_leads_back_to_the_breach_that_asked_and_the_command_under_it_runs_on() {
    let probe =
        "{name: p, interval: 1m, run: 'test ! -e $T/broken || test -e $T/asked', success_condition: 'exit_code == 0'}";
    let slow = "echo once >>$T/calls; while [ ! -e $T/asked ]; do sleep 0.01; done";
    let lab = lab(&format!(
        "      - {{id: m, monitor: {{for: 40h, background: true, probes: [{probe}]}}}}\n      - {{id: slow, run: '{slow}'}}\n      - {{id: q, confirm: 'Is it well?'}}\n"
    ));
    std::fs::write(lab.path("broken"), "").unwrap();
    let drive = lab.drive(vec![
        ("s/a", text("v1.2.4")),
        ("s/m", way(Way::Rollback)),
        // What is measured meanwhile, all of it bad, counts no more once it goes on.
        (BACK, Does::At(60, Box::new(menu(Way::Return)))),
        // The command goes on under the question, which is answered as if nothing had been between.
        ("s/m", Does::TouchesFor(lab.path("asked"), Box::new(way(Way::Wait)))),
        ("s/q", YES),
    ]);
    assert_eq!(drive.ending, Ending::Finished);
    assert_eq!((lab.stayed(), lab.left("calls").as_str()), (1, "once\n"));
    let breaches: Vec<_> = drive.asked.iter().filter(|question| question.step == "s/m").collect();
    assert_eq!(breaches[0].prompt, breaches[1].prompt, "the same question");
    assert!(drive.heard.iter().any(|line| line.contains("s/m goes on watching")), "{:?}", drive.heard);
}

#[test]
fn a_breach_for_which_a_rollback_was_chosen_and_not_begun_is_asked_about_by_whoever_takes_the_run_up() {
    let probe = "{name: p, interval: 1m, run: 'test ! -e $T/broken', success_condition: 'exit_code == 0'}";
    let lab = lab(&format!(
        "      - {{id: m, monitor: {{for: 40h, background: true, probes: [{probe}]}}}}\n      - {{id: q, confirm: 'Is it well?'}}\n"
    ));
    std::fs::write(lab.path("broken"), "").unwrap();
    let plan =
        vec![("s/a", text("v1.2.4")), ("s/q", Does::Thinks(0)), ("s/m", way(Way::Rollback)), (BACK, menu(Way::Pause))];
    assert_eq!(lab.drive(plan).ending, Ending::Paused);
    assert_eq!(lab.stayed(), 0);
    std::fs::remove_file(lab.path("broken")).unwrap();
    let again = lab.drive(vec![("s/q", Does::Thinks(0)), ("s/m", way(Way::Wait)), ("s/q", YES)]);
    assert_eq!(again.ending, Ending::Finished);
    assert!(again.asked[1].prompt.contains("1 failed, more than the 0 allowed"), "{:?}", again.asked[1]);
}
