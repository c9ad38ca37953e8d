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

    fn samples(&self) -> Vec<serde_json::Value> {
        let run = std::fs::read_dir(self.path(".git/hotfix/runs")).unwrap().next().unwrap().unwrap().path();
        let samples = std::fs::read_to_string(run.join("samples.jsonl")).unwrap();
        samples.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
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
    // How long both processes took for a command has passed on this clock too.
    let told = |text: &str| ["1h5", "2h0"].iter().any(|long| text.contains(&format!("not measured for {long}")));
    assert!(decision == "inconclusive" && told(reason), "{reason}");
    assert!(told(&second.asked[1].prompt), "{:?}", second.asked);
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
    let asked = &second.asked[1].prompt;
    assert!(
        asked.starts_with("Whether production is well is undecided, says s/m:\nwhole: not measured for 3h"),
        "{asked}"
    );
    assert!(asked.ends_with("Its time is up: it watches no more. Roll back, or go on without it?"), "{asked}");
    let said = |text: &str| second.heard.iter().any(|line| line.contains(text));
    assert!(said("s/m watches no more: its time is up.") && !said("goes on watching"), "{:?}", second.heard);

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
fn what_cannot_be_measured_is_not_called_bad_and_what_fails_is() {
    for (probe, what) in [
        // Nobody listens there.
        (
            "consecutive_error_limit: 0, http: 'http://127.0.0.1:9/'",
            "Production cannot be measured, so whether it is well is not known",
        ),
        ("run: 'false', success_condition: 'exit_code == 0'", "Production is not as it should be"),
        (
            "run: 'false', success_condition: 'exit_code == 0', failure_condition: 'exit_code == 2'",
            "Whether production is well is undecided",
        ),
    ] {
        let lab = lab(probe);
        let driven =
            lab.drive(vec![("s/a", text("v1.2.4")), ("s/q", Does::Thinks(0)), ("s/m", way(Way::Wait)), ("s/q", YES)]);
        let asked = &driven.asked[2].prompt;
        assert!(asked.starts_with(&format!("{what}, says s/m:\nwhole: ")), "{asked}");
        assert!(asked.ends_with("Roll back, or go on watching?"), "{asked}");
        assert!(driven.heard.iter().any(|line| line.contains("s/m goes on watching")), "{:?}", driven.heard);
    }
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
    let decided = lab.journal().lines().find(|line| line.contains("gate.decided")).map(|line| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        record["at"].as_str().unwrap().to_owned()
    });
    // Of both processes together; behind that it is only looked whether it recovers.
    let readings =
        lab.samples().into_iter().filter(|reading| Some(reading["at"].as_str().unwrap()) <= decided.as_deref());
    // The first of those may come in the same moment.
    assert!((21..=22).contains(&readings.count()));
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

/// Production is touched and is watched, and is as `state` says.
fn watched(more: &str, steps: &str) -> Lab {
    let lab = Lab::new(
        &format!(
            "name: lab\nversion: 1\nstages:\n  - id: s\n    steps:\n      - {{id: a, affects: production, run: 'true', undo: {{run: 'touch $T/undone'}}}}\n      \
             - {{id: m, monitor: {{for: 40h, background: true, {more}probes: [{{name: p, interval: 1m, run: 'test ! -e $T/broken', success_condition: 'exit_code == 0'}}]}}}}\n{steps}"
        ),
        0,
    );
    std::fs::write(lab.path("broken"), "").unwrap();
    lab
}

#[test]
fn a_breach_whose_question_goes_with_the_command_under_it_is_asked_at_the_next_and_before_the_end() {
    let lab = watched("", "      - {id: slow, run: 'while [ ! -e $T/asked ]; do sleep 0.01; done'}\n");
    let plan = vec![
        ("s/a", text("v1.2.4")),
        // The question is up, and the command under it ends.
        ("s/m", Does::Touches(lab.path("asked"))),
        ("s/m", way(Way::Rollback)),
        ("rollback", text("v1.2.3")),
    ];
    assert_eq!(lab.drive(plan).ending, Ending::RolledBack);
    assert!(lab.path("undone").exists());
}

#[test]
fn a_breach_that_nobody_answered_is_asked_by_whoever_takes_the_run_up() {
    let lab = watched("", "      - {id: q, confirm: 'Is it well?'}\n");
    let first = lab.drive(vec![("s/a", text("v1.2.4")), ("s/q", Does::Thinks(0)), ("s/m", ctrl_c())]);
    assert_eq!(first.ending, Ending::Signal(Signal::Int));
    // Production is whole again, and still it is asked about what was seen.
    std::fs::remove_file(lab.path("broken")).unwrap();
    let second = lab.drive(vec![("s/q", Does::Thinks(0)), ("s/m", way(Way::Wait)), ("s/q", YES)]);
    assert_eq!(second.ending, Ending::Finished);
    assert!(second.asked[1].prompt.contains("1 failed, more than the 0 allowed"), "{:?}", second.asked[1]);
    assert_eq!(lab.decided().len(), 1);

    let lab = watched("on_breach: rollback, ", "      - {id: q, confirm: 'Is it well?'}\n");
    let ended = lab.drive(vec![("s/a", text("v1.2.4")), ("s/q", Does::Thinks(0))]);
    assert_eq!(ended.ending, Ending::RolledBack);
    // Cut off behind what the gate came to, it is taken back by whoever takes the run up.
    lab.cut_behind("gate.decided");
    std::fs::remove_file(lab.path("undone")).unwrap();
    let again = lab.drive(vec![("s/q", Does::Thinks(0))]);
    assert_eq!(again.ending, Ending::RolledBack);
    assert!(lab.path("undone").exists(), "{:?}", again.heard);
}

#[test]
fn while_somebody_is_asked_it_is_measured_on_and_no_gap_is_made() {
    let lab = watched("", "      - {id: q, confirm: 'Is it well?'}\n");
    let plan = vec![
        ("s/a", text("v1.2.4")),
        ("s/q", Does::Thinks(0)),
        ("s/m", at(60, way(Way::Wait))),
        // What was measured meanwhile does not count against it: it bears three readings, and asks again then.
        ("s/m", way(Way::Rollback)),
        ("rollback", text("v1.2.3")),
    ];
    let plan = plan.into_iter().flat_map(|(step, does)| match (step, &does) {
        ("s/m", Does::At(..)) => vec![(step, does), ("s/q", Does::Thinks(0))],
        _ => vec![(step, does)],
    });
    let driven = lab.drive(plan.collect());
    assert_eq!(driven.ending, Ending::RolledBack);
    assert_eq!(lab.gaps(), []);
    let readings = lab.samples().len();
    assert!(readings > 55, "{readings} readings in an hour");
    assert!(lab.decided()[1].1.contains("3 failed"), "{:?}", lab.decided());
    // It has been wrong since the beginning, whatever was answered meanwhile.
    let since = format!("since {}", hotfix::clock::Timestamp::from_millis(START).local_time());
    let asked: Vec<_> = driven.asked.iter().filter(|question| question.step == "s/m").collect();
    assert!(asked.len() == 2 && asked.iter().all(|question| question.prompt.contains(&since)), "{asked:?}");
}

#[test]
fn a_clock_that_is_set_back_silences_no_probe() {
    let lab = lab(WHOLE);
    let back = Does::Sleeps(-120, Box::new(at(-80, ctrl_c())));
    lab.drive(vec![("s/a", text("v1.2.4")), ("s/q", at(10, back))]);
    assert!(lab.samples().len() > 35, "{:?}", lab.samples());
}
