//! A command.

use serde::{Deserialize, Serialize};

use crate::template::Template;

/// What a `run` step, a `done_if` or a probe runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// A text for a shell, never a template: values reach it as environment variables.
    Text(String),
    /// A program and its arguments, without a shell.
    List(Vec<Template>),
}
