//! A run that goes on without a terminal, and whoever comes back to it.
//!
//! # Why
//! An observation takes hours, and terminals do not last that long. `hotfix resume --detach` begins this program once more, in a
//! session of its own, with nobody to answer: what runs is waited for, what is watched is watched on, and a question waits for
//! somebody to come. Whoever takes the run up, or gives it up, has that process pause first.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::drive::Session;
use super::rollback::say;
use super::{Exit, Trouble, whole};
use crate::action::Action;
use crate::action::monitor::OnBreach;
use crate::clock::pause;
use crate::event::Event;
use crate::journal::read;
use crate::report::printable;
use crate::runbook::{Body, Runbook, Step};
use crate::store::{DriverLock, Holder, Life, RunPaths, StoreError};

/// How long the other process may take to begin, or to let go.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it has to go on before it is said that it does.
const MOMENT: Duration = Duration::from_secs(1);
/// How often it is looked whether it has.
const POLL: Duration = Duration::from_millis(20);
/// How much of what it said is repeated, in bytes.
const TAIL: u64 = 4096;

/// What a breach leads to where nobody is there, in a sentence.
pub(super) fn on_breach(runbook: &Runbook) -> String {
    let mut back = Vec::new();
    runbook.stages.iter().for_each(|stage| take_back(&stage.id, &stage.steps, &mut back));
    match back.as_slice() {
        [] => "A breach pauses the run.".to_owned(),
        steps => format!("A breach of {} takes production back, any other pauses the run.", steps.join(", ")),
    }
}

/// Adds the monitors among `steps`, which are in `within`, that take production back unasked.
fn take_back(within: &str, steps: &[Step], back: &mut Vec<String>) {
    for step in steps {
        let key = format!("{within}/{}", step.id);
        match &step.body {
            Body::Group(group) => take_back(&key, &group.steps, back),
            Body::Action(Action::Monitor(monitor)) if monitor.on_breach == OnBreach::Rollback => back.push(key),
            Body::Action(_) => {}
        }
    }
}

/// Has the run at `paths` go on in a process of its own, which is this program with `arguments`, and says so, with what a breach
/// leads to, once it goes on and has not ended within a moment.
pub(super) fn begin(
    session: &Session,
    paths: &RunPaths,
    (breach, arguments): (&str, &[&str]),
) -> Result<Exit, Trouble> {
    let (id, path) = (&paths.id, paths.dir.join("detached.log"));
    let log = File::options().append(true).create(true).mode(0o600).open(&path);
    let log = log.map_err(|error| Trouble::new(Exit::Error, format!("{}: {error}", path.display())))?;
    let from = log.metadata()?.len();
    let before = taken_up(paths)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let mut child = command.spawn()?;
    let (began, pid) = (Instant::now(), child.id());
    let mut goes_on: Option<Instant> = None;
    while goes_on.is_none_or(|since| since.elapsed() < MOMENT) {
        if let Some(status) = child.try_wait()? {
            let code = status.code().and_then(|code| u8::try_from(code).ok()).and_then(Exit::of);
            let message = format!("run {id} does not go on without a terminal:\n{}", said(&path, from)?.trim());
            return match code.unwrap_or(Exit::Error) {
                Exit::Success => {
                    say(said(&path, from)?.trim());
                    Ok(Exit::Success)
                }
                code => Err(Trouble::new(code, message)),
            };
        }
        let holds = || session.store.holder().is_some_and(|holder| holder.pid == pid && holder.run == *id);
        if goes_on.is_none() && holds() && taken_up(paths)? > before {
            goes_on = Some(Instant::now());
        }
        if goes_on.is_none() && began.elapsed() > PATIENCE {
            let message = format!("process {pid} has not begun; what it says is in {}", path.display());
            return Err(Trouble::new(Exit::Error, message));
        }
        pause(POLL);
    }
    say(&format!("Run {id} goes on without a terminal, as process {pid}. A question waits for you."));
    say(breach);
    say("  look:       hotfix status --watch");
    say(&format!("  come back:  hotfix resume {id}"));
    say(&format!("  what it would show is in {}", path.display()));
    Ok(Exit::Success)
}

/// How often the run was taken up again.
fn taken_up(paths: &RunPaths) -> Result<usize, Trouble> {
    let contents = read(&paths.journal).map_err(|error| Trouble::new(Exit::AuditFailed, whole(&error)))?;
    Ok(contents.records.iter().filter(|record| matches!(record.event, Event::RunResumed { .. })).count())
}

/// What was written to the file at `path` behind `from`.
fn said(path: &Path, from: u64) -> Result<String, Trouble> {
    let mut file = File::open(path)?;
    let end = file.metadata()?.len();
    file.seek(SeekFrom::Start(from.max(end.saturating_sub(TAIL))))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(printable(&String::from_utf8_lossy(&bytes)))
}

/// Takes the driver's lock for the run `id`. A process that goes on with it without a terminal has to pause for that.
pub(super) fn lock(session: &Session, id: &str) -> Result<DriverLock, Trouble> {
    let here = |holder: &Holder| holder.run == id && holder.detached && holder.life(&session.host) == Life::Alive;
    let holder = match session.store.lock(&session.holder(id)) {
        Ok(lock) => return Ok(lock),
        Err(StoreError::Locked(Some(holder))) if here(&holder) => holder,
        Err(_) => return session.lock(id),
    };
    let pid = i32::try_from(holder.pid).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        say(&format!("Process {} goes on with this run without a terminal; it pauses, and you take over.", holder.pid));
        // It may end this moment by itself, which is as good.
        let _ = kill_process(pid, Signal::TERM);
    }
    let began = Instant::now();
    loop {
        match session.store.lock(&session.holder(id)) {
            Ok(lock) => return Ok(lock),
            Err(StoreError::Locked(Some(other))) if here(&other) && began.elapsed() < PATIENCE => pause(POLL),
            Err(StoreError::Locked(Some(other))) if here(&other) => return Err(deaf(id, other.pid)),
            Err(_) => return session.lock(id),
        }
    }
}

/// What is said of a process that does not pause.
fn deaf(id: &str, pid: u32) -> Trouble {
    let message = format!(
        "process {pid} was asked to pause and does not react: it may be stopped, or stuck.\n  take production back:  hotfix rollback {id}\n  or end it, and go on:  kill -9 {pid}; hotfix resume {id}\nNothing on record is lost by that, and a command that it began runs on."
    );
    Trouble::new(Exit::Locked, message)
}
