//! `hotfix check`.

use std::io;
use std::path::PathBuf;

use clap::Args;

use super::{Exit, Trouble, data, work_tree};
use crate::runbook::{BUILTIN_EN, Source, load};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The runbook; by default the one that `start` would take: `$HOTFIX_RUNBOOK`, `.hotfix/runbook.yaml` in the repository, the
    /// built-in one
    file: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Trouble> {
    let set = || std::env::var_os("HOTFIX_RUNBOOK").map(PathBuf::from);
    let own = || work_tree().ok().map(|root| root.join(".hotfix/runbook.yaml")).filter(|path| path.exists());
    let (name, source) = if let Some(path) = arguments.file.clone().or_else(set).or_else(own) {
        (path.display().to_string(), Source::File(path))
    } else {
        let name = "built-in runbook".to_owned();
        (name.clone(), Source::Text { name, text: BUILTIN_EN.text.to_owned() })
    };
    let loaded = load(&source, &BUILTIN_EN);
    let loaded = loaded.map_err(|problems| Trouble::new(Exit::Invalid, format!("{name} is refused\n{problems}")))?;
    let stages = &loaded.runbook.stages;
    let steps: usize = stages.iter().map(|stage| stage.steps.len()).sum();
    data(|out| writeln!(out, "{name}: good, {} stages with {steps} steps.", stages.len()))?;
    Ok(Exit::Success)
}

/// `hotfix schema`.
pub(super) fn schema() -> Result<Exit, Trouble> {
    let text = serde_json::to_string_pretty(&crate::runbook::schema()).map_err(io::Error::from)?;
    data(|out| writeln!(out, "{text}"))?;
    Ok(Exit::Success)
}
