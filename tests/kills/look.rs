//! Looking at processes, as a person would who has to know whether a script still runs, and waiting.

use std::fs;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The longest that anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(2);

/// Waits until `happened` says so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    // Nobody ever sends: the receiver only waits.
    let (_sender, nothing) = mpsc::channel::<()>();
    while !happened() {
        assert!(Instant::now() < end, "it never happened: {what}");
        let _ = nothing.recv_timeout(POLL);
    }
}

/// Whether a process other than the program itself has `word` among its arguments. One that has ended and was not waited for
/// has none.
pub(crate) fn is_running(word: &str) -> bool {
    let theirs = |args: &str| args.split([' ', '\0']).any(|arg| arg == word);
    if cfg!(target_os = "linux") {
        let numbers = fs::read_dir("/proc").unwrap().flatten();
        let mut args = numbers.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        return args.any(|args| theirs(&String::from_utf8_lossy(&args)));
    }
    let said = Command::new("ps").args(["-A", "-o", "args="]).output().unwrap();
    String::from_utf8_lossy(&said.stdout).lines().any(theirs)
}

/// The supervisor that the process `driver` has started and not waited for; none where processes cannot be looked at without
/// a program that takes longer than what is looked for.
pub(crate) fn supervisor_of(driver: u32) -> Option<i32> {
    let children = fs::read_to_string(format!("/proc/{driver}/task/{driver}/children")).ok()?;
    let supervises = |pid: &&str| {
        let args = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&args).split('\0').nth(1) == Some("supervise")
    };
    children.split_whitespace().find(supervises)?.parse().ok()
}
