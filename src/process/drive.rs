//! The one loop that runs a process: output, limits, the wish to stop it, and its end.

use std::future::pending;
use std::io::{self, PipeWriter};
use std::os::unix::process::CommandExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::Child;

use super::group::{Group, Ladder};
use super::{How, Program, Spec, pseudo};
use crate::clock::{Clock, LocalFuture, SystemClock, pause};

/// How long the output of a process is read on when it has ended and others keep its pipe open.
const DRAIN: Duration = Duration::from_millis(300);
/// How often somebody is asked whether the process is to be stopped.
const TICK: Duration = Duration::from_millis(50);
/// How often a group that is being stopped is looked at.
const STOPPING_TICK: Duration = Duration::from_millis(5);
/// How much is read at once, in bytes. Twice that no longer stays near the processor, and takes half as long again.
const CHUNK: usize = 128 * 1024;
/// How much a pipe holds, in bytes, where that can be chosen: whoever writes fast is then seldom held up.
#[cfg(target_os = "linux")]
const PIPE: usize = 1024 * 1024;
/// Where more than [`FAST`] bytes were read since the last tick, and now no more than [`FEW`], reading is put off by [`GATHER`], so
/// that more is there: otherwise a process that writes line by line and its reader wake each other for every line.
const FAST: usize = 512 * 1024;
const FEW: usize = 16 * 1024;
const GATHER: Duration = Duration::from_micros(100);

/// Where a piece of output comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Stdout,
    Stderr,
}

/// How the two outputs of a process are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outputs {
    /// As one, in the order in which they were written; all of it is [`Source::Stdout`].
    Merged,
    /// Each by itself.
    Apart,
}

/// Who looks on.
pub(super) trait Watcher {
    /// The process runs, and leads the group `pgid`.
    fn spawned(&mut self, pgid: i32) -> io::Result<()>;
    /// It wrote `bytes`.
    fn output(&mut self, source: Source, bytes: &[u8]);
    /// Who wants it stopped, if anybody does. Asked again and again.
    fn stop(&mut self) -> Option<String>;
    /// How long no more is read now, where others of this thread are to have their turn.
    fn rest(&mut self) -> Option<Duration> {
        None
    }
}

/// Runs `spec` to its end. Dropped before that, it kills the group.
///
/// # Errors
/// Where pipes cannot be made, the end not be waited for, or the watcher refused.
pub(super) async fn drive(spec: &Spec, outputs: Outputs, watcher: &mut dyn Watcher) -> io::Result<How> {
    let (child, group, [mut out, mut err]) = match spawn(spec, outputs)? {
        Ok(spawned) => spawned,
        Err(reason) => return Ok(How::NotStarted(reason)),
    };
    let mut leash = Leash { child, group, leader: None };
    watcher.spawned(group.id())?;
    let (mut from_out, mut from_err) = (Vec::with_capacity(CHUNK), Vec::new());
    let mut stopping: Option<(How, Ladder)> = None;
    let mut deadline = after(spec.timeout);
    let mut quiet = after(spec.inactivity_timeout);
    let mut rung = after(None);
    let mut tick = after(Some(TICK));
    let mut linger: Option<LocalFuture<'static, ()>> = None;
    let mut lately = 0;
    loop {
        let mut cause = None;
        if let Some(leader) = leash.leader {
            let stopped = stopping.as_ref().is_none_or(|(_, ladder)| ladder.done());
            if stopped && out.is_none() && err.is_none() {
                return Ok(ending(leader, stopping));
            }
            if stopped && linger.is_none() {
                linger = Some(after(Some(DRAIN)));
            }
        }
        let undisturbed = leash.leader.is_none() && stopping.is_none();
        tokio::select! {
            n = read(&mut out, &mut from_out) => {
                keep(n, Source::Stdout, &mut out, &mut from_out, watcher);
                lately += gather(lately, n);
                quiet = after(spec.inactivity_timeout);
            }
            n = read(&mut err, &mut from_err) => {
                keep(n, Source::Stderr, &mut err, &mut from_err, watcher);
                lately += gather(lately, n);
                quiet = after(spec.inactivity_timeout);
            }
            status = leash.child.wait(), if leash.leader.is_none() => leash.leader = Some(status?),
            () = &mut deadline, if undisturbed => cause = Some(How::TimedOut),
            () = &mut quiet, if undisturbed => cause = Some(How::Inactive),
            () = &mut rung => {
                if let Some((_, ladder)) = &mut stopping {
                    ladder.next_rung();
                }
                rung = after(Some(spec.kill_grace));
            }
            () = &mut tick => {
                lately = 0;
                if undisturbed {
                    cause = watcher.stop().map(How::Stopped);
                }
                let busy = stopping.is_some() || cause.is_some();
                tick = after(Some(if busy { STOPPING_TICK } else { TICK }));
            }
            () = ended(&mut linger) => {
                if let Some(leader) = leash.leader {
                    return Ok(ending(leader, stopping));
                }
            }
        }
        if let Some(rest) = watcher.rest() {
            SystemClock.sleep(rest).await;
        }
        if let Some(cause) = cause {
            stopping = Some((cause, Ladder::start(group)));
            rung = after(Some(spec.kill_grace));
            tick = after(Some(STOPPING_TICK));
        }
    }
}

/// A child whose group dies with it where nobody waits for its end.
struct Leash {
    child: Child,
    group: Group,
    leader: Option<ExitStatus>,
}

impl Drop for Leash {
    fn drop(&mut self) {
        if self.leader.is_none() {
            self.group.send(Signal::KILL);
        }
    }
}

type Spawned = (Child, Group, [Option<Receiver>; 2]);

/// Starts the process, or says why it cannot be started.
fn spawn(spec: &Spec, outputs: Outputs) -> io::Result<Result<Spawned, String>> {
    let (program, args) = match &spec.program {
        Program::Shell(text) => ("/bin/sh", vec!["-c", text.as_str()]),
        Program::Direct(words) => match words.split_first() {
            Some((program, args)) => (program.as_str(), args.iter().map(String::as_str).collect()),
            None => return Ok(Err("an empty command".to_owned())),
        },
    };
    let (ends, [out, err]) = if spec.tty { terminal()? } else { pipes(outputs)? };
    let mut command = std::process::Command::new(program);
    command.args(args).env_clear().envs(spec.env.iter().map(|(name, value)| (name, value))).current_dir(&spec.dir);
    let [stdin, stdout, stderr] = ends;
    command.stdin(stdin).stdout(stdout).stderr(stderr).process_group(0);
    match tokio::process::Command::from(command).spawn() {
        Ok(child) => match child.id().and_then(Group::led_by) {
            Some(group) => Ok(Ok((child, group, [out, err]))),
            None => Err(io::Error::other("a process without an id")),
        },
        Err(error) if !spec.dir.is_dir() => Ok(Err(format!("{}: {error}", spec.dir.display()))),
        Err(error) => Ok(Err(format!("{program}: {error}"))),
    }
}

/// Where much was read lately, lets more gather. Gives back `n`.
fn gather(lately: usize, n: usize) -> usize {
    if lately > FAST && n > 0 && n < FEW {
        pause(GATHER);
    }
    n
}

/// What a process reads from and writes to, and the other ends of its two outputs.
type Ends = ([Stdio; 3], [Option<Receiver>; 2]);

fn terminal() -> io::Result<Ends> {
    let (controller, user) = pseudo::silent()?;
    let out = Receiver::from_owned_fd_unchecked(controller)?;
    Ok(([user.try_clone()?.into(), user.try_clone()?.into(), user.into()], [Some(out), None]))
}

fn pipes(outputs: Outputs) -> io::Result<Ends> {
    let (out, writer) = pipe()?;
    let (stderr, err) = match outputs {
        Outputs::Merged => (writer.try_clone()?, None),
        Outputs::Apart => {
            let (err, writer) = pipe()?;
            (writer, Some(err))
        }
    };
    Ok(([Stdio::null(), writer.into(), stderr.into()], [Some(out), err]))
}

fn pipe() -> io::Result<(Receiver, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    // One that the system will not make larger works as well.
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(&writer, PIPE);
    Ok((Receiver::from_owned_fd(reader.into())?, writer))
}

/// How it ended: as `stopping` has it, else as its leader's status has it.
fn ending(leader: ExitStatus, stopping: Option<(How, Ladder)>) -> How {
    stopping.map_or_else(|| How::of(leader), |(cause, _)| cause)
}

/// Ends after `duration`; never where there is none.
pub(super) fn after(duration: Option<Duration>) -> LocalFuture<'static, ()> {
    const CLOCK: &SystemClock = &SystemClock;
    match duration {
        Some(duration) => CLOCK.sleep(duration),
        None => Box::pin(pending()),
    }
}

/// Ends with `wait`; never where there is nothing to wait for.
async fn ended(wait: &mut Option<LocalFuture<'static, ()>>) {
    match wait {
        Some(wait) => wait.await,
        None => pending().await,
    }
}

/// Reads some bytes; zero at the end, and where reading fails, which for a pipe and a terminal is the end as well.
async fn read(from: &mut Option<Receiver>, into: &mut Vec<u8>) -> usize {
    let Some(from) = from else { return pending().await };
    into.reserve(CHUNK);
    from.read_buf(into).await.unwrap_or(0)
}

/// Hands over what was read, or drops a pipe that has ended.
fn keep(n: usize, source: Source, from: &mut Option<Receiver>, bytes: &mut Vec<u8>, watcher: &mut dyn Watcher) {
    if n == 0 {
        *from = None;
    } else {
        watcher.output(source, bytes);
    }
    bytes.clear();
}
