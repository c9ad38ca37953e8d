//! The drill's servers: one that runs the application deployed to it, and the front that users of production reach.
//!
//! # Why
//! Both read on every request what they are to serve, from a file that the scripts replace whole. So a deployment or a switch
//! is one rename, nothing is restarted, and a script that is killed half way leaves what was there before.

use std::cell::{Cell, RefCell};
use std::fs::{self, OpenOptions};
use std::future::{Future, pending};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

use super::wire::{self, JSON, Message};
use crate::clock::{Clock, SystemClock};

/// How often a server looks whether its sandbox is still there.
const WATCH: Duration = Duration::from_millis(500);
/// How long a login may take, and how long a client may keep a connection waiting.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a server of the drill is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Runs the application of the release that was deployed to it.
    Service,
    /// Hands each request to the next of the servers that its list names.
    Front,
}

/// Serves as `name` in the sandbox `dir` until that directory is gone, or standard input has ended where it is a pipe; the port is written to `servers/NAME/port`, and then
/// as a line to stdout.
///
/// # Errors
/// Where no port can be had or the sandbox cannot be written to.
pub fn serve(role: Role, dir: &Path, name: &str) -> io::Result<()> {
    let server = Rc::new(Server {
        role,
        sandbox: dir.to_owned(),
        home: dir.join("servers").join(name),
        name: name.to_owned(),
        turn: Cell::new(0),
        counts: RefCell::default(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let fresh = server.home.join("port.new");
        fs::write(&fresh, format!("{port}\n"))?;
        fs::rename(&fresh, server.home.join("port"))?;
        let mut out = io::stdout().lock();
        writeln!(out, "{port}")?;
        out.flush()?;
        drop(out);
        tokio::select! {
            () = accept(&listener, &server) => Ok(()),
            () = gone(&server.home) => Ok(()),
            () = orphaned() => Ok(()),
        }
    })
}

async fn accept(listener: &TcpListener, server: &Rc<Server>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let server = Rc::clone(server);
                drop(tokio::task::spawn_local(async move { server.converse(stream).await }));
            }
            Err(_) => SystemClock.sleep(WATCH).await,
        }
    }
}

async fn gone(home: &Path) {
    while home.is_dir() {
        SystemClock.sleep(WATCH).await;
    }
}

/// Ends with whoever holds the other end of standard input.
async fn orphaned() {
    let owner = io::stdin().as_fd().try_clone_to_owned().and_then(Receiver::from_owned_fd);
    // Started by hand, it has no owner.
    let Ok(mut owner) = owner else { return pending().await };
    let mut ignored = [0; 64];
    while owner.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
}

async fn in_time<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::select! {
        done = work => done,
        () = SystemClock.sleep(PATIENCE) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// What a server has seen since it began.
#[derive(Debug, Default)]
struct Counts {
    requests: u64,
    errors: u64,
    accepted: u64,
    refused: u64,
    busy_ms: u64,
    last_ms: u64,
}

struct Server {
    role: Role,
    sandbox: PathBuf,
    home: PathBuf,
    name: String,
    turn: Cell<usize>,
    counts: RefCell<Counts>,
}

impl Server {
    async fn converse(&self, mut stream: TcpStream) {
        let Ok(request) = in_time(wire::read(&mut stream)).await else { return };
        let answer = match self.role {
            Role::Service => self.answer(&request).await,
            Role::Front => self.forward(&request).await,
        };
        // A client that went away is its own affair.
        drop(in_time(wire::write(&mut stream, &answer)).await);
    }

    async fn forward(&self, request: &Message) -> Message {
        let list = fs::read_to_string(self.home.join("backends")).unwrap_or_default();
        let backends: Vec<&str> = list.split_whitespace().collect();
        if backends.is_empty() {
            return refusal("502 Bad Gateway", "no server is behind the front");
        }
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        let backend = backends[turn % backends.len()];
        let port = fs::read_to_string(self.sandbox.join("servers").join(backend).join("port"))
            .ok()
            .and_then(|text| text.trim().parse().ok());
        let Some(port) = port else { return refusal("502 Bad Gateway", &format!("{backend} has no port")) };
        match in_time(wire::exchange(port, request)).await {
            Ok(answer) => answer,
            Err(error) => refusal("502 Bad Gateway", &format!("{backend}: {error}")),
        }
    }

    async fn answer(&self, request: &Message) -> Message {
        let begun = SystemClock.now();
        let answer = match request.target() {
            ("GET", "/health") => return self.health(),
            ("GET", "/metrics") => return self.metrics(),
            ("GET", "/api/v1/query") => return self.query(&request.start),
            ("POST", "/auth/login" | "/api/auth/login") => self.login(&request.body).await,
            (_, "/health" | "/metrics" | "/auth/login" | "/api/auth/login") => {
                refusal("405 Method Not Allowed", "not with this method")
            }
            _ => refusal("404 Not Found", "no such page"),
        };
        let took = u64::try_from(SystemClock.now().since(begun).as_millis()).unwrap_or(u64::MAX);
        let mut counts = self.counts.borrow_mut();
        counts.requests += 1;
        counts.busy_ms = counts.busy_ms.saturating_add(took);
        counts.last_ms = took;
        if answer.status().is_some_and(|status| status >= 500) {
            counts.errors += 1;
        }
        answer
    }

    /// The tag that was deployed here, and where its files are.
    fn release(&self) -> Option<(String, PathBuf)> {
        let text = fs::read_to_string(self.home.join("release")).ok()?;
        let (tag, path) = text.trim_end().split_once('\n')?;
        Some((tag.to_owned(), PathBuf::from(path)))
    }

    fn health(&self) -> Message {
        let Some((tag, path)) = self.release() else {
            return refusal("503 Service Unavailable", "nothing is deployed here");
        };
        let sound = path.join("app/login.sh").is_file();
        let counts = self.counts.borrow();
        let logins = counts.accepted + counts.refused;
        let body = json!({
            "status": if sound { "ok" } else { "broken" },
            "version": tag,
            "server": self.name,
            "error_rate": ratio(counts.errors, counts.requests, 0.0),
            "latency_ms": counts.busy_ms.checked_div(counts.requests).unwrap_or(0),
            "auth_success_rate": ratio(counts.accepted, logins, 1.0),
            "requests": counts.requests,
            "memory_kb": memory_kb(),
        });
        Message::response(if sound { "200 OK" } else { "503 Service Unavailable" }, JSON, body.to_string())
    }

    /// Answers the two queries of the built-in runbook as Prometheus would.
    fn query(&self, line: &str) -> Message {
        let counts = self.counts.borrow();
        let faults = 100.0 * ratio(counts.errors, counts.requests, 0.0);
        let value = if line.contains("auth_attempts_total") { 100.0 - faults } else { faults };
        let time = SystemClock.now().millis() / 1000;
        let sample = json!({ "metric": {}, "value": [time, value.to_string()] });
        let body = json!({ "status": "success", "data": { "resultType": "vector", "result": [sample] } });
        Message::response("200 OK", JSON, body.to_string())
    }

    /// The counts in the text format of Prometheus.
    fn metrics(&self) -> Message {
        let counts = self.counts.borrow();
        let body = format!(
            "http_requests_total {}\nhttp_errors_total {}\nauth_logins_total{{result=\"accepted\"}} {}\n\
             auth_logins_total{{result=\"refused\"}} {}\nhttp_request_milliseconds_sum {}\n\
             http_request_milliseconds_last {}\n",
            counts.requests, counts.errors, counts.accepted, counts.refused, counts.busy_ms, counts.last_ms
        );
        Message::response("200 OK", "text/plain; version=0.0.4", body)
    }

    async fn login(&self, body: &[u8]) -> Message {
        let Ok(form) = serde_json::from_slice::<Value>(body) else {
            return refusal("400 Bad Request", "the body is not JSON");
        };
        let (Some(email), Some(password)) = (form["email"].as_str(), form["password"].as_str()) else {
            return refusal("400 Bad Request", "email and password are needed");
        };
        let Some((tag, path)) = self.release() else {
            return refusal("503 Service Unavailable", "nothing is deployed here");
        };
        let script = tokio::process::Command::new("sh")
            .args(["app/login.sh", email, password])
            .current_dir(path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .status();
        match in_time(script).await.map(|status| status.code()) {
            Ok(Some(0)) => {
                self.counts.borrow_mut().accepted += 1;
                Message::response("200 OK", JSON, json!({ "login": "accepted", "version": tag }).to_string())
            }
            Ok(Some(1)) => {
                self.counts.borrow_mut().refused += 1;
                self.log(&format!("auth: login of {email} refused"));
                refusal("401 Unauthorized", "wrong email or password")
            }
            ended => {
                self.log(&format!("auth: the login check of {tag} ended with {ended:?}"));
                refusal("500 Internal Server Error", "the login check failed")
            }
        }
    }

    /// Adds a line to the application's error log; a full disk does not stop the service.
    fn log(&self, text: &str) {
        let line = format!("{} {}: {text}\n", SystemClock.now(), self.name);
        let log = OpenOptions::new().append(true).create(true).open(self.sandbox.join("log/error.log"));
        drop(log.and_then(|mut file| file.write_all(line.as_bytes())));
    }
}

fn refusal(status: &str, text: &str) -> Message {
    Message::response(status, JSON, json!({ "error": text }).to_string())
}

fn ratio(part: u64, whole: u64, empty: f64) -> f64 {
    let exact = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    if whole == 0 { empty } else { exact(part) / exact(whole) }
}

/// Memory in use, where the system tells in `/proc`.
fn memory_kb() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()
}
