//! A prompt for one of several.

use super::key::Key;
use super::paint::Tone;
use super::prompt::{Body, Look, Prompt, Reply};
use super::sanitize::clean;
use super::text::Text;
use super::wrap::wrap_text;

/// Rows, of which one is chosen. At first none is.
pub(super) struct List {
    rows: Vec<String>,
    chosen: Option<usize>,
    /// The number that is being typed.
    number: usize,
    /// Whether the choice was made at an earlier showing.
    earlier: bool,
}

impl List {
    pub(super) fn new(rows: impl IntoIterator<Item = String>) -> Self {
        Self { rows: rows.into_iter().map(|row| clean(&row)).collect(), chosen: None, number: 0, earlier: false }
    }

    fn digit(&mut self, digit: usize) {
        let longer = self.number * 10 + digit;
        self.number = if (1..=self.rows.len()).contains(&longer) { longer } else { digit };
        self.chosen = self.number.checked_sub(1).filter(|row| *row < self.rows.len());
    }
}

impl Prompt for List {
    type Given = usize;

    fn draw(&self, room: usize, look: Look) -> Body {
        let (mut lines, mut focus) = (Vec::new(), 0);
        for (at, row) in self.rows.iter().enumerate() {
            let chosen = self.chosen == Some(at);
            let mark = format!("{} {:>2}. ", if chosen { ">" } else { " " }, at + 1);
            if chosen {
                focus = lines.len();
            }
            let tone = if chosen { Tone::Strong } else { Tone::Plain };
            lines.extend(marked(&mark, row, room).iter().map(|line| look.paint.tone(tone, line)));
        }
        Body { lines, focus, column: None }
    }

    fn key(&mut self, key: Key, text: &Text) -> Reply<usize> {
        let last = self.rows.len().saturating_sub(1);
        let earlier = std::mem::take(&mut self.earlier);
        match key {
            Key::Enter if earlier => return Reply::Hint(text.picked.to_owned()),
            Key::Enter => return self.chosen.map_or_else(|| Reply::Hint(text.pick.to_owned()), Reply::Given),
            Key::Ctrl('d') => return Reply::Hint(text.eof.to_owned()),
            Key::Paste(_) => return Reply::Hint(text.paste.to_owned()),
            Key::Up | Key::Letter('k') => self.chosen = Some(self.chosen.map_or(last, |row| row.saturating_sub(1))),
            Key::Down | Key::Letter('j') => self.chosen = Some(self.chosen.map_or(0, |row| (row + 1).min(last))),
            Key::Letter(letter) => {
                if let Some(digit) = letter.to_digit(10) {
                    self.digit(usize::try_from(digit).unwrap_or_default());
                    return Reply::Stay;
                }
            }
            _ => {}
        }
        self.number = 0;
        Reply::Stay
    }

    fn draft(&self) -> String {
        self.chosen.map(|row| row.to_string()).unwrap_or_default()
    }

    fn restore(&mut self, draft: &str) {
        self.chosen = draft.parse().ok().filter(|row| *row < self.rows.len());
        self.earlier = self.chosen.is_some();
    }
}

/// `row` in as many lines as it takes, behind `mark`.
pub(super) fn marked(mark: &str, row: &str, room: usize) -> Vec<String> {
    let wrapped = wrap_text(row, room.saturating_sub(mark.len()));
    let lines = wrapped
        .iter()
        .enumerate()
        .map(|(at, line)| if at == 0 { format!("{mark}{line}") } else { format!("{:1$}{line}", "", mark.len()) });
    lines.collect()
}
