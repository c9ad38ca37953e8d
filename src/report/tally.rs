//! How a run went, in numbers: what a drill is scored by.

use std::time::Duration;

use super::Source;
use super::attention::{Attention, LEFT, STILL_THERE, attention};
use super::book::Book;
use super::incident::status_words;
use crate::event::Event;
use crate::run::{Run, Status, Trigger};

/// How a run went, in numbers. Groups are not counted, their steps are, each turn by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How it stands, in words.
    pub result: String,
    /// From the beginning of the incident until it was mitigated: production validated on the new version, or back on the old one.
    pub to_mitigate: Option<Duration>,
    /// Steps that succeeded.
    pub done: usize,
    /// Steps that a person did.
    pub by_hand: usize,
    /// Steps that a person left out.
    pub skipped: usize,
    /// Steps that were left out by a condition, or because the undos had restored production already.
    pub not_needed: usize,
    /// Attempts that failed.
    pub failed: usize,
    /// What is left to a person: undos that failed, and what a rollback leaves in git.
    pub left: Vec<String>,
}

/// Counts what the records of `source` tell.
#[must_use]
pub fn tally(source: &Source<'_>) -> Tally {
    let run = source.run();
    let book = Book::of(source);
    let mut tally = Tally {
        result: status_words(source.records, run.phase()),
        to_mitigate: run.mitigated().zip(run.incident_began()).map(|(at, began)| at.since(began)),
        left: left(source, &run),
        ..Tally::default()
    };
    let own = |key: &str| run.outline().stages.iter().find(|stage| key.split('/').next() == Some(&stage.id));
    let restored = |key: &str| {
        let production = run.outline().step(key).is_some_and(|step| step.reach.is_production());
        production && own(key).is_some_and(|stage| stage.trigger == Trigger::Rollback)
    };
    let is_group = |key: &str| run.outline().step(key).is_some_and(|step| step.group.is_some());
    for (_, state) in run.steps().iter().filter(|(key, _)| !is_group(key)) {
        match state.status {
            Status::Done => tally.done += 1,
            Status::DoneByHand => tally.by_hand += 1,
            _ => {}
        }
    }
    for record in source.records {
        match &record.event {
            Event::StepFailed { .. } => tally.failed += 1,
            Event::StepSkipped { step, .. } if is_group(step) || run.step(step).status != Status::Skipped => {}
            Event::StepSkipped { step, reason } if book.is_condition(step, reason) || restored(step) => {
                tally.not_needed += 1;
            }
            Event::StepSkipped { .. } => tally.skipped += 1,
            _ => {}
        }
    }
    tally
}

fn left(source: &Source<'_>, run: &Run) -> Vec<String> {
    let is_left = |one: &Attention| matches!(one.what, LEFT | STILL_THERE);
    attention(source, run).into_iter().filter(is_left).map(|one| one.text).collect()
}
