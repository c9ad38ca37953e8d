//! Items to be ticked.

use serde::{Deserialize, Serialize};

use crate::template::Template;

/// What a `checklist` step lists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checklist {
    /// The items, in order.
    pub items: Vec<ChecklistItem>,
}

/// One item of a checklist.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChecklistItem {
    /// The text.
    pub item: Template,
    /// Whether the checklist is complete without it.
    #[serde(default)]
    pub optional: bool,
}
