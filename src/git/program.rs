//! The `git` program: the one place that starts it.

use std::os::unix::fs::PermissionsExt as _;
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

/// Variables that point at another repository, as hooks have them, or change what a path means.
const WITHHELD: [&str; 14] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_PREFIX",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_GRAFT_FILE",
    "GIT_SHALLOW_FILE",
    "GIT_QUARANTINE_PATH",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
];

/// What `git` has made is on the disk when it ends: objects, packs, and then the refs. The index is not waited for, no more than
/// the files of the work tree: it is made anew from both.
const DURABLE: [&str; 4] = ["-c", "core.fsync=committed,reference", "-c", "core.fsyncMethod=fsync"];

/// Commands that only look, and would write the index anew with what they saw of the files. They are not to: that takes a lock
/// where somebody else may want one, and its time where there are many files.
const LOOKS: [&str; 2] = ["status", "diff"];

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
    /// The index it works with, where that is not the repository's own.
    pub(super) index: Option<PathBuf>,
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

    /// Runs `git` to its end. Variables that point at another repository are withheld; messages are in English, so that they
    /// can be read by programs; refs and objects are on the disk when it ends.
    pub(super) fn git(&self, args: &[&str]) -> Result<Output, Error> {
        let ended = self.ended(args)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = ended.status.code().unwrap_or(-1);
        Ok(Output { code, stdout: text(&ended.stdout), stderr: text(&ended.stderr) })
    }

    /// What some of them wrote to standard output, when all ended well. They run at the same time, but for those on a leash, which
    /// holds one.
    pub(super) fn each<const N: usize>(&self, all: [&[&str]; N]) -> Result<[String; N], Error> {
        let mut said = [const { String::new() }; N];
        if self.rope.is_some() {
            for (said, args) in said.iter_mut().zip(all) {
                *said = self.text(args)?;
            }
            return Ok(said);
        }
        std::thread::scope(|scope| {
            let begun = all.map(|args| scope.spawn(|| self.text(args)));
            for (said, one) in said.iter_mut().zip(begun) {
                *said = one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            }
            Ok(said)
        })
    }

    /// The bytes `git` wrote to standard output; `None` where it ended badly.
    pub(super) fn bytes(&self, args: &[&str]) -> Result<Option<Vec<u8>>, Error> {
        let ended = self.ended(args)?;
        Ok(ended.status.success().then_some(ended.stdout))
    }

    fn ended(&self, args: &[&str]) -> Result<std::process::Output, Error> {
        let mut command = Command::new(self.path().as_deref().unwrap_or(Path::new("git")));
        command.current_dir(&self.dir).env_clear().envs(self.env.iter());
        for name in WITHHELD {
            command.env_remove(name);
        }
        // Only messages are in English: what a hook writes and reads stays in the letters of the operator.
        if let Some(all) = self.env.get("LC_ALL").filter(|all| !all.is_empty()) {
            command.env_remove("LC_ALL").env("LC_CTYPE", all);
        }
        command.env("LC_MESSAGES", "C").env("LANGUAGE", "C");
        if let Some(index) = &self.index {
            command.env("GIT_INDEX_FILE", index);
        }
        if self.prompts == Prompts::Never {
            command.env("GIT_TERMINAL_PROMPT", "0");
        }
        command.args(["-c", "core.fsmonitor=false"]).args(DURABLE);
        if args.iter().find(|word| !word.starts_with('-')).is_some_and(|name| LOOKS.contains(name)) {
            command.arg("--no-optional-locks");
        }
        command.args(args).stdin(Stdio::null());
        self.run(&mut command)
    }

    /// Where `git` is, by the `PATH` it is started with. Without that a process is copied to look for it there, which takes its time.
    fn path(&self) -> Option<PathBuf> {
        let places: Vec<&Path> = self.env.get("PATH")?.split(':').map(Path::new).collect();
        // What is relative is relative to where it is started.
        let all = places.iter().take_while(|place| place.is_absolute()).map(|place| place.join("git"));
        let runs =
            |file: &PathBuf| file.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0);
        all.into_iter().find(runs)
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
        if output.code == 0 { Ok(output.stdout) } else { Err(self.refused(args, &output)) }
    }

    /// The error for a `git` that ended badly.
    pub(super) fn refused(&self, args: &[&str], output: &Output) -> Error {
        let said = format!("{}{}", output.stdout, output.stderr).trim_end().to_owned();
        if let Some(path) = untrusted(&said) {
            return Error::Untrusted(path.to_owned());
        }
        if let Some(locked) = self.locked(&said) {
            return locked;
        }
        let command = format!("git {}", shlex::try_join(args.iter().copied()).unwrap_or_else(|_| args.join(" ")));
        let silent =
            "(it said nothing; a hook may have refused: see the directory `git rev-parse --git-path hooks` tells)";
        let said = if said.is_empty() { silent.to_owned() } else { said };
        Error::Refused { command, code: output.code, output: said }
    }

    /// The error for a file that is in the way, where that is what `git` said.
    pub(super) fn locked(&self, said: &str) -> Option<Error> {
        let file = locked(said).map(|file| self.dir.join(file)).filter(|file| file.exists())?;
        let file = file.display().to_string();
        Some(Error::Locked { mend: self.at_work(&file), file })
    }

    /// In words, whether another `git` is at work on this machine, and what is to be done about the file it left.
    pub(super) fn at_work(&self, file: &str) -> String {
        let remove = format!("remove it with `rm {}`, then try again", shlex::try_quote(file).unwrap_or(file.into()));
        let listed = Command::new("ps").args(["-A", "-o", "pid=,args="]).env_clear().envs(self.env.iter()).output();
        let Ok(listed) = listed.map(|listed| String::from_utf8_lossy(&listed.stdout).into_owned()) else {
            return format!("see with `ps` that no git is at work here, {remove}");
        };
        let is_git = |line: &&str| {
            let program = line.split_whitespace().nth(1).and_then(|path| path.rsplit('/').next()).unwrap_or_default();
            (program == "git" || program.starts_with("git-")) && !line.contains("daemon")
        };
        let running: Vec<&str> = listed.lines().map(str::trim).filter(is_git).collect();
        if running.is_empty() {
            return format!("no git is running now, so one that was ended has left it; {remove}");
        }
        let running = running.join("\n  ");
        format!(
            "it may belong to one that is running:\n  {running}\nwait for it, then try again; if that is elsewhere, {remove}"
        )
    }
}

/// The repository that belongs to somebody else, where that is what `git` said.
pub(super) fn untrusted(said: &str) -> Option<&str> {
    said.lines()
        .find_map(|line| line.strip_prefix("fatal: detected dubious ownership in repository at '")?.strip_suffix('\''))
}

/// The file that another `git` holds or left behind, where that is what this one said of a repository on this machine.
fn locked(said: &str) -> Option<String> {
    said.lines().filter(|line| !line.starts_with("remote:")).find_map(|line| {
        if line.contains("cannot lock references") {
            return Some(".git/reftable/tables.list.lock".to_owned());
        }
        let of_config =
            line.split_once("could not lock config file ").and_then(|(_, rest)| rest.strip_suffix(": File exists"));
        let of_others = line.split_once("Unable to create '").and_then(|(_, rest)| rest.split_once("': File exists"));
        of_config.map(|file| format!("{file}.lock")).or_else(|| of_others.map(|(file, _)| file.to_owned()))
    })
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
