//! The run and its journal, held together: what is committed is in both.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::clock::Clock;
use crate::digest::sha256;
use crate::event::{Event, GENESIS, Record};
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
    /// Who has taken the run from this process: for good, whoever of its parts hears of it first.
    taken: Option<String>,
}

enum Pen {
    Journal(Journal),
    /// The journal cannot be used, or not for now.
    Aside(Box<Aside>),
}

/// What is kept while the journal cannot be written.
struct Aside {
    /// The file that has the records meanwhile, as well as it can.
    path: PathBuf,
    /// The journal, where it may take them later.
    journal: Option<Journal>,
    /// What it is to take.
    pending: VecDeque<Event>,
    next: u64,
    prev: String,
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
        Self { pen: Pen::Journal(journal), run, clock, masker, author, taken: None }
    }

    /// A book whose journal cannot be used. Records go to the file at `aside`, if that can be written.
    #[must_use]
    pub fn without_journal(run: Run, author: Author, clock: Rc<dyn Clock>, masker: Masker, aside: &Path) -> Self {
        Self { pen: Pen::beside(aside, None), run, clock, masker, author, taken: None }
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
            Pen::Aside(aside) => aside.next.checked_sub(1).map(|seq| (seq, aside.prev.clone())),
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
        let Self { pen, run, clock, taken, .. } = self;
        if let Some(by) = taken {
            return Err(CommitError::Taken(by.clone()));
        }
        let journal = match pen {
            Pen::Journal(journal) => journal,
            Pen::Aside(_) => return self.write_aside(event),
        };
        let written = journal.append(clock.as_ref(), event.clone(), |news, event| {
            for record in news {
                run.apply(record);
            }
            *taken = taker(news);
            match taken {
                Some(by) => Err(CommitError::Taken(by.clone())),
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
                if let Pen::Journal(journal) = std::mem::replace(&mut self.pen, Pen::beside(aside, None)) {
                    self.pen = Pen::beside(aside, Some(journal));
                }
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
        if self.taken.is_none() {
            let news = journal.news()?;
            for record in &news {
                self.run.apply(record);
            }
            self.taken = taker(&news);
            if self.taken.is_none() {
                return Ok(news);
            }
        }
        self.taken.clone().map_or(Ok(Vec::new()), |by| Err(CommitError::Taken(by)))
    }

    /// Keeps the event until the journal takes it, and writes it beside meanwhile. Best effort: this is the file beside the one
    /// that broke.
    fn write_aside(&mut self, event: Event) -> Result<Vec<Record>, CommitError> {
        self.run.may(&event)?;
        let Author { run, by, host } = self.author.clone();
        let Pen::Aside(aside) = &mut self.pen else { return Ok(Vec::new()) };
        let (seq, at, prev) = (aside.next, self.clock.now(), aside.prev.clone());
        let record = Record { seq, at, run, by, host, event: event.clone(), prev };
        self.run.apply(&record);
        aside.pending.push_back(event);
        if aside.catch_up(self.clock.as_ref()) {
            // What stands beside stands in the journal as well.
            let _ = std::fs::remove_file(&aside.path);
            if let Some(journal) = aside.journal.take() {
                self.pen = Pen::Journal(journal);
            }
            return Ok(Vec::new());
        }
        if let Ok(line) = record.line() {
            aside.prev = sha256(line.as_bytes());
            let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&aside.path);
            let _ = file.and_then(|mut file| writeln!(file, "{line}").and_then(|()| file.sync_data()));
        }
        aside.next += 1;
        Ok(Vec::new())
    }
}

impl Aside {
    /// Has the journal take what is pending. Whether it has it all.
    fn catch_up(&mut self, clock: &dyn Clock) -> bool {
        let Some(journal) = &mut self.journal else { return false };
        while let Some(event) = self.pending.front() {
            let may = |_: &[Record], _: &Event| Ok::<(), std::convert::Infallible>(());
            if !matches!(journal.append(clock, event.clone(), may), Ok(Ok(_))) {
                return false;
            }
            self.pending.pop_front();
        }
        true
    }
}

impl Pen {
    fn beside(path: &Path, journal: Option<Journal>) -> Self {
        let anchor =
            journal.as_ref().and_then(|journal| journal.anchor().map(|(seq, head)| (seq + 1, head.to_owned())));
        let (next, prev) = anchor.unwrap_or((0, GENESIS.to_owned()));
        Self::Aside(Box::new(Aside { path: path.to_owned(), journal, pending: VecDeque::new(), next, prev }))
    }
}

/// Who has begun a rollback, among records of others.
fn taker(news: &[Record]) -> Option<String> {
    let taken = news.iter().find(|record| matches!(record.event, Event::RollbackStarted { .. }))?;
    Some(format!("{} on {}", taken.by, taken.host))
}

/// `event` with every secret taken out of its texts.
fn masked(event: Event, masker: &Masker) -> Event {
    let Ok(mut value) = serde_json::to_value(&event) else { return event };
    let before = value.clone();
    let tag = value.get("event").cloned();
    masker.value(&mut value);
    if value == before {
        return event;
    }
    if let (Some(fields), Some(tag)) = (value.as_object_mut(), tag) {
        fields.insert("event".to_owned(), tag);
    }
    serde_json::from_value(value).unwrap_or(event)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::clock::SystemClock;
    use crate::run::Outline;

    fn book(path: &Path, by: &str) -> Book {
        let author = Author { run: "r".into(), by: by.into(), host: "h".into() };
        let (journal, records) = Journal::open(path, author.clone()).unwrap();
        let mut run = Run::new(Outline::default());
        records.iter().for_each(|record| run.apply(record));
        Book::new(journal, run, author, Rc::new(SystemClock), Masker::default())
    }

    #[test]
    fn whoever_hears_first_that_the_run_was_taken_every_later_move_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (path, aside) = (dir.path().join("j"), dir.path().join("a"));
        let started = Event::RunStarted {
            program: "0".into(),
            format: crate::event::FORMAT,
            runbook: String::new(),
            vars: std::collections::BTreeMap::new(),
            environment: std::collections::BTreeMap::new(),
            incident_began: None,
            warnings: Vec::new(),
        };
        book(&path, "ada").commit(started, &aside).unwrap();
        for first in ["a record of its own", "a look at the news"] {
            let (mut driver, mut other) = (book(&path, "ada"), book(&path, "joan"));
            let back = Event::RollbackStarted { to: "v1".into(), reason: None, blind: false };
            other.commit(back, &aside).unwrap();
            let note = || Event::NoteAdded { text: "n".into() };
            let heard = match first {
                "a record of its own" => driver.commit(note(), &aside),
                _ => driver.news(),
            };
            let taken = |result: Result<Vec<Record>, CommitError>| matches!(result, Err(CommitError::Taken(by)) if by == "joan on h");
            assert!(taken(heard), "{first}");
            assert!(taken(driver.news()) && taken(driver.commit(note(), &aside)) && taken(driver.news()), "{first}");
        }
    }
}
