//! Probes at an interval, with gates in the terms of Argo Rollouts.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde::{Deserialize, Serialize};

use super::command::Command;
use super::context::watched;
use super::http::Http;
use super::probe::Watch;
use super::{Context, Done, Finding, Kind, Repetition, Stop};
use crate::clock::{LocalFuture, Timestamp, brief};
use crate::gate::{Decision, Verdict};
use crate::operator::{Show, Way};
use crate::template::{Condition, Length, Template};
use crate::vars::Values;

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
    /// How long a measurement may take: as long as the interval where none is given, and 30 s at most.
    #[serde(default)]
    pub timeout: Option<Length>,
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

/// How many probes are shown one by one.
const SHOWN: usize = 8;
/// How much later than the one before it each probe begins.
const SPREAD: Duration = Duration::from_millis(1);

fn four() -> u32 {
    4
}

impl Kind for Monitor {
    fn describe(&self, values: &Values) -> Result<String, String> {
        let mut text = match &self.length {
            Some(length) => format!("watches for {}", brief(length.resolve(values)?)),
            None => "watches".to_owned(),
        };
        text.push_str(if self.background { ", behind the later steps" } else { "" });
        for probe in &self.probes {
            let passes = probe.success_condition.as_ref().map(|when| format!(": {}", when.text())).unwrap_or_default();
            let fails = probe.failure_condition.as_ref().map(|when| format!(", fails where {}", when.text()));
            let often = match &probe.interval {
                Some(interval) => format!(" every {}", brief(interval.resolve(values)?)),
                None => String::new(),
            };
            let line = format!("\n{}{often}{passes}{}", probe.name, fails.unwrap_or_default());
            text.push_str(&line);
        }
        Ok(text)
    }

    fn perform<'a>(&'a self, ctx: &'a Context<'a>) -> LocalFuture<'a, Result<Done, Stop>> {
        Box::pin(async {
            let what = self.describe(ctx.values).map_err(|why| Stop::failed("template", why))?;
            if self.background {
                ctx.desk.show(Show::Info(&what));
                return Ok(Done::with("background", true));
            }
            let length = self.length.as_ref().map(|length| length.resolve(ctx.values)).transpose();
            let length = length.map_err(|why| Stop::failed("template", why))?;
            let until = length.map(|length| ctx.world.clock.now().plus(length));
            ctx.desk.show(Show::Command { text: &what, values: &[], timeout: length });
            let done = watched(ctx, self.watch(ctx, until)).await;
            ctx.desk.show(Show::CommandEnded);
            done
        })
    }

    fn tests(&self) -> bool {
        true
    }

    fn repetition(&self) -> Repetition {
        Repetition::Unasked
    }

    fn behind<'a>(&'a self, ctx: &'a Context<'a>, began: Timestamp) -> Option<LocalFuture<'a, Result<Done, Stop>>> {
        let until = self.length.as_ref().and_then(|length| length.resolve(ctx.values).ok()).map(|it| began.plus(it));
        let over = until.is_some_and(|until| until <= ctx.world.clock.now());
        (self.background && !over).then(|| -> LocalFuture<'a, _> { Box::pin(self.watch(ctx, until)) })
    }
}

impl Monitor {
    /// Measures until every gate is decided, or the first that does not pass.
    async fn watch(&self, ctx: &Context<'_>, until: Option<Timestamp>) -> Result<Done, Stop> {
        let lines = RefCell::new(vec![String::new(); self.probes.len()]);
        let watches = FuturesUnordered::new();
        for (at, probe) in self.probes.iter().enumerate() {
            let lines = &lines;
            let told = move |line: String| {
                lines.borrow_mut()[at] = line;
                if !self.background && at < SHOWN {
                    let lines = lines.borrow();
                    let known = lines.iter().take(SHOWN).filter(|line| !line.is_empty());
                    let mut known: Vec<_> = known.cloned().collect();
                    if lines.len() > SHOWN {
                        known.push(format!("and {} more", lines.len() - SHOWN));
                    }
                    ctx.desk.show(Show::Progress(&known.join(" · ")));
                }
            };
            let watch = Watch::new(probe, ctx, until).map_err(|why| Stop::failed("template", why))?;
            // A thousand do not knock in the same instant.
            let offset = SPREAD * u32::try_from(at).unwrap_or(u32::MAX);
            watches.push(async move { (at, watch.run(offset, told).await) });
        }
        let mut watches = watches;
        let (mut passed, mut result) = (Vec::new(), None);
        while let Some((at, decided)) = watches.next().await {
            let name = self.probes[at].name.as_str();
            match decided {
                Ok(decision) if decision.verdict == Verdict::Pass => passed.push((name, decision)),
                other => {
                    result = Some((name, other));
                    break;
                }
            }
        }
        drop(watches);
        for (name, decision) in &passed {
            let reason = format!("{name}: {}", decision.reason);
            ctx.desk.record(Finding::Decided { decision: "pass", reason })?;
        }
        match result {
            None => Ok(Done::with("gates", passed.len())),
            Some((_, Err(stop))) => Err(stop),
            Some((name, Ok(decision))) => self.breached(name, &decision, ctx),
        }
    }

    fn breached(&self, name: &str, decision: &Decision, ctx: &Context<'_>) -> Result<Done, Stop> {
        let word = match decision.verdict {
            Verdict::Fail => "fail",
            Verdict::Error => "error",
            _ => "inconclusive",
        };
        let reason = format!("{name}: {}", decision.reason);
        ctx.desk.record(Finding::Decided { decision: word, reason: reason.clone() })?;
        if self.on_breach == OnBreach::Rollback && decision.verdict == Verdict::Fail {
            return Err(Stop::Way { way: Way::Rollback, reason: Some(reason) });
        }
        Err(Stop::failed("gate", format!("the gate came to {word}: {reason}")))
    }
}
