//! How an action is performed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::command::Capture;

/// The fields of a step that say how its action is performed, worked out.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// How long it may say nothing.
    pub inactivity_timeout: Option<Duration>,
    /// The time between asking a command to end and killing it; 5 s where there is none.
    pub kill_grace: Option<Duration>,
    /// Environment variables of its command.
    pub env: Vec<(String, String)>,
    /// Variables that get something of its output.
    pub capture: BTreeMap<String, Capture>,
    /// Exit codes of its command that are a success beside 0.
    pub success_exit: Vec<i32>,
    /// Whether its command talks to the operator.
    pub interactive: bool,
    /// Whether its command is to find a terminal where it writes.
    pub tty: bool,
}
