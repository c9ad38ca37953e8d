//! The person at a terminal, and the screen.
//!
//! # Why
//! A prompt here confirms nothing by itself: Enter alone, the end of input, a terminal that is gone and keys that were typed
//! before it was shown are never a yes. Prompts are futures that can be dropped at any moment, because a rollback from
//! another terminal or a signal may come while somebody thinks; so keys are read without blocking, and the mode of the
//! terminal is put back by a guard. The prompt libraries block a thread and cannot be taken back, hence prompts of our own.

mod ask;
mod canvas;
mod editor;
mod gauges;
mod hand_over;
mod key;
mod lent;
mod line;
mod lines;
mod list;
pub mod markdown;
mod menu;
mod paint;
mod plain;
mod prompt;
pub mod sanitize;
mod text;
mod ticks;
mod tty;
mod wrap;

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use self::canvas::Canvas;
use self::key::Key;
use self::lines::Lines;
use self::paint::{Paint, Tone};
use self::prompt::{Drafts, Leave, Look, Session};
use self::sanitize::clean;
use self::text::Text;
use self::tty::{Gone, Keys, Tty};
use crate::clock::{Clock, LocalFuture, SystemClock, Timestamp};
use crate::mask::Masker;
use crate::operator::{Answer, Attention, Busy, Form, Operator, Presence, Question, Screen, Show, Signal, Unanswered};
use crate::process::{Left, Loan};

pub use self::paint::cut;
pub use self::plain::Plain;
pub use self::wrap::fitted;

/// How many columns the terminal on standard error has, as far as that is known.
#[must_use]
pub fn columns() -> usize {
    Canvas::size().1
}

/// How many rows it has, at least four.
#[must_use]
pub fn rows() -> usize {
    Canvas::size().0
}

/// How many questions that others came before are kept, with what had been typed.
const ASIDE: usize = 4;
/// A person whose last key is no longer ago than this is typing.
const TYPING: Duration = Duration::from_secs(2);
/// How often the line of a command that runs is drawn.
const TICK: Duration = Duration::from_millis(100);

/// How things are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether text may be coloured, bold or dim.
    pub color: bool,
    /// Whether only questions, commands, failures and warnings are shown.
    pub quiet: bool,
    /// In which language the program speaks.
    pub language: Language,
}

/// A language that the program speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Simplified Chinese, zh-CN.
    Chinese,
}

impl Settings {
    fn paint(self) -> Paint {
        if self.color { Paint::Colour } else { Paint::Bare }
    }
}

/// The terminal that the program was started from: a person, and a screen.
#[derive(Debug)]
pub struct Terminal {
    settings: Settings,
    text: &'static Text,
    /// Takes the secrets out of an answer that stays on the screen.
    masker: Masker,
    tty: Rc<Tty>,
    canvas: Canvas,
    lines: RefCell<Lines>,
    /// The question that was left unanswered, with what had been typed.
    open: RefCell<Option<Question>>,
    drafts: RefCell<Drafts>,
    /// Those that another came before, with what had been typed.
    aside: RefCell<Vec<(Question, Drafts)>>,
    /// Whether the question that is up came before another that was not answered.
    breaks_in: Cell<bool>,
    /// When a key last came while a question was up.
    typed: Cell<Option<Timestamp>>,
}

impl Terminal {
    /// Takes the terminal. Its mode changes only while a question or a command is up. What it asks needs a tokio runtime
    /// with I/O and time.
    ///
    /// # Errors
    /// Where stdin and stderr are not a terminal.
    pub fn open(settings: Settings) -> io::Result<Self> {
        let text = Text::of(settings.language);
        Ok(Self {
            settings,
            text,
            masker: Masker::default(),
            tty: Tty::open()?,
            canvas: Canvas::new(text),
            lines: RefCell::new(Lines::new(settings)),
            open: RefCell::default(),
            drafts: RefCell::default(),
            aside: RefCell::default(),
            breaks_in: Cell::default(),
            typed: Cell::default(),
        })
    }

    /// The same, with what `masker` finds taken out of every answer that stays on the screen.
    #[must_use]
    pub fn masked(self, masker: Masker) -> Self {
        Self { masker, ..self }
    }

    fn look(&self) -> Look {
        Look { paint: self.settings.paint(), text: self.text }
    }

    async fn asked(&self, question: &Question) -> Result<Answer, Unanswered> {
        let due = self.lines.borrow_mut().due(SystemClock.now(), Canvas::size().1);
        self.canvas.print(&due);
        self.turn_to(question);
        let prompt = match &question.form {
            Form::Due(due) => ask::due_prompt(due, &question.prompt, self.text, SystemClock.now()),
            _ => question.prompt.clone(),
        };
        let shown = Question { prompt: clean(&prompt), step: clean(&question.step), ..question.clone() };
        let mut session = Session::open(self).map_err(|Gone| Unanswered::Interrupted(Signal::Hup))?;
        loop {
            let left = match session.answer(&shown).await {
                Ok(answer) if question.form.accepts(&answer) => {
                    drop(session);
                    self.forget();
                    self.settle(&shown, &answer);
                    return Ok(answer);
                }
                Ok(_) => {
                    self.canvas.print(&[self.text.refused.to_owned()]);
                    continue;
                }
                Err(Leave::Esc) => session.menu(&shown).await,
                Err(interrupted) => Err(interrupted),
            };
            match left {
                Ok(None) | Err(Leave::Esc) => {}
                Ok(Some(unanswered)) => {
                    if !matches!(unanswered, Unanswered::Note(_)) {
                        self.forget();
                    }
                    return Err(unanswered);
                }
                Err(Leave::Note(note)) => return Err(Unanswered::Note(note)),
                Err(Leave::Interrupted(signal)) => return Err(Unanswered::Interrupted(signal)),
            }
        }
    }

    /// Takes up `question`, with what had been typed at it. The one that it comes before is put aside.
    fn turn_to(&self, question: &Question) {
        if self.open.borrow().as_ref().is_some_and(|open| same(open, question)) {
            return;
        }
        let mut aside = self.aside.borrow_mut();
        let drafts = self.drafts.take();
        let open = self.open.take();
        self.breaks_in.set(open.is_some());
        if let Some(open) = open.filter(|_| !drafts.is_empty()) {
            aside.push((open, drafts));
            let over = aside.len().saturating_sub(ASIDE);
            aside.drain(..over);
        }
        if let Some(at) = aside.iter().position(|(other, _)| same(other, question)) {
            self.drafts.replace(aside.remove(at).1);
        }
        self.open.replace(Some(question.clone()));
    }

    fn is_typing(&self) -> bool {
        let now = SystemClock.now();
        self.typed.get().is_some_and(|at| at <= now && now.since(at) < TYPING)
    }

    fn forget(&self) {
        self.open.replace(None);
        self.drafts.borrow_mut().clear();
    }

    /// Leaves a question and its answer on the screen.
    fn settle(&self, question: &Question, answer: &Answer) {
        let paint = self.settings.paint();
        let room = Canvas::size().1.saturating_sub(3);
        let mut lines = vec![format!("? {}", paint.tone(Tone::Dim, &question.step))];
        lines.extend(wrap::wrap_text(&question.prompt, room).iter().map(|line| format!("  {line}")));
        let said = wrap::wrap_text(&clean(&self.masker.text(&self.said(answer))), room.saturating_sub(2));
        lines.extend(said.iter().enumerate().map(|(at, line)| {
            let mark = if at == 0 { "  → " } else { "    " };
            format!("{mark}{}", paint.tone(Tone::Strong, line))
        }));
        self.canvas.print(&lines);
    }

    fn said(&self, answer: &Answer) -> String {
        let with = |text: &str, more: Option<&String>| match more {
            Some(more) => format!("{text}: {more}"),
            None => text.to_owned(),
        };
        match answer {
            Answer::Yes => self.text.yes.to_owned(),
            Answer::No => self.text.no.to_owned(),
            Answer::Text(text) | Answer::Command(text) => text.clone(),
            Answer::Number(number) => number.to_string(),
            Answer::Choices(several) | Answer::Checked(several) => several.join("\n"),
            Answer::Approved { name, note } => format!("{name}: {note}"),
            Answer::NotApproved { reason } => reason.clone(),
            Answer::Done { note } => with(self.text.done, note.as_ref()),
            Answer::Way { way, reason } => with(self.text.way(*way), reason.as_ref()),
        }
    }

    /// Draws what is under way: what is watched, or the line of a command.
    fn draw(&self, now: Timestamp) {
        let lines = self.lines.borrow();
        match self.canvas.spent(now).filter(|_| lines.watches()) {
            Some(spent) => self.canvas.panel(lines.panel(spent, Canvas::size())),
            None => self.canvas.tick(now, lines.budget(now)),
        }
    }

    async fn wanted(&self) -> Attention {
        let mut keys = self.tty.raw().and_then(|raw| Ok((raw, Keys::of(&self.tty)?))).ok();
        let _bar = Bar(&self.canvas);
        loop {
            let now = SystemClock.now();
            self.draw(now);
            // While a question is up, the keys are for it.
            let listens = keys.as_mut().filter(|_| !self.canvas.is_taken());
            let key = tokio::select! {
                biased;
                key = next(listens.map(|(_, keys)| keys)) => key,
                () = SystemClock.sleep(TICK) => continue,
            };
            match key {
                Ok(Key::Ctrl('c')) => return Attention::Interrupt,
                Ok(Key::Esc) => return Attention::Menu,
                Ok(Key::Letter('n')) if self.lines.borrow().watches() => return Attention::Note,
                // It leads to the question that has the way back among its ways.
                Ok(Key::Letter('r')) if self.lines.borrow().watches() => return Attention::Menu,
                Ok(_) => {}
                // Whoever is told of signals is told of this.
                Err(Gone) => keys = None,
            }
        }
    }
}

/// The next key, where keys are listened to.
async fn next(keys: Option<&mut Keys>) -> Result<Key, Gone> {
    match keys {
        Some(keys) => keys.next().await,
        None => pending().await,
    }
}

/// The line of a command that runs: taken off the screen when nobody waits for it any more.
struct Bar<'a>(&'a Canvas);

impl Drop for Bar<'_> {
    fn drop(&mut self) {
        self.0.hide_bar();
    }
}

/// Whether it is the same question, asked again. What the clock of the incident asks is the same whatever the time is.
fn same(one: &Question, other: &Question) -> bool {
    if let (Form::Due(_), Form::Due(_)) = (&one.form, &other.form) {
        return one.step == other.step;
    }
    one.step == other.step && one.purpose == other.purpose && one.prompt == other.prompt && one.form == other.form
}

impl Operator for Terminal {
    fn ask<'a>(&'a self, question: &'a Question) -> LocalFuture<'a, Result<Answer, Unanswered>> {
        Box::pin(self.asked(question))
    }

    fn lend<'a>(&'a self, loan: &'a Loan) -> LocalFuture<'a, Result<Left, Unanswered>> {
        Box::pin(self.lent(loan))
    }

    fn attention(&self) -> LocalFuture<'_, Attention> {
        Box::pin(self.wanted())
    }

    fn busy(&self) -> Busy {
        if self.canvas.is_lent() {
            Busy::Elsewhere
        } else if self.is_typing() {
            Busy::Typing
        } else {
            Busy::No
        }
    }

    fn presence(&self) -> Presence {
        Presence::Person
    }
}

impl Screen for Terminal {
    fn show(&self, what: Show<'_>) {
        let now = SystemClock.now();
        let mut lines = self.lines.borrow_mut();
        self.canvas.print(&lines.of(&what, now, Canvas::size().1));
        match what {
            Show::Command { timeout, .. } => self.canvas.begin(now, timeout),
            Show::Output(_) if !self.settings.quiet && self.canvas.works() => {
                self.canvas.message(now, lines.partial().trim());
            }
            Show::CommandEnded | Show::Step { .. } => self.canvas.end(),
            Show::KeysLeft => {
                let said = self.settings.paint().tone(Tone::Dim, self.text.keys_left);
                self.canvas.print(&[format!("  {said}")]);
            }
            _ => {}
        }
    }
}
