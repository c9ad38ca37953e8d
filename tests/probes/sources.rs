//! What each kind of probe reads.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::fixture::Server;
use super::{decided, monitor, readings};

#[test]
fn a_response_is_held_to_its_status_fields_headers_body_and_latency() {
    let server = Server::new(|request| {
        let body = if request.starts_with("GET /text") { "all is well" } else { r#"{"queue": {"length": 3}}"# };
        (200, body.to_owned())
    });
    let url = &server.url;
    for (path, condition) in [
        ("text", "body == 'all is well' and json is none and 'well' in body"),
        ("json", "status == 200 and json.queue.length < 4"),
        ("json", "headers['content-length'] == '24' and headers.connection == 'close'"),
        ("json", "elapsed_ms < 5000 and p50 <= p95 and p95 <= p99 and p99 < 5000"),
    ] {
        let probe = format!("{{name: p, http: '{url}/{path}', success_condition: \"{condition}\"}}");
        let project = monitor("", &[&probe]);
        project.start("").exits(0);
        assert_eq!(decided(&project, "p").0, "pass", "{condition}");
    }
    let missing = format!(
        "{{name: p, http: '{url}', failure_condition: \"headers['x-gone'] == 'x'\", consecutive_error_limit: 0}}"
    );
    let project = monitor("", &[&missing]);
    project.start("").exits(5);
    assert_eq!(decided(&project, "p").0, "error");
}

#[test]
fn percentiles_are_those_of_the_readings_so_far() {
    let asked = AtomicUsize::new(0);
    let server = Server::new(move |_| {
        if asked.fetch_add(1, Ordering::SeqCst) == 9 {
            let (_held, receiver) = std::sync::mpsc::channel::<()>();
            let _ = receiver.recv_timeout(Duration::from_secs(3));
        }
        (200, String::new())
    });
    let url = &server.url;
    let probe = |name: &str, condition: &str| {
        format!(
            "{{name: {name}, http: '{url}', interval: 20ms, timeout: 20s, count: 10, failure_limit: 10, success_condition: '{condition}'}}"
        )
    };
    let project = monitor("", &[&probe("tail", "p99 < 2500")]);
    project.start("").exits(0);
    assert_eq!(decided(&project, "tail").1, "9 succeeded, 1 failed", "one slow answer of ten is the tail");
    // The slow one was the tenth: ten more are quick.
    let project = monitor("", &[&probe("middle", "p50 < 2500")]);
    project.start("").exits(0);
    assert_eq!(decided(&project, "middle").1, "10 succeeded");
}

#[test]
fn a_redirect_is_an_answer_unless_it_is_to_be_followed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 1024];
            let n = stream.read(&mut head).unwrap();
            let said = if head[..n].starts_with(b"GET /old ") { "302 Found\r\nlocation: /new" } else { "200 OK" };
            let _ = write!(stream, "HTTP/1.1 {said}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    for (redirects, status) in [(0, 302), (1, 200)] {
        let http = format!("http: {{url: '{url}/old', redirects: {redirects}}}");
        let project = monitor("", &[&format!("{{name: p, {http}, success_condition: 'status == {status}'}}")]);
        project.start("").exits(0);
    }
}

#[test]
fn what_a_total_grew_by_survives_its_beginning_anew() {
    // 100, 103, 1, 6: by 3, by 1 because it began anew, by 5.
    let script = "echo x >> \\\"$T/n\\\"; case $(wc -l < \\\"$T/n\\\") in *1) echo 100;; *2) echo 103;; *3) echo 1;; *) echo 6;; esac";
    let probe = format!(
        "{{name: p, run: \"{script}\", interval: 50ms, timeout: 20s, count: 3, success_condition: 'increase < 5', failure_limit: 1}}"
    );
    let project = monitor("", &[&probe]);
    project.start("").exits(0);
    assert_eq!(decided(&project, "p").1, "2 succeeded, 1 failed");
    assert_eq!(readings(&project, "p"), [(3.0.into(), "success".to_owned()), (5.0.into(), "failure".to_owned())]);
}

#[test]
fn this_machine_tells_how_busy_it_is() {
    let all = "0 <= load1 and 0 <= cpu_percent and cpu_percent <= 100 and 0 < memory_percent and memory_percent < 100 \
               and 0 < disk_percent and disk_percent <= 100";
    let probe =
        format!("{{name: p, system: {{}}, interval: 50ms, timeout: 20s, count: 3, success_condition: '{all}'}}");
    let project = monitor("", &[&probe]);
    project.start("").exits(0);
    assert_eq!(decided(&project, "p").1, "3 succeeded");
    let nowhere =
        "{name: p, system: {path: /nowhere}, success_condition: 'disk_percent < 101', consecutive_error_limit: 0}";
    let project = monitor("", &[nowhere]);
    project.start("").exits(5);
    assert!(readings(&project, "p")[0].0.as_str().unwrap().starts_with("/nowhere: "));
}

#[test]
fn busy_processors_show() {
    // As many busy loops as there are processors, until the gate has seen them.
    let cores = std::thread::available_parallelism().unwrap().get();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let busy: Vec<_> = (0..cores)
        .map(|_| {
            let stop = std::sync::Arc::clone(&stop);
            std::thread::spawn(move || while !stop.load(Ordering::Relaxed) {})
        })
        .collect();
    let probe =
        "{name: p, system: {}, interval: 300ms, count: 1, failure_limit: 100, success_condition: 'cpu_percent > 60'}";
    let project = monitor("", &[probe]);
    let ended = project.start("");
    stop.store(true, Ordering::Relaxed);
    busy.into_iter().for_each(|thread| thread.join().unwrap());
    ended.exits(0);
    assert_eq!(decided(&project, "p").1, "1 succeeded", "{:?}", readings(&project, "p"));
}
