//! Rows of measurements and what they come to.

use std::time::Duration;

use hotfix::gate::{Limits, Measurement, Tally, Verdict, classify, decide};

/// `s` success, `f` failure, `i` inconclusive, `e` error.
fn row(text: &str) -> Vec<Measurement> {
    let each = text.chars().map(|letter| match letter {
        's' => Measurement::Success,
        'f' => Measurement::Failure,
        'i' => Measurement::Inconclusive,
        'e' => Measurement::Error,
        other => panic!("{other} is no measurement"),
    });
    each.collect()
}

fn tally(row: Vec<Measurement>) -> Tally {
    let mut tally = Tally::default();
    for measurement in row {
        tally.record(measurement);
    }
    tally
}

fn five_of() -> Limits {
    Limits { interval: Some(Duration::from_secs(30)), count: Some(5), ..Limits::default() }
}

fn open_ended() -> Limits {
    Limits { interval: Some(Duration::from_secs(30)), ..Limits::default() }
}

#[track_caller]
fn check(limits: &Limits, rows: &[(&str, Verdict)]) {
    for (text, verdict) in rows {
        let decision = decide(limits, row(text));
        assert_eq!(decision.verdict, *verdict, "{text:?} under {limits:?}: {}", decision.reason);
        assert!(!decision.reason.is_empty());
    }
}

#[test]
fn neither_interval_nor_count_is_one_measurement() {
    use Verdict::{Error, Fail, Inconclusive, Pass, Running};
    let rows = [
        ("", Running),
        ("s", Pass),
        ("f", Fail),
        ("i", Inconclusive),
        ("e", Running),
        ("eeee", Running),
        ("eeeee", Error),
        ("ees", Pass),
        ("eef", Fail),
        ("sf", Pass),
    ];
    check(&Limits::default(), &rows);
}

#[test]
fn a_count_is_reached_by_values_and_never_by_errors() {
    use Verdict::{Error, Fail, Inconclusive, Pass, Running};
    let rows = [
        ("ssss", Running),
        ("sssss", Pass),
        ("sssse", Running),
        ("ssssees", Pass),
        ("ssssf", Fail),
        ("fssss", Fail),
        ("si", Inconclusive),
        ("sseeeee", Error),
        ("seeeeseeees", Running),
        ("sssssf", Pass),
    ];
    check(&five_of(), &rows);
}

#[test]
fn a_limit_is_breached_when_the_counter_is_greater() {
    use Verdict::{Error, Fail, Inconclusive, Pass, Running};
    let limits = Limits { failure_limit: 2, inconclusive_limit: 1, consecutive_error_limit: 1, ..five_of() };
    let rows = [
        ("ff", Running),
        ("fff", Fail),
        ("fsfsf", Fail),
        ("ffsss", Pass),
        ("i", Running),
        ("isi", Inconclusive),
        ("ffiss", Pass),
        ("esesess", Running),
        ("esesesss", Pass),
        ("see", Error),
        ("fesef", Running),
    ];
    check(&limits, &rows);
}

#[test]
fn successes_one_after_the_other_end_a_gate_early_and_their_lack_is_no_pass() {
    use Verdict::{Inconclusive, Pass, Running};
    let limits = Limits { failure_limit: 5, consecutive_success_limit: 3, ..five_of() };
    let rows = [
        ("ss", Running),
        ("sss", Pass),
        ("ssfs", Running),
        ("ssfss", Inconclusive),
        ("sses", Running),
        ("ffsss", Pass),
    ];
    check(&limits, &rows);
    check(&Limits { count: None, ..limits }, &[("ssfssf", Running), ("ssfssfsss", Pass)]);
}

#[test]
fn without_a_count_it_goes_on_until_it_is_closed() {
    let close = |limits: &Limits, text: &str| tally(row(text)).close(limits).verdict;
    check(&open_ended(), &[("ssssssssssss", Verdict::Running), ("ssssf", Verdict::Fail)]);
    let ends = [
        ("", Verdict::Inconclusive),
        ("e", Verdict::Inconclusive),
        ("ssse", Verdict::Inconclusive),
        ("sses", Verdict::Pass),
        ("s", Verdict::Pass),
        ("sf", Verdict::Fail),
        ("eeeee", Verdict::Error),
    ];
    for (text, verdict) in ends {
        assert_eq!(close(&open_ended(), text), verdict, "{text:?} closed");
    }
    assert_eq!(close(&five_of(), "ssss"), Verdict::Inconclusive, "a count not reached is no pass");
    assert_eq!(close(&five_of(), "sssss"), Verdict::Pass);
}

#[test]
fn no_row_of_errors_is_ever_a_pass() {
    for limits in [Limits::default(), five_of(), open_ended()] {
        for length in 0..20 {
            let errors = vec![Measurement::Error; length];
            assert_ne!(decide(&limits, errors.clone()).verdict, Verdict::Pass);
            assert_ne!(tally(errors).close(&limits).verdict, Verdict::Pass);
        }
    }
}

#[test]
fn the_reason_has_the_numbers() {
    let limits = Limits { failure_limit: 2, ..five_of() };
    assert_eq!(decide(&limits, row("sfff")).reason, "3 failed, more than the 2 allowed");
    assert_eq!(decide(&limits, row("sfsees")).reason, "4 of 5 measured");
    assert_eq!(decide(&limits, row("sfseess")).reason, "4 succeeded, 1 failed, 2 errors");
}

#[test]
fn conditions_say_what_a_value_is() {
    use Measurement::{Failure, Inconclusive, Success};
    let table = [
        (None, None, Success),
        (Some(true), None, Success),
        (Some(false), None, Failure),
        (None, Some(true), Failure),
        (None, Some(false), Success),
        (Some(true), Some(false), Success),
        (Some(false), Some(true), Failure),
        (Some(true), Some(true), Failure),
        (Some(false), Some(false), Inconclusive),
    ];
    for (success, failure, expected) in table {
        assert_eq!(classify(success, failure), expected, "success {success:?}, failure {failure:?}");
    }
}

#[test]
fn limits_that_cannot_work_are_named() {
    let count = |count| Limits { count: Some(count), ..Limits::default() };
    assert_eq!(Limits::default().fault(), None);
    assert_eq!(five_of().fault(), None);
    assert_eq!(count(1).fault(), None);
    assert!(count(0).fault().is_some() && count(2).fault().is_some());
    assert!(Limits { interval: Some(Duration::ZERO), ..five_of() }.fault().is_some());
}
