//! The actions that look outside: http, monitor, notify.

use hotfix::event::Event;
use serde_json::Value;

use super::fixture::{Server, steps};

fn body(request: &str) -> Value {
    let text = request.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_request_carries_what_the_runbook_gives_and_is_held_to_what_it_expects() {
    let server = Server::new(|request| {
        let code = if request.starts_with("GET /missing") { 404 } else { 201 };
        (code, r#"{"ok": true, "items": [1, 2]}"#.to_owned())
    });
    let mut project = steps(&[
        "{id: short, http: '{{ url }}/short'}",
        "{id: long, http: {method: POST, url: '{{ url }}/login', headers: {X-Issue: '{{ issue }}'}, \
         json: {email: a@b, password: '{{ env.LOGIN_PASSWORD }}', deep: ['{{ tag }}', 3, true]}, \
         expect: 'status == 201 and json.ok and json.items[1] == 2 and elapsed_ms < 5000'}}",
        "{id: body, http: {method: PUT, url: '{{ url }}/put', body: 'is {{ new_tag }}'}}",
        "{id: missing, http: {url: '{{ url }}/missing', expect: 'status == 404'}}",
        "{id: wrong, http: '{{ url }}/missing'}",
    ])
    .top("secrets: [LOGIN_PASSWORD]")
    .top("vars: {url: http://localhost}")
    .open();
    project.set("LOGIN_PASSWORD", "hunter2!");
    project
        .start_with("", &["--set", &format!("url={}", server.url)])
        .exits(5)
        .says(&["404", "expected 200 <= status"]);
    let seen = server.seen();
    assert!(seen[0].starts_with("GET /short"));
    assert!(seen[1].starts_with("POST /login") && seen[1].to_lowercase().contains("x-issue: 42"));
    let sent = body(&seen[1]);
    assert_eq!(
        (&sent["password"], &sent["deep"][0], &sent["deep"][1]),
        (&"hunter2!".into(), &"v1.2.3".into(), &3.into())
    );
    assert!(seen[2].starts_with("PUT /put") && seen[2].ends_with("is v1.2.4"));
    project.tells("s/missing", &["started", "done"]);
    project.tells("s/wrong", &["started", "failed expectation"]);
}

#[test]
fn a_service_that_does_not_answer_in_time_or_at_all_is_a_failure() {
    let server = Server::new(|_| {
        // Longer than the step waits: nobody ever sends anything here.
        let (held, receiver) = std::sync::mpsc::channel::<()>();
        let _ = receiver.recv_timeout(std::time::Duration::from_secs(2));
        drop(held);
        (200, String::new())
    });
    let step = |fields: &str, url: &str| format!("{{id: a, {fields}, http: '{url}'}}");
    for (fields, words) in [
        ("timeout: 200ms, retries: 1", &["started", "failed timeout"][..]),
        (
            "timeout: 200ms, retries: 1, retry_on: timed_out",
            &["started", "failed timeout, again", "started", "failed timeout"],
        ),
    ] {
        let project = steps(&[&step(fields, &server.url)]).open();
        project.start("").exits(5).says(&["did not answer within 200 ms"]);
        project.tells("s/a", words);
    }
    // A port that no listener is ever given by chance.
    let nobody = "127.0.0.1:1";
    let project = steps(&[&step("retries: 1", &format!("http://{nobody}"))]).open();
    project.start("").exits(5).says(&["refused the connection"]);
    project.tells("s/a", &["started", "failed request, again", "started", "failed request"]);
}

#[test]
fn a_gate_passes_fails_or_is_inconclusive_and_only_a_pass_goes_on() {
    let server = Server::new(|_| (200, r#"{"errors": 3}"#.to_owned()));
    let url = &server.url;
    for (probe, code, last) in [
        (format!("{{name: p, http: '{url}', success_condition: 'status == 200'}}"), 0, "gate pass"),
        (format!("{{name: p, http: '{url}', failure_condition: 'json.errors > 2'}}"), 5, "gate fail"),
        (format!("{{name: p, http: '{url}', success_condition: 'json.errors == 0', failure_condition: 'json.errors > 5'}}"), 5, "gate inconclusive"),
        (format!("{{name: p, http: '{url}', success_condition: 'json.missing.deep == 1', consecutive_error_limit: 0}}"), 5, "gate error"),
        ("{name: p, http: 'http://127.0.0.1:1/', success_condition: 'status == 200', interval: 50ms, count: 6}".to_owned(), 5, "gate error"),
        ("{name: p, run: 'echo 5', success_condition: 'result < 6 and exit_code == 0'}".to_owned(), 0, "gate pass"),
        ("{name: p, run: 'echo 5', failure_condition: 'result >= 5', interval: 100ms, timeout: 20s, count: 3, failure_limit: 2}".to_owned(), 5, "gate fail"),
        ("{name: p, run: 'echo x >> \"$T/n\"; wc -l < \"$T/n\"', failure_condition: 'result == 2', interval: 100ms, timeout: 20s, count: 3, failure_limit: 1}".to_owned(), 0, "gate pass"),
        ("{name: p, run: 'echo nonsense', success_condition: 'result > 1', interval: 100ms, count: 9}".to_owned(), 5, "gate error"),
        ("{name: p, run: 'echo nonsense', failure_condition: 'result > 1', consecutive_error_limit: 0}".to_owned(), 5, "gate error"),
        ("{name: p, run: 'read x < \"$T/never\"', interval: 100ms, count: 2, failure_condition: 'exit_code > 0', consecutive_error_limit: 1}".to_owned(), 5, "gate error"),
        ("{name: p, run: 'kill -9 $$', failure_condition: 'exit_code > 0'}".to_owned(), 5, "gate fail"),
        ("{name: p, system: {}, success_condition: 'load1 >= 0 and memory_percent > 0 and disk_percent <= 100'}".to_owned(), 0, "gate pass"),
    ] {
        let project = steps(&[&format!("{{id: a, monitor: {{probes: [{probe}]}}}}"), "{id: b, run: 'true'}"]).open();
        project.fifo("never");
        project.start("").exits(code);
        let gates = project.story("s/a").into_iter().rfind(|word| word.starts_with("gate"));
        let passed = project.story("s/b").len();
        assert_eq!((gates.as_deref(), passed), (Some(last), if code == 0 { 2 } else { 0 }), "{probe}: {:?}", project.story("s/a"));
    }
}

#[test]
fn only_what_a_log_gets_while_it_is_watched_is_counted() {
    // Long enough for whatever is to be seen, which ends it.
    let log = |long: &str| {
        format!(
            "{{id: a, monitor: {{for: {long}, probes: [{{name: log, log: {{path: '{{{{ env.T }}}}/app.log', contains: ERROR}}, \
             interval: 50ms, timeout: 20s, failure_condition: 'count > 0'}}, \
             {{name: app, run: 'echo ERROR again >> \"$T/new.log\"; [ ! -e \"$T/loud\" ] || cat \"$T/new.log\" >> \"$T/app.log\"', \
             interval: 50ms, timeout: 20s, success_condition: 'exit_code == 0'}}]}}}}"
        )
    };
    let project = steps(&["{id: old, run: 'echo ERROR old > \"$T/app.log\"'}", &log("400ms")]).open();
    project.start("").exits(0);
    let project = steps(&["{id: old, run: 'echo ERROR old > \"$T/app.log\"; touch \"$T/loud\"'}", &log("20s")]).open();
    project.start("").exits(5);
    assert!(project.story("s/a").contains(&"log failure".to_owned()));
}

#[test]
fn a_breach_rolls_back_where_the_runbook_says_so() {
    let project = steps(&[
        "{id: a, run: 'true', undo: {run: 'echo x > \"$T/undone\"'}}",
        "{id: m, monitor: {on_breach: rollback, probes: [{name: p, run: 'false', failure_condition: 'exit_code != 0'}]}}",
    ])
    .open();
    project.start("").exits(10);
    assert_eq!(project.left("undone"), "x\n");
    project.hotfix(&["status"]).says(&["finished: production was rolled back"]).keeps(&["Go on with"]);
    project.hotfix(&["list"]).says(&["  rolled back  "]).keeps(&["finished"]);
    // What is not known is no breach.
    let unsure = "{id: m, monitor: {on_breach: rollback, probes: [{name: p, run: 'false', success_condition: 'exit_code == 0', failure_condition: 'exit_code == 9'}]}}";
    steps(&[unsure]).open().start("").exits(5);
}

/// A probe that looks whether anything is broken, and leaves a file behind when it has looked.
const BEHIND: &str = "probes: [{name: p, interval: 20ms, timeout: 20s, failure_condition: 'exit_code != 0', \
                      run: 'test ! -e \"$T/broken\"; code=$?; touch \"$T/looked\"; exit $code'}]";
/// Breaks it once it was looked at, and waits for something that never happens, until a breach breaks in.
const BREAKS: &str =
    "rm -f \"$T/looked\"; until test -e \"$T/looked\"; do :; done; touch \"$T/broken\"; read x < \"$T/never\"";

#[test]
fn a_gate_behind_later_steps_breaks_in_on_them() {
    let watch = format!("{{id: m, monitor: {{for: 1h, background: true, {BEHIND}}}}}");
    let slow = format!("{{id: slow, run: '{BREAKS}'}}");
    let project = steps(&[&watch, &slow]).open();
    project.fifo("never");
    project.start("").exits(5).says(&["✓ s/m  watches from now on, until ", "Paused"]).keeps(&["s/m  done"]);
    project.tells("s/m", &["started", "done", "p success", "p failure", "gate fail"]);
    project.tells("s/slow", &["started"]);
    // The command was left running, and nobody runs it again.
    std::fs::remove_file(project.path("broken")).unwrap();
    let path = project.path("never");
    let feeder = std::thread::spawn(move || std::fs::write(path, "go\n"));
    project.resume("").exits(0);
    feeder.join().unwrap().unwrap();
    project.tells("s/slow", &["started", "done"]);
}

#[test]
fn a_gate_behind_later_steps_may_roll_back_by_itself_or_be_left_to_watch() {
    let watch = format!("{{id: m, monitor: {{for: 1h, background: true, on_breach: rollback, {BEHIND}}}}}");
    let slow = "{id: slow, run: 'touch \"$T/broken\"; read x < \"$T/never\"', undo: {run: 'echo x > \"$T/undone\"'}}";
    let project = steps(&[&watch, slow]).open();
    project.fifo("never");
    project.start("").exits(10);
    assert_eq!(project.left("undone"), "x\n");
    project.tells("s/slow", &["started", "failed stopped"]);

    let watch = format!("{{id: m, monitor: {{for: 1h, background: true, {BEHIND}}}}}");
    let mends = "{id: slow, run: 'touch \"$T/broken\"; while [ ! -e \"$T/seen\" ]; do :; done; rm \"$T/broken\"'}";
    let project = steps(&[&watch, &mends.replace("seen", "looked")]).open();
    project.start("s/m: [wait, wait, wait, wait, wait, wait]\n").exits(0);
}

/// A step that touches production, which is broken from then on where `broken` says so.
fn touches(more: &str) -> String {
    format!("{{id: up, affects: production, run: 'true{more}', undo: {{run: 'echo x >> \"$T/undone\"'}}}}")
}

fn waits() -> String {
    format!("{{id: wait, run: '{BREAKS}'}}")
}

#[test]
fn once_production_is_touched_a_watch_that_passed_goes_on_behind_the_later_steps() {
    let watch = |more: &str| format!("{{id: m, monitor: {{for: 100ms, {more}{BEHIND}}}}}");
    let answers = "s/up: v1.2.4\n";
    let project = steps(&[&touches(""), &watch(""), &waits()]).open();
    project.fifo("never");
    project
        .start(answers)
        .exits(5)
        .says(&["s/m: the gate came to fail: p: 1 failed", "  p  0  ok  bears 0 · fails where exit_code != 0"]);
    project.tells("s/m", &["started", "p success", "gate pass", "done", "p success", "p failure", "gate fail"]);
    // Taken up again it watches again, and asks again.
    project.resume(&format!("{answers}s/m: [wait, rollback]\n")).exits(10);
    assert_eq!(project.left("undone"), "x\n");

    // One that ends when it has passed, and one without production, watch nothing behind.
    for (first, second, answers) in [(touches(""), watch("then: end, "), answers), (String::new(), watch(""), "")] {
        let through = "{id: through, run: 'touch \"$T/broken\"; for i in 1 2 3 4 5 6 7 8; do sleep 0.05; done'}";
        let all: Vec<_> = [first.as_str(), &second, through].into_iter().filter(|step| !step.is_empty()).collect();
        steps(&all).open().start(answers).exits(0);
    }
}

#[test]
fn of_what_cannot_be_measured_it_is_asked_once_and_again_only_after_it_could_be() {
    let blind = "{id: m, monitor: {background: true, probes: [{name: p, interval: 20ms, timeout: 20s, \
                 run: 'echo x >> \"$T/tries\"; cat \"$T/number\"', success_condition: 'result < 5', consecutive_error_limit: 1}]}}";
    let tries = "{id: tries, run: 'until test \"$(wc -l < \"$T/tries\")\" -gt 20; do sleep 0.02; done 2>/dev/null'}";
    // Of three that begin behind it, two have ended by then, and one of them began with a number.
    let sees = "{id: sees, run: 'echo 1 > \"$T/number\"; tries=$(wc -l < \"$T/tries\"); \
                until test \"$(wc -l < \"$T/tries\")\" -gt \"$((tries + 2))\"; do sleep 0.02; done; \
                rm \"$T/number\"; read x < \"$T/never\"'}";
    let project = steps(&[blind, tries, sees]).open();
    project.fifo("never");
    project.start("s/m: [wait]\n").exits(5).says(&["s/m: the gate came to error"]);
    project.tells("s/tries", &["started", "done"]);
    let errors = project.story("s/m").iter().filter(|word| *word == "gate error").count();
    assert_eq!(errors, 2, "{:?}", project.story("s/m"));
    // The command that was left running ends by that.
    std::fs::write(project.path("never"), "go\n").unwrap();
}

#[test]
fn a_watch_may_begin_with_the_first_step_that_touches_production_and_the_next_takes_over() {
    let early =
        |id: &str, more: &str| format!("{{id: {id}, monitor: {{for: 100ms, from: production, {more}{BEHIND}}}}}");
    // It is bad before production is touched, and nobody asks about that.
    let project = steps(&[
        "{id: bad, run: 'touch \"$T/broken\"'}",
        &touches("; rm \"$T/broken\""),
        &waits(),
        &early("m", "on_breach: rollback, "),
    ])
    .open();
    project.fifo("never");
    project.start("s/up: v1.2.4\n").exits(10).says(&["as the runbook says (on_breach: rollback)"]);
    assert_eq!(project.left("undone"), "x\n");
    project.tells("s/m", &["p success", "p failure", "gate fail"]);

    // The first of two hands over to the second, which is the one that asks.
    let watch = |id: &str| format!("{{id: {id}, monitor: {{for: 100ms, {BEHIND}}}}}");
    let project = steps(&[&touches(""), &watch("one"), &watch("two"), &waits()]).open();
    project.fifo("never");
    project.start("s/up: v1.2.4\n").exits(5).says(&["s/two: the gate came to fail"]);
    assert!(!project.story("s/one").contains(&"gate fail".to_owned()), "{:?}", project.story("s/one"));
    std::fs::write(project.path("never"), "go\n").unwrap();
}

#[test]
fn what_the_runbook_bears_is_borne_behind_the_later_steps_and_after_an_interruption() {
    let bears = format!("{{id: m, monitor: {{for: 100ms, on_breach: continue, {BEHIND}}}}}");
    let seen = "{id: seen, run: 'touch \"$T/broken\"; until grep -q ''\"decision\":\"fail\"'' .git/hotfix/runs/*/journal.jsonl; do sleep 0.02; done'}";
    let project = steps(&[&touches(""), &bears, seen, "{id: q, confirm: 'Go on?'}"]).open();
    let ended = project.start("s/up: v1.2.4\n").exits(7).says(&["WARNING: the gate came to fail, which is borne: p"]);
    ended.keeps(&["what it watched is as it should be"]);
    // Nobody is asked about it, whoever takes the run up.
    project.resume("s/q: yes\n").exits(0).keeps(&["s/m: the gate came to"]);
}

#[test]
fn a_breach_does_not_put_off_what_is_tried_again() {
    let watch = format!("{{id: m, monitor: {{background: true, {BEHIND}}}}}");
    let again = "{id: a, retries: 1, delay: 600ms, run: 'rm \"$T/broken\" || { touch \"$T/broken\"; exit 1; }'}";
    let waits = format!("s/m: [{}]\n", ["wait"; 60].join(", "));
    let project = steps(&[&watch, again]).open();
    project.start(&waits).exits(0);
    assert!(project.story("s/m").iter().filter(|word| *word == "gate fail").count() > 1, "{:?}", project.story("s/m"));
}

#[test]
fn messages_reach_each_channel_and_one_that_is_down_is_only_a_warning() {
    let server = Server::new(|request| (if request.starts_with("POST /down") { 500 } else { 200 }, String::new()));
    let mut project = steps(&[
        "{id: all, notify: '{{ new_tag }} is out'}",
        "{id: one, notify: {text: only here, channels: [hook]}}",
        "{id: after, run: 'true'}",
    ])
    .top("channels:")
    .top("  chat: {type: slack, url_env: CHAT_URL}")
    .top("  hook: {type: webhook, url_env: HOOK_URL}")
    .top("  down: {type: slack, url_env: DOWN_URL}")
    .top("  unset: {type: slack, url_env: UNSET_URL}")
    .top("  pager: {type: command, run: 'echo \"$HOTFIX_MESSAGE\" >> \"$T/paged\"'}")
    .top("  broken: {type: command, run: 'echo why >&2; exit 3'}")
    .open();
    for (name, path) in [("CHAT_URL", "chat"), ("HOOK_URL", "hook"), ("DOWN_URL", "down")] {
        project.set(name, &format!("{}/{path}/secret-token", server.url));
    }
    let ended = project.start("").exits(0);
    ended.says(&["UNSET_URL is not set", "down did not get", "broken did not get"]).keeps(&["secret-token"]);
    assert_eq!(project.left("paged"), "v1.2.4 is out\n");
    let seen = server.seen();
    let to =
        |path: &str| seen.iter().filter(|request| request.starts_with(&format!("POST /{path}"))).collect::<Vec<_>>();
    assert_eq!(body(to("chat")[0]), serde_json::json!({"text": "v1.2.4 is out"}));
    assert_eq!(body(to("hook")[0])["text"], "v1.2.4 is out");
    assert_eq!((to("chat").len(), to("hook").len(), body(to("hook")[1])["text"].as_str()), (1, 2, Some("only here")));
    let events = project.events();
    let sent = events
        .iter()
        .filter_map(|event| if let Event::NoticeSent { channel, .. } = event { Some(channel.as_str()) } else { None });
    let failed = events.iter().filter_map(|event| {
        if let Event::NoticeFailed { channel, .. } = event { Some(channel.as_str()) } else { None }
    });
    assert_eq!(sent.collect::<Vec<_>>(), ["chat", "hook", "pager", "hook"]);
    assert_eq!(failed.collect::<Vec<_>>(), ["broken", "down", "unset"]);
    assert!(!project.journal().contains("secret-token"));
}
