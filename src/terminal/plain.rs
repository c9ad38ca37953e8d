//! The screen where there is no terminal: lines, and nothing else.

use std::cell::RefCell;
use std::io::IsTerminal as _;

use super::Settings;
use super::canvas::{Canvas, write};
use super::lines::Lines;
use crate::clock::{Clock, SystemClock};
use crate::operator::{Screen, Show};

/// How wide lines are set where nothing tells, in columns.
const WIDTH: usize = 100;

/// Writes plain lines to stderr.
#[derive(Debug)]
pub struct Plain {
    lines: RefCell<Lines>,
}

impl Plain {
    /// A screen without a terminal. Colour is for whoever asked for it; nothing else is ever more than text.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { lines: RefCell::new(Lines::new(settings)) }
    }
}

impl Screen for Plain {
    fn show(&self, what: Show<'_>) {
        let mut lines = self.lines.borrow_mut();
        let width = if std::io::stderr().is_terminal() { Canvas::size().1.min(WIDTH) } else { WIDTH };
        let mut text = lines.of(&what, SystemClock.now(), width);
        if let Show::Gauge { at, .. } = what {
            text.extend(lines.reading(at));
        }
        if !text.is_empty() {
            write(&(text.join("\n") + "\n"));
        }
    }
}
