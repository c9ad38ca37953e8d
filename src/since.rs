//! When an incident began, as a person says it.

use std::time::Duration;

use crate::clock::{Timestamp, brief};
use crate::template::Length;
use crate::vars::Values;

/// The longest ago that an incident may have begun.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// The moment that `text` means at `now`: `now`, a time of day (`02:40`, local, the latest such moment), RFC 3339, or how long ago
/// (`25m`).
///
/// # Errors
/// In words, what is wrong with it.
pub fn since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let text = text.trim();
    let ago = || Length::new(text).resolve(&Values::default()).ok();
    let at = if text.eq_ignore_ascii_case("now") {
        Some(now)
    } else {
        let read = Timestamp::parse(text).or_else(|| now.latest_at(text));
        read.or_else(|| ago().map(|ago| now.minus(ago)))
    };
    let forms = "write a time of day such as 02:40, how long ago such as 25m, or 2025-11-23T02:40:00+01:00";
    let at = at.ok_or_else(|| format!("`{text}` is no time that an incident can have begun at: {forms}"))?;
    if at > now {
        let ahead = brief(at.since(now));
        return Err(format!("`{text}` is {ahead} in the future: an incident began before it is dealt with; {forms}"));
    }
    if now.since(at) > LONGEST {
        return Err(format!("`{text}` is more than 7 days ago ({}): {forms}", at.local_in_full()));
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::since;
    use crate::clock::Timestamp;

    #[test]
    fn what_a_person_says_is_a_moment_or_is_refused_in_words() {
        let at = |text: &str| Timestamp::parse(text).unwrap_or(Timestamp::from_millis(0));
        let now = at("2025-11-23T03:10:30Z");
        let clock = |at: Timestamp| at.local_time();
        for (text, found) in [
            ("now", "2025-11-23T03:10:30Z"),
            ("25m", "2025-11-23T02:45:30Z"),
            ("1h30m", "2025-11-23T01:40:30Z"),
            ("0s", "2025-11-23T03:10:30Z"),
            (" 7days ", "2025-11-16T03:10:30Z"),
            ("2025-11-23T02:40:00Z", "2025-11-23T02:40:00Z"),
            ("2025-11-23T03:40:00+01:00", "2025-11-23T02:40:00Z"),
            // Whatever zone this machine is in.
            (&clock(at("2025-11-23T02:40:00Z")), "2025-11-23T02:40:00Z"),
            (&clock(at("2025-11-23T04:00:00Z")), "2025-11-22T04:00:00Z"),
        ] {
            assert_eq!(since(text, now), Ok(at(found)), "{text}");
        }
        for (text, words) in [
            ("", "no time"),
            ("soon", "02:40"),
            ("25", "25m"),
            ("25M", "no time"),
            ("24:10", "no time"),
            ("-5m", "no time"),
            ("2025-11-23T03:10:31Z", "1s in the future"),
            ("2026-11-23T03:10:31Z", "in the future"),
            ("8days", "more than 7 days ago"),
            ("2024-11-23T03:10:31Z", "more than 7 days ago"),
            ("99999999999999y", "no time"),
        ] {
            let why = since(text, now).err().unwrap_or_default();
            assert!(why.contains(words), "{text}: {why}");
        }
    }
}
