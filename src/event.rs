//! What can happen in a run, and how it is written: one JSON object a line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::operator::{Answer, Purpose};
use crate::samples::Seal;

mod record;

pub use record::{GENESIS, Record};

/// The format that this program writes, and the newest that it reads: one more with every event, field or meaning that a program
/// before it would overlook.
pub const FORMAT: u32 = 3;

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
        /// When the incident began, where that was before this record.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incident_began: Option<Timestamp>,
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
    /// A step began, and is to begin again.
    #[serde(rename = "step.interrupted")]
    StepInterrupted {
        /// The step: `stage/step`.
        step: String,
        /// From 1.
        attempt: u32,
        /// What is known of how it ended; nothing where there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        known: Option<Cut>,
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
        /// The samples up to then, those of other gates among them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        samples: Option<Seal>,
    },
    /// A threshold of the incident clock has passed.
    #[serde(rename = "escalation.due")]
    EscalationDue {
        /// Whom to call.
        contact: String,
        /// Which of the rungs that name this contact, from 1.
        #[serde(default = "first", skip_serializing_if = "is_first")]
        turn: u32,
    },
    /// Somebody was called.
    #[serde(rename = "escalation.made")]
    EscalationMade {
        /// Who was called.
        contact: String,
        /// Which of the rungs that name this contact, from 1.
        #[serde(default = "first", skip_serializing_if = "is_first")]
        turn: u32,
        /// Whether they were reached and have taken it on.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        acknowledged: bool,
        /// What was said, where the operator says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// The operator decided against calling.
    #[serde(rename = "escalation.declined")]
    EscalationDeclined {
        /// Who was not called.
        contact: String,
        /// Which of the rungs that name this contact, from 1.
        #[serde(default = "first", skip_serializing_if = "is_first")]
        turn: u32,
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

/// What is known of a step that was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// It is a question, and nobody had answered it.
    Unanswered,
    /// It may be done twice: it changes nothing, or looks first at what is done.
    Harmless,
    /// Its command had not begun.
    NotBegun,
}

impl Cut {
    /// What is known, or that nothing is, in words.
    #[must_use]
    pub fn words(known: Option<Self>) -> &'static str {
        match known {
            Some(Self::Unanswered) => "it was not answered yet, and is asked again",
            Some(Self::Harmless) => "it is done again, which does no harm",
            Some(Self::NotBegun) => "its command had not begun",
            None => "how it ended is not known",
        }
    }
}

impl Event {
    /// That the run is taken up again by this program.
    #[must_use]
    pub fn resumed() -> Self {
        Self::RunResumed { program: env!("CARGO_PKG_VERSION").to_owned(), format: FORMAT }
    }
}

/// The format of journals that do not name one, and the turn of rungs that do not.
fn first() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_first(turn: &u32) -> bool {
    *turn == 1
}
