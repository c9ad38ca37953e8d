//! Guidance for the operator.

use serde::{Deserialize, Serialize};

use crate::template::Template;

/// What a `note` step shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The text, in Markdown.
    pub text: Template,
}
