//! Probes against what they measure: servers, a real Prometheus, logs that are rotated, this machine.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail anywhere")]

#[path = "../forward/fixture.rs"]
#[expect(dead_code, reason = "what other tests need of it")]
mod fixture;

mod apart;
mod baseline;
mod kept;
mod log;
mod prometheus;
mod sources;

use fixture::{Project, steps};

/// A run of one monitor that has these probes.
fn monitor(head: &str, probes: &[&str]) -> Project {
    steps(&[&watch(head, probes)]).open()
}

/// A step `m` that monitors these probes.
fn watch(head: &str, probes: &[&str]) -> String {
    format!("{{id: m, monitor: {{{head} probes: [{}]}}}}", probes.join(", "))
}

/// What the gate of a probe came to, and why.
fn decided(project: &Project, probe: &str) -> (String, String) {
    let mut decided = project.events().into_iter().filter_map(|event| match event {
        hotfix::event::Event::GateDecided { decision, reason, .. } => {
            let reason = reason.strip_prefix(&format!("{probe}: "))?.to_owned();
            Some((decision, reason))
        }
        _ => None,
    });
    decided.next_back().expect("the gate decided")
}

/// The readings of a probe that are in the journal: the first, and each whose outcome is another than before.
fn readings(project: &Project, of: &str) -> Vec<(serde_json::Value, String)> {
    let readings = project.events().into_iter().filter_map(|event| match event {
        hotfix::event::Event::GateMeasured { probe, value, outcome, .. } if probe == of => Some((value, outcome)),
        _ => None,
    });
    readings.collect()
}

/// The samples of a probe, in order.
fn samples(project: &Project, probe: &str) -> Vec<serde_json::Value> {
    let run = project.runs().pop().expect("a run has begun");
    let text = std::fs::read_to_string(run.join("samples.jsonl")).unwrap_or_default();
    // The last line may be under way.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let samples = whole.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    samples.filter(|sample| sample["probe"] == probe).collect()
}
