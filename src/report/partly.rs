//! Production while it is deployed to, or taken back, part by part.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::run::plain;
use crate::runbook::{Body, Group, Runbook, Step};
use crate::template::Condition;
use crate::vars::{Values, text_of};

/// How much of production is on which version, while not all of it is on one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Partly {
    /// The version of the part that is done.
    pub version: String,
    /// The version that is still on the rest.
    pub rest: String,
    /// The hosts of the part that is done, as far as its steps have named them (`hosts`).
    pub hosts: Vec<String>,
    /// The hosts of the rest, as far as the steps have named them (`waiting`; of those to be undone, `hosts`).
    pub waiting: Vec<String>,
    /// How much is left, as the steps have it (`remaining`).
    pub remaining: Option<String>,
}

impl Partly {
    /// In words: `v1.2.4 on web-1, v1.2.3 still on the rest (web-2, web-3)`.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { version, rest, hosts, waiting, remaining } = self;
        let part = if hosts.is_empty() { "a part of it".to_owned() } else { hosts.join(", ") };
        let left = match remaining {
            _ if !waiting.is_empty() => format!(" ({})", waiting.join(", ")),
            Some(remaining) => format!(" ({remaining} left)"),
            None => String::new(),
        };
        format!("{version} on {part}, {rest} still on the rest{left}")
    }
}

/// The names in a list such as a script gives: `web-1,web-2`.
pub(super) fn names(value: &Value) -> Vec<String> {
    let text = if value.is_null() { String::new() } else { text_of(value) };
    let names = text.split(|letter: char| letter == ',' || letter.is_whitespace()).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

/// Whether the step `key` repeats the steps inside it.
pub(super) fn is_repeated(runbook: &Runbook, key: &str) -> bool {
    !is_inside(&plain(key)) && place(runbook, key).is_some_and(|(steps, at)| repeated(&steps[at]).is_some())
}

/// Whether the step `key` is inside a group.
fn is_inside(key: &str) -> bool {
    key.matches('/').count() > 1
}

/// Whether a repeated group has more of production before it, once the step `key` has done its part: the one around it, or one
/// behind it in the same stage. `is_over` says of a group whether it has ended, and `touches` whether it is about
/// production at all. What cannot be worked out counts as still ahead.
pub(super) fn goes_on(
    (runbook, vars): (&Runbook, &BTreeMap<String, Value>),
    key: &str,
    is_over: impl Fn(&str) -> bool,
    touches: impl Fn(&str) -> bool,
) -> bool {
    let key = plain(key);
    let Some((steps, at)) = place(runbook, &key) else { return false };
    let stage = key.split('/').next().unwrap_or_default();
    steps[at..].iter().enumerate().any(|(behind, step)| {
        let Some(group) = repeated(step) else { return false };
        let id = format!("{stage}/{}", step.id);
        let ended = is_over(&id) || !touches(&id);
        let until = group.repeat.as_ref().and_then(|repeat| repeat.until.as_ref());
        let last = behind == 0 && is_inside(&key) && until.is_some_and(|until| holds(until, vars) == Some(true));
        let passed_over = step.when.as_ref().is_some_and(|when| holds(when, vars) == Some(false));
        // A group that has begun goes on whatever its condition says by now.
        let passed_over = passed_over && !(behind == 0 && is_inside(&key));
        !ended && !last && !passed_over
    })
}

/// The steps of the stage of `key`, and where the outermost of its steps is among them.
fn place<'a>(runbook: &'a Runbook, key: &str) -> Option<(&'a [Step], usize)> {
    let mut parts = key.split('/');
    let (stage, id) = (parts.next()?, parts.next()?);
    let steps = &runbook.stages.iter().find(|of| of.id == stage)?.steps;
    Some((steps, steps.iter().position(|step| step.id == id)?))
}

fn repeated(step: &Step) -> Option<&Group> {
    match &step.body {
        Body::Group(group) => Some(group).filter(|group| group.repeat.is_some()),
        Body::Action(_) => None,
    }
}

/// Whether `condition` holds on the way forward; `None` where that cannot be worked out. What has no value yet is none.
fn holds(condition: &Condition, vars: &BTreeMap<String, Value>) -> Option<bool> {
    let mut values = Values::default();
    condition.names().ok()?.into_iter().for_each(|name| {
        let value = vars.get(&name).cloned().unwrap_or_default();
        values.set(name, value);
    });
    values.set("direction", "forward");
    condition.holds(&values).ok()
}
