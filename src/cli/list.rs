//! `hotfix list`.

use std::io;

use clap::Args;
use serde_json::{Value, json};

use super::author::host;
use super::select::{Selected, driver, runs};
use super::status::{driver_json, driver_words};
use super::{Exit, Trouble, data, store};
use crate::clock::{Clock as _, SystemClock, Timestamp};
use crate::report::{self, Status, printable};
use crate::store::{Holder, Life};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// One run of the list.
struct Entry {
    status: Status,
    driver: Option<(Holder, Life)>,
    damage: Option<String>,
    torn: u64,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Trouble> {
    let (store, host) = (store()?, host());
    let entries = runs(&store)?.into_iter().map(|paths| {
        let run = Selected::open(paths);
        // The list says nothing of steps, so the runbook is not needed, which takes longer to read than all the rest.
        let status = report::status(&run.source(None), &run.run(None));
        let driver = driver(&store, &host, &run.paths.id);
        Entry { status, driver, torn: run.contents.torn, damage: run.damage }
    });
    let entries: Vec<Entry> = entries.collect();
    if arguments.json {
        let list: Vec<Value> = entries.iter().map(Entry::json).collect();
        let text = serde_json::to_string_pretty(&list).map_err(io::Error::from)?;
        data(|out| writeln!(out, "{text}"))?;
    } else {
        let now = SystemClock.now();
        let width = entries.iter().map(|entry| entry.status.run.chars().count()).max().unwrap_or(0);
        data(|out| entries.iter().try_for_each(|entry| writeln!(out, "{}", entry.line(width, now))))?;
    }
    if entries.is_empty() {
        let message = "there is no run in this repository: `hotfix start TAG ISSUE` begins one";
        return Err(Trouble::new(Exit::Nothing, message));
    }
    Ok(Exit::Success)
}

impl Entry {
    fn line(&self, width: usize, now: Timestamp) -> String {
        let Status { run, tag, new_tag, issue, phase, .. } = &self.status;
        // A release that was taken back is none.
        let taken_back = *phase == "finished" && self.status.rolled_back.is_some();
        let phase = if taken_back { "rolled back".to_owned() } else { phase.replace('_', " ") };
        let mut parts = vec![format!("{run:<width$}  {phase:<11}")];
        if !tag.is_empty() {
            parts.push(format!("{tag} -> {new_tag} for issue {issue}"));
        }
        parts.extend(self.driver.as_ref().map(|driver| format!("driven by {}", driver_words(driver, now))));
        parts.extend((self.torn > 0).then(|| "its last record is torn".to_owned()));
        parts.extend(self.damage.as_ref().map(|damage| format!("DAMAGED: {damage}")));
        printable(&parts.join("  ")).replace('\n', " ").trim_end().to_owned()
    }

    fn json(&self) -> Value {
        let Status { run, tag, new_tag, issue, phase, began, last, .. } = &self.status;
        json!({
            "run": run, "tag": tag, "new_tag": new_tag, "issue": issue, "phase": phase, "began": began, "last": last,
            "driver": driver_json(self.driver.as_ref()), "damage": self.damage, "torn_bytes": self.torn,
        })
    }
}
