//! One probe: measured at its interval, tallied, decided.
//!
//! # Why
//! Each probe has its own beat and its own deadline, and none waits for another: a server that hangs costs its own probe an
//! error and delays nobody. What a file system may hold up for long is looked at from another thread.

mod file;
mod lines;
mod log;
mod prometheus;
mod system;

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::action::baseline::Readings;
use crate::action::monitor::{Probe, Source};
use crate::action::{self, Context, Finding, Settings, Stop};
use crate::clock::{Clock as _, SystemClock, Timestamp};
use crate::gate::{
    Answer, Conditions, Decision, Facts, Increase, Judged, Latency, Limits, Measurement, Past, Tally, Verdict,
};
use crate::http::Request;
use crate::operator::Gauge;
use crate::process::How;
use crate::vars::text_of;

/// The facts that have a unit.
const UNITS: [&str; 7] = ["elapsed_ms", "p50", "p95", "p99", "cpu_percent", "memory_percent", "disk_percent"];
/// How long a measurement may take where its interval is longer, or it has none, and it does not say.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much longer it is waited for than a request has, so that the request itself says what was wrong.
const GRACE: Duration = Duration::from_millis(100);
/// How much later than it should a reading may come on a busy machine.
const SLACK: Duration = Duration::from_secs(1);

/// A probe at work.
pub(super) struct Watch<'a> {
    probe: &'a Probe,
    ctx: &'a Context<'a>,
    until: Option<Timestamp>,
    limits: Limits,
    delay: Duration,
    deadline: Duration,
    conditions: Conditions<'a>,
    readings: &'a Readings,
    sense: Sense,
    /// What it shows.
    gauge: Gauge,
    unit: &'static str,
    /// Whether a value may have a unit at all.
    has_units: bool,
    /// How many readings there are to be before it comes to anything but a pass. Where there are any, somebody knows that it
    /// could not measure: that it cannot is said again only after it could.
    bears: u32,
    /// What it counted before.
    before: Tally,
}

/// What a source remembers from one reading to the next.
enum Sense {
    /// How long the answers took so far.
    Http(Latency),
    /// The number before.
    Number(Increase),
    /// Where in the log it stands.
    Log(log::Follower),
    /// What the processors had done.
    System(Box<system::Host>),
}

impl<'a> Watch<'a> {
    /// A probe that measures until `until` at the latest, and leaves what it captures in the `readings`.
    pub(super) fn new(
        (probe, readings): (&'a Probe, &'a Readings),
        ctx: &'a Context<'a>,
        until: Option<Timestamp>,
    ) -> Result<Self, String> {
        let length = |length: &Option<crate::template::Length>| {
            length.as_ref().map(|length| length.resolve(ctx.values)).transpose()
        };
        let interval = length(&probe.interval)?;
        let limits = Limits {
            interval,
            count: probe.count,
            failure_limit: probe.failure_limit,
            inconclusive_limit: probe.inconclusive_limit,
            consecutive_error_limit: probe.consecutive_error_limit,
            ..Limits::default()
        };
        if let Some(fault) = limits.fault() {
            return Err(format!("{}: {fault}", probe.name));
        }
        let deadline = length(&probe.timeout)?.unwrap_or_else(|| interval.unwrap_or(PATIENCE).min(PATIENCE));
        let conditions =
            Conditions { success: probe.success_condition.as_ref(), failure: probe.failure_condition.as_ref() };
        let sense = match &probe.source {
            Source::Http(_) => Sense::Http(Latency::default()),
            Source::Run(_) | Source::Prometheus(_) => Sense::Number(Increase::default()),
            Source::Log(log) => Sense::Log(log::Follower::new(log, ctx)?),
            Source::System(_) => Sense::System(Box::new(system::Host::new())),
        };
        let delay = length(&probe.initial_delay)?.unwrap_or_default();
        let gauge = Gauge::new(probe.name.clone(), held(conditions).join("; "));
        let has_units = UNITS.iter().any(|name| conditions.names(name));
        let (unit, bears) = ("", 0);
        Ok(Self {
            probe,
            ctx,
            until,
            limits,
            delay,
            deadline,
            conditions,
            readings,
            sense,
            gauge,
            unit,
            has_units,
            bears,
            before: Tally::default(),
        })
    }

    /// The same, which comes to nothing but a pass before it has read `bears` times.
    pub(super) fn bearing(self, bears: u32) -> Self {
        Self { bears, ..self }
    }

    /// The same, which goes on from what was measured before.
    pub(super) fn after(mut self, past: &Past) -> Self {
        self.before = past.tallies.get(&self.probe.name).copied().unwrap_or_default();
        self.gauge.since = past.wrong.get(&self.probe.name).copied();
        self
    }

    /// How far apart two readings may be for nothing to be missed between them, and how late the first; nothing where it comes to
    /// an end by itself.
    pub(super) fn beat(&self) -> Option<(Duration, Duration)> {
        // One that comes to an end by its count makes no gap when it has.
        let interval = self.limits.interval.filter(|_| self.limits.count.is_none())?;
        let apart = interval.saturating_mul(2).saturating_add(self.deadline).saturating_add(SLACK);
        Some((apart, self.delay))
    }

    /// What it comes to by what it counted before, where there is no more time.
    pub(super) fn closed(&self) -> Decision {
        self.before.close(&self.limits)
    }

    /// Measures until it is decided, beginning `offset` later than it could. `told` learns of each measurement.
    pub(super) async fn run(
        mut self,
        offset: Duration,
        told: impl Fn(&Gauge) -> Result<(), Stop>,
    ) -> Result<Decision, Stop> {
        let clock = &self.ctx.world.clock;
        let (mut tally, mut last) = (self.before, None);
        let mut due = clock.now().plus(self.delay).plus(offset);
        if matches!(self.sense, Sense::Log(_)) {
            self.pass(self.until.map_or(due, |until| until.min(due))).await;
            self.begin().await;
            // What stood in the log before is not what happens now: the first count is that of the first interval.
            due = due.plus(self.limits.interval.unwrap_or_default());
        }
        if self.conditions.names("cpu_percent") || self.captures("cpu_percent") {
            due = due.plus(system::LEAST);
        }
        loop {
            if let Some(until) = self.until.filter(|until| due >= *until) {
                self.pass(until).await;
                // What came into a log since its last count is not left out.
                if matches!(self.sense, Sense::Log(_)) {
                    self.take(&mut tally, &mut last, &told).await?;
                }
                return Ok(self.explained(tally.close(&self.limits), last));
            }
            self.pass(due).await;
            self.take(&mut tally, &mut last, &told).await?;
            let decision = tally.decide(&self.limits);
            if decision.is_final() && !self.is_borne(&decision, &tally) {
                return Ok(self.explained(decision, last));
            }
            due = self.limits.next_due(due, clock.now());
        }
    }

    fn is_borne(&self, decision: &Decision, tally: &Tally) -> bool {
        match decision.verdict {
            Verdict::Pass => false,
            Verdict::Error if self.bears > 0 && tally.counted() == 0 => true,
            _ => tally.counted().saturating_add(tally.errors) < self.bears,
        }
    }

    /// Lets time pass until `due`; a log is followed meanwhile.
    async fn pass(&mut self, due: Timestamp) {
        let clock = &self.ctx.world.clock;
        match &mut self.sense {
            Sense::Log(follower) => follower.follow(due, clock.as_ref()).await,
            _ => clock.sleep(due.since(clock.now())).await,
        }
    }

    /// Finds the end of the log, which is where counting begins.
    async fn begin(&mut self) {
        if let Sense::Log(follower) = &mut self.sense {
            tokio::select! {
                biased;
                () = follower.look(self.ctx.world.clock.now()) => {}
                () = SystemClock.sleep(self.deadline) => {}
            }
        }
    }

    /// Measures once, and says and writes down what came of it.
    async fn take(
        &mut self,
        tally: &mut Tally,
        last: &mut Option<Judged>,
        told: &impl Fn(&Gauge) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let Some(mut judged) = self.measure().await else { return Ok(()) };
        self.conceal(&mut judged.value);
        tally.record(judged.measurement);
        let (outcome, probe) = (judged.measurement.word(), self.probe.name.clone());
        let now = self.ctx.world.clock.now();
        self.gauge.read((&judged.value, self.unit), judged.measurement, now);
        (self.gauge.against, self.gauge.borne) = match judged.measurement {
            Measurement::Error => (tally.consecutive_errors, self.limits.consecutive_error_limit),
            Measurement::Inconclusive => (tally.inconclusive, self.limits.inconclusive_limit),
            Measurement::Success | Measurement::Failure => (tally.failures, self.limits.failure_limit),
        };
        if let Sense::Log(follower) = &mut self.sense {
            let masker = &self.ctx.world.masker;
            // One that was cut may end in the middle of a secret.
            let masked = |line: &String| match line.len() {
                0..lines::UNCUT => masker.text(line),
                _ => masker.beginning(line),
            };
            self.gauge.matches(follower.latest().iter().map(masked).collect());
        }
        told(&self.gauge)?;
        self.ctx.desk.sample(&probe, &judged.value, outcome);
        let value = judged.value.clone();
        // Where somebody is being asked, how it stood is on record.
        let is_first_told = self.bears < u32::MAX;
        if last.replace(judged).map_or(is_first_told, |last| last.measurement.word() != outcome) {
            self.ctx.desk.record(Finding::Measured { probe, value, outcome })?;
        }
        Ok(())
    }

    /// Takes the secrets out of what was read, before any more of it is cut off.
    fn conceal(&self, value: &mut Value) {
        let masker = &self.ctx.world.masker;
        match value {
            Value::String(text) => {
                let cut = text.strip_suffix('…').map(|cut| masker.beginning(cut) + "…");
                *text = cut.unwrap_or_else(|| masker.text(text));
            }
            other => masker.value(other),
        }
    }

    /// The decision with what was read last and what it was held to, where it is no pass.
    fn explained(&self, mut decision: Decision, last: Option<Judged>) -> Decision {
        if let Some(Judged { measurement, value }) = last.filter(|_| decision.verdict != Verdict::Pass) {
            let held = if measurement == Measurement::Error { Vec::new() } else { held(self.conditions) };
            let limits = if held.is_empty() { String::new() } else { self.conditions.limits(self.ctx.values) };
            let held: String = held.iter().flat_map(|held| ["; ", held.as_str()]).chain([limits.as_str()]).collect();
            decision.reason = format!("{}; the last was {}{held}", decision.reason, text_of(&value));
        }
        decision
    }

    /// One measurement; `None` where it is only what the next is compared with.
    async fn measure(&mut self) -> Option<Judged> {
        let (started, deadline) = (Instant::now(), self.deadline);
        let facts = tokio::select! {
            biased;
            facts = self.facts() => facts,
            () = SystemClock.sleep(deadline + GRACE) => Err(format!("no answer within {} ms", deadline.as_millis())),
        };
        let baseline = |(name, value): &(&str, serde_json::Value)| *name == "increase" && value.is_null();
        if let Ok(facts) = &facts
            && facts.iter().any(baseline)
            && facts.iter().any(|(name, value)| *name == "result" && !value.is_null())
            && self.conditions.names("increase")
        {
            return None;
        }
        self.unit = facts.as_ref().ok().filter(|_| self.has_units).map_or("", |facts| self.conditions.unit(facts));
        let answer = Answer { facts, took: started.elapsed() };
        let facts = answer.facts.clone().unwrap_or_default();
        let judged = self.conditions.judge(self.ctx.values, answer, deadline + GRACE);
        self.readings.keep(self.probe, &facts, &judged);
        Some(judged)
    }

    fn captures(&self, fact: &str) -> bool {
        self.probe.capture.values().any(|captured| captured.name() == fact)
    }

    async fn facts(&mut self) -> Result<Facts, String> {
        let values = self.ctx.values;
        match (&self.probe.source, &mut self.sense) {
            (Source::Http(http), Sense::Http(latency)) => {
                let request = Request { timeout: self.deadline, ..http.request(values)? };
                let response = self.ctx.world.http.send(&request).await.map_err(|failure| failure.to_string())?;
                latency.record(response.elapsed_ms);
                let mut facts = action::http::facts(&response);
                facts.extend(
                    [("p50", 50), ("p95", 95), ("p99", 99)]
                        .map(|(name, percent)| (name, latency.percentile(percent).into())),
                );
                Ok(facts)
            }
            (Source::Run(command), Sense::Number(increase)) => {
                // What is too late is dropped, and killed by that.
                let settings = Settings { timeout: None, ..self.ctx.settings.clone() };
                let ctx = Context { settings: &settings, ..*self.ctx };
                let captured = action::run::ask_command(command, &ctx).await.map_err(said)?;
                match &captured.how {
                    How::Exited(_) | How::Signalled(_) => Ok(grown(action::run::facts(&captured), increase)),
                    other => Err(other.to_string()),
                }
            }
            (Source::Prometheus(query), Sense::Number(increase)) => {
                Ok(grown(prometheus::ask(query, self.ctx, self.deadline).await?, increase))
            }
            (Source::Log(_), Sense::Log(follower)) => follower.count(self.ctx.world.clock.now()).await,
            (Source::System(system), Sense::System(host)) => {
                let path =
                    system.path.as_ref().map_or_else(|| Ok("/".to_owned()), |path| path.render(self.ctx.values))?;
                host.look(path).await
            }
            _ => Err("the probe remembers what another kind does".to_owned()),
        }
    }
}

/// `facts` with what the result has grown by since it was last read.
fn grown(mut facts: Facts, increase: &mut Increase) -> Facts {
    let total = facts.iter().find(|(name, _)| *name == "result").and_then(|(_, value)| value.as_f64());
    facts.push(("increase", total.and_then(|total| increase.of(total)).into()));
    facts
}

/// Why a command could not be run at all.
fn said(stop: Stop) -> String {
    match stop {
        Stop::Failed(failure) => failure.message,
        Stop::Broken(error) => error.to_string(),
        other => format!("{other:?}"),
    }
}

/// What a value is held to, in words.
fn held(conditions: Conditions<'_>) -> Vec<String> {
    let held = [("expected", conditions.success), ("fails where", conditions.failure)];
    held.into_iter().filter_map(|(what, condition)| Some(format!("{what} {}", condition?.text()))).collect()
}
