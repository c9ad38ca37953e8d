//! One operation on the repository.

use serde::{Deserialize, Serialize};

use crate::template::Template;

/// What a `git` step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Git {
    /// Fetches the remote, with its tags.
    Fetch,
    /// Makes a branch and switches to it.
    Branch {
        /// Its name.
        name: Template,
        /// Where it starts.
        from: Template,
    },
    /// Writes a version into the runbook's `version_files`.
    Bump(Template),
    /// Commits what is staged or changed, with this message.
    Commit(Template),
    /// Makes an annotated tag.
    Tag {
        /// Its name.
        name: Template,
        /// Its message.
        message: Option<Template>,
    },
    /// Pushes these refs, all or none.
    Push(Vec<Template>),
    /// Merges a branch into another, and pushes that.
    Merge {
        /// What is merged.
        branch: Template,
        /// What it is merged into.
        into: Template,
    },
    /// Deletes a branch, here and on the remote.
    DeleteBranch(Template),
}
