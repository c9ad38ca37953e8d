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
use super::{Exit, Trouble};
use crate::clock::pause;
use crate::report::printable;
use crate::store::{DriverLock, Holder, Life, StoreError};

/// How long the other process may take to begin, or to let go.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether it has.
const POLL: Duration = Duration::from_millis(20);
/// How much of what it said is repeated, in bytes.
const TAIL: u64 = 4096;

/// Has the run at `dir` go on in a process of its own, which is this program with `arguments`.
pub(super) fn begin(session: &Session, (id, dir): (&str, &Path), arguments: &[&str]) -> Result<Exit, Trouble> {
    let path = dir.join("detached.log");
    let log = File::options().append(true).create(true).mode(0o600).open(&path);
    let log = log.map_err(|error| Trouble::new(Exit::Error, format!("{}: {error}", path.display())))?;
    let from = log.metadata()?.len();
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let mut child = command.spawn()?;
    let (began, pid) = (Instant::now(), child.id());
    while session.store.holder().is_none_or(|holder| holder.pid != pid || holder.run != id) {
        if let Some(status) = child.try_wait()? {
            let code = status.code().and_then(|code| u8::try_from(code).ok()).and_then(Exit::of);
            return Err(Trouble::new(code.unwrap_or(Exit::Error), said(&path, from)?));
        }
        if began.elapsed() > PATIENCE {
            let message = format!("process {pid} has not begun; what it says is in {}", path.display());
            return Err(Trouble::new(Exit::Error, message));
        }
        pause(POLL);
    }
    say(&format!(
        "Run {id} goes on without a terminal, as process {pid}. A question waits for you; a breach pauses the run."
    ));
    say("  look:       hotfix status --watch");
    say(&format!("  come back:  hotfix resume {id}"));
    say(&format!("  what it would show is in {}", path.display()));
    Ok(Exit::Success)
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
            Err(_) => return session.lock(id),
        }
    }
}
