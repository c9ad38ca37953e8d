//! Commands that talk to the operator: the terminal is theirs, and so is Ctrl-C.

use crate::fixture::{World, ends};
use crate::terminal::{LISTENS, Person};
use hotfix::event::Event;

/// A runbook with one step that is interactive.
pub(crate) fn runbook(world: &World, step: &str) -> String {
    let path = world.sandbox.dir().join("lent.yaml");
    let text = format!(
        "name: lent\nversion: 1\nsecrets: [TOKEN, KEY]\nstages:\n  - id: s\n    steps:\n      - {{id: a, interactive: true, {step}}}\n      - {{id: b, confirm: 'Really over?'}}\n"
    );
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn person(world: &World, step: &str) -> Person {
    Person::at(world, &["start", "v1.2.3", "1234", "--runbook", &runbook(world, step)])
}

/// Why the step failed.
pub(crate) fn failure(world: &World) -> Option<(String, String)> {
    world.events().into_iter().find_map(|event| match event {
        Event::StepFailed { reason, message, .. } => Some((reason, message)),
        _ => None,
    })
}

#[test]
fn an_interactive_command_is_answered_at_the_terminal_and_gives_its_values() {
    let world = World::new();
    let step = r#"capture: {said: output}, run: 'test -t 0 && test -t 1 && test -t 2 || exit 9; stty -echo; printf "pass%s: " phrase;
          read -r x; stty echo; echo "it has ${#x} letters"; echo "said=${#x}" >"$HOTFIX_OUTPUT"'"#;
    let mut person = person(&world, step);
    person.sees(&["passphrase: "]);
    person.types("hunter2\r");
    let seen = person.sees(&["it has 7 letters", "Really over?", LISTENS]);
    assert!(!seen.contains("hunter2"), "{seen}");
    let set = world.events().into_iter().find_map(|event| match event {
        Event::StepDone { set, .. } => Some(set),
        _ => None,
    });
    assert_eq!(set.unwrap()["said"], "7");
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
}

#[test]
fn ctrl_c_ends_an_interactive_command_and_not_the_run() {
    let world = World::new();
    let mut person = person(&world, "run: 'trap \"exit 3\" INT; echo ready$((1+1)); while :; do sleep 0.1; done'");
    person.sees(&["ready2"]);
    person.types("\u{3}");
    person.sees(&["s/a failed", LISTENS]);
    assert_eq!(failure(&world).unwrap().0, "exit");
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
}

#[test]
fn an_interactive_command_that_takes_too_long_is_ended_however_it_resists() {
    let world = World::new();
    let step =
        "timeout: 2s, kill_grace: 200ms, run: 'trap : INT TERM HUP; echo ready$((1+1)); while :; do sleep 0.1; done'";
    let mut person = person(&world, step);
    person.sees(&["ready2"]);
    person.sees(&["s/a failed", LISTENS]);
    assert_eq!(failure(&world).unwrap().0, "timeout");
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
}

#[test]
fn an_interactive_command_cut_off_is_asked_about() {
    let world = World::new();
    let mut first = person(&world, "run: [sh, -c, 'echo ready$((1+1)); read -r x']");
    first.sees(&["ready2"]);
    first.kill();
    let mut person = Person::at(&world, &["resume"]);
    person.sees(&["s/a began, and nobody knows how it ended", LISTENS]);
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
}

#[test]
fn the_plan_says_which_steps_cannot_outlive_the_terminal() {
    let world = World::new();
    let runbook = runbook(&world, "run: 'true'");
    let said = ends(&world.hotfix(&["plan", "v1.2.3", "1234", "--runbook", &runbook]), 0);
    assert_eq!(said.matches("needs the terminal, and cannot outlive it").count(), 1, "{said}");
}

#[test]
fn without_a_terminal_an_interactive_step_is_not_begun() {
    let world = World::new();
    let flag = world.sandbox.dir().join("flag");
    let runbook = runbook(&world, &format!("run: 'echo x >>{}'", flag.display()));
    let answers = world.answers("s/b: 'yes'\n");
    let said = ends(&world.hotfix(&["start", "v1.2.3", "1234", "--runbook", &runbook, "--answers", &answers]), 7);
    assert!(said.contains("s/a: its command talks to the operator and needs a terminal"), "{said}");
    assert!(!flag.exists());
    let mut person = Person::at(&world, &["resume"]);
    person.sees(&["Really over?", LISTENS]);
    assert_eq!(std::fs::read_to_string(&flag).unwrap(), "x\n");
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
}

#[test]
fn a_secret_in_an_answer_or_in_a_note_from_elsewhere_stays_on_no_screen() {
    let world = World::new();
    let path = world.sandbox.dir().join("said.yaml");
    let text = "name: said\nversion: 1\nsecrets: [TOKEN]\nstages:\n  - id: s\n    steps:\n      - {id: a, ask: {prompt: 'What is it?', into: it}}\n      - {id: b, confirm: 'Really over?'}\n";
    std::fs::write(&path, text).unwrap();
    let start = ["start", "v1.2.3", "1234", "--runbook", path.to_str().unwrap()];
    let mut person = Person::at_with(&world, &start, &[("TOKEN", "hunter2-and-more")]);
    person.sees(&["What is it?", LISTENS]);
    // The other terminal does not know the secret.
    ends(&world.hotfix(&["note", "it was", "hunter2-and-more"]), 0);
    person.types("with hunter2-and-more in it\r");
    let seen = person.sees(&["→ with *** in it", ": it was ***", "Really over?", LISTENS]);
    assert!(!seen.contains("hunter2"), "{seen}");
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
}
