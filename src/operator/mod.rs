//! What may be asked of a person, and what they may answer.
//!
//! The trait [`Operator`] stands between the engine and whoever answers: a person at a terminal, or a file of answers.
//! Nothing here has a default: an answer is given or it is missing.

mod due;
mod gauge;
pub mod scripted;
mod show;

use serde::{Deserialize, Serialize};

use crate::clock::LocalFuture;
use crate::process::{Left, Loan};

pub use due::{Busy, Due, Falling};
pub use gauge::Gauge;
pub use show::{Course, Outcome, Screen, Show};

/// One question.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Which step asks: `stage/step`, with `/step` and `.N` behind it inside a group.
    pub step: String,
    /// What it is about, which decides how the journal counts its answer.
    pub purpose: Purpose,
    /// The text of the question, one line or a few, already rendered.
    pub prompt: String,
    /// What kind of answer fits.
    pub form: Form,
    /// The ways that the menu may offer beside the answer; retry is never among them.
    pub menu: Vec<Way>,
    /// The file with the step's output so far, for "view output".
    pub output: Option<std::path::PathBuf>,
    /// What was measured, line by line, for a question that is asked because of it.
    pub measured: Vec<String>,
}

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The step's own question.
    Step,
    /// May this touch production: the tag is to be typed.
    Production,
    /// The step failed: which way on.
    Failure,
    /// The step's end is unknown: which way on.
    Unknown,
    /// The step failed while taking production back: which way on.
    Undo,
    /// The one question that `hotfix rollback` asks.
    Rollback,
    /// Whether to go on with what is left after a rollback.
    Aftermath,
    /// What the environment had, or the program, is not what it was.
    Difference,
    /// What to do with a command that still runs.
    Command,
    /// Why, after an answer that needs a reason.
    Reason,
    /// Whether somebody was called whom the clock of the incident names.
    Escalation,
    /// Whether a draft for those who are concerned goes out.
    Update,
}

/// One item of a checklist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The text, already rendered.
    pub text: String,
    /// Whether the checklist is complete without it.
    pub optional: bool,
}

/// What kind of answer fits a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// Yes or no. Enter alone is neither.
    Confirm,
    /// This text, to be typed exactly. Anything else only asks again.
    Typed {
        /// What has to be typed.
        expected: String,
    },
    /// A text that is not empty.
    Text,
    /// A number.
    Number,
    /// A text of several lines, written in the operator's editor.
    Editor {
        /// What the editor opens with.
        initial: String,
    },
    /// One of these.
    Choice(Vec<String>),
    /// One or more of these.
    Choices(Vec<String>),
    /// Every item that is not optional, ticked.
    Checklist(Vec<Item>),
    /// The name of a second person, and a note.
    Approve {
        /// The operator, whose name is refused.
        not: String,
    },
    /// Work by hand: `done` when it is.
    Hand,
    /// Work in a subshell: the operator comes back from it.
    Shell {
        /// Where the shell starts.
        dir: std::path::PathBuf,
        /// What the shell has in its environment beside the operator's own.
        env: Vec<(String, String)>,
    },
    /// One of these ways on, by name.
    Way(Vec<Way>),
    /// What the clock of the incident asks: one of its ways.
    Due(Box<Due>),
}

/// A way on: after a failure, after an unknown end, or out of a running command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Run the step again.
    Retry,
    /// Run again a step whose end is unknown.
    Again,
    /// The operator has done it by hand.
    Done,
    /// Leave it out, with a reason.
    Skip,
    /// Take production back.
    Rollback,
    /// Begin no rollback after all, and go back to where one was.
    Return,
    /// Leave a failed undo as it is, and go on with the rest.
    Leave,
    /// Stop here; `hotfix resume` goes on.
    Pause,
    /// Stop the command that runs.
    Stop,
    /// Leave the command running and go.
    Detach,
    /// Go on waiting for the command.
    Wait,
    /// Somebody was called, and has not taken it on.
    Called,
    /// Somebody was called, and has taken it on.
    Acknowledged,
    /// Nobody is called, with a reason.
    Decline,
    /// Ask again in a while.
    Later,
    /// Send the draft as it stands.
    Send,
    /// Change the draft first.
    Edit,
}

/// An answer. Which of them fits is told by [`Form::accepts`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes to a confirmation.
    Yes,
    /// No to a confirmation.
    No,
    /// A text, a choice, or what had to be typed.
    Text(String),
    /// A number.
    Number(f64),
    /// Several choices.
    Choices(Vec<String>),
    /// The texts of the items that were ticked.
    Checked(Vec<String>),
    /// A second person's approval.
    Approved {
        /// The second person.
        name: String,
        /// What they say to it.
        note: String,
    },
    /// There is nobody to approve; an optional approval goes without, with this reason.
    NotApproved {
        /// Why nobody approved.
        reason: String,
    },
    /// Work by hand, or in a shell, is done.
    Done {
        /// What was done, where the operator says so.
        note: Option<String>,
    },
    /// A command for a `shell` step to run.
    Command(String),
    /// A way on.
    Way {
        /// Which.
        way: Way,
        /// Why; never empty for [`Way::Skip`] and [`Way::Decline`].
        reason: Option<String>,
    },
}

/// How a question may end without an answer to it.
#[derive(Clone, Debug, PartialEq)]
pub enum Unanswered {
    /// There is nobody to answer, or nothing that fits.
    Missing,
    /// The operator opened the menu and chose another way for the step.
    Menu {
        /// Retry is never among them.
        way: Way,
        /// Why; never empty for [`Way::Skip`].
        reason: Option<String>,
    },
    /// The operator wants this in the log; the question is to be asked again.
    Note(String),
    /// Ctrl-C at the prompt, or the terminal is gone.
    Interrupted(Signal),
}

/// A signal that ends the program in good order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Signal {
    /// SIGINT, and Ctrl-C at a prompt: exit 130.
    Int,
    /// SIGTERM: exit 143.
    Term,
    /// SIGHUP, and a terminal that is gone: exit 129.
    Hup,
}

/// Whoever answers.
pub trait Operator {
    /// Asks `question` and waits for its answer. Dropping the future takes the question off the screen; what had been typed
    /// is offered again when the same question is asked again.
    fn ask<'a>(&'a self, question: &'a Question) -> LocalFuture<'a, Result<Answer, Unanswered>>;

    /// Lends the terminal to a command until it ends: it talks to the operator itself, and a Ctrl-C is its own. Dropping the
    /// future ends it.
    fn lend<'a>(&'a self, loan: &'a Loan) -> LocalFuture<'a, Result<Left, Unanswered>>;

    /// Ends when a person wants something while a command runs: Ctrl-C or the menu key. Never ends where nobody can.
    fn attention(&self) -> LocalFuture<'_, Attention>;

    /// What the person is busy with.
    fn busy(&self) -> Busy {
        Busy::No
    }

    /// Whether a person sits there, who can be asked again.
    fn presence(&self) -> Presence;
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// A person at a terminal.
    Person,
    /// A file of answers, or nobody.
    File,
    /// Nobody, and somebody may come: a question waits as long as there is something to watch.
    Away,
}

/// What a person wants while a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// Ctrl-C.
    Interrupt,
    /// The menu.
    Menu,
    /// A note for the log.
    Note,
}

impl Form {
    /// Whether `answer` is one that this form takes. A checklist lacks no item that is not optional, a choice is one of the
    /// choices, an approver is not the operator, a skip has its reason.
    #[must_use]
    pub fn accepts(&self, answer: &Answer) -> bool {
        match (self, answer) {
            (Self::Confirm, Answer::Yes | Answer::No)
            | (Self::Number, Answer::Number(_))
            | (Self::Hand, Answer::Done { .. })
            | (Self::Shell { .. }, Answer::Done { .. } | Answer::Command(_)) => true,
            (Self::Typed { expected }, Answer::Text(text)) => text == expected,
            (Self::Text | Self::Editor { .. }, Answer::Text(text)) => !text.trim().is_empty(),
            (Self::Choice(choices), Answer::Text(text)) => choices.contains(text),
            (Self::Choices(choices), Answer::Choices(picked)) => {
                !picked.is_empty() && picked.iter().all(|one| choices.contains(one))
            }
            (Self::Checklist(items), Answer::Checked(ticked)) => {
                items.iter().all(|item| item.optional || ticked.contains(&item.text))
                    && ticked.iter().all(|text| items.iter().any(|item| item.text == *text))
            }
            (Self::Approve { not }, Answer::Approved { name, .. }) => {
                !name.trim().is_empty() && !name.trim().eq_ignore_ascii_case(not)
            }
            (Self::Approve { .. }, Answer::NotApproved { reason }) => !reason.trim().is_empty(),
            (Self::Way(ways), Answer::Way { way, reason }) => has_reason(ways, *way, reason.as_ref()),
            (Self::Due(due), Answer::Way { way, reason }) => has_reason(&due.ways, *way, reason.as_ref()),
            _ => false,
        }
    }
}

/// Whether `way` is one of `ways`, and has its reason where it needs one.
fn has_reason(ways: &[Way], way: Way, reason: Option<&String>) -> bool {
    let needed = matches!(way, Way::Skip | Way::Decline);
    ways.contains(&way) && (!needed || reason.is_some_and(|reason| !reason.trim().is_empty()))
}
