//! The sandbox: makes the repository, its remote and the servers, and takes all of it away again.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::contents::{ANSWERS, EMAIL, LOGIN, LOGIN_BROKEN, NPM, PASSWORD, PROLOGUE, RUNBOOK, SCRIPTS, TESTS};

/// The tag that production serves, with the broken login check.
pub const TAG: &str = "v1.2.3";
/// The tag before it, with a sound one.
const TAG_BEFORE: &str = "v1.2.2";
/// The servers that run the application; the front `production` lists the last three at first.
const SERVICES: [&str; 5] = ["staging", "blue", "green-1", "green-2", "green-3"];
/// What the front hands requests to at first.
const FLEET: &str = "green-1\ngreen-2\ngreen-3\n";
/// What of the operator's environment the sandbox keeps: how the terminal is and what they are used to in it, and nothing that
/// configures git or a shell.
pub(super) const KEPT: [&str; 12] = [
    "TERM",
    "COLORTERM",
    "NO_COLOR",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "SHELL",
    "VISUAL",
    "EDITOR",
    "PAGER",
];

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of it could not be made.
    #[error("cannot make {}", path.display())]
    File {
        /// What could not be made.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot run {program}; the drill needs git and a POSIX shell")]
    Start {
        /// Its name.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// A program that makes the sandbox failed.
    #[error("`{command}` failed: {output}")]
    Failed {
        /// The whole command.
        command: String,
        /// What it said.
        output: String,
    },
    /// A server ended before it said where it listens.
    #[error("the server {name} did not start; see {}", log.display())]
    Server {
        /// Its name.
        name: String,
        /// Where what it said is.
        log: PathBuf,
    },
}

/// What becomes of the directory in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Removed,
    Kept,
}

/// A throwaway world for one drill; dropping it ends its servers and removes its directory.
#[derive(Debug)]
pub struct Sandbox {
    dir: PathBuf,
    exe: PathBuf,
    servers: Vec<(String, Child)>,
    fate: Fate,
}

impl Sandbox {
    /// Makes the sandbox in `dir`, which must be empty or not there yet, and starts its servers from the program `exe`.
    ///
    /// # Errors
    /// Where a file cannot be written, git or the shell is missing, or a server does not start. What was made until then is
    /// removed.
    pub fn create(dir: impl AsRef<Path>, exe: &Path) -> Result<Self, Error> {
        let made = |path: &Path| {
            let in_file = |source| Error::File { path: path.to_owned(), source };
            fs::create_dir_all(path).and_then(|()| path.canonicalize()).map_err(in_file)
        };
        let dir = made(dir.as_ref())?;
        let occupied = fs::read_dir(&dir).is_ok_and(|mut entries| entries.next().is_some());
        if occupied {
            return Err(Error::File { path: dir, source: io::ErrorKind::DirectoryNotEmpty.into() });
        }
        let mut sandbox = Self { dir, exe: exe.to_owned(), servers: Vec::new(), fate: Fate::Removed };
        for name in ["bin", "config", "home", "log", "origin.git", "releases", "repo/.hotfix", "repo/app", "repo/tests"]
        {
            made(&sandbox.dir.join(name))?;
        }
        for name in SERVICES.into_iter().chain(["production"]) {
            made(&sandbox.dir.join("servers").join(name))?;
        }
        sandbox.write("prologue.sh", PROLOGUE)?;
        sandbox.write("password", PASSWORD)?;
        sandbox.write("calls.log", "")?;
        sandbox.write("log/error.log", "")?;
        sandbox.write("servers/production/backends", FLEET)?;
        sandbox.script("bin/npm", NPM)?;
        sandbox.make_history()?;
        sandbox.start_servers()?;
        sandbox.open_door()?;
        sandbox.deploy_first()?;
        sandbox.write("calls.log", "")?;
        Ok(sandbox)
    }

    /// The directory that holds everything.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The work tree of the repository, on `main`.
    #[must_use]
    pub fn repository(&self) -> PathBuf {
        self.dir.join("repo")
    }

    /// The address of the staging server, without a slash at its end.
    #[must_use]
    pub fn staging_url(&self) -> String {
        self.url("staging")
    }

    /// The address of the front that users of production reach, without a slash at its end.
    #[must_use]
    pub fn production_url(&self) -> String {
        self.url("production")
    }

    /// The runbook of its repository, which extends the built-in one.
    #[must_use]
    pub fn runbook() -> &'static str {
        RUNBOOK
    }

    /// A shell command that mends the login check in the work tree, for a drill without an operator.
    #[must_use]
    pub fn fix_command() -> &'static str {
        "git show v1.2.2:app/login.sh >app/login.sh"
    }

    /// Answers, as a file of answers has them, that drive the whole runbook with the deployment strategy `strategy`.
    #[must_use]
    pub fn answers(strategy: &str) -> String {
        ANSWERS.replace("{fix}", Self::fix_command()).replace("{strategy}", strategy)
    }

    /// The names and arguments of the scripts that were called, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        let log = fs::read_to_string(self.dir.join("calls.log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    /// The process ids of the servers that run.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.servers.iter().map(|(_, child)| child.id()).collect()
    }

    /// The whole environment of what runs in the sandbox, for a process whose own was cleared.
    ///
    /// # Why
    /// Whole, because a variable such as `GIT_DIR` or `GIT_CONFIG_COUNT` of the operator's would reach into the drill.
    #[must_use]
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        let mut path = self.dir.join("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()));
        let mut all: Vec<(OsString, OsString)> =
            KEPT.iter().filter_map(|name| Some(((*name).into(), std::env::var_os(name)?))).collect();
        let mut set = |name: &str, value: &OsStr| all.push((name.into(), value.to_owned()));
        set("PATH", &path);
        set("HOME", self.dir.join("home").as_os_str());
        set("XDG_CONFIG_HOME", self.dir.join("config").as_os_str());
        set("GIT_CONFIG_GLOBAL", OsStr::new("/dev/null"));
        set("GIT_CONFIG_NOSYSTEM", OsStr::new("1"));
        set("GIT_TERMINAL_PROMPT", OsStr::new("0"));
        for who in ["AUTHOR", "COMMITTER"] {
            set(&format!("GIT_{who}_NAME"), OsStr::new("Drill Operator"));
            set(&format!("GIT_{who}_EMAIL"), OsStr::new("drill@example.com"));
        }
        set("HOTFIX_DRILL", OsStr::new("1"));
        set("HOTFIX_DRILL_DIR", self.dir.as_os_str());
        set("HOTFIX_DRILL_EXE", self.exe.as_os_str());
        set("LOGIN_PASSWORD", OsStr::new(PASSWORD));
        set("STAGING_URL", OsStr::new(&self.staging_url()));
        set("PRODUCTION_URL", OsStr::new(&self.production_url()));
        set("APP_ERROR_LOG", self.dir.join("log/error.log").as_os_str());
        all
    }

    /// A command that runs in the repository with the sandbox's environment and nothing of the operator's.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.environment()).current_dir(self.repository()).stdin(Stdio::null());
        command
    }

    /// Ends the servers, by the ids of the processes that were started and no others.
    pub fn stop(&mut self) {
        for (_, child) in &mut self.servers {
            // One that has ended by itself is ended.
            drop(child.kill());
        }
        for (_, mut child) in self.servers.drain(..) {
            drop(child.wait());
        }
    }

    /// Ends the servers but leaves the directory, and says where it is.
    #[must_use]
    pub fn keep(mut self) -> PathBuf {
        self.fate = Fate::Kept;
        self.stop();
        self.dir.clone()
    }

    /// Ends the servers and removes the directory.
    ///
    /// # Errors
    /// Where something of the directory cannot be removed.
    pub fn remove(mut self) -> io::Result<()> {
        self.stop();
        self.fate = Fate::Kept;
        // A process that is just ending may have written something meanwhile.
        fs::remove_dir_all(&self.dir).or_else(|_| fs::remove_dir_all(&self.dir))
    }

    fn url(&self, server: &str) -> String {
        let port = fs::read_to_string(self.dir.join("servers").join(server).join("port")).unwrap_or_default();
        format!("http://127.0.0.1:{}", port.trim())
    }

    /// The program that the sandbox was made with.
    pub(super) fn exe(&self) -> &Path {
        &self.exe
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.dir.join(name);
        fs::write(&path, text).map_err(|source| Error::File { path, source })
    }

    fn script(&self, name: &str, text: &str) -> Result<(), Error> {
        self.write(name, text)?;
        let path = self.dir.join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(|source| Error::File { path, source })
    }

    fn git(&self, args: &[&str]) -> Result<(), Error> {
        Self::execute(self.command("git").args(args))
    }

    fn execute(command: &mut Command) -> Result<(), Error> {
        let program = command.get_program().to_string_lossy().into_owned();
        let output = command.output().map_err(|source| Error::Start { program: program.clone(), source })?;
        if output.status.success() {
            return Ok(());
        }
        let words: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        let said = [output.stdout, output.stderr].concat();
        let output = String::from_utf8_lossy(&said).trim().to_owned();
        Err(Error::Failed { command: format!("{program} {}", words.join(" ")), output })
    }

    fn make_history(&self) -> Result<(), Error> {
        self.git(&["init", "--quiet", "--bare", "--template=", "--initial-branch=main", "../origin.git"])?;
        self.git(&["init", "--quiet", "--template=", "--initial-branch=main"])?;
        for (key, value) in [
            ("user.name", "Drill Operator"),
            ("user.email", "drill@example.com"),
            ("commit.gpgsign", "false"),
            ("tag.gpgsign", "false"),
        ] {
            self.git(&["config", key, value])?;
        }
        let origin = self.dir.join("origin.git");
        self.git(&["remote", "add", "origin", &origin.to_string_lossy()])?;

        self.write("repo/README.md", "# Members\n\nThe members' area. `app/login.sh` decides who gets in.\n")?;
        self.write("repo/VERSION", "1.2.1\n")?;
        self.write("repo/app/users", &format!("{EMAIL}:{PASSWORD}\n"))?;
        self.script("repo/app/login.sh", LOGIN)?;
        self.commit("Let members log in")?;
        for (name, text) in TESTS {
            self.write(&format!("repo/tests/{name}"), text)?;
        }
        for (name, text) in SCRIPTS {
            self.script(&format!("repo/{name}"), text)?;
        }
        self.write("repo/.hotfix/runbook.yaml", RUNBOOK)?;
        self.commit("Deploy by script")?;
        self.release(TAG_BEFORE)?;
        self.script("repo/app/login.sh", LOGIN_BROKEN)?;
        self.commit("Keep members signed in")?;
        self.release(TAG)?;
        self.git(&["push", "--quiet", "--set-upstream", "origin", "main", "--tags"])
    }

    fn commit(&self, message: &str) -> Result<(), Error> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", message])
    }

    fn release(&self, tag: &str) -> Result<(), Error> {
        self.write("repo/VERSION", &format!("{}\n", tag.trim_start_matches('v')))?;
        self.commit(&format!("Release {tag}"))?;
        self.git(&["tag", "--annotate", tag, "--message", &format!("Release {tag}")])
    }

    fn start_servers(&mut self) -> Result<(), Error> {
        for name in SERVICES {
            self.start("drill-service", name)?;
        }
        self.start("drill-front", "production")
    }

    /// Starts a server and waits until it has said its port.
    fn start(&mut self, role: &str, name: &str) -> Result<(), Error> {
        let log = self.dir.join("log").join(format!("{name}.log"));
        let failed = |source| Error::Start { program: format!("the server {name}"), source };
        let mut command = self.command(&self.exe);
        // A group of its own: Ctrl-C in the drill's terminal is not meant for it.
        // Its standard input ends with whoever made the sandbox, in whatever way, and so does the server.
        command.arg(role).arg(&self.dir).arg(name).process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(fs::File::create(&log).map_err(failed)?);
        let mut child = command.spawn().map_err(failed)?;
        self.write(&format!("servers/{name}/pid"), &format!("{}\n", child.id()))?;
        let said = child.stdout.take();
        self.servers.push((name.to_owned(), child));
        let mut line = String::new();
        if let Some(said) = said {
            BufReader::new(said).read_line(&mut line).map_err(failed)?;
        }
        if line.ends_with('\n') { Ok(()) } else { Err(Error::Server { name: name.to_owned(), log }) }
    }

    /// Puts staging, blue and the fleet on the tag that is to be fixed, by the scripts themselves.
    fn deploy_first(&self) -> Result<(), Error> {
        for script in ["./deploy-staging.sh", "./deploy-blue.sh", "./deploy-production.sh"] {
            Self::execute(self.command(self.repository().join(script)).arg(TAG))?;
        }
        Ok(())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop();
        if self.fate == Fate::Removed {
            // What cannot be removed stays; there is nobody left to tell.
            drop(fs::remove_dir_all(&self.dir));
        }
    }
}
