//! The run and its journal, held together: what is committed is in both.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::rc::Rc;

use serde_json::Value;

use crate::clock::Clock;
use crate::event::{Event, GENESIS, Record, sha256};
use crate::journal::{Author, Journal, JournalError};
use crate::mask::Masker;
use crate::operator::Purpose;
use crate::run::{Illegal, Phase, Run};

/// A run and its journal.
///
/// # Why
/// May it happen, written and synced, it counts: in this order and in this place alone. On the way back a journal that cannot be
/// written is left behind: the records go to a file beside it as well as they can, and the rollback goes on.
pub struct Book {
    pen: Pen,
    run: Run,
    clock: Rc<dyn Clock>,
    masker: Masker,
    author: Author,
}

enum Pen {
    Journal(Journal),
    /// The journal is broken.
    Aside {
        file: Option<File>,
        next: u64,
        prev: String,
    },
}

/// Why something was not committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Another process has begun to take production back: it drives the run from now on.
    #[error("{0} has begun to take production back")]
    Taken(String),
    /// It may not follow.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Book {
    /// A book over an open journal and the run that `records` tell.
    #[must_use]
    pub fn new(journal: Journal, run: Run, author: Author, clock: Rc<dyn Clock>, masker: Masker) -> Self {
        Self { pen: Pen::Journal(journal), run, clock, masker, author }
    }

    /// A book whose journal cannot be used. Records go to the file at `aside`, if that can be written.
    #[must_use]
    pub fn without_journal(run: Run, author: Author, clock: Rc<dyn Clock>, masker: Masker, aside: &Path) -> Self {
        Self { pen: Pen::beside(aside), run, clock, masker, author }
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Whether the journal is in use.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        matches!(self.pen, Pen::Journal(_))
    }

    /// Who writes.
    #[must_use]
    pub fn author(&self) -> &Author {
        &self.author
    }

    /// The last record's `seq` and the hash of its line.
    #[must_use]
    pub fn anchor(&self) -> Option<(u64, String)> {
        match &self.pen {
            Pen::Journal(journal) => journal.anchor().map(|(seq, head)| (seq, head.to_owned())),
            Pen::Aside { next, prev, .. } => next.checked_sub(1).map(|seq| (seq, prev.clone())),
        }
    }

    /// Commits `event`, with every secret taken out of it. Hands back what others have written meanwhile.
    ///
    /// # Errors
    /// [`CommitError`], and it has not happened.
    pub fn commit(&mut self, event: Event, aside: &Path) -> Result<Vec<Record>, CommitError> {
        let event = masked(event, &self.masker);
        let opens_the_way_back =
            matches!(event, Event::RollbackStarted { .. } | Event::PromptAnswered { purpose: Purpose::Rollback, .. });
        let on_the_way_back = opens_the_way_back || matches!(self.run.phase(), Phase::Back | Phase::RolledBack);
        let Self { pen, run, clock, .. } = self;
        let journal = match pen {
            Pen::Journal(journal) => journal,
            Pen::Aside { .. } => return self.write_aside(event),
        };
        let written = journal.append(clock.as_ref(), event.clone(), |news, event| {
            for record in news {
                run.apply(record);
            }
            match taker(news) {
                Some(by) => Err(CommitError::Taken(by)),
                None => run.may(event).map_err(CommitError::Illegal),
            }
        });
        match written {
            Ok(Ok(mut records)) => {
                if let Some(own) = records.pop() {
                    run.apply(&own);
                }
                Ok(records)
            }
            Ok(Err(refused)) => Err(refused),
            Err(_) if on_the_way_back => {
                let mut pen = Pen::beside(aside);
                if let Pen::Aside { next, prev, .. } = &mut pen
                    && let Some((seq, head)) = journal.anchor()
                {
                    (*next, *prev) = (seq + 1, head.to_owned());
                }
                self.pen = pen;
                self.write_aside(event)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes in what others have written.
    ///
    /// # Errors
    /// [`CommitError::Taken`] where somebody takes production back.
    pub fn news(&mut self) -> Result<Vec<Record>, CommitError> {
        let Pen::Journal(journal) = &mut self.pen else { return Ok(Vec::new()) };
        let news = journal.news()?;
        for record in &news {
            self.run.apply(record);
        }
        match taker(&news) {
            Some(by) => Err(CommitError::Taken(by)),
            None => Ok(news),
        }
    }

    fn write_aside(&mut self, event: Event) -> Result<Vec<Record>, CommitError> {
        self.run.may(&event)?;
        let Author { run, by, host } = self.author.clone();
        let Pen::Aside { file, next, prev } = &mut self.pen else { return Ok(Vec::new()) };
        let record = Record { seq: *next, at: self.clock.now(), run, by, host, event, prev: prev.clone() };
        if let Ok(line) = record.line() {
            *prev = sha256(line.as_bytes());
            // Best effort: this is the file beside the one that broke.
            let written = file.as_mut().map(|file| writeln!(file, "{line}").and_then(|()| file.sync_data()));
            if !matches!(written, Some(Ok(()))) {
                *file = None;
            }
        }
        *next += 1;
        self.run.apply(&record);
        Ok(Vec::new())
    }
}

impl Pen {
    fn beside(path: &Path) -> Self {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).ok();
        Self::Aside { file, next: 0, prev: GENESIS.to_owned() }
    }
}

/// Who has begun a rollback, among records of others.
fn taker(news: &[Record]) -> Option<String> {
    let taken = news.iter().find(|record| matches!(record.event, Event::RollbackStarted { .. }))?;
    Some(format!("{} on {}", taken.by, taken.host))
}

/// `event` with every secret taken out of its texts.
fn masked(event: Event, masker: &Masker) -> Event {
    fn mask(value: &mut Value, masker: &Masker) {
        match value {
            Value::String(text) => *text = masker.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| mask(item, masker)),
            Value::Object(fields) => fields.values_mut().for_each(|field| mask(field, masker)),
            _ => {}
        }
    }
    let Ok(mut value) = serde_json::to_value(&event) else { return event };
    let before = value.clone();
    let tag = value.get("event").cloned();
    mask(&mut value, masker);
    if value == before {
        return event;
    }
    if let (Some(fields), Some(tag)) = (value.as_object_mut(), tag) {
        fields.insert("event".to_owned(), tag);
    }
    serde_json::from_value(value).unwrap_or(event)
}
