//! One probe: measured at its interval, tallied, decided.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::time::Duration;

use serde_json::Value;

use super::monitor::{Log, Probe, Prometheus, Source, System};
use super::{Context, Finding, Settings, Stop};
use crate::clock::{Timestamp, brief};
use crate::gate::{Decision, Limits, Measurement, Tally, Verdict, classify};
use crate::http::Request;
use crate::process::How;
use crate::template::Condition;
use crate::vars::text_of;

/// How long a measurement may take where its interval is longer, or it has none.
const PATIENCE: Duration = Duration::from_secs(30);

type Facts = Vec<(&'static str, Value)>;

/// A probe at work.
pub(super) struct Watch<'a> {
    probe: &'a Probe,
    ctx: &'a Context<'a>,
    until: Option<Timestamp>,
    limits: Limits,
    delay: Duration,
    /// How far the log has been read, in bytes.
    read: Option<u64>,
}

impl<'a> Watch<'a> {
    /// A probe that measures until `until` at the latest.
    pub(super) fn new(probe: &'a Probe, ctx: &'a Context<'a>, until: Option<Timestamp>) -> Result<Self, String> {
        let interval = probe.interval.as_ref().map(|interval| interval.resolve(ctx.values)).transpose()?;
        let delay = probe.initial_delay.as_ref().map(|delay| delay.resolve(ctx.values)).transpose()?;
        let limits = Limits {
            interval,
            count: probe.count,
            failure_limit: probe.failure_limit,
            inconclusive_limit: probe.inconclusive_limit,
            consecutive_error_limit: probe.consecutive_error_limit,
            ..Limits::default()
        };
        Ok(Self { probe, ctx, until, limits, delay: delay.unwrap_or_default(), read: None })
    }

    /// Measures until it is decided. `told` gets a line after each measurement.
    pub(super) async fn run(mut self, told: impl Fn(String)) -> Result<Decision, Stop> {
        let clock = &self.ctx.world.clock;
        let (mut tally, mut last) = (Tally::default(), None);
        if let Source::Log(log) = &self.probe.source {
            // What stood in the log before is not what happens now.
            self.read = log.path.render(self.ctx.values).ok().and_then(|path| Some(fs::metadata(path).ok()?.len()));
        }
        let mut due = clock.now().plus(self.delay);
        loop {
            if self.until.is_some_and(|until| due >= until) {
                if let Some(until) = self.until {
                    clock.sleep(until.since(clock.now())).await;
                }
                return Ok(tally.close(&self.limits));
            }
            clock.sleep(due.since(clock.now())).await;
            let (measurement, value) = self.measure().await;
            tally.record(measurement);
            let word = word(measurement);
            told(format!("{} {} {word}", self.probe.name, short(&value)));
            if last.replace(measurement) != Some(measurement) {
                let probe = self.probe.name.clone();
                self.ctx.desk.record(Finding::Measured { probe, value, outcome: word })?;
            }
            let decision = tally.decide(&self.limits);
            if decision.verdict != Verdict::Running {
                return Ok(decision);
            }
            let interval = self.limits.interval.unwrap_or(PATIENCE);
            // Measurements that were missed are not made up for.
            let now = clock.now();
            due = due.plus(interval);
            if due < now {
                due = now;
            }
        }
    }

    async fn measure(&mut self) -> (Measurement, Value) {
        let facts = match self.facts().await {
            Ok(facts) => facts,
            Err(why) => return (Measurement::Error, why.into()),
        };
        let lacks = |(name, value): &&(&str, Value)| value.is_null() && *name != "json" && self.is_named(name);
        if let Some((name, _)) = facts.iter().find(lacks) {
            // Compared with a number, nothing is neither more nor less: a condition would take it for good.
            return (Measurement::Error, format!("no `{name}` was to be had").into());
        }
        let mut values = self.ctx.values.clone();
        let value = facts.iter().find(|(name, _)| self.is_reading(name));
        let value = value.map_or(Value::Null, |(_, value)| value.clone());
        for (name, value) in facts {
            values.set(name, value);
        }
        let holds = |condition: &Option<Condition>| condition.as_ref().map(|it| it.holds(&values)).transpose();
        match (holds(&self.probe.success_condition), holds(&self.probe.failure_condition)) {
            (Ok(success), Ok(failure)) => (classify(success, failure), value),
            (Err(why), _) | (_, Err(why)) => (Measurement::Error, why.into()),
        }
    }

    /// Whether the fact is the one that the probe is about: the first that its conditions name, else the plainest.
    fn is_reading(&self, name: &str) -> bool {
        if self.conditions().next().is_some() {
            return self.is_named(name);
        }
        match &self.probe.source {
            Source::Http(_) => name == "status",
            Source::Run(_) => name == "exit_code",
            Source::Prometheus(_) => name == "result",
            Source::Log(_) => name == "count",
            Source::System(_) => name == "load1",
        }
    }

    fn is_named(&self, name: &str) -> bool {
        self.conditions().any(|condition| condition.names().is_ok_and(|names| names.contains(name)))
    }

    fn conditions(&self) -> impl Iterator<Item = &Condition> {
        [&self.probe.success_condition, &self.probe.failure_condition].into_iter().flatten()
    }

    async fn facts(&mut self) -> Result<Facts, String> {
        let patience = self.limits.interval.unwrap_or(PATIENCE).min(PATIENCE);
        let values = self.ctx.values;
        match &self.probe.source {
            Source::Http(http) => {
                let request = Request { timeout: patience, ..http.request(values)? };
                let response = self.ctx.world.http.send(&request).await.map_err(|failure| failure.to_string())?;
                Ok(super::http::facts(&response))
            }
            Source::Run(command) => {
                let settings = Settings { timeout: Some(patience), ..self.ctx.settings.clone() };
                let ctx = Context { settings: &settings, ..*self.ctx };
                let captured = super::run::ask_command(command, &ctx).await.map_err(|stop| format!("{stop:?}"))?;
                match &captured.how {
                    How::Exited(_) | How::Signalled(_) => Ok(super::run::facts(&captured)),
                    How::NotStarted(why) => Err(why.clone()),
                    _ => Err(format!("it took longer than {}", brief(patience))),
                }
            }
            Source::Prometheus(query) => self.prometheus(query, patience).await,
            Source::Log(log) => self.log(log),
            Source::System(system) => self.system(system),
        }
    }

    async fn prometheus(&self, query: &Prometheus, patience: Duration) -> Result<Facts, String> {
        let values = self.ctx.values;
        let (base, text) = (query.url.render(values)?, query.query.render(values)?);
        let request = Request { timeout: patience, ..Request::get(query_url(&base, &text)) };
        let response = self.ctx.world.http.send(&request).await.map_err(|failure| failure.to_string())?;
        if response.status != 200 {
            return Err(format!("the server answered {}", response.status));
        }
        let result = response.json.as_ref().and_then(|json| json.pointer("/data/result")).ok_or("no result in it")?;
        let sample = match result {
            Value::Array(items) if items.is_empty() => return Err("no data".to_owned()),
            Value::Array(items) if items.len() > 1 && items[0].is_object() => {
                return Err(format!("{} series, where one is needed: aggregate them", items.len()));
            }
            Value::Array(items) if items[0].is_object() => items[0].pointer("/value/1"),
            other => other.pointer("/1"),
        };
        let number = sample.map(text_of).and_then(|text| text.parse::<f64>().ok()).filter(|number| number.is_finite());
        number.map(|number| vec![("result", number.into())]).ok_or_else(|| "the result is no number".to_owned())
    }

    /// How many of the lines written since the last look have the text. A file that was cut or replaced is read anew.
    fn log(&mut self, log: &Log) -> Result<Facts, String> {
        let (path, wanted) = (log.path.render(self.ctx.values)?, log.contains.render(self.ctx.values)?);
        let failed = |error: std::io::Error| format!("{path}: {error}");
        let mut file = fs::File::open(&path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let from = self.read.filter(|read| *read <= length).unwrap_or(0);
        file.seek(SeekFrom::Start(from)).map_err(failed)?;
        let (mut count, mut line, mut at) = (0_u64, Vec::new(), from);
        let mut reader = std::io::BufReader::new(file.take(64 * 1024 * 1024));
        loop {
            line.clear();
            let n = std::io::BufRead::read_until(&mut reader, b'\n', &mut line).map_err(failed)?;
            if n == 0 || line.last() != Some(&b'\n') {
                break;
            }
            at += n as u64;
            count += u64::from(String::from_utf8_lossy(&line).contains(&wanted));
        }
        self.read = Some(at);
        Ok(vec![("count", count.into())])
    }

    fn system(&self, system: &System) -> Result<Facts, String> {
        let path = system.path.as_ref().map_or_else(|| Ok("/".to_owned()), |path| path.render(self.ctx.values))?;
        let disk = rustix::fs::statvfs(path.as_str()).map_err(|error| format!("{path}: {error}"))?;
        let used = 1.0 - ratio(disk.f_bavail, disk.f_blocks);
        let none = || Value::Null;
        Ok(vec![
            ("load1", load().map_or_else(none, Value::from)),
            ("memory_percent", memory().map_or_else(none, Value::from)),
            ("disk_percent", (used * 100.0).into()),
        ])
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The load average over a minute: from `/proc` where there is one, else as `sysctl` has it.
fn load() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok().or_else(|| sysctl("vm.loadavg"))?;
    text.split_whitespace().find_map(|word| word.parse().ok())
}

/// How much of the memory is in use, in percent: from `/proc` where there is one, else as `sysctl` has it.
fn memory() -> Option<f64> {
    let Ok(text) = fs::read_to_string("/proc/meminfo") else {
        return Some(100.0 - sysctl("kern.memorystatus_level")?.trim().parse::<f64>().ok()?);
    };
    let of = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let free = ratio(of("MemAvailable:")?, of("MemTotal:")?);
    Some((1.0 - free) * 100.0)
}

fn sysctl(name: &str) -> Option<String> {
    let output = std::process::Command::new("sysctl").args(["-n", name]).output().ok()?;
    String::from_utf8(output.stdout).ok()
}

fn word(measurement: Measurement) -> &'static str {
    match measurement {
        Measurement::Success => "success",
        Measurement::Failure => "failure",
        Measurement::Inconclusive => "inconclusive",
        Measurement::Error => "error",
    }
}

fn short(value: &Value) -> String {
    text_of(value).chars().take(40).collect()
}

/// The address of an instant query, as
/// [the API](https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries) has it.
fn query_url(base: &str, query: &str) -> String {
    use std::fmt::Write as _;
    let mut url = format!("{}/api/v1/query?query=", base.trim_end_matches('/'));
    for byte in query.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            url.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}
