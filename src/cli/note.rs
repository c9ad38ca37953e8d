//! `hotfix note`.

use std::io::Write as _;

use clap::Args;

use super::select::{Otherwise, Selected, select};
use super::{Exit, Trouble, author, repository, whole};
use crate::clock::SystemClock;
use crate::event::Event;
use crate::journal::{Author, Journal, JournalError};
use crate::mask::Masker;
use crate::store::Store;
use crate::vars::Environment;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The line; several words need no quotes
    #[arg(required = true)]
    text: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Trouble> {
    let text = arguments.text.join(" ");
    if text.trim().is_empty() {
        return Err(Trouble::new(Exit::Usage, "an empty note says nothing: `hotfix note TEXT`"));
    }
    let repository = repository()?;
    let environment = Environment::of_process();
    let run = select(&Store::under(repository.common_dir()), None, Otherwise::Nothing)?;
    let text = masked(&run, &environment, text.trim())?;
    let (by, host) = author(&repository, &environment);
    let author = Author { run: run.paths.id.clone(), by, host };
    append(&run, author, text).map_err(|error| {
        let exit = if matches!(error, JournalError::Damaged { .. }) { Exit::AuditFailed } else { Exit::Error };
        Trouble::new(exit, format!("the note was NOT written: {}", whole(&error)))
    })?;
    writeln!(super::said::stderr(), "Noted in run {}.", run.paths.id)?;
    Ok(Exit::Success)
}

/// A run takes a note whenever it has begun, so there is nothing to object to.
fn append(run: &Selected, author: Author, text: String) -> Result<(), JournalError> {
    let (mut journal, _) = Journal::open(&run.paths.journal, author)?;
    let Ok(_) =
        journal.append(&SystemClock, Event::NoteAdded { text }, |_, _| Ok::<(), std::convert::Infallible>(()))?;
    Ok(())
}

/// The text without the values that the runbook's secrets have here.
fn masked(run: &Selected, environment: &Environment, text: &str) -> Result<String, Trouble> {
    let names = run.runbook().map(|runbook| runbook.secrets).unwrap_or_default();
    let masker = Masker::new(names.iter().filter_map(|name| environment.get(name)));
    let masker = masker.map_err(|error| Trouble::new(Exit::Error, whole(&error)))?;
    Ok(masker.text(text))
}
