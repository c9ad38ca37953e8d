//! What a monitor keeps of its readings as variables: how things are now, to be compared with how they are later.
//!
//! # Why
//! A number is kept only of a probe that passed. What could not be measured is `none`, so that a condition can tell, and is
//! said: it is never taken for a good number.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::monitor::Probe;
use super::{Context, Done, Finding, Stop};
use crate::gate::{Decision, Facts, Judged, Measurement};
use crate::operator::Show;
use crate::vars::text_of;

/// What of a source's measurements a variable gets: the median of all readings, and of those that are percentiles of all
/// readings already, the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Capture(String);

impl Capture {
    /// The measurement's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    fn goes_on(&self) -> bool {
        matches!(self.0.as_str(), "p50" | "p95" | "p99")
    }
}

/// What the gate of a probe came to, by its name.
type Decided<'a> = (&'a str, Decision);

/// The numbers of all probes of a monitor, by the variable that is to get them.
#[derive(Debug, Default)]
pub(super) struct Readings(RefCell<BTreeMap<String, Vec<f64>>>);

impl Readings {
    /// Keeps what `probe` captures of `facts`, in the order in which they are read.
    pub(super) fn keep(&self, probe: &Probe, facts: &Facts, judged: &Judged) {
        if judged.measurement == Measurement::Error {
            return;
        }
        for (name, fact) in &probe.capture {
            let number = facts.iter().find(|(known, _)| fact.name() == *known).and_then(|(_, value)| value.as_f64());
            if let Some(number) = number.filter(|number| number.is_finite()) {
                self.0.borrow_mut().entry(name.clone()).or_default().push(number);
            }
        }
    }

    /// Every probe has come to its end: what is kept of it, and what was borne.
    ///
    /// # Errors
    /// Where it cannot be written down.
    pub(super) fn done(
        &self,
        probes: &[&Probe],
        (passed, borne): (&[Decided<'_>], &[Decided<'_>]),
        ctx: &Context<'_>,
    ) -> Result<Done, Stop> {
        let mut done = Done::with("gates", passed.len());
        for (name, decision) in borne {
            let (word, reason) = refused(name, decision);
            ctx.desk.show(Show::Warning(&format!("the gate came to {word}, which is borne: {reason}")));
            ctx.desk.record(Finding::Decided { decision: word, reason })?;
        }
        for probe in probes {
            let all_well = passed.iter().any(|(name, _)| *name == probe.name);
            for (name, value) in if all_well { self.of(probe) } else { nothing(probe) } {
                let text = if value.is_null() { "none: it could not be measured".to_owned() } else { text_of(&value) };
                ctx.desk.show(Show::Info(&format!("{name} = {text}")));
                done.set.insert(name.to_owned(), value);
            }
        }
        if !borne.is_empty() {
            let names: Vec<_> = borne.iter().map(|(name, _)| *name).collect();
            done.result.insert("warning".to_owned(), format!("borne: {}", names.join(", ")).into());
        }
        Ok(done)
    }

    /// What the variables of `probe` get where its gate passed.
    fn of<'p>(&self, probe: &'p Probe) -> Vec<(&'p str, Value)> {
        let kept = self.0.borrow();
        let value = |(name, fact): (&'p String, &Capture)| {
            let numbers = kept.get(name).map(Vec::as_slice).unwrap_or_default();
            (name.as_str(), number(if fact.goes_on() { numbers.last().copied() } else { median(numbers) }))
        };
        probe.capture.iter().map(value).collect()
    }
}

/// What the variables of `probe` get where it did not pass: nothing.
fn nothing(probe: &Probe) -> Vec<(&str, Value)> {
    probe.capture.keys().map(|name| (name.as_str(), Value::Null)).collect()
}

/// A decision that is no pass, for the journal: the word, and why.
pub(super) fn refused(name: &str, decision: &Decision) -> (&'static str, String) {
    (decision.verdict.word(), format!("{name}: {}", decision.reason))
}

/// The number in the middle; of an even row, the mean of the two there.
fn median(numbers: &[f64]) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (upper, lower) = (sorted.get(sorted.len() / 2)?, sorted.get(sorted.len().saturating_sub(1) / 2)?);
    Some(f64::midpoint(*lower, *upper))
}

/// `number` with three digits behind the point at most, and without a point where it is whole.
fn number(number: Option<f64>) -> Value {
    let Some(number) = number else { return Value::Null };
    let rounded = (number * 1000.0).round() / 1000.0;
    #[expect(clippy::cast_possible_truncation, reason = "it is looked at whether it is the same")]
    let whole = rounded as i64;
    #[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "the same number or another")]
    if whole as f64 == rounded { whole.into() } else { rounded.into() }
}

#[cfg(test)]
mod tests {
    use super::{median, number};
    use serde_json::{Value, json};

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[900.0, 1.0, 3.0]), Some(3.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 900.0]), Some(3.0));
    }

    #[test]
    fn a_number_is_as_plain_as_it_can_be() {
        assert_eq!(number(None), Value::Null);
        assert_eq!(
            [number(Some(12.0)), number(Some(0.123_456)), number(Some(-0.0))],
            [json!(12), json!(0.123), json!(0)]
        );
    }
}
