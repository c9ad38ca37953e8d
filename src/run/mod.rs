//! The run: a pure fold of its records, which says what comes next and what may happen.
//!
//! # Why
//! Start, resume and rollback are three doors into one loop, because all three ask the same question of the same records:
//! [`Run::next`]. Pausing, a crash and a closed laptop leave the same thing behind. Whether a record may follow is decided in one
//! place, [`Run::may`]. No clock is known here and nothing is read or written: conditions are the engine's to evaluate.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::clock::Timestamp;
use crate::gate::{Decision, Gap};
use crate::operator::Answer;

mod fold;
mod incident;
mod legality;
mod outline;
mod undo;

pub use fold::{PRODUCTION, STANDBY, UNKNOWN_END};
pub use incident::{Call, rung};
pub use legality::Illegal;
pub use outline::{Courses, Outline, Reach, Repeat, Shows, StageOutline, StepOutline, Trigger, Undo, plain};

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
    /// It failed while production was taken back, and was left so.
    Left,
}

/// What the records tell of one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepState {
    /// Where it stands.
    pub status: Status,
    /// How often it has begun.
    pub attempts: u32,
    /// How often it has begun since a person last decided about it, without the times it was cut off. Where it is to begin and
    /// this is not 0 it failed before, and is tried again unasked.
    pub tries: u32,
    /// The `seq` of the first time it began; what has once begun is undone in a rollback.
    pub began: Option<u64>,
    /// When it began, the last time.
    pub began_at: Option<Timestamp>,
    /// What was in the work tree when it began, the last time, where that is on record.
    pub files: Option<Files>,
    /// Why it failed, the last time.
    pub failure: Option<Failure>,
    /// How many answers it has used up; an answer that came to nothing, because the run was cut off behind it, is not counted.
    pub answers: usize,
    /// The questions of the step itself that were answered since it last ended, with the answers. A step that was cut off
    /// does not ask them again.
    pub given: Vec<(String, Answer)>,
    /// The variables as they were when it last began, with what it gave: its undo sees these. Kept only where there is an undo.
    pub vars: BTreeMap<String, Value>,
    /// When nothing was measured of what it watches, since it last began.
    pub gaps: Vec<Gap>,
    /// When its gate was last decided since then, by what was measured or by a person, and whether it passed.
    pub decided: Option<(Timestamp, bool)>,
    /// What its gate came to behind other steps, where nobody has said yet what is to be done about it.
    pub breach: Option<Decision>,
    pending: usize,
}

/// What was in the work tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The commit that was checked out, where there was one.
    pub head: Option<String>,
    /// The tree of all files, those that git did not know included.
    pub tree: String,
}

/// Why a step failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// In words.
    pub message: String,
    /// Whether it is tried again unasked.
    pub again: bool,
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

/// What the records tell of the undo of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UndoState {
    /// Where it stands; `None` where it is still to be done.
    pub status: Option<UndoStatus>,
    /// What makes it the same as another, the last time.
    pub identity: String,
    /// How often it has begun.
    pub attempts: u32,
    /// Whether it began on the way to another version than the one that production is taken to now: what still runs of it is to
    /// be stopped, and then it is to be done anew.
    pub superseded: bool,
    /// Whether it failed because nobody knows how it ended.
    pub unknown: bool,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This stage begins.
    OpenStage(String),
    /// This step begins.
    Step(String),
    /// Every step of this turn of a group has ended: the group is over, or another turn begins.
    Turn {
        /// The group.
        group: String,
        /// The turn that has ended, from 1.
        turn: u32,
    },
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
    /// Production is not known to be back, and nothing is left to try.
    Incomplete,
    /// All is done.
    Finish,
    /// The run is over.
    Over,
}

/// A run, as its records tell it.
#[derive(Clone, Debug)]
pub struct Run {
    outline: Outline,
    phase: Phase,
    stages: BTreeMap<String, StageStatus>,
    steps: BTreeMap<String, StepState>,
    undone: BTreeMap<String, UndoState>,
    calls: BTreeMap<String, Call>,
    put_off: BTreeMap<String, Timestamp>,
    vars: BTreeMap<String, Value>,
    environment: BTreeMap<String, String>,
    began: Option<Timestamp>,
    incident_began: Option<Timestamp>,
    stage_began: Option<Timestamp>,
    mitigated: Option<Timestamp>,
    informed: Option<Timestamp>,
    sending: Option<(Timestamp, BTreeSet<String>)>,
    /// Whether a message has gone out since it was mitigated.
    announced: bool,
    blind: bool,
    records: u64,
    sealed: u64,
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
        let (stages, steps, undone, calls, put_off, vars, environment) = Default::default();
        let (began, incident_began, stage_began, mitigated, informed) = Default::default();
        let (phase, announced, blind, records, sealed) = (Phase::Unborn, false, false, 0, 0);
        Self {
            outline,
            phase,
            stages,
            steps,
            undone,
            calls,
            put_off,
            vars,
            environment,
            began,
            incident_began,
            stage_began,
            mitigated,
            informed,
            sending: None,
            announced,
            blind,
            records,
            sealed,
        }
    }

    /// What decides the order of its steps.
    #[must_use]
    pub fn outline(&self) -> &Outline {
        &self.outline
    }

    /// Which way it goes.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// When its first record was written.
    #[must_use]
    pub fn began(&self) -> Option<Timestamp> {
        self.began
    }

    /// What the records tell of the step `key`.
    #[must_use]
    pub fn step(&self, key: &str) -> StepState {
        self.steps.get(key).cloned().unwrap_or_default()
    }

    /// Every step that the records tell of, by its key.
    #[must_use]
    pub fn steps(&self) -> &BTreeMap<String, StepState> {
        &self.steps
    }

    /// How much of the file with the samples there is a digest of, in bytes.
    #[must_use]
    pub fn sealed_samples(&self) -> u64 {
        self.sealed
    }

    /// The stage that is open.
    #[must_use]
    pub fn open_stage(&self) -> Option<String> {
        self.stages.iter().find(|(_, status)| **status == StageStatus::Open).map(|(id, _)| id.clone())
    }

    /// Whether the stage `id` has begun and is not over.
    #[must_use]
    pub fn is_open(&self, id: &str) -> bool {
        self.stages.get(id) == Some(&StageStatus::Open)
    }

    /// Whether the stage `id` is over.
    #[must_use]
    pub fn is_closed(&self, id: &str) -> bool {
        self.stages.get(id) == Some(&StageStatus::Closed)
    }

    /// The variables that the run began with and its steps gave.
    #[must_use]
    pub fn vars(&self) -> &BTreeMap<String, Value> {
        &self.vars
    }

    /// What the environment variables were that must be the same wherever the run is driven.
    #[must_use]
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// How many answers each step has used up.
    #[must_use]
    pub fn answers_used(&self) -> BTreeMap<String, usize> {
        self.steps.iter().map(|(key, state)| (key.clone(), state.answers)).collect()
    }

    /// What comes next.
    #[must_use]
    pub fn next(&self) -> Next {
        match self.phase {
            Phase::Unborn | Phase::Finished | Phase::Declined | Phase::Aborted => Next::Over,
            Phase::Forward => self.walk(&self.outline.stages).unwrap_or(Next::Finish),
            Phase::RolledBack => self.walk(self.behind_trigger()).unwrap_or(Next::Finish),
            Phase::Back => self.next_undo().or_else(|| self.walk_trigger()).unwrap_or_else(|| self.end_of_rollback()),
        }
    }

    /// The key of the first step of the turn `turn` of the group `group`.
    #[must_use]
    pub fn first_of_turn(&self, group: &str, turn: u32) -> Option<String> {
        let inner = self.outline.step(group)?.group.as_ref()?;
        inner.iter().find(|step| self.on_course(step)).map(|step| instance(group, step, turn))
    }

    fn next_undo(&self) -> Option<Next> {
        self.undo_plan().into_iter().find_map(|key| match self.undone.get(key).and_then(|state| state.status) {
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
        let passable = stages.iter().filter(|stage| stage.steps.iter().any(|step| self.on_course(step)));
        passable.into_iter().find_map(|stage| {
            let next = self.walk_steps(&stage.steps, |step| step.key.clone());
            match (self.stages.get(&stage.id), next) {
                (None, _) => Some(Next::OpenStage(stage.id.clone())),
                (Some(_), Some(next)) => Some(next),
                (Some(StageStatus::Open), None) => Some(Next::CloseStage(stage.id.clone())),
                (Some(StageStatus::Closed), None) => None,
            }
        })
    }

    fn walk_steps(&self, steps: &[StepOutline], key: impl Fn(&StepOutline) -> String) -> Option<Next> {
        steps.iter().filter(|step| self.on_course(step)).find_map(|step| {
            let key = key(step);
            match (self.steps.get(&key).map(|state| state.status).unwrap_or_default(), &step.group) {
                (Status::Pending, _) => Some(Next::Step(key)),
                (Status::Started, None) => Some(Next::Unknown(key)),
                (Status::Started, Some(inner)) => Some(self.inside(key, inner)),
                (Status::Failed, _) => Some(Next::Decide(key)),
                (Status::Done | Status::DoneByHand | Status::Skipped | Status::Left, _) => None,
            }
        })
    }

    fn inside(&self, group: String, inner: &[StepOutline]) -> Next {
        let begun = |turn: &u32| {
            let mut states = inner.iter().filter_map(|step| self.steps.get(&instance(&group, step, *turn)));
            states.any(|state| state.status != Status::Pending)
        };
        let turn = (1..=u32::MAX).take_while(begun).last().unwrap_or(1);
        let next = self.walk_steps(inner, |step| instance(&group, step, turn));
        next.unwrap_or(Next::Turn { group, turn })
    }

    fn on_course(&self, step: &StepOutline) -> bool {
        match self.phase {
            Phase::Back | Phase::RolledBack => step.course != Courses::Forward,
            _ => step.course != Courses::Back,
        }
    }

    fn trigger_at(&self) -> Option<usize> {
        self.outline.stages.iter().position(|stage| stage.trigger == Trigger::Rollback)
    }

    fn behind_trigger(&self) -> &[StageOutline] {
        self.trigger_at().map_or(&[], |at| &self.outline.stages[at + 1..])
    }
}

/// The key of a step in one turn of its group.
fn instance(group: &str, step: &StepOutline, turn: u32) -> String {
    format!("{group}/{}.{turn}", step.id())
}
