//! Lines for a person, no wider than their terminal.

use std::io::{self, IsTerminal as _, Write};

use crate::terminal::{columns, fitted};

/// Standard error. At a terminal a line that is too long is broken between words, and goes on as far in as it began.
pub(super) fn stderr() -> Said<io::Stderr> {
    let err = io::stderr();
    let width = err.is_terminal().then(columns);
    Said { to: err, line: Vec::new(), width }
}

/// Passes on whole lines.
pub(super) struct Said<W: Write> {
    to: W,
    line: Vec<u8>,
    /// How wide a line may be; as wide as it likes where there is no terminal.
    width: Option<usize>,
}

impl<W: Write> Said<W> {
    fn tell(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        match (self.width, std::str::from_utf8(&line)) {
            (Some(width), Ok(text)) => self.to.write_all(fitted(text, width, 0).as_bytes()),
            _ => self.to.write_all(&line),
        }
    }
}

impl<W: Write> Write for Said<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.tell()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tell()?;
        self.to.flush()
    }
}

impl<W: Write> Drop for Said<W> {
    fn drop(&mut self) {
        // Where nobody hears it, there is nobody to tell that either.
        let _ = self.flush();
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn told(width: Option<usize>) -> String {
        let mut heard = Vec::new();
        let mut said = Said { to: &mut heard, line: Vec::new(), width };
        writeln!(said, "a line that is too long for it\n  and one in it").unwrap();
        write!(said, "without end").unwrap();
        drop(said);
        String::from_utf8(heard).unwrap()
    }

    #[test]
    fn a_long_line_is_broken_between_words_where_there_is_a_terminal() {
        assert_eq!(told(None), "a line that is too long for it\n  and one in it\nwithout end");
        assert_eq!(told(Some(14)), "a line that is\ntoo long for\nit\n  and one in\n  it\nwithout end");
    }
}
