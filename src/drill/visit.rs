//! What is done in a sandbox from outside: entering it from another terminal, logging in, stopping what was left running.

use std::fmt::Write as _;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::client::{self, Call};
use super::sandbox::{Error, KEPT, Sandbox};
use super::wire::Message;
use crate::clock::{Clock, SystemClock};
use crate::process::{self, Found, Progress, Running};
use crate::store::Store;

/// How long a command that is told to stop may take. Its own grace is shorter.
const PATIENCE: Duration = Duration::from_secs(15);

impl Sandbox {
    /// The file that another terminal sources to be inside.
    #[must_use]
    pub fn door(&self) -> PathBuf {
        self.dir().join("enter.sh")
    }

    /// Where the runs are that were made inside.
    #[must_use]
    pub fn store(&self) -> Store {
        Store::under(&self.repository().join(".git"))
    }

    /// The status that a login to production with a wrong password ends with.
    ///
    /// # Errors
    /// Where production does not answer.
    pub async fn wrong_login(&self) -> io::Result<u16> {
        let url = format!("{}/auth/login", self.production_url());
        let (port, path) = client::locate(&url).ok_or(io::ErrorKind::AddrNotAvailable)?;
        let request = Message::request("POST", &path, r#"{"email":"test@example.com","password":"not-the-password"}"#);
        let answer = client::call(&Call { port, request, wait: Duration::ZERO }).await?;
        answer.status().ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Stops the commands of runs that were paused and left running.
    pub async fn stop_commands(&self) {
        for status in self.store().runs().unwrap_or_default().iter().flat_map(|run| statuses(&run.output)) {
            // One that cannot be found again, or does not end, finds its sandbox gone.
            if let Ok(Found::Running(mut running)) = process::attach(&status, 0).await
                && running.stop("the end of the drill").is_ok()
            {
                tokio::select! {
                    () = ended(&mut running) => {}
                    () = SystemClock.sleep(PATIENCE) => {}
                }
            }
        }
    }

    /// Writes the file that another terminal sources, and puts this program on the sandbox's `PATH`.
    pub(super) fn open_door(&self) -> Result<(), Error> {
        let program = self.dir().join("bin/hotfix");
        symlink(self.exe(), &program).map_err(|source| Error::File { path: program, source })?;
        let mut text = "# To be inside the drill from another terminal: . enter.sh\n".to_owned();
        for (name, value) in self.environment() {
            let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
            if !KEPT.contains(&&*name) {
                let quoted = shlex::try_quote(&value).unwrap_or_default();
                // Nothing can go wrong in writing to a text.
                _ = writeln!(text, "export {name}={quoted}");
            }
        }
        let repository = self.repository();
        let quoted = shlex::try_quote(&repository.to_string_lossy()).unwrap_or_default().into_owned();
        _ = writeln!(text, "cd {quoted}");
        self.write("enter.sh", &text)
    }
}

/// The status files of the commands whose output is in `dir`.
fn statuses(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|ending| ending == "status")).collect()
}

async fn ended(running: &mut Running) {
    while matches!(running.next().await, Ok(Progress::Output(_))) {}
}
