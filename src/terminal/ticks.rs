//! A prompt for several of several.

use super::key::Key;
use super::list::marked;
use super::paint::Tone;
use super::prompt::{Body, Look, Prompt, Reply};
use super::sanitize::clean;
use super::text::{Text, fill};

/// Takes what is ticked, or says why not.
type Check<'a, T> = Box<dyn Fn(&[usize]) -> Result<T, String> + 'a>;

/// Rows to be ticked, and a last one to finish with.
///
/// # Why
/// Where nothing has to be ticked, an Enter could finish what nobody has read: until something was ticked, it does so only on
/// the last row, which has to be moved to.
pub(super) struct Ticks<'a, T> {
    rows: Vec<String>,
    ticked: Vec<usize>,
    /// The row with the cursor; the number of rows is the last row.
    at: usize,
    touched: bool,
    check: Check<'a, T>,
}

impl<'a, T> Ticks<'a, T> {
    pub(super) fn new(
        rows: impl IntoIterator<Item = String>,
        check: impl Fn(&[usize]) -> Result<T, String> + 'a,
    ) -> Self {
        let rows = rows.into_iter().map(|row| clean(&row)).collect();
        Self { rows, ticked: Vec::new(), at: 0, touched: false, check: Box::new(check) }
    }

    fn toggle(&mut self) {
        if self.at < self.rows.len() {
            self.touched = true;
            let before = self.ticked.len();
            self.ticked.retain(|row| *row != self.at);
            if self.ticked.len() == before {
                self.ticked.push(self.at);
                self.ticked.sort_unstable();
            }
        }
    }
}

impl<T> Prompt for Ticks<'_, T> {
    type Given = T;

    fn draw(&self, room: usize, look: Look) -> Body {
        let (mut lines, mut focus) = (Vec::new(), 0);
        for at in 0..=self.rows.len() {
            let here = self.at == at;
            let cursor = if here { ">" } else { " " };
            if here {
                focus = lines.len();
            }
            let (mark, row) = match self.rows.get(at) {
                Some(row) => {
                    (format!("{cursor} [{}] ", if self.ticked.contains(&at) { "x" } else { " " }), row.as_str())
                }
                None => (format!("{cursor} "), look.text.finish),
            };
            let tone = if here { Tone::Strong } else { Tone::Plain };
            lines.extend(marked(&mark, row, room).iter().map(|line| look.paint.tone(tone, line)));
        }
        Body { lines, focus, column: None }
    }

    fn key(&mut self, key: Key, text: &Text) -> Reply<T> {
        match key {
            Key::Enter => {
                return match (self.check)(&self.ticked) {
                    Err(hint) => Reply::Hint(hint),
                    Ok(given) if self.touched || self.at == self.rows.len() => Reply::Given(given),
                    Ok(_) => Reply::Hint(fill(text.to_finish, &[text.finish])),
                };
            }
            Key::Ctrl('d') => return Reply::Hint(text.eof.to_owned()),
            Key::Paste(_) => return Reply::Hint(text.paste.to_owned()),
            Key::Letter(' ') => self.toggle(),
            Key::Up | Key::Letter('k') => self.at = self.at.saturating_sub(1),
            Key::Down | Key::Letter('j') => self.at = (self.at + 1).min(self.rows.len()),
            Key::Home => self.at = 0,
            Key::End => self.at = self.rows.len(),
            _ => {}
        }
        Reply::Stay
    }

    fn draft(&self) -> String {
        let ticked: Vec<_> = self.ticked.iter().map(ToString::to_string).collect();
        format!("{}@{}", ticked.join(" "), self.at)
    }

    fn restore(&mut self, draft: &str) {
        let (draft, at) = draft.rsplit_once('@').unwrap_or((draft, "0"));
        self.at = at.parse().unwrap_or(0).min(self.rows.len());
        self.ticked =
            draft.split(' ').filter_map(|row| row.parse().ok()).filter(|row| *row < self.rows.len()).collect();
    }
}
