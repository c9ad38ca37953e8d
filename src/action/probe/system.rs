//! The state of this machine.

use std::time::Instant;

use serde_json::Value;
use sysinfo::{MINIMUM_CPU_UPDATE_INTERVAL, System};

use crate::clock::{Clock as _, SystemClock};
use crate::gate::Facts;

/// This machine, as it was last seen: how busy its processors are shows only between two looks.
pub(super) struct Host {
    system: System,
    seen: Option<Instant>,
}

impl Host {
    /// This machine; `with_cpu` where somebody asks for its processors from the first look on.
    pub(super) fn new(with_cpu: bool) -> Self {
        let mut host = Self { system: System::new(), seen: None };
        if with_cpu {
            host.see();
        }
        host
    }

    fn see(&mut self) {
        self.system.refresh_cpu_usage();
        self.seen = Some(Instant::now());
    }

    /// What there is to see, with the file system that `path` is on.
    pub(super) async fn look(&mut self, path: String) -> Result<Facts, String> {
        let disk = tokio::task::spawn_blocking(move || disk(&path)).await.map_err(|error| error.to_string())??;
        let known = self.seen;
        if let Some(seen) = known {
            let rest = MINIMUM_CPU_UPDATE_INTERVAL.saturating_sub(seen.elapsed());
            if !rest.is_zero() {
                SystemClock.sleep(rest).await;
            }
        }
        self.see();
        self.system.refresh_memory();
        let (free, total) = (self.system.available_memory(), self.system.total_memory());
        Ok(vec![
            ("load1", System::load_average().one.into()),
            ("cpu_percent", known.map(|_| f64::from(self.system.global_cpu_usage())).into()),
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
