//! What is measured before is what is compared with afterwards: kept, compared, and never in the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::fixture::{Server, steps};
use super::{decided, watch};

/// A step `before` that takes a baseline by these probes.
fn before(probes: &[&str]) -> String {
    watch("on_breach: continue,", probes).replacen("id: m", "id: before", 1)
}

/// A number that a script gives, another each time.
fn numbers(name: &str, numbers: &str) -> String {
    format!("run: \"echo x >>\\\"$T/{name}\\\"; echo {numbers} | cut -d ' ' -f \\\"$(wc -l <\\\"$T/{name}\\\")\\\"\"")
}

/// Held to twice what it was before, where that is known.
const TWICE: &str = "success_condition: 'result < 100 and (rate_before is none or result <= 2 * rate_before)'";

#[test]
fn the_median_of_the_readings_is_kept_and_later_readings_are_held_to_it() {
    for (after, code) in [("9", 0), ("11", 5), ("100", 5)] {
        let taken = before(&[&format!(
            "{{name: rate, {}, interval: 20ms, timeout: 20s, count: 3, capture: {{rate_before: result, code_before: exit_code}}}}",
            numbers("n", "900 5 1")
        )]);
        let held =
            watch("", &[&format!("{{name: rate, run: 'echo {after}', {TWICE}, capture: {{rate_after: result}}}}")]);
        let project = steps(&[&taken, &held]).open();
        let ended = project.start("").exits(code);
        assert_eq!((&project.given()["rate_before"], &project.given()["code_before"]), (&json!(5), &json!(0)));
        if code == 0 {
            ended.says(&["rate_before = 5", "rate_after = 9"]);
            let report = project.hotfix(&["report"]).exits(0);
            report.says(&["## Before and after", "| rate | result | 5 → 9 | s/before → s/m |"]);
        } else {
            // What it was held to is said with its numbers.
            assert!(decided(&project, "rate").1.contains("(rate_before = 5)"), "{:?}", decided(&project, "rate"));
        }
    }
}

#[test]
fn what_cannot_be_measured_is_none_and_said_and_the_fixed_limit_counts() {
    // A port that no listener is ever given by chance.
    let nobody = "127.0.0.1:1";
    let server = Server::new(|_| (500, String::new()));
    let probes = [
        format!(
            "{{name: rate, prometheus: {{url: 'http://{nobody}', query: up}}, interval: 20ms, timeout: 5s, count: 3, capture: {{rate_before: result}}}}"
        ),
        // A quick error is not how long an answer takes.
        format!(
            "{{name: time, http: '{}', success_condition: status == 200, capture: {{ms_before: elapsed_ms}}}}",
            server.url
        ),
        "{name: well, run: 'echo 7', capture: {well_before: result}}".to_owned(),
    ];
    for (after, code) in [("99", 0), ("100", 5)] {
        let held = watch("", &[&format!("{{name: after, run: 'echo {after}', {TWICE}}}")]);
        let project = steps(&[&before(&probes.each_ref().map(String::as_str)), &held]).open();
        let said = project.start("").exits(code).says(&[
            "rate_before = none: it could not be measured",
            "ms_before = none",
            "the gate came to error, which is borne: rate: ",
            "the gate came to fail, which is borne: time: ",
            "well_before = 7",
        ]);
        drop(said);
        let given = project.given();
        assert_eq!(
            [&given["rate_before"], &given["ms_before"], &given["well_before"]],
            [&Value::Null, &Value::Null, &json!(7)]
        );
        assert_eq!(project.story("s/before").last().map(String::as_str), Some("done"));
        assert_eq!((decided(&project, "rate").0.as_str(), decided(&project, "time").0.as_str()), ("error", "fail"));
        let wanted = if code == 0 { "pass" } else { "fail" };
        assert_eq!(decided(&project, "after").0, wanted);
    }
}

#[test]
fn an_error_is_no_pass_for_all_that_there_is_a_baseline() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let server = Server::new(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => (200, r#"{"status":"success","data":{"resultType":"scalar","result":[1,"5"]}}"#.to_owned()),
        _ => (503, String::new()),
    });
    let query = format!("prometheus: {{url: '{}', query: up}}", server.url);
    let taken = before(&[&format!("{{name: rate, {query}, capture: {{rate_before: result}}}}")]);
    let held = watch("", &[&format!("{{name: rate, {query}, interval: 20ms, timeout: 5s, count: 1, {TWICE}}}")]);
    let project = steps(&[&taken, &held]).open();
    project.start("").exits(5).says(&["the gate came to error: rate"]);
    assert_eq!(project.given()["rate_before"], json!(5));
    assert_eq!(asked.load(Ordering::SeqCst), 6, "one before, and five errors one after the other");
}

#[test]
fn what_was_measured_is_there_after_a_pause_and_measured_once() {
    let taken = before(&[&format!("{{name: rate, {}, capture: {{rate_before: result}}}}", numbers("n", "5 50"))]);
    let held = watch("", &[&format!("{{name: rate, run: 'echo 11', {TWICE}}}")]);
    let project = steps(&[&taken, "{id: ask, confirm: On?}", &held]).open();
    project.start("").exits(7);
    project.resume("s/ask: yes").exits(5);
    assert_eq!(project.left("n"), "x\n");
    assert!(decided(&project, "rate").1.contains("rate_before = 5"));
    project.hotfix(&["log"]).exits(0).says(&["rate_before = 5"]);
}

#[test]
fn a_baseline_that_is_left_out_is_none() {
    let taken = before(&["{name: rate, run: 'echo 5', capture: {rate_before: result}}"]);
    let taken = taken.replacen("id: before,", "id: before, when: 'false',", 1);
    let held = watch("", &[&format!("{{name: rate, run: 'echo 99', {TWICE}}}")]);
    steps(&[&taken, &held]).open().start("").exits(0);
}

#[test]
fn what_a_probe_does_not_measure_or_nobody_waits_for_is_refused() {
    let check = |head: &str, capture: &str, condition: &str| {
        let probe = format!("{{name: p, system: {{}}, interval: 1s, capture: {{load_before: {capture}}}}}");
        let later = format!(
            "{{id: later, monitor: {{probes: [{{name: q, system: {{}}, success_condition: '{condition}'}}]}}}}"
        );
        let project = steps(&[&watch(head, &[&probe]), &later]).open();
        project.hotfix(&["check", "../runbook.yaml"])
    };
    let fine = "load_before is none or load1 < load_before";
    check("for: 1s,", "load1", fine).exits(0);
    check("for: 1s,", "laod1", fine).exits(3).says(&["this probe measures no number `laod1`", "load1"]);
    check("for: 1s,", "elapsed_ms", fine).exits(3).says(&["this probe measures no number `elapsed_ms`"]);
    check("background: true,", "load1", fine).exits(3).says(&["what goes on behind later steps"]);
    check("for: 1s,", "load1", "load1 < laod_before").exits(3).says(&["no variable `laod_before`", "load_before"]);
    let inner = "{id: a, note: x, verify: {monitor: {probes: [{name: p, system: {}, capture: {x: load1}}]}}}";
    steps(&[inner])
        .open()
        .hotfix(&["check", "../runbook.yaml"])
        .exits(3)
        .says(&["a probe captures only in a step of its own"]);
}
