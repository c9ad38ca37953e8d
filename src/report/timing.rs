//! How long things took.

use serde::Serialize;

use super::Source;
use super::book::Book;
use crate::clock::Timestamp;
use crate::event::Event;
use crate::template::Length;
use crate::vars::Values;

/// One time through a stage. A stage may be gone through again on the way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct StageTime {
    pub(super) stage: String,
    pub(super) title: String,
    pub(super) began: Timestamp,
    pub(super) ended: Option<Timestamp>,
    pub(super) seconds: Option<u64>,
    pub(super) budget_seconds: Option<u64>,
    pub(super) over_seconds: Option<u64>,
}

pub(super) fn stages(source: &Source<'_>) -> Vec<StageTime> {
    let book = Book::of(source);
    let mut times: Vec<StageTime> = Vec::new();
    for record in source.records {
        match &record.event {
            Event::StageStarted { stage } => {
                let budget = book.stage(stage).and_then(|stage| stage.budget.as_ref()).and_then(fixed);
                times.push(StageTime {
                    stage: stage.clone(),
                    title: book.stage_title(stage),
                    began: record.at,
                    ended: None,
                    seconds: None,
                    budget_seconds: budget,
                    over_seconds: None,
                });
            }
            Event::StageFinished { stage } => {
                let open = times.iter_mut().rev().find(|time| time.stage == *stage && time.ended.is_none());
                if let Some(time) = open {
                    let seconds = record.at.since(time.began).as_secs();
                    time.ended = Some(record.at);
                    time.seconds = Some(seconds);
                    time.over_seconds = time.budget_seconds.and_then(|budget| seconds.checked_sub(budget));
                    time.over_seconds = time.over_seconds.filter(|over| *over > 0);
                }
            }
            _ => {}
        }
    }
    times
}

/// A budget with something to work out in it is not known here.
pub(super) fn fixed(budget: &Length) -> Option<u64> {
    budget.resolve(&Values::default()).ok().map(|budget| budget.as_secs())
}
