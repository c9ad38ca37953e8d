//! What production runs while it is deployed to batch by batch.

use std::collections::BTreeMap;

use hotfix::event::Event;
use hotfix::report::status;
use hotfix::runbook::BUILTIN_EN;
use serde_json::json;

use super::{Log, failed, rollback, rolled_back, skipped, stage, started, undo, undone};

/// A batch of the built-in runbook that ended well, with what its script gave.
fn batch(step: &str, hosts: &str, waiting: &str, remaining: u32) -> Event {
    let set = [("hosts", json!(hosts)), ("waiting", json!(waiting)), ("remaining", json!(remaining.to_string()))];
    gave(step, &set)
}

fn gave(step: &str, set: &[(&str, serde_json::Value)]) -> Event {
    let set: BTreeMap<_, _> = set.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Event::StepDone { step: step.into(), attempt: 1, result: serde_json::Map::default(), set }
}

impl Log {
    /// A rolling deployment whose first batch is `first`.
    fn rolling(batch_end: &str, first: Event) -> Self {
        let log = Self::of(BUILTIN_EN.text).and(stage("strategy"));
        let chosen = [("strategy", json!("rolling")), ("batch_end", json!(batch_end))];
        let log = log.and(gave("strategy/choose", &chosen)).and(stage("deploy"));
        log.and(started("deploy/rolling", 1)).and(first)
    }

    fn told(&self) -> String {
        status(&self.source(), &self.source().run()).production.words(|_| "03:12".into())
    }

    fn version(&self) -> Option<String> {
        status(&self.source(), &self.source().run()).production.version
    }
}

#[test]
fn while_batches_are_left_no_version_is_that_of_all_of_production() {
    let log = Log::of(BUILTIN_EN.text).and(started("deploy/rolling", 1));
    assert_eq!(log.told(), "unknown since 03:12 (deploy/rolling)");
    let log = Log::rolling("output", batch("deploy/rolling", "web-1", "web-2,web-3", 2));
    let first = "v1.2.4 on web-1, v1.2.3 still on the rest (web-2, web-3)";
    assert_eq!((log.told(), log.version()), (format!("{first}, since 03:12 (deploy/rolling)"), None));
    let log = log.and(started("deploy/monitor-first", 1)).and(gave("deploy/monitor-first", &[]));
    assert_eq!(log.told(), format!("{first}, since 03:12 (deploy/rolling)"), "who only looks changes nothing");
    let log = log.and(started("deploy/batches", 1)).and(started("deploy/batches/next.1", 1));
    assert_eq!(log.told(), format!("{first}; deploy/batches/next.1 under way since 03:12"));
    let cut = log.and(failed("deploy/batches/next.1", 1));
    assert_eq!(cut.told(), format!("unknown since 03:12 (deploy/batches/next.1); before it {first}"));
    let log = cut.and(started("deploy/batches/next.1", 2)).and(batch("deploy/batches/next.1", "web-2", "web-3", 1));
    let second = "v1.2.4 on web-1, web-2, v1.2.3 still on the rest (web-3)";
    assert_eq!(log.told(), format!("{second}, since 03:12 (deploy/batches/next.1)"));
    let log = log.and(started("deploy/batches/next.2", 1)).and(batch("deploy/batches/next.2", "web-3", "", 0));
    assert_eq!(log.told(), "v1.2.4 since 03:12 (deploy/batches/next.2)", "the script says that none is left");
    let log = log.and(gave("deploy/batches", &[]));
    assert_eq!((log.told().as_str(), log.version()), ("v1.2.4 since 03:12 (deploy/batches)", Some("v1.2.4".into())));
}

#[test]
fn it_is_all_of_production_where_the_first_batch_was_the_last_and_not_where_somebody_leaves_the_others_out() {
    let all = Log::rolling("output", batch("deploy/rolling", "web-1", "", 0));
    assert_eq!(all.told(), "v1.2.4 since 03:12 (deploy/rolling)");
    let log = Log::rolling("output", batch("deploy/rolling", "web-1", "", 4));
    let some = "v1.2.4 on web-1, v1.2.3 still on the rest (4 left), since 03:12 (deploy/rolling)";
    assert_eq!(log.told(), some);
    let log = log.and(skipped("deploy/batches", "canary only for now"));
    assert_eq!(log.told(), some, "a person left the others out");
    // A script that tells nothing: a person says how many are left.
    let log = Log::rolling("output", gave("deploy/rolling", &[("hosts", json!(null)), ("remaining", json!(null))]));
    assert_eq!(log.told(), "v1.2.4 on a part of it, v1.2.3 still on the rest, since 03:12 (deploy/rolling)");
    let asked = |left: u32| gave("deploy/remaining", &[("left", json!(left))]);
    assert_eq!(log.and(asked(0)).told(), "v1.2.4 since 03:12 (deploy/rolling)");
    // Where an exit code says it, there may be more until it has.
    let log = Log::rolling("exit", gave("deploy/rolling", &[])).and(started("deploy/batches", 1));
    let next = |turn: u32, exit: u32| gave(&format!("deploy/batches/next.{turn}"), &[("batch_exit", json!(exit))]);
    let log = log.and(next(1, 0));
    assert_eq!(log.version(), None);
    assert_eq!(log.and(next(2, 99)).version().as_deref(), Some("v1.2.4"));
}

#[test]
fn other_strategies_are_of_one_version_at_once() {
    for (strategy, step) in [("blue-green", "deploy/switch"), ("direct", "deploy/direct")] {
        let log = Log::of(BUILTIN_EN.text).and(gave("strategy/choose", &[("strategy", json!(strategy))]));
        let log = log.and(started(step, 1)).and(gave(step, &[]));
        assert_eq!(log.told(), format!("v1.2.4 since 03:12 ({step})"));
    }
}

#[test]
fn what_is_taken_back_batch_by_batch_is_told_so_until_all_of_it_is() {
    let log = Log::rolling("output", batch("deploy/rolling", "web-1", "web-2,web-3", 2));
    let log = log.and(started("deploy/batches", 1)).and(batch("deploy/batches/next.1", "web-2", "web-3", 1));
    let before = "v1.2.4 on web-1, web-2, v1.2.3 still on the rest (web-3)";
    let log = log.and(rollback());
    assert_eq!(log.told(), format!("{before}, since 03:12 (deploy/batches/next.1)"));
    let log = log.and(undo("deploy/batches/next.1"));
    assert_eq!(log.told(), format!("{before}; deploy/batches/next.1 is being undone since 03:12"));
    let log = log.and(undone("deploy/batches/next.1"));
    let half = "v1.2.3 on web-2, v1.2.4 still on the rest (web-1), since 03:12 (deploy/batches/next.1)";
    assert_eq!((log.told().as_str(), log.version()), (half, None));
    let log = log.and(undo("deploy/rolling")).and(undone("deploy/rolling"));
    assert_eq!(log.told(), "v1.2.3 since 03:12 (deploy/rolling)");
    assert_eq!(log.and(rolled_back()).version().as_deref(), Some("v1.2.3"));
}
