//! The state of this machine.

use std::time::{Duration, Instant};

use serde_json::Value;
use sysinfo::{MINIMUM_CPU_UPDATE_INTERVAL, System};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::gate::Facts;

/// How long the processors are watched at least before it is said how busy they were.
pub(super) const LEAST: Duration = MINIMUM_CPU_UPDATE_INTERVAL;

/// This machine, as it was last seen: how busy its processors are shows only between two looks.
pub(super) struct Host {
    system: System,
    seen: Instant,
    /// How busy they were, in percent of all of them.
    busy: Option<f32>,
    /// A look at the disk that has not come back: on a network it may hang, and one at a time is enough.
    looking: Option<JoinHandle<Result<Value, String>>>,
}

impl Host {
    /// This machine. Its processors can be told of [`LEAST`] later.
    pub(super) fn new() -> Self {
        let mut system = System::new();
        system.refresh_cpu_usage();
        Self { system, seen: Instant::now(), busy: None, looking: None }
    }

    /// What there is to see, with the file system that `path` is on.
    pub(super) async fn look(&mut self, path: String) -> Result<Facts, String> {
        let disk = self.looking.get_or_insert_with(|| spawn_blocking(move || disk(&path))).await;
        self.looking = None;
        let disk = disk.map_err(|error| error.to_string())??;
        if self.seen.elapsed() >= LEAST {
            self.system.refresh_cpu_usage();
            (self.seen, self.busy) = (Instant::now(), Some(self.system.global_cpu_usage()));
        }
        self.system.refresh_memory();
        let (free, total) = (self.system.available_memory(), self.system.total_memory());
        Ok(vec![
            ("load1", System::load_average().one.into()),
            ("cpu_percent", self.busy.map(f64::from).into()),
            ("memory_percent", (total > 0).then(|| 100.0 * (1.0 - ratio(free, total))).into()),
            ("disk_percent", disk),
        ])
    }
}

/// How much of the file system that `path` is on is in use, in percent: what only root may fill counts as used.
fn disk(path: &str) -> Result<Value, String> {
    let disk = rustix::fs::statvfs(path).map_err(|error| format!("{path}: {error}"))?;
    Ok((disk.f_blocks > 0).then(|| 100.0 * (1.0 - ratio(disk.f_bavail, disk.f_blocks))).into())
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
