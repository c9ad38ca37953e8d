//! A record as one readable line.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::text::{answer, one_line};
use crate::clock::brief;
use crate::event::{Cut, Event, Record};
use crate::gate::{GAP, Gap};
use crate::run::rung;
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
        Event::RunStarted { program, vars, warnings, incident_began, .. } => {
            let var = |name: &str| vars.get(name).map(text_of).unwrap_or_default();
            let mut text = format!("run {} started by {who} with hotfix {program}", record.run);
            if !var("tag").is_empty() {
                let _ = write!(text, ": {} -> {} for issue {}", var("tag"), var("new_tag"), var("issue"));
            }
            if let Some(at) = incident_began {
                let ago = brief(record.at.since(*at));
                let _ = write!(text, "; the incident began at {}, {ago} before", at.local_in_full());
            }
            for warning in warnings {
                let _ = write!(text, "; warning: {warning}");
            }
            text
        }
        Event::RunResumed { .. } => format!("run resumed by {who}"),
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
        Event::UndoStarted { step, what, .. } => format!("undo of {step} started: {what}"),
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
        Event::StepInterrupted { step, attempt, known } => {
            format!("step {step} interrupted (attempt {attempt}): {}", Cut::words(*known))
        }
        Event::GateMeasured { step, value, outcome, .. } if outcome == GAP => {
            format!("gate {step}: {}", Gap::told(value))
        }
        Event::GateMeasured { step, probe, value, outcome } => {
            format!("gate {step}: {probe} = {}, {outcome}", text_of(value))
        }
        Event::GateDecided { step, decision, reason, .. } => format!("gate {step} decided {decision}: {reason}"),
        _ => return None,
    })
}

fn of_people(event: &Event, who: &str) -> Option<String> {
    Some(match event {
        Event::PromptAnswered { step, question, answer: given, .. } => {
            format!("{step}: {who} was asked {question:?} and answered: {}", answer(given))
        }
        Event::ApprovalGiven { step, approver, note } => format!("{step}: approved by {approver}: {note}"),
        Event::EscalationDue { contact, turn } => format!("escalation due: call {}", rung(contact, *turn)),
        Event::EscalationMade { contact, turn, acknowledged, note } => {
            let reached = if *acknowledged { ", who has taken it on" } else { "" };
            with(format!("escalation made: {who} called {}{reached}", rung(contact, *turn)), note.as_ref())
        }
        Event::EscalationDeclined { contact, turn, reason } => {
            format!("escalation declined: {who} did not call {}: {reason}", rung(contact, *turn))
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

#[cfg(test)]
mod tests {
    use super::line;
    use crate::clock::Timestamp;
    use crate::event::Record;

    /// What the line says of the event `event`, which is given as its fields in JSON.
    fn told(event: &str) -> String {
        let header = r#""seq":0,"at":"2025-11-23T03:57:00.000Z","run":"r1","by":"ada","host":"db1","prev":"""#;
        let record = Record::parse(&format!("{{{header},{event}}}")).unwrap_or_else(|error| panic!("{event}: {error}"));
        let line = line(&record);
        let (time, words) = line.split_once("  ").unwrap_or_default();
        assert_eq!(time, Timestamp::parse("2025-11-23T03:57:00.000Z").map(Timestamp::local_time).unwrap_or_default());
        words.to_owned()
    }

    #[test]
    fn every_event_has_its_words() {
        let all = [
            (r#""event":"run.resumed""#, "run resumed by ada@db1"),
            (r#""event":"run.paused","reason":"asked""#, "run paused: asked"),
            (r#""event":"run.finished""#, "run finished"),
            (r#""event":"run.declined","reason":"can wait""#, "run declined by ada@db1: can wait"),
            (r#""event":"run.aborted","reason":"wrong tag""#, "run aborted by ada@db1: wrong tag"),
            (r#""event":"run.rolled_back","to":"v1""#, "rolled back: production is on v1 and validated"),
            (r#""event":"stage.started","stage":"test""#, "stage test started"),
            (r#""event":"stage.finished","stage":"test""#, "stage test finished"),
            (
                r#""event":"step.started","step":"a/b","attempt":2,"what":"./x $Y""#,
                "step a/b started (attempt 2): ./x $Y",
            ),
            (
                r#""event":"step.done","step":"a/b","attempt":1,"result":{"exit":0},"set":{"x":"y"}"#,
                "step a/b done: exit 0; x = y",
            ),
            (r#""event":"step.done_by_hand","step":"a/b","note":"did it""#, "step a/b done by hand: did it"),
            (
                r#""event":"step.failed","step":"a/b","attempt":1,"reason":"exit","message":"code 3","again":true"#,
                "step a/b FAILED (attempt 1, exit): code 3; it is tried again",
            ),
            (r#""event":"step.skipped","step":"a/b","reason":"no time""#, "step a/b skipped: no time"),
            (
                r#""event":"step.interrupted","step":"a/b","attempt":1"#,
                "step a/b interrupted (attempt 1): how it ended is not known",
            ),
            (
                r#""event":"prompt.answered","step":"a/b","purpose":"step","question":"Sure?","answer":"yes""#,
                r#"a/b: ada@db1 was asked "Sure?" and answered: yes"#,
            ),
            (r#""event":"approval.given","step":"a/b","approver":"eve","note":"ok""#, "a/b: approved by eve: ok"),
            (
                r#""event":"gate.measured","step":"a/b","probe":"p","value":1.5,"outcome":"success""#,
                "gate a/b: p = 1.5, success",
            ),
            (
                r#""event":"gate.decided","step":"a/b","decision":"fail","reason":"2 of 3""#,
                "gate a/b decided fail: 2 of 3",
            ),
            (r#""event":"escalation.due","contact":"senior""#, "escalation due: call senior"),
            (r#""event":"escalation.made","contact":"senior""#, "escalation made: ada@db1 called senior"),
            (
                r#""event":"escalation.made","contact":"senior","turn":2,"acknowledged":true,"note":"on her way""#,
                "escalation made: ada@db1 called senior.2, who has taken it on: on her way",
            ),
            (
                r#""event":"escalation.declined","contact":"senior","reason":"here""#,
                "escalation declined: ada@db1 did not call senior: here",
            ),
            (r#""event":"notice.sent","channel":"war","text":"hi""#, "notice sent to war: hi"),
            (r#""event":"notice.failed","channel":"war","reason":"503""#, "notice to war FAILED: 503"),
            (r#""event":"note.added","text":"db slow""#, "note by ada@db1: db slow"),
            (r#""event":"rollback.started","to":"v1","reason":"bad""#, "rollback to v1 started by ada@db1: bad"),
            (r#""event":"undo.started","step":"a/b","what":"./u""#, "undo of a/b started: ./u"),
            (r#""event":"undo.done","step":"a/b","along_with":"c/d""#, "undo of a/b done along with c/d"),
            (r#""event":"undo.done","step":"a/b","by_hand":"dns""#, "undo of a/b done by hand by ada@db1: dns"),
            (r#""event":"undo.failed","step":"a/b","message":"no route""#, "undo of a/b FAILED: no route"),
        ];
        for (event, words) in all {
            assert_eq!(told(event), words, "{event}");
        }
    }

    #[test]
    fn what_a_person_wrote_controls_no_terminal_and_stays_in_its_line() {
        let words = told(r#""event":"note.added","text":"a\u001b[31m\nb\u202ec""#);
        assert_eq!(words, r"note by ada@db1: a\u{1b}[31m ⏎ b\u{202e}c");
    }
}
