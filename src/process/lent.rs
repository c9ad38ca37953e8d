//! The operator's terminal, lent to a command that talks to the operator.
//!
//! # Why
//! The command has a terminal of its own, and this program carries bytes between the two: so its output is kept and its secrets
//! are masked as those of any other command, while Ctrl-C, Ctrl-Z, passwords and full-screen programs are its own affair.
//! What may be the beginning of a secret is held back from the screen for a moment only, because a prompt may end like that;
//! the file waits for the rest.

use std::fs::File;
use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;
use rustix::termios::{Termios, tcgetwinsize};
use tokio::signal::unix::{self, SignalKind, signal};

use super::drive::after;
use super::guest::Guest;
use super::line::Line;
use super::record::Record;
use super::{How, Limit, Spec};
use crate::clock::LocalFuture;
use crate::mask::{Masker, Stream};

/// How long the beginning of a secret is held back from the screen.
const IDLE: Duration = Duration::from_millis(100);
/// How often it is looked whether the command was stopped.
const TICK: Duration = Duration::from_millis(50);
/// How long after a Ctrl-C whoever was stopped is continued. The terminal makes a signal of it in its own time, and nobody is
/// to go on before that.
const ROUSE: Duration = Duration::from_millis(50);
/// How often a command that is being ended is looked at.
const ENDING_TICK: Duration = Duration::from_millis(5);
/// How long the terminal of a command is read on when it has ended and others keep it open, and how often a slow screen is
/// waited for as long again.
const DRAIN: Duration = Duration::from_millis(300);
const DRAINS: usize = 10;

/// A command that is to have the operator's terminal.
#[derive(Clone)]
pub struct Loan {
    /// The command. How long it is silent does not matter: it may be waiting for the operator.
    pub spec: Spec,
    /// This program, which becomes the command.
    pub exe: PathBuf,
    /// Values that reach neither the disk nor the screen.
    pub secrets: Vec<String>,
    /// Where its output goes.
    pub output: PathBuf,
    /// How much of that is kept.
    pub limit: Limit,
}

/// What a command leaves that had the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// How it ended.
    pub how: How,
    /// Why the output is not all there, where it is not.
    pub output_lost: Option<String>,
    /// How many bytes of it were more than is kept.
    pub dropped: u64,
}

/// Lends `terminal`, which is to be in raw mode and not to block, to a command that is to find it in `mode`. Dropping the future
/// ends the command.
///
/// # Errors
/// Where the terminal is gone.
pub async fn lend(loan: &Loan, terminal: &File, mode: &Termios) -> io::Result<Left> {
    let screen = Line::of(terminal.try_clone()?.into())?;
    let not_started = |why| Ok(Left { how: How::NotStarted(why), output_lost: None, dropped: 0 });
    let masker = match loan.masker() {
        Ok(masker) => masker,
        Err(error) => return not_started(error.to_string()),
    };
    let guest = match Guest::start(&loan.spec, &loan.exe, mode, tcgetwinsize(terminal)?).await {
        Ok(guest) => guest,
        Err(why) => return not_started(why),
    };
    let record = Record::open(&loan.output, &masker, loan.limit);
    let mut visit = Visit { guest, record, mask: masker.stream(), typed: Vec::new(), shown: Vec::new(), open: true };
    let how = visit.run(&screen, &loan.spec).await?;
    let (output_lost, dropped) = visit.record.finish();
    Ok(Left { how, output_lost, dropped })
}

impl Loan {
    /// A masker of the secrets, and of those of several lines with the line ends that a terminal makes of theirs.
    fn masker(&self) -> Result<Masker, super::Error> {
        let lines = |secret: &String| secret.replace("\r\n", "\n");
        let forms = self.secrets.iter().flat_map(|it| [it.clone(), lines(it), lines(it).replace('\n', "\r\n")]);
        Ok(Masker::new(forms.collect::<std::collections::BTreeSet<_>>())?)
    }
}

/// A command that has the terminal.
struct Visit {
    guest: Guest,
    record: Record,
    /// What stands between the command and the screen.
    mask: Stream,
    /// What was typed and has not reached the command.
    typed: Vec<u8>,
    /// What has not reached the screen.
    shown: Vec<u8>,
    /// Whether the command's terminal has not ended.
    open: bool,
}

impl Drop for Visit {
    fn drop(&mut self) {
        let Self { guest, record, .. } = self;
        guest.end(|bytes| record.push(bytes));
        // Nobody asks any more what is missing.
        let _ = record.finish();
    }
}

/// The signals that end a command which takes too long.
struct Ladder {
    rungs: std::array::IntoIter<Signal, 2>,
    next: LocalFuture<'static, ()>,
    done: bool,
}

impl Visit {
    /// Carries bytes both ways until the command has ended.
    async fn run(&mut self, screen: &Line, spec: &Spec) -> io::Result<How> {
        let mut resized = signal(SignalKind::window_change()).ok();
        self.guest.fit(screen);
        let (mut deadline, mut tick) = (after(spec.timeout), after(Some(TICK)));
        let (mut idle, mut rouse) = (after(None), after(None));
        let (mut ended, mut ladder): (Option<io::Result<ExitStatus>>, Option<Ladder>) = (None, None);
        let mut drain: Option<(usize, LocalFuture<'static, ()>)> = None;
        loop {
            let given_up = ladder.as_ref().is_some_and(|ladder| ladder.done);
            if given_up || ended.is_some() && (ladder.is_none() || self.guest.is_gone()) {
                if !self.open && self.shown.is_empty() {
                    break;
                }
                drain.get_or_insert_with(|| (0, after(Some(DRAIN))));
            }
            tokio::select! {
                typed = screen.take(), if self.typed.is_empty() => match typed? {
                    typed if typed.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                    typed => self.typed = typed,
                },
                taken = self.guest.line.give(&self.typed), if !self.typed.is_empty() => match taken {
                    Ok(taken) => {
                        if self.guest.ends_by(&self.typed[..taken]) {
                            rouse = after(Some(ROUSE));
                        }
                        self.typed.drain(..taken);
                    }
                    // Nobody reads it any more.
                    Err(_) => self.typed.clear(),
                },
                said = self.guest.line.take(), if self.open && self.shown.is_empty() => {
                    // For a terminal a failure is the end as well.
                    self.says(&said.unwrap_or_default());
                    idle = after(Some(IDLE));
                },
                shown = screen.give(&self.shown), if !self.shown.is_empty() => drop(self.shown.drain(..shown?)),
                () = &mut idle => {
                    self.shown.extend(self.mask.show());
                    idle = after(None);
                }
                () = &mut rouse => {
                    self.guest.send(Signal::CONT);
                    rouse = after(None);
                }
                () = change(&mut resized) => self.guest.fit(screen),
                status = self.guest.child.wait(), if ended.is_none() => {
                    ended = Some(status);
                    self.guest.let_go();
                }
                () = &mut deadline, if ended.is_none() && ladder.is_none() => {
                    self.guest.send(Signal::INT);
                    let rungs = [Signal::TERM, Signal::KILL].into_iter();
                    ladder = Some(Ladder { rungs, next: after(Some(spec.kill_grace)), done: false });
                }
                () = climb(&mut ladder) => if let Some(ladder) = &mut ladder {
                    match ladder.rungs.next() {
                        Some(signal) => self.guest.send(signal),
                        None => ladder.done = true,
                    }
                    ladder.next = after(Some(spec.kill_grace));
                },
                () = &mut tick => {
                    if ended.is_none() {
                        self.guest.wake();
                    }
                    tick = after(Some(if ladder.is_some() { ENDING_TICK } else { TICK }));
                }
                () = lingers(&mut drain) => match &mut drain {
                    Some((times, wait)) if !self.shown.is_empty() && *times < DRAINS => {
                        (*times, *wait) = (*times + 1, after(Some(DRAIN)));
                    }
                    _ => break,
                },
            }
        }
        Ok(match ended {
            _ if ladder.is_some() => How::TimedOut,
            Some(Err(error)) => How::NotStarted(format!("its end cannot be waited for: {error}")),
            Some(Ok(status)) => How::of(status),
            None => How::TimedOut,
        })
    }

    /// Takes what the command wrote; nothing is its end.
    fn says(&mut self, bytes: &[u8]) {
        self.record.push(bytes);
        if bytes.is_empty() {
            self.open = false;
            self.shown.extend(self.mask.finish());
        } else {
            self.shown.extend(self.mask.push(bytes));
        }
    }
}

/// Ends when the next signal is due; never where nothing is being ended.
async fn climb(ladder: &mut Option<Ladder>) {
    match ladder {
        Some(ladder) => (&mut ladder.next).await,
        None => pending().await,
    }
}

/// Ends when the rest was waited for; never where there is no rest yet.
async fn lingers(drain: &mut Option<(usize, LocalFuture<'static, ()>)>) {
    match drain {
        Some((_, wait)) => wait.await,
        None => pending().await,
    }
}

/// Ends when the size of the screen changes; never where that cannot be told.
async fn change(resized: &mut Option<unix::Signal>) {
    let told = match resized {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if told.is_none() {
        pending::<()>().await;
    }
}
