//! Lines out of pieces of text, and which of them count.

/// How much of a line is looked at, in bytes.
const LONGEST: usize = 64 * 1024;

/// Counts the lines that have a text in them, in whatever pieces they come.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    wanted: Vec<u8>,
    /// The line that has no end yet.
    open: Vec<u8>,
}

impl Lines {
    /// Counts lines that have `wanted` in them.
    pub(super) fn with(wanted: &str) -> Self {
        Self { wanted: wanted.as_bytes().to_vec(), open: Vec::new() }
    }

    /// How many lines that end within `bytes` count. Of a line longer than 64 KiB the beginning is looked at.
    pub(super) fn push(&mut self, bytes: &[u8]) -> u64 {
        let mut count = 0;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let fits = piece.len().min(LONGEST.saturating_sub(self.open.len()));
            if piece.last() != Some(&b'\n') {
                self.open.extend_from_slice(&piece[..fits]);
            } else if self.open.is_empty() {
                count += u64::from(self.counts(&piece[..fits]));
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
        u64::from(!line.is_empty() && self.counts(&line))
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
