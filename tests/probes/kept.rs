//! What is kept of the readings, and what the journal vouches for.

use hotfix::event::Event;
use hotfix::samples::Seal;
use serde_json::Value;

use super::fixture::{Project, steps};
use super::{samples, watch};

const FINE: &str = "{name: p, run: 'echo 7', interval: 20ms, timeout: 20s, count: 5, success_condition: 'result == 7'}";

fn seals(project: &Project) -> Vec<Seal> {
    let decided = project.events().into_iter();
    decided.filter_map(|event| if let Event::GateDecided { samples, .. } = event { samples } else { None }).collect()
}

#[test]
fn every_reading_is_kept_and_verify_holds_it_against_the_journal() {
    let other = watch("", &[FINE]).replace("id: m", "id: n");
    let project = steps(&[&watch("", &[FINE, &FINE.replace("name: p", "name: q")]), &other]).open();
    project.start("").exits(0);
    let readings = samples(&project, "p");
    assert_eq!(readings.len(), 10);
    for (reading, step) in readings.iter().zip(["s/m"; 5].iter().chain(&["s/n"; 5])) {
        assert_eq!((reading["step"].as_str(), &reading["value"]), (Some(*step), &Value::from(7.0)));
        assert_eq!(reading["outcome"], "success");
        assert!(hotfix::clock::Timestamp::parse(reading["at"].as_str().unwrap()).is_some());
    }
    // Two gates of the first monitor, one of the second.
    let counts: Vec<_> = seals(&project).iter().map(|seal| seal.count).collect();
    assert_eq!(counts, [10, 10, 15]);
    project.hotfix(&["verify"]).exits(0).says(&["Samples: the 15 that gates decided by, unbroken."]);

    let path = project.runs().pop().unwrap().join("samples.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("7.0", "8.0", 1)).unwrap();
    project.hotfix(&["verify"]).exits(12).says(&["samples.jsonl", "not what a gate decided by"]);
    std::fs::write(&path, text + "what came after no decision may change\n").unwrap();
    project.hotfix(&["verify"]).exits(0);
    std::fs::remove_file(&path).unwrap();
    project.hotfix(&["verify"]).exits(0).says(&["Samples: not here"]);
}

#[test]
fn no_secret_is_kept_and_no_more_than_the_beginning_of_a_text() {
    let probe = "{name: p, run: 'echo \"$KEY\"; yes | head -n 5000', success_condition: 'stdout is string'}";
    let step = watch("", &[probe]).replace("{id: m,", "{id: m, env: {KEY: '{{ env.KEY }}'},");
    let mut project = steps(&[&step]).top("secrets: [KEY]").open();
    project.set("KEY", "hunter2-and-more");
    project.start("").exits(0);
    let kept = samples(&project, "p").pop().unwrap();
    assert!(kept["value"].as_str().unwrap().starts_with("***\ny\ny"), "{kept}");
    assert!(kept["value"].as_str().unwrap().chars().count() <= 201);
    assert!(!project.journal().contains("hunter2"));
}

#[test]
fn readings_that_cannot_be_kept_are_said_to_be_missing_and_stop_nothing() {
    let blocked = "{id: block, run: 'mkdir \".git/hotfix/runs/$HOTFIX_RUN_ID/samples.jsonl\"'}";
    let project = steps(&[blocked, &watch("", &[FINE])]).open();
    let ended = project.start("").exits(0);
    assert_eq!(ended.said.matches("not every reading can be kept").count(), 1, "{}", ended.said);
    assert_eq!(seals(&project), []);
    project.hotfix(&["verify"]).exits(0);
}
