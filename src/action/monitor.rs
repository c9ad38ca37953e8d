//! Probes at an interval, with gates in the terms of Argo Rollouts.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::baseline::{Readings, refused};
use super::context::{WATCH, watched};
use super::probe::Watch;
use super::{
    BACKGROUND, Behind, COURSE, Context, Done, Failure, Finding, Kind, MEASURED, Repetition, Stop, UNTIL, VERDICT,
    Vigil, WHY, Watching,
};
use crate::clock::{LocalFuture, Timestamp, brief};
use crate::gate::{Coverage, Decision, Past, Verdict};
use crate::operator::{Gauge, Show};
use crate::template::{Condition, Length};
use crate::vars::Values;

pub use super::baseline::Capture;
pub use super::source::{Log, Prometheus, Source, System};

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
    /// When its probes begin, where that is not with the step.
    #[serde(default)]
    pub from: Option<From>,
    /// What becomes of its probes when it has passed.
    #[serde(default)]
    pub then: Then,
    /// What is measured.
    pub probes: Vec<Probe>,
}

/// When the probes of a monitor begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// As soon as a step has touched production: behind the steps that come before the monitor's own turn, and never earlier.
    Production,
}

/// What becomes of the probes of a monitor that has passed, or that a person has skipped or done by hand. Those with an interval
/// and without a count are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// Once production is touched they go on behind the later steps, until the next monitor takes over or the run ends.
    #[default]
    Behind,
    /// They end.
    End,
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
    /// Says so and goes on; every probe is measured to its end. For a baseline, which must never stand in the way.
    Continue,
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
    /// Variables that get what its source measured, once it has passed; else they are none.
    #[serde(default)]
    pub capture: BTreeMap<String, Capture>,
}

/// How much later than the one before it each probe begins.
const SPREAD: Duration = Duration::from_millis(1);
/// How many probes are told of one by one when a gate is breached.
const TOLD: usize = 12;

fn four() -> u32 {
    4
}

impl Kind for Monitor {
    fn describe(&self, values: &Values) -> Result<String, String> {
        let mut text = match &self.length {
            Some(length) => format!("watches for {}", brief(length.resolve(values)?)),
            None => "watches".to_owned(),
        };
        let watching = self.watching();
        text.push_str(if watching.from_production { ", from the moment production is touched" } else { "" });
        text.push_str(match watching.behind {
            Behind::FromItsStart => ", behind the later steps",
            Behind::FromItsEnd if watching.from_production => ", then behind the later steps",
            Behind::FromItsEnd => ", then behind the later steps once production is touched",
            Behind::Nothing => "",
        });
        for probe in &self.probes {
            let passes = probe.success_condition.as_ref().map(|when| format!(": {}", when.text())).unwrap_or_default();
            let fails = probe.failure_condition.as_ref().map(|when| format!(", fails where {}", when.text()));
            let often = match &probe.interval {
                Some(interval) => format!(" every {}", brief(interval.resolve(values)?)),
                None => String::new(),
            };
            let line = format!("\n{}{often}{passes}{}", probe.name, fails.unwrap_or_default());
            text.push_str(&line);
            let kept: Vec<_> = probe.capture.iter().map(|(name, fact)| format!(", {name} = {}", fact.name())).collect();
            text.push_str(&kept.concat());
        }
        Ok(text)
    }

    fn perform<'a>(&'a self, ctx: &'a Context<'a>) -> LocalFuture<'a, Result<Done, Stop>> {
        Box::pin(async {
            let what = self.describe(ctx.values).map_err(|why| Stop::failed("template", why))?;
            if self.background {
                ctx.desk.show(Show::Info(&what));
                return Ok(Done::with(BACKGROUND, true));
            }
            let length = self.length.as_ref().map(|length| length.resolve(ctx.values)).transpose();
            let length = length.map_err(|why| Stop::failed("template", why))?;
            let began = ctx.world.clock.now();
            let until = length.map(|length| began.plus(length));
            ctx.desk.show(Show::Command { text: &what, values: &[], timeout: length });
            let (probes, vigil) = (self.probes.iter().collect(), Vigil::default());
            let span = Span { began, until, probes, shown: Shown::Live, vigil };
            let done = watched(ctx, WATCH, self.watch(ctx, span)).await;
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

    fn gives(&self) -> Vec<&str> {
        self.probes.iter().flat_map(|probe| probe.capture.keys()).map(String::as_str).collect()
    }

    fn lasts(&self, values: &Values) -> Option<Duration> {
        self.length.as_ref()?.resolve(values).ok()
    }

    fn watching(&self) -> Watching {
        Watching {
            behind: if self.background {
                Behind::FromItsStart
            } else if self.then == Then::Behind && self.lasting().next().is_some() {
                Behind::FromItsEnd
            } else {
                Behind::Nothing
            },
            from_production: self.from == Some(From::Production),
        }
    }

    fn behind<'a>(&'a self, ctx: &'a Context<'a>, vigil: Vigil) -> Option<LocalFuture<'a, Result<Done, Stop>>> {
        let began = vigil.began.filter(|_| self.background);
        let until = self.length.as_ref().zip(began);
        let until = until.and_then(|(length, began)| Some(began.plus(length.resolve(ctx.values).ok()?)));
        let asks = !vigil.quiet && self.on_breach != OnBreach::Continue;
        if let Some(decision) = vigil.breach.as_ref().filter(|_| asks) {
            return Some(Box::pin(std::future::ready(Err(self.asks(decision, (&vigil.past, until))))));
        }
        let now = ctx.world.clock.now();
        // What was not decided when its time was over is decided now, by what was measured.
        let over = until.is_some()
            && (vigil.decided.is_some_and(|(at, passed)| passed || until <= Some(at))
                || vigil.quiet && until <= Some(now));
        let probes: Vec<_> = if began.is_some() { self.probes.iter().collect() } else { self.lasting().collect() };
        let span = Span { began: began.unwrap_or(now), until, probes, shown: Shown::Not, vigil };
        (!over && !span.probes.is_empty()).then(|| -> LocalFuture<'a, _> { Box::pin(self.watch(ctx, span)) })
    }
}

/// What is watched, and how long.
struct Span<'a> {
    began: Timestamp,
    until: Option<Timestamp>,
    probes: Vec<&'a Probe>,
    shown: Shown,
    vigil: Vigil,
}

/// Whether readings are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Live,
    Not,
}

/// What of a watch was measured, for the record.
struct Covered<'a> {
    ctx: &'a Context<'a>,
    /// Nothing where no probe has a beat.
    coverage: Option<RefCell<Coverage>>,
}

impl<'a> Covered<'a> {
    /// Of a watch that began at `began`, where readings come by `beat`: how far apart at most, and how late the first.
    fn new(ctx: &'a Context<'a>, beat: Option<(Duration, Duration)>, (began, vigil): (Timestamp, &Vigil)) -> Self {
        let coverage = beat.map(|(apart, late)| {
            let last = vigil.past.last.unwrap_or(began.plus(late));
            RefCell::new(Coverage::new(apart, last, vigil.gaps.clone()))
        });
        Self { ctx, coverage }
    }

    /// Something was measured, or there was the last chance: a time without any before it goes on record.
    fn measured(&self, at: Timestamp) -> Result<(), Stop> {
        let gap = self.coverage.as_ref().and_then(|coverage| coverage.borrow_mut().measured(at));
        gap.map_or(Ok(()), |gap| self.ctx.desk.record(Finding::Unmeasured(gap)))
    }

    /// The decision, with what was not measured held against it where the watch had an end.
    fn weigh(&self, decision: Decision, (began, until): (Timestamp, Option<Timestamp>)) -> Result<Decision, Stop> {
        let (Some(until), Some(coverage)) = (until, &self.coverage) else { return Ok(decision) };
        if until <= self.ctx.world.clock.now() {
            self.measured(until)?;
        }
        Ok(coverage.borrow().weigh(decision, began, until))
    }
}

impl Monitor {
    /// The probes that come to no end by themselves.
    fn lasting(&self) -> impl Iterator<Item = &Probe> {
        self.probes.iter().filter(|probe| probe.interval.is_some() && probe.count.is_none())
    }

    /// Measures until every gate is decided, or the first that does not pass.
    async fn watch(&self, ctx: &Context<'_>, span: Span<'_>) -> Result<Done, Stop> {
        let Span { began, until, probes, shown, vigil } = span;
        let (of, now) = (probes.len(), ctx.world.clock.now());
        let readings = Readings::default();
        let made = probes
            .iter()
            .map(|probe| Ok(Watch::new((*probe, &readings), ctx, until)?.bearing(vigil.bears).after(&vigil.past)));
        let made = made.collect::<Result<Vec<_>, String>>().map_err(|why| Stop::failed("template", why))?;
        let covered = Covered::new(ctx, made.iter().filter_map(Watch::beat).min(), (began, &vigil));
        let gauges = RefCell::new(vec![None; of]);
        let watches = FuturesUnordered::new();
        for (at, watch) in made.into_iter().enumerate() {
            let (gauges, covered) = (&gauges, &covered);
            let told = move |gauge: &Gauge| {
                if shown == Shown::Live {
                    ctx.desk.show(Show::Gauge { at, of, gauge });
                }
                gauges.borrow_mut()[at] = Some(gauge.clone());
                covered.measured(ctx.world.clock.now())
            };
            // A thousand do not knock in the same instant.
            let offset = SPREAD * u32::try_from(at).unwrap_or(u32::MAX);
            let late = until.is_some_and(|until| until <= now);
            watches.push(async move { (at, if late { Ok(watch.closed()) } else { watch.run(offset, told).await }) });
        }
        let mut watches = watches;
        let (mut passed, mut borne, mut result) = (Vec::new(), Vec::new(), None);
        while let Some((at, decided)) = watches.next().await {
            let weighed = decided.and_then(|decision| covered.weigh(decision, (began, until)));
            match weighed {
                Ok(decision) if decision.verdict == Verdict::Pass => passed.push((probes[at].name.as_str(), decision)),
                Ok(decision) if self.on_breach == OnBreach::Continue => {
                    borne.push((probes[at].name.as_str(), decision));
                }
                other => {
                    result = Some((at, other));
                    break;
                }
            }
        }
        drop(watches);
        if vigil.quiet {
            return result.and_then(|(_, decided)| decided.err()).map_or(Ok(Done::default()), Err);
        }
        for (name, decision) in &passed {
            let reason = format!("{name}: {}", decision.reason);
            ctx.desk.record(Finding::Decided { decision: "pass", reason })?;
        }
        match result {
            // What goes on behind has nothing to give any more.
            None => readings.done(if shown == Shown::Live { &probes } else { &[] }, (&passed, &borne), ctx),
            Some((_, Err(stop))) => Err(stop),
            Some((at, Ok(decision))) => {
                let worst = gauges.borrow_mut()[at].take();
                let mut others: Vec<Gauge> = gauges.into_inner().into_iter().flatten().collect();
                others.sort_by_key(|gauge| std::cmp::Reverse(gauge.urgency()));
                let measured: Vec<Gauge> = worst.into_iter().chain(others).collect();
                self.breached((&probes[at].name, &decision), (&measured, until), ctx)
            }
        }
    }

    /// What a breach asks for, of which only what it came to is known.
    fn asks(&self, Decision { verdict, reason }: &Decision, (past, until): (&Past, Option<Timestamp>)) -> Stop {
        if self.on_breach == OnBreach::Rollback && *verdict == Verdict::Fail {
            return Stop::Retreat(reason.clone());
        }
        let since = past.wrong.values().min().map(|at| format!("; since {}", at.local_time())).unwrap_or_default();
        refusal((verdict.word(), format!("{reason}{since}")), until, [])
    }

    fn breached(
        &self,
        (name, decision): (&str, &Decision),
        (measured, until): (&[Gauge], Option<Timestamp>),
        ctx: &Context<'_>,
    ) -> Result<Done, Stop> {
        let (word, reason) = refused(name, decision);
        ctx.desk.record(Finding::Decided { decision: word, reason: reason.clone() })?;
        if self.on_breach == OnBreach::Rollback && decision.verdict == Verdict::Fail {
            return Err(Stop::Retreat(reason));
        }
        let now = ctx.world.clock.now();
        let mut lines: Vec<Value> = measured.iter().take(TOLD).map(|gauge| gauge.told(now).into()).collect();
        if let Some(more @ 1..) = measured.len().checked_sub(TOLD) {
            lines.push(format!("and {more} more").into());
        }
        let course = measured.first().map(|gauge| gauge.course(now)).unwrap_or_default();
        Err(refusal((word, reason), until, [(MEASURED, Value::from(lines)), (COURSE, course.into())]))
    }
}

/// That a gate came to `word`, because of `why`, in a watch that lasts until `until`.
fn refusal<const N: usize>(
    (word, why): (&str, String),
    until: Option<Timestamp>,
    measured: [(&str, Value); N],
) -> Stop {
    let until = until.map(|at| (UNTIL, Value::from(at.millis())));
    let facts = measured.into_iter().chain([(VERDICT, word.into()), (WHY, why.as_str().into())]).chain(until);
    let facts = facts.map(|(name, value)| (name.to_owned(), value)).collect();
    Stop::Failed(Failure { reason: "gate", message: format!("the gate came to {word}: {why}"), facts })
}
