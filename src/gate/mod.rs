//! Gates: what a row of measurements comes to.
//!
//! # Why
//! The rules are those of [Argo Rollouts' analysis](https://argo-rollouts.readthedocs.io/en/stable/features/analysis/),
//! because teams know them: a limit is breached when its counter is *greater* than it; an error is not counted as a
//! measurement taken, so it can never be what completes a pass; a success or a failure ends a row of errors. The one
//! departure: Argo calls a metric that was ended early a success; here [`Tally::close`] passes only what was measured.
//! Nothing here waits, reads a clock or touches the world: times are given to it.

mod coverage;
mod increase;
mod latency;
mod reading;

use std::collections::BTreeMap;
use std::time::Duration;

pub use coverage::{Coverage, GAP, Gap};
pub use increase::Increase;
pub use latency::Latency;
pub use reading::{Answer, Conditions, Facts, Judged};

use crate::clock::Timestamp;

use serde::{Deserialize, Serialize};

/// The time after an error until it is measured again where there is no interval; Argo Rollouts has the same.
pub const RETRY: Duration = Duration::from_secs(10);

/// What one measurement said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measurement {
    /// The value is as it should be.
    Success,
    /// The value is not as it should be.
    Failure,
    /// The value is neither good nor bad.
    Inconclusive,
    /// There is no value: no data, a parse error, a timeout, a command that failed.
    Error,
}

impl Measurement {
    /// As the journal has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Inconclusive => "inconclusive",
            Self::Error => "error",
        }
    }
}

/// What a gate has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not decided yet: measure again.
    Running,
    /// The way is open.
    Pass,
    /// More failures than allowed.
    Fail,
    /// Nobody can tell by the numbers: a person has to.
    Inconclusive,
    /// The measuring itself does not work.
    Error,
}

impl Verdict {
    /// As the journal has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
            Self::Error => "error",
        }
    }
}

/// A verdict and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What the gate has come to.
    pub verdict: Verdict,
    /// Why, in words and with the numbers.
    pub reason: String,
}

impl Decision {
    fn new(verdict: Verdict, reason: impl Into<String>) -> Self {
        Self { verdict, reason: reason.into() }
    }

    /// Whether nothing that is measured later can change it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.verdict != Verdict::Running
    }
}

/// How often to measure and how much is allowed. A limit is breached when its counter is greater than it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The time from one measurement to the next.
    pub interval: Option<Duration>,
    /// How many measurements complete the gate; errors are not among them.
    pub count: Option<u32>,
    /// How many failures are allowed.
    pub failure_limit: u32,
    /// How many inconclusive measurements are allowed.
    pub inconclusive_limit: u32,
    /// How many errors one after the other are allowed.
    pub consecutive_error_limit: u32,
    /// How many successes one after the other are enough; zero turns this off.
    pub consecutive_success_limit: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            interval: None,
            count: None,
            failure_limit: 0,
            inconclusive_limit: 0,
            consecutive_error_limit: 4,
            consecutive_success_limit: 0,
        }
    }
}

impl Limits {
    /// How many measurements complete the gate: `count`, or one where there is no interval either. `None`: it goes on
    /// until it is closed.
    #[must_use]
    pub fn needed(&self) -> Option<u32> {
        self.count.or(if self.interval.is_none() { Some(1) } else { None })
    }

    /// When to measure again, where a measurement was due at `due` and it is `now`. What was missed meanwhile is not made up
    /// for, and the beat is kept: a slow answer moves none of those after it. Without an interval it is to be measured again
    /// only after an error, [`RETRY`] later.
    #[must_use]
    pub fn next_due(&self, due: Timestamp, now: Timestamp) -> Timestamp {
        let Some(interval) = self.interval.filter(|interval| !interval.is_zero()) else { return now.plus(RETRY) };
        let missed = now.since(due).as_millis() / interval.as_millis().max(1);
        let next = due.plus(interval.saturating_mul(u32::try_from(missed).unwrap_or(u32::MAX).saturating_add(1)));
        // A clock that was set back makes nobody wait for longer than that.
        next.min(now.plus(interval))
    }

    /// What is wrong with them, where anything is.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        match (self.count, self.interval) {
            (Some(0), _) => Some("a count of 0 measures nothing: give 1 or more"),
            (Some(2..), None) => Some("a count above 1 needs an interval: add `interval: 30s`"),
            (_, Some(Duration::ZERO)) => Some("an interval of 0 never rests: give 1s or more"),
            _ => None,
        }
    }
}

/// What was measured of one watch before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// When the last reading was.
    pub last: Option<Timestamp>,
    /// The counters, by the names of the probes.
    pub tallies: BTreeMap<String, Tally>,
    /// Since when what is not as it should be is so, by the names of the probes.
    pub wrong: BTreeMap<String, Timestamp>,
}

/// The counters of one gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Measurements that succeeded.
    pub successes: u32,
    /// Measurements that failed.
    pub failures: u32,
    /// Measurements that were neither.
    pub inconclusive: u32,
    /// Measurements that gave no value.
    pub errors: u32,
    /// Errors since the last measurement that gave a value.
    pub consecutive_errors: u32,
    /// Successes since the last measurement that was none.
    pub consecutive_successes: u32,
}

impl Tally {
    /// Counts one more measurement.
    pub fn record(&mut self, measurement: Measurement) {
        let (counter, errors, successes) = match measurement {
            Measurement::Success => (&mut self.successes, 0, self.consecutive_successes.saturating_add(1)),
            Measurement::Failure => (&mut self.failures, 0, 0),
            Measurement::Inconclusive => (&mut self.inconclusive, 0, 0),
            Measurement::Error => (&mut self.errors, self.consecutive_errors.saturating_add(1), 0),
        };
        *counter = counter.saturating_add(1);
        self.consecutive_errors = errors;
        self.consecutive_successes = successes;
    }

    /// Measurements that gave a value. Errors are not among them.
    #[must_use]
    pub fn counted(&self) -> u32 {
        self.successes.saturating_add(self.failures).saturating_add(self.inconclusive)
    }

    /// What the counters come to so far.
    #[must_use]
    pub fn decide(&self, limits: &Limits) -> Decision {
        if let Some(breach) = self.breach(limits) {
            return breach;
        }
        let wanted = limits.consecutive_success_limit;
        if wanted > 0 && self.consecutive_successes >= wanted {
            return Decision::new(Verdict::Pass, format!("{wanted} successes one after the other"));
        }
        match limits.needed() {
            Some(needed) if self.counted() >= needed && wanted > 0 => Decision::new(
                Verdict::Inconclusive,
                format!("{} measured without {wanted} successes one after the other", self.counted()),
            ),
            Some(needed) if self.counted() >= needed => Decision::new(Verdict::Pass, self.summary()),
            Some(needed) => Decision::new(Verdict::Running, format!("{} of {needed} measured", self.counted())),
            None => Decision::new(Verdict::Running, format!("{} measured", self.counted())),
        }
    }

    /// What the counters come to when there is no more time to measure. Never [`Verdict::Running`], and never a pass
    /// where nothing was measured, where too little was, or where the measuring did not work to the end.
    #[must_use]
    pub fn close(&self, limits: &Limits) -> Decision {
        let so_far = self.decide(limits);
        if so_far.is_final() {
            return so_far;
        }
        let counted = self.counted();
        let doubt = if counted == 0 && self.errors == 0 {
            "nothing was measured".to_owned()
        } else if self.consecutive_errors > 0 {
            format!("the last {} in a row could not be measured", self.consecutive_errors)
        } else if let Some(needed) = limits.needed() {
            format!("time ended with {counted} of {needed} measured")
        } else if limits.consecutive_success_limit > 0 {
            format!("time ended without {} successes one after the other", limits.consecutive_success_limit)
        } else {
            return Decision::new(Verdict::Pass, self.summary());
        };
        Decision::new(Verdict::Inconclusive, doubt)
    }

    fn breach(&self, limits: &Limits) -> Option<Decision> {
        let limited = [
            (Verdict::Fail, "failed", self.failures, limits.failure_limit),
            (Verdict::Inconclusive, "inconclusive", self.inconclusive, limits.inconclusive_limit),
            (Verdict::Error, "errors one after the other", self.consecutive_errors, limits.consecutive_error_limit),
        ];
        let (verdict, what, counter, limit) = limited.into_iter().find(|(_, _, counter, limit)| counter > limit)?;
        Some(Decision::new(verdict, format!("{counter} {what}, more than the {limit} allowed")))
    }

    fn summary(&self) -> String {
        let within = [(self.failures, "failed"), (self.inconclusive, "inconclusive"), (self.errors, "errors")];
        let within = within.into_iter().filter(|(n, _)| *n > 0);
        within.fold(format!("{} succeeded", self.successes), |text, (n, what)| format!("{text}, {n} {what}"))
    }
}

/// What `measurements`, in the order they were taken, come to. What is measured after the decision does not change it.
#[must_use]
pub fn decide(limits: &Limits, measurements: impl IntoIterator<Item = Measurement>) -> Decision {
    let mut tally = Tally::default();
    for measurement in measurements {
        tally.record(measurement);
        let decision = tally.decide(limits);
        if decision.is_final() {
            return decision;
        }
    }
    tally.decide(limits)
}

/// What the conditions say of a value. `None` is a condition that was not given; one that could not be evaluated is
/// [`Measurement::Error`] and does not come here.
///
/// One condition alone decides both ways. Of two, failure wins, and neither is inconclusive. Without any, having a value
/// is the success.
#[must_use]
pub fn classify(success: Option<bool>, failure: Option<bool>) -> Measurement {
    match (success, failure) {
        (_, Some(true)) | (Some(false), None) => Measurement::Failure,
        (Some(false), Some(false)) => Measurement::Inconclusive,
        (Some(true) | None, Some(false) | None) => Measurement::Success,
    }
}
