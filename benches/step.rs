//! What the program adds to a command that does nothing, beside the bare command and what keeping a log on the disk costs.
//!
//! `cargo bench --bench step`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and may fail anywhere")]

mod measure;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use measure::{EXE, World, median, ms, ratio, runs, time};

/// How many steps the long runbook has.
const STEPS: u32 = 100;
/// How often something is written to the disk for one step, and waited for: twice in the log, thrice in the status file of its
/// supervisor, once the directory that holds it.
const SYNCS: u32 = 6;
/// About as long as a record of the log.
const RECORD: [u8; 400] = [b'x'; 400];

fn main() {
    let world = World::new();
    let answers = write(&world, "answers.yaml", "{}");
    let [one, many] = [1, STEPS].map(|steps| write(&world, &format!("{steps}.yaml"), &runbook(steps)));
    let run = |runbook: &str| {
        time(&mut world.command(EXE, &["start", "v1.2.3", "1234", "--runbook", runbook, "--answers", &answers]))
    };
    let runs = runs(5);
    let (mut steps, mut bare, mut synced) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let [short, long] = [&one, &many].map(|runbook| run(runbook));
        steps.push(long.saturating_sub(short) / (STEPS - 1));
        bare.extend((0..STEPS).map(|_| time(Command::new("/bin/sh").args(["-c", "true"]))));
        synced.push(sync(&world) / STEPS);
    }
    let (step, bare, sync) = (median(steps), median(bare), median(synced));
    println!("a step that runs `true`, medians of {runs} runs of {STEPS} steps");
    println!("{:<34}{:>12}", "the step", ms(step));
    println!("{:<34}{:>12}   the step is {} of it", "sh -c true", ms(bare), ratio(step, bare));
    println!("{:<34}{:>12}   {SYNCS} a step: {}", "append and fdatasync", ms(sync), ms(sync * SYNCS));
    // Nobody who keeps what happened can do with less: the command, whoever looks after it, and the log on the disk.
    let floor = bare * 2 + sync * SYNCS;
    println!("{:<34}{:>12}   the step is {} of it", "the floor: two spawns, the syncs", ms(floor), ratio(step, floor));
    println!("{:<34}{:>12}", "what the program adds to both", ms(step.saturating_sub(bare + sync * SYNCS)));
}

fn write(world: &World, name: &str, text: &str) -> String {
    let path = world.sandbox.dir().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn runbook(steps: u32) -> String {
    let mut text = "name: bench\nversion: 1\nstages:\n  - id: all\n    steps:\n".to_owned();
    for n in 1..=steps {
        writeln!(text, "      - {{ id: s{n}, run: \"true\" }}").unwrap();
    }
    text
}

/// How long it takes to add as many records to a file as there are steps, each synced.
fn sync(world: &World) -> Duration {
    let path = world.sandbox.repository().join(".git/synced");
    let mut file = File::options().append(true).create(true).open(path).unwrap();
    let begun = Instant::now();
    for _ in 0..STEPS {
        file.write_all(&RECORD).unwrap();
        file.sync_data().unwrap();
    }
    begun.elapsed()
}
