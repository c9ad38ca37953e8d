//! Turning back: the plan, and the one question about it.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::desk::Held;
use super::halt::Halt;
use super::trouble::Trouble;
use super::{Engine, Retreat};
use crate::action::command::Capture;
use crate::action::{Action, Settings, Stop, given_so_far, in_words};
use crate::digest::sha256;
use crate::event::Event;
use crate::operator::{Answer, Form, Presence, Purpose, Question, Show, Unanswered, Way};
use crate::run::{Phase, Run, Status};
use crate::runbook::{Body, Step, Trigger};
use crate::vars::{Values, script_name, text_of};

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
            let so_far = self.so_far(&key).map(|words| format!("     {key} gave {words}"));
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
            lines.extend(so_far);
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
        if let Some(given) = self.given_by(key) {
            given.into_iter().for_each(|(name, value)| values.set(name, value));
        }
        values.set("direction", "back");
        values.set("rollback_to", to);
        values
    }

    /// What the step `key` gave to the variables that it captures, for its own undo: of one that did not succeed, what its command
    /// had given by then. Never what an earlier step of the same kind gave. `None` where it has not begun.
    fn given_by(&self, key: &str) -> Option<BTreeMap<String, Value>> {
        let (_, step) = self.find(key).ok()?;
        let state = self.run(|run| run.steps().get(key).filter(|state| state.attempts > 0).cloned())?;
        if state.status == Status::Done {
            let of = |name: &String| (name.clone(), state.vars.get(name).cloned().unwrap_or_default());
            return Some(step.capture.keys().map(of).collect());
        }
        let mut given = given_so_far(&self.files(key, state.attempts), &step.capture);
        let mask = |text: String| String::from_utf8_lossy(&self.world.masker.bytes(text.as_bytes())).into_owned();
        let of = |name: &String| (name.clone(), given.remove(name).map_or(Value::Null, |text| mask(text).into()));
        Some(step.capture.keys().map(of).collect())
    }

    /// How far the steps came that a rollback would undo, by what they gave: `deploy/batches/next.1: hosts = a, b`.
    pub(super) fn so_far(&self, key: &str) -> Option<String> {
        let (_, step) = self.find(key).ok()?;
        let given = self.given_by(key)?;
        let told = |name: &String| step.capture.get(name) == Some(&Capture::Output);
        let given = given.iter().filter(|(name, value)| told(name) && !value.is_null());
        let words = in_words(given.map(|(name, value)| (name, text_of(value))));
        (!words.is_empty()).then_some(words)
    }

    /// Says what of production has been deployed to, as far as the steps have told.
    pub(super) fn show_so_far(&self) {
        let plan = self.run(|run| run.undo_plan().into_iter().map(str::to_owned).collect::<Vec<_>>());
        for key in plan.iter().rev() {
            if let Some(words) = self.so_far(key) {
                self.show(Show::Info(&format!("so far {key}: {words}")));
            }
        }
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
            match self.agreed(&retreat, vec![Way::Return, Way::Pause]).await {
                Ok(answered) => self.commit(answered)?,
                Err(Stop::Way { way: Way::Return, .. }) => return self.stay(&retreat),
                Err(stop) => return Err(stop),
            }
        }
        self.go_back(retreat).await
    }

    /// No rollback after all: what was asked before is asked again, the breach first that led here.
    fn stay(&self, retreat: &Retreat) -> Result<(), Stop> {
        let (step, question) = (ROLLBACK.to_owned(), consents_to(&self.target(retreat)));
        let answer = Answer::No;
        self.commit(Event::PromptAnswered { step, purpose: Purpose::Rollback, question, answer })?;
        let breach = self.turned.borrow_mut().take();
        breach.into_iter().for_each(|breach| self.breaches.borrow_mut().push_front(breach));
        self.show(Show::Info("Nothing was undone. You are back where you were."));
        Ok(())
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
        self.agreed(retreat, vec![Way::Return]).await
    }

    async fn agreed(&self, retreat: &Retreat, menu: Vec<Way>) -> Result<Event, Stop> {
        let to = self.target(retreat);
        let plan = self.plan_lines(retreat);
        self.warn_of_unwatched();
        self.warn_of_stop(Some(&to));
        self.show(Show::Warning(&format!("What a rollback to {to} does:")));
        plan.iter().for_each(|line| self.show(Show::Info(line)));
        let question = Question {
            step: ROLLBACK.to_owned(),
            purpose: Purpose::Rollback,
            prompt: consents_to(&to),
            form: Form::Typed { expected: to },
            menu,
            output: None,
            measured: Vec::new(),
        };
        let mut held = Held::of(self);
        loop {
            let answered = tokio::select! {
                biased;
                answer = self.operator.ask(&question) => answer,
                trouble = self.trouble() => match trouble {
                    Trouble::Stop(stop) => return Err(stop),
                    // It is asked about behind this question, where that is not a yes.
                    Trouble::Breach(key, stop) => {
                        held.hold(&key, stop);
                        continue;
                    }
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
                // What a step gave is lost with the log: an undo that needs it would take back nothing, or something else.
                let own: Vec<_> = step.capture.keys().map(|name| (script_name(name), String::new())).collect();
                let needs_it = |undo: &Action| !undo.kind().named(&own).is_empty();
                let what = match (&step.undo, &step.body) {
                    _ if step.affects.is_none() => continue,
                    (Some(undo), _) if needs_it(undo) => continue,
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

/// The one question about a rollback to `to`.
fn consents_to(to: &str) -> String {
    format!("Take production back to {to}? Type {to} to begin. Until then nothing is undone: Esc leads back.")
}

/// What an action would do, with what a shell would put in for the variables, so that the eye sees which version it is.
fn described(action: &Action, values: &Values) -> Result<String, String> {
    let what = action.kind().describe(values)?;
    let named = action.kind().named(&values.for_script());
    Ok(named.into_iter().fold(what, |text, (name, value)| {
        text.replace(&format!("\"${name}\""), &value).replace(&format!("${name}"), &value)
    }))
}
