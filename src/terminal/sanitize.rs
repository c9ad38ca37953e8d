//! What a program writes, without what would move the cursor.
//!
//! # Why
//! A log line can carry any bytes: cursor movement would paint over a prompt, an OSC sequence can set a title or the
//! clipboard, and a mark that turns the direction of writing makes a command read as another one. Text is kept, all else goes.

/// The longest line that is held back, in bytes; what is longer is broken.
const LONGEST: usize = 16 * 1024;
/// How far apart tab stops are, in columns.
const TAB: usize = 8;

/// Takes bytes that were cut anywhere, and gives lines.
#[derive(Debug, Default)]
pub struct Sanitizer {
    state: State,
    /// The bytes so far of a character that is not whole.
    letter: Vec<u8>,
    line: String,
    /// The line is begun anew when something more is written to it.
    returned: Returned,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// In a sequence of ESC and bytes up to a final one.
    Short,
    /// In a control sequence: ESC [.
    Control,
    /// In a string that a terminal takes for itself: OSC, DCS, APC, PM, SOS.
    Hidden,
    /// In such a string, after ESC.
    HiddenEscape,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Returned {
    #[default]
    No,
    Yes,
}

impl Sanitizer {
    /// Takes `bytes`, and gives the lines that they completed.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let (mut lines, mut rest) = (Vec::new(), bytes);
        while let Some((&byte, behind)) = rest.split_first() {
            let plain = self.plain(rest, &mut lines);
            if plain > 0 {
                rest = &rest[plain..];
            } else {
                self.take(byte, &mut lines);
                rest = behind;
            }
        }
        lines
    }

    /// The line that is not complete yet; empty where there is none.
    #[must_use]
    pub fn partial(&self) -> &str {
        &self.line
    }

    /// Ends the output: what there is of a last line.
    pub fn finish(&mut self) -> Option<String> {
        self.broken_letter();
        let line = std::mem::take(&mut self.line);
        *self = Self::default();
        (!line.is_empty()).then_some(line)
    }

    /// Takes the text that `bytes` begin with, as far as nothing is to be done about it, at once; and tells how long it is.
    fn plain(&mut self, bytes: &[u8], lines: &mut Vec<String>) -> usize {
        if self.state != State::Text || self.returned == Returned::Yes || !self.letter.is_empty() {
            return 0;
        }
        let end = bytes.iter().position(|byte| !matches!(byte, 0x20..=0x7e)).unwrap_or(bytes.len());
        let end = end.min(LONGEST + 1 - self.line.len());
        let Ok(text) = std::str::from_utf8(&bytes[..end]) else { return 0 };
        self.line.push_str(text);
        self.broken_line(lines);
        end
    }

    /// Breaks a line that is too long.
    fn broken_line(&mut self, lines: &mut Vec<String>) {
        if self.line.len() > LONGEST {
            lines.push(std::mem::take(&mut self.line));
        }
    }

    fn take(&mut self, byte: u8, lines: &mut Vec<String>) {
        match (self.state, byte) {
            (State::Text, 0x1b) => {
                self.broken_letter();
                self.state = State::Escape;
            }
            (State::Text, _) => self.text(byte, lines),
            // A new line ends any sequence: one that is never closed must not swallow the rest.
            (_, b'\n') => {
                self.state = State::Text;
                self.text(byte, lines);
            }
            (_, 0x18 | 0x1a) | (State::HiddenEscape, b'\\') | (State::Hidden, 0x07) => self.state = State::Text,
            (State::Hidden, 0x1b) => self.state = State::HiddenEscape,
            (State::Hidden, _) | (State::Control, 0x20..=0x3f) => {}
            (State::HiddenEscape | State::Escape, b'[') => self.state = State::Control,
            (State::HiddenEscape | State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => self.state = State::Hidden,
            (State::HiddenEscape | State::Escape | State::Short, 0x20..=0x2f) => self.state = State::Short,
            (_, 0x1b) => self.state = State::Escape,
            (State::HiddenEscape | State::Escape | State::Short | State::Control, _) => self.state = State::Text,
        }
    }

    fn text(&mut self, byte: u8, lines: &mut Vec<String>) {
        if byte.is_ascii() {
            self.broken_letter();
        }
        match byte {
            b'\n' => {
                self.returned = Returned::No;
                lines.push(std::mem::take(&mut self.line));
            }
            b'\r' => self.returned = Returned::Yes,
            0x08 => {
                self.line.pop();
            }
            b'\t' => {
                let column = self.line.chars().count();
                (column % TAB..TAB).for_each(|_| self.write(' '));
            }
            0x20..=0x7e => self.write(char::from(byte)),
            0x80.. => self.part(byte),
            _ => {}
        }
        self.broken_line(lines);
    }

    /// Takes a byte of a character of several.
    fn part(&mut self, byte: u8) {
        let continues = byte & 0xc0 == 0x80;
        if !continues {
            self.broken_letter();
        }
        self.letter.push(byte);
        match std::str::from_utf8(&self.letter) {
            Ok(text) => {
                let letter = text.chars().next();
                self.letter.clear();
                if let Some(letter) = letter.filter(|letter| is_kept(*letter)) {
                    self.write(letter);
                }
            }
            Err(error) if error.error_len().is_some() => self.broken_letter(),
            Err(_) => {}
        }
    }

    fn broken_letter(&mut self) {
        if !self.letter.is_empty() {
            self.letter.clear();
            self.write(char::REPLACEMENT_CHARACTER);
        }
    }

    fn write(&mut self, letter: char) {
        if std::mem::take(&mut self.returned) == Returned::Yes {
            self.line.clear();
        }
        self.line.push(letter);
    }
}

/// Whether a character neither controls the terminal nor turns the direction of writing.
fn is_kept(letter: char) -> bool {
    let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !letter.is_control() && !turns
}

/// `text` without anything that would control a terminal; its lines stay lines.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut sanitizer = Sanitizer::default();
    let mut lines = sanitizer.push(text.as_bytes());
    let ended = text.ends_with('\n');
    lines.extend(sanitizer.finish());
    let mut text = lines.join("\n");
    if ended {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Sanitizer};
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    #[test]
    fn a_line_without_an_end_is_broken_and_loses_nothing() {
        let mut sanitizer = Sanitizer::default();
        let (mut lines, mut longest) = (Vec::new(), 0);
        for _ in 0..100 {
            lines.extend(sanitizer.push(&[b'x'; 5000]));
            longest = longest.max(sanitizer.partial().len());
        }
        lines.extend(sanitizer.finish());
        assert!(longest <= LONGEST && lines.iter().all(|line| line.len() <= LONGEST + 1));
        assert_eq!(lines.concat(), "x".repeat(500_000));
    }

    proptest! {
        #[test]
        fn what_comes_out_does_not_depend_on_the_cuts(
            bytes in prop::collection::vec(prop::sample::select(&b"ab \n\r\t\x08\x1b[];m\x07\xe5\x89\x8d\xff"[..]), 0..60),
            cut in any::<prop::sample::Index>(),
        ) {
            let lines = |pieces: &[&[u8]]| {
                let mut sanitizer = Sanitizer::default();
                let mut lines: Vec<_> = pieces.iter().flat_map(|piece| sanitizer.push(piece)).collect();
                lines.extend(sanitizer.finish());
                lines
            };
            let whole = lines(&[&bytes]);
            let letters: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(&lines(&letters), &whole);
            let (before, behind) = bytes.split_at(cut.index(bytes.len() + 1));
            prop_assert_eq!(&lines(&[before, behind]), &whole);
        }
    }
}
