//! How long things took.

use serde::Serialize;

use super::Source;
use super::book::Book;
use super::status::rolled_back;
use crate::clock::Timestamp;
use crate::event::Event;
use crate::run::{Courses, Outline, Phase, Reach, Run, Status, StepOutline};
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
fn fixed(budget: &Length) -> Option<u64> {
    budget.resolve(&Values::default()).ok().map(|budget| budget.as_secs())
}

/// When production was well again: it was rolled back and validated, or nothing that affects production was left ahead and
/// the stage of the last step that did was over, which ends with its validation.
pub(super) fn mitigated(source: &Source<'_>, run: &Run) -> Option<Timestamp> {
    if let Some(at) = rolled_back(source.records) {
        return Some(at);
    }
    let outline = run.outline();
    let ahead = run.phase() != Phase::Finished && production_ahead(outline, run);
    if run.phase() == Phase::Back || ahead {
        return None;
    }
    let touches = |key: &str| outline.step(key).is_some_and(|step| step.reach == Reach::Production);
    let mut deployed = None;
    for record in source.records {
        match &record.event {
            Event::StepDone { step, .. } | Event::StepDoneByHand { step, .. } if touches(step) => {
                deployed = step.split('/').next().map(|stage| (stage, None));
            }
            Event::StageFinished { stage } => {
                if let Some((last, at)) = &mut deployed
                    && last == stage
                {
                    at.get_or_insert(record.at);
                }
            }
            _ => {}
        }
    }
    deployed.and_then(|(_, at)| at)
}

fn production_ahead(outline: &Outline, run: &Run) -> bool {
    let mut forward = outline.stages.iter().flat_map(|stage| &stage.steps).filter(|step| step.course != Courses::Back);
    forward.any(|step| touches_production(step) && !is_behind(run.step(&step.key).status))
}

fn touches_production(step: &StepOutline) -> bool {
    step.reach == Reach::Production || step.group.as_ref().is_some_and(|inner| inner.iter().any(touches_production))
}

fn is_behind(status: Status) -> bool {
    matches!(status, Status::Done | Status::DoneByHand | Status::Skipped)
}
