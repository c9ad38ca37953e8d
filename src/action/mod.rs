//! What a step can do: one file for the parameters of each kind.

pub mod approve;
pub mod ask;
pub mod checklist;
pub mod command;
pub mod confirm;
pub mod git;
pub mod http;
pub mod monitor;
pub mod note;
pub mod notify;
pub mod shell;

use serde::{Deserialize, Serialize};

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
    /// The name of its kind, as a runbook has it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
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
