//! How a record changes the run.

use serde::Deserialize as _;
use serde_json::Value;

use super::{Failure, Files, Phase, Repeat, Run, StageStatus, Status, StepState, Undo, UndoState, UndoStatus, plain};
use crate::event::{Event, Record};
use crate::gate::{Decision, GAP, Gap, Verdict};
use crate::operator::{Answer, Purpose, Way};

/// How the question before a step that affects production begins.
pub const PRODUCTION: &str = "This touches production";
/// The same where users are not on what it touches.
pub const STANDBY: &str = "This touches the standby, which users are not on yet";
/// How the message of an undo begins that began and whose end nobody knows: it is not run again unasked.
pub const UNKNOWN_END: &str = "it began, and nobody knows how it ended";

impl Run {
    /// Takes in a record that was written. That it may follow was decided before it was written.
    pub fn apply(&mut self, record: &Record) {
        self.records += 1;
        self.apply_run(record);
        self.apply_incident(record);
    }

    fn apply_run(&mut self, record: &Record) {
        match &record.event {
            Event::RunStarted { vars, environment, .. } => {
                self.phase = Phase::Forward;
                self.began = Some(record.at);
                self.vars.clone_from(vars);
                self.environment.clone_from(environment);
            }
            Event::RunResumed { .. } => self.resumed(),
            Event::RunFinished {} => self.phase = Phase::Finished,
            Event::RunDeclined { .. } => self.phase = Phase::Declined,
            Event::RunAborted { .. } => self.phase = Phase::Aborted,
            Event::RunRolledBack { .. } => self.phase = Phase::RolledBack,
            Event::StageStarted { stage } => self.set_stage(stage, StageStatus::Open),
            Event::StageFinished { stage } => self.set_stage(stage, StageStatus::Closed),
            Event::PromptAnswered { step, purpose, question, answer } => {
                self.answered(step, *purpose, (question, answer));
                // A rollback that was chosen and did not begin leaves what it was chosen for.
                let goes_on = matches!(answer, Answer::Way { way: Way::Wait, .. });
                if let (Purpose::Command, true, Some(state)) = (*purpose, goes_on, self.steps.get_mut(step))
                    && state.breach.take().is_some()
                {
                    // It counts anew from where somebody said that it is to go on.
                    state.decided = Some((record.at, false));
                }
            }
            Event::RollbackStarted { to, blind, .. } => {
                self.blind |= blind;
                self.steps.values_mut().for_each(|state| state.breach = None);
                let again = self.phase == Phase::Back && self.rollback_to() == Some(to);
                self.vars.insert("rollback_to".to_owned(), to.clone().into());
                self.phase = Phase::Back;
                if again { self.try_again_what_was_left() } else { self.turn_back() }
            }
            Event::GateMeasured { step, value, outcome, .. } if outcome == GAP => {
                // What cannot be read as one is a gap that nobody knows the length of: the log has it all the same.
                self.steps.entry(step.clone()).or_default().gaps.extend(Gap::deserialize(value));
            }
            Event::GateDecided { step, decision, samples, reason } => {
                self.sealed = self.sealed.max(samples.as_ref().map_or(0, |seal| seal.bytes));
                let state = self.steps.entry(step.clone()).or_default();
                let verdict = Verdict::deserialize(Value::from(decision.as_str())).unwrap_or(Verdict::Error);
                state.decided = Some((record.at, verdict == Verdict::Pass));
                // What a step that is under way comes to is its own end.
                let is_behind = state.status != Status::Started && verdict != Verdict::Pass;
                state.breach = is_behind.then(|| Decision { verdict, reason: reason.clone() });
            }
            Event::RunPaused { .. } => self.ask_noes_again(),
            Event::UndoStarted { step, identity, .. } => {
                self.set_undo(step, UndoStatus::Started);
                if let Some(state) = self.undone.get_mut(step) {
                    state.attempts += 1;
                    state.identity.clone_from(identity);
                }
            }
            Event::UndoDone { step, .. } => self.set_undo(step, UndoStatus::Done),
            Event::UndoFailed { step, .. } if self.is_own_step_of_rollback(step) => _ = self.end(step, Status::Left),
            Event::UndoFailed { step, message } => self.undo_failed(step, message),
            _ => self.apply_step(record),
        }
    }

    fn apply_step(&mut self, record: &Record) {
        match &record.event {
            Event::StepStarted { step, attempt, evidence, .. } => {
                let fact = |name: &str| evidence.get(name)?.as_str().map(str::to_owned);
                let state = self.settle(step);
                state.status = Status::Started;
                state.attempts = *attempt;
                state.tries += 1;
                state.began.get_or_insert(record.seq);
                state.began_at = Some(record.at);
                state.gaps.clear();
                state.decided = None;
                state.breach = None;
                state.files = fact("tree").map(|tree| Files { head: fact("head"), tree });
                self.keep_vars(step);
            }
            Event::StepDone { step, set, .. } => {
                self.end(step, Status::Done);
                self.vars.extend(set.clone());
                self.keep_vars(step);
            }
            Event::StepDoneByHand { step, .. } => {
                self.by_a_person(step, Status::DoneByHand, record).began.get_or_insert(record.seq);
            }
            Event::StepFailed { step, message, again, .. } => {
                let failure = Failure { message: message.clone(), again: *again };
                self.end(step, Status::Failed).failure = Some(failure);
            }
            Event::StepSkipped { step, .. } => _ = self.by_a_person(step, Status::Skipped, record),
            Event::StepInterrupted { step, .. } => {
                let state = self.settle(step);
                state.status = Status::Pending;
                // Being cut off is no failure: it uses up no retry.
                state.tries = state.tries.saturating_sub(1);
            }
            _ => {}
        }
    }

    fn answered(&mut self, step: &str, purpose: Purpose, (question, answer): (&str, &Answer)) {
        if matches!(purpose, Purpose::Escalation | Purpose::Update) {
            // No step asked.
            return;
        }
        if purpose == Purpose::Rollback && *answer == Answer::No {
            // None was begun, and nothing of it counts: what led to it is asked again.
            self.ask_noes_again();
            return;
        }
        let state = self.steps.entry(step.to_owned()).or_default();
        match purpose {
            Purpose::Escalation | Purpose::Update => {}
            Purpose::Step | Purpose::Difference => {
                state.answers += 1;
                state.given.push((question.to_owned(), answer.clone()));
            }
            Purpose::Rollback | Purpose::Aftermath | Purpose::Command | Purpose::Reason => state.answers += 1,
            Purpose::Production => {
                state.pending += 1;
                state.given.push((question.to_owned(), answer.clone()));
            }
            Purpose::Failure | Purpose::Unknown | Purpose::Undo => {
                // A pause is all that comes of it; whatever else is answered counts with what it leads to.
                match answer {
                    Answer::Way { way: Way::Pause, .. } => state.answers += 1,
                    _ => state.pending += 1,
                }
                state.tries = 0;
                // Whoever runs it again says so again.
                state.given.retain(|(asked, _)| !is_release(asked));
            }
        }
    }

    /// What an answer led to is on the record: it counts.
    fn settle(&mut self, step: &str) -> &mut StepState {
        let state = self.steps.entry(step.to_owned()).or_default();
        state.answers += std::mem::take(&mut state.pending);
        state
    }

    fn end(&mut self, step: &str, status: Status) -> &mut StepState {
        let state = self.settle(step);
        state.status = status;
        state.given.clear();
        state
    }

    /// Keeps the variables for the undo of the step.
    fn keep_vars(&mut self, step: &str) {
        if self.outline.step(step).is_some_and(|outline| outline.undo == Undo::Given) {
            let vars = self.vars.clone();
            self.steps.entry(step.to_owned()).or_default().vars = vars;
        }
    }

    /// What was measured until somebody said how it ends has been seen, and counts no more.
    fn by_a_person(&mut self, step: &str, status: Status, record: &Record) -> &mut StepState {
        let state = self.end(step, status);
        state.decided = Some((record.at, false));
        state
    }

    fn set_stage(&mut self, stage: &str, status: StageStatus) {
        self.stages.insert(stage.to_owned(), status);
    }

    fn set_undo(&mut self, step: &str, status: UndoStatus) {
        self.settle(step);
        let state = self.undone.entry(step.to_owned()).or_default();
        (state.status, state.superseded, state.unknown) = (Some(status), false, false);
    }

    /// One that led elsewhere has come to its end, and is to be done anew.
    fn undo_failed(&mut self, step: &str, message: &str) {
        let superseded = self.undo(step).superseded;
        self.set_undo(step, UndoStatus::Failed);
        if let Some(state) = self.undone.get_mut(step) {
            state.unknown = message.starts_with(UNKNOWN_END);
            state.status = state.status.filter(|_| !superseded);
        }
    }

    fn resumed(&mut self) {
        for (key, state) in &mut self.steps {
            // An answer that came to nothing is asked for again.
            if std::mem::take(&mut state.pending) > 0 {
                state.given.retain(|(asked, _)| !is_release(asked));
            }
            let always = self.outline.step(&plain(key)).is_some_and(|step| step.repeat == Repeat::EveryResume);
            if always && state.status == Status::Done {
                state.status = Status::Pending;
                state.tries = 0;
            }
        }
        if self.phase == Phase::Back {
            // One whose end nobody knows is asked about again, not run again.
            let unknown = |state: &&mut UndoState| state.status == Some(UndoStatus::Failed) && state.unknown;
            self.undone.values_mut().filter(unknown).for_each(|state| state.status = Some(UndoStatus::Started));
            self.try_again_what_was_left();
        }
    }

    fn try_again_what_was_left(&mut self) {
        self.forget_failed_undos();
        for state in self.steps.values_mut().filter(|state| state.status == Status::Left) {
            state.status = Status::Pending;
        }
    }

    fn forget_failed_undos(&mut self) {
        for state in self.undone.values_mut().filter(|state| state.status == Some(UndoStatus::Failed)) {
            state.status = None;
        }
    }

    /// A no that paused the run, or led to a rollback that was not begun, is asked again; the answers before it stand.
    fn ask_noes_again(&mut self) {
        for state in self.steps.values_mut() {
            state.given.retain(|(_, answer)| *answer != Answer::No);
        }
    }

    /// Forward is closed: the rollback's stage and those behind it begin afresh, and so does every undo, because production may
    /// have been deployed to since an earlier rollback. An undo that is under way leads elsewhere: its end comes first.
    fn turn_back(&mut self) {
        for state in self.undone.values_mut() {
            state.superseded = state.status == Some(UndoStatus::Started);
            state.status = state.status.filter(|_| state.superseded);
        }
        for stage in &self.outline.stages[self.trigger_at().unwrap_or(self.outline.stages.len())..] {
            self.stages.remove(&stage.id);
            let inside = format!("{}/", stage.id);
            for (_, state) in self.steps.iter_mut().filter(|(key, _)| key.starts_with(&inside)) {
                state.status = Status::Pending;
                state.tries = 0;
                state.given.clear();
            }
        }
    }
}

/// Whether what was asked is whether a step may touch production, or the standby.
fn is_release(asked: &str) -> bool {
    [PRODUCTION, STANDBY].iter().any(|begins| asked.starts_with(begins))
}
