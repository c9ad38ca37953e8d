//! What a probe that is watched shows.

use std::time::Duration;

use serde_json::Value;

use crate::clock::{Timestamp, brief};
use crate::gate::Measurement;

/// How many of the latest readings there are at most.
const RECENT: usize = 12;
/// How many of the latest lines of a log there are at most.
const MATCHED: usize = 3;
/// How many of the latest readings stand in a line of words.
const TOLD: usize = 8;
/// How much of a text stands for it, in characters.
const SHORT: usize = 60;
/// From how many milliseconds on seconds are plainer.
const SECONDS: f64 = 10_000.0;

/// One probe: what it read last, and how it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Gauge {
    /// Its name.
    pub probe: String,
    /// What was read last, short and with its unit where that is known; of an error, why.
    pub value: String,
    /// What the last reading means.
    pub outcome: Measurement,
    /// The numbers of the latest readings, the last one last; `None` where one was no number.
    pub recent: Vec<Option<f64>>,
    /// What it is held to.
    pub condition: String,
    /// How many readings count against it, of those like the last one; of a success, failures.
    pub against: u32,
    /// How many of them are borne.
    pub borne: u32,
    /// Since when it is not as it should be, where it is not.
    pub since: Option<Timestamp>,
    /// The latest lines of a log that counted.
    pub matched: Vec<String>,
}

impl Gauge {
    /// One that was not read yet.
    #[must_use]
    pub fn new(probe: String, condition: String) -> Self {
        let (value, recent, matched) = Default::default();
        let (outcome, against, borne, since) = (Measurement::Success, 0, 0, None);
        Self { probe, value, outcome, recent, condition, against, borne, since, matched }
    }

    /// Takes in a reading that came at `now`: its value in the unit `unit`, and what it means.
    pub fn read(&mut self, (value, unit): (&Value, &str), outcome: Measurement, now: Timestamp) {
        self.recent.push(value.as_f64().filter(|_| outcome != Measurement::Error));
        let over = self.recent.len().saturating_sub(RECENT);
        self.recent.drain(..over);
        self.value = short(value, unit);
        self.since = (outcome != Measurement::Success).then(|| self.since.unwrap_or(now));
        self.outcome = outcome;
    }

    /// Takes in lines of a log that counted.
    pub fn matches(&mut self, lines: Vec<String>) {
        self.matched.extend(lines);
        let over = self.matched.len().saturating_sub(MATCHED);
        self.matched.drain(..over);
    }

    /// How much it asks for a look: what fails first, then what cannot be told, then what has failed before.
    #[must_use]
    pub fn urgency(&self) -> u8 {
        match self.outcome {
            Measurement::Failure => 4,
            Measurement::Error => 3,
            Measurement::Inconclusive => 2,
            Measurement::Success => u8::from(self.against > 0),
        }
    }

    /// What was measured and what it is held to, in a line of words.
    #[must_use]
    pub fn told(&self, now: Timestamp) -> String {
        let held = if self.condition.is_empty() { String::new() } else { format!("; {}", self.condition) };
        format!("{}: {}{held}", self.probe, self.course(now))
    }

    /// What was measured up to `now`, and since when it is not as it should be.
    #[must_use]
    pub fn course(&self, now: Timestamp) -> String {
        let latest = self.recent.iter().skip(self.recent.len().saturating_sub(TOLD));
        let numbers: Vec<_> = latest.map(|number| number.map_or_else(|| "-".to_owned(), plain)).collect();
        let many = format!(" (the last were {})", numbers.join(" "));
        let since = self.since.map(|since| {
            let (what, length) = (self.outcome.word(), brief(now.since(since)));
            format!("; {what} for {length}, since {}", since.local_time())
        });
        let many = if numbers.len() > 1 { many.as_str() } else { "" };
        [&self.value, many, &since.unwrap_or_default()].concat()
    }
}

/// A value at a glance: `200`, `1.2k`, `340 ms`, `98.5%`, or the beginning of a text.
fn short(value: &Value, unit: &str) -> String {
    match (value.as_f64(), unit) {
        (Some(number), "ms") if number.abs() >= SECONDS => {
            format!("{:.1} s", Duration::from_secs_f64(number.abs() / 1000.0).as_secs_f64().copysign(number))
        }
        (Some(number), "ms") => format!("{number:.0} ms"),
        (Some(number), unit) => format!("{}{unit}", plain(number)),
        (None, _) if value.is_null() => "-".to_owned(),
        (None, _) => {
            let text = crate::vars::text_of(value);
            let line = text.lines().next().unwrap_or_default();
            if line.chars().count() > SHORT {
                line.chars().take(SHORT - 1).chain(['…']).collect()
            } else {
                line.into()
            }
        }
    }
}

/// A number of about three digits.
fn plain(number: f64) -> String {
    let (scaled, unit) = match number.abs() {
        size if size >= 1e12 => return format!("{number:.1e}"),
        size if size >= 1e9 => (number / 1e9, "G"),
        size if size >= 1e6 => (number / 1e6, "M"),
        size if size >= 1e3 => (number / 1e3, "k"),
        _ => (number, ""),
    };
    let digits = match scaled.abs() {
        size if size.fract() <= 0.0 || size >= 100.0 => 0,
        size if size >= 10.0 || !unit.is_empty() => 1,
        size if size >= 1.0 => 2,
        size if size >= 0.001 => 3,
        _ => return format!("{number:.1e}"),
    };
    let text = format!("{scaled:.digits$}");
    let text = if digits > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Gauge, short};
    use crate::clock::Timestamp;
    use crate::gate::Measurement;

    #[test]
    fn values_read_at_a_glance() {
        let cases = [
            (json!(200), "", "200"),
            (json!(1234), "", "1.2k"),
            (json!(5_000_000), "", "5M"),
            (json!(0.25), "", "0.25"),
            (json!(0.00001), "", "1.0e-5"),
            (json!(98.46), "%", "98.5%"),
            (json!(340.4), "ms", "340 ms"),
            (json!(12_340), "ms", "12.3 s"),
            (json!(null), "", "-"),
            (json!("one\ntwo"), "", "one"),
            (json!(-1500.0), "", "-1.5k"),
        ];
        for (value, unit, text) in cases {
            assert_eq!(short(&value, unit), text, "{value}");
        }
        assert_eq!(short(&json!("x".repeat(100)), "").chars().count(), 60);
    }

    #[test]
    fn it_keeps_the_latest_and_since_when_it_is_wrong() {
        let mut gauge = Gauge::new("health".into(), "expected status == 200".into());
        let at = Timestamp::from_millis;
        for n in 0..100 {
            gauge.read((&json!(n), ""), Measurement::Success, at(n));
        }
        assert_eq!((gauge.recent.len(), gauge.recent.last(), gauge.since), (12, Some(&Some(99.0)), None));
        gauge.read((&json!(503), ""), Measurement::Failure, at(1000));
        gauge.read((&json!("refused"), ""), Measurement::Error, at(2000));
        assert_eq!((gauge.since, gauge.recent.last()), (Some(at(1000)), Some(&None)));
        let told = gauge.told(at(5000));
        assert!(
            told.starts_with("health: refused (the last were 94 95 96 97 98 99 503 -); error for 4s, since "),
            "{told}"
        );
        assert!(told.ends_with("; expected status == 200"), "{told}");
        gauge.read((&json!(200), ""), Measurement::Success, at(6000));
        assert_eq!(gauge.since, None);
        gauge.matches((0..9).map(|n| n.to_string()).collect());
        assert_eq!(gauge.matched, ["6", "7", "8"]);
    }
}
