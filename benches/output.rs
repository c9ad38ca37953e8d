//! How fast a step may talk: lines of 100 bytes through a step, timed and kept, beside the same lines through `tee`; and how much
//! memory that takes.
//!
//! `cargo bench --bench output`; `HOTFIX_BENCH_MIB` says how much is written, 1024 where nothing does.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and may fail anywhere")]

mod measure;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use measure::{EXE, World, median, ms, ratio, runs, time};

/// A line, without its end.
const LINE: &str =
    "2026-11-23T03:57:00.000Z INFO deploy: node 17 of 42 took the new release and answers in 12 milliseconds";

fn main() {
    let mib: u64 = std::env::var("HOTFIX_BENCH_MIB").ok().and_then(|text| text.parse().ok()).unwrap_or(1024);
    let world = World::new();
    let talk = format!("yes '{}' | head -c {}", &LINE[..99], mib << 20);
    let tee = world.sandbox.dir().join("tee.log");
    let (mut steps, mut tees) = (Vec::new(), Vec::new());
    for _ in 0..runs(3) {
        let script = format!("{talk} | tee {} > /dev/null", tee.display());
        tees.push(time(&mut world.command("/bin/sh", &["-c", &script])));
        assert_eq!(fs::metadata(&tee).unwrap().len(), mib << 20);
        fs::remove_file(&tee).unwrap();
        steps.push(step(&world, &talk, mib));
    }
    let peaks = peaks(&world, &talk, mib);
    let (step, tee) = (median(steps), median(tees));
    println!("{mib} MiB of lines of 100 bytes, medians of {} runs", runs(3));
    println!("{:<34}{:>12}   {}", "tee", ms(tee), rate(mib, tee));
    println!("{:<34}{:>12}   {}, {} of tee", "a step", ms(step), rate(mib, step), ratio(step, tee));
    // Only Linux tells.
    for (who, at) in [("the program's memory", 0), ("its supervisor's", 1)] {
        if peaks[at] > 0 {
            println!("{who:<34}{:>8.1} MiB at most", f64::from(peaks[at]) / 1024.0);
        }
    }
}

fn rate(mib: u64, took: Duration) -> String {
    format!("{:.0} MiB/s", f64::from(u32::try_from(mib).unwrap()) / took.as_secs_f64())
}

/// The peak memory of this program and of its supervisor in KiB, as a step that talks reads it at its end.
fn peaks(world: &World, talk: &str, mib: u64) -> [u32; 2] {
    let peaks = world.sandbox.dir().join("peaks");
    let ask = "hwm() { grep VmHWM /proc/$1/status | tr -dc 0-9; echo; }; up() { sed 's/.*) . //' /proc/$1/stat | cut -d' ' -f1; }";
    step(world, &format!("{ask}; {talk}; {{ hwm $(up $PPID); hwm $PPID; }} > {}", peaks.display()), mib);
    let peaks = fs::read_to_string(peaks).unwrap();
    let peaks: Vec<_> = peaks.lines().map(|line| line.parse().unwrap_or_default()).collect();
    peaks.try_into().unwrap()
}

/// How long a step takes that runs `script`, which talks.
fn step(world: &World, script: &str, mib: u64) -> Duration {
    let command = serde_json::to_string(&script).unwrap();
    let steps = format!("      - {{ id: talk, env: {{ T: '{{{{ env.TOKEN }}}}' }}, run: {command} }}\n");
    let runbook = write(
        world,
        "talk.yaml",
        &format!(
            "name: bench\nversion: 1\noutput_limit: 4GiB\nsecrets: [TOKEN, OTHER]\nstages:\n  - id: all\n    steps:\n{steps}"
        ),
    );
    let answers = write(world, "answers.yaml", "{}");
    let arguments = ["start", "v1.2.3", "1234", "--runbook", &runbook, "--answers", &answers];
    let mut command: Command = world.command(EXE, &arguments);
    command.env("TOKEN", "hunter2-token-of-a-service").env("OTHER", "s3cr3t");
    time(&mut command);
    let run = last_run(world);
    let log = run.join("output/all.talk.1.log");
    let (files, dropped) = hotfix::process::files(&log).unwrap();
    let kept: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
    assert_eq!((kept, dropped), (mib << 20, 0));
    assert!(fs::metadata(log.with_extension("index")).unwrap().len() > 0);
    took(&run)
}

/// How long the step of the run took, as its record has it.
fn took(run: &Path) -> Duration {
    let records = hotfix::journal::read(&run.join("journal.jsonl")).unwrap().records;
    let took = records.iter().find_map(|record| match &record.event {
        hotfix::event::Event::StepDone { result, .. } => result["took_ms"].as_u64(),
        _ => None,
    });
    fs::remove_dir_all(run.join("output")).unwrap();
    Duration::from_millis(took.unwrap())
}

fn last_run(world: &World) -> PathBuf {
    let runs = fs::read_dir(world.sandbox.repository().join(".git/hotfix/runs")).unwrap();
    runs.map(|entry| entry.unwrap().path()).max().unwrap()
}

fn write(world: &World, name: &str, text: &str) -> String {
    let path = world.sandbox.dir().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}
