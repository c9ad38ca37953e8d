//! What the clock of an incident asks.

use std::time::Duration;

use super::Way;
use crate::clock::Timestamp;

/// Something that has fallen due, and what may be answered. What is to be said stands in the question's prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// What.
    pub what: Falling,
    /// Since when.
    pub at: Timestamp,
    /// The answers that fit.
    pub ways: Vec<Way>,
}

/// What falls due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Falling {
    /// Somebody is to be called.
    Call {
        /// The name and the number.
        whom: String,
        /// How long after the incident began.
        after: Duration,
    },
    /// Those who are concerned are to hear how it stands.
    Update {
        /// How often.
        every: Duration,
        /// The channels that it can be sent to, each with what is to be known of it before.
        channels: Vec<String>,
    },
}

/// What a person is busy with, where they had better not be interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// Nothing in particular.
    No,
    /// A key came a moment ago.
    Typing,
    /// An editor, a shell or a pager that was opened from a question, and that an interruption would end.
    Elsewhere,
}
