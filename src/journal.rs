//! The journal's file: appended to under a lock, synced, chained, and read back with doubt.
//!
//! # Why
//! Two locks stand behind a run. The driver's is held for the life of its process and is not this module's. The
//! journal's own is held for one append, under which the end of the file is read again: so a note and a rollback from another
//! terminal never fork the chain, and an append learns first what others have written.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::{Clock, pause};
use crate::digest::sha256;
use crate::event::{Event, FORMAT, GENESIS, Record};

mod disk;

pub use disk::Disk;

/// How long somebody else may hold the append lock.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is tried again.
const RETRY: Duration = Duration::from_millis(2);

/// A journal open for reading and appending.
#[derive(Debug)]
pub struct Journal<D = File> {
    file: D,
    path: PathBuf,
    author: Author,
    next: u64,
    head: String,
    end: u64,
    /// A line that could neither be acknowledged nor taken back.
    doubtful: Option<Vec<u8>>,
}

/// Who writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The id of the run.
    pub run: String,
    /// The operator.
    pub by: String,
    /// This machine.
    pub host: String,
}

/// What a journal's bytes hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    /// The records, in order.
    pub records: Vec<Record>,
    /// SHA-256 of the last whole line; that of none where there is none.
    pub head: String,
    /// How many bytes the whole lines take.
    pub whole: u64,
    /// How many bytes stand behind the last newline: a record torn by a crash, never acknowledged.
    pub torn: u64,
    /// The places where the clock went backwards, by `seq`.
    pub backwards: Vec<u64>,
}

/// Why a journal is not to be trusted, or cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be opened, read, locked, written or synced.
    #[error("{path}: cannot {doing}")]
    Io {
        /// The journal.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A whole line is not what it should be.
    #[error("{path}, line {line}: {what}; the records before it are good")]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A newer program has written it, in a format that this one may misread.
    #[error(
        "{path}, line {line}: hotfix {program} wrote it in format {format}, and this is hotfix {}, which knows format {FORMAT}: \
         use hotfix {program} or a newer one",
        env!("CARGO_PKG_VERSION")
    )]
    Newer {
        /// The journal.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// The version of the program that wrote it.
        program: String,
        /// The format it wrote.
        format: u32,
    },
}

impl JournalError {
    /// Whether another process holds the append lock and does not let go: it has been stopped.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::TimedOut)
    }
}

impl Journal {
    /// Opens the journal at `path`, making it where it is not there yet, and hands over what it holds. A torn end is cut off.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] where a whole line is unreadable or out of the chain.
    pub fn open(path: &Path, author: Author) -> Result<(Self, Vec<Record>), JournalError> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path);
        let file = file.map_err(|source| io_error(path, "open it", source))?;
        Self::over(file, path, author)
    }
}

impl<D: Disk> Journal<D> {
    /// The journal in `file`, which `path` names, and what it holds. A torn end is cut off.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn over(file: D, path: &Path, author: Author) -> Result<(Self, Vec<Record>), JournalError> {
        let (path, head) = (path.to_owned(), GENESIS.to_owned());
        let mut journal = Self { file, path, author, next: 0, head, end: 0, doubtful: None };
        let records = journal.locked(Self::catch_up)?;
        Ok((journal, records))
    }

    /// Reads what others have appended since this journal was last at its end.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn news(&mut self) -> Result<Vec<Record>, JournalError> {
        let length = self.file.length().map_err(|source| io_error(&self.path, "look at it", source))?;
        if length == self.end { Ok(Vec::new()) } else { self.locked(Self::catch_up) }
    }

    /// Appends `event` if `may` allows it in the light of what others have written meanwhile, and syncs. What others have
    /// written comes first in what is handed back, the new record last.
    ///
    /// # Errors
    /// `Ok(Err(_))` with the reason, and nothing written, where `may` objects; [`JournalError`] where the file cannot be
    /// written or synced. After that the record counts as not written, and what there is of it is cut off: at once, or before
    /// the next append. Where neither comes about, because the process ends, a whole line of it may stand as a record.
    pub fn append<E>(
        &mut self,
        clock: &dyn Clock,
        event: Event,
        may: impl FnOnce(&[Record], &Event) -> Result<(), E>,
    ) -> Result<Result<Vec<Record>, E>, JournalError> {
        self.locked(|journal| {
            let mut records = journal.catch_up()?;
            if let Err(objection) = may(&records, &event) {
                return Ok(Err(objection));
            }
            let Author { run, by, host } = journal.author.clone();
            let record =
                Record { seq: journal.next, at: clock.now(), run, by, host, event, prev: journal.head.clone() };
            let line = record.line().map_err(|error| io_error(&journal.path, "write it", error.into()))?;
            journal.write(format!("{line}\n").as_bytes())?;
            journal.advance(line.as_bytes());
            records.push(record);
            Ok(Ok(records))
        })
    }

    /// The last record's `seq` and the hash of its line: what a release tag's trailer anchors. `None` before the first.
    #[must_use]
    pub fn anchor(&self) -> Option<(u64, &str)> {
        self.next.checked_sub(1).map(|seq| (seq, self.head.as_str()))
    }

    fn locked<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, JournalError>) -> Result<T, JournalError> {
        self.take_lock().map_err(|source| io_error(&self.path, "lock it", source))?;
        let result = act(self);
        self.file.unlock().map_err(|source| io_error(&self.path, "unlock it", source))?;
        result
    }

    /// Takes the append lock. It is held for a moment at a time: whoever holds it for longer has been stopped.
    fn take_lock(&self) -> io::Result<()> {
        let mut waited = Duration::ZERO;
        loop {
            match self.file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) if waited < PATIENCE => {
                    pause(RETRY);
                    waited += RETRY;
                }
                Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::TimedOut.into()),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        let written = self.file.append(bytes).and_then(|()| self.file.sync());
        written.map_err(|source| {
            // What could not be acknowledged must not look as if it had been.
            if self.file.cut(self.end).is_err() {
                self.doubtful = Some(bytes.to_owned());
            }
            io_error(&self.path, "write and sync it", source)
        })
    }

    fn advance(&mut self, line: &[u8]) {
        self.head = sha256(line);
        self.next += 1;
        self.end += line.len() as u64 + 1;
    }

    /// Under the lock: reads from the last known end, checks the chain on, cuts off a torn record.
    fn catch_up(&mut self) -> Result<Vec<Record>, JournalError> {
        let length = self.file.length().map_err(|source| io_error(&self.path, "look at it", source))?;
        if length < self.end {
            return Err(damaged(&self.path, self.next, "the file is shorter than it was".into()));
        }
        let read = self.file.read_from(self.end);
        let mut bytes = read.map_err(|source| io_error(&self.path, "read it", source))?;
        // Where another process has written behind it, it has been read by that one and stands.
        if self.doubtful.as_ref().is_some_and(|line| line.starts_with(&bytes)) {
            self.cut(self.end)?;
            bytes.clear();
        }
        self.doubtful = None;
        let (contents, fault) = parse(&self.path, &bytes, self.next, &self.head);
        if let Some(fault) = fault {
            return Err(fault);
        }
        if contents.torn > 0 {
            self.cut(self.end + contents.whole)?;
        }
        self.next += contents.records.len() as u64;
        self.end += contents.whole;
        self.head = contents.head;
        Ok(contents.records)
    }

    fn cut(&mut self, length: u64) -> Result<(), JournalError> {
        self.file.cut(length).map_err(|source| io_error(&self.path, "cut off its torn end", source))
    }
}

/// Reads the whole journal at `path` without a lock and without changing it.
///
/// # Errors
/// As [`Journal::open`].
pub fn read(path: &Path) -> Result<Contents, JournalError> {
    match read_prefix(path) {
        (contents, None) => Ok(contents),
        (_, Some(fault)) => Err(fault),
    }
}

/// Reads the journal at `path` as [`read`] does, as far as it can be trusted, and says why no further where that is not its
/// end: what a person may still be shown of a damaged one.
#[must_use]
pub fn read_prefix(path: &Path) -> (Contents, Option<JournalError>) {
    match std::fs::read(path) {
        Ok(bytes) => parse(path, &bytes, 0, GENESIS),
        Err(source) => {
            let nothing = Contents { head: GENESIS.into(), ..Contents::default() };
            (nothing, Some(io_error(path, "read it", source)))
        }
    }
}

/// Reads `bytes` as lines that follow the record `next - 1`, whose line has the hash `head`, up to the first that does not. What
/// a newer program wrote is read as far as this one understands it.
fn parse(path: &Path, bytes: &[u8], next: u64, head: &str) -> (Contents, Option<JournalError>) {
    let mut contents = Contents { head: head.into(), ..Contents::default() };
    let mut fault = None;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(line) = line.strip_suffix(b"\n") else {
            contents.torn = line.len() as u64;
            break;
        };
        let seq = next + contents.records.len() as u64;
        if let Err(what) = take(&mut contents, seq, line) {
            return (contents, fault.or(Some(damaged(path, seq, what))));
        }
        fault = fault.or_else(|| contents.records.last().and_then(|record| newer(path, record)));
    }
    (contents, fault)
}

/// Takes in `line` as the record `seq`. The rule of the chain is the one of every line naming the SHA-256 of the line before
/// it.
fn take(contents: &mut Contents, seq: u64, line: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(line).map_err(|error| format!("not UTF-8: {error}"))?;
    let record = Record::parse(text)?;
    if record.seq != seq {
        return Err(format!("`seq` is {}, where {seq} follows", record.seq));
    }
    if record.prev != contents.head {
        return Err("`prev` is not the SHA-256 of the line before: one of the two was changed".into());
    }
    if contents.records.last().is_some_and(|before| record.at < before.at) {
        contents.backwards.push(seq);
    }
    contents.head = sha256(line);
    contents.whole += line.len() as u64 + 1;
    contents.records.push(record);
    Ok(())
}

/// Why the program that wrote `record` is to be used from there on, where it is a newer one.
fn newer(path: &Path, record: &Record) -> Option<JournalError> {
    let (Event::RunStarted { program, format, .. } | Event::RunResumed { program, format }) = &record.event else {
        return None;
    };
    let (path, line, program, format) = (path.to_owned(), record.seq + 1, program.clone(), *format);
    (format > FORMAT).then_some(JournalError::Newer { path, line, program, format })
}

fn io_error(path: &Path, doing: &'static str, source: io::Error) -> JournalError {
    JournalError::Io { path: path.into(), doing, source }
}

fn damaged(path: &Path, seq: u64, what: String) -> JournalError {
    JournalError::Damaged { path: path.into(), line: seq + 1, what }
}
