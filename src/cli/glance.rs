//! What `status` shows at a glance: values, lengths of time, and the screen that it is shown on again and again.

use std::time::Duration;

use serde_json::Value;

use crate::clock::{Clock as _, SystemClock, Timestamp, brief};
use crate::report::printable;
use crate::terminal::cut;
use crate::vars::text_of;

/// How wide a value that was read may be, in columns.
const GLANCE: usize = 24;

/// The time, and how a length up to it is put.
#[derive(Clone, Copy)]
pub(super) struct Now {
    pub(super) at: Timestamp,
    pub(super) length: fn(Duration) -> String,
}

impl Now {
    pub(super) fn read() -> Self {
        Self { at: SystemClock.now(), length: brief }
    }

    /// The same where lengths, which change with the time alone, are left out.
    pub(super) fn without_lengths(self) -> Self {
        Self { length: |_| String::new(), ..self }
    }

    pub(super) fn since(self, at: Timestamp) -> String {
        (self.length)(self.at.since(at))
    }

    pub(super) fn until(self, at: Timestamp) -> String {
        (self.length)(at.since(self.at))
    }
}

/// A value in one line of at most [`GLANCE`] letters; of a number that is no whole one, four digits count.
pub(super) fn at_a_glance(value: &Value) -> String {
    let text = match value.as_f64().filter(|number| value.is_f64() && number.is_finite()) {
        Some(number) => {
            let rounded = format!("{number:.3e}");
            let plain = rounded.parse::<f64>().map(|number| number.to_string()).unwrap_or_default();
            if plain.is_empty() || plain.len() > rounded.len() + 2 { rounded } else { plain }
        }
        None => text_of(value),
    };
    let line: Vec<_> = text.split_whitespace().collect();
    cut(&printable(&line.join(" ")), GLANCE)
}

/// What has the screen of `rows` rows show the top of `text` and nothing else, each line over the one before it, so that nothing
/// flickers. A line that is too long is cut by the terminal and not wrapped.
pub(super) fn over(text: &str, rows: usize) -> String {
    // The cursor takes the last row.
    let (mut lines, room): (Vec<_>, _) = (text.lines().collect(), rows.saturating_sub(1));
    if lines.len() > room {
        lines.truncate(room.saturating_sub(1));
        lines.push("…");
    }
    let lines: Vec<_> = lines.into_iter().flat_map(|line| [line, "\x1b[K\r\n"]).collect();
    format!("\x1b[?7l\x1b[H{}\x1b[J\x1b[?7h", lines.concat())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{at_a_glance, over};

    #[test]
    fn a_value_is_one_short_line_and_says_where_it_was_cut() {
        for (value, shown) in [
            (json!(0.123_456_789), "0.1235"),
            (json!(2.0 / 3.0 * 100.0), "66.67"),
            (json!(1e-12), "1.000e-12"),
            (json!(12_345), "12345"),
            (json!(200.0), "200"),
            (json!(null), ""),
            (json!("two\nlines\r\n"), "two lines"),
            (json!("a text of more than 24 letters"), "a text of more than 24 …"),
        ] {
            assert_eq!(at_a_glance(&value), shown, "{value}");
        }
    }

    #[test]
    fn a_screen_with_too_few_rows_has_the_top_ones() {
        let shown = |rows| over("a\nb\nc\n", rows).replace("\x1b[K\r\n", "|");
        assert!(shown(4).contains("\x1b[Ha|b|c|\x1b[J"), "{:?}", shown(4));
        assert!(shown(3).contains("\x1b[Ha|…|\x1b[J"), "{:?}", shown(3));
    }
}
