//! What still runs where a run turns back, turns back elsewhere, or ends: nothing is left to run beside it unsaid.

use std::path::PathBuf;

use hotfix::event::Event;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;

use crate::fixture::{World, ends, kill};

/// A step of production whose command, `verify` and undo each say that they begin, wait to be let go, and say that they end.
struct Held {
    world: World,
    runbook: String,
}

impl Held {
    /// With these fields of the step, in which `{held NAME}` waits for the file `go.NAME`.
    fn new(fields: &str) -> Self {
        let world = World::new();
        let dir = world.sandbox.dir().display().to_string();
        let mut fields = fields.to_owned();
        while let Some((before, rest)) = fields.split_once("{held ") {
            let (name, after) = rest.split_once('}').unwrap();
            let script = format!(
                "echo begin {name} $HOTFIX_ROLLBACK_TO >>{dir}/calls; echo up; while ! test -e {dir}/go.{name}; do sleep 0.05; done; \
                 echo end {name} $HOTFIX_ROLLBACK_TO >>{dir}/calls"
            );
            fields = [before, &script, after].concat();
        }
        let text = format!(
            "name: held\nversion: 1\nstages:\n  - id: s\n    steps:\n      - {{id: a, affects: production, kill_grace: 1s, {fields}}}\n      \
             - {{id: b, confirm: 'Go on?'}}\n  - id: back\n    trigger: rollback\n    steps:\n      - {{id: v, run: 'true'}}\n"
        );
        let path = world.sandbox.dir().join("held.yaml");
        std::fs::write(&path, text).unwrap();
        Self { world, runbook: path.display().to_string() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.world.sandbox.dir().join(name)
    }

    fn go(&self, name: &str) {
        std::fs::write(self.at(&format!("go.{name}")), "").unwrap();
    }

    fn calls(&self) -> String {
        std::fs::read_to_string(self.at("calls")).unwrap_or_default()
    }

    fn answers(&self, more: &str) -> String {
        self.world.answers(&format!("s/a: v1.2.4\n{more}"))
    }

    /// Runs the step to its end, and leaves the run at the question behind it.
    fn done(&self) {
        let answers = self.answers("");
        let start = ["start", "v1.2.3", "1234", "--runbook", &self.runbook, "--answers", &answers];
        ends(&self.world.hotfix(&start), 7);
    }

    /// Starts the program, kills it where its command says that it is up, and leaves the command running.
    fn cut(&self, args: &[&str]) {
        let (child, mut lines) = self.world.begin(args);
        lines.wait_for("  up");
        kill(child);
    }

    fn cut_start(&self) {
        let answers = self.answers("");
        self.cut(&["start", "v1.2.3", "1234", "--runbook", &self.runbook, "--answers", &answers]);
    }

    fn cut_rollback(&self, to: &str) {
        let answers = self.world.answers(&consents(to));
        self.cut(&["rollback", "--to", to, "--answers", &answers]);
    }

    fn rollback(&self, to: &str, more: &str, code: i32) -> String {
        let answers = self.world.answers(&(consents(to) + more));
        ends(&self.world.hotfix(&["rollback", "--to", to, "--answers", &answers]), code)
    }

    fn status(&self) -> (String, Value) {
        let json = ends(&self.world.hotfix(&["status", "--json"]), 0);
        (ends(&self.world.hotfix(&["status"]), 0), serde_json::from_str(&json).unwrap())
    }

    /// Kills the supervisor of these files, and hands back the process group of the command, which lives.
    fn orphan(&self, files: &str) -> Group {
        let status = self.world.runs().last().unwrap().join("output").join(format!("{files}.status"));
        let said = std::fs::read_to_string(&status).unwrap();
        kill_process(Pid::from_raw(number(&said, "pid")).unwrap(), Signal::KILL).unwrap();
        for _ in 0..2000 {
            if matches!(hotfix::process::look(&status, 0), Ok(Some(hotfix::process::Found::Lost { .. }))) {
                return Group(number(&said, "pgid"));
            }
            std::thread::yield_now();
            self.world.sandbox.command("true").status().unwrap();
        }
        panic!("its supervisor lives: {said}");
    }

    /// What was written down of failed undos.
    fn failed_undos(&self) -> Vec<String> {
        let failed = |event| if let Event::UndoFailed { message, .. } = event { Some(message) } else { None };
        self.world.events().into_iter().filter_map(failed).collect()
    }
}

/// As many consents as a test needs; each rollback of a run takes the next one.
fn consents(to: &str) -> String {
    format!("rollback: [{}]\n", [to; 4].join(", "))
}

/// A process group that is ended with the test.
struct Group(i32);

impl Drop for Group {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = kill_process_group(Pid::from_raw(self.0).unwrap(), Signal::KILL);
    }
}

/// The number behind `name` in a line of a status file.
fn number(status: &str, name: &str) -> i32 {
    let (_, rest) = status.split_once(&format!("\"{name}\":")).unwrap();
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

#[test]
fn an_undo_that_runs_is_stopped_before_a_rollback_elsewhere_begins() {
    let held = Held::new("run: 'true', undo: {run: '{held u}'}");
    held.done();
    held.cut_rollback("v1.2.3");
    held.cut_rollback("v1.2.2");
    assert_eq!(held.calls(), "begin u v1.2.3\nbegin u v1.2.2\n");
    let failed = held.failed_undos();
    assert!(
        matches!(&failed[..], [one] if one.contains("stopped for the rollback") && one.contains("to v1.2.2")),
        "{failed:?}"
    );
    held.go("u");
    let said = held.rollback("v1.2.2", "", 10);
    assert!(said.contains("taken up, not run again"), "the same way goes on: {said}");
    assert_eq!(held.calls(), "begin u v1.2.3\nbegin u v1.2.2\nend u v1.2.2\n", "the first never came to its end");
}

#[test]
fn an_undo_that_ended_on_the_way_elsewhere_is_said_and_done_anew() {
    let held = Held::new("run: 'true', undo: {run: '{held u}'}");
    held.done();
    held.cut_rollback("v1.2.3");
    held.go("u");
    for _ in 0..2000 {
        if held.status().1["command"]["state"] == "ended" {
            break;
        }
    }
    let said = held.rollback("v1.2.2", "", 10);
    assert!(said.contains("it ended meanwhile (exit code 0); production is taken back to v1.2.2 now"), "{said}");
    assert_eq!(held.calls(), "begin u v1.2.3\nend u v1.2.3\nbegin u v1.2.2\nend u v1.2.2\n");
}

#[test]
fn a_run_that_is_aborted_leaves_no_undo_running() {
    let held = Held::new("run: 'true', undo: {run: '{held u}'}");
    held.done();
    held.cut_rollback("v1.2.3");
    let answers = held.world.answers("abort: v1.2.4\n");
    let said = ends(&held.world.hotfix(&["abort", "--reason", "home", "--answers", &answers]), 0);
    assert!(said.contains("stopping the undo of s/a"), "{said}");
    assert_eq!(held.failed_undos(), ["stopped for the abort"]);
    held.go("u");
    let said = held.rollback("v1.2.3", "", 10);
    assert!(!said.contains("taken up"), "{said}");
    assert_eq!(held.calls(), "begin u v1.2.3\nbegin u v1.2.3\nend u v1.2.3\n");
}
