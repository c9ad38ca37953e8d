//! What a step writes: how much of it is kept, and what an operator who comes back is shown.

use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use hotfix::event::Event;
use rustix::process::{Pid, Signal, kill_process};

use super::fixture::{Project, steps};

/// `seq 1 100000` writes so many bytes.
const WRITTEN: u64 = 588_895;

fn kept(project: &Project, name: &str) -> u64 {
    let (files, _) = hotfix::process::files(&project.runs()[0].join("output").join(name)).unwrap();
    files.iter().map(|file| file.metadata().unwrap().len()).sum()
}

#[test]
fn output_beyond_the_limit_is_dropped_from_the_middle_and_that_is_said_and_recorded() {
    let project = steps(&["{id: a, run: seq 1 100000}", "{id: b, run: 'seq 1 100000; exit 3', retries: 0}"])
        .top("output_limit: 64KiB")
        .open();
    project.start("").exits(5).says(&["bytes from the middle of its output were not kept", "100000"]);
    let dropped = WRITTEN - kept(&project, "s.a.1.log");
    let results = project.events().into_iter().find_map(|event| match event {
        Event::StepDone { result, .. } => Some(result),
        _ => None,
    });
    assert_eq!(results.unwrap()["output_dropped"], dropped);
    let failed = project.events().into_iter().find_map(|event| match event {
        Event::StepFailed { message, .. } => Some(message),
        _ => None,
    });
    let failed = failed.unwrap();
    assert!(failed.contains("it ended with exit code 3") && failed.contains("bytes from the middle"), "{failed}");
    assert!(failed.ends_with("    100000"), "{failed}");
    let said = format!("[… {dropped} bytes of output were not kept …]\n");
    project.hotfix(&["log", "--output", "s/a"]).exits(0).says(&["1\n2\n3\n", &said, "\n99999\n100000\n"]);
    project.hotfix(&["log"]).exits(0).says(&[&format!("output_dropped {dropped}")]);
    assert!(kept(&project, "s.b.1.log") <= 64 * 1024);
}

#[test]
fn what_is_too_much_for_a_variable_is_refused_and_holds_no_secret() {
    let too_much = "it is more than the 1 MiB that a variable may have";
    let project = steps(&["{id: a, run: 'seq 1 400000', capture: {x: stdout}}"]).open();
    project.start("").exits(5).says(&[&format!("standard output: {too_much}")]);
    let run = "yes \"$TOKEN\" | head -c 3000000 > $HOTFIX_OUTPUT";
    let step = format!("{{id: b, env: {{TOKEN: '{{{{ env.TOKEN }}}}'}}, run: '{run}', capture: {{y: output}}}}");
    let mut project = steps(&[&step]).top("secrets: [TOKEN]").open();
    project.set("TOKEN", "hunter2-and-more");
    project.start("").exits(5).says(&[&format!("$HOTFIX_OUTPUT: {too_much}")]);
    let values = project.output("s.b.1.values");
    assert!(!values.contains("hunter2") && values.len() == 1024 * 1024 + 1, "{}", values.len());
}

/// How many bytes the operator is known to have seen.
fn seen(project: &Project) -> Option<u64> {
    let text = std::fs::read_to_string(project.runs()[0].join("output/s.a.1.seen"));
    text.ok().and_then(|text| text.trim().parse().ok())
}

/// Waits until the operator is known to have seen so many bytes, for at most half a minute.
fn until_seen(project: &Project, bytes: u64) {
    let begun = Instant::now();
    while seen(project) != Some(bytes) {
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody saw {bytes} bytes");
        std::thread::yield_now();
    }
}

#[test]
fn resume_shows_the_output_from_where_the_operator_left() {
    let script = "echo one; until [ -e $T/go ]; do sleep 0.02; done; echo two; \
                  until grep -q run.resumed .git/hotfix/runs/*/journal.jsonl; do sleep 0.05; done; sleep 2; echo three";
    let begun = Instant::now();
    for signal in [Signal::TERM, Signal::KILL] {
        let project = loop {
            let project = steps(&[&format!("{{id: a, run: '{script}'}}")]).open();
            let mut child = project.begin();
            let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
            assert!(lines.by_ref().any(|line| line == "  one"));
            until_seen(&project, 4);
            std::fs::write(project.path("go"), "").unwrap();
            assert!(lines.by_ref().any(|line| line == "  two"));
            kill_process(Pid::from_child(&child), signal).unwrap();
            child.wait().unwrap();
            // Nobody was there at the end to write down the second line, unless it came a second after the first.
            if signal == Signal::TERM || seen(&project) == Some(4) {
                break project;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "the second line always comes so late");
            // It ends when it is taken up.
            project.resume("").exits(0);
        };
        let ended = if signal == Signal::TERM {
            until_seen(&project, 8);
            project.resume("").keeps(&["  two\n"])
        } else {
            project.resume("").says(&["  two\n"])
        };
        ended.exits(0).keeps(&["  one\n"]).says(&["  three\n"]);
        assert_eq!(project.output("s.a.1.log"), "one\ntwo\nthree\n");
    }
}

#[test]
fn a_screen_that_stood_still_leaps_forward_and_says_where_to_see_the_rest() {
    let script =
        "echo one; until [ -e $T/go ]; do sleep 0.02; done; seq 1 2000000; until [ -e $T/end ]; do sleep 0.02; done";
    let project = steps(&[&format!("{{id: a, run: '{script}'}}")]).open();
    let mut child = project.begin();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.by_ref().any(|line| line == "  one"));
    let program = Pid::from_child(&child);
    kill_process(program, Signal::STOP).unwrap();
    std::fs::write(project.path("go"), "").unwrap();
    let log = project.runs()[0].join("output/s.a.1.log");
    let written = 4 + 14_888_896;
    let begun = Instant::now();
    while std::fs::metadata(&log).unwrap().len() < written {
        assert!(begun.elapsed() < Duration::from_secs(30), "the step is held up by its screen");
        std::thread::yield_now();
    }
    kill_process(program, Signal::CONT).unwrap();
    let shown: Vec<String> = lines.by_ref().take_while(|line| line != "  2000000").collect();
    std::fs::write(project.path("end"), "").unwrap();
    assert!(lines.any(|line| line.contains("s/a") && line.contains("done")));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let said: Vec<_> = shown.iter().filter(|line| line.contains("are not shown here")).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("`hotfix log --output s/a` prints what was kept"), "{said:?}");
    assert!(shown.len() < 20_000, "{} lines", shown.len());
    project.hotfix(&["log", "--output", "s/a"]).exits(0).says(&["one\n1\n2\n", "\n1000000\n", "\n2000000\n"]);
}

#[test]
fn resume_shows_the_end_of_what_was_written_while_nobody_looked() {
    let script = "echo one; until [ -e $T/go ]; do sleep 0.02; done; seq 1 30000; echo last; : > $T/over";
    let project = steps(&[&format!("{{id: a, run: '{script}'}}")]).open();
    let mut child = project.begin();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.by_ref().any(|line| line == "  one"));
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::write(project.path("go"), "").unwrap();
    let status = project.runs()[0].join("output/s.a.1.status");
    let begun = Instant::now();
    while !std::fs::read_to_string(&status).unwrap().contains("ended") {
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not end");
        std::thread::yield_now();
    }
    project.resume("").exits(0).keeps(&["  one\n", "  1000\n"]).says(&["  29000\n", "  30000\n  last\n"]);
}
