//! A run that goes on without a terminal: it watches on, its questions wait, and whoever comes back takes it up.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use hotfix::event::Event;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::fixture::{World, ends};
use crate::terminal::{LISTENS, Person};

/// A run that watches for the file `broken` behind a question, and stands at it.
struct Watched {
    world: World,
    runbook: String,
    takes_back: bool,
}

impl Watched {
    fn new(more: &str) -> Self {
        let world = World::new();
        let dir = world.sandbox.dir().display().to_string();
        let probe = format!(
            "{{name: whole, interval: 20ms, timeout: 20s, run: 'test ! -e {dir}/broken', success_condition: 'exit_code == 0'}}"
        );
        let text = format!(
            "name: away\nversion: 1\nenvironment: [WHERE]\nstages:\n  - id: s\n    steps:\n      - {{id: a, affects: production, run: 'true', \
             undo: {{run: 'echo back >{dir}/undone'}}}}\n      - {{id: m, monitor: {{background: true, for: 1h, {more}probes: [{probe}]}}}}\n      \
             - {{id: q, confirm: 'Go on?'}}\n      - {{id: b, run: 'echo b >>{dir}/calls'}}\n"
        );
        let path = world.sandbox.dir().join("away.yaml");
        std::fs::write(&path, text).unwrap();
        let watched = Self { world, runbook: path.display().to_string(), takes_back: more.contains("rollback") };
        let answers = watched.world.answers("s/a: v1.2.4\n");
        let start = ["start", "v1.2.3", "1234", "--runbook", &watched.runbook, "--answers", &answers];
        let said = ends(&watched.world.hotfix(&start), 7);
        assert!(said.contains("watch on without a terminal:  hotfix resume "), "{said}");
        watched
    }

    fn detach(&self) -> u32 {
        let said = ends(&self.world.hotfix(&["resume", "--detach"]), 0);
        let back = "A breach of s/m takes production back, any other pauses the run.";
        let breach = if self.takes_back { back } else { "A breach pauses the run." };
        assert!(said.contains(breach), "{said}");
        assert!(said.contains("goes on without a terminal") && said.contains("hotfix status --watch"), "{said}");
        u32::try_from(self.status()["driver"]["pid"].as_u64().unwrap()).unwrap()
    }

    fn status(&self) -> Value {
        serde_json::from_str(&ends(&self.world.hotfix(&["status", "--json"]), 0)).unwrap()
    }

    /// Waits until the status is so.
    #[track_caller]
    fn waits(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let status = self.status();
            if is(&status) {
                return status;
            }
            assert!(Instant::now() < end, "{what}: {status}");
        }
    }

    fn break_it(&self) {
        std::fs::write(self.world.sandbox.dir().join("broken"), "").unwrap();
    }

    fn left(&self, name: &str) -> String {
        std::fs::read_to_string(self.world.sandbox.dir().join(name)).unwrap_or_default()
    }
}

#[test]
fn it_watches_on_and_its_question_waits_for_whoever_takes_it_up() {
    let watched = Watched::new("");
    let pid = watched.detach();
    let first = watched.waits("a reading", |status| status["readings"][0]["outcome"] == "success");
    watched.waits("another", |status| status["readings"][0]["at"] != first["readings"][0]["at"]);
    let said = ends(&watched.world.hotfix(&["status"]), 0);
    for part in
        ["waits for an answer since", ", without a terminal, since", "Watched by  s/m", "hotfix resume", "success at"]
    {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
    // Another does not come between, and is told how to come.
    let said = ends(&watched.world.hotfix(&["resume", "--detach"]), 8);
    assert!(said.contains(&format!("process {pid}")), "{said}");
    assert_eq!(watched.left("calls"), "");
    let answers = watched.world.answers("s/q: yes\n");
    let said = ends(&watched.world.hotfix(&["resume", "--answers", &answers]), 0);
    assert!(said.contains(&format!("Process {pid} goes on with this run without a terminal; it pauses")), "{said}");
    assert_eq!(watched.left("calls"), "b\n");
    ends(&watched.world.hotfix(&["verify"]), 0);
}

#[test]
fn a_breach_pauses_it_for_somebody_to_come_and_takes_nothing_back_unasked() {
    let watched = Watched::new("");
    watched.detach();
    watched.break_it();
    let status = watched.waits("a pause", |status| status["driver"].is_null());
    assert_eq!(status["phase"], "forward", "{status}");
    let decided = |event: &Event| matches!(event, Event::GateDecided { decision, .. } if decision == "fail");
    assert!(watched.world.events().iter().any(decided));
    assert_eq!((watched.left("undone"), watched.left("calls")), (String::new(), String::new()));
    // Nobody watches any more, and what was read last is not called watched.
    let said = ends(&watched.world.hotfix(&["status"]), 0);
    assert!(said.contains("\nLast read by s/m\n") && !said.contains("Watched by"), "{said}");
    // Why it paused, until somebody answers.
    assert!(
        said.contains("\nBREACH      s/m came to fail at ") && said.contains("nobody has answered: whole: "),
        "{said}"
    );
    assert_eq!(watched.status()["breaches"][0]["decision"], "fail");
    let shown = std::fs::read_to_string(watched.world.runs().remove(0).join("detached.log")).unwrap();
    assert!(shown.contains("whole") && shown.contains("Paused") && !shown.contains("--detach"), "{shown}");
    let answers = watched.world.answers("s/m: wait\ns/q: yes\n");
    std::fs::remove_file(watched.world.sandbox.dir().join("broken")).unwrap();
    ends(&watched.world.hotfix(&["resume", "--answers", &answers]), 0);
    assert_eq!(watched.status()["breaches"], serde_json::json!([]));
}

#[test]
fn a_breach_takes_production_back_where_the_runbook_says_so() {
    let watched = Watched::new("on_breach: rollback, ");
    watched.detach();
    watched.break_it();
    watched.waits("the way back", |status| status["driver"].is_null() && status["phase"] != "forward");
    assert_eq!(watched.left("undone"), "back\n");
}

#[test]
fn a_rollback_and_an_end_take_the_run_from_it() {
    let watched = Watched::new("");
    watched.detach();
    let answers = watched.world.answers("rollback: yes\n");
    ends(&watched.world.hotfix(&["rollback", "--answers", &answers]), 10);
    assert_eq!(watched.left("undone"), "back\n");
    let watched = Watched::new("");
    let pid = watched.detach();
    let answers = watched.world.answers("abort: v1.2.4\n");
    let said = ends(&watched.world.hotfix(&["abort", "--reason", "home", "--answers", &answers]), 0);
    assert!(said.contains(&format!("Process {pid} goes on with this run")), "{said}");
}

#[test]
fn it_is_not_said_to_go_on_where_it_does_not() {
    let watched = Watched::new("");
    let before = watched.world.events().len();
    let said = ends(&watched.world.command(&["resume", "--detach"]).env("WHERE", "else").output().unwrap(), 7);
    assert!(said.contains("WHERE was not set, is `else`") && !said.contains("goes on without"), "{said}");
    assert_eq!(watched.world.events().len(), before);
    // A person who is asked may go on with it.
    let mut person = Person::at_with(&watched.world, &["resume", "--detach"], &[("WHERE", "else")]);
    person.sees(&["WHERE was not set, is `else`", LISTENS]);
    person.types("y");
    person.types("\r");
    person.sees(&["goes on without a terminal"]);
    assert_eq!(person.code().0, 0);
    let answers = watched.world.answers("s/q: yes\n");
    ends(&watched.world.hotfix(&["resume", "--answers", &answers]), 0);

    // Nothing is watched, and a question is next.
    let world = World::new();
    let path = world.sandbox.dir().join("asks.yaml");
    std::fs::write(&path, "name: asks\nversion: 1\nstages:\n  - {id: s, steps: [{id: q, confirm: 'Go on?'}]}\n")
        .unwrap();
    let path = path.display().to_string();
    ends(&world.hotfix(&["start", "v1.2.3", "1234", "--runbook", &path]), 7);
    let said = ends(&world.hotfix(&["resume", "--detach"]), 7);
    assert!(said.contains("does not go on without a terminal") && said.contains("Go on?"), "{said}");
}

#[test]
fn one_that_does_not_react_is_named_with_what_to_do() {
    let watched = Watched::new("");
    let pid = watched.detach();
    let process = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(process, Signal::STOP).unwrap();
    let answers = watched.world.answers("s/q: yes\n");
    let said = ends(&watched.world.hotfix(&["resume", "--answers", &answers]), 8);
    for part in ["does not react".to_owned(), format!("kill -9 {pid}; hotfix resume"), "hotfix rollback".to_owned()] {
        assert!(said.contains(&part), "`{part}` is not in {said}");
    }
    kill_process(process, Signal::KILL).unwrap();
    watched.waits("its end", |status| status["driver"].is_null());
    ends(&watched.world.hotfix(&["resume", "--answers", &answers]), 0);
    assert_eq!(watched.left("calls"), "b\n");
}

#[test]
fn status_in_a_pipe_is_not_shown_again_because_time_passes() {
    let watched = Watched::new("");
    let mut child = watched.world.command(&["status", "--watch"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.by_ref().take_while(|line| !line.starts_with("Go on with")).count();
    assert!(first > 3, "{first}");
    let ago = || {
        let said = ends(&watched.world.hotfix(&["status"]), 0);
        said.lines().find(|line| line.starts_with("Incident")).unwrap().to_owned()
    };
    let (mut seen, end) = (vec![ago()], Instant::now() + Duration::from_secs(30));
    while seen.len() < 4 {
        seen.push(ago());
        seen.dedup();
        assert!(Instant::now() < end, "{seen:?}");
    }
    ends(&watched.world.hotfix(&["note", "seen"]), 0);
    let last = |line: &String| line.starts_with("Last record");
    let record = lines.by_ref().take_while(|line| !line.starts_with("Driven by")).collect::<Vec<_>>();
    let next = lines.find(last).unwrap();
    assert_eq!(record.iter().filter(|line| line.starts_with("Run ")).count(), 1, "{record:?}");
    let noted = watched.status()["last"]["seq"].as_u64().unwrap();
    assert!(next.ends_with(&format!("({noted})")), "{next}: {noted}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn status_is_shown_again_when_it_changes_until_the_run_is_over() {
    let watched = Watched::new("");
    let mut child = watched.world.command(&["status", "--watch"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut reads = |text: &str| {
        let mut seen = Vec::new();
        for line in lines.by_ref() {
            seen.push(line.unwrap());
            if seen.last().unwrap().contains(text) {
                return;
            }
        }
        panic!("`{text}` is not in {seen:?}");
    };
    reads("waits for an answer");
    reads("Driven by   nobody");
    watched.detach();
    reads("without a terminal");
    reads("success at");
    let answers = watched.world.answers("s/q: yes\n");
    ends(&watched.world.hotfix(&["resume", "--answers", &answers]), 0);
    reads("Way         finished");
    reads("Production");
    drop(lines);
    assert!(child.wait().unwrap().success());
}
