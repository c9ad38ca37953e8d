//! The run: a pure fold of its records, which says what comes next and what may happen.
//!
//! # Why
//! Start, resume and rollback are three doors into one loop, because all three ask the same question of the same records:
//! [`Run::next`]. Pausing, a crash and a closed laptop leave the same thing behind. Whether a record may follow is decided in one
//! place, [`Run::may`]. No clock is known here and nothing is read or written: conditions are the engine's to evaluate.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::event::{Event, Record};
use crate::operator::Purpose;

mod outline;

pub use outline::{Outline, Reach, Repeat, StageOutline, StepOutline, Trigger, Undo};

/// Where a step stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// It has not begun, or is to begin again.
    #[default]
    Pending,
    /// It has begun, and no end is known.
    Started,
    /// It succeeded.
    Done,
    /// A person did it.
    DoneByHand,
    /// It failed and nobody has said how to go on.
    Failed,
    /// It was left out.
    Skipped,
}

/// What the records tell of one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepState {
    /// Where it stands.
    pub status: Status,
    /// How often it has begun.
    pub attempts: u32,
    /// The `seq` of the first time it began; what has once begun is undone in a rollback.
    pub began: Option<u64>,
    /// How many answers it has used up; an answer that came to nothing, because the run was cut off behind it, is not counted.
    pub answers: usize,
    pending: usize,
}

/// Which way the run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No record yet.
    Unborn,
    /// Towards the end of the runbook.
    Forward,
    /// Back: undoing, then the stage that a rollback ends in.
    Back,
    /// Production is back; what is behind the rollback's stage is left to do.
    RolledBack,
    /// Finished.
    Finished,
    /// Ended by the operator's decision that no hotfix is needed.
    Declined,
    /// Ended unfinished.
    Aborted,
}

/// Where one undo stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UndoStatus {
    /// It has begun, and no end is known.
    Started,
    /// The step is undone.
    Done,
    /// It is not, and was left so.
    Failed,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This stage begins.
    OpenStage(String),
    /// This step begins.
    Step(String),
    /// This step failed: run it again unasked if it has retries left, else ask.
    Decide(String),
    /// This step began and its end is unknown.
    Unknown(String),
    /// This stage has ended.
    CloseStage(String),
    /// This step is to be undone.
    Undo(String),
    /// This undo began and its end is unknown.
    UndoUnknown(String),
    /// Production is back.
    RolledBack,
    /// All is done.
    Finish,
    /// The run is over.
    Over,
}

/// Why a record may not follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{event}` cannot follow: {why}")]
pub struct Illegal {
    event: &'static str,
    why: String,
}

/// A run, as its records tell it.
#[derive(Clone, Debug)]
pub struct Run {
    outline: Outline,
    phase: Phase,
    stages: BTreeMap<String, StageStatus>,
    steps: BTreeMap<String, StepState>,
    undone: BTreeMap<String, UndoStatus>,
    vars: BTreeMap<String, Value>,
    records: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StageStatus {
    Open,
    Closed,
}

impl Run {
    /// A run of `outline` without a record.
    #[must_use]
    pub fn new(outline: Outline) -> Self {
        let (stages, steps, undone, vars) = Default::default();
        Self { outline, phase: Phase::Unborn, stages, steps, undone, vars, records: 0 }
    }

    /// Which way it goes.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What the records tell of the step `key`.
    #[must_use]
    pub fn step(&self, key: &str) -> StepState {
        self.steps.get(key).cloned().unwrap_or_default()
    }

    /// The variables that the run began with and its steps gave.
    #[must_use]
    pub fn vars(&self) -> &BTreeMap<String, Value> {
        &self.vars
    }

    /// Whether a step that affects production has begun.
    #[must_use]
    pub fn touched_production(&self) -> bool {
        self.outlines().any(|step| step.reach == Reach::Production && self.step(&step.key).began.is_some())
    }

    /// Whether an undo has restored production.
    #[must_use]
    pub fn restored(&self) -> bool {
        let production = self.outlines().filter(|step| step.reach == Reach::Production);
        production.into_iter().any(|step| self.undone.get(&step.key) == Some(&UndoStatus::Done))
    }

    /// The steps whose undo failed and was left.
    #[must_use]
    pub fn left(&self) -> Vec<&str> {
        let failed = self.undone.iter().filter(|(_, status)| **status == UndoStatus::Failed);
        failed.map(|(key, _)| key.as_str()).collect()
    }

    /// What a rollback would undo, in its order: steps that began and have an undo, those that affect production first, the
    /// last begun first. A step that failed or was cut off counts: its effect is unknown.
    #[must_use]
    pub fn undo_plan(&self) -> Vec<&str> {
        let began = self.outlines().filter(|step| step.undo == Undo::Given);
        let mut plan: Vec<_> = began.filter_map(|step| Some((step, self.steps.get(&step.key)?.began?))).collect();
        plan.sort_by_key(|(step, seq)| (step.reach != Reach::Production, std::cmp::Reverse(*seq)));
        plan.into_iter().map(|(step, _)| step.key.as_str()).collect()
    }

    /// What comes next.
    #[must_use]
    pub fn next(&self) -> Next {
        match self.phase {
            Phase::Unborn | Phase::Finished | Phase::Declined | Phase::Aborted => Next::Over,
            Phase::Forward => self.walk(&self.outline.stages).unwrap_or(Next::Finish),
            Phase::RolledBack => self.walk(self.behind_trigger()).unwrap_or(Next::Finish),
            Phase::Back => self.next_undo().or_else(|| self.walk_trigger()).unwrap_or(Next::RolledBack),
        }
    }

    fn next_undo(&self) -> Option<Next> {
        self.undo_plan().into_iter().find_map(|key| match self.undone.get(key) {
            None => Some(Next::Undo(key.to_owned())),
            Some(UndoStatus::Started) => Some(Next::UndoUnknown(key.to_owned())),
            Some(UndoStatus::Done | UndoStatus::Failed) => None,
        })
    }

    fn walk_trigger(&self) -> Option<Next> {
        let at = self.trigger_at().filter(|_| self.touched_production())?;
        self.walk(&self.outline.stages[at..=at])
    }

    fn walk(&self, stages: &[StageOutline]) -> Option<Next> {
        let open = |stage: &StageOutline| self.stages.get(&stage.id).copied();
        stages.iter().find_map(|stage| {
            let next = stage.steps.iter().find_map(|step| match self.step(&step.key).status {
                Status::Pending => Some(Next::Step(step.key.clone())),
                Status::Started => Some(Next::Unknown(step.key.clone())),
                Status::Failed => Some(Next::Decide(step.key.clone())),
                Status::Done | Status::DoneByHand | Status::Skipped => None,
            });
            match (open(stage), next) {
                (None, _) => Some(Next::OpenStage(stage.id.clone())),
                (Some(_), Some(next)) => Some(next),
                (Some(StageStatus::Open), None) => Some(Next::CloseStage(stage.id.clone())),
                (Some(StageStatus::Closed), None) => None,
            }
        })
    }

    fn outlines(&self) -> impl Iterator<Item = &StepOutline> {
        self.outline.stages.iter().flat_map(|stage| &stage.steps)
    }

    fn trigger_at(&self) -> Option<usize> {
        self.outline.stages.iter().position(|stage| stage.trigger == Trigger::Rollback)
    }

    fn behind_trigger(&self) -> &[StageOutline] {
        self.trigger_at().map_or(&[], |at| &self.outline.stages[at + 1..])
    }

    /// Whether `event` may be the next record. The one place that decides it.
    ///
    /// # Errors
    /// [`Illegal`], which says why not.
    pub fn may(&self, event: &Event) -> Result<(), Illegal> {
        let active = matches!(self.phase, Phase::Forward | Phase::Back | Phase::RolledBack);
        let next = self.next();
        let rule = |event: &'static str, allowed, why: &str| {
            let why = why.to_owned();
            if allowed { Ok(()) } else { Err(Illegal { event, why }) }
        };
        let is = |key: &str, status| self.step(key).status == status;
        match event {
            Event::RunStarted { .. } => rule("run.started", self.records == 0, "a run starts once"),
            _ if self.records == 0 => rule("any other record", false, "the run has not started"),
            Event::NoteAdded { .. } => Ok(()),
            Event::RollbackStarted { .. } => {
                rule("rollback.started", self.phase != Phase::Declined, "the run was declined before anything began")
            }
            _ if !active => rule("any other record", false, "the run is over"),
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
            Event::StepStarted { step, attempt, .. } => {
                let turn = [Next::Step(step.clone()), Next::Decide(step.clone())].contains(&next);
                let allowed = turn && *attempt == self.step(step).attempts + 1;
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
                let turn = [Next::Step(step.clone()), Next::Decide(step.clone()), Next::Unknown(step.clone())];
                rule("going past a step", turn.contains(&next), "it is not this step's turn")
            }
            Event::UndoStarted { step, .. } | Event::UndoDone { step } | Event::UndoFailed { step, .. } => {
                let allowed = self.phase == Phase::Back && self.undo_plan().contains(&step.as_str());
                rule("an undo", allowed, "no rollback is under way, or the step has nothing to undo")
            }
            _ => Ok(()),
        }
    }

    /// Takes in a record that was written. That it may follow was decided before it was written.
    pub fn apply(&mut self, record: &Record) {
        self.records += 1;
        match &record.event {
            Event::RunStarted { vars, .. } => {
                self.phase = Phase::Forward;
                self.vars.clone_from(vars);
            }
            Event::RunResumed {} => self.repeat_what_always_runs(),
            Event::RunFinished {} => self.phase = Phase::Finished,
            Event::RunDeclined { .. } => self.phase = Phase::Declined,
            Event::RunAborted { .. } => self.phase = Phase::Aborted,
            Event::RunRolledBack { .. } => self.phase = Phase::RolledBack,
            Event::StageStarted { stage } => self.set_stage(stage, StageStatus::Open),
            Event::StageFinished { stage } => self.set_stage(stage, StageStatus::Closed),
            Event::StepStarted { step, attempt, .. } => {
                let state = self.end(step, Status::Started);
                state.attempts = *attempt;
                state.began.get_or_insert(record.seq);
            }
            Event::StepDone { step, set, .. } => {
                self.end(step, Status::Done);
                self.vars.extend(set.clone());
            }
            Event::StepDoneByHand { step, .. } => {
                self.end(step, Status::DoneByHand).began.get_or_insert(record.seq);
            }
            Event::StepFailed { step, .. } => _ = self.end(step, Status::Failed),
            Event::StepSkipped { step, .. } => _ = self.end(step, Status::Skipped),
            Event::StepInterrupted { step, .. } => self.steps.entry(step.clone()).or_default().status = Status::Pending,
            Event::PromptAnswered { step, purpose, .. } => self.answered(step, *purpose),
            Event::RollbackStarted { .. } => self.turn_back(),
            Event::UndoStarted { step, .. } => self.set_undo(step, UndoStatus::Started),
            Event::UndoDone { step } => self.set_undo(step, UndoStatus::Done),
            Event::UndoFailed { step, .. } => self.set_undo(step, UndoStatus::Failed),
            _ => {}
        }
    }

    fn answered(&mut self, step: &str, purpose: Purpose) {
        let state = self.steps.entry(step.to_owned()).or_default();
        match purpose {
            Purpose::Step => state.answers += 1,
            _ => state.pending += 1,
        }
    }

    /// What an answer led to is on the record: it counts.
    fn end(&mut self, step: &str, status: Status) -> &mut StepState {
        let state = self.steps.entry(step.to_owned()).or_default();
        state.status = status;
        state.answers += std::mem::take(&mut state.pending);
        state
    }

    fn set_stage(&mut self, stage: &str, status: StageStatus) {
        self.stages.insert(stage.to_owned(), status);
    }

    fn set_undo(&mut self, step: &str, status: UndoStatus) {
        self.undone.insert(step.to_owned(), status);
    }

    fn repeat_what_always_runs(&mut self) {
        let steps = self.outline.stages.iter().flat_map(|stage| &stage.steps);
        for step in steps.filter(|step| step.repeat == Repeat::EveryResume) {
            if let Some(state) = self.steps.get_mut(&step.key).filter(|state| state.status == Status::Done) {
                state.status = Status::Pending;
            }
        }
        // An answer that came to nothing is asked for again.
        self.steps.values_mut().for_each(|state| state.pending = 0);
    }

    /// Forward is closed: the rollback's stage and those behind it begin afresh, and so does every undo that was left.
    fn turn_back(&mut self) {
        self.phase = Phase::Back;
        self.undone.retain(|_, status| *status == UndoStatus::Done);
        for stage in &self.outline.stages[self.trigger_at().unwrap_or(self.outline.stages.len())..] {
            self.stages.remove(&stage.id);
            for step in &stage.steps {
                if let Some(state) = self.steps.get_mut(&step.key) {
                    state.status = Status::Pending;
                }
            }
        }
    }
}
