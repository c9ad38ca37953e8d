//! Queries: a real Prometheus, and answers that it gives on a bad day.

use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hotfix::clock::pause;
use hotfix::http::{Http, Request};
use serde_json::{Value, json};

use super::fixture::Server;
use super::{decided, monitor, readings};

/// A Prometheus that watches itself.
struct Prometheus {
    child: Child,
    url: String,
    _dir: tempfile::TempDir,
}

impl Prometheus {
    /// One that has scraped itself, or `None` where there is no program for it. In CI there has to be.
    fn start(test: &str) -> Option<Self> {
        if Command::new("prometheus").arg("--version").output().is_err() {
            assert!(std::env::var_os("HOTFIX_CI").is_none(), "no `prometheus` to test with: install it");
            // Not by `eprintln!`, which nobody sees of a test that passes.
            let said = format!("SKIPPED: {test}: there is no `prometheus` on the PATH\n");
            std::io::stderr().write_all(said.as_bytes()).unwrap();
            return None;
        }
        // Somebody else may be given its port in between.
        (0..5).find_map(|_| Self::begin()).or_else(|| panic!("Prometheus ends by itself"))
    }

    /// One that has scraped itself, or `None` where it ended before.
    fn begin() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = format!(
            "global: {{scrape_interval: 100ms, evaluation_interval: 100ms}}\n\
             scrape_configs: [{{job_name: self, static_configs: [{{targets: ['{address}']}}]}}]\n"
        );
        std::fs::write(dir.path().join("prometheus.yml"), config).unwrap();
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", dir.path().join("prometheus.yml").display()));
        command.arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()));
        command.arg(format!("--web.listen-address={address}")).arg("--log.level=error");
        let child = command.current_dir(dir.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut prometheus = Self { child, url: format!("http://{address}"), _dir: dir };
        prometheus.scrapes().then_some(prometheus)
    }

    /// Waits until it has scraped itself more than once. False where it ends before.
    fn scrapes(&mut self) -> bool {
        let until = Instant::now() + Duration::from_secs(60);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let query = format!("{}/api/v1/query?query=count_over_time(up%5B1m%5D)", self.url);
        loop {
            let answer = runtime.block_on(Http::new().send(&Request::get(&query)));
            let count = answer.ok().and_then(|answer| answer.json?.pointer("/data/result/0/value/1").cloned());
            if count.and_then(|count| count.as_str()?.parse::<u32>().ok()).is_some_and(|count| count >= 3) {
                return true;
            }
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(Instant::now() < until, "Prometheus did not begin to scrape");
            pause(Duration::from_millis(50));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn probe(url: &str, query: &str, more: &str) -> String {
    format!("{{name: p, prometheus: {{url: '{url}', query: '{query}'}}, consecutive_error_limit: 0, {more}}}")
}

#[test]
fn a_real_prometheus_answers_instant_and_range_queries() {
    let Some(prometheus) = Prometheus::start("a_real_prometheus_answers_instant_and_range_queries") else { return };
    let url = &prometheus.url;
    let ask = |query: &str, more: &str| {
        let project = monitor("", &[&probe(url, query, more)]);
        let code = project.start("").code;
        (code, decided(&project, "p").0, readings(&project, "p").pop().unwrap().0)
    };
    let is_one = "success_condition: 'result == 1'";
    assert_eq!(ask("up", is_one), (Some(0), "pass".to_owned(), 1.0.into()));
    assert_eq!(ask("scalar(up)", is_one).1, "pass");
    assert_eq!(ask("up{job=\"self\"} * 3", is_one), (Some(5), "fail".to_owned(), 3.0.into()));
    let (_, decision, why) = ask("up{job=\"nobody\"}", is_one);
    assert_eq!((decision.as_str(), why), ("error", "no data".into()));
    let (_, decision, why) = ask("0 * up / 0", is_one);
    assert_eq!((decision.as_str(), why), ("error", "the result is NaN, which is no number".into()));
    let (_, decision, why) = ask("up / 0", "failure_condition: 'result > 5'");
    assert_eq!((decision.as_str(), why), ("error", "the result is +Inf, which is no number".into()));
    let (_, decision, why) = ask("up[", is_one);
    assert!(decision == "error" && why.as_str().unwrap().contains("the server answered 400"), "{why}");
    assert!(why.as_str().unwrap().contains("parse error"), "{why}");
    let (_, decision, why) = ask("up[1m]", is_one);
    assert!(decision == "error" && why.as_str().unwrap().contains("give `range`"), "{why}");
    let (_, decision, why) = ask("{__name__=~\"go_gc_duration_seconds|up\"}", is_one);
    assert!(decision == "error" && why.as_str().unwrap().contains("series, where one is needed"), "{why}");

    let range = |query: &str, condition: &str| {
        let source = format!("prometheus: {{url: '{url}', query: '{query}', range: 1s, step: 200ms}}");
        let project = monitor(
            "",
            &[&format!("{{name: p, {source}, success_condition: '{condition}', consecutive_error_limit: 0}}")],
        );
        project.start("");
        (decided(&project, "p").0, readings(&project, "p").pop().unwrap().0)
    };
    assert_eq!(range("up", "result == 1 and results|length >= 1 and results|max == 1").0, "pass");
    assert_eq!(range("up{job=\"nobody\"}", "results|max == 1"), ("error".to_owned(), "no data".into()));
    assert_eq!(range("up * NaN", "results|max < 1").0, "error");
}

#[test]
fn a_gate_on_a_real_prometheus_sees_it_go() {
    let Some(mut prometheus) = Prometheus::start("a_gate_on_a_real_prometheus_sees_it_go") else { return };
    let probe = format!(
        "{{name: p, prometheus: {{url: '{}', query: up}}, interval: 50ms, timeout: 20s, success_condition: 'result == 1'}}",
        prometheus.url
    );
    let project = super::steps(&[&super::watch("for: 1h,", &[&probe])]).open();
    let child = project.begin();
    let until = Instant::now() + Duration::from_secs(60);
    while project.runs().is_empty() || readings(&project, "p").is_empty() {
        assert!(Instant::now() < until, "nothing was measured");
        pause(Duration::from_millis(10));
    }
    prometheus.child.kill().unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(5));
    let (decision, reason) = decided(&project, "p");
    assert!(
        decision == "error" && reason.contains("5 errors one after the other, more than the 4 allowed; the last was")
    );
    assert!(reason.contains("refused the connection"), "{reason}");
    let readings = readings(&project, "p");
    assert_eq!(readings[0], (1.0.into(), "success".to_owned()));
    assert!(readings[1].1 == "error", "{readings:?}");
}

#[test]
fn no_answer_that_is_not_whole_and_of_now_is_taken_for_a_number() {
    let vector = |value: Value| json!({"status": "success", "data": {"resultType": "vector", "result": value}});
    let matrix = |values: Value| json!({"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}});
    let one = json!([{"metric": {}, "value": [0, "1"]}]);
    let mut warned = vector(one.clone());
    warned["warnings"] = json!(["remote_read: context deadline exceeded"]);
    let mut informed = vector(one.clone());
    informed["warnings"] = json!(["PromQL info: metric might not be a counter"]);
    let now = hotfix::clock::SystemClock;
    let now = hotfix::clock::Clock::now(&now).millis() / 1000;
    for (range, answer, decision, why) in [
        ("", vector(one), "pass", ""),
        ("", informed, "pass", ""),
        ("", warned, "error", "may not be whole"),
        ("", vector(json!([])), "error", "no data"),
        ("", vector(json!([{"metric": {}, "value": [0, "NaN"]}])), "error", "NaN, which is no number"),
        ("", vector(json!([{"metric": {}, "histogram": [0, {}]}])), "error", "no number"),
        ("", json!({"status": "success", "data": {"resultType": "string", "result": [0, "1"]}}), "error", "no number"),
        ("", json!({"status": "error", "error": "too busy"}), "error", "too busy"),
        ("", json!("nothing of the kind"), "error", "the server answered 200"),
        ("range: 5m,", matrix(json!([[now - 60, "2"], [now + 60, "1"]])), "pass", ""),
        ("range: 5m,", matrix(json!([[now - 120, "1"]])), "error", "no data since"),
        ("range: 5m,", matrix(json!([[now - 60, "NaN"], [now + 60, "1"]])), "error", "NaN, which is no number"),
    ] {
        let server = Server::new(move |_| (200, answer.to_string()));
        let source = format!(
            "prometheus: {{{range} url: '{}/', query: 'a b', headers: {{X-Scope-OrgID: '{{{{ issue }}}}'}}}}",
            server.url
        );
        let probe = format!("{{name: p, {source}, success_condition: 'result == 1', consecutive_error_limit: 0}}");
        let project = monitor("", &[&probe]);
        project.start("");
        let value = readings(&project, "p").pop().unwrap().0.to_string();
        assert_eq!(decided(&project, "p").0, decision, "{value}");
        assert!(value.contains(why), "{value} does not say {why}");
        let asked = server.seen().pop().unwrap();
        assert!(asked.contains("query=a%20b") && asked.to_lowercase().contains("x-scope-orgid: 42"), "{asked}");
    }
}
