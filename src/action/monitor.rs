//! Probes at an interval, with gates in the terms of Argo Rollouts.

use serde::{Deserialize, Serialize};

use super::command::Command;
use super::http::Http;
use crate::template::{Condition, Length, Template};

/// What a `monitor` step watches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Monitor {
    /// How long.
    #[serde(default, rename = "for")]
    pub length: Option<Length>,
    /// Whether it goes on behind later steps.
    #[serde(default)]
    pub background: bool,
    /// What a breached gate does.
    #[serde(default)]
    pub on_breach: OnBreach,
    /// What is measured.
    pub probes: Vec<Probe>,
}

/// What a breached gate does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBreach {
    /// Asks the operator.
    #[default]
    Ask,
    /// Takes production back.
    Rollback,
}

/// One thing that is measured. A limit is breached when its counter is greater than it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Its name, unique in its monitor.
    pub name: String,
    /// Where a measurement comes from.
    pub source: Source,
    /// The time from one measurement to the next.
    #[serde(default)]
    pub interval: Option<Length>,
    /// The time before the first measurement.
    #[serde(default)]
    pub initial_delay: Option<Length>,
    /// How many measurements; without it and without `interval` there is one.
    #[serde(default)]
    pub count: Option<u32>,
    /// A measurement for which it holds is a success.
    #[serde(default)]
    pub success_condition: Option<Condition>,
    /// A measurement for which it holds is a failure.
    #[serde(default)]
    pub failure_condition: Option<Condition>,
    /// How many failures are borne.
    #[serde(default)]
    pub failure_limit: u32,
    /// How many inconclusive measurements are borne.
    #[serde(default)]
    pub inconclusive_limit: u32,
    /// How many errors in a row are borne.
    #[serde(default = "four")]
    pub consecutive_error_limit: u32,
}

/// Where a measurement comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A request: `status`, `elapsed_ms`, `body`, `json` and `headers` are what conditions read.
    Http(Http),
    /// A command: `exit_code`, `stdout` and `result` (its output as a number, where it is one).
    Run(Command),
    /// A query: `result`.
    Prometheus(Prometheus),
    /// Lines in a log file that match: `count`.
    Log(Log),
    /// This machine: `load1`, `memory_percent` and `disk_percent`.
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
}

/// New lines of a log file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The file.
    pub path: Template,
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

fn four() -> u32 {
    4
}
