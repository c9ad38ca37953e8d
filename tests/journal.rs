//! The journal's promises: nothing acknowledged is lost, nothing changed goes unseen, two writers make one chain.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::convert::Infallible;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use hotfix::clock::{FakeClock, SystemClock, Timestamp};
use hotfix::event::{Event, GENESIS, Record};
use hotfix::journal::{Author, Journal, JournalError, read};

fn author(by: &str) -> Author {
    Author { run: "r1".into(), by: by.into(), host: "h".into() }
}

fn note(text: &str) -> Event {
    Event::NoteAdded { text: text.to_owned() }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a rule, one that never objects")]
fn allow(_: &[Record], _: &Event) -> Result<(), Infallible> {
    Ok(())
}

fn with_notes(dir: &Path, count: u64) -> PathBuf {
    let path = dir.join("journal.jsonl");
    let (mut journal, _) = Journal::open(&path, author("ada")).unwrap();
    for n in 0..count {
        journal.append(&SystemClock, note(&n.to_string()), allow).unwrap().unwrap();
    }
    path
}

fn texts(records: &[Record]) -> Vec<String> {
    let text = |record: &Record| match &record.event {
        Event::NoteAdded { text } => text.clone(),
        other => format!("{other:?}"),
    };
    records.iter().map(text).collect()
}

#[test]
fn the_chain_is_the_one_that_sha256sum_computes() {
    let dir = tempfile::tempdir().unwrap();
    let path = with_notes(dir.path(), 5);
    let mut prev = GENESIS.to_owned();
    for line in fs::read_to_string(&path).unwrap().lines() {
        assert!(line.ends_with(&format!(r#""prev":"{prev}"}}"#)), "{line}");
        let tool = if cfg!(target_os = "macos") { ("shasum", vec!["-a", "256"]) } else { ("sha256sum", vec![]) };
        let child = Command::new(tool.0).args(tool.1).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        child.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
        prev = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()[..64].to_owned();
    }
    assert_eq!(read(&path).unwrap().head, prev);
}

#[test]
fn cut_anywhere_around_a_line_end_every_whole_record_survives_and_writing_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = with_notes(dir.path(), 6);
    let bytes = fs::read(&path).unwrap();
    let ends: Vec<usize> = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    let cuts = ends.iter().flat_map(|end| [end - 1, *end, end + 1]).filter(|cut| *cut <= bytes.len());
    for cut in cuts {
        fs::write(&path, &bytes[..cut]).unwrap();
        let whole = ends.iter().filter(|end| **end <= cut).count();
        let (mut journal, records) = Journal::open(&path, author("bob")).unwrap();
        assert_eq!(records.len(), whole, "cut at {cut}");
        journal.append(&SystemClock, note("after"), allow).unwrap().unwrap();
        let contents = read(&path).unwrap();
        assert_eq!((contents.records.len(), contents.torn), (whole + 1, 0), "cut at {cut}");
        assert_eq!(texts(&contents.records).last().unwrap(), "after");
    }
}

#[test]
fn a_torn_end_is_told_by_a_reader_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = with_notes(dir.path(), 2);
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(br#"{"seq":2,"at"#);
    fs::write(&path, &bytes).unwrap();
    let contents = read(&path).unwrap();
    assert_eq!((contents.records.len(), contents.torn), (2, 12));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn every_changed_byte_of_a_line_that_another_follows_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let path = with_notes(dir.path(), 3);
    let bytes = fs::read(&path).unwrap();
    let last = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    for at in 0..=last {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(&path, &changed).unwrap();
        assert!(matches!(read(&path), Err(JournalError::Damaged { .. })), "byte {at}");
    }
}

#[test]
fn a_line_taken_out_put_twice_or_moved_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let path = with_notes(dir.path(), 4);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for order in [vec![0, 2, 3], vec![1, 2, 3], vec![0, 1, 1, 2, 3], vec![0, 2, 1, 3]] {
        let changed = order.iter().map(|at| lines[*at]).collect::<Vec<_>>().join("\n") + "\n";
        fs::write(&path, changed).unwrap();
        assert!(matches!(read(&path), Err(JournalError::Damaged { .. })), "{order:?}");
    }
}

#[test]
fn two_writers_make_one_chain_and_each_learns_what_the_other_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let path = with_notes(dir.path(), 0);
    let (mut ada, _) = Journal::open(&path, author("ada")).unwrap();
    let (mut bob, _) = Journal::open(&path, author("bob")).unwrap();
    for n in 0..10 {
        let seen = ada.append(&SystemClock, note(&format!("a{n}")), allow).unwrap().unwrap();
        assert_eq!(seen.len(), if n == 0 { 1 } else { 2 });
        let seen = bob.append(&SystemClock, note(&format!("b{n}")), allow).unwrap().unwrap();
        assert_eq!(texts(&seen), [format!("a{n}"), format!("b{n}")]);
    }
    assert_eq!(texts(&ada.news().unwrap()), ["b9"]);
    assert_eq!(read(&path).unwrap().records.len(), 20);
}

#[test]
fn many_threads_at_once_never_fork_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let path = with_notes(dir.path(), 0);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = &path;
            scope.spawn(move || {
                let (mut journal, _) = Journal::open(path, author("w")).unwrap();
                for n in 0..25 {
                    journal.append(&SystemClock, note(&format!("{writer}.{n}")), allow).unwrap().unwrap();
                }
            });
        }
    });
    assert_eq!(read(&path).unwrap().records.len(), 100);
}

#[test]
fn an_objection_is_made_in_the_light_of_what_others_wrote_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = with_notes(dir.path(), 1);
    let (mut ada, _) = Journal::open(&path, author("ada")).unwrap();
    let (mut bob, _) = Journal::open(&path, author("bob")).unwrap();
    bob.append(&SystemClock, Event::RollbackStarted { to: "v1".into(), reason: None, blind: false }, allow)
        .unwrap()
        .unwrap();
    let verdict =
        ada.append(&SystemClock, note("forward"), |news, _| if news.is_empty() { Ok(()) } else { Err("closed") });
    assert_eq!(verdict.unwrap(), Err("closed"));
    assert_eq!(read(&path).unwrap().records.len(), 2);
}

#[test]
fn a_clock_set_back_is_told_and_not_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j");
    let clock = FakeClock::at(Timestamp::from_millis(100_000));
    let (mut journal, _) = Journal::open(&path, author("ada")).unwrap();
    journal.append(&clock, note("a"), allow).unwrap().unwrap();
    clock.set(Timestamp::from_millis(50_000));
    journal.append(&clock, note("b"), allow).unwrap().unwrap();
    clock.advance(Duration::from_secs(1));
    journal.append(&clock, note("c"), allow).unwrap().unwrap();
    assert_eq!(read(&path).unwrap().backwards, [1]);
}

#[test]
fn a_clock_that_leaps_forward_as_after_a_sleep_is_no_fault() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j");
    let clock = FakeClock::at(Timestamp::from_millis(100_000));
    let (mut journal, _) = Journal::open(&path, author("ada")).unwrap();
    journal.append(&clock, note("before"), allow).unwrap().unwrap();
    clock.advance(Duration::from_secs(3 * 3600));
    journal.append(&clock, note("after"), allow).unwrap().unwrap();
    let contents = read(&path).unwrap();
    assert!(contents.backwards.is_empty());
    assert_eq!(contents.records[1].at.since(contents.records[0].at), Duration::from_secs(3 * 3600));
}
