//! `hotfix verify`.

use std::io::{self, Write as _};

use clap::Args;

use super::{Exit, Trouble, repository, whole};
use crate::journal::{JournalError, read};
use crate::store::Store;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run; by default the latest
    run: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Trouble> {
    let store = Store::under(repository()?.commondir());
    let runs = store.runs().map_err(|error| Trouble::new(Exit::Error, whole(&error)))?;
    let run = match &arguments.run {
        Some(id) => {
            runs.iter().find(|run| run.id == *id).ok_or_else(|| format!("there is no run {id} in this repository"))
        }
        None => runs.last().ok_or_else(|| "there is no run in this repository".to_owned()),
    };
    let run = run.map_err(|message| Trouble::new(Exit::Nothing, message))?;
    let contents = read(&run.journal).map_err(|error| match error {
        JournalError::Damaged { .. } => Trouble::new(Exit::AuditFailed, whole(&error)),
        JournalError::Io { .. } => Trouble::new(Exit::AuditFailed, format!("{} and cannot be verified", whole(&error))),
    })?;
    let Some(last) = contents.records.last() else {
        return Err(Trouble::new(Exit::AuditFailed, format!("{} holds no record", run.journal.display())));
    };
    let mut out = io::stdout().lock();
    writeln!(out, "Run {}: {} records, unbroken.", run.id, contents.records.len())?;
    writeln!(out, "Head: {} {} {}", run.id, last.seq, contents.head)?;
    if contents.torn > 0 {
        let torn = contents.torn;
        writeln!(out, "Behind it {torn} bytes of a record that was never finished; the next write cuts them off.")?;
    }
    for seq in &contents.backwards {
        writeln!(out, "Warning: the clock went backwards before record {seq}.")?;
    }
    Ok(Exit::Success)
}
