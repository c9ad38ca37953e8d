//! `hotfix status`.

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::author::host;
use super::select::{Otherwise, driver, select};
use super::{Exit, Trouble, data, store};
use crate::clock::{Clock as _, SystemClock, Timestamp, brief};
use crate::engine::{Unwatched, left_behind, unwatched};
use crate::process::{End, Found, group_lives};
use crate::report::{self, StagePlace, Status, printable};
use crate::store::{Holder, Life};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run, by its id or the beginning or end of it; by default the active one, else the latest
    run: Option<String>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Trouble> {
    let store = store()?;
    let run = select(&store, arguments.run.as_deref(), Otherwise::Latest)?;
    let runbook = run.runbook();
    let folded = run.run(runbook.as_ref());
    let mut status = report::status(&run.source(runbook.as_ref()), &folded);
    let driver = driver(&store, &host(), &run.paths.id);
    let mut command = None;
    if driver.as_ref().is_some_and(|(_, life)| *life == Life::Alive) {
        // It is being driven: there is nothing to take up.
        status.commands.retain(|line| !line.starts_with("hotfix resume"));
    } else {
        command = left_behind(&run.paths, &folded).map(|(_, found)| found);
    }
    let unwatched = unwatched(&run.paths, &folded);
    if arguments.json {
        let mut value = serde_json::to_value(&status).map_err(io::Error::from)?;
        value["driver"] = driver_json(driver.as_ref());
        value["command"] = command.as_ref().map_or(Value::Null, command_json);
        value["unwatched"] = unwatched.iter().map(unwatched_json).collect();
        value["damage"] = json!(run.damage);
        value["torn_bytes"] = json!(run.contents.torn);
        let now = SystemClock.now();
        let open = status.escalation.iter().filter(|call| status.escalates && call.answer.is_none());
        let (due, ahead): (Vec<_>, Vec<_>) = open.partition(|call| call.at <= now);
        value["overdue"] = json!(due);
        value["next_escalation"] = json!(ahead.first());
        value["update_overdue"] = json!(status.update_due.is_some_and(|at| at <= now));
        let text = serde_json::to_string_pretty(&value).map_err(io::Error::from)?;
        data(|out| writeln!(out, "{text}"))?;
    } else {
        let now = SystemClock.now();
        data(|out| show(out, &status, (driver.as_ref(), command.as_ref(), &unwatched), now))?;
    }
    run.shown()
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
    let Some((Holder { pid, host, user, since, .. }, life)) = driver else { return Value::Null };
    let alive = (*life == Life::Alive).then_some(true);
    json!({ "pid": pid, "host": host, "user": user, "since": since, "alive": alive })
}

/// The driver in words.
pub(super) fn driver_words((holder, life): &(Holder, Life), now: Timestamp) -> String {
    let Holder { pid, host, user, since, .. } = holder;
    let since = Timestamp::parse(since).map_or_else(|| since.clone(), |at| moment(at, now));
    let text = match life {
        Life::Elsewhere => format!("{user} on {host} (process {pid}) since {since}, if it still runs: look there"),
        Life::Alive | Life::Dead => format!("{user} on {host} (process {pid}) since {since}"),
    };
    printable(&text)
}

/// The local time, with the date where it is not today's.
fn moment(at: Timestamp, now: Timestamp) -> String {
    let time = at.local_time().chars().take(5).collect::<String>();
    if at.local_date() == now.local_date() { time } else { format!("{} {time}", at.local_date()) }
}

fn show(
    out: &mut dyn Write,
    status: &Status,
    (driver, command, unwatched): (Option<&(Holder, Life)>, Option<&Found>, &[Unwatched]),
    now: Timestamp,
) -> io::Result<()> {
    let mut line = |name: &str, text: String| writeln!(out, "{name:<12}{}", printable(&text).replace('\n', " "));
    line("Run", status.run.clone())?;
    if !status.tag.is_empty() {
        line("Hotfix", format!("{} -> {} for issue {}", status.tag, status.new_tag, status.issue))?;
    }
    line("Way", way(status).to_owned())?;
    if let Some(at) = status.incident_began {
        line("Incident", incident(status, at, now))?;
    }
    for words in clocks(status, now) {
        line(words.0, words.1)?;
    }
    if let Some(stage) = &status.stage {
        let over = over_budget(stage, now).map(|over| format!(", OVER its budget by {over}")).unwrap_or_default();
        line("Stage", format!("{} of {}, {}: {}{over}", stage.number, stage.of, stage.id, stage.title))?;
    }
    if let Some(step) = &status.step {
        let since = step.since.map(|at| format!(" since {}", moment(at, now))).unwrap_or_default();
        let failure = step.failure.as_ref().map(|failure| format!(": {failure}")).unwrap_or_default();
        let how = match (step.status, driver, command.and_then(|found| command_words(found, now))) {
            (status, _, Some(words)) => format!("{status}{since}: {words}"),
            ("started" | "undo started", None, _) => format!("cut off, its end is not known; begun{since}"),
            (status, ..) => format!("{status}{since}{failure}"),
        };
        line("Step", format!("{} ({}), {how}", step.key, step.title))?;
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
fn incident(status: &Status, began: Timestamp, now: Timestamp) -> String {
    match status.mitigated {
        Some(well) => format!(
            "began {}; production was well again {}, after {}",
            began.local_in_full(),
            moment(well, now),
            brief(well.since(began))
        ),
        None if is_over(status) => format!("began {}", began.local_in_full()),
        None => format!("began {}, {} ago", began.local_in_full(), brief(now.since(began))),
    }
}

fn is_over(status: &Status) -> bool {
    !matches!(status.phase, "forward" | "back" | "rolled_back")
}

/// What is due, and what is next.
fn clocks(status: &Status, now: Timestamp) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let open = status.escalation.iter().filter(|call| status.escalates && call.answer.is_none());
    let (due, ahead): (Vec<_>, Vec<_>) = open.partition(|call| call.at <= now);
    for call in due {
        lines.push(("OVERDUE", format!("call {}: due {} ago", call.whom, brief(now.since(call.at)))));
    }
    if let Some(next) = ahead.first() {
        let when = format!("{} (in {})", moment(next.at, now), brief(next.at.since(now)));
        lines.push(("Next call", format!("{} at {when}", next.whom)));
    }
    if let Some(at) = status.update_due {
        let when = if at <= now {
            format!("OVERDUE by {}", brief(now.since(at)))
        } else {
            format!("due at {} (in {})", moment(at, now), brief(at.since(now)))
        };
        lines.push(("Update", when));
    }
    lines
}

/// By how much the stage is over its budget.
fn over_budget(stage: &StagePlace, now: Timestamp) -> Option<String> {
    let over = now.since(stage.began?).checked_sub(Duration::from_secs(stage.budget_seconds?))?;
    (!over.is_zero()).then(|| brief(over))
}

fn way(status: &Status) -> &'static str {
    match status.phase {
        "forward" => "forward",
        "back" => "back: production is being rolled back",
        "rolled_back" => "rolled back; what follows a rollback is left to do",
        "finished" => "finished",
        "declined" => "declined: no hotfix was needed",
        "aborted" => "aborted",
        _ => "unknown: no record of the run can be read",
    }
}
