//! Turning back: the plan, and the one question about it.

use std::rc::Rc;

use super::halt::Halt;
use super::trouble::Trouble;
use super::{Engine, Retreat};
use crate::action::{Action, Settings, Stop};
use crate::digest::sha256;
use crate::event::Event;
use crate::operator::{Form, Presence, Purpose, Question, Show, Unanswered, Way};
use crate::run::{Phase, Run};
use crate::runbook::{Body, Step, Trigger};
use crate::vars::Values;

/// The name under which the question of a rollback is asked and answered.
pub(super) const ROLLBACK: &str = "rollback";

/// An undo as it would be run.
#[derive(Clone, Debug)]
pub(super) struct UndoText {
    /// The command, with its values.
    pub(super) what: String,
    /// What makes it the same as another.
    pub(super) identity: String,
    /// Variables of its environment that cannot be worked out, and why.
    pub(super) without: Vec<String>,
}

impl Engine {
    /// What a rollback would do, line by line.
    #[must_use]
    pub fn plan_lines(&self, retreat: &Retreat) -> Vec<String> {
        let to = self.target(retreat);
        let (mut lines, mut seen) = (Vec::new(), Vec::new());
        for key in self.run(|run| run.undo_plan().into_iter().map(str::to_owned).collect::<Vec<_>>()) {
            match self.undo_text(&key, &to) {
                Ok((_, Some(UndoText { what, identity, without }))) if !seen.contains(&identity) => {
                    lines.push(format!("undo {key}: {what}"));
                    if !without.is_empty() {
                        lines.push(format!("     WITHOUT {}: set it first where it is needed", without.join(", ")));
                    }
                    seen.push(identity);
                }
                Ok(_) => {}
                Err(Stop::Failed(failure)) => {
                    lines.push(format!("undo {key}: CANNOT BE WORKED OUT, and will be left: {}", failure.message));
                }
                Err(_) => lines.push(format!("undo {key}: CANNOT BE WORKED OUT, and will be left")),
            }
        }
        if !retreat.blind && !self.run(Run::touched_production) {
            lines.push("production has not been touched: nothing of it is run".to_owned());
            return lines;
        }
        let own = self.runbook.stages.iter().find(|stage| stage.trigger == Some(Trigger::Rollback));
        for step in own.map(|stage| stage.steps.as_slice()).unwrap_or_default() {
            let Some(id) = own.map(|stage| &stage.id) else { continue };
            let values = self.values_back(&format!("{id}/{}", step.id), &to);
            if step.when.as_ref().is_some_and(|when| when.holds(&values) == Ok(false)) {
                continue;
            }
            let note = if step.affects.is_some() { " (only where no undo has done it)" } else { "" };
            if let Body::Action(action) = &step.body
                && let Ok(what) = described(action, &values)
            {
                lines.push(format!("then {id}/{}: {}{note}", step.id, what.lines().next().unwrap_or_default()));
            }
        }
        lines
    }

    /// Where `retreat` leads.
    fn target(&self, retreat: &Retreat) -> String {
        retreat.to.clone().unwrap_or_else(|| self.var("tag"))
    }

    /// What the undo of the step `key` sees on the way to `to`: the variables as they were when the step began.
    pub(super) fn values_back(&self, key: &str, to: &str) -> Values {
        let mut values = self.values(key, 1);
        let kept = self.run(|run| run.steps().get(key).map(|state| state.vars.clone())).unwrap_or_default();
        kept.into_iter().for_each(|(name, value)| values.set(name, value));
        values.set("direction", "back");
        values.set("rollback_to", to);
        values
    }

    /// The undo of the step `key`, as it would be run, and what makes it the same as another; nothing where it has none.
    pub(super) fn undo_text(&self, key: &str, to: &str) -> Result<(&Step, Option<UndoText>), Stop> {
        let (_, step) = self.find(key)?;
        let values = self.values_back(key, to);
        let failed = |why: String| Stop::failed("template", why);
        let Some(undo) = &step.undo else { return Ok((step, None)) };
        let what = described(undo, &values).map_err(failed)?;
        let dir = step.dir.as_ref().map(|dir| dir.render(&values)).transpose().map_err(failed)?;
        let (Settings { env, .. }, without) = Self::undo_settings(step, &values)?;
        let exact = undo.kind().identity(&values).map_err(failed)?;
        let whole = serde_json::json!([undo.name(), exact, undo.kind().named(&values.for_script()), dir, env]);
        Ok((step, Some(UndoText { what, identity: sha256(whole.to_string().as_bytes()), without })))
    }

    /// Turns the run back, from within: asks a person who sits there, once, with the whole plan.
    pub(super) async fn retreat(self: &Rc<Self>, reason: Option<String>) -> Result<(), Stop> {
        let retreat = Retreat { reason, ..Retreat::default() };
        if self.operator.presence() == Presence::Person {
            let answered = self.consent(&retreat).await?;
            self.commit(answered)?;
        }
        self.go_back(retreat).await
    }

    /// The same where the runbook says that nobody is asked.
    pub(super) async fn retreat_unasked(self: &Rc<Self>, reason: String) -> Result<(), Stop> {
        let retreat = Retreat { reason: Some(reason.clone()), ..Retreat::default() };
        let to = self.target(&retreat);
        self.show(Show::Warning(&format!("Rolling back to {to}, as the runbook says (on_breach: rollback): {reason}")));
        self.plan_lines(&retreat).iter().for_each(|line| self.show(Show::Info(line)));
        self.go_back(retreat).await
    }

    async fn go_back(&self, retreat: Retreat) -> Result<(), Stop> {
        self.turn_back(retreat)?;
        self.stop_watches();
        self.show_run();
        self.stop_commands(Halt::Rollback).await
    }

    /// Shows what a rollback would do and asks once. Nothing is written: the answer is handed back, to be committed.
    ///
    /// # Errors
    /// [`Stop`] where it is not wanted, or nobody answers.
    pub async fn consent(&self, retreat: &Retreat) -> Result<Event, Stop> {
        let to = self.target(retreat);
        let plan = self.plan_lines(retreat);
        self.warn_of_unwatched();
        self.warn_of_stop(Some(&to));
        self.show(Show::Warning(&format!("Rolling back to {to}:")));
        plan.iter().for_each(|line| self.show(Show::Info(line)));
        let question = Question {
            step: ROLLBACK.to_owned(),
            purpose: Purpose::Rollback,
            prompt: format!("Take production back to {to}? Type {to} to begin."),
            form: Form::Typed { expected: to },
            menu: vec![Way::Pause],
            rollback: Vec::new(),
            output: None,
            measured: Vec::new(),
        };
        loop {
            let answered = tokio::select! {
                biased;
                answer = self.operator.ask(&question) => answer,
                trouble = self.trouble() => match trouble {
                    Trouble::Stop(stop) => return Err(stop),
                    Trouble::Breach(..) => continue,
                },
            };
            let (step, purpose) = (question.step.clone(), question.purpose);
            match answered {
                Ok(answer) => return Ok(Event::PromptAnswered { step, purpose, question: question.prompt, answer }),
                Err(Unanswered::Missing) => {
                    return Err(Stop::Missing(format!("{step}: {} (yes)", question.prompt)));
                }
                Err(Unanswered::Menu { way, reason }) => return Err(Stop::Way { way, reason }),
                Err(Unanswered::Note(text)) => self.commit(Event::NoteAdded { text })?,
                Err(Unanswered::Interrupted(signal)) => return Err(Stop::Signal(signal)),
            }
        }
    }

    /// Begins the rollback that was consented to.
    ///
    /// # Errors
    /// [`Stop`] where it cannot be written down at all, or may not follow.
    pub fn begin_rollback(&self, consent: Event, retreat: Retreat) -> Result<(), Stop> {
        self.commit(consent)?;
        self.turn_back(retreat)
    }

    fn turn_back(&self, retreat: Retreat) -> Result<(), Stop> {
        let to = self.target(&retreat);
        self.commit(Event::RollbackStarted { to, reason: retreat.reason, blind: retreat.blind })
    }

    /// The commands that bring production back, as the runbook has them: what a person needs where the log is lost.
    #[must_use]
    pub fn commands_back(&self, retreat: &Retreat) -> Vec<String> {
        let to = self.target(retreat);
        let mut commands = Vec::new();
        for stage in &self.runbook.stages {
            for step in &stage.steps {
                let key = format!("{}/{}", stage.id, step.id);
                let what = match (&step.undo, &step.body) {
                    _ if step.affects.is_none() => continue,
                    (Some(undo), _) => described(undo, &self.values_back(&key, &to)),
                    (None, Body::Action(action)) if stage.trigger == Some(Trigger::Rollback) => {
                        described(action, &self.values_back(&key, &to))
                    }
                    _ => continue,
                };
                commands.extend(what.ok().filter(|what| !commands.contains(what)));
            }
        }
        commands
    }

    /// Whether production is being taken back, and to where.
    #[must_use]
    pub fn going_back_to(&self) -> Option<String> {
        (self.phase() == Phase::Back).then(|| self.var("rollback_to"))
    }
}

/// What an action would do, with what a shell would put in for the variables, so that the eye sees which version it is.
fn described(action: &Action, values: &Values) -> Result<String, String> {
    let what = action.kind().describe(values)?;
    let named = action.kind().named(&values.for_script());
    Ok(named.into_iter().fold(what, |text, (name, value)| {
        text.replace(&format!("\"${name}\""), &value).replace(&format!("${name}"), &value)
    }))
}
