//! A subshell for the operator.

use serde::{Deserialize, Serialize};

use crate::template::Template;

/// What a `shell` step asks the operator to do there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shell {
    /// What there is to do.
    pub prompt: Template,
}
