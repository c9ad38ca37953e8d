//! `hotfix status`.

use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::author::host;
use super::data::Reader;
use super::failure::first_lines;
use super::glance::{Now, at_a_glance, over};
use super::log::output_path;
use super::select::{Otherwise, Selected, driver, select};
use super::{Exit, Trouble, data, store};
use crate::clock::{Clock as _, SystemClock, Timestamp, brief};
use crate::engine::{Unwatched, left_behind, unwatched};
use crate::event::Cut;
use crate::process::{End, Found, group_lives};
use crate::report::{self, StagePlace, Status, printable};
use crate::run::Phase;
use crate::samples::{self, Reading};
use crate::store::{Holder, Life, Store};
use crate::terminal::{columns, cut, fitted, rows};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run, by its id or the beginning or end of it; by default the active one, else the latest
    run: Option<String>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    /// Show it again whenever it changes, until the run is over; Ctrl-C ends that and nothing else
    #[arg(long, short, conflicts_with = "json")]
    watch: bool,
}

/// How wide the names of what is shown are, with the space behind them.
const LABEL: usize = 12;
/// How often it is looked whether anything has changed.
const LOOK: Duration = Duration::from_secs(1);

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Trouble> {
    let store = store()?;
    let run = select(&store, arguments.run.as_deref(), Otherwise::Latest)?;
    if arguments.watch {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        return runtime.block_on(watch(&store, run));
    }
    let seen = Seen::of(&store, &run)?;
    if arguments.json {
        let text = serde_json::to_string_pretty(&seen.json(&run)?).map_err(io::Error::from)?;
        data(|out| writeln!(out, "{text}"))?;
    } else {
        let text = seen.text(Now::read())?;
        data(|out| out.write_all(text.as_bytes()))?;
    }
    run.shown()
}

/// Shows it again and again until the run is over: in place at a terminal, else where it has changed.
async fn watch(store: &Store, mut run: Selected) -> Result<Exit, Trouble> {
    let in_place = io::stdout().is_terminal();
    let mut shown = String::new();
    loop {
        let (seen, now) = (Seen::of(store, &run)?, Now::read());
        let text = seen.text(now)?;
        // That time passes is shown in place and nowhere else.
        let is = if in_place { over(&text, rows()) } else { seen.text(now.without_lengths())? };
        if is != shown {
            let reader = data(|out| match (in_place, shown.is_empty()) {
                (true, _) => out.write_all(is.as_bytes()),
                (false, true) => out.write_all(text.as_bytes()),
                (false, false) => write!(out, "\n{text}"),
            })?;
            if reader == Reader::Gone {
                return run.shown();
            }
            shown = is;
        }
        if run.damage.is_some() || matches!(run.phase(), Phase::Finished | Phase::Declined | Phase::Aborted) {
            return run.shown();
        }
        SystemClock.sleep(LOOK).await;
        run = Selected::open(run.paths);
    }
}

/// Where a run stands, as far as it can be seen from outside.
struct Seen {
    status: Status,
    driver: Option<(Holder, Life)>,
    command: Option<Found>,
    unwatched: Vec<Unwatched>,
    readings: Vec<Reading>,
    /// The command line that shows all of why the step failed.
    all: String,
}

impl Seen {
    fn of(store: &Store, run: &Selected) -> Result<Self, Trouble> {
        let runbook = run.runbook();
        let folded = run.run(runbook.as_ref());
        let mut status = report::status(&run.source(runbook.as_ref()), &folded);
        let driver = driver(store, &host(), &run.paths.id);
        let mut command = None;
        match &driver {
            // It is being driven: there is nothing to take up, but where that is for whoever comes.
            Some((holder, Life::Alive)) if !holder.detached => {
                status.commands.retain(|line| !line.starts_with("hotfix resume"));
            }
            Some((_, Life::Alive)) => {}
            _ => command = left_behind(&run.paths, &folded).map(|(_, found)| found),
        }
        let over = matches!(folded.phase(), Phase::Finished | Phase::Declined | Phase::Aborted);
        let readings = if over { Vec::new() } else { samples::latest(&run.paths.samples())? };
        let printed = status.step.as_ref().filter(|step| output_path(run, &step.key).is_some_and(|path| path.exists()));
        let log = if over { format!("hotfix log {}", run.paths.id) } else { "hotfix log".to_owned() };
        let all = printed.map_or_else(|| log.clone(), |step| format!("{log} --output {}", step.key));
        Ok(Self { unwatched: unwatched(&run.paths, &folded), status, driver, command, readings, all })
    }

    fn json(&self, run: &Selected) -> Result<Value, Trouble> {
        let mut value = serde_json::to_value(&self.status).map_err(io::Error::from)?;
        value["driver"] = driver_json(self.driver.as_ref());
        value["command"] = self.command.as_ref().map_or(Value::Null, command_json);
        value["unwatched"] = self.unwatched.iter().map(unwatched_json).collect();
        value["readings"] = json!(self.readings);
        value["damage"] = json!(run.damage);
        value["torn_bytes"] = json!(run.contents.torn);
        let (now, status) = (SystemClock.now(), &self.status);
        let open = status.escalation.iter().filter(|call| status.escalates && call.answer.is_none());
        let (due, ahead): (Vec<_>, Vec<_>) = open.partition(|call| call.at <= now);
        value["overdue"] = json!(due);
        value["next_escalation"] = json!(ahead.first());
        value["update_overdue"] = json!(status.update_due.is_some_and(|at| at <= now));
        Ok(value)
    }

    /// In lines, no wider than the terminal where there is one.
    fn text(&self, now: Now) -> io::Result<String> {
        let (mut out, mut read) = (Vec::new(), Vec::new());
        show(&mut out, self, now)?;
        self.print_readings(&mut read)?;
        let (text, read) = (String::from_utf8_lossy(&out), String::from_utf8_lossy(&read));
        if !io::stdout().is_terminal() {
            return Ok([text, read].concat());
        }
        // A reading keeps to its line.
        let read: Vec<_> = read.lines().map(|line| cut(line, columns()) + "\n").collect();
        Ok(fitted(&text, columns(), LABEL) + &read.concat())
    }

    fn print_readings(&self, out: &mut dyn Write) -> io::Result<()> {
        let driven = self.driver.is_some();
        let label = if driven { "Watched by" } else { "Last read by" };
        let width = self.readings.iter().map(|reading| reading.probe.chars().count()).max().unwrap_or_default();
        let mut step = "";
        for Reading { step: of, probe, at, value, outcome } in &self.readings {
            if of != step {
                writeln!(out, "{label:<11} {}", printable(of))?;
                step = of;
            }
            let (probe, value, at) = (printable(probe), at_a_glance(value), at.local_time());
            writeln!(out, "{:<12}{probe:width$}  {outcome} at {at}: {value}", "")?;
        }
        Ok(())
    }
}

/// The command that a step has left behind, in words.
fn command_words(found: &Found, now: Timestamp) -> Option<String> {
    let at = |at: Timestamp| moment(at, now);
    match found {
        Found::Running(running) => {
            let since = running.started().map(|since| format!(" since {}", at(since))).unwrap_or_default();
            Some(format!("its command runs on, detached,{since}; `hotfix resume` attaches to it"))
        }
        Found::Finished(end) => {
            Some(format!("its command ended at {} ({}); `hotfix resume` takes it up", at(end.ended), end.how))
        }
        Found::Lost { pgid } => {
            let may = pgid
                .filter(|group| group_lives(*group))
                .map(|group| format!("; its process group {group} may still run"));
            Some(format!("cut off, its end is not known: nobody watches its command{}", may.unwrap_or_default()))
        }
        Found::NeverBegan => None,
    }
}

/// The same for programs; null where nothing is known of it.
fn command_json(found: &Found) -> Value {
    match found {
        Found::Running(running) => {
            json!({ "state": "running", "since": running.started(), "process_group": running.pgid() })
        }
        Found::Finished(End { how, started, ended, .. }) => {
            json!({ "state": "ended", "since": started, "ended": ended, "how": how.to_string() })
        }
        Found::Lost { pgid } => json!({ "state": "lost", "process_group": pgid }),
        Found::NeverBegan => Value::Null,
    }
}

/// A command that nobody watches and that may still run, for programs.
fn unwatched_json(Unwatched { command, group }: &Unwatched) -> Value {
    json!({ "step": command.key, "command": command.name(), "state": "lost", "process_group": group })
}

/// The driver for programs: `alive` is null where it is on another machine and cannot be seen.
pub(super) fn driver_json(driver: Option<&(Holder, Life)>) -> Value {
    let Some((Holder { pid, host, user, since, detached, .. }, life)) = driver else { return Value::Null };
    let alive = (*life == Life::Alive).then_some(true);
    json!({ "pid": pid, "host": host, "user": user, "since": since, "alive": alive, "detached": detached })
}

/// The driver in words.
pub(super) fn driver_words((holder, life): &(Holder, Life), now: Timestamp) -> String {
    let Holder { pid, host, user, since, detached, .. } = holder;
    let since = Timestamp::parse(since).map_or_else(|| since.clone(), |at| moment(at, now));
    let how = if *detached { ", without a terminal," } else { "" };
    let text = match life {
        Life::Elsewhere => format!("{user} on {host} (process {pid}) since {since}, if it still runs: look there"),
        Life::Alive | Life::Dead => format!("{user} on {host} (process {pid}){how} since {since}"),
    };
    printable(&text)
}

/// The local time, with the date where it is not today's.
fn moment(at: Timestamp, now: Timestamp) -> String {
    let time = at.local_time().chars().take(5).collect::<String>();
    if at.local_date() == now.local_date() { time } else { format!("{} {time}", at.local_date()) }
}

fn show(out: &mut dyn Write, seen: &Seen, clock: Now) -> io::Result<()> {
    let Seen { status, driver, command, unwatched, all, .. } = seen;
    let (driver, command, now) = (driver.as_ref(), command.as_ref(), clock.at);
    let mut line = |name: &str, text: String| writeln!(out, "{name:<12}{}", printable(&text).replace('\n', " "));
    line("Run", status.run.clone())?;
    if !status.tag.is_empty() {
        line("Hotfix", format!("{} -> {} for issue {}", status.tag, status.new_tag, status.issue))?;
    }
    line("Way", way(status).to_owned())?;
    if let Some(at) = status.incident_began {
        line("Incident", incident(status, at, clock))?;
    }
    for breach in &status.breaches {
        let at = breach.at.map(|at| format!(" at {}", moment(at, now))).unwrap_or_default();
        let (step, decision, reason) = (&breach.step, breach.decision, &breach.reason);
        line("BREACH", format!("{step} came to {decision}{at}, nobody has answered: {reason}"))?;
    }
    for words in clocks(status, clock) {
        line(words.0, words.1)?;
    }
    if let Some(stage) = &status.stage {
        let over = over_budget(stage, clock).map(|over| format!(", OVER its budget by {over}")).unwrap_or_default();
        line("Stage", format!("{} of {}, {}: {}{over}", stage.number, stage.of, stage.id, stage.title))?;
    }
    if let Some(step) = &status.step {
        let since = step.since.map(|at| format!(" since {}", moment(at, now))).unwrap_or_default();
        let why = step.failure.as_ref().map(|failure| first_lines(failure, all)).unwrap_or_default();
        let failure = why.first().map(|line| format!(": {line}")).unwrap_or_default();
        let how = match (step.status, driver, command.and_then(|found| command_words(found, now))) {
            (status, _, Some(words)) => format!("{status}{since}: {words}"),
            ("started", _, _) if step.known == Some(Cut::Unanswered) => format!("waits for an answer{since}"),
            ("started" | "undo started", None, _) => match step.known {
                Some(known) => format!("cut off{since}: {}", Cut::words(Some(known))),
                None => format!("cut off, its end is not known; begun{since}"),
            },
            (status, ..) => format!("{status}{since}{failure}"),
        };
        line("Step", format!("{} ({}), {how}", step.key, step.title))?;
        let more = if how.ends_with(&failure) { why } else { Vec::new() };
        more.into_iter().skip(1).try_for_each(|rest| line("", rest))?;
    }
    for lost in unwatched {
        line("Unwatched", lost.words())?;
    }
    line("Production", status.production.words(|at| moment(at, now)))?;
    if let Some(at) = status.rolled_back {
        line("Rolled back", moment(at, now))?;
    }
    for step in &status.left {
        line("NOT undone", step.clone())?;
    }
    line("Driven by", driver.map_or_else(|| "nobody".to_owned(), |driver| driver_words(driver, now)))?;
    if let Some(last) = status.last {
        line("Last record", format!("{} ({})", moment(last.at, now), last.seq))?;
    }
    status.commands.iter().try_for_each(|command| line("Go on with", command.clone()))
}

/// Since when it lasts, or how long it lasted.
fn incident(status: &Status, began: Timestamp, now: Now) -> String {
    match status.mitigated {
        Some(well) => format!(
            "began {}; mitigated {}{}, after {}",
            began.local_in_full(),
            moment(well, now.at),
            status.rolled_back_to.as_ref().map(|to| format!(" by the rollback to {to}")).unwrap_or_default(),
            brief(well.since(began))
        ),
        None if is_over(status) => format!("began {}", began.local_in_full()),
        None => format!("began {}, {} ago", began.local_in_full(), now.since(began)),
    }
}

fn is_over(status: &Status) -> bool {
    !matches!(status.phase, "forward" | "back" | "rolled_back")
}

/// What is due, and what is next.
fn clocks(status: &Status, now: Now) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let open = status.escalation.iter().filter(|call| status.escalates && call.answer.is_none());
    let (due, ahead): (Vec<_>, Vec<_>) = open.partition(|call| call.at <= now.at);
    for call in due {
        lines.push(("OVERDUE", format!("call {}: due {} ago", call.whom, now.since(call.at))));
    }
    if let Some(next) = ahead.first() {
        let when = format!("{} (in {})", moment(next.at, now.at), now.until(next.at));
        lines.push(("Next call", format!("{} at {when}", next.whom)));
    }
    if let Some(at) = status.update_due {
        let when = if at <= now.at {
            format!("OVERDUE by {}", now.since(at))
        } else {
            format!("due at {} (in {})", moment(at, now.at), now.until(at))
        };
        lines.push(("Update", when));
    }
    lines
}

/// By how much the stage is over its budget.
fn over_budget(stage: &StagePlace, now: Now) -> Option<String> {
    let over = now.at.since(stage.began?).checked_sub(Duration::from_secs(stage.budget_seconds?))?;
    (!over.is_zero()).then(|| (now.length)(over))
}

fn way(status: &Status) -> &'static str {
    match status.phase {
        "forward" => "forward",
        "back" => "back: production is being rolled back",
        "rolled_back" => "rolled back; what follows a rollback is left to do",
        "finished" if status.rolled_back.is_some() => {
            "finished: production was rolled back, and what follows that is done"
        }
        "finished" => "finished",
        "declined" => "declined: no hotfix was needed",
        "aborted" => "aborted",
        _ => "unknown: no record of the run can be read",
    }
}
