//! Whether a record may follow: the one place that decides it.

use super::{Next, Phase, Run, Status, UndoStatus};
use crate::event::Event;

/// Why a record may not follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{event}` cannot follow: {why}")]
pub struct Illegal {
    event: &'static str,
    why: String,
}

fn rule(event: &'static str, allowed: bool, why: &str) -> Result<(), Illegal> {
    if allowed { Ok(()) } else { Err(Illegal { event, why: why.to_owned() }) }
}

impl Run {
    /// Whether `event` may be the next record.
    ///
    /// # Errors
    /// [`Illegal`], which says why not.
    pub fn may(&self, event: &Event) -> Result<(), Illegal> {
        let active = matches!(self.phase, Phase::Forward | Phase::Back | Phase::RolledBack);
        match event {
            Event::RunStarted { .. } => rule("run.started", self.records == 0, "a run starts once"),
            _ if self.records == 0 => rule("any other record", false, "the run has not started"),
            Event::NoteAdded { .. } => Ok(()),
            Event::PromptAnswered { .. } => {
                rule("prompt.answered", self.phase != Phase::Declined, "the run was declined")
            }
            Event::RollbackStarted { .. } => {
                rule("rollback.started", self.phase != Phase::Declined, "the run was declined before anything began")
            }
            _ if !active => rule("any other record", false, "the run is over"),
            Event::StepStarted { .. }
            | Event::StepDone { .. }
            | Event::StepFailed { .. }
            | Event::StepInterrupted { .. }
            | Event::StepDoneByHand { .. }
            | Event::StepSkipped { .. } => self.may_step(event),
            Event::UndoStarted { .. } | Event::UndoDone { .. } | Event::UndoFailed { .. } => self.may_undo(event),
            _ => self.may_run(event),
        }
    }

    fn may_run(&self, event: &Event) -> Result<(), Illegal> {
        let next = self.next();
        match event {
            Event::RunFinished {} => rule("run.finished", next == Next::Finish, "something is left to do"),
            Event::RunRolledBack { .. } => {
                rule("run.rolled_back", self.phase == Phase::Back && next == Next::RolledBack, "production is not back")
            }
            Event::RunDeclined { .. } => {
                let allowed = self.phase == Phase::Forward && !self.touched_production();
                rule("run.declined", allowed, "production has been touched")
            }
            Event::StageStarted { stage } => {
                rule("stage.started", next == Next::OpenStage(stage.clone()), "it is not this stage's turn")
            }
            Event::StageFinished { stage } => {
                rule("stage.finished", next == Next::CloseStage(stage.clone()), "it has steps that have not ended")
            }
            _ => Ok(()),
        }
    }

    fn may_step(&self, event: &Event) -> Result<(), Illegal> {
        let is = |key: &str, status| self.steps.get(key).is_some_and(|state| state.status == status);
        match event {
            Event::StepStarted { step, attempt, .. } => {
                let allowed = self.is_turn_of(step) && *attempt == self.step(step).attempts + 1;
                rule("step.started", allowed, "it is not this step's turn")
            }
            Event::StepDone { step, attempt, .. } | Event::StepFailed { step, attempt, .. } => {
                let allowed = is(step, Status::Started) && *attempt == self.step(step).attempts;
                rule("the end of a step", allowed, "this attempt has not begun, or has ended")
            }
            Event::StepInterrupted { step, .. } => {
                rule("step.interrupted", is(step, Status::Started), "the step is not under way")
            }
            Event::StepDoneByHand { step, .. } | Event::StepSkipped { step, .. } => {
                let allowed = self.is_turn_of(step) || is(step, Status::Started);
                rule("going past a step", allowed, "it is not this step's turn")
            }
            _ => Ok(()),
        }
    }

    fn may_undo(&self, event: &Event) -> Result<(), Illegal> {
        let back = |why| rule("an undo", self.phase == Phase::Back, why);
        match event {
            Event::UndoFailed { step, .. } if self.is_own_step_of_rollback(step) => {
                back("no rollback is under way")?;
                rule("undo.failed", self.step(step).status == Status::Failed, "the step has not failed")
            }
            Event::UndoStarted { step, .. } | Event::UndoDone { step, .. } | Event::UndoFailed { step, .. } => {
                back("no rollback is under way")?;
                let open = self.undo(step).status != Some(UndoStatus::Done);
                let planned = self.undo_plan().contains(&step.as_str());
                rule("an undo", open && planned, "the step has nothing to undo, or is undone")
            }
            _ => Ok(()),
        }
    }

    /// Whether it is the turn of the step `key` to begin, or to be gone past.
    fn is_turn_of(&self, key: &str) -> bool {
        match self.next() {
            Next::Step(next) | Next::Decide(next) => next == key,
            Next::Turn { group, turn } => self.first_of_turn(&group, turn + 1).as_deref() == Some(key),
            _ => false,
        }
    }

    pub(super) fn is_own_step_of_rollback(&self, key: &str) -> bool {
        let stage = self.trigger_at().map(|at| self.outline.stages[at].id.as_str());
        stage.is_some() && key.split('/').next() == stage
    }
}
