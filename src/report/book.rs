//! The runbook, asked for what a record names.

use super::Source;
use super::text::one_line;
use crate::action::Action;
use crate::run::plain;
use crate::runbook::{Body, Runbook, Stage, Step};
use crate::template::Template;

/// The runbook of a source, where there is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Book<'a>(Option<&'a Runbook>);

impl<'a> Book<'a> {
    pub(super) fn of(source: &Source<'a>) -> Self {
        Self(source.runbook)
    }

    /// The stages, in order.
    pub(super) fn stages(self) -> &'a [Stage] {
        self.0.map(|runbook| runbook.stages.as_slice()).unwrap_or_default()
    }

    pub(super) fn stage(self, id: &str) -> Option<&'a Stage> {
        self.stages().iter().find(|stage| stage.id == id)
    }

    /// The step `key`, which may be a repetition's.
    pub(super) fn step(self, key: &str) -> Option<&'a Step> {
        let key = plain(key);
        let mut parts = key.split('/');
        let mut steps = self.stage(parts.next()?)?.steps.as_slice();
        let mut found = None;
        for part in parts {
            let step = steps.iter().find(|step| step.id == part)?;
            found = Some(step);
            steps = match &step.body {
                Body::Group(group) => &group.steps,
                Body::Action(_) => &[],
            };
        }
        found
    }

    /// What the step `key` does, where it is not a group.
    pub(super) fn action(self, key: &str) -> Option<&'a Action> {
        match &self.step(key)?.body {
            Body::Action(action) => Some(action),
            Body::Group(_) => None,
        }
    }

    /// What undoes the step `key`.
    pub(super) fn undo(self, key: &str) -> Option<&'a Action> {
        self.step(key)?.undo.as_ref()
    }

    pub(super) fn stage_title(self, id: &str) -> String {
        title(self.stage(id).and_then(|stage| stage.title.as_ref()), id)
    }

    pub(super) fn step_title(self, key: &str) -> String {
        title(self.step(key).and_then(|step| step.title.as_ref()), key)
    }

    /// Whether `reason`, for which the step `key` was left out, is a condition of the runbook and not a person's.
    pub(super) fn is_condition(self, key: &str, reason: &str) -> bool {
        let stage = key.split('/').next().and_then(|id| self.stage(id)).and_then(|stage| stage.when.as_ref());
        let step = self.step(key).and_then(|step| step.when.as_ref());
        [stage, step].into_iter().flatten().any(|when| reason.contains(when.text()))
    }
}

/// A title with something to work out in it says less than the id.
fn title(title: Option<&Template>, id: &str) -> String {
    title.filter(|title| title.is_plain()).map_or_else(|| id.to_owned(), |title| one_line(title.text()))
}
