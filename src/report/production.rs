//! What production runs, as far as the log knows.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Source;
use crate::clock::Timestamp;
use crate::event::{Event, Record};
use crate::run::{Outline, Reach, Trigger, Undo};
use crate::vars::text_of;

/// What production runs, as far as the log knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Production {
    /// The version; `None` where it is not known: something that touches production is under way, failed or was cut off.
    pub version: Option<String>,
    /// Since when; `None` where nothing of the run has touched production.
    pub since: Option<Timestamp>,
    /// The step that it is known by, or that makes it unknown.
    pub step: Option<String>,
}

impl Production {
    /// In words, with times as `time` gives them: `v1.2.4 since 03:12 (deploy/direct)`.
    #[must_use]
    pub fn words(&self, time: impl Fn(Timestamp) -> String) -> String {
        let version = self.version.as_deref().unwrap_or("unknown");
        let since = self.since.map(|at| format!(" since {}", time(at))).unwrap_or_default();
        let step = self.step.as_ref().map(|step| format!(" ({step})")).unwrap_or_default();
        match (&self.version, self.since) {
            (Some(_), None) => format!("{version}, nothing of this run has touched it"),
            _ => format!("{version}{since}{step}"),
        }
    }
}

/// Goes through the records of `source`.
pub(super) fn production(source: &Source<'_>) -> Production {
    let Some(runbook) = source.runbook else { return Production::default() };
    let outline = Outline::of(runbook);
    let mut state = State {
        outline: &outline,
        way: Way::Forward,
        now: Production::default(),
        to: String::new(),
        open: BTreeSet::new(),
        doubtful: BTreeSet::new(),
    };
    source.records.iter().for_each(|record| state.take(record));
    state.now
}

enum Way {
    Forward,
    Back,
}

struct State<'a> {
    outline: &'a Outline,
    way: Way,
    now: Production,
    /// The version that the way it goes leads to.
    to: String,
    /// The steps under way, a group among them until it ends.
    open: BTreeSet<String>,
    /// The steps whose effect is not known.
    doubtful: BTreeSet<String>,
}

impl State<'_> {
    fn take(&mut self, record: &Record) {
        match &record.event {
            Event::RunStarted { vars, .. } => {
                let var = |name: &str| vars.get(name).map(text_of).filter(|text| !text.is_empty());
                self.now.version = var("tag");
                self.to = var("new_tag").unwrap_or_default();
            }
            Event::RollbackStarted { to, blind, .. } => {
                self.way = Way::Back;
                self.to.clone_from(to);
                // Nothing goes on forward: what was under way has an end that is not known. An undo will settle it, where there
                // is one; the rest is for the end of the rollback to settle.
                self.doubtful.append(&mut self.open);
                let outline = self.outline;
                self.doubtful.retain(|key| outline.step(key).is_some_and(|step| step.undo == Undo::Given));
                if *blind {
                    self.now = Production { version: None, since: Some(record.at), step: None };
                }
            }
            Event::RunRolledBack { to } if self.now.since.is_some() => {
                self.doubtful.clear();
                self.now = Production { version: Some(to.clone()), since: Some(record.at), step: None };
            }
            Event::StepStarted { step, .. } | Event::UndoStarted { step, .. } => self.begins(step, record.at),
            Event::StepDone { step, .. } | Event::StepDoneByHand { step, .. } => self.done(step, record.at),
            Event::UndoDone { step, .. } => self.undone(step, record.at),
            Event::StepFailed { step, .. } | Event::UndoFailed { step, .. } | Event::StepInterrupted { step, .. } => {
                self.fails(step, record.at);
            }
            _ => {}
        }
    }

    fn begins(&mut self, step: &str, at: Timestamp) {
        if self.touches(step) {
            self.open.insert(step.to_owned());
            self.unknown(step, at);
        }
    }

    fn fails(&mut self, step: &str, at: Timestamp) {
        if self.touches(step) {
            self.open.remove(step);
            self.doubtful.insert(step.to_owned());
            self.unknown(step, at);
        }
    }

    /// A step that deploys as a whole settles what those before it left in doubt.
    fn done(&mut self, step: &str, at: Timestamp) {
        if self.touches(step) {
            self.open.remove(step);
            self.doubtful.clear();
            self.known(step, at);
        }
    }

    /// An undo settles its own step alone.
    fn undone(&mut self, step: &str, at: Timestamp) {
        if self.touches(step) {
            self.open.remove(step);
            self.doubtful.remove(step);
            self.known(step, at);
        }
    }

    fn known(&mut self, step: &str, at: Timestamp) {
        if self.open.is_empty() && self.doubtful.is_empty() {
            self.now = Production { version: Some(self.to.clone()), since: Some(at), step: Some(step.to_owned()) };
        }
    }

    fn unknown(&mut self, step: &str, at: Timestamp) {
        self.now = Production { version: None, since: Some(at), step: Some(step.to_owned()) };
    }

    /// Whether `step` touches production the way the run goes.
    fn touches(&self, step: &str) -> bool {
        let reach = self.outline.step(step).map(|found| found.reach);
        let mut triggered = self.outline.stages.iter().filter(|stage| stage.trigger == Trigger::Rollback);
        let own = triggered.any(|stage| step.split('/').next() == Some(&stage.id));
        reach == Some(Reach::Production) && (!own || matches!(self.way, Way::Back))
    }
}
