//! A disk that is full, a state directory that is gone, a log from a newer program: said before anything is done.

use std::fs;
use std::time::{Duration, Instant};

use hotfix::digest::sha256;
use hotfix::event::{Event, Record};

use super::fixture::{Ended, Project, steps};

/// What `ulimit -f` counts in, in bytes.
const BLOCK: usize = 512;

/// The program, with no file growing beyond so many blocks.
fn limited(project: &Project, blocks: usize, args: &str) -> Ended {
    let script = format!("trap '' XFSZ; ulimit -S -f {blocks}; exec {} {args}", env!("CARGO_BIN_EXE_hotfix"));
    let ended = project.command("sh", "work").args(["-c", &script]).output().unwrap();
    Ended { code: ended.status.code(), said: String::from_utf8_lossy(&ended.stderr).into_owned() }
}

#[test]
fn wherever_the_disk_is_full_nothing_is_run_that_was_not_written_down_and_resume_goes_on() {
    let step = |id: &str| {
        format!("{{id: {id}, run: 'ulimit -S -f unlimited; echo {id} $HOTFIX_ATTEMPT >> \"$T/log\"', timeout: 1m}}")
    };
    let [a, b, c] = ["a", "b", "c"].map(step);
    let open = || steps(&[&a, "{id: q, ask: {prompt: Which?, into: colour}}", &b, &c]).open();
    let answers = "s/q: red\n";
    let whole = open();
    whole.start(answers).exits(0);
    let (size, log) = (whole.journal().len(), whole.left("log"));
    let (mut refused, mut stopped) = (0, 0);
    for blocks in 0..=size / BLOCK {
        let project = open();
        fs::write(project.path("answers.yaml"), answers).unwrap();
        let answers_file = project.path("answers.yaml").display().to_string();
        let ended = limited(&project, blocks, &format!("start v1.2.3 42 --answers {answers_file}"));
        if project.runs().is_empty() {
            refused += 1;
            assert!(ended.code == Some(1) || ended.said.contains("index.lock"), "{}", ended.said);
            assert_eq!(project.left("log"), "", "{blocks} blocks");
            project.start(answers).exits(0);
        } else {
            stopped += 1;
            ended.exits(1).says(&["journal.jsonl", "cannot write and sync it", "`hotfix resume`"]);
            // Every script that ran was on the record before.
            let begun = |key: &str| project.story(key).iter().filter(|word| *word == "started").count();
            for line in project.left("log").lines() {
                let id = line.split(' ').next().unwrap();
                assert!(begun(&format!("s/{id}")) > 0, "{blocks} blocks: {line}");
            }
            let before = project.journal();
            project.hotfix(&["verify"]).exits(0);
            project.resume(answers).exits(0);
            assert!(project.journal().starts_with(&before), "{blocks} blocks: what was acknowledged stands");
        }
        assert_eq!(project.left("log"), log, "{blocks} blocks");
    }
    assert!(refused > 0 && stopped > 3, "{refused} refused, {stopped} stopped");
}

#[test]
fn a_state_directory_that_vanishes_stops_the_run() {
    let project = steps(&[
        "{id: a, run: 'rm -r \"$T/work/.git/hotfix/runs\"'}",
        "{id: b, affects: production, run: 'echo b >> \"$T/log\"'}",
    ])
    .open();
    let says = ["cannot", "The log of this run is gone from the disk", "`hotfix rollback --to TAG`"];
    project.start("s/b: v1.2.4\n").exits(1).says(&says).keeps(&["`hotfix resume` goes on"]);
    assert_eq!(project.left("log"), "", "nothing is done that cannot be written down");
}

#[test]
fn a_state_directory_that_cannot_be_used_stops_a_start_and_no_rollback() {
    let project = steps(&["{id: a, affects: production, run: 'echo a >> \"$T/log\"'}"])
        .stage("back\ntrigger: rollback", &["{id: b, run: 'echo \"$HOTFIX_ROLLBACK_TO\" >> \"$T/log\"'}"])
        .open();
    fs::write(project.path("work/.git/hotfix"), "no directory\n").unwrap();
    let said = ["hotfix/runs: cannot list it", "before that is mended", "`hotfix rollback --to TAG` works without"];
    project.start("s/a: v1.2.4\n").exits(1).says(&said);
    project.hotfix(&["status"]).exits(1).says(&said);
    project.hotfix(&["rollback"]).exits(1).says(&said);
    assert_eq!(project.left("log"), "", "nothing is done that cannot be written down");
    fs::write(project.path("answers.yaml"), "rollback: yes\n").unwrap();
    let answers = project.path("answers.yaml").display().to_string();
    let ended = project.hotfix(&["rollback", "--to", "v1.2.3", "--answers", &answers]);
    ended.exits(10).says(&["NOTHING CAN BE WRITTEN DOWN", "it is run all the same"]);
    assert_eq!(project.left("log"), "v1.2.3\n");
}

/// Has the first record say that a newer program wrote it.
fn age(project: &Project) {
    let mut records: Vec<Record> = project.records();
    if let Event::RunStarted { program, format, .. } = &mut records[0].event {
        (*program, *format) = ("9.9.9".to_owned(), 1000);
    }
    let mut text = String::new();
    let mut prev = records[0].prev.clone();
    for mut record in records {
        record.prev = prev;
        let line = record.line().unwrap();
        prev = sha256(line.as_bytes());
        text.push_str(&line);
        text.push('\n');
    }
    fs::write(project.runs().remove(0).join("journal.jsonl"), text).unwrap();
}

#[test]
fn a_log_of_a_newer_program_is_refused_and_blocks_no_rollback() {
    let project = steps(&[
        "{id: a, affects: production, run: 'echo a >> \"$T/log\"', undo: {run: 'echo undo >> \"$T/log\"'}}",
        "{id: q, confirm: On?}",
    ])
    .open();
    project.start("s/a: v1.2.4\n").exits(7);
    age(&project);
    let said = ["hotfix 9.9.9 wrote it in format 1000", "use hotfix 9.9.9 or a newer one"];
    let before = project.journal();
    project.resume("s/q: yes\n").exits(12).says(&said);
    project.hotfix(&["verify"]).exits(12).says(&said);
    project.hotfix(&["status"]).says(&said);
    fs::write(project.path("answers.yaml"), "rollback: yes\n").unwrap();
    let answers = project.path("answers.yaml").display().to_string();
    project.hotfix(&["rollback", "--answers", &answers]).exits(10).says(&said);
    assert_eq!(project.left("log"), "a\nundo\n");
    assert_eq!(project.journal(), before, "a format that is not known is not written to");
}

#[test]
fn who_drives_drives_alone_though_the_lock_cannot_say_who() {
    let undo = "ulimit -S -f unlimited; echo undo >> \"$T/log\"; until [ -e \"$T/go\" ]; do sleep 0.01; done";
    let project = steps(&[
        &format!("{{id: a, affects: production, run: 'true', undo: {{run: '{undo}'}}}}"),
        "{id: q, confirm: On?}",
    ])
    .open();
    project.start("s/a: v1.2.4\n").exits(7);
    fs::write(project.path("answers.yaml"), "rollback: yes\n").unwrap();
    let answers = project.path("answers.yaml").display().to_string();
    let script =
        format!("trap '' XFSZ; ulimit -S -f 0; exec {} rollback --answers {answers}", env!("CARGO_BIN_EXE_hotfix"));
    let mut first = project.command("sh", "work").args(["-c", &script]).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while project.left("log").is_empty() && first.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "the rollback does not begin");
        std::thread::yield_now();
    }
    let second = project.hotfix(&["rollback", "--answers", &answers]);
    fs::write(project.path("go"), "").unwrap();
    second.exits(8).says(&["another process holds the lock"]);
    assert_eq!(first.wait().unwrap().code(), Some(10));
    assert_eq!(project.left("log"), "undo\n");
}
