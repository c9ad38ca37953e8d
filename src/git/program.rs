//! The `git` program: the one place that starts it.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::Error;
use super::leash::{Rope, Running};
use crate::vars::Environment;

/// Whether `git` may ask for a password at the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompts {
    /// It may.
    Allowed,
    /// It fails instead.
    Never,
}

/// What a finished `git` left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its exit code; -1 for a signal.
    pub code: i32,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// The program, as it is started everywhere: in one directory, with one environment.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) dir: PathBuf,
    pub(super) env: Environment,
    pub(super) prompts: Prompts,
    /// How long it may take.
    pub(super) limit: Option<Duration>,
    /// What it can be stopped by.
    pub(super) rope: Option<Arc<Rope>>,
}

impl Program {
    /// The same program in another directory.
    pub(super) fn at(&self, dir: &Path) -> Self {
        Self { dir: dir.to_owned(), ..self.clone() }
    }

    /// Runs `git` to its end. Variables that point at another repository, as hooks have them, are withheld; messages
    /// are in English, so that they can be read by programs; refs and objects are on the disk when it ends.
    pub(super) fn git(&self, args: &[&str]) -> Result<Output, Error> {
        let mut command = Command::new("git");
        command.current_dir(&self.dir).env_clear().envs(self.env.iter());
        for name in ["LC_ALL", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX"] {
            command.env_remove(name);
        }
        command.env("LC_MESSAGES", "C").env("LANGUAGE", "C");
        if self.prompts == Prompts::Never {
            command.env("GIT_TERMINAL_PROMPT", "0");
        }
        command.args(["--literal-pathspecs", "-c", "core.fsmonitor=false", "-c", "core.fsync=added,reference"]);
        command.args(args).stdin(Stdio::null());
        let ended = self.run(&mut command)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = ended.status.code().unwrap_or(-1);
        Ok(Output { code, stdout: text(&ended.stdout), stderr: text(&ended.stderr) })
    }

    fn run(&self, command: &mut Command) -> Result<std::process::Output, Error> {
        if self.limit.is_none() && self.rope.is_none() {
            return command.output().map_err(Error::Spawn);
        }
        // A group of its own reads nothing from the terminal: where git may ask for a password it stays in ours.
        let apart = self.prompts == Prompts::Never;
        if apart {
            command.process_group(0);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut begin = || {
            let child = command.spawn().map_err(Error::Spawn)?;
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            let running = pid.map(if apart { Running::Apart } else { Running::Among });
            Ok::<_, Error>(((child, running), running))
        };
        let begun = match &self.rope {
            Some(rope) => rope.hold(begin),
            None => Some(begin().map(|(begun, _)| begun)),
        };
        let (child, running) = begun.ok_or(Error::Stopped)??;
        let ended = match self.limit {
            Some(limit) => wait_within(limit, child, running),
            None => child.wait_with_output().map_err(Error::Spawn),
        };
        if let Some(rope) = &self.rope {
            rope.release();
        }
        ended
    }

    /// What `git` wrote to standard output, when it ended well.
    pub(super) fn text(&self, args: &[&str]) -> Result<String, Error> {
        let output = self.git(args)?;
        if output.code == 0 { Ok(output.stdout) } else { Err(refused(args, &output)) }
    }
}

/// The error for a `git` that ended badly.
pub(super) fn refused(args: &[&str], output: &Output) -> Error {
    let command = format!("git {}", shlex::try_join(args.iter().copied()).unwrap_or_else(|_| args.join(" ")));
    let said = format!("{}{}", output.stdout, output.stderr).trim_end().to_owned();
    Error::Refused { command, code: output.code, output: said }
}

/// Waits for `child`, and ends it where it takes too long.
fn wait_within(limit: Duration, child: Child, running: Option<Running>) -> Result<std::process::Output, Error> {
    let (over, ended) = mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        let late = ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
        if let Some(running) = running.filter(|_| late) {
            running.send(Signal::KILL);
        }
        late
    });
    let output = child.wait_with_output().map_err(Error::Spawn);
    drop(over);
    if watch.join().unwrap_or(false) { Err(Error::TooLong(limit.as_secs())) } else { output }
}
