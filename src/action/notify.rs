//! A message to channels.

use serde::{Deserialize, Serialize};

use crate::template::Template;

/// What a `notify` step sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// The message.
    pub text: Template,
    /// To which channels; all where none is named.
    #[serde(default)]
    pub channels: Vec<String>,
}
