//! A log file, followed through rotation and truncation.
//!
//! # Why
//! A file that was renamed is read on for as long as anybody writes to it: writers notice a rotation late. A file that was cut
//! has gone on somewhere, where `copytruncate` of `logrotate` did it: what it had beyond the last look is read from the copy.
//! What is cut without a copy, or compressed at once, is lost from the last look on, which is a second ago at most.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::lines::{LATEST, Lines};
use crate::clock::Timestamp;

/// How much is read at once, in bytes.
const CHUNK: usize = 256 * 1024;
/// How much is read of one file in one look, in bytes: whoever writes faster is followed later.
const MUCH: u64 = 256 * 1024 * 1024;
/// By how much of what was read last a file is known again, in bytes.
const KNOWN: usize = 256;
/// How long a file that was renamed is still read after its last line.
const REST: Duration = Duration::from_secs(60);
/// How long the file may be away, as it is in the middle of a rotation.
const AWAY: Duration = Duration::from_secs(5);

/// A log file at its path, and those that were there before it.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    empty: Lines,
    current: Option<Tail>,
    before: Vec<(Tail, Timestamp)>,
    /// Since when there is none, and what the system says.
    away: Option<(Timestamp, String)>,
    began: bool,
    count: u64,
    /// The latest lines that counted.
    latest: Vec<String>,
}

/// A file that is open and read up to some place.
#[derive(Debug)]
struct Tail {
    file: File,
    at: u64,
    lines: Lines,
    /// The last bytes before `at`.
    last: Vec<u8>,
    /// Whether anything new was read.
    grew: bool,
}

impl LogFile {
    /// The file at `path`, of whose lines those that `lines` takes count. Nothing is read yet.
    pub(super) fn new(path: PathBuf, lines: Lines) -> Self {
        let (current, away, latest) = (None, None, Vec::new());
        Self { path, empty: lines, current, before: Vec::new(), away, began: false, count: 0, latest }
    }

    /// How many lines counted since this was last asked, or why that is not known. Then they are counted the next time.
    pub(super) fn take(&mut self, now: Timestamp) -> Result<u64, String> {
        match &self.away {
            Some((since, why)) if self.current.is_none() || now.since(*since) >= AWAY => {
                Err(format!("{}: {why}", self.path.display()))
            }
            _ => Ok(std::mem::take(&mut self.count)),
        }
    }

    /// The latest lines that counted since this was last asked.
    pub(super) fn latest(&mut self) -> Vec<String> {
        std::mem::take(&mut self.latest)
    }

    /// Reads what is new. The first look only finds the end.
    pub(super) fn look(&mut self, now: Timestamp) {
        if let Err(error) = self.read(now) {
            let since = self.away.as_ref().map_or(now, |(since, _)| *since);
            self.away = Some((since, error.to_string()));
        } else {
            self.away = None;
        }
    }

    fn read(&mut self, now: Timestamp) -> io::Result<()> {
        let first = !std::mem::replace(&mut self.began, true);
        let there = open(&self.path);
        if let Ok((file, there)) = &there {
            self.arrive(file, there, first, now)?;
        }
        for tail in self.before.iter_mut().map(|(tail, _)| tail).chain(&mut self.current) {
            self.count += tail.read()?;
            self.latest.extend(tail.lines.latest());
        }
        let over = self.latest.len().saturating_sub(LATEST);
        self.latest.drain(..over);
        self.rest(now);
        there.map(drop)
    }

    /// Takes `file` for the current one: the same as before, cut or not, or another.
    fn arrive(&mut self, file: &File, there: &Metadata, first: bool, now: Timestamp) -> io::Result<()> {
        if let Some(tail) = &mut self.current {
            if id(&tail.file.metadata()?) == id(there) {
                if tail.is_cut(there)? {
                    self.count += tail.rest_of_copy(&self.path);
                    self.latest.extend(tail.lines.latest());
                    *tail = Tail::at_start(file.try_clone()?, &self.empty);
                }
                return Ok(());
            }
            self.before.extend(self.current.take().map(|tail| (tail, now)));
        }
        let mut tail = Tail::at_start(file.try_clone()?, &self.empty);
        if first {
            tail.go_to(there.len())?;
        }
        self.current = Some(tail);
        Ok(())
    }

    /// Lets go of files that nobody writes to any more.
    fn rest(&mut self, now: Timestamp) {
        for (tail, since) in &mut self.before {
            if std::mem::take(&mut tail.grew) {
                *since = now;
            }
            if now.since(*since) >= REST {
                self.count += tail.lines.end();
                self.latest.extend(tail.lines.latest());
            }
        }
        self.before.retain(|(_, since)| now.since(*since) < REST);
    }
}

impl Tail {
    fn at_start(file: File, lines: &Lines) -> Self {
        Self { file, at: 0, lines: lines.clone(), last: Vec::new(), grew: false }
    }

    /// Goes on at `at`, without what is before.
    fn go_to(&mut self, at: u64) -> io::Result<()> {
        let mut last = vec![0; usize::try_from(at).unwrap_or(KNOWN).min(KNOWN)];
        let from = at - last.len() as u64;
        self.file.read_exact_at(&mut last, from)?;
        (self.at, self.last) = (at, last);
        Ok(())
    }

    /// Whether what was read last does not stand there any more.
    fn is_cut(&self, there: &Metadata) -> io::Result<bool> {
        Ok(there.len() < self.at || !self.continues(&self.file)?)
    }

    /// Whether `file` has what was read last, at the same place.
    fn continues(&self, file: &File) -> io::Result<bool> {
        let mut last = vec![0; self.last.len()];
        let from = self.at - last.len() as u64;
        match file.read_exact_at(&mut last, from) {
            Ok(()) => Ok(last == self.last),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads what is new, and how many lines of it count.
    fn read(&mut self) -> io::Result<u64> {
        let (mut count, mut bytes, begin) = (0, vec![0; CHUNK], self.at);
        while self.at - begin < MUCH {
            let n = self.file.read_at(&mut bytes, self.at)?;
            if n == 0 {
                break;
            }
            count += self.lines.push(&bytes[..n]);
            self.at += n as u64;
            self.last.extend_from_slice(&bytes[n.saturating_sub(KNOWN)..n]);
            self.last.drain(..self.last.len().saturating_sub(KNOWN));
            self.grew = true;
        }
        Ok(count)
    }

    /// How many lines count of what a copy of this file beside `path` has beyond what was read; the open line ends there.
    fn rest_of_copy(&mut self, path: &Path) -> u64 {
        let copy = if self.last.is_empty() { None } else { self.copy_beside(path) };
        let rest = copy.and_then(|file| {
            self.file = file;
            self.read().ok()
        });
        rest.unwrap_or(0) + self.lines.end()
    }

    /// The longest file whose name begins like that of `path` and that has what was read last.
    fn copy_beside(&self, path: &Path) -> Option<File> {
        let name = path.file_name()?.to_str()?;
        let beside = fs::read_dir(path.parent()?).ok()?.flatten();
        let copies =
            beside.filter(|entry| entry.file_name().to_str().is_some_and(|it| it != name && it.starts_with(name)));
        let copies = copies
            .filter_map(|entry| open(&entry.path()).ok())
            .filter(|(file, there)| there.len() >= self.at && self.continues(file).unwrap_or(false));
        copies.max_by_key(|(_, there)| there.len()).map(|(file, _)| file)
    }
}

/// The file at `path`. A directory or a pipe is none, and does not hold anybody up.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let nonblock = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = File::options().read(true).custom_flags(nonblock).open(path)?;
    let there = file.metadata()?;
    if there.is_file() { Ok((file, there)) } else { Err(io::Error::other("it is no file")) }
}

fn id(there: &Metadata) -> (u64, u64) {
    (there.dev(), there.ino())
}
