//! `hotfix abort`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::console::Look;
use super::drive::{Session, block_on, drive, trouble};
use super::select::{Otherwise, select};
use super::{Exit, Trouble};
use crate::engine::Aborted;
use crate::run::Phase;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run; by default the active one
    run: Option<String>,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Take the answers from this file
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, look: &Look) -> Result<Exit, Trouble> {
    let session = Session::open(look, arguments.answers.clone())?;
    let selected = select(&session.store, arguments.run.as_deref(), Otherwise::Nothing)?;
    let id = selected.paths.id.clone();
    if !matches!(selected.phase(), Phase::Forward | Phase::Back | Phase::RolledBack) {
        return Err(Trouble::new(Exit::Nothing, format!("run {id} is over already")));
    }
    let runbook = selected.runbook();
    let runbook =
        runbook.ok_or_else(|| Trouble::new(Exit::AuditFailed, format!("the runbook of run {id} cannot be read")))?;
    let _lock = super::detach::lock(&session, &id)?;
    let engine = session.engine(selected.paths.clone(), runbook.clone()).or_else(|trouble| {
        super::rollback::say(&format!("{}; that the run is over is recorded beside it", trouble.message));
        session.engine_without_journal(selected.paths.clone(), runbook, &selected.contents.records)
    })?;
    let aborted = block_on(engine.give_up(&arguments.reason))?.map_err(|stop| trouble(&engine, stop))?;
    if aborted == Aborted::Instead {
        return drive(engine);
    }
    let mut err = super::said::stderr();
    writeln!(err, "Run {id} is aborted. Its log and its output stay: `hotfix report {id}`.")?;
    for line in engine.left_behind() {
        writeln!(err, "  {line}")?;
    }
    Ok(Exit::Success)
}
