//! What a command at the operator's terminal writes, on its way to the disk.
//!
//! # Why
//! A terminal turns the end of a line into two bytes. That is undone here, so that the file reads as that of any other command,
//! and before the secrets are looked for: one of several lines is found as it was given.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::mask::{Masker, Stream};

/// How much of an output is kept, in bytes; the rest goes.
pub(super) const LIMIT: u64 = 1024 * 1024 * 1024;

/// Writes the output of one command.
pub(super) struct Record {
    file: Option<File>,
    mask: Stream,
    /// Whether the last byte was a carriage return, which is held back until it is known what follows.
    returned: bool,
    /// How many more bytes are kept.
    room: u64,
    /// Why it is not all there.
    lost: Option<String>,
}

impl Record {
    /// One that goes to the file at `path`, of `limit` bytes at most. Where that cannot be written, the end of it says so: a
    /// command that somebody talks to is not kept from running by that.
    pub(super) fn open(path: &Path, masker: &Masker, limit: u64) -> Self {
        let opened = File::options().append(true).create(true).mode(0o600).open(path);
        let (file, lost) = match opened {
            Ok(file) => (Some(file), None),
            Err(error) => (None, Some(format!("{}: {error}", path.display()))),
        };
        Self { file, mask: masker.stream(), returned: false, room: limit, lost }
    }

    /// Adds what was written.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let mut text = Vec::with_capacity(bytes.len() + 1);
        for &byte in bytes {
            if self.returned && byte != b'\n' {
                text.push(b'\r');
            }
            self.returned = byte == b'\r';
            if !self.returned {
                text.push(byte);
            }
        }
        let masked = self.mask.push(&text);
        self.write(&masked);
    }

    /// Adds what was held back. Gives why the file has not all of it, where it has not.
    pub(super) fn finish(&mut self) -> Option<String> {
        let mut rest = if std::mem::take(&mut self.returned) { self.mask.push(b"\r") } else { Vec::new() };
        rest.extend(self.mask.finish());
        self.write(&rest);
        self.lost.clone()
    }

    fn write(&mut self, bytes: &[u8]) {
        let Some(file) = &mut self.file else { return };
        let fits = bytes.len().min(usize::try_from(self.room).unwrap_or(usize::MAX));
        self.room -= fits as u64;
        if let Err(error) = file.write_all(&bytes[..fits]) {
            (self.file, self.lost) = (None, Some(error.to_string()));
        } else if fits < bytes.len() {
            (self.file, self.lost) = (None, Some("it was more than is kept".to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::Record;
    use crate::mask::Masker;

    /// What is kept of `pieces`, and what is said of the rest.
    fn kept(pieces: &[&str], limit: u64) -> (String, Option<String>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("output");
        let mut record = Record::open(&path, &Masker::new(["two\nlines"]).unwrap(), limit);
        pieces.iter().for_each(|piece| record.push(piece.as_bytes()));
        let lost = record.finish();
        (std::fs::read_to_string(path).unwrap(), lost)
    }

    #[test]
    fn lines_end_as_they_were_written_and_a_secret_of_two_is_found() {
        assert_eq!(kept(&["a\r\nb\r", "\nc\rd\r\r\n"], 100), ("a\nb\nc\rd\r\n".to_owned(), None));
        assert_eq!(kept(&["a two\r", "\nlines b\r"], 100), ("a *** b\r".to_owned(), None));
    }

    #[test]
    fn what_is_too_much_is_not_kept_and_that_is_said() {
        assert_eq!(kept(&["abc", "def"], 6), ("abcdef".to_owned(), None));
        let (kept, lost) = kept(&["abc", "def", "ghi"], 5);
        assert_eq!((kept.as_str(), lost.is_some()), ("abcde", true));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let mut record = Record::open(&dir.path().join("none/output"), &Masker::default(), 10);
        record.push(b"abc");
        assert!(record.finish().unwrap().contains("none/output"));
    }
}
