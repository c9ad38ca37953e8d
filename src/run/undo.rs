//! What the records tell of the way back.

use serde_json::Value;

use super::{Next, Phase, Run, Status, StepOutline, Undo, UndoState, UndoStatus};

impl Run {
    /// Where the undo of the step `key` stands.
    #[must_use]
    pub fn undo(&self, key: &str) -> UndoState {
        self.undone.get(key).cloned().unwrap_or_default()
    }

    /// The step whose undo was the same as `identity` says and has come to an end, with that end.
    #[must_use]
    pub fn undone_by(&self, identity: &str) -> Option<(&str, UndoStatus)> {
        let ended = |state: &UndoState| state.status.filter(|status| *status != UndoStatus::Started);
        self.undone
            .iter()
            .find_map(|(key, state)| Some((key.as_str(), ended(state).filter(|_| state.identity == identity)?)))
    }

    /// Whether a step that affects production has begun, or may have.
    #[must_use]
    pub fn touched_production(&self) -> bool {
        self.blind || self.began_steps().any(|(_, step, _)| step.reach.is_production())
    }

    /// The version that production is being taken back to.
    #[must_use]
    pub fn rollback_to(&self) -> Option<&str> {
        self.vars.get("rollback_to").and_then(Value::as_str)
    }

    /// Whether the undos have restored production.
    #[must_use]
    pub fn restored(&self) -> bool {
        let production = self.began_steps().filter(|(_, step, _)| step.reach.is_production());
        let mut ends = production.filter_map(|(key, ..)| self.undone.get(key)?.status).peekable();
        ends.peek().is_some() && ends.all(|end| end == UndoStatus::Done)
    }

    /// The steps whose undo failed and was left, and those of the rollback's own stage.
    #[must_use]
    pub fn left(&self) -> Vec<&str> {
        let failed = self.failed_undos();
        let left = self.steps.iter().filter(|(_, state)| state.status == Status::Left).map(|(key, _)| key);
        failed.chain(left.map(String::as_str)).collect()
    }

    /// The stages that are not over and have steps for the way that the run goes, behind the stage that a rollback ends in once
    /// production is back.
    #[must_use]
    pub fn stages_left(&self) -> Vec<&str> {
        let behind = match self.phase {
            Phase::RolledBack => self.behind_trigger(),
            _ => self.outline.stages.as_slice(),
        };
        let left = behind.iter().filter(|stage| !self.is_closed(&stage.id));
        left.filter(|stage| stage.steps.iter().any(|step| self.on_course(step)))
            .map(|stage| stage.id.as_str())
            .collect()
    }

    /// What a rollback would undo, in its order: steps that began and have an undo, those that affect production first, the
    /// last begun first. A step that failed or was cut off counts: its effect is unknown.
    #[must_use]
    pub fn undo_plan(&self) -> Vec<&str> {
        let mut plan: Vec<_> = self.began_steps().filter(|(_, step, _)| step.undo == Undo::Given).collect();
        plan.sort_by_key(|(_, step, seq)| (!step.reach.is_production(), std::cmp::Reverse(*seq)));
        plan.into_iter().map(|(key, ..)| key).collect()
    }

    /// Production is back where the rollback's own stage says so, or else where no undo of production failed.
    pub(super) fn end_of_rollback(&self) -> Next {
        let not_validated = self.steps.values().any(|state| state.status == Status::Left);
        let production = |key: &str| self.outline.step(key).is_some_and(|step| step.reach.is_production());
        let not_restored = self.trigger_at().is_none() && self.failed_undos().any(production);
        if not_validated || not_restored { Next::Incomplete } else { Next::RolledBack }
    }

    fn failed_undos(&self) -> impl Iterator<Item = &str> {
        let failed = self.undone.iter().filter(|(_, state)| state.status == Some(UndoStatus::Failed));
        failed.map(|(key, _)| key.as_str())
    }

    /// The steps before the rollback's own stage that have begun, with the `seq` at which they first did.
    fn began_steps(&self) -> impl Iterator<Item = (&str, &StepOutline, u64)> {
        let own = self.trigger_at().map(|at| format!("{}/", self.outline.stages[at].id));
        let outside = move |key: &str| own.as_ref().is_none_or(|own| !key.starts_with(own.as_str()));
        self.steps.iter().filter_map(move |(key, state)| {
            let began = state.began.filter(|_| outside(key))?;
            Some((key.as_str(), self.outline.step(key)?, began))
        })
    }
}
