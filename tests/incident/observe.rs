//! An observation of hours, by a clock of its own: over interruptions, with what nobody saw on record as that.

use hotfix::engine::Ending;
use hotfix::event::Event;
use hotfix::gate::{GAP, Gap};
use hotfix::operator::{Signal, Way};
use serde::Deserialize as _;

use super::fixture::{Does, Lab, START, YES, ctrl_c, text, way};

/// Production is touched, and watched for four hours behind a question.
fn lab(probe: &str) -> Lab {
    Lab::new(
        &format!(
            "name: lab\nversion: 1\nstages:\n  - id: s\n    steps:\n      - {{id: a, affects: production, run: 'true', undo: {{run: 'touch $T/undone'}}}}\n      \
             - {{id: m, monitor: {{for: 4h, background: true, probes: [{{name: whole, interval: 1m, {probe}}}]}}}}\n      \
             - {{id: q, confirm: 'Is it well?'}}\n"
        ),
        0,
    )
}

const WHOLE: &str = "run: 'test ! -e $T/broken', success_condition: 'exit_code == 0'";

fn at(minutes: i64, does: Does) -> Does {
    Does::At(minutes, Box::new(does))
}

fn leaves(minutes: i64) -> Vec<(&'static str, Does)> {
    vec![("s/q", at(minutes, ctrl_c()))]
}

impl Lab {
    /// The gaps on record, in minutes after the run began.
    fn gaps(&self) -> Vec<(i64, i64)> {
        let minutes = |at: hotfix::clock::Timestamp| (at.millis() - START) / 60_000;
        let gap = |event: Event| match event {
            Event::GateMeasured { value, outcome, .. } if outcome == GAP => Some(Gap::deserialize(value).unwrap()),
            _ => None,
        };
        self.events().into_iter().filter_map(gap).map(|gap| (minutes(gap.from), minutes(gap.to))).collect()
    }

    fn decided(&self) -> Vec<(String, String)> {
        let decided = |event: Event| match event {
            Event::GateDecided { decision, reason, .. } => Some((decision, reason)),
            _ => None,
        };
        self.events().into_iter().filter_map(decided).collect()
    }
}

#[test]
fn four_hours_over_five_restarts_and_a_sleep_are_four_hours_with_their_gaps() {
    let lab = lab(WHOLE);
    let mut first = vec![("s/a", text("v1.2.4"))];
    first.extend(leaves(40));
    assert_eq!(lab.drive(first).ending, Ending::Signal(Signal::Int));
    lab.wait(4);
    lab.drive(leaves(90));
    // Taken up at once: nothing is missing.
    lab.drive(leaves(110));
    lab.drive(vec![("s/q", at(120, Does::Sleeps(9, Box::new(at(140, ctrl_c())))))]);
    lab.drive(leaves(200));
    assert_eq!(lab.decided(), []);
    let last = lab.drive(vec![("s/q", at(240, YES))]);
    assert_eq!(last.ending, Ending::Finished);
    let gaps = lab.gaps();
    assert_eq!(gaps.len(), 2, "{gaps:?}");
    let long: Vec<_> = gaps.iter().map(|(from, to)| to - from).collect();
    assert!((4..=6).contains(&long[0]) && (9..=11).contains(&long[1]), "{gaps:?}");
    let [(decision, reason)] = &lab.decided()[..] else { panic!("{:?}", lab.decided()) };
    assert_eq!(decision, "pass");
    assert!(reason.contains(" of 4h00m") && reason.contains("not measured for 1"), "{reason}");
    // Every reading counts, whichever process took it.
    let counted: i64 = reason.split("whole: ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((215..=232).contains(&counted), "{reason}");
    assert!(last.heard.iter().any(|line| line.contains("what it watched is as it should be")), "{:?}", last.heard);
}

#[test]
fn what_was_not_watched_for_long_is_not_called_well() {
    let lab = lab(WHOLE);
    let mut first = vec![("s/a", text("v1.2.4"))];
    first.extend(leaves(30));
    lab.drive(first);
    lab.set(150);
    let second = lab.drive(vec![("s/q", Does::Thinks(0)), ("s/m", way(Way::Wait)), ("s/q", YES)]);
    assert_eq!(second.ending, Ending::Finished);
    let [(decision, reason)] = &lab.decided()[..] else { panic!("{:?}", lab.decided()) };
    assert!(decision == "inconclusive" && reason.contains("not measured for 2h0"), "{reason}");
    assert!(second.asked[1].prompt.contains("not measured for 2h0"), "{:?}", second.asked);
}

#[test]
fn taken_up_after_its_time_it_is_decided_by_what_was_seen() {
    let lab = lab(WHOLE);
    let mut first = vec![("s/a", text("v1.2.4"))];
    first.extend(leaves(30));
    lab.drive(first);
    lab.set(600);
    let second = lab.drive(vec![("s/q", Does::Thinks(0)), ("s/m", way(Way::Wait)), ("s/q", YES)]);
    assert_eq!(second.ending, Ending::Finished);
    assert_eq!(lab.gaps().len(), 1);
    let [(decision, reason)] = &lab.decided()[..] else { panic!("{:?}", lab.decided()) };
    assert!(
        decision == "inconclusive" && reason.contains("not measured for 3h") && reason.contains(" of 4h00m"),
        "{reason}"
    );

    // Seen to its end, or nearly: it is decided without a question.
    let lab = self::lab(WHOLE);
    let mut first = vec![("s/a", text("v1.2.4"))];
    first.extend(leaves(235));
    lab.drive(first);
    lab.set(600);
    assert_eq!(lab.drive(vec![("s/q", at(600, YES))]).ending, Ending::Finished);
    assert_eq!(lab.decided()[0].0, "pass", "{:?}", lab.decided());
    // Once decided it is not begun again.
    assert_eq!(lab.decided().len(), 1);
}

#[test]
fn a_limit_counts_what_failed_before_an_interruption() {
    let lab = lab("failure_limit: 20, run: 'test ! -e $T/broken', success_condition: 'exit_code == 0'");
    std::fs::write(lab.path("broken"), "").unwrap();
    let mut first = vec![("s/a", text("v1.2.4"))];
    first.push(("s/q", at(10, ctrl_c())));
    lab.drive(first);
    assert_eq!(lab.decided(), []);
    let second = lab.drive(vec![("s/q", Does::Thinks(0)), ("s/m", way(Way::Rollback)), ("rollback", text("v1.2.3"))]);
    assert_eq!(second.ending, Ending::RolledBack);
    let [(decision, reason)] = &lab.decided()[..] else { panic!("{:?}", lab.decided()) };
    assert!(decision == "fail" && reason.contains("21 failed, more than the 20 allowed"), "{reason}");
    let run = std::fs::read_dir(lab.path(".git/hotfix/runs")).unwrap().next().unwrap().unwrap().path();
    let readings = std::fs::read_to_string(run.join("samples.jsonl")).unwrap().lines().count();
    assert_eq!(readings, 21, "of both processes together");
    assert!(lab.path("undone").exists());
}

#[test]
fn a_machine_that_sleeps_while_a_command_runs_makes_no_timeout_of_it() {
    // What measures every nine hours has the clock leap by them.
    let lab = Lab::new(
        "name: lab\nversion: 1\nstages:\n  - id: s\n    steps:\n      \
         - {id: m, monitor: {for: 40h, background: true, probes: [{name: p, interval: 9h, initial_delay: 9h, run: 'touch $T/leapt'}]}}\n      \
         - {id: a, timeout: 10m, run: 'while [ ! -e $T/leapt ]; do sleep 0.01; done; echo over'}\n",
        0,
    );
    assert_eq!(lab.drive(vec![]).ending, Ending::Finished);
    let took = lab.events().into_iter().find_map(|event| match event {
        Event::StepDone { step, result, .. } if step == "s/a" => Some(result["exit_code"].clone()),
        _ => None,
    });
    assert_eq!(took, Some(0.into()));
    let failed = |event: &Event| matches!(event, Event::StepFailed { .. });
    assert!(!lab.events().iter().any(failed));
}
