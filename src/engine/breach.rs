//! How a gate that breaks in asks: by what it came to, and by whether anything goes on watching.

use crate::action::{COURSE, Failure, UNTIL, VERDICT, WHY};
use crate::clock::Timestamp;
use crate::gate::Verdict;
use crate::vars::text_of;

/// What a breach is, to be put into words.
pub(super) struct Breach<'a> {
    key: &'a str,
    failure: &'a Failure,
}

impl<'a> Breach<'a> {
    /// What the gate of the step `key` came to.
    pub(super) fn of(key: &'a str, failure: &'a Failure) -> Self {
        Self { key, failure }
    }

    /// Whether the watch is over at `now`, so that nothing is left to go on watching.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        let until = self.failure.facts.get(UNTIL).and_then(serde_json::Value::as_i64);
        until.is_some_and(|until| Timestamp::from_millis(until) <= now)
    }

    /// The question, at `now`. `back` says whether a rollback can be chosen.
    pub(super) fn question(&self, now: Timestamp, back: bool) -> String {
        let Self { key, failure } = self;
        let verdict = failure.facts.get(VERDICT).map(text_of).unwrap_or_default();
        let what = if verdict == Verdict::Error.word() {
            "Production cannot be measured, so whether it is well is not known"
        } else if verdict == Verdict::Inconclusive.word() {
            "Whether production is well is undecided"
        } else {
            "Production is not as it should be"
        };
        let why = failure.facts.get(WHY).map_or_else(|| failure.message.clone(), text_of);
        let course = failure.facts.get(COURSE).map(|it| format!("Measured: {}.\n", text_of(it))).unwrap_or_default();
        let ways = match (self.is_over(now), back) {
            (false, true) => "Roll back, or go on watching?",
            (false, false) => "Go on watching, or pause?",
            (true, true) => "Its time is up: it watches no more. Roll back, or go on without it?",
            (true, false) => "Its time is up: it watches no more. Go on without it, or pause?",
        };
        let end = if why.ends_with(['.', '?', '!']) { "" } else { "." };
        format!("{what}, says {key}:\n{why}{end}\n{course}{ways}")
    }
}
