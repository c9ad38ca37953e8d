//! The side of whoever starts a supervised process, or finds one.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::reader::{Piece, Reader};
use super::status::{self, Life, Status};
use super::{End, Error, Job, SUPERVISE, failed};
use crate::clock::{Clock, SystemClock, Timestamp};

/// How often new output is looked for.
const POLL: Duration = Duration::from_millis(20);
/// How long a supervisor may take to take its job.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much output is given at once, in bytes.
const CHUNK: usize = 64 * 1024;
/// How far behind whoever looks on may be, in bytes, before what is between is passed over.
const BEHIND: u64 = 2 * 1024 * 1024;
/// How long a process that writes faster than anybody looks is left alone after each glance at its output.
const BREATH: Duration = Duration::from_millis(250);

/// How the output is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// All of it, as it comes.
    Even,
    /// Some was passed over, and a piece is given next.
    Skipped,
    /// It was given.
    Shown,
}

/// Starts `job` under a supervisor, which is the program `exe` (this one, or a test's), and returns when it runs.
///
/// # Errors
/// Where the job is there already, or its files cannot be written. Nothing was run then. A command that cannot be
/// started is not an error: it ends as [`super::How::NotStarted`].
pub async fn start(job: &Job, exe: &Path) -> Result<Running, Error> {
    let text =
        serde_json::to_vec(job).map_err(|source| Error::Unreadable { what: "the job's paths".to_owned(), source })?;
    let lock = status::create(&job.status)?;
    let mut command = Command::new(exe);
    command.arg(SUPERVISE).env_clear().stdin(Stdio::piped()).stdout(lock).stderr(Stdio::piped());
    let mut supervisor = command.spawn().map_err(failed("run", exe))?;
    // The lock is the supervisor's alone from here on: the command holds another descriptor of it.
    drop(command);
    // One that is gone has not heard it all, and says so below, where it can.
    let given = match supervisor.stdin.take() {
        Some(mut stdin) => stdin.write_all(&text).await,
        None => Ok(()),
    };
    let mut said = String::new();
    if let Some(mut stderr) = supervisor.stderr.take() {
        let heard = stderr.read_to_string(&mut said).await;
        heard.map_err(|source| Error::Io { doing: "hear the supervisor".to_owned(), source })?;
    }
    let status = status::read(&job.status)?;
    if status.started.is_none() {
        let why = match (said.trim(), given) {
            ("", Err(error)) => format!("it did not hear its job: {error}"),
            ("", Ok(())) => "it ended without a word".to_owned(),
            (said, _) => said.to_owned(),
        };
        return Err(Error::Supervisor(why));
    }
    Running::open(&job.status, status, 0, Some(supervisor))
}

/// What became of a process that was started earlier.
#[derive(Debug)]
pub enum Found {
    /// It has ended, and this is how.
    Finished(End),
    /// It runs.
    Running(Box<Running>),
    /// Its supervisor is dead and nobody knows how it ended, or whether it did.
    Lost {
        /// The process group it had, for a person to look at.
        pgid: Option<i32>,
    },
    /// Its supervisor is dead, and it was never begun.
    NeverBegan,
}

/// Finds the process whose status file is at `status`; where it runs, its output is given from byte `from` on.
///
/// A supervisor that lives and has not taken its job yet is waited for: whoever started it may have died behind the last
/// word of the job, and then it is about to begin, or in the middle of it, and then it never will.
///
/// # Errors
/// Where the status file is not there or cannot be read, or the supervisor does not take its job in time.
pub async fn attach(status: &Path, from: u64) -> Result<Found, Error> {
    let mut waited = Duration::ZERO;
    loop {
        match look(status, from)? {
            Some(found) => return Ok(found),
            None if waited < PATIENCE => {
                SystemClock.sleep(POLL).await;
                waited += POLL;
            }
            None => {
                return Err(Error::Supervisor(format!(
                    "it lives and has not taken its job within {} s ({})",
                    PATIENCE.as_secs(),
                    status.display()
                )));
            }
        }
    }
}

/// As [`attach`], at once: `None` where a supervisor lives that has not taken its job yet.
///
/// # Errors
/// Where the status file is not there or cannot be read.
pub fn look(status: &Path, from: u64) -> Result<Option<Found>, Error> {
    let file = File::open(status).map_err(failed("open", status))?;
    // Life before content: a supervisor that is found dead has written all it ever will.
    let life = status::life(&file).map_err(failed("look at the lock of", status))?;
    let said = status::read(status)?;
    Ok(match (said.end.clone(), life) {
        (Some(end), _) => Some(Found::Finished(end)),
        (None, Life::Alive) if said.started.is_none() => None,
        (None, Life::Alive) => Some(Found::Running(Box::new(Running::open(status, said, from, None)?))),
        (None, Life::Dead) if said.started.is_none() => Some(Found::NeverBegan),
        (None, Life::Dead) => Some(Found::Lost { pgid: said.pgid }),
    })
}

/// As [`attach`]; nothing where no process was ever to be started there.
///
/// # Errors
/// As [`attach`].
pub async fn find(status: &Path, from: u64) -> Result<Option<Found>, Error> {
    if status.exists() { attach(status, from).await.map(Some) } else { Ok(None) }
}

/// Says in the status file at `status` that the command was begun without a supervisor, by this process itself: where it dies
/// before the end, whoever looks there knows that the command may have run.
///
/// # Errors
/// Where it cannot be written down.
pub fn begun_alone(status: &Path, output: &Path) -> Result<(), Error> {
    let made = File::options().write(true).create(true).truncate(true).mode(0o600).open(status);
    let (pid, started) = (std::process::id(), SystemClock.now().millis());
    let line = status::Line::Accepted { pid, started, output: output.to_owned(), limit: None };
    made.and_then(|mut file| status::append(&mut file, &line)).map_err(failed("write", status))
}

/// What is new about a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It wrote this; masked, and cut anywhere.
    Output(Vec<u8>),
    /// It wrote so many bytes that were not kept.
    Dropped(u64),
    /// It wrote so many bytes that are passed over, because whoever looks on is too far behind. They may have been kept.
    Skipped(u64),
    /// It has ended.
    Ended(End),
    /// Its supervisor has died, and nobody knows how it ended, or whether it did.
    Lost {
        /// The process group it had, for a person to look at.
        pgid: Option<i32>,
    },
}

/// A process under a supervisor. Dropping this leaves it running.
#[derive(Debug)]
pub struct Running {
    status: PathBuf,
    lock: File,
    output: Reader,
    pace: Pace,
    said: Status,
    /// The supervisor, where this process started it.
    supervisor: Option<Child>,
    life: Life,
}

impl Running {
    fn open(status: &Path, said: Status, offset: u64, supervisor: Option<Child>) -> Result<Self, Error> {
        let lock = File::open(status).map_err(failed("open", status))?;
        let output = Reader::open(&said.output, offset).with_head(said.head);
        Ok(Self { status: status.to_owned(), lock, output, pace: Pace::Even, said, supervisor, life: Life::Alive })
    }

    /// The next output, or the end. After the end it says the same again.
    ///
    /// # Errors
    /// Where the output or the status file cannot be read.
    pub async fn next(&mut self) -> Result<Progress, Error> {
        loop {
            if self.pace == Pace::Shown {
                self.wait(BREATH).await.map_err(failed("watch", &self.status))?;
                self.pace = Pace::Even;
            }
            if let Some(progress) = self.output().map_err(failed("read", &self.said.output))? {
                return Ok(progress);
            }
            if self.life == Life::Dead {
                self.said = status::read(&self.status)?;
                return Ok(match self.said.end.clone() {
                    Some(end) => Progress::Ended(end),
                    None => Progress::Lost { pgid: self.said.pgid },
                });
            }
            self.wait(POLL).await.map_err(failed("watch", &self.status))?;
        }
    }

    /// Asks the supervisor to stop the process, in the name of `who`. What comes of it is for [`Self::next`] to say.
    ///
    /// # Errors
    /// Where the wish cannot be written down.
    pub fn stop(&self, who: &str) -> Result<(), Error> {
        let path = status::stop_file(&self.status);
        let draft = status::beside(&path, ".draft");
        let written = File::options().write(true).create(true).truncate(true).mode(0o600).open(&draft);
        let written = written.and_then(|file| file.write_all_at(who.as_bytes(), 0));
        let written = written.and_then(|()| std::fs::rename(&draft, &path)).map_err(failed("write", &path));
        // On a full disk the wish goes by signal: the supervisor holds its lock, so the process of that id is it.
        let pid = self.said.pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        match (written, pid) {
            (Err(error), Some(pid)) if status::life(&self.lock).is_ok_and(|life| life == Life::Alive) => {
                kill_process(pid, Signal::TERM).map_err(|_| error)
            }
            (written, _) => written,
        }
    }

    /// How many bytes of output were given so far, from its beginning.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.output.offset()
    }

    /// When the process began.
    #[must_use]
    pub fn started(&self) -> Option<Timestamp> {
        self.said.started
    }

    /// The process group, for a person to look at.
    #[must_use]
    pub fn pgid(&self) -> Option<i32> {
        self.said.pgid
    }

    /// Waits for `long`, or for the supervisor's end.
    async fn wait(&mut self, long: Duration) -> io::Result<()> {
        if self.life == Life::Dead {
            return Ok(());
        }
        let Some(supervisor) = &mut self.supervisor else {
            SystemClock.sleep(long).await;
            self.life = status::life(&self.lock)?;
            return Ok(());
        };
        tokio::select! {
            ended = supervisor.wait() => {
                ended?;
                self.life = Life::Dead;
            }
            () = SystemClock.sleep(long) => {}
        }
        Ok(())
    }

    /// What is new of the output.
    fn output(&mut self) -> io::Result<Option<Progress>> {
        let mut bytes = vec![0; CHUNK];
        let n = match self.output.read(&mut bytes)? {
            Piece::Bytes(n) => n,
            Piece::Dropped(bytes) => return Ok(Some(Progress::Dropped(bytes))),
            Piece::End => return Ok(None),
        };
        bytes.truncate(n);
        if self.pace == Pace::Skipped {
            self.pace = Pace::Shown;
        } else if n == CHUNK
            && let Some(skipped) = self.skip()?
        {
            return Ok(Some(Progress::Skipped(skipped)));
        }
        Ok(Some(Progress::Output(bytes)))
    }

    /// Passes over what is too far behind to be shown, and tells how much that is.
    fn skip(&mut self) -> io::Result<Option<u64>> {
        let at = self.output.offset().saturating_sub(CHUNK as u64);
        let end = self.output.end()?;
        if end.saturating_sub(at) <= BEHIND {
            return Ok(None);
        }
        let to = self.output.line_start(end.saturating_sub(CHUNK as u64))?;
        self.output.seek(to);
        self.pace = Pace::Skipped;
        Ok(Some(to.saturating_sub(at)))
    }
}

/// When the process whose status file is at `status` began; `None` where it did not.
///
/// # Errors
/// Where the status file is not there or cannot be read.
pub fn began(status: &Path) -> Result<Option<Timestamp>, Error> {
    status::read(status).map(|said| said.started)
}
