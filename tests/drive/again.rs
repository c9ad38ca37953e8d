//! The way back where it is easy to believe that production is back: other targets, other runs, the same text twice.

use std::path::Path;

use crate::fixture::{World, ends, kill};

/// A repository of its own with three tags, and a runbook that writes down what it does.
struct Small {
    world: World,
    runbook: String,
}

const RUNBOOK: &str = r#"
name: small
version: 1
stages:
  - id: deploy
    steps:
STEPS
      - { id: q, confirm: "Go on?" }
  - id: rollback
    trigger: rollback
    steps:
      - { id: restore, affects: production, run: 'echo "restore $HOTFIX_ROLLBACK_TO" >>"$HOTFIX_DRILL_DIR/did"' }
      - { id: validate, run: 'echo validate >>"$HOTFIX_DRILL_DIR/did"' }
"#;
const ONE: &str = r#"      - { id: a, affects: production, run: 'true', undo: { run: 'echo "undo $HOTFIX_ROLLBACK_TO" >>"$HOTFIX_DRILL_DIR/did"' } }"#;

impl Small {
    fn new(steps: &str) -> Self {
        let world = World::new();
        let runbook = world.sandbox.dir().join("small.yaml");
        std::fs::write(&runbook, RUNBOOK.replace("STEPS", steps)).unwrap();
        Self { world, runbook: runbook.display().to_string() }
    }

    /// A run that has touched production and waits for an answer.
    fn start(&self, issue: &str, answers: &str) -> String {
        let answers = self.world.answers(answers);
        let args = ["start", "v1.2.3", issue, "--runbook", &self.runbook, "--answers", &answers];
        ends(&self.world.hotfix(&args), 7);
        answers
    }

    fn back(&self, answers: &str, more: &[&str], code: i32) -> String {
        ends(&self.world.hotfix(&[&["rollback", "--answers", answers], more].concat()), code)
    }

    fn did(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.world.sandbox.dir().join("did")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

const ANSWERS: &str = "deploy/a: v1.2.4\nrollback: [yes, yes, yes, yes]\n";

#[test]
fn undos_of_the_same_text_in_other_places_with_other_values_are_not_the_same() {
    let dir = r#"      - { id: a, dir: app, affects: production, run: 'true', undo: { run: 'pwd >>"$HOTFIX_DRILL_DIR/did"' } }
      - { id: b, dir: tests, affects: production, run: 'true', undo: { run: 'pwd >>"$HOTFIX_DRILL_DIR/did"' } }"#;
    let env = r#"      - { id: a, env: { S: c }, affects: production, run: 'true', undo: { run: 'echo $S >>"$HOTFIX_DRILL_DIR/did"' } }
      - { id: b, env: { S: d }, affects: production, run: 'true', undo: { run: 'echo $S >>"$HOTFIX_DRILL_DIR/did"' } }"#;
    for (steps, wanted) in [(dir, ["tests", "app"]), (env, ["d", "c"])] {
        let small = Small::new(steps);
        let answers = small.start("1", &format!("deploy/b: v1.2.4\n{ANSWERS}"));
        small.back(&answers, &[], 10);
        let did = small.did();
        let ends_so = |at: usize| did[at].ends_with(wanted[at]);
        assert!(did.len() == 3 && ends_so(0) && ends_so(1), "{did:?}");
    }
}

#[test]
fn the_undo_of_a_repetition_sees_the_values_that_it_began_with() {
    let steps = r#"      - id: nodes
        affects: production
        group:
          steps:
            - { id: pick, run: 'cat "$HOTFIX_DRILL_DIR/next"; echo $(($(cat "$HOTFIX_DRILL_DIR/next") + 1)) >"$HOTFIX_DRILL_DIR/next"', capture: { node: stdout } }
            - { id: roll, run: 'echo "roll $HOTFIX_NODE"', undo: { run: 'echo "unroll $HOTFIX_NODE" >>"$HOTFIX_DRILL_DIR/did"' } }
          repeat: { until: node | int >= 3, max: 5 }"#;
    let small = Small::new(steps);
    std::fs::write(small.world.sandbox.dir().join("next"), "1\n").unwrap();
    let answers = small.start("1", "deploy/nodes: v1.2.4\nrollback: [yes]\n");
    small.back(&answers, &[], 10);
    assert_eq!(small.did(), ["unroll 3", "unroll 2", "unroll 1", "validate"]);
}

#[test]
fn a_second_rollback_to_another_version_goes_there_and_the_plan_says_so() {
    let small = Small::new(ONE);
    let answers = small.start("1", ANSWERS);
    small.back(&answers, &[], 10);
    let said = small.back(&answers, &["--to", "v1.2.2"], 10);
    assert!(said.contains(r#"undo deploy/a: echo "undo v1.2.2""#), "{said}");
    assert_eq!(small.did(), ["undo v1.2.3", "validate", "undo v1.2.2", "validate"]);
}

#[test]
fn what_nothing_has_validated_is_not_called_so() {
    let validate = "      - { id: validate, run: 'echo validate >>\"$HOTFIX_DRILL_DIR/did\"' }\n";
    let skipped = "      - { id: validate, when: direction == 'forward', run: 'true' }\n";
    assert!(RUNBOOK.contains(validate));
    let cases = [("", "Nothing in the runbook validates it"), (skipped, "What validates it was left out")];
    for (instead, words) in cases {
        let small = Small::new(ONE);
        let text = RUNBOOK.replace("STEPS", ONE).replace(validate, instead);
        std::fs::write(&small.runbook, text).unwrap();
        let said = small.back(&small.start("1", ANSWERS), &[], 10);
        assert!(said.contains(&format!("Production is back on v1.2.3. {words}: look yourself.")), "{said}");
    }
}

#[test]
fn another_version_is_asked_about_where_a_rollback_is_incomplete() {
    let failing = ONE.replace("echo", r#"test -e "$HOTFIX_DRILL_DIR/ok" && echo"#);
    let small = Small::new(&failing);
    let answers = small.start("1", ANSWERS);
    small.back(&answers, &[], 11);
    std::fs::write(small.world.sandbox.dir().join("ok"), "").unwrap();
    let said = small.back(&answers, &["--to", "v1.2.2"], 10);
    assert!(said.contains("What a rollback to v1.2.2 does:"), "{said}");
    assert!(said.contains("Production is back on v1.2.2, and validated."), "{said}");
    let status = ends(&small.world.hotfix(&["status"]), 0);
    assert!(status.contains("; mitigated ") && status.contains(" by the rollback to v1.2.2, after "), "{status}");
    assert!(small.did().contains(&"undo v1.2.2".to_owned()), "{:?}", small.did());
}

#[test]
fn an_undo_that_was_begun_without_a_supervisor_is_not_begun_again_unasked() {
    let undo = r#"cd "$HOTFIX_DRILL_DIR"; echo undo >>did; [ -p go ] || exit 0; echo >ready; read x <go"#;
    let small = Small::new(&ONE.replace(r#"echo "undo $HOTFIX_ROLLBACK_TO" >>"$HOTFIX_DRILL_DIR/did""#, undo));
    let dir = small.world.sandbox.dir().to_owned();
    for name in ["ready", "go"] {
        assert!(small.world.sandbox.command("mkfifo").arg(dir.join(name)).status().unwrap().success());
    }
    let answers = small.start("1", ANSWERS);
    // Its output cannot be written, and so no supervisor takes it.
    let run = small.world.runs().pop().unwrap();
    std::fs::create_dir(run.join("output/undo.deploy.a.1.log")).unwrap();
    let (child, lines) = small.world.begin(&["rollback", "--answers", &answers]);
    // The script writes when it has begun.
    std::fs::read(dir.join("ready")).unwrap();
    kill(child);
    assert!(lines.all().contains("it is run all the same"));
    // Left alone, it ends. Called again it would end at once.
    std::fs::write(dir.join("go"), "\n").unwrap();
    std::fs::remove_file(dir.join("go")).unwrap();
    let said = small.back(&answers, &[], 11);
    assert!(said.contains("nobody knows how it ended"), "{said}");
    assert_eq!(small.did(), ["undo", "restore v1.2.3", "validate"]);
}

#[test]
fn without_a_run_nothing_is_begun_before_it_was_consented_to() {
    let small = Small::new(ONE);
    let run = |answers: &str, code| {
        let answers = small.world.answers(answers);
        let args = ["rollback", "--to", "v1.2.2", "--runbook", &small.runbook, "--answers", &answers];
        ends(&small.world.hotfix(&args), code)
    };
    run("{}", 7);
    run("no/such: step\n", 2);
    assert!(small.world.runs().is_empty(), "nothing was begun");
    let said = run("rollback: yes\n", 10);
    assert!(!said.contains("has not been touched") && !said.contains("git tag -d"), "{said}");
    assert_eq!(small.did(), ["restore v1.2.2", "validate"]);
    run("rollback: [yes, yes]\n", 10);
    assert_eq!(small.did().len(), 4, "asked again it does it again: {:?}", small.did());
}

#[test]
fn the_run_that_touched_production_is_taken_back_and_not_a_later_one_that_did_not() {
    let small = Small::new(ONE);
    small.start("1", ANSWERS);
    ends(&small.world.hotfix(&["abort", "--reason", "x", "--answers", &small.world.answers("abort: v1.2.4\n")]), 0);
    let answers = small.start("2", "rollback: yes\n");
    ends(&small.world.hotfix(&["abort", "--reason", "x"]), 0);
    small.back(&answers, &[], 10);
    assert_eq!(small.did(), ["undo v1.2.3", "validate"]);
}

#[test]
fn a_lock_that_nobody_holds_blocks_nobody_whatever_it_says() {
    let small = Small::new(ONE);
    let answers = small.start("1", ANSWERS);
    let lock = small.world.sandbox.repository().join(".git/hotfix/lock");
    assert_eq!(std::fs::read_to_string(&lock).unwrap(), "", "who let go is not named any more");
    let run = small.world.contents().records[0].run.clone();
    let stale =
        format!(r#"{{"pid":1,"host":"elsewhere","user":"eve","since":"2030-01-01T00:00:00.000Z","run":"{run}"}}"#);
    std::fs::write(&lock, stale).unwrap();
    small.back(&answers, &[], 10);
    assert_eq!(small.did(), ["undo v1.2.3", "validate"]);
}

#[test]
fn a_journal_that_another_program_holds_blocks_no_rollback() {
    let small = Small::new(ONE);
    let answers = small.start("1", ANSWERS);
    let held = std::fs::File::open(small.world.journal()).unwrap();
    held.lock().unwrap();
    let said = small.back(&answers, &[], 10);
    assert!(said.contains("THE AUDIT LOG CANNOT BE USED"), "{said}");
    assert_eq!(small.did(), ["undo v1.2.3", "validate"]);
    drop(held);
    ends(&small.world.hotfix(&["resume", "--answers", &answers]), 12);
    ends(&small.world.hotfix(&["verify"]), 12);
    small.start("9", "{}");
}

#[test]
fn a_screen_that_takes_nothing_changes_no_exit_code() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let small = Small::new(ONE);
    let answers = small.start("1", ANSWERS);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let status = small.world.command(&["rollback", "--answers", &answers]).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(10));
    assert_eq!(small.did(), ["undo v1.2.3", "validate"]);
}

#[test]
fn a_holder_on_another_host_is_named_with_the_command_to_run_there() {
    let small = Small::new(ONE);
    let answers = small.start("1", ANSWERS);
    let path = small.world.sandbox.repository().join(".git/hotfix/lock");
    let run = small.world.contents().records[0].run.clone();
    let holder = r#"{"pid":1,"host":"elsewhere","user":"eve","since":"2030-01-01T00:00:00.000Z","run":"RUN"}"#;
    std::fs::write(&path, holder.replace("RUN", &run)).unwrap();
    let held = std::fs::File::open(&path).unwrap();
    held.lock().unwrap();
    let said = small.back(&answers, &[], 8);
    assert!(said.contains("eve on elsewhere") && said.contains(&format!("hotfix rollback {run}")), "{said}");
    std::fs::write(&path, holder.replace("RUN", "another")).unwrap();
    let said = small.back(&answers, &[], 8);
    assert!(said.contains("run another is being driven"), "nobody's other run is stopped: {said}");
    assert!(small.did().is_empty());
}
