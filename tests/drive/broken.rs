//! A rollback where the log is broken, full, or not there.

use crate::fixture::{World, ends};

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
    let (world, answers) = deployed();
    let exe = crate::fixture::EXE;
    // Every write to a file fails as on a full disk, for the program and its supervisors; the scripts' own are lifted by them.
    let script = format!("trap '' XFSZ; ulimit -S -f 0; exec {exe} rollback --answers {answers}");
    let base = world.sandbox.repository().join("deploy-production.sh");
    assert!(base.exists());
    let output = world.sandbox.command("sh").args(["-c", &script]).output().unwrap();
    let said = crate::fixture::said(&output);
    assert!(said.contains("the audit log cannot be written") || said.contains("cannot be written"), "{said}");
    assert!(world.scripts().iter().filter(|name| *name == "deploy-production.sh").count() <= 2, "{said}");
}

#[test]
fn without_a_run_it_goes_by_the_runbook_alone() {
    let world = World::new();
    let said = ends(&world.hotfix(&["rollback"]), 13);
    assert!(said.contains("--to TAG"), "{said}");
    let answers = world.answers("rollback: yes\n");
    let said = ends(&world.hotfix(&["rollback", "--to", "v1.2.2", "--answers", &answers]), 10);
    assert!(said.contains("Nothing is known here of what was done"), "{said}");
    assert_eq!(world.scripts(), ["deploy-production.sh", "validate-rollback.sh"]);
    assert_eq!(world.production(), "v1.2.2");
}
