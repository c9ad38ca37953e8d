//! The commit of a fix at a terminal: seen, agreed to, its message finished in an editor.

use std::os::unix::fs::PermissionsExt as _;

use crate::fixture::World;
use crate::terminal::{LISTENS, Person};

#[test]
fn a_commit_is_shown_asked_about_and_its_message_finished_in_the_editor() {
    let world = World::new();
    let at = |name: &str| world.sandbox.dir().join(name);
    let text = "name: fix\nversion: 1\nstages:\n  - id: s\n    steps:\n      - {id: work, run: 'echo fixed >> VERSION'}\n      \
                - {id: commit, git: {commit: \"hotfix: it\\n\\nFixes: #{{ issue }}\", edit: true}}\n      - {id: b, confirm: 'Really over?'}\n";
    std::fs::write(at("fix.yaml"), text).unwrap();
    std::fs::write(at("edit"), "#!/bin/sh\nprintf '\\n- said more\\n' >> \"$1\"\n").unwrap();
    std::fs::set_permissions(at("edit"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let runbook = at("fix.yaml").display().to_string();
    let editor = at("edit").display().to_string();
    let args = ["start", "v1.2.3", "1234", "--runbook", &runbook];
    let mut person = Person::at_with(&world, &args, &[("EDITOR", &editor)]);
    let seen = person.sees(&["+1 -0  VERSION", "Commit this file, +1 -0 lines", LISTENS]);
    assert!(!seen.contains("▶ s/b"), "{seen}");
    let log = |format: &str| {
        let said = world.sandbox.command("git").args(["log", "-1", format]).output().unwrap();
        String::from_utf8(said.stdout).unwrap()
    };
    let before = log("--format=%H");
    person.types("\r");
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
    assert_eq!(log("--format=%H"), before, "Enter alone and Ctrl-C commit nothing");

    let mut person = Person::at_with(&world, &["resume"], &[("EDITOR", &editor)]);
    person.sees(&["Commit this file, +1 -0 lines", LISTENS]);
    person.types("yes\r");
    person.sees(&["The message of the commit", LISTENS]);
    person.types("\r");
    person.sees(&["Really over?", LISTENS]);
    assert_eq!(log("--format=%B").trim(), "hotfix: it\n\nFixes: #1234\n- said more");
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
}
