//! `hotfix rollback`: from any terminal, at any stage.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::console::Look;
use super::drive::{Session, block_on, drive, trouble};
use super::select::{Otherwise, Selected, driver, select};
use super::{Exit, Trouble, blind, whole};
use crate::clock::pause;
use crate::engine::Retreat;
use crate::journal::{Author, Journal};
use crate::run::Phase;
use crate::runbook::{BUILTIN_EN, Source, load};
use crate::store::{DriverLock, Holder, Life, StoreError};

/// How long another process is given to let go by itself.
const GRACE: Duration = Duration::from_secs(3);
/// How often it is looked whether it has.
const POLL: Duration = Duration::from_millis(20);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run; by default the active one, else the latest
    run: Option<String>,
    /// The version to go back to; by default the tag that was to be fixed
    #[arg(long, value_name = "TAG")]
    pub(super) to: Option<String>,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Take the answers from this file
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Use this runbook, where no run is there
    #[arg(long, value_name = "FILE")]
    pub(super) runbook: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, look: &Look) -> Result<Exit, Trouble> {
    let session = Session::open(look, arguments.answers.clone())?;
    let selected = match select(&session.store, arguments.run.as_deref(), Otherwise::Latest) {
        Ok(selected) => selected,
        Err(nothing) if nothing.exit == Exit::Nothing && arguments.run.is_none() => {
            return blind::rollback(arguments, &session, look, &nothing);
        }
        Err(other) => return Err(other),
    };
    if let Some(damage) = selected.damage.clone() {
        return broken(&selected, arguments, &session, &damage);
    }
    let id = selected.paths.id.clone();
    let elsewhere = driver(&session.store, &session.host, &id);
    match (selected.phase(), &elsewhere) {
        (Phase::Declined | Phase::Unborn, _) => {
            return Err(Trouble::new(
                Exit::Nothing,
                format!("run {id} ended before anything began: there is nothing to roll back"),
            ));
        }
        (_, Some((holder, Life::Elsewhere))) => return Err(on_another_host(&id, holder)),
        (Phase::Back, Some((holder, Life::Alive))) => return Err(already(&id, holder)),
        _ => {}
    }
    let Some(runbook) = selected.runbook() else {
        return broken(&selected, arguments, &session, "the run's runbook cannot be read");
    };
    if journal_is_stuck(&selected)
        && let Some(holder) = session.store.holder()
    {
        kill(&session, &holder)?;
    }
    let engine = session.engine(selected.paths.clone(), runbook)?;
    if engine.is_going_back() {
        let _lock = session.lock(&id)?;
        block_on(engine.resume())?.map_err(|stop| trouble(&engine, stop))?;
        return drive(engine);
    }
    let retreat = Retreat { to: arguments.to.clone(), reason: arguments.reason.clone(), blind: false };
    block_on(engine.propose(retreat))?.map_err(|stop| trouble(&engine, stop))?;
    let _lock = lock_or_go_on(take_over(&session, &id))?;
    drive(engine)
}

/// Whether a process that was stopped in the middle of an append keeps everybody from writing.
fn journal_is_stuck(selected: &Selected) -> bool {
    let author = Author { run: selected.paths.id.clone(), by: String::new(), host: String::new() };
    Journal::open(&selected.paths.journal, author).is_err_and(|error| error.is_stuck())
}

/// A lock that cannot be written down is no reason to leave production broken; one that somebody holds is.
fn lock_or_go_on(lock: Result<DriverLock, Trouble>) -> Result<Option<DriverLock>, Trouble> {
    match lock {
        Ok(lock) => Ok(Some(lock)),
        Err(trouble) if trouble.exit == Exit::Locked => Err(trouble),
        Err(trouble) => {
            writeln!(io::stderr(), "warning: {}; the rollback goes on without the lock", trouble.message)?;
            Ok(None)
        }
    }
}

fn on_another_host(id: &str, holder: &Holder) -> Trouble {
    let Holder { pid, host, user, since, .. } = holder;
    let message = format!(
        "run {id} is driven by {user} on {host} (process {pid}) since {since}, which cannot be stopped from here. There:\n  hotfix rollback {id}"
    );
    Trouble::new(Exit::Locked, message)
}

fn already(id: &str, holder: &Holder) -> Trouble {
    let Holder { pid, host, user, since, .. } = holder;
    let message = format!(
        "run {id} is being rolled back already, by {user} on {host} (process {pid}) since {since}.\n  watch:  hotfix log {id} --follow"
    );
    Trouble::new(Exit::Locked, message)
}

/// Takes the lock from whoever holds it: asked by the journal to let go, killed where it does not.
fn take_over(session: &Session, id: &str) -> Result<DriverLock, Trouble> {
    let mut waited = Duration::ZERO;
    let mut killed = false;
    loop {
        let holder = match session.store.lock(&session.holder(id)) {
            Ok(lock) => return Ok(lock),
            Err(StoreError::Locked(holder)) => holder,
            Err(error) => return Err(Trouble::new(Exit::Error, whole(&error))),
        };
        if waited >= GRACE + GRACE {
            let who = holder.map(|holder| on_another_host(id, &holder));
            return Err(who.unwrap_or_else(|| Trouble::new(Exit::Locked, "the lock is held and nobody knows by whom")));
        }
        if waited >= GRACE && !killed {
            killed = true;
            if let Some(holder) = holder {
                kill(session, &holder)?;
            }
        }
        pause(POLL);
        waited += POLL;
    }
}

/// Kills the process that holds the lock, if it is still the one that took it.
fn kill(session: &Session, holder: &Holder) -> Result<(), Trouble> {
    if holder.life(&session.host) != Life::Alive {
        return Ok(());
    }
    writeln!(io::stderr(), "Process {} of {} does not let go; it is killed.", holder.pid, holder.user)?;
    let pid = i32::try_from(holder.pid).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It may end this moment by itself, which is as good.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    Ok(())
}

/// The log is broken: goes by the runbook, and by as much of the log as is good.
fn broken(selected: &Selected, arguments: &Arguments, session: &Session, damage: &str) -> Result<Exit, Trouble> {
    let mut err = io::stderr().lock();
    writeln!(err, "THE AUDIT LOG IS BROKEN: {damage}")?;
    writeln!(err, "The rollback goes by the frozen runbook; what it does is recorded beside the broken log.")?;
    let runbook = selected.runbook().map_or_else(
        || {
            let source = Source::Text { name: "builtin".to_owned(), text: BUILTIN_EN.to_owned() };
            load(&source, BUILTIN_EN).map(|loaded| loaded.runbook).map_err(|problems| problems.to_string())
        },
        Ok,
    );
    let runbook = runbook.map_err(|why| Trouble::new(Exit::Invalid, why))?;
    let records = &selected.contents.records;
    if records.is_empty() {
        drop(err);
        let nothing =
            Trouble::new(Exit::AuditFailed, "nothing of the log can be read: say where to go back to with --to TAG");
        return blind::rollback(arguments, session, &session.look, &nothing);
    }
    let engine = session.engine_without_journal(selected.paths.clone(), runbook, records)?;
    writeln!(err, "The commands that take production back:")?;
    for command in engine.commands_back() {
        writeln!(err, "  {command}")?;
    }
    drop(err);
    let retreat = Retreat { to: arguments.to.clone(), reason: arguments.reason.clone(), blind: true };
    block_on(engine.propose(retreat))?.map_err(|stop| trouble(&engine, stop))?;
    let _lock = lock_or_go_on(take_over(session, &selected.paths.id))?;
    drive(engine)
}
