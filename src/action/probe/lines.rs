//! Lines out of pieces of text, and which of them count.

/// How much of a line is looked at, in bytes.
const LONGEST: usize = 64 * 1024;
/// How many of the latest lines that counted are kept, and how much of each, in bytes.
pub(super) const LATEST: usize = 3;
const KEPT: usize = 400;
/// A line that is shorter, in bytes, was not cut: what is no text may have become longer, and space at the end is gone.
pub(super) const UNCUT: usize = KEPT / 2;

/// Counts the lines that have a text in them, in whatever pieces they come.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    wanted: Vec<u8>,
    /// The line that has no end yet.
    open: Vec<u8>,
    /// The latest lines that counted, since they were last taken.
    latest: Vec<String>,
}

impl Lines {
    /// Counts lines that have `wanted` in them.
    pub(super) fn with(wanted: &str) -> Self {
        Self { wanted: wanted.as_bytes().to_vec(), open: Vec::new(), latest: Vec::new() }
    }

    /// How many lines that end within `bytes` count. Of a line longer than 64 KiB the beginning is looked at.
    pub(super) fn push(&mut self, bytes: &[u8]) -> u64 {
        let mut count = 0;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let fits = piece.len().min(LONGEST.saturating_sub(self.open.len()));
            if piece.last() != Some(&b'\n') {
                self.open.extend_from_slice(&piece[..fits]);
            } else if self.open.is_empty() {
                count += self.line(&piece[..fits]);
            } else {
                self.open.extend_from_slice(&piece[..fits]);
                count += self.end();
            }
        }
        count
    }

    /// How many lines count when there is no more to come: the open one, or none.
    pub(super) fn end(&mut self) -> u64 {
        let line = std::mem::take(&mut self.open);
        if line.is_empty() { 0 } else { self.line(&line) }
    }

    /// The latest lines that counted since this was last asked.
    pub(super) fn latest(&mut self) -> Vec<String> {
        std::mem::take(&mut self.latest)
    }

    fn line(&mut self, line: &[u8]) -> u64 {
        if !self.counts(line) {
            return 0;
        }
        self.latest.push(String::from_utf8_lossy(&line[..line.len().min(KEPT)]).trim_end().to_owned());
        let over = self.latest.len().saturating_sub(LATEST);
        self.latest.drain(..over);
        1
    }

    fn counts(&self, line: &[u8]) -> bool {
        // A line of the log is text; what is wanted may not reach over its end.
        self.wanted.is_empty() || memmem(line, &self.wanted)
    }
}

fn memmem(line: &[u8], wanted: &[u8]) -> bool {
    line.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Lines};

    #[test]
    fn a_line_counts_once_however_it_is_cut() {
        let text = b"ERROR one\nfine\nERROR ERROR two\nERR\nOR\nthe last ERROR";
        for cut in 0..=text.len() {
            let mut lines = Lines::with("ERROR");
            let count = lines.push(&text[..cut]) + lines.push(&text[cut..]);
            assert_eq!((count, lines.end(), lines.end()), (2, 1, 0), "cut at {cut}");
            assert_eq!(lines.latest(), ["ERROR one", "ERROR ERROR two", "the last ERROR"], "cut at {cut}");
            assert!(lines.latest().is_empty());
        }
    }

    #[test]
    fn an_endless_line_is_bounded() {
        let mut lines = Lines::with("ERROR");
        assert_eq!((0..100).map(|_| lines.push(&[b'x'; 10_000])).sum::<u64>(), 0);
        assert!(lines.open.len() <= LONGEST);
        assert_eq!((lines.push(b" ERROR\n"), lines.push(b"ERROR\n")), (0, 1));
    }
}
