//! Processes: how one is started, watched, stopped, and how it ended.
//!
//! There are two ways. [`run_captured`] is for small ones whose output fits in memory and which nobody misses when this
//! program dies: git, probes, questions. A step's script is [`start`]ed under a supervisor, which is this program
//! again in a session of its own; the script outlives the terminal and whoever started it, and [`attach`] finds it.
//! Both come down to one loop, in `drive`. A command that talks to the operator is [`lend`]ed the terminal: nothing of that
//! terminal would be left to it without this program, so it ends with it.
//!
//! # Why
//! Files and locks only: the supervisor is alive as long as it holds the lock on its status file. Process ids are used
//! again, in containers all the time, so no id found on disk is ever taken for proof or sent a signal.
//!
//! A process gets a group of its own, and what is stopped is the group: a shell's background jobs ignore `INT` and
//! survive their shell. A process that leaves the group (`setsid`) is on its own, and a script that ended by itself may
//! leave others behind: they are not killed, but nobody reads what they write.

mod captured;
mod drive;
mod group;
mod guest;
mod identity;
mod lent;
mod line;
mod output;
mod pseudo;
mod reader;
mod record;
mod running;
mod size;
mod status;
mod streamed;
mod supervisor;

use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use captured::{Captured, run_captured};
pub use group::group_lives;
pub use guest::take_terminal;
pub use identity::started;
pub use lent::{Left, Loan, lend};
pub use reader::{Piece, Reader, Times, files, not_kept};
pub use running::{Found, Progress, Running, attach, began, begun_alone, find, look, start};
pub use size::Limit;
pub use status::beside;
pub use streamed::{Stream, run_streamed};
pub use supervisor::supervise;

use crate::clock::Timestamp;

/// The first argument that makes this program a supervisor.
pub const SUPERVISE: &str = "supervise";

/// The first argument that makes this program take its standard input for its terminal and become another one.
pub const TAKE_TERMINAL: &str = "take-terminal";
/// The most that is kept of a standard output by itself, in bytes: a little more than a variable may have.
pub const STDOUT_LIMIT: usize = 1024 * 1024 + 4096;

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// A text for `/bin/sh -c`.
    Shell(String),
    /// A program and its arguments, without a shell.
    Direct(Vec<String>),
}

/// A process to be: what it is, where, and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// What is run.
    pub program: Program,
    /// The directory it is run in.
    pub dir: PathBuf,
    /// Its whole environment; nothing is inherited.
    pub env: Vec<(String, String)>,
    /// How long it may take; no limit where there is none.
    pub timeout: Option<Duration>,
    /// How long it may be silent; no limit where there is none.
    pub inactivity_timeout: Option<Duration>,
    /// The time between `INT` and `TERM`, and between `TERM` and `KILL`.
    pub kill_grace: Duration,
    /// Whether it finds a terminal where it reads and writes, of 24 lines and 80 columns; all it writes is then standard
    /// output. Nobody types there.
    pub tty: bool,
}

impl Spec {
    /// `program` in `dir`, with nothing in its environment, no limits and a grace of five seconds.
    #[must_use]
    pub fn new(program: Program, dir: impl Into<PathBuf>) -> Self {
        Self {
            program,
            dir: dir.into(),
            env: Vec::new(),
            timeout: None,
            inactivity_timeout: None,
            kill_grace: Duration::from_secs(5),
            tty: false,
        }
    }
}

/// A process to be run under a supervisor.
#[derive(Clone, Serialize, Deserialize)]
pub struct Job {
    /// The process.
    pub spec: Spec,
    /// Values that never reach the disk.
    pub secrets: Vec<String>,
    /// Where its output goes, standard output and standard error in one.
    pub output: PathBuf,
    /// How much of it is kept: the first half, and the last. What is between goes.
    pub limit: Limit,
    /// Where its standard output goes as well, by itself, where somebody wants it: [`STDOUT_LIMIT`] of it.
    pub stdout: Option<PathBuf>,
    /// Where the supervisor says how it stands. Must not exist yet: a job is run once.
    pub status: PathBuf,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal, which was not ours.
    Signalled(i32),
    /// It took longer than its timeout and was stopped.
    TimedOut,
    /// It was silent for longer than its inactivity timeout and was stopped.
    Inactive,
    /// It was stopped, by whom this says.
    Stopped(String),
    /// It could not be started, for this reason.
    NotStarted(String),
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit code {code}"),
            Self::Signalled(signal) => write!(f, "signal {signal}"),
            Self::TimedOut => f.write_str("stopped, it took too long"),
            Self::Inactive => f.write_str("stopped, it was silent for too long"),
            Self::Stopped(who) => write!(f, "stopped by {who}"),
            Self::NotStarted(why) => write!(f, "it could not be started: {why}"),
        }
    }
}

impl How {
    /// How the process with this status ended by itself.
    #[must_use]
    pub fn of(status: ExitStatus) -> Self {
        status.code().map_or_else(|| Self::Signalled(status.signal().unwrap_or_default()), Self::Exited)
    }

    /// Whether it did what it was for: exit code zero.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        *self == Self::Exited(0)
    }
}

/// How a supervised process ended, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// How.
    pub how: How,
    /// When it began.
    pub started: Timestamp,
    /// When it was over.
    pub ended: Timestamp,
    /// Why the output is not all there, where it is not (a full disk).
    pub output_lost: Option<String>,
    /// How many bytes of the output were not kept, because they were more than may be.
    pub dropped: u64,
}

/// What went wrong with running a process, other than the process itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused something.
    #[error("cannot {doing}")]
    Io {
        /// What was to be done.
        doing: String,
        /// Why it was not.
        #[source]
        source: io::Error,
    },
    /// A file or a message is not what it must be.
    #[error("cannot read {what}")]
    Unreadable {
        /// What is not readable.
        what: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The supervisor ended before it ran anything.
    #[error("the supervisor did not start: {0}")]
    Supervisor(String),
    /// The secrets cannot be searched for.
    #[error("cannot mask the secrets")]
    Secrets(#[from] aho_corasick::BuildError),
}

/// An [`Error::Io`] about doing something with the file at `path`.
fn failed(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let doing = format!("{doing} {}", path.display());
    move |source| Error::Io { doing, source }
}
