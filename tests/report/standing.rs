//! Where a run stands, and what production runs.

use hotfix::event::Event;
use hotfix::report::{Status, status};

use super::{Log, closed, done, failed, rollback, rolled_back, skipped, stage, started, undo, undo_failed, undone};

impl Log {
    fn status(&self) -> Status {
        status(&self.source(), &self.source().run())
    }

    /// The version and the step it is known by.
    fn production(&self) -> (Option<String>, Option<String>) {
        let production = self.status().production;
        (production.version, production.step)
    }
}

#[test]
fn production_is_what_the_log_knows_of_it() {
    let known = |version: &str, step: &str| (Some(version.to_owned()), Some(step.to_owned()));
    let unknown = |step: &str| (None, Some(step.to_owned()));
    let log = Log::new();
    assert_eq!(log.production(), (Some("v1.2.3".into()), None));
    let log = log.and(stage("deploy")).and(started("deploy/direct", 1));
    assert_eq!(log.production(), unknown("deploy/direct"));
    let log = log.and(failed("deploy/direct", 1));
    assert_eq!(log.production(), unknown("deploy/direct"));
    let log = log.and(started("deploy/direct", 2)).and(done("deploy/direct", 2));
    assert_eq!(log.production(), known("v1.2.4", "deploy/direct"));
    let log = log.and(rollback());
    assert_eq!(log.production(), known("v1.2.4", "deploy/direct"));
    let log = log.and(undo("deploy/direct"));
    assert_eq!(log.production(), unknown("deploy/direct"));
    let log = log.and(undo_failed("deploy/direct"));
    assert_eq!(log.production(), unknown("deploy/direct"));
    let log = log.and(stage("rollback")).and(started("rollback/restore", 1)).and(done("rollback/restore", 1));
    assert_eq!(log.production(), known("v1.2.3", "rollback/restore"));
    assert_eq!(log.and(rolled_back()).production(), (Some("v1.2.3".into()), None));
    let skipped = Log::new().and(failed("deploy/direct", 1)).and(skipped("deploy/direct", "later"));
    assert_eq!(skipped.production(), unknown("deploy/direct"), "a step that failed and is skipped has done something");
    let undone = Log::new().deployed().and(rollback()).and(undo("deploy/direct")).and(undone("deploy/direct"));
    assert_eq!(undone.production(), known("v1.2.3", "deploy/direct"));
    let untouched = Log::new().and(rollback()).and(rolled_back());
    assert_eq!(untouched.production(), (Some("v1.2.3".into()), None));
    let blind = Log::new().and(Event::RollbackStarted { to: "v1.2.3".into(), reason: None, blind: true });
    assert_eq!(blind.production(), (None, None));
    let words = Log::new().deployed().status().production.words(|_| "03:12".into());
    assert_eq!(words, "v1.2.4 since 03:12 (deploy/direct)");
}

#[test]
fn the_status_says_where_the_run_stands_and_how_to_go_on() {
    let log = Log::new().and(stage("assess")).and(started("assess/severity", 1)).and(failed("assess/severity", 1));
    let status = log.status();
    let (stage_place, step) = (status.stage.unwrap(), status.step.unwrap());
    assert_eq!((stage_place.number, stage_place.of, stage_place.title.as_str()), (1, 5, "Assess it"));
    assert_eq!((step.key.as_str(), step.title.as_str(), step.status), ("assess/severity", "Severity", "failed"));
    assert_eq!((step.since, step.failure.as_deref()), (Some(log.records[3].at), Some("exit code 3")));
    assert_eq!((status.phase, status.last.unwrap().seq), ("forward", 3));
    assert_eq!(status.commands, ["hotfix resume", "hotfix rollback"]);
    assert_eq!((status.tag.as_str(), status.new_tag.as_str(), status.issue.as_str()), ("v1.2.3", "v1.2.4", "1234"));
    let log = Log::new().deployed().and(rollback()).and(undo("deploy/direct")).and(undo_failed("deploy/direct"));
    let status = log.status();
    assert_eq!((status.phase, status.left), ("back", vec!["deploy/direct".to_owned()]));
    let log = log.and(rolled_back());
    assert_eq!(log.status().rolled_back, log.records.last().map(|record| record.at));
    let over = Log::new().and(Event::RunAborted { reason: "x".into() }).status();
    assert_eq!((over.phase, over.step.is_none()), ("aborted", true));
    assert_eq!(over.commands, ["hotfix rollback 20251123-035700-1234"]);
}

#[test]
fn a_tally_counts_what_people_did_and_what_was_left_to_them() {
    let log = Log::new().and(stage("assess")).and(started("assess/severity", 1)).and(done("assess/severity", 1));
    let log = log.and(skipped("assess/old", "`severity == 'SEV2'` does not hold")).and(closed("assess"));
    let log = log.and(skipped("review/approval", "nobody is awake")).deployed();
    let log = log.and(started("deploy/validate", 1)).and(failed("deploy/validate", 1));
    let tally = hotfix::report::tally(&log.source());
    let counts = [tally.done, tally.by_hand, tally.skipped, tally.not_needed, tally.failed];
    assert_eq!((counts, tally.to_mitigate), ([2, 0, 1, 1, 1], None));
    let log = log.and(rollback()).and(undo("deploy/direct")).and(undone("deploy/direct"));
    let log = log.and(stage("rollback")).and(skipped("rollback/restore", "the undo has brought production back"));
    let log = log.and(started("rollback/validate", 1)).and(done("rollback/validate", 1)).and(rolled_back());
    let tally = hotfix::report::tally(&log.source());
    assert_eq!((tally.done, tally.skipped, tally.not_needed), (3, 1, 2));
    let minutes = u64::try_from(log.records.len() - 1).unwrap();
    assert_eq!(tally.to_mitigate, Some(std::time::Duration::from_secs(60 * minutes)));
    assert!(tally.result.starts_with("rolled back") && tally.left.is_empty(), "{tally:?}");
}
