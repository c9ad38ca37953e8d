//! What whoever reads a report has to know first: everything that did not go as the runbook has it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Source;
use super::book::Book;
use super::text::answer;
use crate::action::Action;
use crate::action::git::Git;
use crate::event::{Cut, Event};
use crate::gate::{GAP, Gap};
use crate::operator::Answer;
use crate::run::{Call, Run, Status, UndoStatus, rung};

/// What an undo that failed is told under.
pub(super) const LEFT: &str = "Left by the rollback";
/// What no undo took back of git is told under.
pub(super) const STILL_THERE: &str = "Still there after the rollback";

/// One thing to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Attention {
    pub(super) what: &'static str,
    pub(super) text: String,
}

/// What there is to know, the gravest first.
pub(super) fn attention(source: &Source<'_>, run: &Run) -> Vec<Attention> {
    let mut all: Vec<Attention> = Vec::new();
    let mut add = |what, text: String| all.push(Attention { what, text });
    if let Some(fault) = source.fault {
        add("The audit log is damaged", format!("{fault}. What follows is the part before the damage."));
    }
    run.left().into_iter().for_each(|step| add(LEFT, format!("{step} could not be taken back")));
    for text in still_there(source, run) {
        add(STILL_THERE, text);
    }
    let without = if run.touched_production() {
        "Released WITHOUT a second person's approval"
    } else {
        "Went on WITHOUT a second person's approval"
    };
    for text in without_approval(source) {
        add(without, text);
    }
    let mut clock = None;
    let mut failures: BTreeMap<&str, (u32, &str)> = BTreeMap::new();
    for record in source.records {
        if clock.is_some_and(|before| record.at < before) {
            add(
                "The clock went backwards",
                format!("before record {}: times around it are not to be trusted", record.seq),
            );
        }
        clock = Some(record.at);
        match &record.event {
            Event::StepFailed { step, message, .. } => {
                let failure = failures.entry(step).or_default();
                *failure = (failure.0 + 1, message);
            }
            event => {
                if let Some((what, text)) = unusual(source, event) {
                    add(what, text);
                }
            }
        }
    }
    for (step, (times, message)) in failures {
        let often = if times == 1 { "once".to_owned() } else { format!("{times} times") };
        add("Failed", format!("{step}, {often}; at last: {message}; {}", end(run.step(step).status)));
    }
    all.sort_by_key(|one| !one.what.starts_with("The audit log"));
    all
}

/// What git made before a rollback and no undo took back: a rollback deletes no tag and takes nothing out of main.
fn still_there(source: &Source<'_>, run: &Run) -> Vec<String> {
    let way_back = source.records.iter().position(|record| matches!(record.event, Event::RollbackStarted { .. }));
    let made = |step: &str| {
        let lasting = matches!(
            Book::of(source).action(step),
            Some(Action::Git(Git::Tag { .. } | Git::Push(_) | Git::Merge { .. }))
        );
        lasting && run.step(step).status == Status::Done && run.undo(step).status != Some(UndoStatus::Done)
    };
    let found = source.records[..way_back.unwrap_or(0)].iter().filter_map(|record| match &record.event {
        Event::StepStarted { step, what, .. } if made(step) => {
            Some((step, format!("{step}: {}", what.lines().next().unwrap_or_default())))
        }
        _ => None,
    });
    found.collect::<BTreeMap<_, _>>().into_values().collect()
}

/// What became of a step that failed.
fn end(status: Status) -> &'static str {
    match status {
        Status::Done => "then it succeeded",
        Status::DoneByHand => "then it was done by hand",
        Status::Skipped => "then it was skipped",
        Status::Left => "it was left so",
        Status::Pending | Status::Started | Status::Failed => "it has not succeeded",
    }
}

fn unusual(source: &Source<'_>, event: &Event) -> Option<(&'static str, String)> {
    let book = Book::of(source);
    Some(match event {
        Event::RunStarted { warnings, .. } if !warnings.is_empty() => ("Started with a warning", warnings.join("; ")),
        Event::StepSkipped { step, reason } if !is_approval(book, step) && !book.is_condition(step, reason) => {
            ("Skipped", format!("{step}: {reason}"))
        }
        Event::StepDoneByHand { step, note } => {
            ("Done by hand", note.as_ref().map_or_else(|| step.clone(), |note| format!("{step}: {note}")))
        }
        Event::StepDone { step, result, .. } if result.contains_key("untested") => {
            let files = result["untested"].as_array().into_iter().flatten().map(crate::vars::text_of);
            let files = files.collect::<Vec<_>>().join(", ");
            ("Changed after its tests", format!("{step}: {files}; somebody said that the very commit was tested again"))
        }
        Event::StepInterrupted { step, known: None, .. } => ("Interrupted", format!("{step}: {}", Cut::words(None))),
        Event::UndoFailed { step, message } => ("Undo failed", format!("{step}: {message}")),
        Event::UndoDone { step, by_hand: Some(note), .. } => ("Undone by hand", format!("{step}: {note}")),
        Event::GateMeasured { step, value, outcome, .. } if outcome == GAP => {
            ("Gap in what was watched", format!("{step}: {}", Gap::told(value)))
        }
        Event::GateDecided { step, decision, reason, .. } if decision != "pass" => {
            ("Gate not passed", format!("{step} decided {decision}: {reason}"))
        }
        Event::NoticeFailed { channel, reason } => ("Message not delivered", format!("{channel}: {reason}")),
        Event::EscalationDeclined { contact, turn, reason } => {
            ("Not escalated", format!("{}: {reason}", rung(contact, *turn)))
        }
        Event::EscalationDue { contact, turn } if source.run().call(&rung(contact, *turn)) == Some(Call::Due) => (
            "Not escalated",
            format!("{}: it was due, and nobody has said that the call was made", rung(contact, *turn)),
        ),
        Event::RollbackStarted { blind: true, .. } => {
            ("Rolled back blind", "the log did not tell what had been done".to_owned())
        }
        _ => return None,
    })
}

/// The approvals that were done without, each with the step and the reason.
fn without_approval(source: &Source<'_>) -> Vec<String> {
    let book = Book::of(source);
    let mut found: BTreeMap<&str, String> = BTreeMap::new();
    for record in source.records {
        match &record.event {
            Event::PromptAnswered { step, answer: given @ Answer::NotApproved { .. }, .. } => {
                found.insert(step, answer(given));
            }
            Event::StepSkipped { step, reason } if is_approval(book, step) && !book.is_condition(step, reason) => {
                found.insert(step, reason.clone());
            }
            Event::ApprovalGiven { step, .. } => _ = found.remove(step.as_str()),
            _ => {}
        }
    }
    found.into_iter().map(|(step, reason)| format!("{step}: {reason}")).collect()
}

fn is_approval(book: Book<'_>, step: &str) -> bool {
    matches!(book.action(step), Some(Action::Approve(_)))
}
