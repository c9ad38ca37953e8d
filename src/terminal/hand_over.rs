//! The terminal in the hands of another program of the operator's: an editor, a pager, a shell.
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

use rustix::process::{Pid, Signal, getpgrp, kill_process_group};
use rustix::termios::tcgetpgrp;
use tokio::process::{Child, Command};

use super::prompt::Session;
use super::tty::Tty;

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
    /// What it has in its environment beside the operator's own.
    pub(super) env: &'a [(String, String)],
}

impl Session<'_> {
    /// Hands the terminal over to `program` until it ends. Dropping the future ends it.
    ///
    /// # Errors
    /// Where it cannot be started.
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
    command.envs(program.env.iter().map(|(name, value)| (name, value)));
    let mut leash = Leash { child: command.spawn()?, tty };
    leash.child.wait().await
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
