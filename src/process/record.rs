//! What a command at the operator's terminal writes, on its way to the disk.
//!
//! # Why
//! A terminal turns the end of a line into two bytes. That is undone here, so that the file reads as that of any other command,
//! and before the secrets are looked for: one of several lines is found as it was given.

use std::io;
use std::path::Path;

use super::Limit;
use super::output::{Index, Output};
use crate::clock::{Clock as _, SystemClock};
use crate::mask::{Masker, Stream};

/// Writes the output of one command.
pub(super) struct Record {
    /// `None` where it cannot be written.
    kept: Option<(Output, Index)>,
    mask: Stream,
    /// Whether the last byte was a carriage return, which is held back until it is known what follows.
    returned: bool,
    /// Why it is not all there.
    lost: Option<String>,
}

impl Record {
    /// One that goes to the file at `path`, and `limit` bytes of it are kept. Where that cannot be written, the end of it says so:
    /// a command that somebody talks to is not kept from running by that.
    pub(super) fn open(path: &Path, masker: &Masker, limit: Limit) -> Self {
        let open = || Ok((Output::create(path, limit.bytes())?, Index::create(path, SystemClock.now())?));
        let (kept, lost) = match open() {
            Ok(kept) => (Some(kept), None),
            Err(error) => (None, Some(lost_of(path, &error))),
        };
        Self { kept, mask: masker.stream(), returned: false, lost }
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

    /// Adds what was held back. Gives why not all of it could be written, where it could not, and how many bytes were more than
    /// is kept.
    pub(super) fn finish(&mut self) -> (Option<String>, u64) {
        let mut rest = if std::mem::take(&mut self.returned) { self.mask.push(b"\r") } else { Vec::new() };
        rest.extend(self.mask.finish());
        self.write(&rest);
        (self.lost.clone(), self.kept.as_ref().map_or(0, |(output, _)| output.dropped()))
    }

    fn write(&mut self, bytes: &[u8]) {
        let Some((output, index)) = self.kept.as_mut().filter(|_| !bytes.is_empty()) else { return };
        let written = index.note(output.end(), SystemClock.now()).and_then(|()| output.write(bytes));
        if let Err(error) = written {
            (self.kept, self.lost) = (None, Some(error.to_string()));
        }
    }
}

/// Why there is no output at `path`.
fn lost_of(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::Record;
    use crate::mask::Masker;
    use crate::process::Limit;

    /// What is kept of `pieces`.
    fn kept(pieces: &[&str]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("output.log");
        let masker = Masker::new(["two\nlines"]).unwrap();
        let mut record = Record::open(&path, &masker, Limit::of(Limit::LEAST).unwrap());
        pieces.iter().for_each(|piece| record.push(piece.as_bytes()));
        assert_eq!(record.finish(), (None, 0));
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn lines_end_as_they_were_written_and_a_secret_of_two_is_found() {
        assert_eq!(kept(&["a\r\nb\r", "\nc\rd\r\r\n"]), "a\nb\nc\rd\r\n");
        assert_eq!(kept(&["a two\r", "\nlines b\r"]), "a *** b\r");
    }

    #[test]
    fn of_too_much_the_ends_are_kept_and_the_middle_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("output.log");
        let mut record = Record::open(&path, &Masker::default(), Limit::of(Limit::LEAST).unwrap());
        (0..20_000).for_each(|n| record.push(format!("line {n}\r\n").as_bytes()));
        let (lost, dropped) = record.finish();
        let (files, also) = crate::process::files(&path).unwrap();
        let text: Vec<_> = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
        assert!(lost.is_none() && dropped > 0 && dropped == also, "{lost:?}, {dropped}, {also}");
        assert!(text[0].starts_with("line 0\n") && text.last().unwrap().ends_with("line 19999\n"));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("none/output.log");
        let mut record = Record::open(&path, &Masker::default(), Limit::of(Limit::LEAST).unwrap());
        record.push(b"abc");
        assert!(record.finish().0.unwrap().contains("none/output"));
    }
}
