//! Views of a run's records: a line of the log, where it stands, and the incident report.
//!
//! # Why
//! The records are the history and these are only readers of it: nothing here reads a file, knows the time or decides
//! anything, so a report made a year later says the same. What stands in a record was written by people and programs in
//! all kinds of trouble: none of it reaches a terminal as a control character, or a page as markup.

mod attention;
mod book;
mod compared;
mod html;
mod incident;
mod line;
mod markdown;
mod partly;
mod production;
mod status;
mod tally;
mod text;
mod timing;

use serde_json::Value;

use crate::event::Record;
use crate::run::{Outline, Run};
use crate::runbook::Runbook;

pub use html::html;
pub use line::line;
pub use markdown::markdown;
pub use partly::Partly;
pub use production::{Doubt, Production};
pub use status::{Breach, Escalation, LastRecord, StagePlace, Status, StepPlace, status};
pub use tally::{Tally, tally};
pub use text::printable;

/// What a view is made of.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The id of the run.
    pub id: &'a str,
    /// Its records, as far as they can be trusted.
    pub records: &'a [Record],
    /// Its frozen runbook; without it there are no titles, and what touched production is not known.
    pub runbook: Option<&'a Runbook>,
    /// SHA-256 of the last record's line.
    pub head: &'a str,
    /// What is wrong with the log behind these records, where anything is.
    pub fault: Option<&'a str>,
}

impl Source<'_> {
    /// The run that the records make.
    #[must_use]
    pub fn run(&self) -> Run {
        let mut run = Run::new(self.runbook.map(Outline::of).unwrap_or_default());
        self.records.iter().for_each(|record| run.apply(record));
        run
    }
}

/// The incident report as JSON, for programs: what the Markdown says, with times in UTC and durations in seconds.
#[must_use]
pub fn json(source: &Source<'_>) -> Value {
    // A structure of texts, numbers and lists is always JSON.
    serde_json::to_value(incident::Incident::of(source)).unwrap_or_default()
}
