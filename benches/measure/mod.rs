//! What the benchmarks share: a world to measure in, medians, and a table.

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hotfix::drill::Sandbox;
use tempfile::TempDir;

/// The program that is measured.
pub(crate) const EXE: &str = env!("CARGO_BIN_EXE_hotfix");

/// A repository to measure in.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    // Dropped after the sandbox, which removes its own directory within.
    _parent: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let parent = TempDir::new().unwrap();
        let sandbox = Sandbox::create(parent.path().join("world"), Path::new(EXE)).unwrap();
        Self { sandbox, _parent: parent }
    }

    /// `program` in the repository, silent.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>, args: &[&str]) -> Command {
        let mut command = self.sandbox.command(program);
        command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

/// How often something is measured: `HOTFIX_BENCH_RUNS`, else `usual`.
pub(crate) fn runs(usual: usize) -> usize {
    env::var("HOTFIX_BENCH_RUNS").ok().and_then(|text| text.parse().ok()).filter(|runs| *runs > 0).unwrap_or(usual)
}

/// How long `command` takes; it has to succeed.
pub(crate) fn time(command: &mut Command) -> Duration {
    let begun = Instant::now();
    let status = command.status().unwrap();
    let took = begun.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    took
}

/// The one in the middle.
pub(crate) fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}

/// A duration in milliseconds.
pub(crate) fn ms(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1000.0)
}

/// How many times as long `one` is as `other`.
pub(crate) fn ratio(one: Duration, other: Duration) -> String {
    format!("{:.2}x", one.as_secs_f64() / other.as_secs_f64())
}
