//! What production runs, as far as the log knows.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::Source;
use super::partly::{Partly, goes_on, is_repeated, names};
use crate::clock::Timestamp;
use crate::event::{Event, Record};
use crate::run::{Outline, Reach, Trigger, Undo};
use crate::runbook::Runbook;
use crate::vars::text_of;

/// What production runs, as far as the log knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Production {
    /// The version of all of it; `None` where it is not known, because something that touches production is under way, failed or
    /// was cut off, and where not all of it is on one.
    pub version: Option<String>,
    /// Since when; `None` where nothing of the run has touched production.
    pub since: Option<Timestamp>,
    /// The step that it is known by, or that makes it unknown.
    pub step: Option<String>,
    /// What is on which version, where not all of it is on one; before `step`, where `doubt` says that this is not known now.
    pub partly: Option<Partly>,
    /// What makes it unknown.
    pub doubt: Option<Doubt>,
}

/// Why it is not known what production runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// A step that touches it is under way.
    UnderWay,
    /// The undo of one is under way.
    Undoing,
    /// One failed, or its end is not known.
    Open,
}

impl Production {
    /// In words, with times as `time` gives them: `v1.2.4 since 03:12 (deploy/direct)`.
    #[must_use]
    pub fn words(&self, time: impl Fn(Timestamp) -> String) -> String {
        if let Some(partly) = &self.partly {
            let (parts, step) = (partly.words(), self.step.as_deref().unwrap_or_default());
            let at = self.since.map(time).unwrap_or_default();
            return match self.doubt {
                None => format!("{parts}, since {at} ({step})"),
                Some(Doubt::UnderWay) => format!("{parts}; {step} under way since {at}"),
                Some(Doubt::Undoing) => format!("{parts}; {step} is being undone since {at}"),
                Some(Doubt::Open) => format!("unknown since {at} ({step}); before it {parts}"),
            };
        }
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
        runbook,
        outline: &outline,
        vars: BTreeMap::new(),
        way: Way::Forward,
        now: Production::default(),
        from: String::new(),
        to: String::new(),
        open: BTreeSet::new(),
        doubtful: BTreeSet::new(),
        ended: BTreeSet::new(),
        parts: Vec::new(),
    };
    source.records.iter().for_each(|record| state.take(record));
    state.now
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Forward,
    Back,
}

struct State<'a> {
    runbook: &'a Runbook,
    outline: &'a Outline,
    vars: BTreeMap<String, Value>,
    way: Way,
    now: Production,
    /// The version that the way it goes comes from.
    from: String,
    /// The version that the way it goes leads to.
    to: String,
    /// The steps under way, a group among them until it ends, but not one that is repeated: its steps count alone.
    open: BTreeSet<String>,
    /// The steps whose effect is not known.
    doubtful: BTreeSet<String>,
    /// The repeated groups that are over.
    ended: BTreeSet<String>,
    /// The steps that have done their part, with the hosts that they named.
    parts: Vec<Part>,
}

struct Part {
    step: String,
    hosts: Vec<String>,
    undone: bool,
}

impl State<'_> {
    fn take(&mut self, record: &Record) {
        match &record.event {
            Event::RunStarted { vars, .. } => {
                let var = |name: &str| vars.get(name).map(text_of).filter(|text| !text.is_empty());
                self.now.version = var("tag");
                self.from = var("tag").unwrap_or_default();
                self.to = var("new_tag").unwrap_or_default();
                self.vars.clone_from(vars);
            }
            Event::RollbackStarted { to, blind, .. } => {
                if self.way == Way::Forward {
                    self.from.clone_from(&self.to);
                }
                self.way = Way::Back;
                self.to.clone_from(to);
                self.parts.iter_mut().for_each(|part| part.undone = false);
                // Nothing goes on forward: what was under way has an end that is not known. An undo will settle it, where there
                // is one; the rest is for the end of the rollback to settle.
                self.doubtful.append(&mut self.open);
                self.now.doubt = self.now.doubt.map(|_| Doubt::Open);
                let outline = self.outline;
                self.doubtful.retain(|key| outline.step(key).is_some_and(|step| step.undo == Undo::Given));
                if *blind {
                    self.now = Production { since: Some(record.at), ..Production::default() };
                }
            }
            Event::RunRolledBack { to } if self.now.since.is_some() => {
                self.doubtful.clear();
                self.now = Production { version: Some(to.clone()), since: Some(record.at), ..Production::default() };
            }
            Event::StepStarted { step, .. } => self.begins(step, record.at, Doubt::UnderWay),
            Event::UndoStarted { step, .. } => self.begins(step, record.at, Doubt::Undoing),
            Event::StepDone { step, set, .. } => {
                self.vars.extend(set.clone());
                self.done(step, record.at, set.get("hosts").map(names).unwrap_or_default());
            }
            Event::StepDoneByHand { step, .. } => self.done(step, record.at, Vec::new()),
            Event::StepSkipped { .. } => self.weigh(),
            Event::UndoDone { step, .. } => self.undone(step, record.at),
            Event::StepFailed { step, .. } | Event::UndoFailed { step, .. } | Event::StepInterrupted { step, .. } => {
                self.fails(step, record.at);
            }
            _ => {}
        }
    }

    fn begins(&mut self, step: &str, at: Timestamp, doubt: Doubt) {
        if self.touches(step) && !is_repeated(self.runbook, step) {
            self.open.insert(step.to_owned());
            self.unknown(step, at, doubt);
        }
    }

    fn fails(&mut self, step: &str, at: Timestamp) {
        if self.touches(step) {
            self.open.remove(step);
            self.doubtful.insert(step.to_owned());
            self.unknown(step, at, Doubt::Open);
        }
    }

    /// A step that deploys as a whole settles what those before it left in doubt.
    fn done(&mut self, step: &str, at: Timestamp, hosts: Vec<String>) {
        if !self.touches(step) {
            self.weigh();
            return;
        }
        self.open.remove(step);
        self.doubtful.clear();
        if is_repeated(self.runbook, step) {
            self.ended.insert(step.to_owned());
        }
        if self.way == Way::Forward {
            self.parts.retain(|part| part.step != step);
            self.parts.push(Part { step: step.to_owned(), hosts, undone: false });
        } else {
            // The rollback's own stage takes back all of it.
            self.parts.clear();
        }
        self.known(step, at);
    }

    /// An undo settles its own step alone.
    fn undone(&mut self, step: &str, at: Timestamp) {
        if self.touches(step) {
            self.open.remove(step);
            self.doubtful.remove(step);
            self.parts.iter_mut().filter(|part| part.step == step).for_each(|part| part.undone = true);
            self.known(step, at);
        }
    }

    fn known(&mut self, step: &str, at: Timestamp) {
        if self.open.is_empty() && self.doubtful.is_empty() {
            let partly = self.partly();
            let version = partly.is_none().then(|| self.to.clone());
            let (since, step) = (Some(at), Some(step.to_owned()));
            self.now = Production { version, since, step, partly, doubt: None };
        }
    }

    /// A step that does not touch production may have told that all of it is done, or a group may be passed over.
    fn weigh(&mut self) {
        if let (Some(step), Some(at), None, true) =
            (self.now.step.clone(), self.now.since, self.now.doubt, self.now.partly.is_some())
            && self.way == Way::Forward
        {
            self.known(&step, at);
        }
    }

    fn unknown(&mut self, step: &str, at: Timestamp, doubt: Doubt) {
        let partly = self.now.partly.take();
        let (since, step, doubt) = (Some(at), Some(step.to_owned()), Some(doubt));
        self.now = Production { version: None, since, step, partly, doubt };
    }

    /// What is on which version, where there is more to do.
    fn partly(&self) -> Option<Partly> {
        let (version, rest) = (self.to.clone(), self.from.clone());
        let hosts = |undone: bool| -> Vec<String> {
            let parts = self.parts.iter().filter(|part| part.undone == undone);
            parts.flat_map(|part| part.hosts.iter().cloned()).collect()
        };
        match self.way {
            Way::Forward => {
                let last = self.parts.last()?;
                let is_over = |group: &str| self.ended.contains(group);
                if !goes_on((self.runbook, &self.vars), &last.step, is_over, |key| self.touches(key)) {
                    return None;
                }
                let waiting = self.vars.get("waiting").map(names).unwrap_or_default();
                let remaining = self.vars.get("remaining").filter(|it| !it.is_null()).map(text_of);
                Some(Partly { version, rest, hosts: hosts(false), waiting, remaining })
            }
            Way::Back => {
                let to_be_undone = |part: &&Part| {
                    let undo = self.outline.step(&part.step).map(|step| step.undo);
                    !part.undone && undo == Some(Undo::Given)
                };
                self.parts.iter().find(to_be_undone)?;
                Some(Partly { version, rest, hosts: hosts(true), waiting: hosts(false), remaining: None })
            }
        }
    }

    /// Whether `step` touches production the way the run goes.
    fn touches(&self, step: &str) -> bool {
        let reach = self.outline.step(step).map(|found| found.reach);
        let mut triggered = self.outline.stages.iter().filter(|stage| stage.trigger == Trigger::Rollback);
        let own = triggered.any(|stage| step.split('/').next() == Some(&stage.id));
        reach == Some(Reach::Production) && (!own || matches!(self.way, Way::Back))
    }
}
