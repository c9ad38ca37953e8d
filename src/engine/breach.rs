//! How a gate that breaks in asks: by what it came to, and by whether anything goes on watching.

use serde_json::Value;

use super::Engine;
use super::desk::{Held, StepDesk};
use super::watch::BEARS;
use crate::action::{Asked, COURSE, Desk as _, Failure, MEASURED, Stop, UNTIL, VERDICT, WHY};
use crate::clock::Timestamp;
use crate::gate::Verdict;
use crate::operator::{Answer, Busy, Form, Presence, Purpose, Show, Way};
use crate::run::Phase;
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
        let until = self.failure.facts.get(UNTIL).and_then(Value::as_i64);
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

impl Engine {
    /// The next breach that is to be told now: one that asks waits while another program has the terminal.
    pub(super) fn next_breach(&self) -> Option<(String, Stop)> {
        let away = self.operator.busy() == Busy::Elsewhere;
        let mut breaches = self.breaches.borrow_mut();
        let at = breaches.iter().position(|(_, stop)| !away || matches!(stop, Stop::Retreat(_)))?;
        breaches.remove(at)
    }

    /// A gate in the background was breached: asks what to do, unless the runbook says it.
    pub(super) async fn breached(&self, key: &str, stop: Stop) -> Result<(), Stop> {
        // What the question breaks in on may end and take it along: it is asked at the next, then.
        let mut open = Held::of(self);
        if let Stop::Failed(failure) = &stop {
            open.hold(key, Stop::Failed(failure.clone()));
        }
        let asked = self.ask_about(key, stop).await;
        open.let_go();
        asked
    }

    async fn ask_about(&self, key: &str, stop: Stop) -> Result<(), Stop> {
        let failure = match stop {
            Stop::Failed(failure) => failure,
            // Production is back: there is nothing that the runbook could mean by it.
            Stop::Retreat(message) if self.phase() != Phase::Forward => Failure { message, ..Failure::default() },
            other => return Err(other),
        };
        let reason = failure.message.clone();
        // A person reads it where they are asked.
        if self.operator.presence() != Presence::Person {
            self.show(Show::Warning(&format!("{key}: {reason}")));
        }
        let mut ways = vec![Way::Wait, Way::Pause];
        if self.phase() == Phase::Forward {
            ways.insert(0, Way::Rollback);
        }
        let measured = failure.facts.get(MEASURED).and_then(Value::as_array).cloned().unwrap_or_default();
        let measured: Vec<_> = measured.iter().map(text_of).collect();
        let breach = Breach::of(key, &failure);
        let prompt = breach.question(self.now(), self.phase() == Phase::Forward);
        let asked = Asked { purpose: Purpose::Command, prompt, form: Form::Way(ways) };
        match StepDesk::new(self, key, Vec::new()).anew().with_measured(&measured).ask(asked).await {
            Ok(Answer::Way { way: Way::Wait, .. }) => {
                self.watch_on(key);
                let said = if breach.is_over(self.now()) {
                    format!("{key} watches no more: its time is up.")
                } else {
                    format!(
                        "{key} goes on watching. Its counts begin anew: it asks again when a limit is exceeded again, after {BEARS} readings at the earliest, and of a probe that cannot measure only once it could."
                    )
                };
                self.show(Show::Info(&said));
                Ok(())
            }
            Ok(Answer::Way { way: Way::Rollback, .. }) => {
                self.turned.replace(Some((key.to_owned(), Stop::Failed(failure))));
                Err(Stop::Way { way: Way::Rollback, reason: Some(reason) })
            }
            Ok(Answer::Way { way, .. }) => Err(Stop::Way { way, reason: Some(reason) }),
            Ok(_) => Ok(()),
            Err(Stop::Missing(_)) => Err(Stop::Breached(format!("{key}: {reason}"))),
            Err(stop) => Err(stop),
        }
    }
}
