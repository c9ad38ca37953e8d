//! A command on a pseudo-terminal of its own, which is its controlling terminal.
//!
//! # Why
//! Only a process itself can begin a session and take a terminal for its own. So this program is started again, does both,
//! and becomes the command: no unsafe code between, and none of the command's signals are anybody else's. Nobody could bring
//! back what Ctrl-Z stops in such a session; the system knows that and stops nothing there (POSIX, 2.4.3: an orphaned process
//! group). A command that stops itself all the same is continued.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use rustix::termios::{
    LocalModes, SpecialCodeIndex, Termios, Winsize, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetwinsize,
};
use tokio::io::AsyncReadExt as _;
use tokio::process::Child;

use super::group::Group;
use super::line::Line;
use super::{Program, Spec, pseudo};

/// How often an ending command is looked at, and how many times at most.
const LOOK: rustix::fs::Timespec = rustix::fs::Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
const LOOKS: usize = 40;
/// After so many of them it is killed.
const PATIENCE: usize = 20;
/// How much is read of it at a look, in pieces of [`PIECE`] bytes.
const PIECES: usize = 64;
const PIECE: usize = 4096;

/// Makes the terminal on standard input this process's own, and becomes the command `words`. Standard error is for whoever waits
/// for the start: it is closed as soon as the command runs, and says why where it does not.
pub fn take_terminal(words: &[OsString]) {
    let stderr = io::stderr().as_fd().try_clone_to_owned();
    let (mut say, error) = match stderr {
        // It is closed where this process becomes the command.
        Ok(stderr) => (File::from(stderr), become_it(words)),
        Err(error) => return drop(write!(io::stderr(), "{error}")),
    };
    // Whoever started it may be gone: then nobody listens.
    let _ = write!(say, "{error}");
}

/// Does so, or gives why not.
fn become_it(words: &[OsString]) -> io::Error {
    let [program, args @ ..] = words else { return io::ErrorKind::InvalidInput.into() };
    let taken = || -> io::Result<()> {
        rustix::process::setsid()?;
        rustix::process::ioctl_tiocsctty(io::stdin())?;
        Ok(rustix::stdio::dup2_stderr(io::stdin())?)
    };
    match taken() {
        Ok(()) => std::process::Command::new(program).args(args).exec(),
        Err(error) => error,
    }
}

/// The command.
pub(super) struct Guest {
    pub(super) child: Child,
    /// What it writes, and what is typed to it.
    pub(super) line: Line,
    /// Its side of the terminal: as long as it is open here, the line does not end.
    user: Option<File>,
    leader: Group,
    /// The group that was in the foreground when it was last looked.
    front: Option<Group>,
}

impl Guest {
    /// Starts the command of `spec` by the program `exe` on a terminal in `mode` and of `size`, and returns when it runs.
    ///
    /// # Errors
    /// Why it cannot be started.
    pub(super) async fn start(spec: &Spec, exe: &Path, mode: &Termios, size: Winsize) -> Result<Self, String> {
        let words: &[String] = match &spec.program {
            Program::Shell(text) => &["/bin/sh".to_owned(), "-c".to_owned(), text.clone()],
            Program::Direct(words) => words,
        };
        let [program, ..] = words else { return Err("an empty command".to_owned()) };
        let began = Self::begin(spec, exe, words, pseudo::like(mode, size));
        let mut guest = began.map_err(|error| {
            let dir = spec.dir.display();
            if spec.dir.is_dir() { format!("{program}: {error}") } else { format!("{dir}: {error}") }
        })?;
        let mut said = String::new();
        if let Some(mut stderr) = guest.child.stderr.take() {
            stderr.read_to_string(&mut said).await.map_err(|error| format!("{program}: {error}"))?;
        }
        if said.is_empty() { Ok(guest) } else { Err(format!("{program}: {said}")) }
    }

    fn begin(spec: &Spec, exe: &Path, words: &[String], made: io::Result<(OwnedFd, File)>) -> io::Result<Self> {
        let (controller, user) = made?;
        let line = Line::of(controller)?;
        let mut command = tokio::process::Command::new(exe);
        command.arg(super::TAKE_TERMINAL).args(words).current_dir(&spec.dir);
        command.env_clear().envs(spec.env.iter().map(|(name, value)| (name, value)));
        command.stdin(user.try_clone()?).stdout(user.try_clone()?).stderr(Stdio::piped());
        let child = command.spawn()?;
        let leader = child.id().and_then(Group::led_by).ok_or_else(|| io::Error::other("a process without an id"))?;
        Ok(Self { child, line, user: Some(user), leader, front: None })
    }

    /// Sends `signal` to the command and to whoever is in the foreground of its terminal, stopped or not.
    pub(super) fn send(&mut self, signal: Signal) {
        self.front = tcgetpgrp(&self.line).ok().map(Group::from).or(self.front);
        for group in
            [Some(self.leader), self.front.filter(|front| front.id() != self.leader.id())].into_iter().flatten()
        {
            group.send(signal);
            group.send(Signal::CONT);
        }
    }

    /// Whether nobody is left of those who were sent a signal.
    pub(super) fn is_gone(&self) -> bool {
        self.leader.is_empty() && self.front.is_none_or(Group::is_empty)
    }

    /// Continues the command, where it was stopped.
    pub(super) fn wake(&self) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let stopped = |pid| rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED | WaitIdOptions::NOHANG);
        if pid.is_some_and(|pid| matches!(stopped(pid), Ok(Some(_)))) {
            self.leader.send(Signal::CONT);
        }
    }

    /// Whether what was `typed` is to end whoever is in the foreground, and the terminal makes a signal of it. One who is
    /// stopped, and whose shell does not care, never hears that before being continued.
    pub(super) fn ends_by(&self, typed: &[u8]) -> bool {
        let Ok(mode) = tcgetattr(&self.line) else { return false };
        let keys = [SpecialCodeIndex::VINTR, SpecialCodeIndex::VQUIT].map(|key| mode.special_codes[key]);
        mode.local_modes.contains(LocalModes::ISIG) && typed.iter().any(|byte| keys.contains(byte))
    }

    /// Gives its terminal the size of `screen`, where that can be told.
    pub(super) fn fit(&self, screen: &Line) {
        let _ = tcgetwinsize(screen).and_then(|size| tcsetwinsize(&self.line, size));
    }

    /// It has ended: from now on the line ends with whoever else has it open.
    pub(super) fn let_go(&mut self) {
        self.user = None;
    }

    /// Ends the command, if it has not ended by itself, and gives `keep` what it says to that.
    pub(super) fn end(&mut self, mut keep: impl FnMut(&[u8])) {
        for look in 0..LOOKS {
            let ended = !matches!(self.child.try_wait(), Ok(None));
            let mut bytes = [0; PIECE];
            for _ in 0..PIECES {
                match rustix::io::read(&self.line, &mut bytes) {
                    Ok(read @ 1..) => keep(&bytes[..read]),
                    _ => break,
                }
            }
            if ended {
                return;
            }
            self.send(if look < PATIENCE { Signal::HUP } else { Signal::KILL });
            let _ = rustix::event::poll(&mut [], Some(&LOOK));
        }
    }
}
