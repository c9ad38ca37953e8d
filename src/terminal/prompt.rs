//! How a prompt is put: drawn, armed, given its keys, and taken off the screen.
//!
//! # Why
//! Nothing that was typed before a prompt was on the screen may answer it. What is pending is thrown away, and then the prompt
//! listens only after a while without keys; that it listens is shown by its last line, the one with the keys. A paste is one
//! thing and never contains an Enter. Esc and Ctrl-C mean the same at every prompt.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::Terminal;
use super::canvas::{Canvas, Frame};
use super::key::Key;
use super::paint::{Paint, Tone, cut};
use super::text::Text;
use super::tty::{Gone, Keys, Raw};
use super::wrap::wrap_text;
use crate::clock::{Clock, SystemClock};
use crate::operator::Signal;

/// How long no key must have come before a prompt listens.
const QUIET: Duration = Duration::from_millis(150);
/// The same where a question breaks in on somebody who types: what they go on typing is not meant for it.
const HANDS_OFF: Duration = Duration::from_secs(1);
/// What stands before everything that belongs to a prompt.
const INDENT: &str = "  ";

/// One prompt: something that takes keys and is drawn.
pub(super) trait Prompt {
    /// What it gives.
    type Given;
    /// Its lines, none wider than `room`.
    fn draw(&self, room: usize, look: Look) -> Body;
    /// Takes a key.
    fn key(&mut self, key: Key, text: &Text) -> Reply<Self::Given>;
    /// What has been typed or ticked so far.
    fn draft(&self) -> String;
    /// Takes up what had been typed or ticked.
    fn restore(&mut self, draft: &str);
}

/// What becomes of a prompt with a key.
pub(super) enum Reply<T> {
    /// It goes on.
    Stay,
    /// It goes on, and this is said.
    Hint(String),
    /// This is what it gives.
    Given(T),
}

/// How things look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) paint: Paint,
    pub(super) text: &'static Text,
}

/// What a prompt draws.
pub(super) struct Body {
    pub(super) lines: Vec<String>,
    /// The line that has to be seen.
    pub(super) focus: usize,
    /// In which column of that line the cursor is; `None` hides it.
    pub(super) column: Option<usize>,
}

/// What stands above a prompt, and the keys below it.
pub(super) struct Head<'a> {
    /// What the draft of it is kept under.
    pub(super) slot: &'static str,
    pub(super) step: &'a str,
    pub(super) prompt: &'a str,
    pub(super) keys: &'static str,
    /// Whether it listens from the first moment: only where all it takes is one more line of a text.
    pub(super) armed: Armed,
}

/// How a prompt is left without giving anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// Esc.
    Esc,
    /// For a note for the log.
    Note(String),
    /// Ctrl-C, or the terminal is gone.
    Interrupted(Signal),
}

/// What had been typed at a question, by prompt.
pub(super) type Drafts = BTreeMap<&'static str, String>;

/// The terminal while a question is up: in raw mode, with its keys. Dropping it takes the question off the screen.
pub(super) struct Session<'a> {
    pub(super) terminal: &'a Terminal,
    pub(super) keys: Keys,
    _paste: Paste,
    _raw: Raw,
}

/// Bracketed paste, for as long as this is kept.
struct Paste;

impl Drop for Paste {
    fn drop(&mut self) {
        super::canvas::write("\x1b[?2004l");
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.terminal.canvas.release();
    }
}

impl<'a> Session<'a> {
    /// Takes the terminal for a question.
    ///
    /// # Errors
    /// Where it is gone.
    pub(super) fn open(terminal: &'a Terminal) -> Result<Self, Gone> {
        let gone = |_| Gone;
        let raw = terminal.tty.raw().map_err(gone)?;
        let keys = Keys::of(&terminal.tty).map_err(gone)?;
        terminal.canvas.take();
        super::canvas::write("\x1b[?2004h");
        Ok(Self { terminal, keys, _paste: Paste, _raw: raw })
    }

    pub(super) fn text(&self) -> &'static Text {
        self.terminal.text
    }

    /// Throws away what was typed.
    pub(super) fn discard(&mut self) {
        self.terminal.tty.discard_input();
        self.keys.forget();
    }

    /// Puts `prompt` until it gives something.
    pub(super) async fn put<P: Prompt>(&mut self, head: &Head<'_>, prompt: &mut P) -> Result<P::Given, Leave> {
        if let Some(draft) = self.terminal.drafts.borrow().get(head.slot) {
            prompt.restore(draft);
        }
        if head.armed == Armed::Not {
            self.discard();
        }
        let typing = self.terminal.breaks_in.take() && self.terminal.is_typing();
        let quiet = if typing { HANDS_OFF } else { QUIET };
        let mut resized = signal(SignalKind::window_change()).ok();
        let head = Head { prompt: self.printed_where_long(head.prompt), ..*head };
        let (mut hint, mut armed) = (String::new(), head.armed);
        loop {
            self.draw(&head, prompt, &hint, armed);
            let key = tokio::select! {
                biased;
                key = self.keys.next() => key.map_err(|_| Leave::Interrupted(Signal::Hup))?,
                () = SystemClock.sleep(quiet), if armed == Armed::Not => {
                    armed = Armed::Listens;
                    continue;
                }
                () = change(&mut resized) => continue,
            };
            self.terminal.typed.set(Some(SystemClock.now()));
            match key {
                Key::Ctrl('c') => return Err(Leave::Interrupted(Signal::Int)),
                _ if armed == Armed::Not => {}
                Key::Esc => return Err(Leave::Esc),
                key => {
                    let reply = prompt.key(key, self.text());
                    let mut drafts = self.terminal.drafts.borrow_mut();
                    drafts.insert(head.slot, prompt.draft());
                    hint = match reply {
                        Reply::Stay => String::new(),
                        Reply::Hint(hint) => hint,
                        Reply::Given(given) => {
                            drafts.remove(head.slot);
                            return Ok(given);
                        }
                    };
                }
            }
        }
    }

    /// Prints a text that would leave no room for its prompt, and gives what is left of it.
    fn printed_where_long<'p>(&self, prompt: &'p str) -> &'p str {
        let (rows, columns) = Canvas::size();
        let lines = wrap_text(prompt, columns - 4);
        if lines.len() <= rows / 2 {
            return prompt;
        }
        let lines: Vec<_> = lines.iter().map(|line| format!("{INDENT}{line}")).collect();
        self.terminal.canvas.print(&lines);
        prompt.trim().lines().last().unwrap_or_default()
    }

    fn draw<P: Prompt>(&self, head: &Head<'_>, prompt: &P, hint: &str, armed: Armed) {
        let (rows, columns) = Canvas::size();
        // A terminal that reaches its last column is of two minds about where the cursor is.
        let room = columns - 1 - INDENT.len();
        let look = self.terminal.look();
        let tone = |tone, line: &str| look.paint.tone(tone, line);
        let mut lines = vec![String::new(), cut(&format!("? {}", tone(Tone::Dim, head.step)), columns - 1)];
        let above = wrap_text(head.prompt, room);
        lines.extend(above.iter().map(|line| format!("{INDENT}{}", tone(Tone::Strong, line))));
        let hints: Vec<_> = if hint.is_empty() { Vec::new() } else { wrap_text(hint, room) };
        let body = prompt.draw(room, look);
        let left = rows.saturating_sub(lines.len() + hints.len() + 2).max(1);
        let first = body.focus.saturating_sub(left / 2).min(body.lines.len().saturating_sub(left));
        let at = lines.len() + body.focus - first;
        lines.extend(body.lines.iter().skip(first).take(left).map(|line| format!("{INDENT}{line}")));
        lines.extend(hints.iter().map(|line| format!("{INDENT}{}", tone(Tone::Warn, line))));
        let keys = if armed == Armed::Listens { head.keys } else { look.text.wait };
        lines.push(format!("{INDENT}{}", tone(Tone::Dim, &cut(keys, room))));
        // The lowest rows are what is worked with.
        let over = lines.len().saturating_sub(rows);
        lines.drain(..over);
        let cursor = body.column.map(|column| (at.saturating_sub(over), INDENT.len() + column));
        self.terminal.canvas.frame(Frame { lines, cursor });
    }
}

/// Whether a prompt listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Armed {
    Not,
    Listens,
}

/// Ends when the size of the screen changes; never where that cannot be told.
async fn change(resized: &mut Option<tokio::signal::unix::Signal>) {
    let Some(signal) = resized else { return std::future::pending().await };
    if signal.recv().await.is_none() {
        *resized = None;
    }
}
