//! A disk that fails: at every operation of the journal, in every way, once or for good.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::cell::RefCell;
use std::convert::Infallible;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::rc::Rc;

use hotfix::clock::SystemClock;
use hotfix::event::{Event, Record};
use hotfix::journal::{Author, Disk, Journal, read};

/// What a failing operation does before it fails.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Nothing,
    Half,
    All,
}

/// Which operations fail.
#[derive(Debug)]
struct Plan {
    fault: Fault,
    from: usize,
    times: usize,
    count: usize,
}

impl Plan {
    /// What befalls the next operation.
    fn next(&mut self) -> Option<Fault> {
        let at = self.count;
        self.count += 1;
        (at >= self.from && at < self.from.saturating_add(self.times)).then_some(self.fault)
    }
}

#[derive(Debug)]
struct Failing {
    file: File,
    plan: Rc<RefCell<Plan>>,
}

impl Failing {
    fn change(
        &mut self,
        half: impl FnOnce(&mut File) -> io::Result<()>,
        all: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        let fault = self.plan.borrow_mut().next();
        match fault {
            None => return all(&mut self.file),
            Some(Fault::Nothing) => {}
            Some(Fault::Half) => half(&mut self.file)?,
            Some(Fault::All) => all(&mut self.file)?,
        }
        Err(io::Error::other("the disk failed"))
    }
}

impl Disk for Failing {
    fn try_lock(&self) -> Result<(), TryLockError> {
        self.file.try_lock()
    }

    fn unlock(&self) -> io::Result<()> {
        self.file.unlock()
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read_from(&mut self, from: u64) -> io::Result<Vec<u8>> {
        match self.plan.borrow_mut().next() {
            None => self.file.read_from(from),
            Some(_) => Err(io::Error::other("the disk failed")),
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.change(|file| file.append(&bytes[..bytes.len() / 2]), |file| file.append(bytes))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.change(|_| Ok(()), Disk::sync)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.change(|_| Ok(()), |file| file.cut(length))
    }
}

fn open(path: &Path, plan: &Rc<RefCell<Plan>>) -> Journal<Failing> {
    let author = Author { run: "r".into(), by: "ada".into(), host: "h".into() };
    let file = OpenOptions::new().read(true).append(true).create(true).open(path).unwrap();
    loop {
        let disk = Failing { file: file.try_clone().unwrap(), plan: Rc::clone(plan) };
        if let Ok((journal, _)) = Journal::over(disk, path, author.clone()) {
            return journal;
        }
    }
}

fn append(journal: &mut Journal<Failing>, text: &str) -> bool {
    let event = Event::NoteAdded { text: text.to_owned() };
    let appended = journal.append(&SystemClock, event, |_: &[Record], _| Ok::<(), Infallible>(()));
    appended.is_ok()
}

fn texts(path: &Path) -> Vec<String> {
    let text = |record: &Record| match &record.event {
        Event::NoteAdded { text } => text.clone(),
        other => format!("{other:?}"),
    };
    read(path).unwrap().records.iter().map(text).collect()
}

/// How many operations a journal of some records takes on a good disk, and a few more.
const OPERATIONS: usize = 28;

fn plans() -> impl Iterator<Item = Plan> {
    let faults = [Fault::Nothing, Fault::Half, Fault::All];
    let kinds = faults.into_iter().flat_map(|fault| [1, 2, 3, 5].map(|times| (fault, times)));
    kinds.flat_map(|(fault, times)| (0..OPERATIONS).map(move |from| Plan { fault, from, times, count: 0 }))
}

#[test]
fn what_was_acknowledged_stands_and_nothing_else_does() {
    let mut failed = 0;
    for plan in plans() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        let what = format!("{plan:?}");
        let plan = Rc::new(RefCell::new(plan));
        let mut journal = open(&path, &plan);
        let mut acknowledged = Vec::new();
        for n in 0..8 {
            // Whoever is told that it failed may try again.
            while !append(&mut journal, &n.to_string()) {
                failed += 1;
                let (said, stands) = (acknowledged.len(), read(&path).unwrap().records.len());
                assert!(stands == said || stands == said + 1, "{what}: {stands} records, {said} acknowledged");
            }
            acknowledged.push(n.to_string());
            assert_eq!(texts(&path), acknowledged, "{what}");
        }
    }
    assert!(failed > 500, "only {failed} appends failed: nothing was tried");
}

#[test]
fn a_process_that_dies_of_it_leaves_a_journal_that_another_goes_on_with() {
    let mut left = 0;
    for mut plan in plans() {
        plan.times = usize::MAX;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        let what = format!("{plan:?}");
        if plan.from == 0 {
            continue;
        }
        let plan = Rc::new(RefCell::new(plan));
        let mut journal = open(&path, &plan);
        let mut acknowledged: Vec<String> = (0..8).map(|n: u8| n.to_string()).collect();
        let kept = acknowledged.iter().position(|text| !append(&mut journal, text)).unwrap_or(acknowledged.len());
        drop(journal);
        acknowledged.truncate(kept);

        plan.borrow_mut().times = 0;
        let mut journal = open(&path, &plan);
        assert!(append(&mut journal, "after"), "{what}");
        let mut stands = texts(&path);
        assert_eq!(stands.pop().as_deref(), Some("after"), "{what}");
        // A whole line that could neither be acknowledged nor taken back may stand; then it is the one that was being written.
        if stands.len() > acknowledged.len() {
            left += 1;
            acknowledged.push(kept.to_string());
        }
        assert_eq!(stands, acknowledged, "{what}");
    }
    assert!(left > 0, "no line was left behind: the case was not tried");
}

#[test]
fn another_writer_never_builds_on_what_is_taken_back_later() {
    for plan in plans() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        let what = format!("{plan:?}");
        let good = Rc::new(RefCell::new(Plan { fault: Fault::Nothing, from: 0, times: 0, count: 0 }));
        let plan = Rc::new(RefCell::new(plan));
        let (mut one, mut other) = (open(&path, &plan), open(&path, &good));
        let mut acknowledged = Vec::new();
        for n in 0..8 {
            for (journal, name) in [(&mut one, "one"), (&mut other, "other")] {
                let text = format!("{name} {n}");
                if append(journal, &text) {
                    acknowledged.push(text);
                }
            }
        }
        let stands = texts(&path);
        let mut rest = stands.iter();
        assert!(
            acknowledged.iter().all(|text| rest.any(|stood| stood == text)),
            "{what}: {stands:?}\n{acknowledged:?}"
        );
        assert!(
            stands.iter().all(|text| stands.iter().filter(|other| *other == text).count() == 1),
            "{what}: {stands:?}"
        );
    }
}

#[test]
fn a_journal_that_was_removed_takes_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    let good = Rc::new(RefCell::new(Plan { fault: Fault::Nothing, from: 0, times: 0, count: 0 }));
    let mut journal = open(&path, &good);
    assert!(append(&mut journal, "one"));
    std::fs::remove_file(&path).unwrap();
    assert!(!append(&mut journal, "two"), "it would be lost");
}
