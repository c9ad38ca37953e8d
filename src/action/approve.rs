//! A second person's approval.

use serde::{Deserialize, Serialize};

use crate::template::Template;

/// What an `approve` step asks a second person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// What is to be approved.
    pub prompt: Template,
    /// Whether the step may go without, with a reason.
    #[serde(default)]
    pub optional: bool,
}
