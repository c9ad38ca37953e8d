//! Where runs are kept: `hotfix/` under the repository's common git directory, and the driver's lock there.
//!
//! # Why
//! Everything stands beside the repository's own data and never in its work tree, so that it survives a branch switch and is in
//! nobody's commit. A run appears under `runs/` by rename, once its first record is synced: there is no half-made run.
//! The driver's lock is the kernel's: it goes with the process that holds it, so a dead holder blocks nobody.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::{Clock, Timestamp, pause};
use crate::event::Event;
use crate::journal::{Author, Journal, JournalError};
use crate::process;

mod filesystem;

pub use filesystem::Filesystem;

/// What the directory of a run is called while it is made, up to a few letters.
const MAKING: &str = ".new-";
/// After so long nobody makes a run there any more.
const ABANDONED: Duration = Duration::from_secs(600);
/// How long the lock of a process that is gone is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is tried again.
const RETRY: Duration = Duration::from_millis(5);

/// The state directory of one repository.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// Where the parts of one run are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunPaths {
    /// The run's id.
    pub id: String,
    /// Its directory.
    pub dir: PathBuf,
    /// Its journal.
    pub journal: PathBuf,
    /// Its frozen runbook.
    pub runbook: PathBuf,
    /// The directory with what its steps printed.
    pub output: PathBuf,
}

impl RunPaths {
    /// The file with the readings of its probes.
    #[must_use]
    pub fn samples(&self) -> PathBuf {
        self.dir.join("samples.jsonl")
    }

    /// What the files of an attempt at the step `key` are called, up to their endings.
    #[must_use]
    pub fn files(&self, key: &str, attempt: u32) -> PathBuf {
        self.output.join(format!("{}.{attempt}", key.replace('/', ".")))
    }

    /// What the files of an attempt at the undo of the step `key` are called, up to their endings.
    #[must_use]
    pub fn undo_files(&self, key: &str, attempt: u32) -> PathBuf {
        self.files(&format!("undo.{key}"), attempt)
    }
}

/// Who drives a run, as the lock file tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// The machine it runs on.
    pub host: String,
    /// Who started it.
    pub user: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// The run it drives.
    pub run: String,
    /// When the process began, as [`process::started`] tells it; 0 where that is not known.
    ///
    /// # Why
    /// Process ids are used again: a process with this id that began at another time is not the holder.
    #[serde(default)]
    pub started: u64,
    /// Whether it has no terminal and lets go of the run where somebody takes it up.
    #[serde(default)]
    pub detached: bool,
}

/// Whether a holder still is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Its process lives.
    Alive,
    /// Its process is gone.
    Dead,
    /// It is on another machine and cannot be seen from here.
    Elsewhere,
}

impl Holder {
    /// This process, driving `run` since `since`.
    #[must_use]
    pub fn this_process(run: &str, (user, host): (&str, &str), since: Timestamp) -> Self {
        let pid = std::process::id();
        let started = process::started(pid).unwrap_or(0);
        Self {
            pid,
            host: host.into(),
            user: user.into(),
            since: since.to_string(),
            run: run.into(),
            started,
            detached: false,
        }
    }

    /// Whether it still holds the lock, as far as that can be seen from the machine `host`.
    #[must_use]
    pub fn life(&self, host: &str) -> Life {
        if self.host != host {
            return Life::Elsewhere;
        }
        match process::started(self.pid) {
            Some(started) if started == self.started || started == 0 || self.started == 0 => Life::Alive,
            _ => Life::Dead,
        }
    }
}

/// The driver's lock. It is let go when this is dropped, and when the process ends in whatever way.
#[derive(Debug)]
pub struct DriverLock {
    file: File,
    path: PathBuf,
}

impl DriverLock {
    /// Says who holds it, without letting go of it.
    ///
    /// # Errors
    /// [`StoreError::Io`] where it cannot be written down; it is held all the same.
    pub fn tell(&mut self, holder: &Holder) -> Result<(), StoreError> {
        let text = serde_json::to_string(holder).map_err(io::Error::from);
        let written = text.and_then(|text| {
            self.file.set_len(0)?;
            self.file.rewind()?;
            self.file.write_all(text.as_bytes())
        });
        written.map_err(io_error(&self.path, "write who holds it"))
    }
}

/// Whoever reads the file when nobody holds it is told of nobody.
impl Drop for DriverLock {
    fn drop(&mut self) {
        // One that cannot be emptied tells of a process that is gone, which is seen.
        let _ = self.file.set_len(0);
    }
}

/// Why the state directory does not do what is asked of it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A directory or a file in it cannot be made, read or written.
    #[error("{path}: cannot {doing}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// Another process drives a run in this repository.
    #[error("{}", .0.as_ref().map_or_else(|| "another process holds the lock".to_owned(), describe))]
    Locked(Option<Holder>),
    /// The run's first record cannot be written.
    #[error("the run's journal cannot be begun")]
    Journal(#[from] JournalError),
}

fn describe(holder: &Holder) -> String {
    let Holder { pid, host, user, since, run, .. } = holder;
    format!("run {run} is driven by {user} on {host} (process {pid}) since {since}")
}

impl Store {
    /// The state directory under `common`, the repository's common git directory. Nothing is made yet.
    #[must_use]
    pub fn under(common: &Path) -> Self {
        Self { root: common.join("hotfix") }
    }

    /// What kind of file system it is on.
    #[must_use]
    pub fn filesystem(&self) -> Filesystem {
        Filesystem::of(&self.root)
    }

    /// Where the run `id` is, or would be.
    #[must_use]
    pub fn run(&self, id: &str) -> RunPaths {
        paths(id, &self.root.join("runs").join(id))
    }

    /// Every run, the oldest first: their ids sort by time.
    ///
    /// # Errors
    /// [`StoreError::Io`] where the directory is there and cannot be read.
    pub fn runs(&self) -> Result<Vec<RunPaths>, StoreError> {
        let dir = self.root.join("runs");
        let entries = match fs::read_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(io_error(&dir, "list it"))?,
        };
        let mut ids = Vec::new();
        for entry in entries {
            let name = entry.map_err(io_error(&dir, "list it"))?.file_name();
            ids.extend(name.to_str().filter(|name| !name.starts_with('.')).map(str::to_owned));
        }
        ids.sort();
        Ok(ids.iter().map(|id| self.run(id)).collect())
    }

    /// Begins a run: its frozen runbook and its first records, on the disk before the run is there to be seen. Two runs begun
    /// in one second for one issue get different ids.
    ///
    /// # Errors
    /// [`StoreError`], and no trace of the run is left.
    pub fn begin(
        &self,
        clock: &dyn Clock,
        issue: &str,
        (by, host): (&str, &str),
        (frozen, first): (&str, Vec<Event>),
    ) -> Result<RunPaths, StoreError> {
        let runs = self.root.join("runs");
        make_dir(&runs)?;
        let only_mine = Permissions::from_mode(0o700);
        let making = tempfile::Builder::new().prefix(MAKING).permissions(only_mine).tempdir_in(&runs);
        let making = making.map_err(io_error(&runs, "make a run in it"))?;
        let id = self.free_id(clock.now(), issue);
        let new = paths(&id, making.path());
        make_dir(&new.output)?;
        write_synced(&new.runbook, frozen)?;
        write_synced(&new.journal, "")?;
        let author = Author { run: id.clone(), by: by.into(), host: host.into() };
        let (mut journal, _) = Journal::open(&new.journal, author)?;
        for event in first {
            let Ok(_) = journal.append(clock, event, |_, _| Ok::<(), std::convert::Infallible>(()))?;
        }
        sync_dir(making.path())?;
        let run = self.run(&id);
        fs::rename(making.path(), &run.dir).map_err(io_error(&run.dir, "put the run there"))?;
        // It is no longer where it was made: there is nothing left to remove.
        let _ = making.keep();
        sync_dir(&runs)?;
        Ok(run)
    }

    /// Takes the driver's lock for `holder`, at once or not at all. One whose holder is gone, or has not said who it is, is waited
    /// for a moment: a child that a killed holder was about to begin has a copy of it until it is a program of its own.
    ///
    /// # Errors
    /// [`StoreError::Locked`] with whoever holds it.
    pub fn lock(&self, holder: &Holder) -> Result<DriverLock, StoreError> {
        make_dir(&self.root)?;
        let path = self.lock_path();
        let file = private().read(true).write(true).create(true).truncate(false).open(&path);
        // Where nothing can be written any more, it can still be held.
        let file = file.or_else(|error| File::open(&path).map_err(|_| error));
        let mut file = file.map_err(io_error(&path, "open it"))?;
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(source)) => return Err(io_error(&path, "lock it")(source)),
            }
            let other = read_holder(&mut file);
            let gone = other.as_ref().is_none_or(|other| other.life(&holder.host) == Life::Dead);
            if !gone || waited >= PATIENCE {
                // Whoever holds it could not say so, where the one it names is gone.
                return Err(StoreError::Locked(other.filter(|_| !gone)));
            }
            pause(RETRY);
            waited += RETRY;
        }
        let mut lock = DriverLock { file, path };
        // It is held, whether that can be written down or not: two must not drive.
        let _ = lock.tell(holder);
        Ok(lock)
    }

    /// The file whose lock the driver holds.
    #[must_use]
    pub fn lock_path(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Whoever last took the driver's lock; no lock is taken to see it. Whether they still hold it is told by
    /// [`Holder::life`].
    #[must_use]
    pub fn holder(&self) -> Option<Holder> {
        read_holder(&mut File::open(self.lock_path()).ok()?)
    }

    /// Removes what is left of runs whose beginning was cut off long ago. They never were.
    pub fn sweep(&self) {
        let abandoned = |entry: &fs::DirEntry| {
            let age = entry.metadata().and_then(|of| of.modified()).ok().and_then(|at| at.elapsed().ok());
            entry.file_name().to_string_lossy().starts_with(MAKING) && age.is_some_and(|age| age > ABANDONED)
        };
        let entries = fs::read_dir(self.root.join("runs")).into_iter().flatten().flatten();
        for entry in entries.filter(abandoned) {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_dir_all(entry.path());
        }
    }

    fn free_id(&self, now: Timestamp, issue: &str) -> String {
        let fit = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let issue: String = issue.chars().map(fit).take(40).collect();
        let first = format!("{}-{}", now.compact(), issue.trim_matches('-'));
        let later = (2..).map(|n: u32| format!("{first}.{n}"));
        let free = |id: &String| !self.run(id).dir.exists();
        std::iter::once(first.clone()).chain(later).find(free).unwrap_or(first)
    }
}

fn paths(id: &str, dir: &Path) -> RunPaths {
    let [journal, runbook, output] = ["journal.jsonl", "runbook.yaml", "output"].map(|name| dir.join(name));
    RunPaths { id: id.into(), dir: dir.into(), journal, runbook, output }
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

fn make_dir(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io_error(path, "make it"))
}

fn write_synced(path: &Path, text: &str) -> Result<(), StoreError> {
    let file = private().create_new(true).write(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(io_error(path, "write it"))
}

fn sync_dir(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(io_error(path, "sync it"))
}

fn io_error(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { path, doing, source }
}
