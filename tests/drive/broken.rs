//! A rollback where the log is broken, full, or not there.

use crate::fixture::{EXE, World, ends};

fn deployed() -> (World, String) {
    let world = World::new();
    let answers = world.answers_but("direct", &[("rollback", "yes")]);
    let mut start = world.command(&["start", "v1.2.3", "1234", "--answers", &answers]);
    ends(&start.env("HOTFIX_DRILL_FAIL", "validate/security").output().unwrap(), 5);
    assert_eq!(world.production(), "v1.2.4");
    (world, answers)
}

#[test]
fn a_damaged_log_blocks_no_rollback_and_what_it_does_is_recorded_beside() {
    let (world, answers) = deployed();
    let journal = world.journal();
    let text = std::fs::read_to_string(&journal).unwrap();
    let damaged = text.replacen("\"event\":\"stage.finished\"", "\"event\":\"stage.finishes\"", 1);
    std::fs::write(&journal, &damaged).unwrap();
    ends(&world.hotfix(&["resume", "--answers", &answers]), 12);
    let said = ends(&world.hotfix(&["rollback", "--answers", &answers]), 10);
    for text in ["THE AUDIT LOG IS BROKEN", "./deploy-production.sh v1.2.3"] {
        assert!(said.contains(text), "{text}\n{said}");
    }
    assert_eq!(world.production(), "v1.2.3");
    assert_eq!(std::fs::read_to_string(&journal).unwrap(), damaged, "the evidence is as it was");
    let beside = std::fs::read_to_string(journal.with_file_name("journal.aside.jsonl")).unwrap();
    assert!(beside.contains("rollback.started") && beside.contains("run.rolled_back"), "{beside}");
}

#[test]
fn a_disk_on_which_nothing_can_be_written_blocks_no_rollback() {
    let world = World::new();
    let answers = world.answers_but("direct", &[("rollback", "yes")]);
    // Every write to a file fails as on a full disk, for the program and its supervisors; the scripts lift it for themselves.
    let base = world.sandbox.repository().join(".hotfix/runbook.yaml");
    let runbook = world.sandbox.dir().join("full.yaml");
    let lifted = |script: &str| format!("'ulimit -S -f unlimited; {script}'");
    let text = format!(
        "name: full\nversion: 1\nextends: {}\nstages:\n  - id: deploy\n    steps: [{{ id: direct, undo: {{ run: {} }} }}]\n  \
         - id: staging\n    steps: [{{ id: deploy-staging, undo: {{ run: {} }} }}]\n  \
         - id: rollback\n    steps: [{{ id: validate, run: {} }}]\n",
        base.display(),
        lifted("./deploy-production.sh \"$HOTFIX_ROLLBACK_TO\""),
        lifted("./deploy-staging.sh \"$HOTFIX_ROLLBACK_TO\""),
        lifted("./validate-rollback.sh"),
    );
    std::fs::write(&runbook, text).unwrap();
    let runbook = runbook.display().to_string();
    let mut start = world.command(&["start", "v1.2.3", "1234", "--answers", &answers, "--runbook", &runbook]);
    ends(&start.env("HOTFIX_DRILL_FAIL", "validate/security").output().unwrap(), 5);

    let before = std::fs::read(world.journal()).unwrap();
    let script = format!("trap '' XFSZ; ulimit -S -f 0; exec {EXE} rollback --answers {answers}");
    let said = ends(&world.sandbox.command("sh").args(["-c", &script]).output().unwrap(), 10);
    for text in ["the audit log cannot be written", "it is run all the same", "undo deploy/direct"] {
        assert!(said.contains(text), "{text}\n{said}");
    }
    assert_eq!(world.production(), "v1.2.3");
    assert_eq!(std::fs::read(world.journal()).unwrap(), before, "what was acknowledged is as it was");
    // There is room again: the log does not know, and forward is closed all the same.
    let calls = world.scripts();
    ends(&world.hotfix(&["resume", "--answers", &answers]), 12);
    assert_eq!(world.scripts(), calls);
    ends(&world.hotfix(&["abort", "--reason", "taken back", "--answers", &world.answers("abort: v1.2.4\n")]), 0);
}

#[test]
fn without_a_run_it_goes_by_the_runbook_alone() {
    let world = World::new();
    let said = ends(&world.hotfix(&["rollback"]), 13);
    assert!(said.contains("--to TAG"), "{said}");
    let said = ends(&world.hotfix(&["rollback", "--to", "v1.2.33"]), 7);
    assert!(said.contains("warning: there is no tag v1.2.33 here (nearest: v1.2.3"), "{said}");
    assert_eq!(world.scripts(), Vec::<String>::new());
    let answers = world.answers("rollback: yes\n");
    let said = ends(&world.hotfix(&["rollback", "--to", "v1.2.2", "--answers", &answers]), 10);
    assert!(said.contains("Nothing is known here of what was done"), "{said}");
    assert_eq!(world.scripts(), ["deploy-production.sh", "validate-rollback.sh"]);
    assert_eq!(world.production(), "v1.2.2");
}
