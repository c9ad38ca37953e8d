//! Rows of readings, what each means, and what they come to.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::time::Duration;

use hotfix::clock::Timestamp;
use hotfix::gate::{Answer, Conditions, Increase, Limits, Measurement, Tally, Verdict, classify, decide};
use hotfix::template::Condition;
use hotfix::vars::Values;
use serde_json::Value;

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

/// A gate over readings: what it is told of its probe, and what that comes to.
///
/// A reading is a number, a text in quotes, or the JSON of a body; `nan`; `nodata`, `refused`: there is nothing, and why;
/// `absent`: the probe read, but not this; `late`: the number 1, after the deadline; `end`: there is no more time.
struct Row {
    success: &'static str,
    failure: &'static str,
    limits: Limits,
    readings: &'static str,
    /// What each reading means: `s`, `f`, `i` or `e`, up to the decision.
    means: &'static str,
    verdict: Verdict,
}

const DEADLINE: Duration = Duration::from_secs(5);

fn answer(reading: &str) -> Answer {
    let result = |value: Value| Ok(vec![("result", value)]);
    let facts = match reading {
        "nodata" => Err("no data".to_owned()),
        "refused" => Err("127.0.0.1:80 refused the connection".to_owned()),
        "absent" => result(Value::Null),
        "nan" => result(f64::NAN.into()),
        "late" => result(1.into()),
        text => match serde_json::from_str::<Value>(text) {
            Ok(value) if value.is_object() => Ok(vec![("status", 200.into()), ("json", value)]),
            Ok(value) => result(value),
            Err(error) => panic!("{text}: {error}"),
        },
    };
    let took = if reading == "late" { DEADLINE + Duration::from_millis(1) } else { Duration::from_millis(20) };
    Answer { facts, took }
}

impl Row {
    #[track_caller]
    fn check(&self) {
        let [success, failure] = [self.success, self.failure].map(|text| (text != "-").then(|| Condition::new(text)));
        let conditions = Conditions { success: success.as_ref(), failure: failure.as_ref() };
        let (mut tally, mut means, mut decision) = (Tally::default(), String::new(), None);
        for reading in self.readings.split_whitespace() {
            let decided = if reading == "end" {
                tally.close(&self.limits)
            } else {
                let judged = conditions.judge(&Values::default(), answer(reading), DEADLINE);
                means.push_str(&judged.measurement.word()[..1]);
                tally.record(judged.measurement);
                tally.decide(&self.limits)
            };
            let over = decided.is_final();
            decision = Some(decided);
            if over {
                break;
            }
        }
        let decision = decision.unwrap();
        let expected = (self.means, self.verdict);
        assert_eq!((means.as_str(), decision.verdict), expected, "{}: {}", self.readings, decision.reason);
    }
}

#[test]
fn readings_come_to_what_the_table_says() {
    use Verdict::{Error, Fail, Inconclusive, Pass, Running};
    let once = Limits::default;
    let of = |count| Limits { count: Some(count), interval: Some(Duration::from_secs(30)), ..once() };
    let endless = Limits { count: None, ..of(1) };
    let bears = |failures| Limits { failure_limit: failures, ..of(4) };
    let unsure = |times| Limits { inconclusive_limit: times, ..of(4) };
    let strict = |limits| Limits { consecutive_error_limit: 0, ..limits };
    #[rustfmt::skip]
    let table = [
        // neither count nor interval: one measurement, and errors are none
        ("result < 5", "-",          once(),   "4",                         "s",     Pass),
        ("result < 5", "-",          once(),   "5",                         "f",     Fail),
        ("result < 5", "-",          once(),   "nodata",                    "e",     Running),
        ("result < 5", "-",          once(),   "nodata nodata 4",           "ees",   Pass),
        ("result < 5", "-",          once(),   "nodata nodata 5",           "eef",   Fail),
        ("result < 5", "-",          once(),   "nodata end",                "e",     Inconclusive),
        // one condition alone decides both ways, of two failure wins, neither asks, none at all takes any value
        ("-",          "result > 5", once(),   "5",                         "s",     Pass),
        ("-",          "result > 5", once(),   "6",                         "f",     Fail),
        ("result < 5", "result > 9", once(),   "4",                         "s",     Pass),
        ("result < 5", "result > 9", once(),   "10",                        "f",     Fail),
        ("result < 5", "result > 9", once(),   "7",                         "i",     Inconclusive),
        ("result < 9", "result > 5", once(),   "7",                         "f",     Fail),
        ("-",          "-",          once(),   "7",                         "s",     Pass),
        ("-",          "-",          once(),   "nodata nodata",             "ee",    Running),
        // no data, NaN, a number that was not to be had, a text for one, an answer after the deadline: never a pass
        ("result < 5", "-",          strict(once()), "nodata",              "e",     Error),
        ("result < 5", "-",          strict(once()), "nan",                 "e",     Error),
        ("-",          "result > 5", strict(once()), "nan",                 "e",     Error),
        ("result < 5", "-",          strict(once()), "absent",              "e",     Error),
        ("-",          "result > 5", strict(once()), "absent",              "e",     Error),
        ("result < 5", "-",          strict(once()), "\"4\"",               "e",     Error),
        ("-",          "result > 5", strict(once()), "\"4\"",               "e",     Error),
        ("result < 5", "-",          strict(once()), "late",                "e",     Error),
        ("-",          "-",          strict(once()), "late",                "e",     Error),
        ("-",          "count > 5",  strict(once()), "4",                   "e",     Error),
        // fields of a body that are there, are not, or are none
        ("json.bad < 5", "-",        strict(once()), r#"{"bad":4}"#,        "s",     Pass),
        ("json.bad < 5", "-",        strict(once()), r#"{"good":4}"#,       "e",     Error),
        ("-", "json.bad > 5",        strict(once()), r#"{"good":4}"#,       "e",     Error),
        ("-", "json.bad > 5",        strict(once()), r#"{"bad":null}"#,     "e",     Error),
        ("-", "json.deep.bad > 5",   strict(once()), r#"{"good":4}"#,       "e",     Error),
        ("-", "json.a / json.b > 0.5", strict(once()), r#"{"a":0,"b":0}"#,  "e",     Error),
        ("json.a | float < 5", "-",  strict(once()), r#"{"a":"NaN"}"#,      "e",     Error),
        ("-", "json.a | float > 5",  strict(once()), r#"{"a":"NaN"}"#,      "e",     Error),
        ("status == 200", "json.bad > 5", strict(once()), r#"{"good":4}"#,  "e",     Error),
        ("status == 200 or json.bad < 5", "-", strict(once()), r#"{"x":1}"#, "s",    Pass),
        // four errors in a row are borne; a value of either kind begins the count anew; none is one of the count
        ("result < 5", "-",          of(2),    "late late late late",       "eeee",  Running),
        ("result < 5", "-",          of(2),    "late nan nodata refused absent", "eeeee", Error),
        ("result < 5", "-",          of(2),    "late nan nodata refused 4 4", "eeeess", Pass),
        ("result < 5", "-",          Limits { failure_limit: 1, ..of(3) },
                                               "late late late 9 late late 4 late 4", "eeefeeses", Pass),
        ("result < 5", "-",          of(3),    "4 nodata nodata nodata nodata 4 nodata nodata nodata nodata", "seeeeseeee", Running),
        // limits are breached when the counter is greater
        ("result < 5", "-",          bears(2), "9 9 4 4",                   "ffss",  Pass),
        ("result < 5", "-",          bears(2), "9 4 9 9",                   "fsff",  Fail),
        ("result < 5", "-",          bears(2), "4 4 4 9",                   "sssf",  Pass),
        ("result < 5", "result > 9", unsure(1), "7 4 4 4",                  "isss",  Pass),
        ("result < 5", "result > 9", unsure(1), "7 4 7",                    "isi",   Inconclusive),
        ("result < 5", "result > 9", unsure(1), "7 10",                     "if",    Fail),
        // without a count it goes on to its end; then what was measured decides, and what was not cannot pass
        ("result < 5", "-",          endless.clone(), "4 4 4 4 4 4 4",      "sssssss", Running),
        ("result < 5", "-",          endless.clone(), "4 4 4 end",          "sss",   Pass),
        ("result < 5", "-",          endless.clone(), "end",                "",      Inconclusive),
        ("result < 5", "-",          endless.clone(), "4 4 late end",       "sse",   Inconclusive),
        ("result < 5", "-",          endless.clone(), "4 late 4 end",       "ses",   Pass),
        ("result < 5", "-",          endless,  "4 4 9",                     "ssf",   Fail),
        ("result < 5", "-",          of(4),    "4 4 4 end",                 "sss",   Inconclusive),
    ];
    for (success, failure, limits, readings, means, verdict) in table {
        Row { success, failure, limits, readings, means, verdict }.check();
    }
}

#[test]
fn the_value_is_the_number_that_is_compared() {
    let value = |condition: &str, reading: &str| {
        let condition = Condition::new(condition);
        let conditions = Conditions { success: Some(&condition), failure: None };
        conditions.judge(&Values::default(), answer(reading), DEADLINE).value
    };
    assert_eq!(value("result < 5", "4"), 4);
    assert_eq!(value("200 <= status and json.bad < 5", r#"{"bad":3}"#), 200);
    assert_eq!(value("json.bad < 5", r#"{"bad":3,"long":"text"}"#), 3);
    assert_eq!(value("json.bad / json.all < 0.5", r#"{"bad":1,"all":4}"#), 0.25);
    assert_eq!(value("not (5 <= json.bad)", r#"{"bad":3}"#), 3);
    assert_eq!(value("json.state == 'up'", r#"{"state":"up"}"#), serde_json::json!({"state": "up"}));
    assert_eq!(value("result < 5", "nodata"), "no data");
    let long = format!("{{\"text\":\"{}\"}}", "ä".repeat(100_000));
    assert!(value("json.text == 'x'", &long).as_str().is_some_and(|text| text.chars().count() == 201));
}

#[test]
fn a_total_that_fell_began_anew() {
    let mut increase = Increase::default();
    let grown = [100.0, 130.0, 130.0, 5.0, 9.0].map(|total| increase.of(total));
    assert_eq!(grown, [None, Some(30.0), Some(0.0), Some(5.0), Some(4.0)]);
}

#[test]
fn a_slow_answer_moves_none_of_those_after_it() {
    let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
    let next = |due, now| five_of().next_due(at(due), at(now));
    assert_eq!(next(0, 0), at(30));
    assert_eq!(next(0, 29), at(30));
    assert_eq!(next(0, 45), at(60), "what was missed is not made up for, and the beat is kept");
    assert_eq!(next(30, 0), at(30), "a clock that went backwards does not make it hurry");
    assert_eq!(next(7200, 0), at(30), "nor silences it for as long as it went back");
    assert_eq!(Limits::default().next_due(at(0), at(3)), at(13), "after an error without an interval");
}
