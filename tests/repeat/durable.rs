//! What the log says is done is on the disk: `git` itself tells how often it waited for that, and when it ended.

use std::collections::BTreeMap;

use hotfix::clock::Timestamp;
use hotfix::event::{Event, Record};
use serde_json::Value;

use crate::world::{STEPS, World, said};

/// A `git` that the program has started, as it traced itself.
#[derive(Default)]
struct Traced {
    command: String,
    synced: u64,
    ended: Option<Timestamp>,
}

/// Every `git` in a trace, by its session. What those wait for that a `git` starts counts as its own.
fn traced(text: &str) -> BTreeMap<String, Traced> {
    let mut all = BTreeMap::<String, Traced>::new();
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let session = event["sid"].as_str().unwrap();
        let one = all.entry(session.split('/').next().unwrap().to_owned()).or_default();
        match event["event"].as_str().unwrap() {
            "cmd_name" if !session.contains('/') => event["name"].as_str().unwrap().clone_into(&mut one.command),
            "counter" if event["name"] == "hardware-flush" => one.synced += event["count"].as_u64().unwrap(),
            // What it leaves behind, to tidy up, may end long after it.
            "atexit" if !session.contains('/') => one.ended = Timestamp::parse(event["time"].as_str().unwrap()),
            _ => {}
        }
    }
    all
}

#[test]
fn commits_tags_and_merges_are_on_the_disk_before_the_log_says_that_they_are_made() {
    let world = World::new();
    // Whoever has set this is not asked.
    for setting in ["core.fsync none", "core.fsyncMethod writeout-only"] {
        world.git("work", &format!("config {setting}"));
    }
    let trace = world.path("trace");
    let ended = world.driver(&STEPS.map(|(id, _)| id), false).env("GIT_TRACE2_EVENT", &trace).output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", said(&ended));
    let traced = traced(&std::fs::read_to_string(trace).unwrap());
    let journal = String::from_utf8(world.journal()).unwrap();
    let records: Vec<Record> = journal.lines().map(|line| Record::parse(line).unwrap()).collect();
    let at = |wanted: &str, is: fn(&Event) -> Option<&str>| {
        records.iter().find(|record| is(&record.event) == Some(wanted)).map(|record| record.at).unwrap()
    };
    // The objects, then the ref, as few as there may be of them; a merge is made and moved by two, main and develop each.
    for (step, command, times, least) in [
        ("commit", "commit", 1, 4),
        ("tag", "tag", 1, 2),
        ("merge", "commit-tree", 2, 1),
        ("merge", "merge-tree", 2, 1),
        ("merge", "update-ref", 2, 1),
        ("branch", "switch", 1, 1),
        ("delete", "switch", 1, 1),
    ] {
        let key = format!("s/{step}");
        let begun = at(&key, |event| if let Event::StepStarted { step, .. } = event { Some(step) } else { None });
        let done = at(&key, |event| if let Event::StepDone { step, .. } = event { Some(step) } else { None });
        let within = |one: &&Traced| one.command == command && one.ended.is_some_and(|ended| ended >= begun);
        let found: Vec<&Traced> = traced.values().filter(within).filter(|one| one.ended <= Some(done)).collect();
        assert_eq!(found.len(), times, "{step}: {command} within {begun} and {done}");
        for one in found {
            assert!(one.synced >= least, "{step}: {command} waited for the disk {} times", one.synced);
        }
    }
}
