//! What still runs where a run turns back, turns back elsewhere, or ends: nothing is left to run beside it unsaid.

use std::path::PathBuf;
use std::time::{Duration, Instant};

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

    /// Without a stage of the rollback that could say that production is back.
    fn without_own_stage(self) -> Self {
        let text = std::fs::read_to_string(&self.runbook).unwrap();
        std::fs::write(&self.runbook, &text[..text.find("  - id: back").unwrap()]).unwrap();
        self
    }

    /// Waits until a script has said `text`.
    #[track_caller]
    fn waits_for(&self, text: &str) {
        let end = Instant::now() + Duration::from_secs(30);
        while !self.calls().contains(text) {
            assert!(Instant::now() < end, "`{text}` did not come: {}", self.calls());
            std::thread::yield_now();
        }
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

    fn status_of(&self, files: &str) -> PathBuf {
        self.world.runs().last().unwrap().join("output").join(format!("{files}.status"))
    }

    /// What the supervisor of these files has said.
    fn said_of(&self, files: &str) -> String {
        std::fs::read_to_string(self.status_of(files)).unwrap()
    }

    /// Kills the supervisor of these files, and hands back the process group of the command, which lives.
    fn orphan(&self, files: &str) -> Group {
        let (status, said) = (self.status_of(files), self.said_of(files));
        kill_process(Pid::from_raw(number(&said, "pid")).unwrap(), Signal::KILL).unwrap();
        for _ in 0..2000 {
            if matches!(hotfix::process::look(&status, 0), Ok(Some(hotfix::process::Found::Lost { .. }))) {
                return Group(number(&said, "pgid"));
            }
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
    assert!(said.contains("taken up, not run again") && !said.contains("still runs"), "the same way goes on: {said}");
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
    assert!(said.contains("the undo of s/a still runs since ") && said.contains(": it is stopped first"), "{said}");
    assert!(said.contains("stopping the undo of s/a"), "{said}");
    assert_eq!(held.failed_undos(), ["stopped for the abort"]);
    held.go("u");
    let said = held.rollback("v1.2.3", "", 10);
    assert!(!said.contains("taken up"), "{said}");
    assert_eq!(held.calls(), "begin u v1.2.3\nbegin u v1.2.3\nend u v1.2.3\n");
}

#[test]
fn a_command_that_nobody_watches_is_named_before_a_rollback_and_not_killed() {
    let held = Held::new("run: '{held a}', undo: {run: '{held u}'}");
    held.cut_start();
    let group = held.orphan("s.a.1");
    let end = format!("its process group {0} may still run: look, and end it with `kill -TERM -- -{0}`", group.0);
    let (status, json) = held.status();
    assert!(status.contains(&end) && status.contains("nobody watches its command; its process group"), "{status}");
    assert_eq!((&json["command"]["state"], &json["command"]["process_group"]), (&"lost".into(), &group.0.into()));
    // Also where nobody consents.
    let said = ends(&held.world.hotfix(&["rollback"]), 7);
    assert!(said.replace("\n         ", " ").contains("nobody watches the command of s/a any more"), "{said}");
    held.go("u");
    held.rollback("v1.2.3", "", 10);
    assert!(hotfix::process::group_lives(group.0), "its number may be another's: it is not killed");
    let (status, json) = held.status();
    assert!(status.contains(&end), "{status}");
    assert_eq!(json["unwatched"][0]["process_group"], group.0);
    held.go("a");
    for _ in 0..2000 {
        if held.status().1["unwatched"] == Value::Array(Vec::new()) {
            return;
        }
    }
    panic!("its group is still named: {}", held.status().0);
}

#[test]
fn an_undo_at_the_terminal_that_was_cut_off_is_asked_about() {
    let held = Held::new("run: 'true', interactive: true, undo: {run: '{held u}'}").without_own_stage();
    // Its command runs at no terminal here: a person has done it.
    let answers = held.world.answers("s/a: [v1.2.4, done]\n");
    ends(&held.world.hotfix(&["start", "v1.2.3", "1234", "--runbook", &held.runbook, "--answers", &answers]), 7);
    let mut person = crate::terminal::Person::at(&held.world, &["rollback"]);
    person.sees(&["Type v1.2.3 to begin", crate::terminal::LISTENS]);
    person.types("v1.2.3\r");
    held.waits_for("begin u");
    person.kill();
    let said = ends(&held.world.hotfix(&["resume"]), 11);
    assert!(said.contains("it began, and nobody knows how it ended"), "{said}");
    assert_eq!(held.calls(), "begin u v1.2.3\n", "it is not run again unasked");
    let answers = held.world.answers("s/a: [v1.2.4, done, done]\n");
    ends(&held.world.hotfix(&["resume", "--answers", &answers]), 10);
    assert_eq!(held.calls(), "begin u v1.2.3\n");
}

#[test]
fn an_undo_whose_supervisor_dies_is_asked_about_each_time_and_run_again_by_nobody() {
    let held = Held::new("run: 'true', undo: {run: '{held u}'}").without_own_stage();
    held.done();
    let answers = held.world.answers(&consents("v1.2.3"));
    let (mut child, mut lines) = held.world.begin(&["rollback", "--answers", &answers]);
    lines.wait_for("  up");
    let group = held.orphan("undo.s.a.1");
    let said = lines.all();
    assert_eq!(child.wait().unwrap().code(), Some(11), "{said}");
    assert!(said.contains(&format!("kill -TERM -- -{}", group.0)), "{said}");
    assert_eq!(held.failed_undos(), ["it began, and nobody knows how it ended"]);
    ends(&held.world.hotfix(&["resume"]), 11);
    assert_eq!(held.calls(), "begin u v1.2.3\n");
    drop(group);
    held.go("u");
    let answers = held.world.answers("s/a: [v1.2.4, retry]\n");
    ends(&held.world.hotfix(&["resume", "--answers", &answers]), 10);
    assert_eq!(held.calls(), "begin u v1.2.3\nbegin u v1.2.3\nend u v1.2.3\n");
}

#[test]
fn a_verify_command_is_known_of_and_stopped() {
    let held = Held::new("run: 'true', verify: {run: '{held check}'}, undo: {run: 'true'}");
    held.cut_start();
    let (status, json) = held.status();
    assert!(status.contains("its command runs on, detached"), "{status}");
    assert_eq!(json["command"]["state"], "running");
    let group = i32::try_from(json["command"]["process_group"].as_i64().unwrap()).unwrap();
    let said = held.rollback("v1.2.3", "", 10);
    let (warned, stopped) =
        (said.find("the `verify` command of s/a still runs since "), said.find("stopping the `verify`"));
    assert!(warned.is_some() && warned < stopped, "{said}");
    assert!(!hotfix::process::group_lives(group), "it is gone");
    let stopped =
        |event: &Event| matches!(event, Event::StepFailed { step, reason, .. } if step == "s/a" && reason == "stopped");
    assert_eq!(held.world.events().iter().filter(|event| stopped(event)).count(), 1);
}

#[test]
fn a_rollback_elsewhere_takes_over_from_one_that_is_driven_and_stops_its_undo() {
    let held = Held::new("run: 'true', undo: {run: '{held u}'}");
    held.done();
    let answers = held.world.answers(&consents("v1.2.3"));
    let (mut first, mut lines) = held.world.begin(&["rollback", "--answers", &answers]);
    lines.wait_for("  up");
    let group = number(&held.said_of("undo.s.a.1"), "pgid");
    held.cut_rollback("v1.2.2");
    let last = lines.all();
    assert_eq!(first.wait().unwrap().code(), Some(8), "{last}");
    assert!(!hotfix::process::group_lives(group), "the first undo is gone before the second begins");
    held.go("u");
    held.rollback("v1.2.2", "", 10);
    assert_eq!(held.calls(), "begin u v1.2.3\nbegin u v1.2.2\nend u v1.2.2\n");
}
