//! The output of a step, as `hotfix log --output` prints it: in pieces, so that its size does not matter.

use std::io::{self, Write};

use crate::process::{Piece, Reader, Times, not_kept};
use crate::report;

/// How much is read at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// Whether bytes are printed as they are. A terminal gets none that control it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    Yes,
    No,
}

/// Whether each line begins with the time it came at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamps {
    Shown,
    None,
}

/// Prints one output.
pub(super) struct Printed {
    raw: Raw,
    times: Option<Times>,
    date: String,
    /// Bytes of a character that is not whole yet.
    letter: Vec<u8>,
    /// The last byte that was printed.
    last: u8,
}

impl Printed {
    pub(super) fn new(raw: Raw, times: Option<Times>) -> Self {
        Self { raw, times, date: String::new(), letter: Vec::new(), last: b'\n' }
    }

    /// Prints all there is.
    pub(super) fn all(mut self, mut reader: Reader, out: &mut dyn Write) -> io::Result<()> {
        let mut bytes = vec![0; CHUNK];
        loop {
            let at = reader.offset();
            match reader.read(&mut bytes)? {
                Piece::Bytes(n) => self.stamped(at, &bytes[..n], out)?,
                Piece::Dropped(gap) => {
                    self.broken(out)?;
                    let before = if self.last == b'\n' { "" } else { "\n" };
                    writeln!(out, "{before}{}", not_kept(gap))?;
                    self.last = b'\n';
                }
                Piece::End => return self.broken(out),
            }
        }
    }

    /// Prints `bytes`, whose first is at the offset `at`.
    fn stamped(&mut self, at: u64, bytes: &[u8], out: &mut dyn Write) -> io::Result<()> {
        if self.times.is_none() {
            return self.plain(bytes, out);
        }
        let mut at = at;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.last == b'\n' {
                self.stamp(at, out)?;
            }
            self.plain(line, out)?;
            at += line.len() as u64;
        }
        Ok(())
    }

    /// Prints when the byte at the offset `at` came. Times are of the day, so each day is headed by its date.
    fn stamp(&mut self, at: u64, out: &mut dyn Write) -> io::Result<()> {
        let Some(times) = &mut self.times else { return Ok(()) };
        let time = times.at(at)?;
        let date = time.local_date();
        if date != self.date {
            writeln!(out, "-- {date}")?;
            self.date = date;
        }
        write!(out, "{}  ", time.local_time_millis())
    }

    fn plain(&mut self, bytes: &[u8], out: &mut dyn Write) -> io::Result<()> {
        self.last = bytes.last().copied().unwrap_or(self.last);
        if self.raw == Raw::Yes {
            return out.write_all(bytes);
        }
        self.letter.extend_from_slice(bytes);
        let all = std::mem::take(&mut self.letter);
        let whole = all.len() - unfinished(&all);
        self.letter.extend_from_slice(&all[whole..]);
        out.write_all(report::printable(&String::from_utf8_lossy(&all[..whole])).as_bytes())
    }

    /// Prints what there is of a character that goes no further.
    fn broken(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let letter = std::mem::take(&mut self.letter);
        out.write_all(String::from_utf8_lossy(&letter).as_bytes())
    }
}

/// How many of the last bytes are the beginning of a character that goes on behind them.
fn unfinished(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last().map(|chunk| chunk.invalid()).unwrap_or_default();
    let cut = std::str::from_utf8(last).is_err_and(|error| error.error_len().is_none());
    if cut { last.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::unfinished;

    #[test]
    fn only_a_character_that_may_go_on_is_held_back() {
        assert_eq!(["ä前".as_bytes(), b"a\xff", b"", b"\xe5\x89a"].map(unfinished), [0; 4]);
        assert_eq!([&b"a\xe5\x89"[..], b"\xc3", b"\xf0\x9f\x98"].map(unfinished), [2, 1, 3]);
    }
}
