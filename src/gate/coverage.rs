//! When nothing was measured.
//!
//! # Why
//! A watch is interrupted: by Ctrl-C, by a laptop that sleeps, by a machine that starts anew. What nobody saw then is a gap. It is
//! on record as one, and a watch with too much of it passes nothing, however good all the readings were.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Decision, Verdict};
use crate::clock::{Timestamp, brief};

/// The outcome of what is no measurement: a time without one.
pub const GAP: &str = "gap";

/// A watch that has gaps for more than one part in so many comes to no pass.
const PARTS: u32 = 10;

/// A time without a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The last measurement before it, or the beginning.
    pub from: Timestamp,
    /// The first behind it, or the end.
    pub to: Timestamp,
}

impl Gap {
    /// How long it is.
    #[must_use]
    pub fn length(self) -> Duration {
        self.to.since(self.from)
    }

    /// As a record has it, in words.
    #[must_use]
    pub fn told(value: &Value) -> String {
        Self::deserialize(value).map_or_else(|_| format!("not measured: {value}"), Self::words)
    }

    /// In words, by the clock of whoever sits at this machine.
    #[must_use]
    pub fn words(self) -> String {
        let (from, to) = (self.from.local_time(), self.to.local_time());
        let to =
            if self.from.local_date() == self.to.local_date() { to } else { format!("{} {to}", self.to.local_date()) };
        format!("not measured from {from} to {to} ({})", brief(self.length()))
    }
}

/// What of a watch was measured.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// How far apart two measurements may be.
    allowed: Duration,
    last: Timestamp,
    gaps: Vec<Gap>,
}

impl Coverage {
    /// Of a watch that was last measured, or began, at `last`, and has these gaps already; two measurements may be `allowed` apart.
    #[must_use]
    pub fn new(allowed: Duration, last: Timestamp, gaps: Vec<Gap>) -> Self {
        Self { allowed, last, gaps }
    }

    /// A measurement was taken at `now`, or there was the last chance of one: the gap before it, where there is one.
    pub fn measured(&mut self, now: Timestamp) -> Option<Gap> {
        let gap = Gap { from: self.last, to: now };
        self.last = now;
        let is_one = gap.length() > self.allowed;
        is_one.then(|| self.gaps.push(gap));
        is_one.then_some(gap)
    }

    /// How much of the time from `began` to `ended` was not measured.
    #[must_use]
    pub fn lacking(&self, began: Timestamp, ended: Timestamp) -> Duration {
        self.gaps.iter().map(|gap| gap.to.min(ended).since(gap.from.max(began))).sum()
    }

    /// What a gate comes to that was to watch from `began` to `ended`, and that came to `decision` by what was measured.
    #[must_use]
    pub fn weigh(&self, mut decision: Decision, began: Timestamp, ended: Timestamp) -> Decision {
        let (lacking, length) = (self.lacking(began, ended), ended.since(began));
        if lacking.is_zero() {
            return decision;
        }
        let words = format!("not measured for {} of {}", brief(lacking), brief(length));
        if decision.verdict == Verdict::Pass && lacking > length / PARTS {
            return Decision { verdict: Verdict::Inconclusive, reason: format!("{words}; else {}", decision.reason) };
        }
        decision.reason = format!("{}; {words}", decision.reason);
        decision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn pass() -> Decision {
        Decision { verdict: Verdict::Pass, reason: "9 succeeded".to_owned() }
    }

    #[test]
    fn a_gap_is_what_is_longer_than_two_measurements_may_be_apart() {
        let mut coverage = Coverage::new(Duration::from_secs(30), at(0), Vec::new());
        let mut gaps = Vec::new();
        // A clock that is set back makes none.
        for now in [10, 40, 71, 60, 80, 3680] {
            gaps.extend(coverage.measured(at(now)));
        }
        assert_eq!(gaps, [Gap { from: at(40), to: at(71) }, Gap { from: at(80), to: at(3680) }]);
        assert_eq!(coverage.lacking(at(0), at(5000)), Duration::from_secs(31 + 3600));
        assert_eq!(coverage.lacking(at(50), at(1080)), Duration::from_secs(21 + 1000));
    }

    #[test]
    fn a_pass_with_a_gap_says_so_and_with_too_much_of_one_is_none() {
        let of = |seconds: i64| {
            Coverage::new(Duration::from_secs(1), at(0), vec![Gap { from: at(100), to: at(100 + seconds) }])
        };
        assert_eq!(Coverage::new(Duration::ZERO, at(0), Vec::new()).weigh(pass(), at(0), at(1000)), pass());
        let small = of(100).weigh(pass(), at(0), at(1000));
        assert_eq!((small.verdict, &*small.reason), (Verdict::Pass, "9 succeeded; not measured for 1m40s of 16m40s"));
        let large = of(101).weigh(pass(), at(0), at(1000));
        assert_eq!(
            (large.verdict, &*large.reason),
            (Verdict::Inconclusive, "not measured for 1m41s of 16m40s; else 9 succeeded")
        );
        let fail = Decision { verdict: Verdict::Fail, reason: "4 failed".to_owned() };
        assert_eq!(of(500).weigh(fail, at(0), at(1000)).verdict, Verdict::Fail);
    }
}
