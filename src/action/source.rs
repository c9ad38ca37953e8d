//! Where the measurements of a probe come from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::command::Command;
use super::http::Http;
use crate::template::{Length, Template};

/// Where a measurement comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A request: `status`, `elapsed_ms`, `body`, `json` and `headers` are what conditions read, and `p50`, `p95` and `p99`, the
    /// percentiles of the latency of all answers so far, in milliseconds.
    Http(Http),
    /// A command: `exit_code`, `stdout`, `result` (its output as a number, where it is one) and `increase` (by how much that has
    /// grown since the reading before).
    Run(Command),
    /// A query: `result`, `increase` as above, and of a range `results`.
    Prometheus(Prometheus),
    /// Lines that a log got since the reading before and that match: `count`.
    Log(Log),
    /// This machine: `load1`, `cpu_percent`, `memory_percent` and `disk_percent`.
    System(System),
}

/// A query to Prometheus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prometheus {
    /// The address of the server.
    pub url: Template,
    /// The query, in `PromQL`.
    pub query: Template,
    /// Headers by name.
    #[serde(default)]
    pub headers: BTreeMap<String, Template>,
    /// How far back it is asked for; without it, for now alone.
    #[serde(default)]
    pub range: Option<Length>,
    /// The time between two points of the range; 15 s where none is given.
    #[serde(default)]
    pub step: Option<Length>,
}

/// New lines of a log: a file, or what a command such as `kubectl logs -f` writes. A command that ends is an error once, and is
/// begun again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The file, followed through rotation and truncation.
    #[serde(default)]
    pub path: Option<Template>,
    /// The command.
    #[serde(default)]
    pub run: Option<Command>,
    /// The text a line has to contain to be counted.
    pub contains: Template,
}

/// The state of this machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// The file system that `disk_percent` is about; `/` where none is given.
    #[serde(default)]
    pub path: Option<Template>,
}
