//! A record as one readable line.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::text::{answer, one_line};
use crate::event::{Event, Record};
use crate::vars::text_of;

/// One line of the log: the local time, then what happened. No control character of the record passes through.
#[must_use]
pub fn line(record: &Record) -> String {
    format!("{}  {}", record.at.local_time(), words(record))
}

/// What happened, in one line of words.
pub(super) fn words(record: &Record) -> String {
    let who = format!("{}@{}", record.by, record.host);
    let text = of_run(record, &who).or_else(|| of_step(&record.event)).or_else(|| of_people(&record.event, &who));
    one_line(&text.unwrap_or_default())
}

fn of_run(record: &Record, who: &str) -> Option<String> {
    Some(match &record.event {
        Event::RunStarted { program, vars, warnings, .. } => {
            let var = |name: &str| vars.get(name).map(text_of).unwrap_or_default();
            let mut text = format!("run {} started by {who} with hotfix {program}", record.run);
            if !var("tag").is_empty() {
                let _ = write!(text, ": {} -> {} for issue {}", var("tag"), var("new_tag"), var("issue"));
            }
            for warning in warnings {
                let _ = write!(text, "; warning: {warning}");
            }
            text
        }
        Event::RunResumed {} => format!("run resumed by {who}"),
        Event::RunPaused { reason } => format!("run paused: {reason}"),
        Event::RunFinished {} => "run finished".to_owned(),
        Event::RunDeclined { reason } => format!("run declined by {who}: {reason}"),
        Event::RunAborted { reason } => format!("run aborted by {who}: {reason}"),
        Event::RunRolledBack { to } => format!("rolled back: production is on {to} and validated"),
        Event::StageStarted { stage } => format!("stage {stage} started"),
        Event::StageFinished { stage } => format!("stage {stage} finished"),
        Event::RollbackStarted { to, reason, blind } => {
            let mut text = format!("rollback to {to} started by {who}");
            if *blind {
                text.push_str(", not knowing what was done");
            }
            with(text, reason.as_ref())
        }
        Event::UndoStarted { step, what } => format!("undo of {step} started: {what}"),
        Event::UndoDone { step, along_with: Some(other), .. } => format!("undo of {step} done along with {other}"),
        Event::UndoDone { step, by_hand: Some(note), .. } => format!("undo of {step} done by hand by {who}: {note}"),
        Event::UndoDone { step, .. } => format!("undo of {step} done"),
        Event::UndoFailed { step, message } => format!("undo of {step} FAILED: {message}"),
        _ => return None,
    })
}

fn of_step(event: &Event) -> Option<String> {
    Some(match event {
        Event::StepStarted { step, attempt, what, .. } => {
            with(format!("step {step} started (attempt {attempt})"), Some(what).filter(|what| !what.is_empty()))
        }
        Event::StepDone { step, result, set, .. } => {
            let mut text = with(format!("step {step} done"), pairs(result).as_ref());
            for (name, value) in set {
                let _ = write!(text, "; {name} = {}", text_of(value));
            }
            text
        }
        Event::StepDoneByHand { step, note } => with(format!("step {step} done by hand"), note.as_ref()),
        Event::StepFailed { step, attempt, reason, message, again } => {
            let then = if *again { "; it is tried again" } else { "" };
            format!("step {step} FAILED (attempt {attempt}, {reason}): {message}{then}")
        }
        Event::StepSkipped { step, reason } => format!("step {step} skipped: {reason}"),
        Event::StepInterrupted { step, attempt } => {
            format!("step {step} interrupted (attempt {attempt}): how it ended is not known")
        }
        Event::GateMeasured { step, probe, value, outcome } => {
            format!("gate {step}: {probe} = {}, {outcome}", text_of(value))
        }
        Event::GateDecided { step, decision, reason } => format!("gate {step} decided {decision}: {reason}"),
        _ => return None,
    })
}

fn of_people(event: &Event, who: &str) -> Option<String> {
    Some(match event {
        Event::PromptAnswered { step, question, answer: given, .. } => {
            format!("{step}: {who} was asked {question:?} and answered: {}", answer(given))
        }
        Event::ApprovalGiven { step, approver, note } => format!("{step}: approved by {approver}: {note}"),
        Event::EscalationDue { contact } => format!("escalation due: call {contact}"),
        Event::EscalationMade { contact } => format!("escalation made: {who} called {contact}"),
        Event::EscalationDeclined { contact, reason } => {
            format!("escalation declined: {who} did not call {contact}: {reason}")
        }
        Event::NoticeSent { channel, text } => format!("notice sent to {channel}: {text}"),
        Event::NoticeFailed { channel, reason } => format!("notice to {channel} FAILED: {reason}"),
        Event::NoteAdded { text } => format!("note by {who}: {text}"),
        _ => return None,
    })
}

fn with(text: String, more: Option<&String>) -> String {
    match more {
        Some(more) => format!("{text}: {more}"),
        None => text,
    }
}

fn pairs(result: &Map<String, Value>) -> Option<String> {
    let pairs: Vec<_> = result.iter().map(|(name, value)| format!("{name} {}", text_of(value))).collect();
    (!pairs.is_empty()).then(|| pairs.join(", "))
}
