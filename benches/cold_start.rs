//! How long it takes until the program is there, beside `just` and `git`, and how much memory it has at a prompt.
//!
//! `cargo bench --bench cold_start`. `just` is taken from `PATH` or `$JUST`; where there is none its rows say so.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and may fail anywhere")]

mod measure;

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use measure::{EXE, World, median, ms, ratio, runs, time};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

/// The most memory that the program may have at a prompt, in KiB.
const LIMIT: u64 = 10 * 1024;
/// What `just` reads: as many recipes as there are stages.
const RECIPE: &str = "\nstage: \n    echo one\n    echo two\n    echo three\n";

/// One program with its arguments, and how long it took each time.
struct Row {
    name: &'static str,
    command: Option<Command>,
    took: Vec<Duration>,
}

fn main() {
    let world = World::new();
    // Without a runbook of its own, the repository has the built-in one planned.
    for args in [["rm", "-rq", ".hotfix"].as_slice(), &["commit", "-qm", "Use the built-in runbook"]] {
        assert!(world.command("git", args).status().unwrap().success());
    }
    let justfile = world.sandbox.dir().join("justfile");
    fs::write(&justfile, (1..=18).map(|n| RECIPE.replace("stage", &format!("stage-{n}"))).collect::<String>()).unwrap();
    let justfile = justfile.to_str().unwrap();
    let (just, git) = (find("just", "JUST"), find("git", "GIT"));
    let row = |name, program: Option<PathBuf>, args: &[&str]| Row {
        name,
        command: program.map(|program| world.command(program, args)),
        took: Vec::new(),
    };
    let hotfix = || Some(PathBuf::from(EXE));
    let mut rows = [
        row("hotfix --version", hotfix(), &["--version"]),
        row("hotfix plan v1.2.3 1234", hotfix(), &["plan", "v1.2.3", "1234"]),
        row("just --version", just.clone(), &["--version"]),
        row("just --dump", just, &["--justfile", justfile, "--dump"]),
        row("git --version", git, &["--version"]),
    ];
    let runs = runs(100);
    // In turn, so that whatever else the machine does befalls all of them; the first time is not counted.
    for turn in 0..=runs {
        for row in &mut rows {
            let took = row.command.as_mut().map(time).filter(|_| turn > 0);
            row.took.extend(took);
        }
    }
    println!("cold start, medians of {runs} runs");
    let medians = rows.map(|row| (row.name, (!row.took.is_empty()).then(|| median(row.took))));
    for (name, found) in medians {
        let Some(found) = found else {
            println!("{name:<26}  SKIPPED: the program is not there");
            continue;
        };
        let beside = |other: usize| medians[other].1.map_or_else(|| "-".to_owned(), |other| ratio(found, other));
        println!(
            "{name:<26}{:>12}   {:>8} of {}   {:>8} of {}",
            ms(found),
            beside(2),
            medians[2].0,
            beside(4),
            medians[4].0
        );
    }
    memory(&world);
}

/// The program `name` where it is on `PATH`, or where the variable `variable` says.
fn find(name: &str, variable: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    named.into_iter().chain(std::env::split_paths(&path).map(|dir| dir.join(name))).find(|path| path.is_file())
}

/// Prints the most memory that a run had which waits at its first prompt.
fn memory(world: &World) {
    let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(EXE);
    command.args(["start", "v1.2.3", "1234"]);
    command.cwd(world.sandbox.repository());
    command.env_clear();
    world.sandbox.environment().into_iter().for_each(|(name, value)| command.env(name, value));
    command.env("TERM", "xterm-256color");
    let mut child = pair.slave.spawn_command(command).unwrap();
    let mut reader = pair.master.try_clone_reader().unwrap();
    let (mut seen, mut some) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&seen).contains("How severe is it?") {
        let read = reader.read(&mut some).unwrap();
        assert!(read > 0, "no prompt: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&some[..read]);
    }
    let status = fs::read_to_string(format!("/proc/{}/status", child.process_id().unwrap())).unwrap_or_default();
    let kib = |name: &str| -> Option<u64> {
        status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
    };
    match (kib("VmHWM:"), kib("RssAnon:")) {
        (Some(peak), Some(own)) => {
            let verdict = if peak <= LIMIT { "within" } else { "MORE THAN" };
            println!("memory at a prompt (peak)   {peak} KiB, {verdict} {LIMIT} KiB");
            println!(
                "  of it in no file          {own} KiB; the rest is the program's file and libraries, as they were read"
            );
        }
        _ => println!("memory at a prompt (peak)   SKIPPED: this system has no /proc/PID/status"),
    }
    drop(child.kill());
    drop(child.wait());
}
