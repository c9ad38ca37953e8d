//! A question whose answer becomes a variable.

use serde::{Deserialize, Serialize};

use crate::template::Template;

/// What an `ask` step asks. At most one of the kinds is given; a text is asked for where none is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The question.
    pub prompt: Template,
    /// One of these is the answer.
    #[serde(default)]
    pub choice: Option<Vec<Template>>,
    /// Some of these are the answer.
    #[serde(default)]
    pub choices: Option<Vec<Template>>,
    /// The answer is a number.
    #[serde(default)]
    pub number: bool,
    /// The answer is written in the operator's editor.
    #[serde(default)]
    pub editor: bool,
    /// The variable that gets the answer.
    #[serde(default)]
    pub into: Option<String>,
}
