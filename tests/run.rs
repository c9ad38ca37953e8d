//! The run as a fold: failed at each step in turn and cut off behind each record, it comes to the same end.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use hotfix::clock::Timestamp;
use hotfix::event::{Event, Record};
use hotfix::operator::{Answer, Purpose};
use hotfix::run::{
    Courses, Next, Outline, Phase, Reach, Repeat, Run, Shows, StageOutline, Status, StepOutline, Trigger, Undo,
};

fn step(key: &str, reach: Reach, undo: Undo) -> StepOutline {
    let course = if key.starts_with("rollback/") { Courses::Both } else { Courses::Forward };
    StepOutline { key: key.into(), reach, undo, repeat: Repeat::Once, course, shows: Shows::Nothing, group: None }
}

fn outline() -> Outline {
    let stage = |id: &str, trigger, steps| StageOutline { id: id.into(), trigger, steps };
    let plain = |key| step(key, Reach::Elsewhere, Undo::None);
    let stages = vec![
        stage("test", Trigger::Forward, vec![plain("test/unit"), plain("test/security")]),
        stage("staging", Trigger::Forward, vec![step("staging/deploy", Reach::Elsewhere, Undo::Given)]),
        stage(
            "deploy",
            Trigger::Forward,
            vec![
                step("deploy/blue", Reach::Production, Undo::Given),
                plain("deploy/health"),
                step("deploy/switch", Reach::Production, Undo::Given),
            ],
        ),
        stage("rollback", Trigger::Rollback, vec![plain("rollback/validate")]),
        stage("follow-up", Trigger::Forward, vec![plain("follow-up/review")]),
    ];
    Outline { stages }
}

fn undone(step: String) -> Event {
    Event::UndoDone { step, along_with: None, by_hand: None }
}

/// Drives a run as an engine would, keeping the records and counting what was run.
struct Driver {
    run: Run,
    records: Vec<Record>,
    calls: BTreeMap<String, u32>,
    fail_once: Option<String>,
}

impl Driver {
    fn new() -> Self {
        let mut driver = Self { run: Run::new(outline()), records: vec![], calls: BTreeMap::new(), fail_once: None };
        driver.commit(Event::RunStarted {
            program: "0".into(),
            format: hotfix::event::FORMAT,
            runbook: String::new(),
            vars: BTreeMap::new(),
            environment: BTreeMap::new(),
            incident_began: None,
            warnings: vec![],
        });
        driver
    }

    /// What is left after the program was killed behind the record `records - 1`.
    fn cut(&self, records: usize) -> Self {
        let mut run = Run::new(outline());
        self.records[..records].iter().for_each(|record| run.apply(record));
        Self { run, records: self.records[..records].to_vec(), calls: BTreeMap::new(), fail_once: None }
    }

    fn commit(&mut self, event: Event) {
        self.run.may(&event).unwrap();
        let seq = self.records.len() as u64;
        let (run, by, host, prev) = Default::default();
        let record = Record { seq, at: Timestamp::from_millis(0), run, by, host, event, prev };
        self.run.apply(&record);
        self.records.push(record);
    }

    fn call(&mut self, step: String) {
        let attempt = self.run.step(&step).attempts + 1;
        let (what, evidence, result, set) = Default::default();
        self.commit(Event::StepStarted { step: step.clone(), attempt, what, evidence });
        *self.calls.entry(step.clone()).or_default() += 1;
        let (reason, message) = ("exit".into(), "1".into());
        if self.fail_once.take_if(|fail| *fail == step).is_some() {
            self.commit(Event::StepFailed { step, attempt, reason, message, again: false });
        } else {
            self.commit(Event::StepDone { step, attempt, result, set });
        }
    }

    /// Goes on to the end, or until `limit` more moves are made. A step whose end is unknown is not run again: it is
    /// looked at and said to be done.
    fn go(&mut self) {
        for _ in 0..200 {
            match self.run.next() {
                Next::OpenStage(stage) => self.commit(Event::StageStarted { stage }),
                Next::CloseStage(stage) => self.commit(Event::StageFinished { stage }),
                Next::Step(step) | Next::Decide(step) => self.call(step),
                Next::Unknown(step) => self.commit(Event::StepDoneByHand { step, note: None }),
                Next::Undo(step) => {
                    self.commit(Event::UndoStarted {
                        step: step.clone(),
                        what: String::new(),
                        identity: String::new(),
                    });
                    self.commit(undone(step));
                }
                Next::UndoUnknown(step) => self.commit(undone(step)),
                Next::RolledBack => self.commit(Event::RunRolledBack { to: "v1.2.3".into() }),
                Next::Finish => self.commit(Event::RunFinished {}),
                Next::Turn { .. } | Next::Incomplete | Next::Over => return,
            }
        }
        panic!("it does not come to an end: {:?}", self.run.next());
    }

    fn roll_back(&mut self) {
        self.commit(Event::RollbackStarted { to: "v1.2.3".into(), reason: None, blind: false });
    }

    fn undone(&self) -> Vec<&str> {
        let undone = |record: &'_ Record| matches!(record.event, Event::UndoStarted { .. });
        let started = self.records.iter().filter(|record| undone(record));
        started
            .map(|record| match &record.event {
                Event::UndoStarted { step, .. } => step.as_str(),
                _ => unreachable!(),
            })
            .collect()
    }
}

fn keys() -> Vec<String> {
    outline().stages.into_iter().flat_map(|stage| stage.steps).map(|step| step.key).collect()
}

#[test]
fn each_step_failed_in_turn_and_tried_again_the_run_comes_to_the_same_end() {
    for failing in keys() {
        let mut driver = Driver::new();
        driver.fail_once = Some(failing.clone());
        driver.go();
        assert_eq!(driver.run.phase(), Phase::Finished, "{failing}");
        for key in keys() {
            assert_eq!(driver.calls[&key], if key == failing { 2 } else { 1 }, "{failing}: {key}");
        }
    }
}

#[test]
fn cut_off_behind_each_record_the_run_comes_to_the_same_end_and_runs_no_step_twice() {
    let mut whole = Driver::new();
    whole.go();
    for records in 1..=whole.records.len() {
        let mut before = BTreeMap::<String, u32>::new();
        for record in &whole.records[..records] {
            if let Event::StepStarted { step, .. } = &record.event {
                *before.entry(step.clone()).or_default() += 1;
            }
        }
        let mut rest = whole.cut(records);
        rest.go();
        assert_eq!(rest.run.phase(), Phase::Finished);
        for key in keys() {
            let calls = before.get(&key).unwrap_or(&0) + rest.calls.get(&key).unwrap_or(&0);
            assert_eq!(calls, 1, "cut behind {records} records: {key}");
        }
    }
}

#[test]
fn rolled_back_behind_each_record_it_undoes_what_began_production_first_last_first() {
    let mut whole = Driver::new();
    whole.go();
    for records in 1..=whole.records.len() {
        let mut back = whole.cut(records);
        let began = |key: &str| back.run.step(key).began.is_some();
        let order = ["deploy/switch", "deploy/blue", "staging/deploy"];
        let expected: Vec<&str> = order.into_iter().filter(|key| began(key)).collect();
        let touched = began("deploy/blue");
        back.roll_back();
        back.go();
        assert_eq!(back.undone(), expected, "behind {records} records");
        assert_eq!(back.calls.contains_key("rollback/validate"), touched, "behind {records} records");
        assert_eq!(back.run.phase(), Phase::Finished);
        assert!(back.records.iter().any(|record| matches!(record.event, Event::RunRolledBack { .. })));
    }
}

#[test]
fn a_rollback_cut_off_behind_each_record_goes_on_back_and_never_forward() {
    let mut whole = Driver::new();
    whole.go();
    let deployed =
        whole.records.iter().position(|r| matches!(&r.event, Event::StepDone { step, .. } if step == "deploy/switch"));
    let mut back = whole.cut(deployed.unwrap());
    back.roll_back();
    let from = back.records.len();
    back.go();
    for records in from..=back.records.len() {
        let mut rest = back.cut(records);
        rest.go();
        assert_eq!(rest.run.phase(), Phase::Finished);
        let forward = rest.calls.keys().find(|key| key.starts_with("deploy/") || key.starts_with("test/"));
        assert_eq!(forward, None, "behind {records} records");
        let undone = rest.undone();
        assert_eq!(undone.iter().collect::<std::collections::BTreeSet<_>>().len(), undone.len(), "{undone:?}");
    }
}

#[test]
fn a_step_that_failed_or_was_left_out_counts_as_its_effect_does() {
    let mut driver = Driver::new();
    driver.fail_once = Some("deploy/blue".into());
    while driver.run.next() != Next::Decide("deploy/blue".into()) {
        match driver.run.next() {
            Next::OpenStage(stage) => driver.commit(Event::StageStarted { stage }),
            Next::CloseStage(stage) => driver.commit(Event::StageFinished { stage }),
            Next::Step(step) if step == "staging/deploy" => {
                driver.commit(Event::StepSkipped { step, reason: "down".into() });
            }
            Next::Step(step) => driver.call(step),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(driver.run.undo_plan(), ["deploy/blue"]);
    assert!(driver.run.touched_production());
}

#[test]
fn what_may_not_follow_is_refused() {
    let mut driver = Driver::new();
    let may = |driver: &Driver, event| driver.run.may(&event).is_ok();
    let started = |key: &str, attempt| Event::StepStarted {
        step: key.into(),
        attempt,
        what: String::new(),
        evidence: serde_json::Map::new(),
    };
    assert!(!may(&driver, started("test/unit", 1)), "its stage is not open");
    assert!(!may(&driver, Event::RunFinished {}), "nothing has been done");
    assert!(!may(&driver, undone("deploy/blue".into())), "no rollback is under way");
    driver.commit(Event::StageStarted { stage: "test".into() });
    assert!(!may(&driver, started("deploy/switch", 1)), "out of turn");
    assert!(!may(&driver, started("test/unit", 2)), "there was no first attempt");
    driver.go();
    assert!(!may(&driver, Event::resumed()), "it is over");
    assert!(!may(&driver, Event::RunDeclined { reason: String::new() }), "it is over");
    assert!(may(&driver, Event::NoteAdded { text: "x".into() }), "a note is always welcome");
    driver.roll_back();
    assert_eq!(driver.run.phase(), Phase::Back, "a finished run can be taken back");
    assert!(!may(&driver, Event::RunDeclined { reason: String::new() }), "production has been touched");
}

#[test]
fn an_answer_counts_once_what_it_led_to_is_on_the_record() {
    let mut driver = Driver::new();
    driver.commit(Event::StageStarted { stage: "test".into() });
    let answer = |purpose| {
        let (step, question, answer) = ("test/unit".to_owned(), "?".to_owned(), Answer::Text("v1.2.4".into()));
        Event::PromptAnswered { step, purpose, question, answer }
    };
    driver.commit(answer(Purpose::Production));
    driver.commit(Event::resumed());
    assert_eq!(driver.run.step("test/unit").answers, 0, "nothing came of it: it is asked for again");
    driver.commit(answer(Purpose::Production));
    driver.call("test/unit".into());
    assert_eq!(driver.run.step("test/unit").answers, 1);
}

#[test]
fn a_step_that_always_runs_runs_again_on_resume_and_the_rest_does_not() {
    let mut outline = outline();
    outline.stages[0].steps[0].repeat = Repeat::EveryResume;
    let mut driver = Driver { run: Run::new(outline), records: vec![], calls: BTreeMap::new(), fail_once: None };
    driver.commit(Event::RunStarted {
        program: "0".into(),
        format: hotfix::event::FORMAT,
        runbook: String::new(),
        vars: BTreeMap::new(),
        environment: BTreeMap::new(),
        incident_began: None,
        warnings: vec![],
    });
    while driver.run.next() != Next::OpenStage("staging".into()) {
        match driver.run.next() {
            Next::OpenStage(stage) => driver.commit(Event::StageStarted { stage }),
            Next::CloseStage(stage) => driver.commit(Event::StageFinished { stage }),
            Next::Step(step) => driver.call(step),
            other => panic!("{other:?}"),
        }
    }
    driver.commit(Event::resumed());
    assert_eq!(driver.run.next(), Next::Step("test/unit".into()));
    driver.go();
    assert_eq!((driver.calls["test/unit"], driver.calls["test/security"]), (2, 1));
    assert_eq!(driver.run.step("test/unit").status, Status::Done);
}
