//! Production that turns bad while a person is at a prompt.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hotfix::event::Event;

use crate::fixture::World;
use crate::terminal::{LISTENS, Person};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const ASKED: &str = "Production is not as it should be";

/// A service that answers 200, or 503 where it is down.
pub(crate) struct Service {
    url: String,
    down: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Service {
    pub(crate) fn begin() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let down = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(AtomicUsize::new(0));
        let (told, counts) = (Arc::clone(&down), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                counts.fetch_add(1, Ordering::SeqCst);
                let mut some = [0; 1024];
                let status = if told.load(Ordering::SeqCst) { "503 Unavailable" } else { "200 OK" };
                // Who asks may have gone away by now.
                if stream.read(&mut some).is_ok() {
                    let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                    drop(stream.write_all(head.as_bytes()));
                }
            }
        });
        Self { url, down, asked }
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// Waits until it was asked so often from now on.
    pub(crate) fn is_asked(&self, times: usize) {
        let (end, before) = (Instant::now() + PATIENCE, self.asked.load(Ordering::SeqCst));
        while self.asked.load(Ordering::SeqCst) < before + times {
            assert!(Instant::now() < end, "nobody asks the service");
            std::thread::yield_now();
        }
    }

    /// A probe of it that bears two failures.
    pub(crate) fn probe(&self) -> String {
        let url = &self.url;
        format!(
            "{{name: health, http: '{url}', interval: 100ms, timeout: 20s, success_condition: status == 200, failure_limit: 2}}"
        )
    }
}

/// A run with these steps behind one that touches production.
pub(crate) fn begin(world: &World, steps: &[String]) -> Person {
    let runbook = world.sandbox.dir().join("watched.yaml");
    let undone = world.sandbox.dir().join("undone");
    let mut text = format!(
        "name: watched\nversion: 1\nstages:\n  - id: s\n    steps:\n      - {{id: up, affects: production, run: 'true', undo: {{run: 'echo back >>{}'}}}}\n",
        undone.display()
    );
    steps.iter().for_each(|step| text.extend(["      - ", step, "\n"]));
    std::fs::write(&runbook, text).unwrap();
    let mut person = Person::at_with(
        world,
        &["start", "v1.2.3", "1234", "--runbook", &runbook.display().to_string()],
        &[("SHELL", "/bin/sh")],
    );
    person.sees(&["Type v1.2.4 to run", LISTENS]);
    person.types("v1.2.4\r");
    person
}

pub(crate) fn undone(world: &World) -> String {
    std::fs::read_to_string(world.sandbox.dir().join("undone")).unwrap_or_default()
}

/// Waits until the question that is up has `text`: those that were answered stand above it.
pub(crate) fn asks(person: &mut Person, text: &str) -> String {
    person.sees_that(text, |seen| {
        seen.rsplit_once("\n? ").is_some_and(|(_, last)| last.contains(text) && last.contains(LISTENS))
    })
}

/// Chooses the row `number` of a question with `text`.
pub(crate) fn choose(person: &mut Person, text: &str, number: usize) {
    asks(person, text);
    person.types(&number.to_string());
    person.sees(&[&format!(">  {number}.")]);
    person.types("\r");
}

/// Waits until `holds` does of the events so far.
pub(crate) fn until(world: &World, holds: impl Fn(&[Event]) -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds(&world.events()) {
        assert!(Instant::now() < end, "{:?}", world.events());
        std::thread::yield_now();
    }
}

pub(crate) fn breaches(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::GateDecided { decision, .. } if decision == "fail")).count()
}

#[test]
fn a_breach_breaks_in_on_a_prompt_and_what_was_typed_ticked_and_chosen_is_there_again() {
    let (world, service) = (World::new(), Service::begin());
    let mut person = begin(
        &world,
        &[
            format!("{{id: m, monitor: {{for: 1s, probes: [{}]}}}}", service.probe()),
            "{id: say, ask: {prompt: What is seen?, into: seen}}".to_owned(),
            "{id: ticks, checklist: [The first thing, The second thing]}".to_owned(),
            "{id: last, ask: {prompt: How is it?, choice: [good, bad], into: how}}".to_owned(),
        ],
    );
    person.sees(&["Watching for", "ok       health  200", "bears 2 · status == 200", "n note · r roll back"]);
    // What the watch leaves, and the next question.
    person.sees(&["  ok       health  200", "What is seen?", LISTENS]);
    person.types("half a li");
    person.sees(&["> half a li"]);
    service.set_down(true);
    let seen = person.sees(&[ASKED, "503", "since", "Roll back, or go on watching?", LISTENS]);
    assert!(seen.contains("3 failed, more than the 2 allowed") && seen.contains("status == 200"), "{seen}");
    service.set_down(false);
    choose(&mut person, "go on watching?", 2);
    person.sees(&["goes on watching. Its counts begin anew", "> half a li", LISTENS]);
    person.types("ne\r");

    person.sees(&["The second thing", "[ ]", LISTENS]);
    person.types(" ");
    person.sees(&["> [x] The first thing"]);
    person.types("j");
    person.sees(&["> [ ] The second thing"]);
    service.set_down(true);
    choose(&mut person, ASKED, 4);
    person.sees(&["health: 503 (the last were"]);
    choose(&mut person, "add a note", 5);
    asks(&mut person, "Note for the log:");
    person.types("seen it\r");
    until(&world, |events| events.iter().any(|it| matches!(it, Event::NoteAdded { text } if text == "seen it")));
    service.set_down(false);
    choose(&mut person, "go on watching?", 2);
    person.sees(&["[x] The first thing", "> [ ] The second thing", LISTENS]);
    person.types(" ");
    person.sees(&["> [x] The second thing"]);
    person.types("\r");

    person.sees(&["How is it?", LISTENS]);
    person.types("2");
    person.sees(&[">  2. bad"]);
    service.set_down(true);
    service_asks_and_goes_on(&mut person, &service);
    person.sees(&[">  2. bad", LISTENS]);
    person.types("\r");
    person.sees(&["This was chosen before"]);
    service.set_down(true);
    choose(&mut person, ASKED, 1);
    // It is asked once, with the plan above the question.
    let plan = asks(&mut person, "Take production back to v1.2.3?");
    let shown = plan.split("What a rollback to v1.2.3 does:").nth(1).unwrap_or_default();
    assert!(shown.contains("undo s/up"), "{plan}");
    assert!(!plan.contains("roll back to start") && !plan.contains("Rolling back"), "{plan}");
    person.types("v1.2.3\r");
    let (code, last) = person.code();
    assert_eq!(code, 10, "{last}");
    assert_eq!(undone(&world), "back\n");
    let given = format!("{:?}", world.events());
    assert!(
        given.contains("Text(\"half a line\")") && given.contains("The first thing\", \"The second thing"),
        "{given}"
    );
}

fn service_asks_and_goes_on(person: &mut Person, service: &Service) {
    asks(person, ASKED);
    service.set_down(false);
    choose(person, "go on watching?", 2);
}

#[test]
fn what_watches_from_production_on_takes_it_back_unasked_where_the_runbook_says_so() {
    let (world, service) = (World::new(), Service::begin());
    // It has been down all the time until production is touched.
    let probe = service.probe();
    let mut person = begin(
        &world,
        &[
            "{id: say, ask: {prompt: What is seen?, into: seen}}".to_owned(),
            format!("{{id: m, monitor: {{for: 1h, from: production, on_breach: rollback, probes: [{probe}]}}}}"),
        ],
    );
    person.sees(&["What is seen?", LISTENS]);
    person.types("half");
    service.set_down(true);
    let (code, last) = person.code();
    assert_eq!(code, 10, "{last}");
    assert!(last.contains("as the runbook says (on_breach: rollback)"), "{last}");
    assert_eq!(undone(&world), "back\n");
    let asked = world.events().iter().filter(|it| matches!(it, Event::PromptAnswered { .. })).count();
    assert_eq!(asked, 1, "only the deployment was asked about");
}

#[test]
fn a_breach_waits_until_a_shell_is_left_and_a_running_command_is_no_hindrance() {
    let (world, service) = (World::new(), Service::begin());
    let flag = world.sandbox.dir().join("flag");
    let mut person = begin(
        &world,
        &[
            format!("{{id: m, monitor: {{background: true, from: production, probes: [{}]}}}}", service.probe()),
            "{id: look, shell: Look around}".to_owned(),
            format!(
                "{{id: slow, run: 'echo begun; while ! test -e {}; do sleep 0.1; done; echo over'}}",
                flag.display()
            ),
        ],
    );
    person.sees(&["Enter opens a shell", LISTENS]);
    person.types("\r");
    person.sees(&["(hotfix) $"]);
    service.set_down(true);
    until(&world, |events| breaches(events) == 1);
    person.types("echo alive-$((40+2))\r");
    // The shell asks for more, or what it prints then comes behind the end.
    person.sees_that("the next prompt", |seen| {
        seen.rsplit_once("\nalive-42").is_some_and(|(_, behind)| behind.contains("(hotfix) $"))
    });
    person.types("exit\r");
    service_asks_and_goes_on(&mut person, &service);
    person.sees(&["Enter opens a shell", LISTENS]);
    person.types("\r");
    person.sees_that("another shell", |seen| seen.matches("(hotfix) $").count() > 2);
    person.types("exit\r");
    person.sees(&["Type done when the work is done", LISTENS]);
    person.types("done\r");
    person.sees(&["What was done", LISTENS]);
    person.types("\r");
    person.sees(&["  begun"]);
    service.set_down(true);
    service_asks_and_goes_on(&mut person, &service);
    std::fs::write(&flag, "").unwrap();
    person.sees(&["s/slow  done"]);
    assert_eq!(person.code().0, 0);
}

#[test]
fn a_note_and_the_menu_do_not_stop_the_watch_in_the_foreground() {
    let (world, service) = (World::new(), Service::begin());
    let mut person = begin(&world, &[format!("{{id: m, monitor: {{for: 1h, probes: [{}]}}}}", service.probe())]);
    person.sees(&["Watching for", "left", "n note"]);
    person.types("x\rn");
    person.sees(&["A note for the log", LISTENS]);
    person.types("quiet so far\r");
    until(&world, |events| events.iter().any(|it| matches!(it, Event::NoteAdded { text } if text == "quiet so far")));
    person.sees(&["Watching for", "n note"]);
    person.types("r");
    person.sees(&["The watch goes on meanwhile", "roll back: take production back", LISTENS]);
    service.set_down(true);
    // The gate decides while the question is up, and its own takes its place.
    person.sees(&["s/m failed: the gate came to fail: health", LISTENS]);
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
}

#[test]
fn what_somebody_goes_on_typing_is_no_answer_to_a_breach_that_breaks_in() {
    let (world, service) = (World::new(), Service::begin());
    let steps = [
        format!("{{id: m, monitor: {{background: true, from: production, probes: [{}]}}}}", service.probe()),
        "{id: say, ask: {prompt: What is seen?, into: seen}}".to_owned(),
    ];
    let mut person = begin(&world, &steps);
    asks(&mut person, "What is seen?");
    service.set_down(true);
    let began = Instant::now();
    person.types("2");
    asks(&mut person, ASKED);
    assert!(began.elapsed() >= Duration::from_secs(1), "it listened {:?} after a key", began.elapsed());
    choose(&mut person, ASKED, 3);
    assert_eq!(person.code().0, 9);
}
