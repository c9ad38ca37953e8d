//! The status file of a supervisor: what it did so far, a JSON object a line, under a lock it holds while it lives.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::output::head_of;
use super::{End, Error, How, failed};
use crate::clock::Timestamp;

/// One line of a status file. Times are milliseconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// The job was understood; from here on the process may have begun.
    Accepted {
        pid: u32,
        started: i64,
        output: PathBuf,
        /// How much of the output is kept, in bytes; all of it where there is none.
        #[serde(default)]
        limit: Option<u64>,
    },
    /// The process runs.
    Spawned { pgid: i32 },
    /// The process has ended.
    Ended {
        how: How,
        at: i64,
        output_lost: Option<String>,
        #[serde(default)]
        dropped: u64,
    },
}

/// Everything a status file says.
#[derive(Clone, Debug, Default)]
pub(super) struct Status {
    /// The supervisor.
    pub(super) pid: Option<u32>,
    /// When the job was accepted.
    pub(super) started: Option<Timestamp>,
    /// Where its output is.
    pub(super) output: PathBuf,
    /// How much of it is in its first file before there is another, in bytes.
    pub(super) head: u64,
    /// The group of the process.
    pub(super) pgid: Option<i32>,
    /// How it ended.
    pub(super) end: Option<End>,
}

/// Whether a supervisor lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Alive,
    Dead,
}

/// Makes the status file at `path` and takes its lock. It must not be there yet.
pub(super) fn create(path: &Path) -> Result<File, Error> {
    let made = File::options().append(true).create_new(true).mode(0o600).open(path);
    let file = made.map_err(failed("make", path))?;
    file.try_lock().map_err(io::Error::from).map_err(failed("lock", path))?;
    let dir = path.parent().unwrap_or(path);
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("sync", dir))?;
    Ok(file)
}

/// Adds `line`, durably.
pub(super) fn append(file: &mut File, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    file.write_all(&text)?;
    file.sync_data()
}

/// Whether somebody holds the lock of the status file `file`.
pub(super) fn life(file: &File) -> io::Result<Life> {
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| Life::Dead),
        Err(TryLockError::WouldBlock) => Ok(Life::Alive),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// What the status file at `path` says. A torn last line says nothing.
pub(super) fn read(path: &Path) -> Result<Status, Error> {
    let text = std::fs::read(path).map_err(failed("read", path))?;
    let mut status = Status::default();
    for line in text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
        let line = serde_json::from_slice(line);
        match line.map_err(|source| Error::Unreadable { what: path.display().to_string(), source })? {
            Line::Accepted { pid, started, output, limit } => {
                status.head = limit.map_or(u64::MAX, head_of);
                status.pid = Some(pid);
                status.started = Some(Timestamp::from_millis(started));
                status.output = output;
            }
            Line::Spawned { pgid } => status.pgid = Some(pgid),
            Line::Ended { how, at, output_lost, dropped } => {
                let ended = Timestamp::from_millis(at);
                let started = status.started.unwrap_or(ended);
                status.end = Some(End { how, started, ended, output_lost, dropped });
            }
        }
    }
    Ok(status)
}

/// Where somebody asks for the process of the status file at `path` to be stopped; holds who.
pub(super) fn stop_file(path: &Path) -> PathBuf {
    beside(path, ".stop")
}

/// The file beside `path` whose name is longer by `ending`.
#[must_use]
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
