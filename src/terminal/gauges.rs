//! What is watched, as lines: a line a probe, and beneath them what a log had.
//!
//! # Why
//! It is looked at in passing, on whatever screen there is: the state is a word and stands first, nothing needs colour, and where
//! there are more probes than rows the worst are the ones that are seen.

use std::time::Duration;

use super::paint::{Paint, Tone, cut, width};
use super::sanitize::clean;
use super::text::{Text, fill};
use crate::clock::brief;
use crate::gate::Measurement;
use crate::operator::Gauge;

/// The steps of a sparkline, from the lowest.
const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// How many lines of logs stand beneath the probes.
const MATCHED: usize = 3;
/// How many probes are left on the screen when it is over.
const LEFT: usize = 20;
/// The widest that a name and a value are shown.
const NAME: usize = 20;
const VALUE: usize = 10;
/// The columns of a sparkline, and from how many on a screen is wide.
const SPARK: usize = 12;
const SPARK_NARROW: usize = 6;
const WIDE: usize = 70;
/// How few columns are no use to the limit.
const LEAST: usize = 8;

/// Every probe that is watched.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    /// In the order of the runbook; `None` where one was not read yet.
    all: Vec<Option<Gauge>>,
}

/// How a line of a probe is divided, in columns.
#[derive(Clone, Copy)]
struct Widths {
    state: usize,
    name: usize,
    value: usize,
    spark: usize,
    columns: usize,
}

impl Gauges {
    /// Takes in what a probe shows.
    pub(super) fn note(&mut self, at: usize, of: usize, gauge: &Gauge) {
        self.all.resize_with(of.max(at + 1), || None);
        let clean = |text: &str| clean(text).replace('\n', " ");
        self.all[at] = Some(Gauge {
            probe: clean(&gauge.probe),
            value: clean(&gauge.value),
            condition: clean(&gauge.condition),
            matched: gauge.matched.iter().map(|line| clean(line)).collect(),
            ..gauge.clone()
        });
    }

    /// Whether nothing is watched.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Everything on a screen of `rows` and `columns`, `elapsed` after it began and, where that is known, of how long.
    pub(super) fn panel(
        &self,
        (elapsed, length): (Duration, Option<Duration>),
        (rows, columns): (usize, usize),
        (text, paint): (&Text, Paint),
    ) -> Vec<String> {
        // A terminal that reaches its last column is of two minds about where the cursor is.
        let columns = columns - 1;
        let head = match length {
            Some(length) => {
                let left = brief(length.saturating_sub(elapsed));
                fill(text.watching_for, &[&brief(elapsed), &brief(length), &left])
            }
            None => fill(text.watching, &[&brief(elapsed)]),
        };
        // The head and the keys, and a row that stays free.
        let room = rows.saturating_sub(3).max(1);
        let mut matched = self.matched();
        let over = matched.len().saturating_sub(room.saturating_sub(self.all.len()).min(MATCHED));
        matched.drain(..over);
        let mut lines = vec![paint.tone(Tone::Heading, &cut(&head, columns))];
        lines.extend(self.probes(room, columns, (text, paint)));
        lines.extend(matched.iter().map(|line| paint.tone(Tone::Dim, &cut(line, columns))));
        lines.push(paint.tone(Tone::Dim, &cut(text.keys_watch, columns)));
        lines
    }

    /// What is left on the screen when it is over; where `quiet` only what was not as it should be.
    pub(super) fn outcome(&self, columns: usize, (text, paint): (&Text, Paint), quiet: bool) -> Vec<String> {
        if quiet && self.all.iter().flatten().all(|gauge| gauge.urgency() < 2) {
            return Vec::new();
        }
        self.probes(LEFT, columns - 1, (text, paint))
    }

    /// The last reading of a probe, as a line of its own.
    pub(super) fn line(&self, at: usize, text: &Text) -> Option<String> {
        let gauge = self.all.get(at)?.as_ref()?;
        let (state, rest) = (state(gauge, text).0, rest(gauge, text));
        let value = if gauge.outcome == Measurement::Error { "" } else { gauge.value.as_str() };
        let parts = [gauge.probe.as_str(), value, state, &rest];
        Some(parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  "))
    }

    /// A line a probe, `room` of them at most: where there are more the worst of them, and how many more there are.
    fn probes(&self, room: usize, columns: usize, (text, paint): (&Text, Paint)) -> Vec<String> {
        let mut seen: Vec<_> = self.all.iter().enumerate().collect();
        let more = if seen.len() > room { seen.len() - room.saturating_sub(1) } else { 0 };
        if more > 0 {
            let urgency = |gauge: &Option<Gauge>| gauge.as_ref().map_or(0, Gauge::urgency);
            seen.sort_by_key(|(at, gauge)| (std::cmp::Reverse(urgency(gauge)), *at));
            seen.truncate(room.saturating_sub(1));
        }
        let shown = || seen.iter().filter_map(|(_, gauge)| gauge.as_ref());
        let widest = |of: fn(&Gauge) -> &str, most: usize| shown().map(|it| width(of(it))).max().unwrap_or(0).min(most);
        let narrow = columns < WIDE;
        let states = [text.gauge_ok, text.gauge_fails, text.gauge_error, text.gauge_unclear];
        let widths = Widths {
            state: states.into_iter().map(width).max().unwrap_or(0),
            name: widest(|it| &it.probe, if narrow { NAME / 2 } else { NAME }),
            value: widest(|it| if it.outcome == Measurement::Error { "-" } else { &it.value }, VALUE),
            spark: if narrow { SPARK_NARROW } else { SPARK },
            columns,
        };
        let mut lines: Vec<_> = shown().map(|gauge| row(gauge, widths, (text, paint))).collect();
        let waiting = seen.iter().filter(|(_, gauge)| gauge.is_none()).count();
        let below = [(waiting, text.gauges_waiting), (more, text.gauges_more)];
        let below = below.into_iter().filter(|(n, _)| *n > 0).map(|(n, said)| fill(said, &[&n.to_string()]));
        lines.extend(below.map(|line| paint.tone(Tone::Dim, &cut(&line, columns))).take(room - lines.len().min(room)));
        lines
    }

    fn matched(&self) -> Vec<String> {
        let each = self.all.iter().flatten();
        each.flat_map(|gauge| gauge.matched.iter().map(move |line| format!("{}: {line}", gauge.probe))).collect()
    }
}

/// How it stands, in a word.
fn state(gauge: &Gauge, text: &Text) -> (&'static str, Tone) {
    match gauge.outcome {
        Measurement::Success => (text.gauge_ok, Tone::Good),
        Measurement::Failure => (text.gauge_fails, Tone::Bad),
        Measurement::Error => (text.gauge_error, Tone::Bad),
        Measurement::Inconclusive => (text.gauge_unclear, Tone::Warn),
    }
}

/// How much of what is borne is used up, and what it is held to; of an error, what it says.
fn rest(gauge: &Gauge, text: &Text) -> String {
    let used = match gauge.against {
        0 => fill(text.gauge_bears, &[&gauge.borne.to_string()]),
        against => fill(text.gauge_used, &[&against.to_string(), &gauge.borne.to_string()]),
    };
    let held = gauge.condition.strip_prefix("expected ").unwrap_or(&gauge.condition);
    let more = if gauge.outcome == Measurement::Error { &gauge.value } else { held };
    if more.is_empty() { used } else { format!("{used} · {more}") }
}

fn row(gauge: &Gauge, widths: Widths, (text, paint): (&Text, Paint)) -> String {
    let Widths { state: states, name, value, spark, columns } = widths;
    let (word, tone) = state(gauge, text);
    let number = if gauge.outcome == Measurement::Error { "-" } else { gauge.value.as_str() };
    let fixed = format!("{}  {}  ", padded(&gauge.probe, name), before(number, value));
    let left = columns.saturating_sub(states + 2 + width(&fixed));
    // The line of the readings goes before the limit does.
    let with = left >= spark + 2 + LEAST;
    let course = if with { format!("{}  ", padded(&sparkline(&gauge.recent, spark), spark)) } else { String::new() };
    let rest = cut(&rest(gauge, text), left.saturating_sub(width(&course)));
    let line = format!("{}  {fixed}{course}{rest}", paint.tone(tone, &padded(word, states)));
    cut(line.trim_end(), columns)
}

/// `text` in exactly `columns`, filled behind.
fn padded(text: &str, columns: usize) -> String {
    let text = cut(text, columns);
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(&text))))
}

/// The same, filled before.
fn before(text: &str, columns: usize) -> String {
    let text = cut(text, columns);
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(&text))))
}

/// The course of the latest `columns` readings between the lowest and the highest of them. What stands still is low.
fn sparkline(recent: &[Option<f64>], columns: usize) -> String {
    let latest = &recent[recent.len().saturating_sub(columns)..];
    let numbers = || latest.iter().flatten().copied();
    let (low, high) = (numbers().fold(f64::INFINITY, f64::min), numbers().fold(f64::NEG_INFINITY, f64::max));
    let step = |number: f64| {
        let share = if high > low { (number - low) / (high - low) } else { 0.0 };
        // Which eighth it is in: a comparison, so that no number has to be cut to a whole one.
        let eighth = (1_u8..8).filter(|n| share * 8.0 >= f64::from(*n)).count();
        STEPS[eighth]
    };
    latest.iter().map(|number| number.map_or(' ', step)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::super::{Language, paint::Paint, paint::width, text::Text};
    use super::{Gauges, sparkline};
    use crate::clock::Timestamp;
    use crate::gate::Measurement;
    use crate::operator::Gauge;

    fn gauge(name: &str, values: &[f64], outcome: Measurement, (against, borne): (u32, u32)) -> Gauge {
        let mut gauge = Gauge::new(name.into(), "expected elapsed_ms < max_response_ms".into());
        values.iter().for_each(|value| gauge.read((&json!(value), "ms"), outcome, Timestamp::from_millis(0)));
        Gauge { against, borne, ..gauge }
    }

    fn panel(gauges: &Gauges, rows: usize, columns: usize) -> Vec<String> {
        let spent = (Duration::from_secs(134), Some(Duration::from_secs(600)));
        let lines = gauges.panel(spent, (rows, columns), (Text::of(Language::English), Paint::Bare));
        assert!(lines.len() < rows, "{lines:#?}");
        assert!(lines.iter().all(|line| width(line) < columns), "{lines:#?}");
        lines
    }

    #[test]
    fn the_worst_are_seen_where_not_all_are() {
        let mut gauges = Gauges::default();
        for at in 0..30 {
            let (outcome, used) = match at {
                17 => (Measurement::Failure, (2, 3)),
                23 => (Measurement::Error, (1, 4)),
                _ => (Measurement::Success, (0, 2)),
            };
            gauges.note(at, 30, &gauge(&format!("probe-{at}"), &[1.0, 200.0], outcome, used));
        }
        for (rows, columns) in [(24, 80), (10, 40), (5, 20), (4, 20)] {
            let lines = panel(&gauges, rows, columns);
            assert!(lines[0].starts_with("Watching"), "{lines:#?}");
            if rows > 5 {
                assert!(lines[1].starts_with("FAILS") && lines[1].contains("probe-17"), "{lines:#?}");
                assert!(lines[2].starts_with("ERROR") && lines[2].contains("probe-23"), "{lines:#?}");
            }
        }
        assert!(panel(&gauges, 10, 40).iter().any(|line| line.contains("and 24 more")));
    }

    #[test]
    fn what_does_not_fit_is_left_out_in_order_of_use() {
        let mut gauges = Gauges::default();
        gauges.note(0, 2, &gauge("a-probe-with-a-name", &[340.0; 20], Measurement::Failure, (1, 3)));
        let wide = panel(&gauges, 24, 80);
        assert!(wide[1].contains("340 ms  ▁▁▁▁▁▁▁▁▁▁▁▁  1 of 3"), "{wide:#?}");
        assert!(wide[2].contains("1 not read yet"), "{wide:#?}");
        let narrow = panel(&gauges, 10, 40);
        assert!(narrow[1].starts_with("FAILS") && narrow[1].contains("340 ms"), "{narrow:#?}");
        assert!(narrow[1].contains("1 of 3"), "{narrow:#?}");
    }

    #[test]
    fn a_sparkline_shows_the_course_and_the_gaps() {
        let recent: Vec<_> = (0..8).map(|n| Some(f64::from(n))).chain([None, Some(7.0)]).collect();
        assert_eq!(sparkline(&recent, 10), "▁▂▃▄▅▆▇█ █");
        assert_eq!(sparkline(&recent, 3), "▁ ▁");
        assert_eq!(sparkline(&[], 3), "");
    }
}
