//! What a person is shown while a run goes on. Nothing of it is an answer.

use std::time::Duration;

use super::Gauge;
use crate::clock::Timestamp;

/// Where things are shown. What is shown of what happened has been committed to the journal before.
pub trait Screen {
    /// Shows something. A screen that is gone loses it; the journal does not.
    fn show(&self, what: Show<'_>);
}

/// One thing to be shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Show<'a> {
    /// The run that all further things belong to. Comes first, and again when something of it changes.
    Run {
        /// Its id.
        id: &'a str,
        /// The tag that is fixed; on the way back, and after it, the one that production is taken to.
        tag: &'a str,
        /// The tag that will be made.
        new_tag: &'a str,
        /// The issue.
        issue: &'a str,
        /// When the incident began.
        began: Timestamp,
        /// Whom to call, and when, the earliest first; those that are answered are not among them.
        escalation: &'a [(Timestamp, String)],
        /// Which way it goes.
        way: Course,
    },
    /// A stage begins, or is taken up again.
    Stage {
        /// Its place among the stages, from 1.
        number: usize,
        /// How many stages there are.
        of: usize,
        /// Its title.
        title: &'a str,
        /// Its guidance, in Markdown.
        guide: Option<&'a str>,
        /// How long it ought to take.
        budget: Option<Duration>,
        /// When it began.
        began: Timestamp,
    },
    /// A step begins.
    Step {
        /// `stage/step`.
        key: &'a str,
        /// Its title.
        title: &'a str,
        /// Its guidance, in Markdown.
        guide: Option<&'a str>,
    },
    /// This exact command, request or operation is about to run.
    Command {
        /// As it stands in the runbook, or in words; may have several lines.
        text: &'a str,
        /// The values that the text names, in order of names.
        values: &'a [(String, String)],
        /// How long it may take.
        timeout: Option<Duration>,
    },
    /// The keys are left to what runs, which may ask something itself: of a person only a Ctrl-C is heard.
    KeysLeft,
    /// The command wrote this; masked, and cut anywhere.
    Output(&'a [u8]),
    /// The command is over, well or not.
    CommandEnded,
    /// One of the probes that are watched was read. It takes the place of what the same one showed before, until the command
    /// is over.
    Gauge {
        /// Its place among them, from 0.
        at: usize,
        /// How many there are.
        of: usize,
        /// What it shows.
        gauge: &'a Gauge,
    },
    /// Guidance, in Markdown.
    Guidance(&'a str),
    /// How a step, or the undo of one, ended.
    Outcome {
        /// `stage/step`.
        key: &'a str,
        /// How.
        how: Outcome,
        /// The same in words; may be empty, may have several lines.
        detail: &'a str,
        /// How long it took, where that was measured.
        took: Option<Duration>,
    },
    /// Something to know.
    Info(&'a str),
    /// Something to be careful about.
    Warning(&'a str),
}

/// Which way a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// Towards the end of the runbook.
    Forward,
    /// Production is being taken back.
    Back,
    /// Production was taken back, and what follows that is done.
    RolledBack,
    /// The same where the run had never touched production.
    Stayed,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded.
    Done,
    /// A person did it.
    ByHand,
    /// It failed.
    Failed,
    /// It was left out.
    Skipped,
    /// It watches behind what follows; the detail says until when.
    Watches,
}
