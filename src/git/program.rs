//! The `git` program: the one place that starts it.

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::Error;
use super::leash::{Died, Rope};
use crate::vars::Environment;

/// How often it is looked whether `git` wants the terminal.
const LOOK: Duration = Duration::from_millis(20);

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
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        let rope = self.rope.clone().unwrap_or_default();
        let begun = rope.hold(|| {
            let child = command.spawn().map_err(Error::Spawn)?;
            let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            Ok::<_, Error>((child, group))
        });
        let child = begun.ok_or(Error::Stopped)??;
        let (over, ended) = mpsc::channel::<()>();
        let watch = {
            let (rope, limit, prompts) = (Arc::clone(&rope), self.limit, self.prompts);
            std::thread::spawn(move || watch(&rope, limit, prompts, &ended))
        };
        let output = child.wait_with_output().map_err(Error::Spawn);
        drop(over);
        let late = watch.join().unwrap_or(false);
        let signal = output.as_ref().ok().and_then(|output| output.status.signal());
        rope.release(if signal.is_some() { Died::OfASignal } else { Died::Naturally });
        match self.limit {
            Some(limit) if late => Err(Error::TooLong(limit.as_secs())),
            _ if signal == Some(Signal::INT.as_raw()) => Err(Error::Interrupted),
            _ => output,
        }
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

/// Watches what is on `rope` until `ended` closes, and ends it where it takes longer than `limit`: whether it did.
fn watch(rope: &Rope, limit: Option<Duration>, prompts: Prompts, ended: &Receiver<()>) -> bool {
    let began = Instant::now();
    loop {
        let left = limit.map(|limit| limit.saturating_sub(began.elapsed()));
        if left.is_some_and(|left| left.is_zero()) {
            rope.end();
            return true;
        }
        let patience = match prompts {
            Prompts::Allowed => left.map_or(LOOK, |left| left.min(LOOK)),
            Prompts::Never => left.unwrap_or(Duration::MAX),
        };
        if ended.recv_timeout(patience) != Err(RecvTimeoutError::Timeout) {
            return false;
        }
        if prompts == Prompts::Allowed {
            rope.serve();
        }
    }
}
