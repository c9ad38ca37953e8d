//! What stands on the screen: lines that stay, and below them what changes.
//!
//! # Why
//! One place writes. What changes is either the frame of a question or the line of a command that runs, never both; it is
//! taken away before a line that stays is written, and put back below it. The width is asked for at each drawing. A write
//! that fails is lost: a screen that is gone must not stop a rollback.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::Duration;

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::paint::{cut, width};
use super::text::{Text, fill};
use crate::clock::{Timestamp, brief};

/// How many lines are held back at most while another program has the screen; the oldest go.
const HELD: usize = 2000;
/// The size where a terminal does not tell it, in rows and columns.
const SIZE: (u16, u16) = (24, 80);

/// What is drawn for a question. No line is wider than the screen.
#[derive(Clone, Debug, Default)]
pub(super) struct Frame {
    pub(super) lines: Vec<String>,
    /// Row and column of the cursor; `None` hides it.
    pub(super) cursor: Option<(usize, usize)>,
}

/// The screen.
#[derive(Debug)]
pub(super) struct Canvas {
    text: &'static Text,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    frame: Option<Frame>,
    /// In which row of the frame the cursor is.
    row: usize,
    bar: Option<ProgressBar>,
    /// What is drawn of what is watched.
    panel: Vec<String>,
    work: Option<Work>,
    whose: Whose,
    /// What is to be written when the screen is ours again.
    held: VecDeque<String>,
}

/// Whose the screen and the keys are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Whose {
    /// Nobody's in particular, or a running command's.
    #[default]
    Free,
    /// A question's.
    Question,
    /// Another program's, started from a question.
    Program,
}

/// What takes its time.
#[derive(Debug)]
struct Work {
    began: Timestamp,
    limit: Option<Duration>,
    message: String,
}

/// How long a stage has taken, and how long it ought to take.
pub(super) type Budget = Option<(Duration, Duration)>;

impl Canvas {
    pub(super) fn new(text: &'static Text) -> Self {
        Self { text, state: RefCell::default() }
    }

    /// Rows and columns.
    pub(super) fn size() -> (usize, usize) {
        let (rows, columns) = Term::stderr().size_checked().filter(|(_, columns)| *columns > 0).unwrap_or(SIZE);
        (usize::from(rows).max(4), usize::from(columns).max(20))
    }

    /// Writes lines that stay, above what changes.
    pub(super) fn print(&self, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        let mut text = lines.join("\n");
        text.push('\n');
        let state = &mut *self.state.borrow_mut();
        if state.whose == Whose::Program {
            state.held.extend(lines.iter().cloned());
            let over = state.held.len().saturating_sub(HELD);
            state.held.drain(..over);
            return;
        }
        if let Some(bar) = &state.bar {
            bar.suspend(|| write(&text));
            return;
        }
        let panel = std::mem::take(&mut state.panel);
        let mut all = if panel.is_empty() { state.erased() } else { above(&panel) + "\x1b[J" };
        all.push_str(&text);
        all.push_str(&state.drawn());
        if !panel.is_empty() {
            all.push_str(&panel.join("\n"));
            state.panel = panel;
        }
        write(&all);
    }

    /// Draws the frame of a question in place of any before it, and of the line of a command.
    pub(super) fn frame(&self, frame: Frame) {
        let state = &mut *self.state.borrow_mut();
        let mut all = state.erased();
        state.frame = Some(frame);
        all.push_str(&state.drawn());
        write(&all);
    }

    /// Takes the frame off the screen.
    pub(super) fn clear(&self) {
        let state = &mut *self.state.borrow_mut();
        if state.frame.is_some() {
            write(&state.erased());
            state.frame = None;
        }
    }

    /// A question takes the screen and the keys.
    pub(super) fn take(&self) {
        self.hide_bar();
        self.state.borrow_mut().whose = Whose::Question;
    }

    /// A question gives them back.
    pub(super) fn release(&self) {
        self.clear();
        self.state.borrow_mut().whose = Whose::Free;
    }

    /// Whether a question has them, or a program that it started.
    pub(super) fn is_taken(&self) -> bool {
        self.state.borrow().whose != Whose::Free
    }

    /// Whether another program has the screen.
    pub(super) fn is_lent(&self) -> bool {
        self.state.borrow().whose == Whose::Program
    }

    /// Another program has the screen, as long as what this gives is kept.
    pub(super) fn lend(&self) -> Lent<'_> {
        self.clear();
        self.state.borrow_mut().whose = Whose::Program;
        Lent(self)
    }

    /// Something begins that takes its time.
    pub(super) fn begin(&self, now: Timestamp, limit: Option<Duration>) {
        self.end();
        self.state.borrow_mut().work = Some(Work { began: now, limit, message: String::new() });
    }

    /// How far it is.
    pub(super) fn message(&self, now: Timestamp, message: &str) {
        let mut state = self.state.borrow_mut();
        let work = state.work.get_or_insert_with(|| Work { began: now, limit: None, message: String::new() });
        message.clone_into(&mut work.message);
    }

    /// Whether anything takes its time.
    pub(super) fn works(&self) -> bool {
        self.state.borrow().work.is_some()
    }

    /// It is over.
    pub(super) fn end(&self) {
        self.hide_bar();
        self.state.borrow_mut().work = None;
    }

    /// Takes what is under way off the screen; the next tick puts it back.
    pub(super) fn hide_bar(&self) {
        let state = &mut *self.state.borrow_mut();
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
        if !state.panel.is_empty() {
            write(&(above(&std::mem::take(&mut state.panel)) + "\x1b[J\x1b[?25h"));
        }
    }

    /// How long what is under way has taken, and how long it may.
    pub(super) fn spent(&self, now: Timestamp) -> Option<(Duration, Option<Duration>)> {
        self.state.borrow().work.as_ref().map(|work| (now.since(work.began), work.limit))
    }

    /// Draws what is watched over what was drawn of it before, line over line, in one piece; nothing where it is the same, or a
    /// question is up.
    pub(super) fn panel(&self, lines: Vec<String>) {
        let state = &mut *self.state.borrow_mut();
        if state.whose != Whose::Free || state.panel == lines {
            return;
        }
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
        let start = if state.panel.is_empty() { "\x1b[?25l\r".to_owned() } else { above(&state.panel) };
        write(&format!("{start}{}\x1b[K\x1b[J", lines.join("\x1b[K\n")));
        state.panel = lines;
    }

    /// Draws the line of the command that runs, if one does and no question is up.
    pub(super) fn tick(&self, now: Timestamp, budget: Budget) {
        let state = &mut *self.state.borrow_mut();
        let (Some(work), Whose::Free) = (&state.work, state.whose) else { return };
        let bar = state.bar.get_or_insert_with(|| bar_of(work.limit));
        let elapsed = now.since(work.began);
        let mut told = match work.limit {
            Some(limit) => format!("{} / {}", brief(elapsed), brief(limit)),
            None => brief(elapsed),
        };
        if let (Some((spent, ought)), None) = (budget, work.limit) {
            told.push_str(" · ");
            told.push_str(&fill(self.text.of_stage, &[&brief(spent), &brief(ought)]));
        }
        if !work.message.is_empty() {
            told.push_str("  ");
            told.push_str(&work.message);
        }
        // The spinner, the bar and the spaces between take up to 20 columns.
        bar.set_message(cut(&told, Self::size().1.saturating_sub(20)));
        bar.set_position(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
        bar.tick();
    }
}

/// The screen in the hands of another program.
pub(super) struct Lent<'a>(&'a Canvas);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let held = {
            let state = &mut *self.0.state.borrow_mut();
            state.whose = Whose::Question;
            std::mem::take(&mut state.held)
        };
        self.0.print(&Vec::from(held));
    }
}

/// What leads from the end of `lines` to their beginning: on a screen that has become narrower they take more rows.
fn above(lines: &[String]) -> String {
    let columns = Canvas::size().1;
    let rows: usize = lines.iter().map(|line| width(line).div_ceil(columns).max(1)).sum();
    if rows > 1 { format!("\x1b[{}A\r", rows - 1) } else { "\r".to_owned() }
}

fn bar_of(limit: Option<Duration>) -> ProgressBar {
    let millis = limit.map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    let template = if limit.is_some() { "{spinner} [{bar:12}] {msg}" } else { "{spinner} {msg}" };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::with_draw_target(millis, ProgressDrawTarget::stderr());
    bar.with_style(style.progress_chars("=> "))
}

impl State {
    /// What takes the frame off the screen.
    fn erased(&self) -> String {
        if self.frame.is_none() {
            return String::new();
        }
        let up = if self.row > 0 { format!("\x1b[{}A", self.row) } else { String::new() };
        format!("{up}\r\x1b[J\x1b[?25h")
    }

    /// What puts the frame on the screen.
    fn drawn(&mut self) -> String {
        let Some(frame) = &self.frame else { return String::new() };
        let mut text = frame.lines.join("\n");
        let last = frame.lines.len().saturating_sub(1);
        if let Some((row, column)) = frame.cursor {
            let up = if last > row { format!("\x1b[{}A", last - row) } else { String::new() };
            let right = if column > 0 { format!("\x1b[{column}C") } else { String::new() };
            text.extend([up.as_str(), "\r", right.as_str()]);
            self.row = row;
        } else {
            text.push_str("\x1b[?25l");
            self.row = last;
        }
        text
    }
}

/// Writes to the screen at once. What cannot be written is lost.
pub(super) fn write(text: &str) {
    let mut stderr = io::stderr().lock();
    drop(stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()));
}
