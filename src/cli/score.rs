//! How a drill went, for whoever rehearsed.

use std::io::{self, Write};
use std::time::Duration;

use super::Exit;
use super::select::{self, Selected};
use crate::clock::brief;
use crate::drill::{Failing, Sandbox};
use crate::event::Event;
use crate::report::{Tally, printable, tally};
use crate::run::{Phase, plain};

/// How the drill went.
pub(super) struct Score {
    tally: Tally,
    phase: Phase,
    /// Whether production was taken back.
    pub(super) rolled_back: bool,
    damage: Option<String>,
    /// The status of a login with a wrong password.
    login: Result<u16, String>,
    /// The step that was to fail and did not come up.
    spared: Option<String>,
}

impl Score {
    /// What the sandbox tells; `None` where no run began.
    pub(super) async fn of(sandbox: &Sandbox, failing: Option<&Failing>) -> Option<Self> {
        let run = Selected::open(select::runs(&sandbox.store()).ok()?.pop()?);
        let runbook = run.runbook();
        let source = run.source(runbook.as_ref());
        let fold = source.run();
        let untried = |failing: &&Failing| {
            let mut tried = fold.steps().iter().filter(|(_, state)| state.attempts > 0);
            !tried.any(|(key, _)| plain(key) == failing.key())
        };
        let back = |event: &Event| matches!(event, Event::RunRolledBack { .. });
        Some(Self {
            tally: tally(&source),
            phase: fold.phase(),
            rolled_back: fold.phase() == Phase::RolledBack || source.records.iter().any(|record| back(&record.event)),
            damage: run.damage.clone(),
            login: sandbox.wrong_login().await.map_err(|error| error.to_string()),
            spared: failing.filter(untried).map(|failing| failing.key().to_owned()),
        })
    }

    pub(super) fn show(&self, out: &mut dyn Write, exit: Exit, place: &str) -> io::Result<()> {
        let mut line = |name: &str, text: &str| writeln!(out, "{name:<18}{}", printable(text));
        let Tally { result, to_mitigate, done, by_hand, skipped, not_needed, failed, left } = &self.tally;
        line(
            "Result",
            match (self.phase, exit) {
                (_, Exit::Incomplete) => "THE ROLLBACK IS NOT COMPLETE",
                (Phase::Forward, _) => "left unfinished",
                (Phase::Back, _) => "left in the middle of the rollback",
                _ => result,
            },
        )?;
        let seconds = |took: Duration| format!("{:.1} s", took.as_secs_f64());
        let brief = |took: Duration| if took.as_secs() < 60 { seconds(took) } else { brief(took) };
        line("Time to mitigate", &to_mitigate.map_or_else(|| "not mitigated yet".to_owned(), brief))?;
        let steps = format!("{done} done, {by_hand} by hand, {skipped} skipped, {not_needed} not needed");
        line("Steps", &steps)?;
        line("Failed attempts", &failed.to_string())?;
        left.iter().try_for_each(|text| line("Left", text))?;
        if left.is_empty() {
            line("Left", "nothing")?;
        }
        let login = match &self.login {
            Ok(401) => "is refused in production".to_owned(),
            Ok(200) => "STILL LETS ANYONE IN in production".to_owned(),
            Ok(status) => format!("ends with status {status} in production"),
            Err(error) => format!("cannot be tried: {error}"),
        };
        line("A wrong password", &login)?;
        if let Some(damage) = &self.damage {
            line("The log is damaged", damage)?;
        }
        if let Some(key) = &self.spared {
            line("Did not come up", &format!("{key}, which was to fail"))?;
        }
        line("The sandbox", &format!("is {place}"))
    }
}
