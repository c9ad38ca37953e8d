//! What one reading means: facts held against conditions.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::{Measurement, classify};
use crate::template::Condition;
use crate::vars::{Values, text_of};

/// What a probe read, by the names that conditions have for it, the plainest first. A null is a fact that was not to be had.
pub type Facts = Vec<(&'static str, Value)>;

/// How much of a text a reading keeps, in characters.
const KEPT: usize = 200;

/// What came of asking once.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The facts, or why there are none.
    pub facts: Result<Facts, String>,
    /// How long it took.
    pub took: Duration,
}

/// What a value has to be; one that was not given says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conditions<'a> {
    /// A value for which it holds is as it should be.
    pub success: Option<&'a Condition>,
    /// A value for which it holds is not.
    pub failure: Option<&'a Condition>,
}

/// A reading and what it means.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// What it means.
    pub measurement: Measurement,
    /// What was read: the number that the conditions compare, where there is one. Of an error, why.
    pub value: Value,
}

impl Judged {
    fn error(why: impl Into<String>) -> Self {
        Self { measurement: Measurement::Error, value: kept(why.into().into()) }
    }
}

impl Conditions<'_> {
    /// What `answer` means to a probe that was to answer within `deadline`. `values` are what conditions see beside the facts.
    ///
    /// An error is: no facts, an answer after the deadline, a fact that a condition names and that was not to be had, and a
    /// condition that cannot be worked out, as of a field that is not there or a text where a number is needed.
    #[must_use]
    pub fn judge(&self, values: &Values, answer: Answer, deadline: Duration) -> Judged {
        let facts = match answer.facts {
            Err(why) => return Judged::error(why),
            Ok(_) if answer.took > deadline => return Judged::error(late(deadline)),
            Ok(facts) => facts,
        };
        // Compared with a number, nothing is neither more nor less: a condition would take it for good. Whether a body is JSON
        // at all may be asked.
        let lacking = facts.iter().find(|(name, value)| value.is_null() && *name != "json" && self.names(name));
        if let Some((name, _)) = lacking {
            return Judged::error(format!("no `{name}` was to be had"));
        }
        let value = self.value(&facts);
        let mut values = values.clone();
        for (name, fact) in facts {
            values.set(name, fact);
        }
        let holds = |condition: Option<&Condition>| condition.map(|condition| condition.holds(&values)).transpose();
        match (holds(self.success), holds(self.failure)) {
            (Ok(success), Ok(failure)) => Judged { measurement: classify(success, failure), value },
            (Err(why), _) | (_, Err(why)) => Judged::error(why),
        }
    }

    /// The variables that they hold a reading to, as they are: ` (max_ms = 500, ms_before = none)`.
    #[must_use]
    pub fn limits(&self, values: &Values) -> String {
        let read: BTreeSet<String> = self.each().filter_map(|condition| condition.names().ok()).flatten().collect();
        let value = |name: &String| {
            let value = values.get(name)?;
            Some(format!("{name} = {}", if value.is_null() { "none".to_owned() } else { text_of(value) }))
        };
        let known: Vec<_> = read.iter().filter_map(value).collect();
        if known.is_empty() { String::new() } else { format!(" ({})", known.join(", ")) }
    }

    /// Whether any of them reads `name`.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        self.each().any(|condition| condition.names().is_ok_and(|names| names.contains(name)))
    }

    /// The unit of the value that stands for `facts`: `ms`, `%`, or none.
    #[must_use]
    pub fn unit(&self, facts: &Facts) -> &'static str {
        let value = self.value(facts);
        let same = |(name, fact): &&(&'static str, Value)| *fact == value && value.is_number() && self.names(name);
        match facts.iter().find(same).map(|(name, _)| *name) {
            Some("elapsed_ms" | "p50" | "p95" | "p99") => "ms",
            Some(name) if name.ends_with("_percent") => "%",
            _ => "",
        }
    }

    fn each(&self) -> impl Iterator<Item = &Condition> {
        [self.success, self.failure].into_iter().flatten()
    }

    /// The one value that stands for the facts.
    fn value(&self, facts: &Facts) -> Value {
        let number = self.each().find_map(|condition| condition.measured(facts));
        let named = || facts.iter().find(|(name, _)| self.names(name)).or(facts.first());
        number.or_else(|| named().map(|(_, value)| kept(value.clone()))).unwrap_or_default()
    }
}

/// What is said of an answer that did not come within `deadline`.
fn late(deadline: Duration) -> String {
    format!("no answer within {} ms", deadline.as_millis())
}

/// `value`, or the beginning of its text.
fn kept(value: Value) -> Value {
    if matches!(value, Value::Null | Value::Bool(_) | Value::Number(_)) {
        return value;
    }
    let text = text_of(&value);
    match text.char_indices().nth(KEPT) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => value,
    }
}
