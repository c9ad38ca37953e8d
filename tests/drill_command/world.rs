//! A place for drills, with a git configuration of the operator under which nothing works.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub(crate) const EXE: &str = env!("CARGO_BIN_EXE_hotfix");
/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What an operator may have, and a drill must not read: with it, nothing is committed, tagged or pushed.
const OWN: &str = "[commit]\n\tgpgsign = true\n[tag]\n\tgpgsign = true\n[gpg]\n\tprogram = false\n";

pub(crate) struct World {
    parent: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let parent = TempDir::new().unwrap();
        for name in ["tmp", "home", "here"] {
            fs::create_dir(parent.path().join(name)).unwrap();
        }
        let hooks = parent.path().join("home/hooks");
        fs::create_dir(&hooks).unwrap();
        for hook in ["pre-commit", "commit-msg", "pre-push"] {
            fs::write(hooks.join(hook), "#!/bin/sh\necho 'a hook of the operator' >&2\nexit 1\n").unwrap();
            fs::set_permissions(hooks.join(hook), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let own = format!("{OWN}[core]\n\thooksPath = {}\n", hooks.display());
        fs::write(parent.path().join("home/.gitconfig"), own).unwrap();
        Self { parent }
    }

    /// What the drill has in its environment beside the test's own.
    pub(crate) fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let at = |name: &str| self.parent.path().join(name);
        vec![("TMPDIR", at("tmp")), ("HOME", at("home")), ("GIT_CONFIG_GLOBAL", at("home/.gitconfig"))]
    }

    /// Where it is called, which is no repository.
    pub(crate) fn here(&self) -> PathBuf {
        self.parent.path().join("here")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(EXE);
        command.arg("drill").args(args).envs(self.environment()).current_dir(self.here()).stdin(Stdio::null());
        command
    }

    pub(crate) fn drill(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Starts a drill whose standard error can be followed.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let mut child = self.command(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let said = child.stderr.take().unwrap();
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(said).lines().map_while(Result::ok) {
                // Nobody may be listening any more; it is read all the same.
                drop(send.send(line));
            }
        });
        Running { child, lines }
    }

    /// The sandboxes that are there.
    pub(crate) fn sandboxes(&self) -> Vec<PathBuf> {
        fs::read_dir(self.parent.path().join("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    fn kept(&self) -> PathBuf {
        let [kept] = self.sandboxes().try_into().unwrap();
        kept
    }

    /// This program, in the repository of a sandbox that was kept.
    pub(crate) fn kept_hotfix(&self, args: &[&str]) -> Output {
        Command::new(EXE).args(args).current_dir(self.kept().join("repo")).output().unwrap()
    }

    /// The scripts that were called in the sandbox that was kept.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.kept().join("calls.log")).unwrap();
        calls.lines().map(str::to_owned).collect()
    }

    /// The one release that all of production serves in the sandbox that was kept.
    pub(crate) fn production(&self) -> String {
        let servers = self.kept().join("servers");
        let backends = fs::read_to_string(servers.join("production/backends")).unwrap();
        let release = |server: &str| {
            let text = fs::read_to_string(servers.join(server).join("release")).unwrap();
            text.lines().next().unwrap().to_owned()
        };
        let mut releases: Vec<_> = backends.split_whitespace().map(release).collect();
        releases.dedup();
        let [release] = releases.try_into().unwrap();
        release
    }

    /// How often `server` was deployed to since the sandbox was made.
    pub(crate) fn deployments(&self, server: &str) -> usize {
        let releases = fs::read_dir(self.kept().join("releases")).unwrap();
        let names = releases.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains(&format!(".{server}."))).count() - 1
    }

    /// The processes that have to do with this world, as far as the system tells: by where they work and what they were given.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let own = self.parent.path().to_str().unwrap();
        let mine = |process: &Path| {
            let dir = fs::read_link(process.join("cwd")).unwrap_or_default();
            let given = ["environ", "cmdline"].map(|name| fs::read(process.join(name)).unwrap_or_default());
            dir.starts_with(own) || given.iter().any(|text| String::from_utf8_lossy(text).contains(own))
        };
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter(|id: &u32| mine(&Path::new("/proc").join(id.to_string()))).collect()
    }

    /// Nothing that was made is left.
    pub(crate) fn assert_clear(&self) {
        assert_eq!(self.sandboxes(), Vec::<PathBuf>::new());
        assert_eq!(self.processes(), Vec::<u32>::new());
    }
}

/// A drill that runs.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// Waits until it has written a line with `text`.
    pub(crate) fn until(&mut self, text: &str) {
        while !self.lines.recv_timeout(PATIENCE).unwrap().contains(text) {}
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its exit code, once it has ended.
    pub(crate) fn ends(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Something to wait for the end of the process `pid` with; `None` where it has ended.
#[cfg(target_os = "linux")]
pub(crate) fn handle(pid: u32) -> Option<std::os::fd::OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
}

/// Waits for the end of the process behind `handle`.
#[cfg(target_os = "linux")]
pub(crate) fn has_ended(handle: Option<&std::os::fd::OwnedFd>) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    let Some(handle) = handle else { return true };
    let patience = rustix::fs::Timespec { tv_sec: 20, tv_nsec: 0 };
    poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&patience)).is_ok_and(|ended| ended == 1)
}
