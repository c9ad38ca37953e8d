//! What can happen in a run, and how it is written: one JSON object a line.
//!
//! # Why
//! A record is laid out by hand, header first and `prev` last, because its bytes are the contract: anyone must be able
//! to check the chain with `sha256sum` and read it with `jq`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::operator::{Answer, Purpose};

/// The `prev` of a journal's first record.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The format that this program writes, and the newest that it reads: one more with every event, field or meaning that a program
/// before it would overlook.
pub const FORMAT: u32 = 1;

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

/// What happened. The tag is the event's name in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event")]
pub enum Event {
    /// A run begins. Its first record.
    #[serde(rename = "run.started")]
    RunStarted {
        /// The program's version.
        program: String,
        /// What its records are to be read as: [`FORMAT`].
        #[serde(default = "first")]
        format: u32,
        /// The runbook in full, merged, as it is frozen for the run.
        runbook: String,
        /// The variables the run begins with.
        vars: BTreeMap<String, Value>,
        /// What the environment variables were that must be the same wherever the run is driven.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        environment: BTreeMap<String, String>,
        /// What there was to be said before it began: the remote was not asked, a script is missing, ….
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<String>,
    },
    /// The run is taken up again.
    #[serde(rename = "run.resumed")]
    RunResumed {
        /// The program's version.
        #[serde(default)]
        program: String,
        /// What its records are to be read as from here on: [`FORMAT`].
        #[serde(default = "first")]
        format: u32,
    },
    /// The run stops here and can be taken up again.
    #[serde(rename = "run.paused")]
    RunPaused {
        /// Why, in words.
        reason: String,
    },
    /// Every stage is behind it.
    #[serde(rename = "run.finished")]
    RunFinished {},
    /// The operator decided against a hotfix.
    #[serde(rename = "run.declined")]
    RunDeclined {
        /// Why, in words.
        reason: String,
    },
    /// The run will not be finished.
    #[serde(rename = "run.aborted")]
    RunAborted {
        /// Why, in words.
        reason: String,
    },
    /// Production is back, and validated.
    #[serde(rename = "run.rolled_back")]
    RunRolledBack {
        /// The version production is back on.
        to: String,
    },
    /// A stage begins.
    #[serde(rename = "stage.started")]
    StageStarted {
        /// The stage's id.
        stage: String,
    },
    /// A stage has ended.
    #[serde(rename = "stage.finished")]
    StageFinished {
        /// The stage's id.
        stage: String,
    },
    /// A step is about to begin; whatever it does, it does after this is on the disk.
    #[serde(rename = "step.started")]
    StepStarted {
        /// The step: `stage/step`.
        step: String,
        /// From 1.
        attempt: u32,
        /// The exact command, request or question.
        what: String,
        /// What the evidence of it is: HEAD, the script's SHA-256, the values it was given.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        evidence: Map<String, Value>,
    },
    /// A step succeeded.
    #[serde(rename = "step.done")]
    StepDone {
        /// The step: `stage/step`.
        step: String,
        /// From 1.
        attempt: u32,
        /// What it says of itself: exit status, HTTP status, and so on.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        result: Map<String, Value>,
        /// The variables it gave.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        set: BTreeMap<String, Value>,
    },
    /// A person did what the step is for.
    #[serde(rename = "step.done_by_hand")]
    StepDoneByHand {
        /// The step: `stage/step`.
        step: String,
        /// What they did, where they say so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// A step failed.
    #[serde(rename = "step.failed")]
    StepFailed {
        /// The step: `stage/step`.
        step: String,
        /// From 1.
        attempt: u32,
        /// Why: `exit`, `signal`, `timeout`, `inactivity`, `expectation`, ….
        reason: String,
        /// The same in words.
        message: String,
        /// Whether it is tried again unasked.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        again: bool,
    },
    /// A step was left out.
    #[serde(rename = "step.skipped")]
    StepSkipped {
        /// The step: `stage/step`.
        step: String,
        /// The operator's reason, or the condition that did not hold.
        reason: String,
    },
    /// A step began and how it ended is not known.
    #[serde(rename = "step.interrupted")]
    StepInterrupted {
        /// The step: `stage/step`.
        step: String,
        /// From 1.
        attempt: u32,
    },
    /// A question was answered.
    #[serde(rename = "prompt.answered")]
    PromptAnswered {
        /// The step that asked.
        step: String,
        /// What about.
        purpose: Purpose,
        /// The question.
        question: String,
        /// The answer.
        answer: Answer,
    },
    /// A second person approved.
    #[serde(rename = "approval.given")]
    ApprovalGiven {
        /// The step: `stage/step`.
        step: String,
        /// The second person.
        approver: String,
        /// What they say to it.
        note: String,
    },
    /// A probe was read.
    #[serde(rename = "gate.measured")]
    GateMeasured {
        /// The step: `stage/step`.
        step: String,
        /// The probe's name.
        probe: String,
        /// The reading.
        value: Value,
        /// `success`, `failure`, `inconclusive` or `error`.
        outcome: String,
    },
    /// A gate came to its decision.
    #[serde(rename = "gate.decided")]
    GateDecided {
        /// The step: `stage/step`.
        step: String,
        /// `pass`, `fail`, `inconclusive` or `error`.
        decision: String,
        /// The same in words.
        reason: String,
    },
    /// A threshold of the incident clock has passed.
    #[serde(rename = "escalation.due")]
    EscalationDue {
        /// Whom to call.
        contact: String,
    },
    /// Somebody was called.
    #[serde(rename = "escalation.made")]
    EscalationMade {
        /// Who was called.
        contact: String,
    },
    /// The operator decided against calling.
    #[serde(rename = "escalation.declined")]
    EscalationDeclined {
        /// Who was not called.
        contact: String,
        /// Why.
        reason: String,
    },
    /// A message went out.
    #[serde(rename = "notice.sent")]
    NoticeSent {
        /// The channel's name.
        channel: String,
        /// The message.
        text: String,
    },
    /// A message did not go out.
    #[serde(rename = "notice.failed")]
    NoticeFailed {
        /// The channel's name.
        channel: String,
        /// Why.
        reason: String,
    },
    /// A line from a person.
    #[serde(rename = "note.added")]
    NoteAdded {
        /// The line.
        text: String,
    },
    /// The way back begins; forward is closed.
    #[serde(rename = "rollback.started")]
    RollbackStarted {
        /// The version to go back to.
        to: String,
        /// Why, where the operator says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Whether nothing is known of what was done, so that production counts as touched.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        blind: bool,
    },
    /// A step is about to be undone.
    #[serde(rename = "undo.started")]
    UndoStarted {
        /// The step: `stage/step`.
        step: String,
        /// The exact command.
        what: String,
        /// What makes it the same as another: a digest of the command with its directory, its environment and its values.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        identity: String,
    },
    /// A step is undone.
    #[serde(rename = "undo.done")]
    UndoDone {
        /// The step: `stage/step`.
        step: String,
        /// The step whose undo, the same command, did this too.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        along_with: Option<String>,
        /// What a person did, where it was done by hand.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by_hand: Option<String>,
    },
    /// A step could not be undone.
    #[serde(rename = "undo.failed")]
    UndoFailed {
        /// The step: `stage/step`.
        step: String,
        /// Why.
        message: String,
    },
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

impl Event {
    /// That the run is taken up again by this program.
    #[must_use]
    pub fn resumed() -> Self {
        Self::RunResumed { program: env!("CARGO_PKG_VERSION").to_owned(), format: FORMAT }
    }
}

/// The format of journals that do not name one.
fn first() -> u32 {
    1
}

/// SHA-256 of `bytes` in hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::{Event, GENESIS, Record, sha256};
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

    #[test]
    fn the_hash_is_that_of_sha256sum() {
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
