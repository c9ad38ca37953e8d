//! What must hold whatever died when.

use std::collections::{BTreeMap, BTreeSet};

use hotfix::event::Event;
use hotfix::operator::{Answer, Purpose, Way};

use crate::life::Deeds;
use crate::record::Call;
use crate::world::{World, said, stem};

/// The steps that run a script, with the most times each is tried again unasked.
const SCRIPTS: [(&str, u32); 11] = [
    ("make/quick", 0),
    ("make/slow", 0),
    ("make/flaky", 2),
    ("make/asked", 0),
    ("make/late", 1),
    ("make/edit", 0),
    ("make/turns/x", 0),
    ("release/deploy", 0),
    ("release/boom", 0),
    ("release/last", 0),
    ("back/validate", 0),
];

/// What is known of one step, or of one undo, at a place in the journal.
#[derive(Debug, Default)]
struct Known {
    attempt: u32,
    /// Why the attempt after this one may begin.
    may_begin: bool,
    /// How often it was tried again unasked since a person last said something.
    unasked: u32,
    /// The last answer about it, until something comes of it.
    answered: Option<Way>,
    /// Whether an undo failed, so that the next resume tries it again.
    left: bool,
}

struct Check<'a> {
    calls: &'a [Call],
    deeds: &'a Deeds,
    known: BTreeMap<String, Known>,
}

/// Sees that the journal and what the scripts say of themselves agree, and that the journal is whole.
#[track_caller]
pub(crate) fn check(world: &World, deeds: &Deeds) {
    // The scripts first: whatever they say by now was announced before.
    let calls = world.calls();
    let records = world.records();
    let mut check = Check { calls: &calls, deeds, known: BTreeMap::new() };
    records.iter().for_each(|record| check.record(&record.event));
    check.announced(&records.iter().map(|record| &record.event).collect::<Vec<_>>());
    if world.run_dir().is_some() {
        let verified = world.hotfix(&["verify"]).output().unwrap();
        assert_eq!(verified.status.code(), Some(0), "verify: {}", said(&verified));
    }
}

impl Check<'_> {
    fn call(&self, key: &str, attempt: u32) -> Option<&Call> {
        self.calls.iter().find(|call| call.key == key && call.attempt == attempt)
    }

    fn end(&self, key: &str, attempt: u32) -> Option<i32> {
        self.call(key, attempt).and_then(|call| call.end)
    }

    fn is_script(key: &str) -> bool {
        let plain = hotfix::run::plain(key);
        key.starts_with("undo:") || SCRIPTS.iter().any(|(name, _)| *name == plain)
    }

    fn of(&mut self, key: &str) -> &mut Known {
        self.known.entry(key.to_owned()).or_default()
    }

    /// No script begins that was not announced, and none twice for one attempt.
    fn announced(&self, events: &[&Event]) {
        let mut begun = BTreeSet::new();
        for event in events {
            match event {
                Event::StepStarted { step, attempt, .. } => _ = begun.insert((step.clone(), *attempt)),
                Event::UndoStarted { step, .. } => {
                    let key = format!("undo:{step}");
                    let attempt = begun.iter().filter(|(other, _)| *other == key).count() + 1;
                    begun.insert((key, u32::try_from(attempt).unwrap()));
                }
                _ => {}
            }
        }
        for call in self.calls {
            let announced = begun.remove(&(call.key.clone(), call.attempt));
            assert!(announced, "it began twice, or was never announced: {call:?}");
        }
    }

    fn record(&mut self, event: &Event) {
        match event {
            Event::StepStarted { step, attempt, .. } => self.begins(step, *attempt),
            Event::UndoStarted { step, .. } => {
                let key = format!("undo:{step}");
                let attempt = self.of(&key).attempt + 1;
                self.begins(&key, attempt);
            }
            Event::PromptAnswered { step, purpose, answer, .. } => self.answered(step, *purpose, answer),
            Event::StepInterrupted { step, attempt, .. } => self.interrupted(step, *attempt),
            Event::StepFailed { step, attempt, reason, message, again } => {
                self.failed(step, *attempt, &(reason.clone() + ": " + message));
                let known = self.of(step);
                known.may_begin = *again;
                known.unasked += u32::from(*again);
                let (unasked, plain) = (known.unasked, hotfix::run::plain(step));
                let most = SCRIPTS.iter().find(|(name, _)| *name == plain).map_or(0, |(_, most)| *most);
                assert!(unasked <= most, "{step} was tried again unasked {unasked} times, and {most} are allowed");
            }
            Event::StepDone { step, attempt, result, .. } if Self::is_script(step) => {
                if result.get("done_if").is_some() {
                    let happened = self.calls.iter().any(|call| call.key == *step && call.end.is_some());
                    assert!(happened, "{step} was found done and never was");
                } else {
                    assert_eq!(result["exit_code"], 0, "{step}");
                    assert_eq!(self.end(step, *attempt), Some(0), "{step} is done, and its script does not say so");
                }
            }
            Event::StepDoneByHand { step, .. } => {
                assert_eq!(self.of(step).answered, Some(Way::Done), "{step} was done by nobody");
            }
            Event::StepSkipped { step, .. } => assert_eq!(step, "release/boom"),
            Event::UndoDone { step, along_with: None, by_hand: None } => {
                let key = format!("undo:{step}");
                let attempt = self.of(&key).attempt;
                assert_eq!(self.end(&key, attempt), Some(0), "{key} is done, and its script does not say so");
            }
            Event::UndoFailed { step, message } => {
                let key = format!("undo:{step}");
                let attempt = self.of(&key).attempt;
                if attempt > 0 {
                    self.failed(&key, attempt, message);
                }
                self.of(&key).left = true;
                self.of(step).left = true;
            }
            Event::RunResumed { .. } => {
                for known in self.known.values_mut().filter(|known| known.left) {
                    known.left = false;
                    known.may_begin = true;
                }
            }
            _ => {}
        }
    }

    fn begins(&mut self, key: &str, attempt: u32) {
        let never_began = self.call(key, attempt.saturating_sub(1)).is_none();
        let script = Self::is_script(key);
        let known = self.of(key);
        assert_eq!(attempt, known.attempt + 1, "{key}");
        let undo_that_never_began = key.starts_with("undo:") && never_began;
        let allowed = attempt == 1 || !script || known.may_begin || undo_that_never_began;
        assert!(allowed, "{key} begins for the {attempt}. time, and nothing says why");
        *known = Known { attempt, unasked: known.unasked, ..Known::default() };
    }

    fn answered(&mut self, step: &str, purpose: Purpose, answer: &Answer) {
        let undo = purpose == Purpose::Undo && !step.starts_with("back/");
        let key = if undo { format!("undo:{step}") } else { step.to_owned() };
        if purpose == Purpose::Unknown {
            let stem = stem(&key, self.of(&key).attempt);
            assert!(self.deeds.bereft.contains(&stem), "{key} was asked about, and its end was there to be known");
        }
        if let Answer::Way { way, .. } = answer {
            let known = self.of(&key);
            known.answered = Some(*way);
            known.may_begin = matches!(way, Way::Retry | Way::Again);
            known.unasked = 0;
        }
    }

    fn interrupted(&mut self, step: &str, attempt: u32) {
        let never_began = self.call(step, attempt).is_none();
        let known = self.of(step);
        let said_again = known.answered == Some(Way::Again);
        assert!(never_began || said_again, "{step} had begun, and nobody said that it may begin again");
        known.may_begin = true;
    }

    /// No end is made up: a code is the script's own, a signal was sent, and what is lost had its supervisor killed.
    fn failed(&self, key: &str, attempt: u32, why: &str) {
        let stem = stem(key, attempt);
        let first = why.lines().next().unwrap_or_default();
        if let Some((_, code)) = first.split_once("ended with exit code ") {
            assert_eq!(self.end(key, attempt), code.parse().ok(), "{key}: the script says otherwise");
        } else if first.contains("ended by signal") {
            assert!(first.ends_with("signal 9") && self.deeds.signalled.contains(&stem), "{key}: nobody sent {first}");
        } else if first.contains("nobody knows how") {
            assert!(self.deeds.bereft.contains(&stem), "{key}: nothing was killed, and {first}");
        } else if first.starts_with("stopped: ") {
            assert!(self.deeds.rolled_back, "{key}: nobody stopped it");
        } else {
            panic!("{key} failed, which was not planned: {why}");
        }
    }
}
