//! Which runbook is used: `--runbook`, `$HOTFIX_RUNBOOK`, the repository's own, the built-in one.

use std::path::Path;

use super::console::{Lang, Look};
use super::{Exit, Trouble};
use crate::git::Repository;
use crate::runbook::{BUILTIN_EN, BUILTIN_ZH, Loaded, Source, load};
use crate::vars::Environment;

/// Where a repository keeps its runbook.
pub(super) const OWN: &str = ".hotfix/runbook.yaml";

pub(super) fn runbook(
    named: Option<&Path>,
    (repository, environment): (&Repository, &Environment),
    look: &Look,
) -> Result<Loaded, Trouble> {
    let builtin = match look.language(environment) {
        Lang::En => &BUILTIN_EN,
        Lang::Zh => &BUILTIN_ZH,
    };
    let own = repository.work_tree().join(OWN);
    let source = if let Some(path) = named {
        Source::File(path.to_owned())
    } else if let Some(path) = environment.get("HOTFIX_RUNBOOK") {
        Source::File(path.into())
    } else if own.exists() {
        Source::File(own)
    } else {
        Source::Builtin
    };
    load(&source, builtin).map_err(|problems| Trouble::new(Exit::Invalid, problems.to_string()))
}
