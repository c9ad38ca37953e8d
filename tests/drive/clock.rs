//! The clock of the incident at a real terminal: since when it counts, and what it does to a prompt.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use crate::fixture::{World, ends};
use crate::terminal::{LISTENS, Person};
use hotfix::clock::{Clock as _, SystemClock};
use hotfix::event::Event;
use hotfix::operator::Answer;

/// A runbook with these steps, in which Grace is to be called so long after the incident began.
fn runbook(world: &World, after: &str, steps: &str) -> String {
    let path = world.sandbox.dir().join("clock.yaml");
    let text = format!(
        "name: clock\nversion: 1\ncontacts: {{ senior: {{ name: Grace, phone: '+1-555-0124' }} }}\n\
         escalation: [{{ after: {after}, contact: senior, say: 'Please join {{{{ issue }}}}' }}]\n\
         stages:\n  - id: s\n    steps:\n{steps}"
    );
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn made(world: &World) -> Vec<(bool, Option<String>)> {
    let made = world.events().into_iter().filter_map(|event| match event {
        Event::EscalationMade { acknowledged, note, .. } => Some((acknowledged, note)),
        _ => None,
    });
    made.collect()
}

fn texts(world: &World) -> Vec<String> {
    let texts = world.events().into_iter().filter_map(|event| match event {
        Event::PromptAnswered { answer: Answer::Text(text), .. } => Some(text),
        _ => None,
    });
    texts.collect()
}

#[test]
fn half_an_answer_is_there_again_after_the_call_that_came_between() {
    let world = World::new();
    let runbook = runbook(&world, "8s", "      - { id: a, ask: 'What is broken?' }\n");
    let mut person = Person::at(&world, &["start", "v1.2.3", "1234", "--runbook", &runbook]);
    person.sees(&["What is broken?", LISTENS]);
    person.types("half an");
    person.sees(&["> half an"]);
    let seen = person.sees(&["CALL Grace, +1-555-0124", "Please join 1234", "1. called", "4. later", LISTENS]);
    assert!(seen.contains("8s after the incident began, due now"), "{seen}");
    assert!(!seen.contains("> half an"), "{seen}");
    // Enter alone and Esc answer nothing.
    person.types("\r");
    person.sees(&["Nothing is chosen yet"]);
    person.types("\u{1b}");
    person.sees(&["Menu: what now?", "back to the question", LISTENS]);
    person.types("\u{1b}");
    person.sees(&["1. called", LISTENS]);
    assert_eq!(made(&world), []);
    person.types("2");
    person.sees(&[">  2. acknowledged"]);
    person.types("\r");
    person.sees(&["What was said", LISTENS]);
    person.types("on her way\r");
    person.sees_that("the half answer", |seen| seen.contains("> half an") && seen.ends_with(LISTENS));
    person.types(" answer\r");
    let (code, last) = person.code();
    assert_eq!(code, 0, "{last}");
    assert_eq!(made(&world), [(true, Some("on her way".to_owned()))]);
    assert_eq!(texts(&world), ["half an answer"]);
}

#[test]
fn ctrl_c_leaves_a_call_due_and_it_is_asked_about_first_when_the_run_is_taken_up() {
    let world = World::new();
    let runbook = runbook(&world, "1m", "      - { id: a, ask: 'What is broken?' }\n");
    let args = ["start", "v1.2.3", "1234", "--runbook", &runbook, "--since", "25m"];
    let mut person = Person::at(&world, &args);
    let seen = person.sees(&["CALL Grace", "due 24m", LISTENS]);
    assert!(seen.contains("The incident began at 2") && seen.contains("(25m0"), "{seen}");
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
    let said = ends(&world.hotfix(&["status"]), 0);
    assert!(said.contains("OVERDUE     call Grace, +1-555-0124: due 24m"), "{said}");
    assert!(said.contains("Incident    began 2") && said.contains(", 25m"), "{said}");
    let mut person = Person::at(&world, &["resume"]);
    person.sees(&["CALL Grace", LISTENS]);
    person.types("3");
    person.sees(&[">  3. declined"]);
    person.types("\r");
    person.sees(&["Why is nobody called?", LISTENS]);
    person.types("she sits here\r");
    person.sees(&["What is broken?", LISTENS]);
    let said = ends(&world.hotfix(&["status"]), 0);
    assert!(!said.contains("OVERDUE"), "{said}");
    person.types("all\r");
    assert_eq!(person.code().0, 0);
    let report = ends(&world.hotfix(&["report"]), 0);
    assert!(report.contains("**Not escalated**: senior: she sits here"), "{report}");
    assert!(report.contains("| Incident began | 2"), "{report}");
}

#[test]
fn a_command_runs_on_while_the_call_is_asked_about() {
    let world = World::new();
    let go = world.sandbox.dir().join("go");
    let step = format!(
        "      - {{ id: a, run: 'echo \"elapsed $HOTFIX_ELAPSED\"; while ! test -e {}; do echo tick; sleep 0.05; done; echo over' }}\n      - {{ id: b, confirm: 'Really over?' }}\n",
        go.display()
    );
    let runbook = runbook(&world, "10m6s", &step);
    let args = ["start", "v1.2.3", "1234", "--runbook", &runbook, "--since", "10m"];
    let mut person = Person::at(&world, &args);
    person.sees(&["elapsed 60"]);
    person.sees(&["CALL Grace", LISTENS]);
    person.types("1");
    person.sees(&[">  1. called"]);
    // It ends behind the question, which stays due.
    std::fs::write(&go, "").unwrap();
    person.sees(&["✓ s/a", "CALL Grace", LISTENS]);
    person.types("1");
    person.sees(&[">  1. called"]);
    person.types("\r");
    person.sees(&["What was said", LISTENS]);
    person.types("\r");
    person.sees(&["Really over?", LISTENS]);
    assert_eq!(made(&world), [(false, None)]);
    person.types("y\r");
    assert_eq!(person.code().0, 0);
}

#[test]
fn an_open_editor_is_left_alone() {
    let world = World::new();
    let (go, editor) = (world.sandbox.dir().join("go"), world.sandbox.dir().join("editor"));
    let script = format!("#!/bin/sh\nwhile ! test -e {}; do sleep 0.1; done\necho written >\"$1\"\n", go.display());
    std::fs::write(&editor, script).unwrap();
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
    let steps = "      - { id: a, ask: { prompt: 'What is broken?', editor: true } }\n      - { id: b, confirm: 'Really over?' }\n";
    let runbook = runbook(&world, "8s", steps);
    let args = ["start", "v1.2.3", "1234", "--runbook", &runbook];
    let mut person = Person::at_with(&world, &args, &[("EDITOR", &editor.display().to_string())]);
    person.sees(&["What is broken?", LISTENS]);
    person.types("\r");
    let end = Instant::now() + Duration::from_secs(30);
    while !world.events().iter().any(|event| matches!(event, Event::EscalationDue { .. })) {
        assert!(Instant::now() < end, "it is not due");
        std::thread::yield_now();
    }
    std::fs::write(&go, "").unwrap();
    person.sees(&["CALL Grace", LISTENS]);
    assert_eq!(texts(&world), ["written\n"]);
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
}

#[test]
fn when_it_began_is_asked_at_a_terminal_and_enter_alone_says_nothing() {
    let world = World::new();
    let runbook = runbook(&world, "10h", "      - { id: a, ask: 'What is broken?' }\n");
    let args = ["--quiet", "start", "v1.2.3", "1234", "--runbook", &runbook];
    let mut person = Person::at(&world, &args);
    person.sees(&["When did the incident begin?", LISTENS]);
    person.types("\u{3}");
    let (code, last) = person.code();
    assert_eq!((code, world.runs().len()), (130, 0), "{last}");
    let mut person = Person::at(&world, &args);
    person.sees(&["When did the incident begin?", LISTENS]);
    person.types("\r");
    person.sees(&["Nothing is typed yet"]);
    person.types("soon\r");
    person.sees(&["`soon` is no time", "When did the incident begin?", LISTENS]);
    person.types("25m\r");
    person.sees(&["The incident began at 2", "What is broken?", LISTENS]);
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
    let Event::RunStarted { incident_began: Some(at), .. } = &world.events()[0] else { panic!("no time") };
    let ago = SystemClock.now().since(*at).as_secs();
    assert!((1500..1560).contains(&ago), "{ago}");
}

#[test]
fn an_update_that_was_cut_off_while_it_went_out_is_not_sent_again_without_a_word() {
    let world = World::new();
    let dir = world.sandbox.dir().display().to_string();
    let text = format!(
        "name: news\nversion: 1\nchannels:\n  pager: {{type: command, run: 'echo x >>{dir}/paged; while ! test -e {dir}/go; do sleep 0.05; done'}}\n\
         updates: {{every: 1s, text: It is dark}}\nstages:\n  - id: s\n    steps:\n      - {{id: a, ask: 'What is broken?'}}\n"
    );
    std::fs::write(world.sandbox.dir().join("news.yaml"), text).unwrap();
    let runbook = format!("{dir}/news.yaml");
    let mut person = Person::at(&world, &["start", "v1.2.3", "1234", "--runbook", &runbook]);
    let seen = person.sees(&["SEND AN UPDATE", "To: pager.", LISTENS]);
    assert!(!seen.contains("nobody knows"), "{seen}");
    person.types("1\r");
    let end = Instant::now() + Duration::from_secs(30);
    while !world.sandbox.dir().join("paged").exists() {
        assert!(Instant::now() < end, "nothing is sent");
        std::thread::yield_now();
    }
    person.kill();
    let mut person = Person::at(&world, &["resume"]);
    // The line is broken where the screen ends.
    person.sees_that("the doubt", |seen| {
        let seen = seen.split_whitespace().collect::<Vec<_>>().join(" ");
        seen.contains("Sending began at ") && seen.contains("nobody knows whether it went out: look first)")
    });
    std::fs::write(world.sandbox.dir().join("go"), "").unwrap();
    person.sees(&["3. done", LISTENS]);
    person.types("3\r");
    person.sees(&["What was done", LISTENS]);
    person.types("\r");
    // The next one is about nothing but itself.
    person.sees(&["To: pager. The draft:", LISTENS]);
    person.kill();
    assert_eq!(std::fs::read_to_string(world.sandbox.dir().join("paged")).unwrap(), "x\n");
}

#[test]
fn it_is_asked_in_the_language_of_the_operator_and_refused_in_words() {
    let world = World::new();
    let runbook = runbook(&world, "1m", "      - { id: a, ask: 'What is broken?' }\n");
    let keys = "Ctrl-C 暂停";
    let mut person = Person::at(&world, &["--lang", "zh-CN", "start", "v1.2.3", "1234", "--runbook", &runbook]);
    person.sees(&["事件何时开始？", keys]);
    person.types("2h\r");
    person.sees(&["请致电 Grace", "已确认：已联系上", "稍后", keys]);
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
    ends(&world.hotfix(&["abort", "--reason", "x"]), 0);
    for (since, words) in [("2099-01-01T00:00:00Z", "in the future"), ("9days", "7 days"), ("noon", "no time")] {
        let said = ends(&world.hotfix(&["start", "v1.2.3", "1234", "--since", since]), 2);
        assert!(said.contains(words) && said.contains("02:40"), "{said}");
    }
    assert_eq!(world.runs().len(), 1);
}
