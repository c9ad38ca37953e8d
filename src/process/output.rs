//! What a process writes, on its way to the disk: its bytes as they came, and beside them when they came.
//!
//! # Why
//! The offset of a byte is its place in all that was ever written, whatever is kept of it. `NAME.log` has the first half of what
//! may be kept. What follows goes to files `NAME.log.OFFSET`, each named by the offset of its first byte; the oldest of
//! them is taken away where there would be too many. So the first and the last bytes are kept, the middle goes, nothing is ever
//! moved, and a file that somebody has open never holds other bytes than those it began with.
//!
//! `NAME.index` has lines `OFFSET MILLISECONDS`, both rising: what was written from that offset on came so long after the start,
//! to within ten milliseconds.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::status::beside;
use crate::clock::Timestamp;

/// Into how many files the second half of what is kept is divided.
const PARTS: usize = 8;
/// The time between two entries of an index.
const ENTRY: Duration = Duration::from_millis(10);
/// After so many entries (hours of talk without a pause) they are made as rarely as [`RARE`].
const MANY: u64 = 1_000_000;
const RARE: Duration = Duration::from_secs(1);

/// The index of the output at `log`.
pub(super) fn index_of(log: &Path) -> PathBuf {
    log.with_extension("index")
}

/// The file that holds the output at `log` from `offset` on.
pub(super) fn part_of(log: &Path, offset: u64) -> PathBuf {
    beside(log, &format!(".{offset}"))
}

/// How much of the output goes to its first file, where `limit` bytes are kept.
pub(super) fn head_of(limit: u64) -> u64 {
    limit - part_size(limit) * PARTS as u64
}

/// How large the other files are.
fn part_size(limit: u64) -> u64 {
    limit / (2 * PARTS as u64)
}

/// Writes the output of one process.
#[derive(Debug)]
pub(super) struct Output {
    log: PathBuf,
    file: File,
    /// How much more goes to `file`, in bytes.
    room: u64,
    head: u64,
    part: u64,
    /// Their offsets.
    parts: VecDeque<u64>,
    /// The offset of the next byte.
    end: u64,
}

impl Output {
    /// An empty output at `log`, of which `limit` bytes are kept.
    pub(super) fn create(log: &Path, limit: u64) -> io::Result<Self> {
        let (head, part) = (head_of(limit), part_size(limit).max(1));
        Ok(Self { log: log.to_owned(), file: made(log)?, room: head, head, part, parts: VecDeque::new(), end: 0 })
    }

    /// The offset of the next byte.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// How many bytes were not kept.
    pub(super) fn dropped(&self) -> u64 {
        self.parts.front().map_or(0, |first| first - self.head)
    }

    /// Adds `bytes`.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.room == 0 {
                bytes = self.turn(bytes)?;
            }
            let n = bytes.len().min(usize::try_from(self.room).unwrap_or(usize::MAX));
            self.file.write_all(&bytes[..n])?;
            bytes = &bytes[n..];
            self.room -= n as u64;
            self.end += n as u64;
        }
        Ok(())
    }

    /// Begins the next file, and gives what of `bytes` is still to be written: what would be taken away again is not.
    fn turn<'a>(&mut self, bytes: &'a [u8]) -> io::Result<&'a [u8]> {
        let most = usize::try_from(self.part).unwrap_or(usize::MAX).saturating_mul(PARTS);
        let over = bytes.len().saturating_sub(most);
        let kept = if over > 0 { 0 } else { PARTS - 1 };
        while self.parts.len() > kept {
            if let Some(oldest) = self.parts.pop_front() {
                std::fs::remove_file(part_of(&self.log, oldest))?;
            }
        }
        self.end += over as u64;
        self.file = made(&part_of(&self.log, self.end))?;
        self.room = self.part;
        self.parts.push_back(self.end);
        Ok(&bytes[over..])
    }
}

fn made(path: &Path) -> io::Result<File> {
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Writes when the output came.
#[derive(Debug)]
pub(super) struct Index {
    file: File,
    started: Timestamp,
    /// The last entry: how long after the start.
    last: Option<Duration>,
    entries: u64,
}

impl Index {
    /// An empty index of the output at `log`, of a process that began at `started`.
    pub(super) fn create(log: &Path, started: Timestamp) -> io::Result<Self> {
        Ok(Self { file: made(&index_of(log))?, started, last: None, entries: 0 })
    }

    /// What is written from `offset` on came at `now`.
    pub(super) fn note(&mut self, offset: u64, now: Timestamp) -> io::Result<()> {
        let after = now.since(self.started);
        let apart = if self.entries < MANY { ENTRY } else { RARE };
        if self.last.is_some_and(|last| after < last + apart) {
            return Ok(());
        }
        self.last = Some(after);
        self.entries += 1;
        self.file.write_all(format!("{offset} {}\n", after.as_millis()).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::super::reader::{Piece, Reader};
    use super::{Index, Output, head_of, index_of};
    use crate::clock::Timestamp;
    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

    /// Everything that can be read from `offset` on, with the places and lengths of what is not kept.
    fn read(mut reader: Reader) -> (Vec<u8>, Vec<(u64, u64)>) {
        let (mut bytes, mut gaps, mut buffer) = (Vec::new(), Vec::new(), [0; 7]);
        loop {
            let at = reader.offset();
            match reader.read(&mut buffer).unwrap() {
                Piece::Bytes(n) => bytes.extend_from_slice(&buffer[..n]),
                Piece::Dropped(n) => gaps.push((at, n)),
                Piece::End => return (bytes, gaps),
            }
        }
    }

    proptest! {
        #[test]
        fn the_first_and_the_last_bytes_are_kept_and_the_middle_is_counted(
            limit in 16u64..400,
            sizes in prop::collection::vec(0usize..300, 0..12),
            from in 0u64..600,
        ) {
            let dir = tempfile::TempDir::new().unwrap();
            let log = dir.path().join("a.1.log");
            let mut output = Output::create(&log, limit).unwrap();
            let mut all: Vec<u8> = Vec::new();
            for size in sizes {
                let piece: Vec<u8> = (all.len()..all.len() + size).map(|at| (at % 251).to_le_bytes()[0]).collect();
                output.write(&piece).unwrap();
                all.extend(piece);
                prop_assert_eq!(output.end(), all.len() as u64);
            }
            let dropped = usize::try_from(output.dropped()).unwrap();
            let (bytes, gaps) = read(Reader::open(&log, 0));
            prop_assert!(bytes.len() as u64 <= limit);
            if dropped == 0 {
                prop_assert_eq!(&bytes, &all);
                prop_assert!(gaps.is_empty());
            } else {
                let head = usize::try_from(head_of(limit)).unwrap();
                prop_assert!(all.len() as u64 > limit && head as u64 >= limit / 2);
                prop_assert_eq!(gaps, [(head as u64, dropped as u64)]);
                prop_assert_eq!(&bytes[..head], &all[..head]);
                prop_assert_eq!(&bytes[head..], &all[head + dropped..]);
                // An eighth of the second half at most is lost to the edges of files.
                prop_assert!(bytes.len() as u64 >= limit - limit / 16, "{} of {limit}", bytes.len());
            }
            prop_assert_eq!(Reader::open(&log, 0).end().unwrap(), all.len() as u64);
            let from = usize::try_from(from).unwrap().min(all.len());
            let (rest, _) = read(Reader::open(&log, from as u64));
            let gone = from.saturating_sub(usize::try_from(head_of(limit)).unwrap()).min(dropped);
            prop_assert_eq!(&rest, &bytes[from - gone..]);
        }
    }

    #[test]
    fn an_index_has_an_entry_every_ten_milliseconds_at_most_and_never_goes_back() {
        let dir = tempfile::TempDir::new().unwrap();
        let log = dir.path().join("a.1.log");
        let mut index = Index::create(&log, Timestamp::from_millis(1000)).unwrap();
        for (offset, now) in [(0, 1003), (5, 1004), (9, 1012), (20, 1013), (30, 1002), (40, 5000)] {
            index.note(offset, Timestamp::from_millis(now)).unwrap();
        }
        assert_eq!(std::fs::read_to_string(index_of(&log)).unwrap(), "0 3\n20 13\n40 4000\n");
    }
}
