//! The terminal in the hands of another program: an editor, a pager, a shell, a command that talks to the operator.
//!
//! # Why
//! A Ctrl-C in that program must not pause the run, so it has to be alone in the terminal's foreground. A shell with job
//! control does that without unsafe code, and takes the terminal back for us when the program ends. One that the program's
//! own Ctrl-Z stopped is brought back at once: there is nothing else here that could do it.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, getpgrp, kill_process_group};
use rustix::termios::tcgetpgrp;
use tokio::process::{Child, Command};

use super::Terminal;
use super::prompt::Session;
use super::tty::{Gone, Tty};
use crate::clock::{Clock, SystemClock};
use crate::operator::{self, Unanswered};
use crate::process::{How, Spec};

/// Runs `PROGRAM` in the foreground and ends as it did.
const FOREGROUND: &str = r#"
trap : HUP
set -m
(PROGRAM)
code=$?
while [ "$code" -gt 128 ] && [ "$(kill -l "$code")" = TSTP ]; do fg >/dev/null; code=$?; done
exit "$code"
"#;
/// How often an ending program is looked at, and how many times at most.
const LOOK: rustix::fs::Timespec = rustix::fs::Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
const LOOKS: usize = 40;
/// After so many of them it is killed.
const PATIENCE: usize = 20;

/// A program for the foreground.
pub(super) struct Program<'a> {
    /// What a shell is to run; its arguments are `$1` and so on.
    pub(super) script: &'a str,
    pub(super) args: &'a [&'a OsStr],
    pub(super) dir: Option<&'a Path>,
    pub(super) env: Given<'a>,
    pub(super) limit: Option<Limit>,
}

/// What a program is given of an environment.
#[derive(Clone, Copy)]
pub(super) enum Given<'a> {
    /// The operator's own, and this.
    Beside(&'a [(String, String)]),
    /// This alone.
    Alone(&'a [(String, String)]),
}

/// How long a program may take.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    /// Until it is asked to end.
    pub(super) timeout: Duration,
    /// Between that and less friendly ways.
    pub(super) grace: Duration,
}

impl Terminal {
    /// Hands the terminal over to a command of a step.
    pub(super) async fn lent(&self, command: &Spec) -> Result<How, Unanswered> {
        let (script, words) = match &command.program {
            crate::process::Program::Shell(text) => (r#"exec /bin/sh -c "$1""#, std::slice::from_ref(text)),
            crate::process::Program::Direct(words) => (r#"exec "$@""#, words.as_slice()),
        };
        if words.is_empty() {
            return Ok(How::NotStarted("an empty command".to_owned()));
        }
        let args: Vec<_> = words.iter().map(OsStr::new).collect();
        let limit = command.timeout.map(|timeout| Limit { timeout, grace: command.kill_grace });
        let (dir, env) = (Some(command.dir.as_path()), Given::Alone(&command.env));
        let mut session = Session::open(self).map_err(|Gone| Unanswered::Interrupted(operator::Signal::Hup))?;
        Ok(match session.hand_over(&Program { script, args: &args, dir, env, limit }).await {
            Ok(status) => How::of(status),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => How::TimedOut,
            Err(error) => How::NotStarted(format!("{}: {error}", command.dir.display())),
        })
    }
}

impl Session<'_> {
    /// Hands the terminal over to `program` until it ends. Dropping the future ends it.
    ///
    /// # Errors
    /// Where it cannot be started; [`io::ErrorKind::TimedOut`] where it took longer than it may, and was ended.
    pub(super) async fn hand_over(&mut self, program: &Program<'_>) -> io::Result<ExitStatus> {
        let terminal = self.terminal;
        let lent = terminal.canvas.lend();
        super::canvas::write("\x1b[?2004l");
        let cooked = terminal.tty.cooked();
        let ended = run(&terminal.tty, program).await;
        drop((cooked, lent));
        super::canvas::write("\x1b[?2004h\x1b[?25h");
        self.discard();
        ended
    }
}

async fn run(tty: &Tty, program: &Program<'_>) -> io::Result<ExitStatus> {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(FOREGROUND.replace("PROGRAM", program.script)).arg("sh").args(program.args);
    // What stdout leads to may be a file: it is not where a person looks.
    command.stdout(Stdio::from(io::stderr().as_fd().try_clone_to_owned()?));
    if let Some(dir) = program.dir {
        command.current_dir(dir);
    }
    match program.env {
        Given::Beside(pairs) => command.envs(pairs.iter().map(|(name, value)| (name, value))),
        Given::Alone(pairs) => command.env_clear().envs(pairs.iter().map(|(name, value)| (name, value))),
    };
    let mut leash = Leash { child: command.spawn()?, tty };
    let Some(limit) = program.limit else { return leash.child.wait().await };
    tokio::select! {
        ended = leash.child.wait() => return ended,
        () = SystemClock.sleep(limit.timeout) => {}
    }
    for signal in [Signal::INT, Signal::TERM, Signal::KILL] {
        leash.send(signal);
        tokio::select! {
            _ = leash.child.wait() => break,
            () = SystemClock.sleep(limit.grace) => {}
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Ends the program that is in the foreground, if it has not ended by itself.
struct Leash<'a> {
    child: Child,
    tty: &'a Tty,
}

impl Leash<'_> {
    /// Sends `signal` to whoever is in the foreground, unless that is this program or the shell between.
    fn send(&self, signal: Signal) {
        let shell = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let front = tcgetpgrp(self.tty.device()).ok();
        if let Some(front) = front.filter(|front| *front != getpgrp() && Some(*front) != shell) {
            let _ = kill_process_group(front, signal);
            let _ = kill_process_group(front, Signal::CONT);
        }
    }
}

impl Drop for Leash<'_> {
    fn drop(&mut self) {
        for look in 0..LOOKS {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            self.send(if look < PATIENCE { Signal::HUP } else { Signal::KILL });
            let _ = rustix::event::poll(&mut [], Some(&LOOK));
        }
    }
}
