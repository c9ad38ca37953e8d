//! What a step can do: one file for each kind, with its parameters, how it is described and how it is performed.
//!
//! # Why
//! A new kind is one new file and a few lines here; forgetting one is an error of the compiler. A dry run is another
//! reader of the same parameters ([`Kind::describe`]), so no flag for it runs through the code.

pub mod approve;
pub mod ask;
mod baseline;
mod captured;
pub mod checklist;
pub mod command;
pub mod commit;
pub mod confirm;
mod context;
pub mod git;
pub mod http;
mod merge;
pub mod monitor;
pub mod note;
pub mod notify;
mod output;
pub mod pick;
mod probe;
mod run;
mod settings;
pub mod shell;
mod source;
mod tested;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use captured::{given_so_far, in_words};
pub use context::{Asked, ByHand, Context, Desk, Disturbance, Done, Failure, Finding, LOST, Place, Stop, Test, World};
pub use run::{make_values, was_announced};
pub use settings::Settings;

use crate::clock::{LocalFuture, Timestamp};
use crate::gate::{Decision, Gap, Past};
use crate::operator::Form;
use crate::vars::Values;

/// What every kind of action can do.
pub trait Kind {
    /// What exactly it would do with `values`: a command, a request, a question.
    ///
    /// # Errors
    /// What cannot be worked out.
    fn describe(&self, values: &Values) -> Result<String, String>;

    /// Does it.
    fn perform<'a>(&'a self, ctx: &'a Context<'a>) -> LocalFuture<'a, Result<Done, Stop>>;

    /// Whether it may be done again unasked when nobody knows whether it was.
    fn repetition(&self) -> Repetition;

    /// Whether it watches behind other steps.
    fn watching(&self) -> Watching {
        Watching::default()
    }

    /// What goes on behind other steps; ends with an error where production is to be looked at. `None` where nothing does, or
    /// not any more.
    fn behind<'a>(&'a self, ctx: &'a Context<'a>, vigil: Vigil) -> Option<LocalFuture<'a, Result<Done, Stop>>> {
        let _ = (ctx, vigil);
        None
    }

    /// Everything that makes it the same as another with these values.
    ///
    /// # Errors
    /// What cannot be worked out.
    fn identity(&self, values: &Values) -> Result<String, String> {
        self.describe(values)
    }

    /// The variables that it gives.
    fn gives(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The script of the repository that it runs, from the top of the work tree.
    fn script(&self) -> Option<&str> {
        None
    }

    /// Those of the environment variables `given` that its text names.
    fn named(&self, given: &[(String, String)]) -> Vec<(String, String)> {
        let _ = given;
        Vec::new()
    }

    /// Whether it says something of the files in the work tree, as a test does.
    fn tests(&self) -> bool {
        false
    }

    /// The stage whose tests have to have been of what it releases.
    fn tested(&self) -> Option<&str> {
        None
    }

    /// How long it watches, where it does and that has an end.
    fn lasts(&self, values: &Values) -> Option<Duration> {
        let _ = values;
        None
    }

    /// What it asks the operator, so that answers can be prepared; `None` where it asks nothing.
    ///
    /// # Errors
    /// What cannot be worked out.
    fn form(&self, values: &Values) -> Result<Option<Form>, String> {
        let _ = values;
        Ok(None)
    }
}

/// Whether something watches behind other steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watching {
    /// What of it goes on once it is done.
    pub behind: Behind,
    /// Whether it begins as soon as production is touched, and not before.
    pub from_production: bool,
}

/// What goes on behind the later steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behind {
    /// Nothing.
    #[default]
    Nothing,
    /// All of it, for as long as it lasts, whether production is touched or not.
    FromItsStart,
    /// What has no end of its own, once production is touched, until another takes over.
    FromItsEnd,
}

/// One time of watching behind other steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vigil {
    /// When it began, where it lasts as long as it says; else it goes on until it is ended.
    pub began: Option<Timestamp>,
    /// How many readings it bears whatever they are: somebody has just said that it is to go on.
    pub bears: u32,
    /// What was measured of it before, by this process or another.
    pub past: Past,
    /// When nothing was measured of it before.
    pub gaps: Vec<Gap>,
    /// When its gate was last decided, and whether it passed.
    pub decided: Option<(Timestamp, bool)>,
    /// What its gate came to, where nobody has said yet what is to be done about it.
    pub breach: Option<Decision>,
    /// Whether it only measures, and comes to nothing: somebody is being asked about what it came to.
    pub quiet: bool,
}

/// The result of a step that has only begun to watch, behind those that follow.
pub const BACKGROUND: &str = "background";
/// The fact of a failed gate that says in lines what was measured.
pub const MEASURED: &str = "measured";
/// The fact of a breach that says what the gate came to, as the journal has it.
pub const VERDICT: &str = "verdict";
/// The fact of a breach that says why, without what the gate came to.
pub const WHY: &str = "why";
/// The fact of a breach that says when the watch is over, in milliseconds since 1970; not there where it has no end.
pub const UNTIL: &str = "until";
/// The fact of a failed gate that says what was measured where it failed, and since when.
pub const COURSE: &str = "course";

/// Whether something may be done again unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// It may: it is a question and no more.
    Question,
    /// It may: it changes nothing, or looks first at what is done.
    Unasked,
    /// A person has to say so.
    Asked,
    /// It is a command that leaves its status file before it begins: without one it never began, and with one it is found.
    Supervised,
}

/// Whether `done_if` says that a step has already happened.
///
/// # Errors
/// What breaks in on it, or that it cannot be run.
pub async fn has_happened(command: &command::Command, ctx: &Context<'_>) -> Result<bool, Stop> {
    run::has_happened(command, ctx).await
}

/// One thing to do, with its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Shows guidance.
    Note(note::Note),
    /// Asks for a value.
    Ask(ask::Ask),
    /// Asks yes or no, or for a text to be typed.
    Confirm(confirm::Confirm),
    /// Has items ticked.
    Checklist(checklist::Checklist),
    /// Has a second person approve.
    Approve(approve::Approve),
    /// Runs a command.
    Run(command::Command),
    /// Works on the repository.
    Git(git::Git),
    /// Sends one request.
    Http(Box<http::Http>),
    /// Measures, and decides by gates.
    Monitor(monitor::Monitor),
    /// Sends a message.
    Notify(notify::Notify),
    /// Lets the operator work in a subshell.
    Shell(shell::Shell),
}

impl Action {
    /// Whether its success says that something works: it looked, or a person did.
    #[must_use]
    pub fn looks(&self) -> bool {
        match self {
            Self::Run(_) | Self::Http(_) | Self::Checklist(_) | Self::Confirm(_) => true,
            Self::Monitor(monitor) => !monitor.background,
            _ => false,
        }
    }

    /// What it can do.
    #[must_use]
    pub fn kind(&self) -> &dyn Kind {
        match self {
            Self::Note(kind) => kind,
            Self::Ask(kind) => kind,
            Self::Confirm(kind) => kind,
            Self::Checklist(kind) => kind,
            Self::Approve(kind) => kind,
            Self::Run(kind) => kind,
            Self::Git(kind) => kind,
            Self::Http(kind) => kind.as_ref(),
            Self::Monitor(kind) => kind,
            Self::Notify(kind) => kind,
            Self::Shell(kind) => kind,
        }
    }

    /// The name of its kind, as a runbook has it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Note(_) => "note",
            Self::Ask(_) => "ask",
            Self::Confirm(_) => "confirm",
            Self::Checklist(_) => "checklist",
            Self::Approve(_) => "approve",
            Self::Run(_) => "run",
            Self::Git(_) => "git",
            Self::Http(_) => "http",
            Self::Monitor(_) => "monitor",
            Self::Notify(_) => "notify",
            Self::Shell(_) => "shell",
        }
    }
}
