//! The commands that show runs, from outside: `status`, `list`, `log`, `note`, `report`, and which run they are about.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod log;
mod status;

use std::convert::Infallible;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Output};

use hotfix::clock::{FakeClock, SystemClock, Timestamp};
use hotfix::event::Event;
use hotfix::journal::{Author, Journal};
use hotfix::store::{RunPaths, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

const RUNBOOK: &str = r"
name: test
version: 1
secrets: [LOGIN_PASSWORD]
stages:
  - id: staging
    title: Staging
    steps:
      - { id: deploy-staging, title: To staging, run: ./deploy-staging.sh }
  - id: deploy
    title: Deployment
    steps:
      - { id: direct, affects: production, run: ./deploy.sh }
      - id: batches
        group: { steps: [{ id: next, run: ./next.sh }], repeat: { max: 9 } }
";

struct Repo(TempDir);

impl Repo {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        git2::Repository::init(dir.path()).unwrap();
        Self(dir)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotfix"));
        command.current_dir(self.0.path()).env_clear().env("HOME", self.0.path());
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("GIT_CONFIG_NOSYSTEM", "1").env("USER", "login");
        command.args(arguments);
        command
    }

    /// The exit code, and what went to standard output and to standard error.
    fn hotfix(&self, arguments: &[&str]) -> (i32, String, String) {
        ended(&self.command(arguments).output().unwrap())
    }

    fn store(&self) -> Store {
        Store::under(&self.0.path().join(".git"))
    }

    /// A run for `issue` that began at second `at`, with these events behind the first.
    fn run(&self, issue: &str, at: i64, events: Vec<Event>) -> RunPaths {
        let vars = [("tag", "v1.2.3"), ("new_tag", "v1.2.4"), ("issue", issue)];
        let vars = vars.map(|(name, value)| (name.to_owned(), json!(value))).into();
        let (environment, warnings) = Default::default();
        let first = Event::RunStarted {
            program: "0".into(),
            format: hotfix::event::FORMAT,
            runbook: RUNBOOK.into(),
            vars,
            environment,
            incident_began: None,
            warnings,
        };
        let clock = FakeClock::at(Timestamp::from_millis(1_763_870_220_000 + at * 1000));
        let run = self.store().begin(&clock, issue, ("ada", "db1"), (RUNBOOK, vec![first])).unwrap();
        for event in events {
            append(&run, event);
        }
        run
    }
}

fn ended(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn append(run: &RunPaths, event: Event) {
    let author = Author { run: run.id.clone(), by: "ada".into(), host: "db1".into() };
    let (mut journal, _) = Journal::open(&run.journal, author).unwrap();
    let Ok(_) = journal.append(&SystemClock, event, |_, _| Ok::<(), Infallible>(())).unwrap();
}

fn damage(run: &RunPaths) {
    let mut file = fs::OpenOptions::new().append(true).open(&run.journal).unwrap();
    file.write_all(b"{\"seq\":99}\n").unwrap();
}

fn host() -> String {
    rustix::system::uname().nodename().to_str().unwrap().to_owned()
}

fn started(step: &str, attempt: u32) -> Event {
    Event::StepStarted { step: step.into(), attempt, what: "./x".into(), evidence: serde_json::Map::default() }
}

fn failed(step: &str, attempt: u32) -> Event {
    let (reason, message) = ("exit".into(), "exit code 3".into());
    Event::StepFailed { step: step.into(), attempt, reason, message, again: false }
}

fn stage(stage: &str) -> Event {
    Event::StageStarted { stage: stage.into() }
}

fn aborted() -> Event {
    Event::RunAborted { reason: "wrong tag".into() }
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}

#[test]
fn a_reader_that_has_left_is_no_error() {
    let repo = Repo::new();
    repo.run("1234", 0, vec![]);
    for arguments in [
        &["log"][..],
        &["log", "--json"],
        &["status"],
        &["list"],
        &["report"],
        &["schema"],
        &["man"],
        &["completions", "bash"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = repo.command(arguments).stdout(writer).output().unwrap();
        assert_eq!(ended(&output), (0, String::new(), String::new()), "{arguments:?}");
    }
}

#[test]
fn a_damaged_log_is_shown_as_far_as_it_is_good_and_ends_with_12() {
    let repo = Repo::new();
    let run = repo.run("1234", 0, vec![]);
    damage(&run);
    for arguments in [&["log"][..], &["log", "--json"], &["log", "--follow"], &["status"], &["report"]] {
        let (code, out, err) = repo.hotfix(arguments);
        assert_eq!(code, 12, "{arguments:?}");
        has(&out, &["v1.2.4"]);
        has(&err, &["DAMAGED", "line 2"]);
    }
    has(&repo.hotfix(&["report"]).1, &["**The audit log is damaged**"]);
    let before = fs::read(&run.journal).unwrap();
    let (code, _, err) = repo.hotfix(&["note", "x"]);
    assert_eq!(code, 12);
    has(&err, &["NOT written"]);
    assert_eq!(fs::read(&run.journal).unwrap(), before);
    fs::write(&run.runbook, "no").unwrap();
    fs::remove_file(&run.journal).unwrap();
    has(&repo.hotfix(&["status"]).2, &["frozen runbook cannot be read"]);
    for command in ["log", "status", "report", "verify"] {
        assert_eq!(repo.hotfix(&[command]).0, 12, "{command}");
    }
}

#[test]
fn a_torn_record_and_a_clock_gone_back_are_warnings() {
    let repo = Repo::new();
    let run = repo.run("1234", 0, vec![Event::NoteAdded { text: "x".into() }]);
    let author = Author { run: run.id.clone(), by: "ada".into(), host: "db1".into() };
    let (mut journal, _) = Journal::open(&run.journal, author).unwrap();
    let back = FakeClock::at(Timestamp::from_millis(0));
    let Ok(_) = journal.append(&back, Event::resumed(), |_, _| Ok::<(), Infallible>(())).unwrap();
    fs::OpenOptions::new().append(true).open(&run.journal).unwrap().write_all(b"{\"s").unwrap();
    for command in ["log", "status", "report"] {
        let (code, _, err) = repo.hotfix(&[command]);
        assert_eq!(code, 0);
        has(&err, &["clock went backwards before record 2", "3 bytes"]);
    }
}

#[test]
fn the_report_takes_its_form_from_the_option_or_the_name_of_the_file() {
    let repo = Repo::new();
    let run = repo.run("1234", 0, vec![]);
    has(&repo.hotfix(&["report"]).1, &["# Incident report: v1.2.3 to v1.2.4, issue 1234", &run.id]);
    has(&repo.hotfix(&["report", "--format", "html"]).1, &["<!DOCTYPE html>"]);
    let value: Value = serde_json::from_str(&repo.hotfix(&["report", "--format", "json"]).1).unwrap();
    assert_eq!(value["run"], json!(run.id));
    let (code, out, _) = repo.hotfix(&["report", "-o", "report.html"]);
    assert_eq!((code, out.as_str()), (0, ""));
    has(&fs::read_to_string(repo.0.path().join("report.html")).unwrap(), &["<!DOCTYPE html>", "</html>"]);
    assert_eq!(repo.hotfix(&["report", "-o", "r.html", "--format", "md"]).0, 0);
    has(&fs::read_to_string(repo.0.path().join("r.html")).unwrap(), &["# Incident"]);
    let (code, _, err) = repo.hotfix(&["report", "-o", "no/such/dir.md"]);
    assert_eq!(code, 1);
    has(&err, &["no/such/dir.md cannot be written"]);
}
