//! The end of a run: as planned, whatever died on the way.

use std::collections::BTreeMap;

use hotfix::digest::sha256;
use hotfix::event::Event;
use hotfix::run::{Phase, Run, Status, UndoStatus};

use crate::honest::{BOOM, DEPLOY};
use crate::life::Deeds;
use crate::look::is_running;
use crate::world::{World, stem};

/// The exit codes that the scripts of each step end with, in order.
const FORWARD: [(&str, &[i32]); 10] = [
    ("make/quick", &[0]),
    ("make/slow", &[0]),
    ("make/flaky", &[3, 4, 0]),
    ("make/asked", &[7, 0]),
    ("make/late", &[9]),
    ("make/edit", &[0]),
    ("make/turns/x.1", &[0]),
    ("make/turns/x.2", &[0]),
    ("release/deploy", &[0]),
    ("release/last", &[0]),
];
const BACK: [(&str, &[i32]); 5] = [
    ("undo:release/deploy", &[0]),
    ("undo:make/turns/x.2", &[6, 0]),
    ("undo:make/turns/x.1", &[6, 0]),
    ("undo:make/quick", &[0]),
    ("back/validate", &[0]),
];

/// Sees that the run is over as it was planned.
#[track_caller]
pub(crate) fn whole(world: &World, deeds: &Deeds) {
    let run = world.run();
    let last = world.records().pop().map(|record| record.event);
    assert_eq!(run.phase(), Phase::Finished);
    assert!(matches!(last, Some(Event::RunFinished {})), "{last:?}");
    let rolled_back = world.records().iter().any(|record| matches!(record.event, Event::RunRolledBack { .. }));
    assert_eq!(rolled_back, world.back);
    assert!(!is_running(world.word()), "a script outlives its run");
    calls(world, deeds);
    if deeds.rolled_back {
        return;
    }
    for (key, state) in run.steps().iter().filter(|(key, _)| *key != "rollback") {
        let passed = matches!(state.status, Status::Done | Status::DoneByHand | Status::Skipped);
        let planned = passed || key == BOOM || world.back && key == "make/turns";
        assert!(planned, "{key} is {:?}", state.status);
    }
    repository(world);
}

/// Every script was called as often as planned: once more only where a call was killed behind its last word.
fn calls(world: &World, deeds: &Deeds) {
    let (calls, run) = (world.calls(), world.run());
    let mut ends: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for call in &calls {
        ends.entry(&call.key).or_default().extend(call.end);
    }
    let mut planned: BTreeMap<&str, &[i32]> =
        FORWARD.into_iter().filter(|(key, _)| !world.back || *key != "release/last").collect();
    if world.back {
        planned.extend(BACK);
    }
    for (key, plan) in &planned {
        let ended = ends.remove(key).unwrap_or_default();
        // What was taken back before its end is not whole, and what never began is not undone.
        let began = |step: &str| run.step(step).attempts > 0;
        match key.strip_prefix("undo:") {
            None if deeds.rolled_back && key.starts_with("back/") && !began(DEPLOY) => {
                assert!(ended.is_empty(), "production was never touched");
                continue;
            }
            None if deeds.rolled_back && !key.starts_with("back/") && plan.starts_with(&ended) => continue,
            Some(step) if !began(step) => {
                assert!(ended.is_empty(), "{step} never began, and was undone");
                continue;
            }
            _ => {}
        }
        let killed =
            calls.iter().filter(|call| call.key == *key && call.end.is_some() && deeds.disturbed(call)).count();
        if is_left(&run, deeds, key) {
            continue;
        }
        let more = ended.len().checked_sub(plan.len()).filter(|_| ended.starts_with(plan));
        let more = more.unwrap_or_else(|| panic!("{key}: {ended:?} where {plan:?} was planned"));
        assert!(
            more <= killed && ended[plan.len()..].iter().all(|code| *code == 0),
            "{key}: {ended:?}, {killed} killed"
        );
    }
    ends.remove(BOOM);
    ends.retain(|_, codes| !codes.is_empty());
    assert!(ends.is_empty(), "nobody planned {ends:?}");
}

/// Whether the undo `key` is on the record as failed, after something of it was killed: then it stays undone, and that was said.
fn is_left(run: &Run, deeds: &Deeds, key: &str) -> bool {
    let Some(step) = key.strip_prefix("undo:") else { return false };
    let files = stem(key, 0).trim_end_matches('0').to_owned();
    let killed = deeds.signalled.iter().chain(&deeds.bereft).any(|stem| stem.starts_with(&files));
    killed && run.undo(step).status == Some(UndoStatus::Failed)
}

/// The repository is as one run leaves it.
fn repository(world: &World) {
    let fixes = world.git("work", &["log", "--format=%s", "v1.2.3..hotfix/42"]);
    assert_eq!(fixes, "Fix it");
    assert_eq!(world.git("work", &["show", "hotfix/42:app.txt"]), "two");
    for name in ["refs/heads/hotfix/42", "refs/tags/v1.2.4"] {
        let (here, there) = (world.git("work", &["rev-parse", name]), world.git("remote.git", &["rev-parse", name]));
        assert_eq!(here, there, "{name}");
    }
    let trailer = world.git("work", &["tag", "-l", "--format=%(trailers:key=Hotfix-Audit,valueonly)", "v1.2.4"]);
    let words: Vec<&str> = trailer.split_whitespace().collect();
    let (seq, hash): (usize, &str) = (words[1].parse().unwrap(), words[2]);
    let journal = String::from_utf8(world.journal()).unwrap();
    assert_eq!(sha256(journal.lines().nth(seq).unwrap().as_bytes()), hash, "the tag's trailer");
}
