//! `hotfix resume`.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;

use super::console::Look;
use super::detach;
use super::drive::{Session, drive};
use super::select::{self, Otherwise, Selected, select};
use super::{Exit, Trouble};
use crate::clock::Timestamp;
use crate::event::{Event, Record};
use crate::run::Phase;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run; by default the active one. Of one that is finished it says so, and changes nothing
    run: Option<String>,
    /// Take the answers from this file
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Go on without a terminal: what runs and what is watched goes on, questions wait for `hotfix resume`
    #[arg(long, conflicts_with = "answers")]
    detach: bool,
    /// Be the process that goes on without a terminal
    #[arg(long, hide = true, conflicts_with_all = ["answers", "detach"])]
    away: bool,
    /// The environment was agreed to by whoever began it
    #[arg(long, hide = true, requires = "away")]
    agreed: bool,
}

pub(super) fn run(arguments: &Arguments, look: &Look) -> Result<Exit, Trouble> {
    let mut session = Session::open(look, arguments.answers.clone())?;
    if arguments.away {
        session.away = true;
        // No terminal that closes takes it along.
        rustix::process::setsid().map_err(std::io::Error::from)?;
    }
    let selected = selected(&session, arguments.run.as_deref())?;
    let id = selected.paths.id.clone();
    if let Some(damage) = &selected.damage {
        let message = format!(
            "{damage}\nThe run cannot be taken up. Keep the file as it is: `hotfix verify {id}` says more, `hotfix rollback {id}` still takes production back."
        );
        return Err(Trouble::new(Exit::AuditFailed, message));
    }
    if let Some(at) = finished(&selected) {
        // Where even this cannot be said there is nobody to tell.
        let _ = writeln!(
            io::stderr(),
            "Run {id} finished at {}: nothing is left to do. `hotfix report {id}` tells of it.",
            at.date_time()
        );
        return Ok(Exit::Success);
    }
    match selected.phase() {
        Phase::Forward | Phase::Back | Phase::RolledBack => {}
        phase => {
            let message = format!(
                "run {id} is over ({phase:?}): `hotfix report {id}` tells of it, `hotfix start TAG ISSUE` begins another"
            );
            return Err(Trouble::new(Exit::Nothing, message));
        }
    }
    let runbook = selected.runbook().ok_or_else(|| {
        Trouble::new(
            Exit::AuditFailed,
            format!("the runbook of run {id} cannot be read; `hotfix rollback {id} --to TAG` works without"),
        )
    })?;
    if arguments.detach {
        // Whoever has it keeps it, be it such a process itself.
        let lock = session.lock(&id)?;
        let breach = detach::on_breach(&runbook);
        let engine = session.engine(selected.paths.clone(), runbook)?;
        // The process that goes on has nobody to ask.
        super::drive::block_on(engine.agree())?.map_err(|stop| super::drive::trouble(&engine, stop))?;
        drop((engine, lock));
        let arguments = look.arguments(&["resume", &id, "--away", "--agreed"]);
        return detach::begin(&session, &selected.paths, (&breach, &arguments));
    }
    let _lock = detach::lock(&session, &id)?;
    if let Some(warning) = session.store.filesystem().warning() {
        super::rollback::say(&format!("warning: {warning}"));
    }
    let engine = session.engine(selected.paths.clone(), runbook)?;
    let taken_up = if arguments.agreed { engine.resume_agreed() } else { super::drive::block_on(engine.resume())? };
    taken_up.map_err(|stop| super::drive::trouble(&engine, stop))?;
    drive(engine)
}

/// When the run was finished, where it was, without ever having gone back.
fn finished(selected: &Selected) -> Option<Timestamp> {
    let went_back = |record: &Record| matches!(record.event, Event::RollbackStarted { .. });
    let records = &selected.contents.records;
    let last = records.iter().rfind(|record| matches!(record.event, Event::RunFinished {}))?;
    (selected.phase() == Phase::Finished && !records.iter().any(went_back)).then_some(last.at)
}

/// The run that is named, the active one, or the latest where that is finished, or was rolled back and has something left.
fn selected(session: &Session, named: Option<&str>) -> Result<Selected, Trouble> {
    if named.is_some() {
        return select(&session.store, named, Otherwise::Nothing);
    }
    let active = select::active(&session.store)?;
    if let Some(active) = active {
        return Ok(active);
    }
    let latest = select(&session.store, None, Otherwise::Latest)?;
    if latest.phase() == Phase::RolledBack || finished(&latest).is_some() || latest.damage.is_some() {
        return Ok(latest);
    }
    select(&session.store, None, Otherwise::Nothing)
}
