//! What a runbook is, once it has been read and checked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::Action;
use crate::action::command::{Capture, Command};
use crate::action::notify::Channel;
use crate::process::Limit;
use crate::template::{Condition, Length, Template};
use crate::vars::Values;

/// A whole runbook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runbook {
    /// Its name.
    pub name: String,
    /// The version of the language.
    pub version: u32,
    /// Variables with their first values. A text among them is a template.
    #[serde(default)]
    pub vars: BTreeMap<String, Value>,
    /// Environment variables that must be the same wherever the run is driven.
    #[serde(default)]
    pub environment: Vec<String>,
    /// Environment variables whose values are never shown.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// How much of the output of each command is kept: `64MiB`, `500kB`, or bytes; 1 GiB where it is not given.
    #[serde(default)]
    pub output_limit: Limit,
    /// Files that carry the version; the lock files beside them go with them.
    #[serde(default)]
    pub version_files: Vec<Template>,
    /// People by role.
    #[serde(default)]
    pub contacts: BTreeMap<String, Contact>,
    /// Whom to call, and after how long.
    #[serde(default)]
    pub escalation: Vec<Escalation>,
    /// Where messages go.
    #[serde(default)]
    pub channels: BTreeMap<String, Channel>,
    /// What those who are concerned are told while it lasts, and how often; nothing where it is not given.
    #[serde(default)]
    pub updates: Option<Updates>,
    /// The stages, in order.
    pub stages: Vec<Stage>,
}

/// A person, or whoever has the role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// The name.
    pub name: Template,
    /// The number to call.
    #[serde(default)]
    pub phone: Option<Template>,
    /// The address to write to.
    #[serde(default)]
    pub email: Option<Template>,
}

/// One rung of the escalation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    /// How long after the incident began.
    pub after: Length,
    /// Which of the contacts.
    pub contact: String,
    /// What to say.
    #[serde(default)]
    pub say: Option<Template>,
}

/// What those who are concerned are told while it lasts. Each is a draft: a person sends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Updates {
    /// How long after the run began, and after the last message.
    pub every: Length,
    /// To which channels; all where none is named.
    #[serde(default)]
    pub channels: Vec<String>,
    /// The draft.
    #[serde(default)]
    pub text: Option<Template>,
}

/// The names that a draft may read beside the variables: how long the incident has lasted, the stage the run is at, the stages that
/// are done, how often those concerned hear of it, and what is the matter with the step it is at. Of `failed` (what failed, and why),
/// `waits_for` (what a person is asked for) and `under_way` at most one is not empty; `needs` is that one.
pub const DRAFTED: &[&str] =
    &["lasting", "standing", "so_far", "update_every", "failed", "waits_for", "under_way", "needs"];

/// A numbered part of a runbook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Its id.
    pub id: String,
    /// Its title.
    #[serde(default)]
    pub title: Option<Template>,
    /// Guidance, in Markdown.
    #[serde(default)]
    pub guide: Option<Template>,
    /// It is left out where this does not hold.
    #[serde(default)]
    pub when: Option<Condition>,
    /// How long it ought to take.
    #[serde(default)]
    pub budget: Option<Length>,
    /// What it is for, beside the way forward.
    #[serde(default)]
    pub trigger: Option<Trigger>,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// What leads to a stage, other than the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A rollback ends in it.
    Rollback,
}

/// One thing to do.
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the language that says yes or no")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its id, unique in its stage or group.
    pub id: String,
    /// Its title.
    #[serde(default)]
    pub title: Option<Template>,
    /// It is left out where this does not hold.
    #[serde(default)]
    pub when: Option<Condition>,
    /// Guidance shown before it, in Markdown.
    #[serde(default)]
    pub guide: Option<Template>,
    /// What it touches.
    #[serde(default)]
    pub affects: Option<Affects>,
    /// How long it may take; no end where none is given.
    #[serde(default)]
    pub timeout: Option<Length>,
    /// How long it may say nothing.
    #[serde(default)]
    pub inactivity_timeout: Option<Length>,
    /// How often it is tried again by itself.
    #[serde(default)]
    pub retries: u32,
    /// It is tried again only where this holds; reads `exit_code`, `timed_out` and `output`.
    #[serde(default)]
    pub retry_on: Option<Condition>,
    /// The time before it is tried again.
    #[serde(default)]
    pub delay: Option<Length>,
    /// What `delay` is multiplied with each time.
    #[serde(default)]
    pub backoff: Option<f64>,
    /// The time between asking a command to end and killing it; 5 s where none is given.
    #[serde(default)]
    pub kill_grace: Option<Length>,
    /// Whether it cannot be skipped.
    #[serde(default)]
    pub required: bool,
    /// What must pass after it.
    #[serde(default)]
    pub verify: Option<Action>,
    /// Tells whether it has already happened: the command ends with 0.
    #[serde(default)]
    pub done_if: Option<Command>,
    /// What takes it back.
    #[serde(default)]
    pub undo: Option<Action>,
    /// Variables that get something of its output.
    #[serde(default)]
    pub capture: BTreeMap<String, Capture>,
    /// Exit codes of its command that are a success too, beside 0: 1 to 125.
    #[serde(default)]
    pub success_exit: Vec<i32>,
    /// Environment variables of its command.
    #[serde(default)]
    pub env: BTreeMap<String, Template>,
    /// Where its command runs.
    #[serde(default)]
    pub dir: Option<Template>,
    /// Whether its command talks to the operator.
    #[serde(default)]
    pub interactive: bool,
    /// Whether its command gets a terminal of its own.
    #[serde(default)]
    pub tty: bool,
    /// Whether it runs again on resume.
    #[serde(default)]
    pub always: bool,
    /// What it does.
    pub body: Body,
}

/// What a step touches. Either is asked about, and undone first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Affects {
    /// Users feel it.
    Production,
    /// It belongs to production, and users are not on it: what production runs stays the same.
    Standby,
}

/// What a step does: one action, or further steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// One action.
    Action(Action),
    /// Further steps.
    Group(Group),
}

/// Steps that belong together, and may be repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// How often; once where nothing is given.
    #[serde(default)]
    pub repeat: Option<Repeat>,
}

/// How often a group is gone through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// It ends when this holds after a repetition.
    #[serde(default)]
    pub until: Option<Condition>,
    /// What it means that this holds, for whoever reads the prompt: `no batch is left`.
    #[serde(default)]
    pub means: Option<Template>,
    /// It ends after so many.
    pub max: u32,
}

impl Repeat {
    /// How often, in words.
    #[must_use]
    pub fn words(&self, values: &Values) -> String {
        let Self { until, means, max } = self;
        let means = means.as_ref().map(|means| means.render(values).unwrap_or_else(|_| means.text().to_owned()));
        match (means, until) {
            (Some(means), _) => format!("repeated until {means}, {max} times at most"),
            (None, Some(until)) => format!("repeated until this holds, {max} times at most: {}", until.text()),
            (None, None) => format!("repeated: {max} times in all"),
        }
    }
}
