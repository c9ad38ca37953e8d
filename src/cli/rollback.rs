//! `hotfix rollback`: from any terminal, at any stage.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use super::console::Look;
use super::drive::{Session, block_on, drive, trouble};
use super::select::{Otherwise, Selected, select, touched};
use super::{Exit, Trouble, blind, whole};
use crate::clock::pause;
use crate::engine::{Engine, Retreat};
use crate::event::Event;
use crate::run::Phase;
use crate::runbook::Runbook;
use crate::store::{DriverLock, Holder, Life, StoreError};

/// How long another process is given to let go by itself.
const GRACE: Duration = Duration::from_secs(3);
/// How often it is looked whether it has.
const POLL: Duration = Duration::from_millis(20);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run; by default the active one, else the latest that touched production
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
    // A script may know more versions than there are tags here.
    if let Some(to) = &arguments.to {
        super::plan::warn_of_tag(&session.repository, to);
    }
    let selected = match selected(&session, arguments.run.as_deref()) {
        Ok(selected) => selected,
        Err(nothing) if nothing.exit == Exit::Nothing && arguments.run.is_none() => {
            return blind::rollback(arguments, &session, None, &nothing);
        }
        // What was written of any run cannot be read.
        Err(unreadable) if unreadable.exit == Exit::Error && arguments.to.is_some() => {
            say(&unreadable.message);
            return blind::rollback(arguments, &session, None, &unreadable);
        }
        Err(other) => return Err(other),
    };
    let id = selected.paths.id.clone();
    if matches!(selected.phase(), Phase::Declined) {
        let message = format!("run {id} ended before anything began: there is nothing to roll back");
        return Err(Trouble::new(Exit::Nothing, message));
    }
    let runbook = selected.runbook();
    let over = !matches!(selected.phase(), Phase::Forward | Phase::Back);
    let untouched = runbook.as_ref().is_some_and(|runbook| !selected.run(Some(runbook)).touched_production());
    if over && untouched && selected.damage.is_none() && arguments.to.is_some() && arguments.run.is_none() {
        let nothing = Trouble::new(Exit::Nothing, "no run here has touched production");
        return blind::rollback(arguments, &session, None, &nothing);
    }
    let (Some(runbook), None) = (runbook, selected.damage.clone()) else {
        let damage = selected.damage.clone().unwrap_or_else(|| "the run's runbook cannot be read".to_owned());
        return broken(&selected, arguments, &session, &damage);
    };
    let lock = held(&session, &id)?;
    back(&selected, runbook, arguments, (&session, lock))
}

/// The run that is named or active; else the latest that touched production, and has not been brought back since.
fn selected(session: &Session, named: Option<&str>) -> Result<Selected, Trouble> {
    let latest = select(&session.store, named, Otherwise::Latest)?;
    if named.is_some() || matches!(latest.phase(), Phase::Forward | Phase::Back) || latest.damage.is_some() {
        return Ok(latest);
    }
    let runs = super::select::runs(&session.store)?.into_iter().rev().map(Selected::open);
    let in_production = |run: &Selected| {
        run.phase() != Phase::RolledBack && run.runbook().is_some_and(|runbook| touched(run, &runbook))
    };
    Ok(runs.into_iter().find(in_production).unwrap_or(latest))
}

/// The driver's lock where nobody holds it; nothing where a process of this machine does.
fn held(session: &Session, id: &str) -> Result<Option<DriverLock>, Trouble> {
    let holder = match session.store.lock(&session.holder(id)) {
        Ok(lock) => return Ok(Some(lock)),
        Err(StoreError::Locked(holder)) => holder,
        // That it cannot be written down is said when it is to be taken.
        Err(_) => return Ok(None),
    };
    match holder {
        Some(holder) if holder.run != id => {
            let Holder { run, user, host, pid, .. } = holder;
            let message = format!(
                "run {run} is being driven by {user} on {host} (process {pid}); it comes first:\n  hotfix rollback {run}\n  or pause it there, and roll back {id} then"
            );
            Err(Trouble::new(Exit::Locked, message))
        }
        Some(holder) if holder.life(&session.host) == Life::Elsewhere => Err(on_another_host(id, &holder)),
        _ => Ok(None),
    }
}

/// Asks, lets the log say it, takes over, and goes back.
fn back(
    selected: &Selected,
    runbook: Runbook,
    arguments: &Arguments,
    (session, lock): (&Session, Option<DriverLock>),
) -> Result<Exit, Trouble> {
    let id = selected.paths.id.as_str();
    let retreat = Retreat { to: arguments.to.clone(), reason: arguments.reason.clone(), blind: false };
    // The question needs no journal: one that is stuck or cannot be written must not keep it from being asked.
    let asking = session.engine_without_journal(selected.paths.clone(), runbook.clone(), &selected.contents.records)?;
    let under_way = asking.going_back_to();
    if let (Some(to), Some(lock)) = (&under_way, lock)
        && arguments.to.as_ref().is_none_or(|wanted| wanted == to)
    {
        return go_on(selected, runbook, (session, lock), &retreat);
    }
    let consent = block_on(asking.consent(&retreat))?.map_err(|stop| trouble(&asking, stop))?;
    drop(asking);
    let mut lock = None;
    let engine = if let Ok(engine) = session.engine(selected.paths.clone(), runbook.clone()) {
        engine
    } else {
        // Whoever was stopped in the middle of an append lets go of the journal when it is gone.
        lock = lock_or_go_on(take_over(session, id))?;
        session.engine(selected.paths.clone(), runbook.clone()).or_else(|trouble| {
            say(&format!("THE AUDIT LOG CANNOT BE USED: {}", trouble.message));
            say("What is done is recorded beside it.");
            session.engine_without_journal(selected.paths.clone(), runbook, &selected.contents.records)
        })?
    };
    begin(&engine, consent, retreat)?;
    let _lock = match lock {
        Some(lock) => Some(lock),
        None => lock_or_go_on(take_over(session, id))?,
    };
    drive(engine)
}

fn begin(engine: &Engine, consent: Event, retreat: Retreat) -> Result<(), Trouble> {
    engine.begin_rollback(consent, retreat).map_err(|stop| trouble(engine, stop))
}

/// Goes on with a rollback that was interrupted.
fn go_on(
    selected: &Selected,
    runbook: Runbook,
    (session, lock): (&Session, DriverLock),
    retreat: &Retreat,
) -> Result<Exit, Trouble> {
    let engine = session.engine(selected.paths.clone(), runbook.clone()).or_else(|trouble| {
        say(&format!("THE AUDIT LOG CANNOT BE USED: {}", trouble.message));
        session.engine_without_journal(selected.paths.clone(), runbook, &selected.contents.records)
    })?;
    block_on(engine.resume())?.map_err(|stop| trouble(&engine, stop))?;
    if let Some(reason) = &retreat.reason {
        engine.note(reason).map_err(|stop| trouble(&engine, stop))?;
    }
    let ended = drive(engine);
    drop(lock);
    ended
}

/// Says something, where there is anybody to hear it.
pub(super) fn say(line: &str) {
    // A rollback goes on where nobody can be told.
    let _ = writeln!(super::said::stderr(), "{line}");
}

/// A lock that cannot be written down is no reason to leave production broken; one that somebody holds is.
pub(super) fn lock_or_go_on(lock: Result<DriverLock, Trouble>) -> Result<Option<DriverLock>, Trouble> {
    match lock {
        Ok(lock) => Ok(Some(lock)),
        Err(trouble) if trouble.exit == Exit::Locked => Err(trouble),
        Err(trouble) => {
            say(&format!("warning: {}; the rollback goes on without the lock", trouble.message));
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

/// Takes the lock from whoever holds it: asked by the journal to let go, killed where it does not.
fn take_over(session: &Session, id: &str) -> Result<DriverLock, Trouble> {
    let began = Instant::now();
    let mut killed = false;
    loop {
        let holder = match session.store.lock(&session.holder(id)) {
            Ok(lock) => return Ok(lock),
            Err(StoreError::Locked(holder)) => holder,
            Err(error) => return Err(Trouble::new(Exit::Error, whole(&error))),
        };
        let waited = began.elapsed();
        if waited >= GRACE + GRACE {
            let who = holder.map(|holder| on_another_host(id, &holder));
            return Err(who.unwrap_or_else(|| held_by_unknown(session)));
        }
        if waited >= GRACE && !killed {
            killed = true;
            if let Some(holder) = holder.filter(|holder| holder.run == id) {
                kill(session, &holder);
            }
        }
        pause(POLL);
    }
}

fn held_by_unknown(session: &Session) -> Trouble {
    let path = session.store.lock_path();
    let message = format!(
        "another process holds the lock and could not say who it is; `fuser {}` shows its id. Once it has ended, go on here",
        path.display()
    );
    Trouble::new(Exit::Locked, message)
}

/// Kills the process that holds the lock, if it is still the one that took it.
fn kill(session: &Session, holder: &Holder) {
    if holder.life(&session.host) != Life::Alive {
        return;
    }
    say(&format!("Process {} of {} does not let go; it is killed.", holder.pid, holder.user));
    let pid = i32::try_from(holder.pid).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It may end this moment by itself, which is as good.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// The log is broken: goes by the frozen runbook, and by as much of the log as is good.
fn broken(selected: &Selected, arguments: &Arguments, session: &Session, damage: &str) -> Result<Exit, Trouble> {
    say(&format!("THE AUDIT LOG IS BROKEN: {damage}"));
    say("The rollback goes by the frozen runbook; what it does is recorded beside the broken log.");
    // A record that the next one contradicts may be the one that was changed.
    let contradicted = usize::from(damage.contains("is not the SHA-256 of the line before"));
    let good = selected.contents.records.len().saturating_sub(contradicted);
    let records = &selected.contents.records[..good];
    let (Some(runbook), false) = (selected.runbook(), records.is_empty()) else {
        let message = "nothing of the log can be read: say where to go back to with --to TAG";
        let nothing = Trouble::new(Exit::AuditFailed, message);
        return blind::rollback(arguments, session, selected.frozen(), &nothing);
    };
    let engine = session.engine_without_journal(selected.paths.clone(), runbook, records)?;
    let retreat = Retreat { to: arguments.to.clone(), reason: arguments.reason.clone(), blind: true };
    say("The commands that take production back:");
    engine.commands_back(&retreat).iter().for_each(|command| say(&format!("  {command}")));
    let consent = block_on(engine.consent(&retreat))?.map_err(|stop| trouble(&engine, stop))?;
    begin(&engine, consent, retreat)?;
    let _lock = lock_or_go_on(take_over(session, &selected.paths.id))?;
    drive(engine)
}
