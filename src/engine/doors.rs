//! The doors other than the front one: a run taken up again, and one given up.

use std::collections::BTreeMap;

use super::desk::StepDesk;
use super::halt::Halt;
use super::{Engine, Retreat};
use crate::action::{Asked, Desk as _, Stop};
use crate::event::Event;
use crate::operator::{Answer, Form, Purpose, Show, Way};
use crate::run::{Phase, Run};

/// The name under which a change of the environment is asked about.
const ENVIRONMENT: &str = "environment";
/// The name under which giving up is asked about.
const ABORT: &str = "abort";

/// What came of giving up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aborted {
    /// The run is over.
    Over,
    /// The operator takes production back instead.
    Instead,
}

impl Engine {
    /// The run's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.paths.id
    }

    /// Whether its log is still where it was.
    #[must_use]
    pub fn is_on_disk(&self) -> bool {
        self.paths.journal.exists()
    }

    /// Which way the run goes.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.run(Run::phase)
    }

    /// Takes the run up again. What must be the same wherever it is driven and is not is named and asked about first.
    ///
    /// # Errors
    /// [`Stop`] where it is not to go on.
    pub async fn resume(&self) -> Result<(), Stop> {
        self.agree().await?;
        self.resume_agreed()
    }

    /// Takes the run up again in an environment that was agreed to.
    ///
    /// # Errors
    /// [`Stop`] where it is not to go on.
    pub fn resume_agreed(&self) -> Result<(), Stop> {
        self.commit(Event::resumed())
    }

    /// Names what is not as it was where the run began, and asks whether to go on with it.
    ///
    /// # Errors
    /// [`Stop`] where it is not to go on.
    pub async fn agree(&self) -> Result<(), Stop> {
        let differences = self.differences();
        if !differences.is_empty() {
            let prompt = format!(
                "This is not the environment the run began in:\n{}\nGo on all the same?",
                differences.join("\n")
            );
            let asked = Asked { purpose: Purpose::Difference, prompt: prompt.clone(), form: Form::Confirm };
            let answer = StepDesk::new(self, ENVIRONMENT, vec![Way::Pause]).anew().ask(asked).await?;
            if answer != Answer::Yes {
                return Err(Stop::Way { way: Way::Pause, reason: Some(prompt) });
            }
        }
        Ok(())
    }

    fn differences(&self) -> Vec<String> {
        let before: BTreeMap<String, String> = self.run(|run| run.environment().clone());
        let names = self.runbook.environment.iter();
        let shown = |value: Option<&str>| value.map_or_else(|| "not set".to_owned(), |value| format!("`{value}`"));
        names
            .filter_map(|name| {
                // What was is in the journal, where secrets are not.
                let is = self.world.environment.get(name).map(|value| self.world.masker.text(value));
                let (was, is) = (before.get(name).map(String::as_str), is.as_deref());
                (was != is).then(|| format!("  {name} was {}, is {}", shown(was), shown(is)))
            })
            .collect()
    }

    /// Ends a run that will not be finished. Where production was touched the tag has to be typed, and the rollback is offered.
    ///
    /// # Errors
    /// [`Stop`] where it is not wanted, or nobody answers.
    pub async fn give_up(&self, reason: &str) -> Result<Aborted, Stop> {
        self.warn_of_stop(None);
        if self.run(Run::touched_production) && self.phase() != Phase::RolledBack {
            self.show(Show::Warning("Production was touched by this run, and stays as it is when the run is aborted."));
            self.plan_lines(&Retreat::default())
                .iter()
                .for_each(|line| self.show(Show::Info(&format!("hotfix rollback: {line}"))));
            let expected = self.var("new_tag");
            let prompt = format!("Type {expected} to abort without a rollback (the menu offers the rollback).");
            let asked = Asked { purpose: Purpose::Rollback, prompt, form: Form::Typed { expected } };
            match StepDesk::new(self, ABORT, vec![Way::Rollback, Way::Pause]).ask(asked).await {
                Err(Stop::Way { way: Way::Rollback, .. }) => {
                    let retreat = Retreat { reason: Some(reason.to_owned()), ..Retreat::default() };
                    let consent = self.consent(&retreat).await?;
                    self.begin_rollback(consent, retreat)?;
                    return Ok(Aborted::Instead);
                }
                answer => answer?,
            };
        }
        self.stop_commands(Halt::Abort).await?;
        self.abort(reason)?;
        Ok(Aborted::Over)
    }

    /// Adds a line to the log.
    ///
    /// # Errors
    /// [`Stop`] where it cannot be written down.
    pub fn note(&self, text: &str) -> Result<(), Stop> {
        self.commit(Event::NoteAdded { text: text.to_owned() })
    }

    /// Ends the run.
    ///
    /// # Errors
    /// [`Stop`] where that cannot be written down.
    pub fn abort(&self, reason: &str) -> Result<(), Stop> {
        self.commit(Event::RunAborted { reason: reason.to_owned() })?;
        self.remove_worktrees();
        Ok(())
    }
}
