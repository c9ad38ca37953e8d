//! The end of what still runs, where the run turns back, or ends.

use std::time::Duration;

use super::Engine;
use super::behind::{Begun, Purpose, begun};
use super::trouble::Trouble;
use crate::action::Stop;
use crate::clock::{Clock as _, SystemClock};
use crate::event::Event;
use crate::operator::{Course, Show};
use crate::process::{self, Found, Progress, Running};
use crate::run::{Courses, Status, UndoStatus};

/// How long a command that is being stopped is waited for, beyond two times its grace.
const PATIENCE: Duration = Duration::from_secs(5);
/// The grace of a command that names none.
const GRACE: Duration = Duration::from_secs(5);

/// Why commands are stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    /// Production is taken back: what has a part in that goes on.
    Rollback,
    /// The run ends: nothing goes on.
    Abort,
}

impl Halt {
    fn name(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Abort => "abort",
        }
    }
}

impl Engine {
    /// Stops every command that still runs and is not to go on, and waits until it is gone. One that cannot be stopped is said
    /// and left: it must not keep production broken. One that nobody watches is named, never stopped: its number may be
    /// another's.
    pub(super) async fn stop_commands(&self, halt: Halt) -> Result<(), Stop> {
        self.warn_of_unwatched();
        for command in self.run(|run| begun(&self.paths, run)) {
            if halt == Halt::Rollback && self.goes_on(&command) {
                continue;
            }
            let name = command.name();
            let (stopped, message) = match process::find(&command.status(), 0).await {
                Ok(Some(Found::Running(running))) => {
                    self.show(Show::Info(&format!("stopping {name}")));
                    (true, self.stop_command(&command, *running, halt).await?)
                }
                Ok(Some(Found::Finished(end))) => (false, format!("it ended meanwhile ({})", end.how)),
                Ok(Some(Found::Lost { .. })) => (false, "nobody watches it any more".to_owned()),
                Ok(Some(Found::NeverBegan) | None) => (false, "it was cut off".to_owned()),
                Err(error) => {
                    self.show(Show::Warning(&format!("whether {name} still runs is not known ({error})")));
                    (false, format!("whether it still runs is not known ({error})"))
                }
            };
            self.say_stopped(&command, stopped, message)?;
        }
        Ok(())
    }

    /// Names every command that still runs and that [`Engine::stop_commands`] will stop, where production is to be taken back
    /// to `to`, or nowhere.
    pub(super) fn warn_of_stop(&self, to: Option<&str>) {
        let same = to.is_some_and(|to| self.going_back_to().as_deref() == Some(to));
        for command in self.run(|run| begun(&self.paths, run)) {
            if same && self.goes_on(&command) {
                continue;
            }
            // One that cannot be looked at is named when it is to be stopped.
            if let Ok(Some(Found::Running(running))) = process::look(&command.status(), 0) {
                let since = running.started().map(|at| format!(" since {}", at.local_time())).unwrap_or_default();
                let warning = format!("{} still runs{since}: it is stopped first", command.name());
                self.show(Show::Warning(&warning));
            }
        }
    }

    /// Whether the command has a part in the way back.
    fn goes_on(&self, command: &Begun) -> bool {
        let key = &command.key;
        if command.purpose == Purpose::Undo {
            let undo = self.run(|run| run.undo(key));
            return command.last && undo.status == Some(UndoStatus::Started) && !undo.superseded;
        }
        let (status, course) = self.run(|run| (run.step(key).status, run.outline().step(key).map(|step| step.course)));
        status == Status::Started && course != Some(Courses::Forward) && self.course() == Course::Back
    }

    /// Writes down what became of a step or an undo that is under way on the record.
    fn say_stopped(&self, command: &Begun, stopped: bool, message: String) -> Result<(), Stop> {
        let Begun { key: step, attempt, last, .. } = command;
        let (status, undo) = self.run(|run| (run.step(step).status, run.undo(step)));
        let (step, attempt) = (step.clone(), *attempt);
        match command.purpose {
            _ if !last => Ok(()),
            Purpose::Undo if undo.superseded => {
                let message = format!("{message}; production is taken back to {} now", self.var("rollback_to"));
                self.show(Show::Warning(&format!("the undo of {step}: {message}")));
                self.commit(Event::UndoFailed { step, message })
            }
            Purpose::Undo if stopped && undo.status == Some(UndoStatus::Started) => {
                self.commit(Event::UndoFailed { step, message })
            }
            Purpose::Step | Purpose::Verify if stopped && status == Status::Started => {
                let reason = "stopped".to_owned();
                self.commit(Event::StepFailed { step, attempt, reason, message, again: false })
            }
            _ => Ok(()),
        }
    }

    async fn stop_command(&self, command: &Begun, mut running: Running, halt: Halt) -> Result<String, Stop> {
        let (key, halt) = (&command.key, halt.name());
        let step = self.find(key).ok().map(|(_, step)| step);
        let grace = step.and_then(|step| Self::length(step.kill_grace.as_ref(), &self.values(key, 1)).ok().flatten());
        let limit = grace.unwrap_or(GRACE) * 2 + PATIENCE;
        let mut why = "it did not end in time".to_owned();
        if let Err(error) = running.stop(&format!("the {halt} of {}", self.world.operator)) {
            why = error.to_string();
        } else {
            let ended = async {
                while running
                    .next()
                    .await
                    .is_ok_and(|progress| !matches!(progress, Progress::Ended(_) | Progress::Lost { .. }))
                {
                }
            };
            tokio::select! {
                () = ended => return Ok(format!("stopped for the {halt}")),
                () = SystemClock.sleep(limit) => {}
                trouble = self.trouble() => if let Trouble::Stop(stop) = trouble {
                    return Err(stop);
                },
            }
        }
        let group = running.pgid().map(|pgid| format!("; its process group is {pgid}")).unwrap_or_default();
        let name = command.name();
        self.show(Show::Warning(&format!("{name} could not be stopped ({why}){group}: see to it by hand")));
        Ok(format!("could not be stopped for the {halt}: {why}"))
    }
}
