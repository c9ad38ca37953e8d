//! The operator who is a file of answers.
//!
//! # Why
//! An answer that does not fit its question is kept and the question counts as unanswered: a file that has slipped by one line must
//! stop the run, not confirm something else. How many answers a step has used comes from outside, so that a run taken up again
//! goes on where it stood.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};
use serde_saphyr::UserMessageFormatter;

use super::{Answer, Attention, Form, Operator, Presence, Purpose, Question, Unanswered, Way};
use crate::clock::LocalFuture;
use crate::process::{Left, Loan};
use crate::vars::text_of;

/// The key that answers the question of `hotfix rollback`, and no other.
const ROLLBACK: &str = "rollback";
/// The keys that are no step's: the question of `hotfix rollback`, whether a run may go on in another environment, and the
/// question of `hotfix abort`.
const RESERVED: [&str; 3] = [ROLLBACK, "environment", "abort"];

/// Answers from a file, by step.
#[derive(Debug)]
pub struct Scripted {
    answers: BTreeMap<String, Vec<Value>>,
    used: RefCell<BTreeMap<String, usize>>,
    presence: Presence,
}

/// A file of answers that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the answers cannot be read: {0}")]
pub struct AnswersError(String);

/// A key of a file of answers that no step has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey {
    /// The key as the file has it.
    pub key: String,
    /// The step whose name is nearest, where one is near.
    pub nearest: Option<String>,
}

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an answer for an unknown step: `{}`", self.key)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

impl Scripted {
    /// Reads a YAML mapping from step to answer, or to the list of its answers. `used` says how many each step has used already.
    ///
    /// # Errors
    /// Where `text` is not such a mapping.
    pub fn parse(text: &str, used: BTreeMap<String, usize>) -> Result<Self, AnswersError> {
        let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
        let read: Option<BTreeMap<String, Value>> = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| AnswersError(error.render_with_formatter(&UserMessageFormatter)))?;
        let listed = read.unwrap_or_default().into_iter().map(|(key, value)| (key, listed(value))).collect();
        Ok(Self { answers: listed, used: RefCell::new(used), presence: Presence::File })
    }

    /// No answers: whoever has them may come.
    #[must_use]
    pub fn away() -> Self {
        Self { answers: BTreeMap::new(), used: RefCell::default(), presence: Presence::Away }
    }

    /// The keys that name none of `steps`, each with the name nearest to it. A pattern has to cover at least one.
    #[must_use]
    pub fn check_known(&self, steps: &[String]) -> Vec<UnknownKey> {
        let known = |key: &str| {
            RESERVED.contains(&key) || steps.iter().any(|step| *step == key || *step == plain(key) || covers(key, step))
        };
        let unknown = self.answers.keys().filter(|key| !known(key));
        unknown.map(|key| UnknownKey { key: key.clone(), nearest: nearest(key, steps) }).collect()
    }

    /// Gives the next answer to `question` and counts it as used.
    fn next(&self, question: &Question) -> Option<Answer> {
        let (key, counted, pattern) = self.key_for(question)?;
        let mut used = self.used.borrow_mut();
        let so_far = match pattern {
            Covered::InFull => {
                used.iter().filter(|(step, _)| self.named_key(step) == Some(key)).map(|(_, count)| *count).sum()
            }
            Covered::ByPattern => used.get(&counted).copied().unwrap_or(0),
        };
        let value = self.answers.get(key)?.get(so_far)?;
        let answer = match pattern {
            Covered::ByPattern if value == "done" => done_for(&question.form),
            _ => fitting(value, question),
        };
        let answer = answer.filter(|answer| question.form.accepts(answer))?;
        *used.entry(counted).or_default() += 1;
        Some(answer)
    }

    /// The key that answers `question`, the name its use is counted under, and whether the key is a pattern.
    fn key_for(&self, question: &Question) -> Option<(&str, String, Covered)> {
        if question.step == ROLLBACK {
            let its_own = question.purpose == Purpose::Rollback;
            return its_own.then(|| (ROLLBACK, ROLLBACK.to_owned(), Covered::InFull));
        }
        if let Some(key) = self.named_key(&question.step) {
            return (key != ROLLBACK).then(|| (key, question.step.clone(), Covered::InFull));
        }
        let harmless = question.purpose == Purpose::Step && matches!(question.form, Form::Checklist(_) | Form::Hand);
        let patterns = self.answers.keys().filter(|key| harmless && covers(key, &question.step));
        let narrowest = patterns.max_by_key(|key| key.len())?;
        Some((narrowest, question.step.clone(), Covered::ByPattern))
    }

    /// The key that names `step` in full: as it is, or without the numbers of its repetitions.
    fn named_key(&self, step: &str) -> Option<&str> {
        let found = self.answers.get_key_value(step).or_else(|| self.answers.get_key_value(&plain(step)));
        found.map(|(key, _)| key.as_str())
    }
}

impl Operator for Scripted {
    fn ask<'a>(&'a self, question: &'a Question) -> LocalFuture<'a, Result<Answer, Unanswered>> {
        Box::pin(async move { self.next(question).ok_or(Unanswered::Missing) })
    }

    /// A file has no terminal.
    fn lend<'a>(&'a self, _loan: &'a Loan) -> LocalFuture<'a, Result<Left, Unanswered>> {
        Box::pin(std::future::ready(Err(Unanswered::Missing)))
    }

    fn attention(&self) -> LocalFuture<'_, Attention> {
        Box::pin(std::future::pending())
    }

    fn presence(&self) -> Presence {
        self.presence
    }
}

/// How a key names a step.
#[derive(Clone, Copy)]
enum Covered {
    InFull,
    ByPattern,
}

/// A scalar is a list of one; a blank that nobody filled in is no answer at all.
fn listed(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        Value::Null => Vec::new(),
        other => vec![other],
    }
}

/// A step's name without the numbers of repetitions: `a/b.2/c.1` is `a/b/c`.
fn plain(step: &str) -> String {
    let part = |part: &str| match part.rsplit_once('.') {
        Some((name, number)) if number.parse::<u32>().is_ok() => name.to_owned(),
        _ => part.to_owned(),
    };
    step.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Whether `pattern` has a `*` and covers `step`; a `*` stands for any text.
fn covers(pattern: &str, step: &str) -> bool {
    let mut parts = pattern.split('*');
    let (Some(head), Some(tail)) = (parts.next(), parts.next_back()) else { return false };
    let Some(rest) = step.strip_prefix(head) else { return false };
    let Some(mut rest) = rest.strip_suffix(tail) else { return false };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

fn nearest(key: &str, steps: &[String]) -> Option<String> {
    let scored = steps.iter().map(|step| (strsim::normalized_damerau_levenshtein(key, step), step));
    scored.filter(|(score, _)| *score > 0.5).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, step)| step.clone())
}

/// What `done` under a pattern means to a question.
fn done_for(form: &Form) -> Option<Answer> {
    match form {
        Form::Hand => Some(Answer::Done { note: None }),
        Form::Checklist(items) => Some(Answer::Checked(items.iter().map(|item| item.text.clone()).collect())),
        _ => None,
    }
}

/// `value` read as an answer to `question`; `None` where it cannot be one.
fn fitting(value: &Value, question: &Question) -> Option<Answer> {
    match &question.form {
        Form::Confirm => match value.as_str()? {
            "yes" => Some(Answer::Yes),
            "no" => Some(Answer::No),
            _ => None,
        },
        Form::Typed { expected } if question.step == ROLLBACK && value == "yes" => Some(Answer::Text(expected.clone())),
        Form::Typed { .. } | Form::Text | Form::Editor { .. } | Form::Choice(_) => scalar(value).map(Answer::Text),
        Form::Number => match value {
            Value::Number(number) => number.as_f64().map(Answer::Number),
            _ => value.as_str()?.trim().parse().ok().map(Answer::Number),
        },
        Form::Choices(_) => texts(value).map(Answer::Choices),
        Form::Checklist(_) if value == "all" => done_for(&question.form),
        Form::Checklist(_) => value.as_array().and_then(|_| texts(value)).map(Answer::Checked),
        Form::Approve { .. } => approval(value.as_object()?),
        Form::Hand => done(value),
        Form::Shell { .. } => done(value).or_else(|| value.as_str().map(|text| Answer::Command(text.to_owned()))),
        Form::Way(_) => way(value),
        // A file calls nobody, and sends nothing of its own accord.
        Form::Due(_) => None,
    }
}

fn scalar(value: &Value) -> Option<String> {
    (!value.is_array() && !value.is_object() && !value.is_null()).then(|| text_of(value))
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(values) => values.iter().map(scalar).collect(),
        other => scalar(other).map(|text| vec![text]),
    }
}

fn approval(fields: &Map<String, Value>) -> Option<Answer> {
    let text = |name: &str| fields.get(name).and_then(scalar);
    if fields.keys().any(|name| !matches!(name.as_str(), "approve" | "note" | "skip")) {
        return None;
    }
    match (text("approve"), text("skip")) {
        (Some(name), None) => Some(Answer::Approved { name, note: text("note").unwrap_or_default() }),
        (None, Some(reason)) => Some(Answer::NotApproved { reason }),
        _ => None,
    }
}

fn done(value: &Value) -> Option<Answer> {
    if value == "done" {
        return Some(Answer::Done { note: None });
    }
    only(value, "done").map(|note| Answer::Done { note: Some(note) })
}

fn way(value: &Value) -> Option<Answer> {
    if let Some(reason) = only(value, "skip") {
        return Some(Answer::Way { way: Way::Skip, reason: Some(reason) });
    }
    if let Some(reason) = only(value, "done") {
        return Some(Answer::Way { way: Way::Done, reason: Some(reason) });
    }
    let way = serde_json::from_value(value.clone()).ok()?;
    Some(Answer::Way { way, reason: None })
}

/// The text of a mapping whose one key is `name`.
fn only(value: &Value, name: &str) -> Option<String> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    fields.get(name).and_then(scalar)
}
