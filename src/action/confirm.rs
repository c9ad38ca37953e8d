//! A yes or no, or a text to be typed.

use serde::{Deserialize, Serialize};

use crate::template::Template;

/// What a `confirm` step asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// The question.
    pub prompt: Template,
    /// The text that has to be typed, where a yes is not enough.
    #[serde(default, rename = "type")]
    pub typed: Option<Template>,
    /// The variable that gets the answer.
    #[serde(default)]
    pub into: Option<String>,
    /// What a no does.
    #[serde(default)]
    pub no: OnNo,
}

/// What a no does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnNo {
    /// The run pauses here.
    #[default]
    Pause,
    /// The run is over: not worth a hotfix.
    Decline,
    /// Production is taken back.
    Rollback,
    /// The run goes on, and knows the answer.
    Continue,
}
