//! Probes at the same time: one that hangs delays no other.

use std::io::Read as _;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use super::fixture::Server;
use super::{decided, monitor, readings};

/// A server that takes every connection and answers none.
fn hanging() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let _ = stream.read_to_end(&mut Vec::new());
            });
        }
    });
    url
}

#[test]
fn whatever_hangs_costs_its_own_probe_and_delays_no_other() {
    let (hangs, quick) = (hanging(), Server::new(|_| (200, String::new())));
    let condition = "interval: 900ms, count: 1, consecutive_error_limit: 100, success_condition";
    let project = monitor(
        "for: 4s,",
        &[
            &format!("{{name: http, http: '{hangs}', {condition}: 'status == 200'}}"),
            &format!("{{name: run, run: 'read x < \"$T/never\"', {condition}: 'exit_code == 0'}}"),
            &format!("{{name: prom, prometheus: {{url: '{hangs}', query: up}}, {condition}: 'result == 1'}}"),
            &format!(
                "{{name: quick, http: '{}', interval: 50ms, timeout: 20s, count: 8, success_condition: 'status == 200'}}",
                quick.url
            ),
        ],
    );
    project.fifo("never");
    project.start("").exits(5);
    // 8 readings at 50 ms take 0.35 s; waiting for any of the others between them would take longer than the 4 s there are.
    assert_eq!(quick.seen().len(), 8);
    assert_eq!(readings(&project, "quick").len(), 1);
    for name in ["http", "run", "prom"] {
        let readings = readings(&project, name);
        assert_eq!((readings.len(), readings[0].1.as_str()), (1, "error"), "{name}");
        assert!(readings[0].0.as_str().unwrap().contains("answer within 900 ms"), "{name}: {readings:?}");
    }
}

#[test]
fn a_deadline_may_be_longer_or_shorter_than_the_interval() {
    let slow = Server::new(|_| {
        let (_held, receiver) = std::sync::mpsc::channel::<()>();
        let _ = receiver.recv_timeout(Duration::from_millis(300));
        (200, String::new())
    });
    let probe = |timeout: &str| {
        let url = &slow.url;
        format!(
            "{{name: p, http: '{url}', interval: 100ms, timeout: {timeout}, count: 2, success_condition: 'status == 200', consecutive_error_limit: 0}}"
        )
    };
    let project = monitor("", &[&probe("5s")]);
    project.start("").exits(0);
    assert_eq!(decided(&project, "p").1, "2 succeeded");
    let project = monitor("", &[&probe("50ms")]);
    project.start("").exits(5);
    assert_eq!(decided(&project, "p").0, "error");
}
