//! What a process wrote, read back from the files that `output` makes, while they are written or later.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::output::{index_of, part_of};
use crate::clock::Timestamp;

/// How far back the beginning of a line is looked for, in bytes.
const LINE: usize = 16 * 1024;

/// Reads an output from any offset on.
#[derive(Debug)]
pub struct Reader {
    log: PathBuf,
    /// The file that is read, and the offset of its first byte.
    file: Option<(u64, File)>,
    offset: u64,
    /// Where other files than the first may begin.
    head: u64,
}

/// What comes next in an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// So many bytes were read.
    Bytes(usize),
    /// So many bytes were not kept, and are passed over.
    Dropped(u64),
    /// Nothing is there yet, or ever will be.
    End,
}

impl Reader {
    /// Reads the output whose first file is `log` from `offset` on.
    #[must_use]
    pub fn open(log: &Path, offset: u64) -> Self {
        Self { log: log.to_owned(), file: None, offset, head: 0 }
    }

    /// The same, where the first file is known to hold `head` bytes before there is any other.
    pub(super) fn with_head(self, head: u64) -> Self {
        Self { head, ..self }
    }

    /// The offset of what is read next.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The file in which the output begins.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Goes on from `offset`.
    pub fn seek(&mut self, offset: u64) {
        self.file = None;
        self.offset = offset;
    }

    /// Reads some bytes.
    ///
    /// # Errors
    /// Where the files cannot be read, or the first is not there.
    pub fn read(&mut self, into: &mut [u8]) -> io::Result<Piece> {
        loop {
            if self.file.is_none() {
                self.file = self.find()?;
            }
            let Some((start, file)) = &self.file else { continue };
            let start = *start;
            if let Some(n) = self.take(start, file, into)? {
                self.offset += n as u64;
                return Ok(Piece::Bytes(n));
            }
            if self.offset < self.head {
                return Ok(Piece::End);
            }
            let parts = self.parts()?;
            // Where there is another file now, this one has got its last bytes before.
            if let Some(n) = self.take(start, file, into)? {
                self.offset += n as u64;
                return Ok(Piece::Bytes(n));
            }
            if parts.iter().any(|part| *part <= self.offset && *part > start) {
                self.file = None;
                continue;
            }
            let Some(next) = parts.into_iter().find(|part| *part > self.offset) else { return Ok(Piece::End) };
            let dropped = next - self.offset;
            self.seek(next);
            return Ok(Piece::Dropped(dropped));
        }
    }

    fn take(&self, start: u64, file: &File, into: &mut [u8]) -> io::Result<Option<usize>> {
        let n = file.read_at(into, self.offset.saturating_sub(start))?;
        Ok((n > 0).then_some(n))
    }

    /// The offset behind the last byte that was written by now.
    ///
    /// # Errors
    /// Where the files cannot be read.
    pub fn end(&self) -> io::Result<u64> {
        loop {
            let length = fs::metadata(&self.log)?.len();
            let last = if length < self.head { None } else { self.parts()?.pop() };
            let Some(last) = last else { return Ok(length) };
            match fs::metadata(part_of(&self.log, last)) {
                Ok(part) => return Ok(last + part.len()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The beginning of the line that `offset` is in, or `offset` itself where that is far off.
    ///
    /// # Errors
    /// Where the files cannot be read.
    pub fn line_start(&self, offset: u64) -> io::Result<u64> {
        let mut before = vec![0; LINE.min(usize::try_from(offset).unwrap_or(LINE))];
        let mut reader = Self::open(&self.log, offset - before.len() as u64).with_head(self.head);
        let mut filled = 0;
        while filled < before.len() {
            match reader.read(&mut before[filled..])? {
                Piece::Bytes(n) => filled += n,
                Piece::Dropped(_) | Piece::End => return Ok(offset),
            }
        }
        let start = reader.offset - filled as u64;
        let newline = before.iter().rposition(|byte| *byte == b'\n');
        Ok(newline.map_or(if start == 0 { 0 } else { offset }, |at| start + at as u64 + 1))
    }

    /// The file that holds the byte at the offset. `None` where it was taken away while it was looked for.
    fn find(&self) -> io::Result<Option<(u64, File)>> {
        let part =
            if self.offset < self.head { None } else { self.parts()?.into_iter().rfind(|at| *at <= self.offset) };
        let Some(start) = part else { return Ok(Some((0, File::open(&self.log)?))) };
        match File::open(part_of(&self.log, start)) {
            Ok(file) => Ok(Some((start, file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The offsets of all files but the first, in order.
    fn parts(&self) -> io::Result<Vec<u64>> {
        parts(&self.log)
    }
}

/// The offsets of the files of the output at `log`, but for the first, in order.
fn parts(log: &Path) -> io::Result<Vec<u64>> {
    let Some(name) = log.file_name().and_then(|name| name.to_str()) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in fs::read_dir(log.parent().unwrap_or(log))? {
        let entry = entry?.file_name();
        let offset = entry.to_str().and_then(|entry| entry.strip_prefix(name)?.strip_prefix('.'));
        found.extend(offset.and_then(|offset| offset.parse::<u64>().ok()));
    }
    found.sort_unstable();
    Ok(found)
}

/// The files that hold the output at `log`, in order, and how many bytes were not kept behind the first of them.
///
/// # Errors
/// Where they cannot be looked at.
pub fn files(log: &Path) -> io::Result<(Vec<PathBuf>, u64)> {
    let parts = parts(log)?;
    let dropped =
        parts.first().map_or(Ok(0), |first| fs::metadata(log).map(|head| first.saturating_sub(head.len())))?;
    Ok((std::iter::once(log.to_owned()).chain(parts.iter().map(|at| part_of(log, *at))).collect(), dropped))
}

/// When the bytes of an output came.
#[derive(Debug)]
pub struct Times {
    lines: BufReader<File>,
    started: Timestamp,
    at: Option<Duration>,
    next: Option<(u64, Duration)>,
}

impl Times {
    /// The times of the output at `log`, of a process that began at `started`.
    ///
    /// # Errors
    /// Where they cannot be read, or were not kept.
    pub fn open(log: &Path, started: Timestamp) -> io::Result<Self> {
        let lines = BufReader::new(File::open(index_of(log))?);
        let mut times = Self { lines, started, at: None, next: None };
        times.next = times.entry()?;
        Ok(times)
    }

    /// When the byte at `offset` came. Asked for rising offsets only.
    ///
    /// # Errors
    /// Where the index cannot be read.
    pub fn at(&mut self, offset: u64) -> io::Result<Timestamp> {
        while let Some((from, after)) = self.next.filter(|(from, _)| *from <= offset) {
            self.at = Some(after);
            self.next = self.entry()?.filter(|(next, _)| *next >= from);
        }
        Ok(self.started.plus(self.at.unwrap_or_default()))
    }

    /// The next entry. One that is not whole is none.
    fn entry(&mut self) -> io::Result<Option<(u64, Duration)>> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        let entry = line.strip_suffix('\n').and_then(|line| line.split_once(' '));
        Ok(entry.and_then(|(offset, ms)| Some((offset.parse().ok()?, Duration::from_millis(ms.parse().ok()?)))))
    }
}

/// What stands where `bytes` bytes of an output would stand that were not kept.
#[must_use]
pub fn not_kept(bytes: u64) -> String {
    format!("[… {bytes} bytes of output were not kept …]")
}
