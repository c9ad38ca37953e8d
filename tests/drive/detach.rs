//! A command outlives the program that began it: closed terminals, dead programs, full and broken pipes.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use hotfix::event::Event;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::fixture::{World, ends, kill};
use crate::terminal::{LISTENS, Person};

/// A step that writes when it begins, waits to be let go, writes its end and ends with 3.
struct Slow {
    world: World,
    runbook: String,
}

impl Slow {
    fn new(more: &str) -> Self {
        let world = World::new();
        let at = |name: &str| world.sandbox.dir().join(name).display().to_string();
        let (begun, go, over) = (at("begun"), at("go"), at("over"));
        let text = format!(
            "name: slow\nversion: 1\nstages:\n  - id: s\n    steps:\n      - {{id: a, run: 'echo x >>{begun}; {more} echo begun; \
             while ! test -e {go}; do sleep 0.05; done; echo over; echo x >>{over}; exit 3'}}\n      - {{id: b, confirm: 'Really over?'}}\n"
        );
        std::fs::write(at("slow.yaml"), text).unwrap();
        let runbook = at("slow.yaml");
        Self { world, runbook }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.world.sandbox.dir().join(name)
    }

    fn start(&self) -> [&str; 5] {
        ["start", "v1.2.3", "1234", "--runbook", &self.runbook]
    }

    fn status(&self) -> String {
        ends(&self.world.hotfix(&["status"]), 0)
    }

    /// Waits for the file `name`: it comes from a process that nobody here waits for.
    #[track_caller]
    fn comes(&self, name: &str) {
        let mut watch = self.world.sandbox.command("sh");
        watch.args(["-c", "n=0; while ! test -s \"$0\"; do n=$((n+1)); test $n -lt 600 || exit 1; sleep 0.05; done"]);
        assert!(watch.arg(self.at(name)).status().unwrap().success(), "{name} did not come");
    }

    /// Waits until the supervisor has written the end down.
    #[track_caller]
    fn ended(&self) -> String {
        for _ in 0..600 {
            let status = self.status();
            if status.contains("its command ended at") {
                return status;
            }
        }
        panic!("no end is on record: {}", self.status());
    }

    /// Taken up, it tells how it ended meanwhile.
    #[track_caller]
    fn taken_up(&self) {
        let answers = self.world.answers("s/a: pause\n");
        let said = ends(&self.world.hotfix(&["resume", "--answers", &answers]), 9);
        assert!(said.contains("ended meanwhile") && said.contains("  over"), "{said}");
        self.failed_once();
    }

    /// It ran once, and what is on record is the end that it came to.
    #[track_caller]
    fn failed_once(&self) {
        let failed: Vec<_> =
            self.world.events().into_iter().filter(|e| matches!(e, Event::StepFailed { .. })).collect();
        assert!(matches!(&failed[..], [Event::StepFailed { reason, .. }] if reason == "exit"), "{failed:?}");
        for name in ["begun", "over"] {
            assert_eq!(std::fs::read_to_string(self.at(name)).unwrap(), "x\n", "{name}");
        }
    }
}

#[test]
fn left_running_it_is_told_of_by_status_and_attached_to_again() {
    let slow = Slow::new("");
    let mut person = Person::at(&slow.world, &slow.start());
    person.sees(&["  begun"]);
    person.types("\u{3}");
    person.sees(&["leave it running", LISTENS]);
    person.types("3");
    person.sees(&[">  3."]);
    person.types("\r");
    let (code, last) = person.code();
    assert_eq!(code, 9, "{last}");
    assert!(last.contains("Paused. The command of s/a runs on; `hotfix resume` attaches to it."), "{last}");
    assert!(last.contains("continue:   hotfix resume") && last.contains("roll back:  hotfix rollback"), "{last}");
    let status = slow.status();
    assert!(
        status.contains("its command runs on, detached, since ") && status.contains("`hotfix resume` attaches"),
        "{status}"
    );
    let mut person = Person::at(&slow.world, &["resume"]);
    person.sees(&["s/a is still running: it is taken up"]);
    std::fs::write(slow.at("go"), "").unwrap();
    person.sees(&["  over", "s/a failed", "exit code 3", LISTENS]);
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
    slow.failed_once();
}

#[test]
fn a_terminal_that_is_closed_under_it_leaves_it_running() {
    let slow = Slow::new("");
    let mut person = Person::at(&slow.world, &slow.start());
    person.sees(&["  begun"]);
    assert_eq!(person.hangs_up(), 129);
    assert!(slow.status().contains("its command runs on, detached"), "{}", slow.status());
    std::fs::write(slow.at("go"), "").unwrap();
    let status = slow.ended();
    assert!(status.contains("(exit code 3); `hotfix resume` takes it up"), "{status}");
    slow.taken_up();
}

#[test]
fn killed_the_program_leaves_it_running() {
    let slow = Slow::new("");
    let (child, mut lines) = slow.world.begin(&slow.start());
    lines.wait_for("  begun");
    kill(child);
    assert!(slow.status().contains("its command runs on, detached"), "{}", slow.status());
    let json: serde_json::Value = serde_json::from_str(&ends(&slow.world.hotfix(&["status", "--json"]), 0)).unwrap();
    assert_eq!(json["command"]["state"], "running");
    assert!(json["command"]["process_group"].is_number() && json["command"]["since"].is_string(), "{json}");
    std::fs::write(slow.at("go"), "").unwrap();
    slow.ended();
    slow.taken_up();
}

#[test]
fn a_pipe_that_nobody_reads_and_one_that_is_broken_do_not_hold_it_up() {
    let slow = Slow::new("yes | head -n 200000;");
    let mut start = slow.world.command(&slow.start());
    let mut child = start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    std::fs::write(slow.at("go"), "").unwrap();
    // Nobody reads what the program says: it is stuck, and its command is not.
    slow.comes("over");
    drop(child.stderr.take());
    child.wait().unwrap();
    slow.failed_once();
}

/// Waits until `is` holds.
#[track_caller]
fn until(what: &str, is: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is() {
        assert!(Instant::now() < end, "{what} does not come");
        std::thread::yield_now();
    }
}

/// The number behind `name` in a line of a status file.
fn number(status: &str, name: &str) -> i32 {
    let (_, rest) = status.split_once(&format!("\"{name}\":")).unwrap();
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

#[test]
fn after_a_reboot_nobody_is_taken_for_who_has_their_number_now() {
    let slow = Slow::new("");
    let (child, mut lines) = slow.world.begin(&slow.start());
    lines.wait_for("  begun");
    let state = slow.world.sandbox.repository().join(".git/hotfix");
    let held = std::fs::read_to_string(state.join("lock")).unwrap();
    kill(child);
    let path = slow.world.runs()[0].join("output/s.a.1.status");
    let status = std::fs::read_to_string(&path).unwrap();
    let (supervisor, group) = (number(&status, "pid"), number(&status, "pgid"));
    kill_process(Pid::from_raw(supervisor).unwrap(), Signal::KILL).unwrap();
    until("the end of the supervisor", || {
        matches!(hotfix::process::look(&path, 0), Ok(Some(hotfix::process::Found::Lost { .. })))
    });
    kill_process_group(Pid::from_raw(group).unwrap(), Signal::KILL).unwrap();
    until("the end of its command", || !hotfix::process::group_lives(group));
    // The machine counts from the beginning again, and this test has the numbers now. The files say what they said.
    let own = std::process::id();
    std::fs::write(&path, status.replace(&supervisor.to_string(), &own.to_string())).unwrap();
    let mut holder: serde_json::Value = serde_json::from_str(&held).unwrap();
    holder["pid"] = own.into();
    std::fs::write(state.join("lock"), holder.to_string()).unwrap();

    let status = slow.status();
    assert!(status.contains("cut off, its end is not known") && status.contains("Driven by   nobody"), "{status}");
    let said = ends(&slow.world.hotfix(&["resume"]), 7);
    assert!(said.contains("s/a began, and nobody knows how it ended"), "{said}");
    std::fs::write(slow.at("go"), "").unwrap();
    let answers = slow.world.answers("s/a: [again, pause]\n");
    ends(&slow.world.hotfix(&["resume", "--answers", &answers]), 9);
    assert_eq!(
        std::fs::read_to_string(slow.at("begun")).unwrap(),
        "x\nx\n",
        "it was run again because somebody said so"
    );
}
