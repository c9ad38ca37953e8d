//! A prompt for one line of text.

use super::key::Key;
use super::paint::{cut, letter_width};
use super::prompt::{Body, Look, Prompt, Reply};
use super::sanitize::clean;
use super::text::Text;

/// What stands before what is typed.
const MARK: &str = "> ";

/// What an Enter on a line that nobody touched since it was shown does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Untouched {
    /// It sends it.
    Sends,
    /// Nothing: what it would send was typed at an earlier showing, or not at all.
    Refused,
}

/// Takes a line, or says why not.
type Check<'a, T> = Box<dyn Fn(&str) -> Result<T, String> + 'a>;

/// A line that is typed.
pub(super) struct Line<'a, T> {
    /// What is said above it.
    above: String,
    letters: Vec<char>,
    /// How many letters are left of the cursor.
    at: usize,
    untouched: Untouched,
    touched: bool,
    check: Check<'a, T>,
}

impl<'a, T> Line<'a, T> {
    pub(super) fn new(
        above: impl Into<String>,
        untouched: Untouched,
        check: impl Fn(&str) -> Result<T, String> + 'a,
    ) -> Self {
        let check = Box::new(check);
        Self { above: clean(&above.into()), letters: Vec::new(), at: 0, untouched, touched: false, check }
    }

    fn insert(&mut self, text: &str) {
        let letters: Vec<char> = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        let added = letters.len();
        self.letters.splice(self.at..self.at, letters);
        self.at += added;
    }

    fn typed(&self) -> String {
        self.letters.iter().collect()
    }

    fn send(&mut self, text: &Text) -> Reply<T> {
        if self.untouched == Untouched::Refused && !self.touched && !self.letters.is_empty() {
            (self.letters, self.at) = (Vec::new(), 0);
            return Reply::Hint(text.stale.to_owned());
        }
        match (self.check)(&self.typed()) {
            Ok(given) => Reply::Given(given),
            Err(hint) => {
                if self.untouched == Untouched::Refused {
                    (self.letters, self.at) = (Vec::new(), 0);
                }
                Reply::Hint(hint)
            }
        }
    }

    fn rub_out_word(&mut self) {
        let end = self.at;
        while self.at > 0 && self.letters[self.at - 1].is_whitespace() {
            self.at -= 1;
        }
        while self.at > 0 && !self.letters[self.at - 1].is_whitespace() {
            self.at -= 1;
        }
        self.letters.drain(self.at..end);
    }
}

impl<T> Prompt for Line<'_, T> {
    type Given = T;

    fn draw(&self, room: usize, _: Look) -> Body {
        let mut lines = super::wrap::wrap_text(&self.above, room);
        if self.above.is_empty() {
            lines.clear();
        }
        let room = room.saturating_sub(MARK.len() + 1);
        // What is left of the cursor is dropped from its beginning until the cursor can be seen.
        let (mut first, mut before): (usize, usize) =
            (0, self.letters[..self.at].iter().map(|&l| letter_width(l)).sum());
        while before > room {
            before -= letter_width(self.letters[first]);
            first += 1;
        }
        let seen: String = self.letters[first..].iter().collect();
        lines.push(format!("{MARK}{}", cut(&seen, room + 1)));
        Body { focus: lines.len() - 1, lines, column: Some(MARK.len() + before) }
    }

    fn key(&mut self, key: Key, text: &Text) -> Reply<T> {
        match key {
            Key::Enter => return self.send(text),
            Key::Ctrl('d') if self.letters.is_empty() => return Reply::Hint(text.eof.to_owned()),
            Key::Letter(letter) => self.insert(letter.encode_utf8(&mut [0; 4])),
            Key::Paste(pasted) => self.insert(pasted.trim_end_matches(['\r', '\n'])),
            Key::Backspace if self.at > 0 => {
                self.at -= 1;
                self.letters.remove(self.at);
            }
            Key::Delete if self.at < self.letters.len() => {
                self.letters.remove(self.at);
            }
            Key::Left => self.at = self.at.saturating_sub(1),
            Key::Right => self.at = (self.at + 1).min(self.letters.len()),
            Key::Home | Key::Ctrl('a') => self.at = 0,
            Key::End | Key::Ctrl('e') => self.at = self.letters.len(),
            Key::Ctrl('u') => {
                self.letters.drain(..self.at);
                self.at = 0;
            }
            Key::Ctrl('k') => self.letters.truncate(self.at),
            Key::Ctrl('w') => self.rub_out_word(),
            _ => return Reply::Stay,
        }
        self.touched = true;
        Reply::Stay
    }

    fn draft(&self) -> String {
        self.typed()
    }

    fn restore(&mut self, draft: &str) {
        self.letters = draft.chars().collect();
        self.at = self.letters.len();
    }
}
