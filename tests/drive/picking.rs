//! A commit of main, taken at a terminal: chosen from a list, seen, agreed to; a conflict solved in a shell.

use crate::fixture::World;
use crate::terminal::{LISTENS, Person};

#[test]
fn a_commit_is_chosen_from_a_list_seen_and_agreed_to_and_its_conflict_solved_in_a_shell() {
    let world = World::new();
    let at = |name: &str| world.sandbox.dir().join(name);
    let git = |args: &[&str]| {
        let said = world.sandbox.command("git").args(args).output().unwrap();
        assert!(said.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).unwrap().trim().to_owned()
    };
    let file = world.sandbox.repository().join("NOTES");
    for (text, subject) in [("one\n", "first note"), ("two\n", "second note")] {
        std::fs::write(&file, text).unwrap();
        git(&["add", "NOTES"]);
        git(&["commit", "-q", "-m", subject]);
    }
    let first = git(&["rev-parse", "HEAD~1"]);
    let second = git(&["rev-parse", "HEAD"]);
    let text = "name: fix\nversion: 1\nstages:\n  - id: s\n    steps:\n      - {id: branch, git: {branch: '{{ branch }}', from: '{{ tag }}'}}\n      \
                - {id: take, git: {cherry_pick: '{{ main }}', taken: taken}}\n      - {id: b, confirm: 'Taken {{ taken }}?'}\n";
    std::fs::write(at("take.yaml"), text).unwrap();
    let runbook = at("take.yaml").display().to_string();
    let mut person = Person::at(&world, &["start", "v1.2.3", "1234", "--runbook", &runbook]);
    let seen = person.sees(&["Which commit of `main` is taken?", "second note", "another: its id", LISTENS]);
    assert!(seen.find("second note") < seen.find("first note"), "the newest first: {seen}");
    // Enter alone chooses nothing.
    person.types("\r");
    person.types("3\r");
    person.sees(&["The id of the commit", LISTENS]);
    person.types(&format!("{}\r", &first[..8]));
    person.sees(&["+1 -0  NOTES", "Take ", "\"first note\"", LISTENS]);
    person.types("\r");
    person.types("y\r");
    person.sees(&["is taken", "Taken: ", "Another one of `main`", LISTENS]);
    assert_eq!(git(&["log", "-1", "--format=%b"]), format!("(cherry picked from commit {first})"));
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);

    // What is changed here meanwhile conflicts with the other.
    std::fs::write(&file, "mine\n").unwrap();
    git(&["commit", "-q", "-a", "-m", "mine"]);
    let mut person = Person::at(&world, &["resume"]);
    let seen = person.sees(&["Taken: ", "Another one of `main`", "second note", LISTENS]);
    assert!(!seen.contains("first note"), "{seen}");
    person.types("1\r");
    person.sees(&["+1 -1  NOTES", "Take ", LISTENS]);
    person.types("y\r");
    person.sees(&["conflict  NOTES", "give up: all is as before", LISTENS]);
    person.types("3\r");
    person.sees(&["is given up", "Another one of `main`", LISTENS]);
    assert_eq!(git(&["status", "--porcelain", "--untracked-files=no"]), "");
    person.types("1\r");
    let after = |seen: &str, text: &str| seen.rfind(text) > seen.rfind("is given up");
    person.sees_that("the question again", |seen| after(seen, "Take ") && after(seen, LISTENS));
    person.types("y\r");
    person.sees_that("the conflict again", |seen| after(seen, "give up: all") && after(seen, LISTENS));
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);

    let mut person = Person::at(&world, &["resume"]);
    person.sees(&["conflict  NOTES", "give up: all is as before", LISTENS]);
    person.types("1\r");
    person.sees(&["Solve the conflict in NOTES", LISTENS]);
    person.types("\r");
    person.sees(&["You are in a shell"]);
    person.types("echo both > NOTES; git add NOTES; exit\r");
    person.sees(&["done", LISTENS]);
    person.types("done\r");
    person.sees(&["What was done", LISTENS]);
    person.types("\r");
    person.sees(&["is taken", "Another one of `main`", "none: enough", LISTENS]);
    person.types("2\r");
    person.sees(&[&format!("Taken {first}"), &format!("{second}?"), LISTENS]);
    assert_eq!(git(&["log", "-1", "--format=%s, %b"]), format!("second note, (cherry picked from commit {second})"));
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
}
