//! One line of the journal.
//!
//! # Why
//! A record is laid out by hand, header first and `prev` last, because its bytes are the contract: anyone must be able
//! to check the chain with `sha256sum` and read it with `jq`.

use serde_json::{Map, Value};

use super::Event;
use crate::clock::Timestamp;

/// The `prev` of a journal's first record.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One line of the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its place, from 0. This, not `at`, is the order.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// The id of the run.
    pub run: String,
    /// Who drove the program.
    pub by: String,
    /// The machine it ran on.
    pub host: String,
    /// What happened.
    pub event: Event,
    /// SHA-256 in hex of the line before, without its newline; [`GENESIS`] on the first.
    pub prev: String,
}

impl Record {
    /// The record as its line, without the newline.
    ///
    /// # Errors
    /// Where the event cannot be put as JSON, which no event of this program brings about.
    pub fn line(&self) -> Result<String, serde_json::Error> {
        let mut map = Map::new();
        map.insert("seq".into(), self.seq.into());
        map.insert("at".into(), self.at.to_string().into());
        map.insert("run".into(), self.run.clone().into());
        map.insert("by".into(), self.by.clone().into());
        map.insert("host".into(), self.host.clone().into());
        if let Value::Object(event) = serde_json::to_value(&self.event)? {
            map.extend(event);
        }
        map.insert("prev".into(), self.prev.clone().into());
        serde_json::to_string(&map)
    }

    /// Reads a line.
    ///
    /// # Errors
    /// In words, where `line` is not a record, lacks a field, or tells of an event this program does not know.
    pub fn parse(line: &str) -> Result<Self, String> {
        let mut map: Map<String, Value> = serde_json::from_str(line).map_err(|error| format!("not JSON: {error}"))?;
        let mut text = |name: &str| match map.shift_remove(name) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(format!("no text `{name}`")),
        };
        let (at, run, by, host, prev) = (text("at")?, text("run")?, text("by")?, text("host")?, text("prev")?);
        let at = Timestamp::parse(&at).ok_or_else(|| format!("`at` is no time: {at}"))?;
        let seq = map.shift_remove("seq").and_then(|seq| seq.as_u64()).ok_or("no number `seq`")?;
        let event: Event = serde_json::from_value(Value::Object(map)).map_err(|error| {
            let said = error.to_string();
            // Where the event is none of this program's, the list of those that are helps nobody.
            said.split_once(", expected one of").map_or(said.clone(), |(unknown, _)| {
                format!("{unknown}: no event that hotfix {} knows", env!("CARGO_PKG_VERSION"))
            })
        })?;
        Ok(Self { seq, at, run, by, host, event, prev })
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, GENESIS, Record};
    use crate::clock::Timestamp;

    fn record(event: Event) -> Record {
        let (run, by, host) = ("20251123-0357-1234".into(), "ada".into(), "db1".into());
        Record { seq: 3, at: Timestamp::from_millis(0), run, by, host, event, prev: GENESIS.into() }
    }

    #[test]
    fn a_record_has_its_fields_in_the_documented_order_and_reads_back() {
        let record = record(Event::NoteAdded { text: "it's \"on\"\nfire".into() });
        let line = record.line().unwrap_or_default();
        assert_eq!(
            line,
            format!(
                r#"{{"seq":3,"at":"1970-01-01T00:00:00.000Z","run":"20251123-0357-1234","by":"ada","host":"db1","event":"note.added","text":"it's \"on\"\nfire","prev":"{GENESIS}"}}"#
            )
        );
        assert_eq!(Record::parse(&line), Ok(record));
    }

    #[test]
    fn an_event_of_a_newer_version_is_refused_by_name() {
        let line = record(Event::resumed()).line().unwrap_or_default().replace("run.resumed", "run.teleported");
        assert!(Record::parse(&line).is_err_and(|error| error.contains("run.teleported")));
    }
}
