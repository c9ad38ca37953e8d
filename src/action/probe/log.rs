//! What counts in a log: a file, or the output of a command that follows one.

use std::cell::RefCell;
use std::future::pending;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use super::file::LogFile;
use super::lines::Lines;
use crate::action::monitor::Log;
use crate::action::run::{given, spec};
use crate::action::{Context, Stop};
use crate::clock::{Clock, LocalFuture, SystemClock, Timestamp};
use crate::gate::Facts;
use crate::process::{self, Spec, Stream};

/// How often a file is looked at: what is cut without a copy is lost from the last look on.
const LOOK: Duration = Duration::from_secs(1);
/// How much is kept of what a command said of itself, in bytes.
const SAID: usize = 400;

/// Follows a log.
pub(super) enum Follower {
    /// A file, looked at by another thread: one on a network may not answer.
    File(Look),
    /// A command that goes on writing.
    Command(Box<Command>),
}

/// A file that is looked at, or was.
pub(super) enum Look {
    Idle(Box<LogFile>),
    Busy(JoinHandle<Box<LogFile>>),
    /// Its thread failed, as it says.
    Gone(String),
}

/// A command that is followed.
pub(super) struct Command {
    spec: Spec,
    heard: Rc<RefCell<Heard>>,
    running: Option<LocalFuture<'static, String>>,
    ended: Option<String>,
}

/// What a command wrote.
struct Heard {
    lines: Lines,
    count: u64,
    said: Vec<u8>,
}

impl Follower {
    /// A follower that has not begun.
    pub(super) fn new(log: &Log, ctx: &Context<'_>) -> Result<Self, String> {
        let lines = Lines::with(&log.contains.render(ctx.values)?);
        if let Some(path) = &log.path {
            // As a command of this step would find it.
            let path = ctx.place.dir.join(PathBuf::from(path.render(ctx.values)?));
            return Ok(Self::File(Look::Idle(Box::new(LogFile::new(path, lines)))));
        }
        let Some(command) = &log.run else { return Err("a log has a `path`, or a command to `run`".to_owned()) };
        let mut spec = spec(command, ctx, given(ctx)).map_err(|stop| match stop {
            Stop::Failed(failure) => failure.message,
            other => format!("{other:?}"),
        })?;
        spec.env.retain(|(name, _)| name != "HOTFIX_OUTPUT");
        (spec.tty, spec.timeout, spec.inactivity_timeout) = (false, None, None);
        let heard = Rc::new(RefCell::new(Heard { lines, count: 0, said: Vec::new() }));
        Ok(Self::Command(Box::new(Command { spec, heard, running: None, ended: None })))
    }

    /// Follows the log until `due`.
    pub(super) async fn follow(&mut self, due: Timestamp, clock: &dyn Clock) {
        loop {
            let left = due.since(clock.now());
            match self {
                Self::File(_) => {
                    clock.sleep(left.min(LOOK)).await;
                    if left <= LOOK {
                        return;
                    }
                    // A look that hangs is waited for again at the next count, which has a deadline.
                    let look = self.look(clock.now());
                    tokio::select! { biased; () = look => {}, () = SystemClock.sleep(LOOK) => {} }
                }
                Self::Command(command) => {
                    tokio::select! { biased; () = command.hear() => {}, () = clock.sleep(left) => {} }
                    return;
                }
            }
        }
    }

    /// Takes in what is new. The first look at a file finds its end, that at a command begins it.
    pub(super) async fn look(&mut self, now: Timestamp) {
        match self {
            Self::File(look) => look.look(now).await,
            Self::Command(command) => command.begin(),
        }
    }

    /// How many lines counted since this was last asked.
    pub(super) async fn count(&mut self, now: Timestamp) -> Result<Facts, String> {
        self.look(now).await;
        let count = match self {
            Self::File(Look::Idle(file)) => file.take(now)?,
            Self::File(Look::Busy(_)) => return Err("the file does not answer".to_owned()),
            Self::File(Look::Gone(why)) => return Err(why.clone()),
            Self::Command(command) => command.take()?,
        };
        Ok(vec![("count", count.into())])
    }
}

impl Follower {
    /// The latest lines that counted since this was last asked.
    pub(super) fn latest(&mut self) -> Vec<String> {
        match self {
            Self::File(Look::Idle(file)) => file.latest(),
            Self::File(_) => Vec::new(),
            Self::Command(command) => command.heard.borrow_mut().lines.latest(),
        }
    }
}

impl Look {
    async fn look(&mut self, now: Timestamp) {
        *self = match std::mem::replace(self, Self::Gone(String::new())) {
            Self::Idle(mut file) => Self::Busy(spawn_blocking(move || {
                file.look(now);
                file
            })),
            other => other,
        };
        if let Self::Busy(handle) = self {
            *self = match handle.await {
                Ok(file) => Self::Idle(file),
                Err(error) => Self::Gone(said(&error)),
            };
        }
    }
}

fn said(error: &JoinError) -> String {
    format!("it cannot be looked at: {error}")
}

impl Command {
    /// Begins the command where it does not run.
    fn begin(&mut self) {
        if self.running.is_some() {
            return;
        }
        let (spec, heard) = (self.spec.clone(), Rc::clone(&self.heard));
        self.running = Some(Box::pin(async move {
            let hear = |source: Stream, bytes: &[u8]| {
                let mut heard = heard.borrow_mut();
                match source {
                    Stream::Stdout => {
                        let count = heard.lines.push(bytes);
                        heard.count += count;
                    }
                    Stream::Stderr => {
                        heard.said.extend_from_slice(bytes);
                        let over = heard.said.len().saturating_sub(SAID);
                        heard.said.drain(..over);
                    }
                }
            };
            match process::run_streamed(&spec, hear).await {
                Ok(how) => how.to_string(),
                Err(error) => error.to_string(),
            }
        }));
    }

    /// Hears the command until it ends, and then nothing: whether it did is asked at the next count.
    async fn hear(&mut self) {
        if let Some(running) = &mut self.running {
            let how = running.await;
            self.running = None;
            let mut heard = self.heard.borrow_mut();
            let count = heard.lines.end();
            heard.count += count;
            let said = String::from_utf8_lossy(&std::mem::take(&mut heard.said)).trim().to_owned();
            self.ended =
                Some(format!("what follows the log ended: {how}{}{said}", if said.is_empty() { "" } else { ": " }));
        }
        pending::<()>().await;
    }

    /// What it wrote, or that it ended. Then it is begun again, and what it wrote counts the next time.
    fn take(&mut self) -> Result<u64, String> {
        self.begin();
        match self.ended.take() {
            Some(ended) => Err(ended),
            None => Ok(std::mem::take(&mut self.heard.borrow_mut().count)),
        }
    }
}
