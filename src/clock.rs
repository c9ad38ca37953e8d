//! Time: what it is, how it is written, and the one thing that makes it pass.
//!
//! # Why
//! Every wait and every timestamp of the program comes from a [`Clock`], so that a test can move four hours in a
//! microsecond. `chrono` is used here and nowhere else.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use chrono::{DateTime, Days, Local, NaiveTime, SecondsFormat, TimeZone, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A future that stays on the thread that made it.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `ms` milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this is; zero where it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This moment and `by` later.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This moment and `by` earlier.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Reads RFC 3339; `None` where `text` is not that.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|at| Self(at.timestamp_millis()))
    }

    fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }

    /// `HH:MM:SS` on the clock of whoever sits at this machine.
    #[must_use]
    pub fn local_time(self) -> String {
        self.utc().with_timezone(&Local).format("%H:%M:%S").to_string()
    }

    /// The same with milliseconds: `HH:MM:SS.mmm`.
    #[must_use]
    pub fn local_time_millis(self) -> String {
        self.utc().with_timezone(&Local).format("%H:%M:%S%.3f").to_string()
    }

    /// `YYYYMMDD-HHMMSS` in UTC: sorts by time, fit for a file name.
    #[must_use]
    pub fn compact(self) -> String {
        self.utc().format("%Y%m%d-%H%M%S").to_string()
    }

    /// `YYYY-MM-DD` on the calendar of whoever sits at this machine.
    #[must_use]
    pub fn local_date(self) -> String {
        self.utc().with_timezone(&Local).format("%Y-%m-%d").to_string()
    }

    /// `YYYY-MM-DD HH:MM:SS +ZZ:ZZ`: the same with its date and the distance of its zone from UTC.
    #[must_use]
    pub fn local_in_full(self) -> String {
        self.utc().with_timezone(&Local).format("%Y-%m-%d %H:%M:%S %:z").to_string()
    }

    /// The latest moment, this one at most, at which a clock here shows `text`: `HH:MM` or `HH:MM:SS`. `None` where `text` is no
    /// time of day.
    #[must_use]
    pub fn latest_at(self, text: &str) -> Option<Self> {
        self.latest_in(&Local, text)
    }

    fn latest_in(self, zone: &impl TimeZone, text: &str) -> Option<Self> {
        let time = ["%H:%M", "%H:%M:%S"].iter().find_map(|form| NaiveTime::parse_from_str(text, form).ok())?;
        let today = self.utc().with_timezone(zone).date_naive();
        // In the night when the clock is set forward an hour is missing; then the day before has it.
        let days = (0..=2).filter_map(|back| today.checked_sub_days(Days::new(back)));
        let shown = days.flat_map(|day| {
            // In the night when it is set back an hour comes twice.
            let at = day.and_time(time);
            let found = [zone.from_local_datetime(&at).latest(), zone.from_local_datetime(&at).earliest()];
            found.into_iter().flatten().map(|at| Self(at.timestamp_millis()))
        });
        shown.filter(|at| *at <= self).max()
    }

    /// `YYYY-MM-DD` in UTC.
    #[must_use]
    pub fn date(self) -> String {
        self.utc().format("%Y-%m-%d").to_string()
    }

    /// `YYYY-MM-DD HH:MM:SS` in UTC: for readers who sit anywhere.
    #[must_use]
    pub fn date_time(self) -> String {
        self.utc().format("%Y-%m-%d %H:%M:%S").to_string()
    }
}

/// RFC 3339 in UTC with milliseconds, as the journal has it.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.utc().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// As it is displayed.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Read as it is written.
impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no time")))
    }
}

/// A duration as people read it at a glance: `4s`, `12m04s`, `2h05m`.
#[must_use]
pub fn brief(duration: Duration) -> String {
    let s = duration.as_secs();
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        _ => format!("{}h{:02}m", s / 3600, s / 60 % 60),
    }
}

/// What tells the time and makes it pass.
pub trait Clock {
    /// The time on the wall.
    fn now(&self) -> Timestamp;
    /// Ends after `duration`.
    fn sleep(&self, duration: Duration) -> LocalFuture<'_, ()>;
}

/// Lets `duration` pass, and nothing else happen on this thread: for waits outside a runtime.
pub fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// The clock of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(Utc::now().timestamp_millis())
    }

    fn sleep(&self, duration: Duration) -> LocalFuture<'_, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock that moves only when it is told to, or when somebody sleeps on it.
///
/// A sleep gives way to other tasks once, then moves the clock on and ends.
#[derive(Clone, Debug)]
pub struct FakeClock {
    now: Rc<Cell<i64>>,
    slept: Rc<RefCell<Vec<Duration>>>,
}

impl FakeClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn at(start: Timestamp) -> Self {
        Self { now: Rc::new(Cell::new(start.0)), slept: Rc::default() }
    }

    /// Moves the clock on by `by`.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
    }

    /// Sets the clock, backwards too.
    pub fn set(&self, to: Timestamp) {
        self.now.set(to.0);
    }

    /// Every sleep so far, in order.
    #[must_use]
    pub fn slept(&self) -> Vec<Duration> {
        self.slept.borrow().clone()
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.get())
    }

    fn sleep(&self, duration: Duration) -> LocalFuture<'_, ()> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.slept.borrow_mut().push(duration);
            self.advance(duration);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Timestamp, brief};
    use std::time::Duration;

    #[test]
    fn a_timestamp_is_rfc_3339_in_utc_with_milliseconds_and_reads_back() {
        let at = Timestamp::from_millis(1_763_870_220_007);
        assert_eq!(at.to_string(), "2025-11-23T03:57:00.007Z");
        assert_eq!(Timestamp::parse(&at.to_string()), Some(at));
        assert_eq!(Timestamp::parse("yesterday"), None);
    }

    #[test]
    fn a_time_of_day_is_the_latest_such_moment() {
        let at = |text: &str| Timestamp::parse(text).unwrap_or(Timestamp::from_millis(0));
        let now = at("2025-11-23T03:10:30+01:00");
        let zone = chrono::FixedOffset::east_opt(3600).unwrap_or_else(|| panic!("an hour"));
        for (text, found) in [
            ("02:40", "2025-11-23T02:40:00+01:00"),
            ("2:40", "2025-11-23T02:40:00+01:00"),
            ("03:10:30", "2025-11-23T03:10:30+01:00"),
            ("03:10:31", "2025-11-22T03:10:31+01:00"),
            ("23:59", "2025-11-22T23:59:00+01:00"),
        ] {
            assert_eq!(now.latest_in(&zone, text), Some(at(found)), "{text}");
        }
        for text in ["", "25:00", "02:60", "02", "noon", "02:40 pm", "-1:00"] {
            assert_eq!(now.latest_in(&zone, text), None, "{text}");
        }
    }

    #[test]
    fn durations_read_at_a_glance() {
        let text = [4, 724, 7_500].map(|s| brief(Duration::from_secs(s)));
        assert_eq!(text, ["4s", "12m04s", "2h05m"]);
    }
}
