//! The way forward: one step, its retries, and what a person says where it does not go on by itself.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Map;

use super::Engine;
use super::desk::StepDesk;
use super::place::Origin;
use crate::action::confirm::OnNo;
use crate::action::{
    Action, Asked, BACKGROUND, Context, Desk as _, Done, Failure, LOST, Place, Repetition, Settings, Stop, make_values,
};
use crate::event::Event;
use crate::operator::{Form, Outcome, Purpose, Show, Way};
use crate::run::{PRODUCTION, Phase, Reach, STANDBY, Status};
use crate::runbook::{Body, Group, Stage, Step, Trigger};
use crate::vars::Values;

/// How a step is come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// In its turn.
    First,
    /// Because a person said so, after a failure.
    Again,
    /// Unasked, after a failure.
    Retry,
}

/// One attempt at a step.
pub(super) struct Attempt<'a> {
    pub(super) key: &'a str,
    pub(super) number: u32,
    pub(super) step: &'a Step,
    pub(super) action: &'a Action,
    pub(super) values: Values,
    pub(super) settings: Settings,
    pub(super) place: Place,
}

impl Engine {
    /// Takes the step `key` in its turn.
    pub(super) async fn step(self: &Rc<Self>, key: &str, entry: Entry) -> Result<(), Stop> {
        match self.attempt(key, entry).await {
            Ok(()) => Ok(()),
            Err(stop) => self.settle(key, stop).await,
        }
    }

    async fn attempt(self: &Rc<Self>, key: &str, entry: Entry) -> Result<(), Stop> {
        let (stage, step) = self.find(key)?;
        let number = self.run(|run| run.step(key).attempts) + 1;
        let values = self.values(key, number);
        if let Some(reason) = self.left_out(key, (stage, step), &values)? {
            self.commit(Event::StepSkipped { step: key.to_owned(), reason: reason.clone() })?;
            self.outcome(key, Outcome::Skipped, &reason);
            return Ok(());
        }
        // A try unasked that was cut off before it began: what came before it may have done it all the same.
        if entry == Entry::First && self.run(|run| run.step(key).tries > 0) && self.has_happened(key, step).await? {
            return self.found_done(key);
        }
        self.show_step(key, step, &values);
        let action = match &step.body {
            Body::Action(action) => action,
            Body::Group(group) => return self.open_group(key, (step, group), number, &values).await,
        };
        let kind = action.kind();
        let settings = Self::settings(step, &values)?;
        let place = self.place((step, kind), self.files(key, number), self.origin(key), &values)?;
        let what = kind.describe(&values).map_err(|why| Stop::failed("template", why))?;
        if entry != Entry::Retry {
            self.ask_production((key, step), entry, &what).await?;
        }
        let mut given = values.for_script();
        given.extend(settings.env.iter().cloned());
        let mut evidence = self.evidence(kind, &place, kind.named(&given));
        self.add_tree(key, kind, &mut evidence);
        if kind.repetition() == Repetition::Supervised
            && let Err(error) = make_values(&place.files)
            && self.phase() == Phase::Forward
        {
            return Err(Stop::broken(error));
        }
        self.commit(Event::StepStarted { step: key.to_owned(), attempt: number, what, evidence })?;
        self.perform(Attempt { key, number, step, action, values, settings, place }).await
    }

    /// Whether the script of the step `key` has to be that of the release.
    pub(super) fn origin(&self, key: &str) -> Origin {
        let reach = self.run(|run| run.outline().step(key).map(|step| step.reach));
        if reach.is_some_and(Reach::is_production) { Origin::Release } else { Origin::WorkTree }
    }

    /// Why the step is left out, where it is.
    fn left_out(&self, key: &str, (stage, step): (&Stage, &Step), values: &Values) -> Result<Option<String>, Stop> {
        for when in [&stage.when, &step.when].into_iter().flatten() {
            let holds =
                when.holds(values).map_err(|why| Stop::failed("condition", format!("`{}`: {why}", when.text())))?;
            if !holds {
                return Ok(Some(format!("`{}` does not hold", when.text())));
            }
        }
        let reach = self.run(|run| run.outline().step(key).map(|step| step.reach));
        let restores = stage.trigger == Some(Trigger::Rollback) && reach == Some(Reach::Production);
        let restored = restores && self.phase() == Phase::Back && self.run(crate::run::Run::restored);
        Ok(restored.then(|| "the undo has brought production back".to_owned()))
    }

    /// Production is touched only by somebody who typed what they are about to release.
    async fn ask_production(&self, (key, step): (&str, &Step), entry: Entry, what: &str) -> Result<(), Stop> {
        let forward = self.phase() == Phase::Forward;
        // A group asks once for all it holds, but not for what is tried again.
        let asked = entry != Entry::Again && self.asked_by_group(key);
        let affects = step.affects.is_some() || self.asked_by_group(key);
        if !affects || !forward || asked {
            return Ok(());
        }
        let expected = self.var("new_tag");
        let standby = self.run(|run| run.outline().step(key).is_some_and(|step| step.reach == Reach::Standby));
        let touches = if standby { STANDBY } else { PRODUCTION };
        let prompt = format!("{touches}. Type {expected} to run:\n{what}");
        let asked = Asked { purpose: Purpose::Production, prompt, form: Form::Typed { expected } };
        StepDesk::new(self, key, self.menu(step)).ask(asked).await.map(drop)
    }

    /// Whether a group around the step has asked for it.
    fn asked_by_group(&self, key: &str) -> bool {
        let ends = key.match_indices('/').map(|(at, _)| &key[..at]).skip(1);
        ends.into_iter().any(|group| self.find(group).is_ok_and(|(_, step)| step.affects.is_some()))
    }

    async fn open_group(
        &self,
        key: &str,
        (step, group): (&Step, &Group),
        attempt: u32,
        values: &Values,
    ) -> Result<(), Stop> {
        let lines = group.steps.iter().filter_map(|step| match &step.body {
            Body::Action(action) => Some(format!("{}: {}", step.id, action.kind().describe(values).ok()?)),
            Body::Group(_) => Some(step.id.clone()),
        });
        let mut what = lines.collect::<Vec<_>>().join("\n");
        if let Some(repeat) = &group.repeat {
            what.push('\n');
            what.push_str(&repeat.words(values));
        }
        self.ask_production((key, step), Entry::First, &what).await?;
        let evidence = Map::new();
        self.commit(Event::StepStarted { step: key.to_owned(), attempt, what, evidence })
    }

    /// Does it, and writes down what came of it.
    pub(super) async fn perform(&self, attempt: Attempt<'_>) -> Result<(), Stop> {
        let Attempt { key, number, step, action, values, settings, place } = attempt;
        let desk = StepDesk::new(self, key, self.menu(step)).with_output(place.file(".log"));
        let ctx = Context { values: &values, settings: &settings, place: &place, world: &self.world, desk: &desk };
        self.take_over(key);
        let done = match action.kind().perform(&ctx).await {
            Ok(done) => self.verified(done, step, &ctx).await,
            // No end is made up: it has none, and what is to be done about that is found out as after an interruption.
            Err(Stop::Failed(failure)) if failure.reason == LOST => {
                self.show(Show::Warning(&failure.message));
                return Ok(());
            }
            stopped => stopped,
        };
        match done {
            Ok(Done { by_hand: Some(by_hand), .. }) => self.by_hand(key, by_hand.note),
            Ok(Done { result, set, .. }) => {
                let took = result.get("took_ms").and_then(serde_json::Value::as_u64);
                let warning = result.get("warning").map(crate::vars::text_of).unwrap_or_default();
                let watches = result.contains_key(BACKGROUND);
                self.commit(Event::StepDone { step: key.to_owned(), attempt: number, result, set })?;
                let took = took.map(std::time::Duration::from_millis);
                if watches {
                    self.outcome(key, Outcome::Watches, &self.watched_until(key, action, &values));
                } else {
                    self.show(Show::Outcome { key, how: Outcome::Done, detail: &warning, took });
                }
                Ok(())
            }
            Err(Stop::Failed(failure)) => self.failed(key, failure),
            Err(stop) => Err(stop),
        }
    }

    /// Until when the step `key` watches behind the others, in words; nothing where that has no end.
    fn watched_until(&self, key: &str, action: &Action, values: &Values) -> String {
        let began = self.run(|run| run.step(key).began_at).unwrap_or_else(|| self.now());
        let Some(until) = action.kind().lasts(values).map(|length| began.plus(length)) else { return String::new() };
        let time = until.local_time().chars().take(5).collect::<String>();
        if until.local_date() == self.now().local_date() { time } else { format!("{} {time}", until.local_date()) }
    }

    /// What must pass after the step.
    async fn verified(&self, done: Done, step: &Step, ctx: &Context<'_>) -> Result<Done, Stop> {
        let Some(verify) = &step.verify else { return Ok(done) };
        let mut values = ctx.values.clone();
        done.set.iter().for_each(|(name, value)| values.set(name.clone(), value.clone()));
        let (capture, success_exit) = Default::default();
        let settings = Settings { capture, success_exit, ..ctx.settings.clone() };
        let place = Place { files: ctx.place.file(".verify"), ..ctx.place.clone() };
        let ctx = Context { values: &values, settings: &settings, place: &place, ..*ctx };
        match verify.kind().perform(&ctx).await {
            Ok(_) => Ok(done),
            Err(Stop::Failed(failure)) => {
                let message = format!("it was done, but what must hold after it does not: {}", failure.message);
                Err(Stop::Failed(Failure { message, ..failure }))
            }
            Err(stop) => Err(stop),
        }
    }

    /// Writes a failure down, and whether it is tried again unasked.
    pub(super) fn failed(&self, key: &str, failure: Failure) -> Result<(), Stop> {
        let (_, step) = self.find(key)?;
        let state = self.run(|run| run.step(key));
        let attempt = if state.status == Status::Started {
            state.attempts
        } else {
            let (what, evidence) = (failure.message.clone(), Map::new());
            let attempt = state.attempts + 1;
            self.commit(Event::StepStarted { step: key.to_owned(), attempt, what, evidence })?;
            attempt
        };
        let again = self.is_tried_again(step, key, &failure);
        let (reason, message) = (failure.reason.to_owned(), failure.message);
        self.outcome(key, Outcome::Failed, &message);
        self.commit(Event::StepFailed { step: key.to_owned(), attempt, reason, message, again })
    }

    /// A timeout is tried again only where the runbook says so; what a person stopped never is.
    fn is_tried_again(&self, step: &Step, key: &str, failure: &Failure) -> bool {
        let tries = self.run(|run| run.step(key).tries);
        let own = matches!(failure.reason, "stopped" | LOST | "template" | "condition" | "no_answer" | "gate");
        if own || tries > step.retries {
            return false;
        }
        let Some(when) = &step.retry_on else { return !matches!(failure.reason, "timeout" | "inactivity") };
        let mut values = self.values(key, tries);
        for (name, otherwise) in
            [("exit_code", serde_json::Value::Null), ("timed_out", false.into()), ("output", "".into())]
        {
            values.set(name, failure.facts.get(name).cloned().unwrap_or(otherwise));
        }
        when.holds(&values).unwrap_or(false)
    }

    /// Every step of a turn has ended.
    pub(super) async fn turn(self: &Rc<Self>, group: &str, turn: u32) -> Result<(), Stop> {
        let (_, step) = self.find(group)?;
        let Body::Group(Group { repeat, .. }) = &step.body else { return Ok(()) };
        let attempt = self.run(|run| run.step(group).attempts);
        let over = match repeat {
            None => Ok(true),
            Some(repeat) => match repeat.until.as_ref().map(|until| until.holds(&self.values(group, attempt))) {
                Some(Ok(true)) => Ok(true),
                Some(Err(why)) => Err(why),
                _ if turn >= repeat.max.saturating_mul(attempt.max(1)) && repeat.until.is_none() => Ok(true),
                _ if turn >= repeat.max.saturating_mul(attempt.max(1)) => {
                    Err(format!("after {turn} turns it is not over, and no more are allowed"))
                }
                _ => Ok(false),
            },
        };
        match over {
            Ok(true) => {
                let (result, set) = (Map::from_iter([("turns".to_owned(), turn.into())]), BTreeMap::new());
                self.commit(Event::StepDone { step: group.to_owned(), attempt, result, set })
            }
            Ok(false) => match self.run(|run| run.first_of_turn(group, turn + 1)) {
                Some(first) => self.step(&first, Entry::First).await,
                None => Ok(()),
            },
            Err(why) => self.failed(group, Failure { reason: "repeat", message: why, facts: Map::new() }),
        }
    }

    /// What a stop means to the step `key`: where it is settled by that, the run goes on.
    pub(super) async fn settle(self: &Rc<Self>, key: &str, stop: Stop) -> Result<(), Stop> {
        match stop {
            Stop::Failed(failure) => self.failed(key, failure),
            Stop::Missing(question) if self.phase() == Phase::Back => {
                self.failed(key, Failure { reason: "no_answer", message: question, facts: Map::new() })
            }
            Stop::Way { way: Way::Skip, reason } => {
                let reason = reason.unwrap_or_default();
                self.commit(Event::StepSkipped { step: key.to_owned(), reason: reason.clone() })?;
                self.outcome(key, Outcome::Skipped, &reason);
                Ok(())
            }
            Stop::Way { way: Way::Done, reason } => self.by_hand(key, reason),
            Stop::Way { way: Way::Rollback, reason } => self.retreat(reason).await,
            Stop::Retreat(reason) if self.phase() == Phase::Forward => self.retreat_unasked(reason).await,
            Stop::Retreat(message) => self.failed(key, Failure { reason: "gate", message, facts: Map::new() }),
            Stop::No { does: OnNo::Rollback, prompt } => self.retreat(Some(format!("no to: {prompt}"))).await,
            Stop::No { does: OnNo::Decline, prompt } => {
                self.commit(Event::RunDeclined { reason: format!("no to: {prompt}") })?;
                Err(Stop::No { does: OnNo::Decline, prompt })
            }
            other => Err(other),
        }
    }

    pub(super) fn by_hand(&self, key: &str, note: Option<String>) -> Result<(), Stop> {
        let detail = note.clone().unwrap_or_default();
        self.commit(Event::StepDoneByHand { step: key.to_owned(), note })?;
        self.outcome(key, Outcome::ByHand, &detail);
        Ok(())
    }

    pub(super) fn outcome(&self, key: &str, how: Outcome, detail: &str) {
        self.show(Show::Outcome { key, how, detail, took: None });
    }

    pub(super) fn show_step(&self, key: &str, step: &Step, values: &Values) {
        let title = Self::shown(step.title.as_ref(), values).unwrap_or_else(|| step.id.clone());
        let guide = Self::shown(step.guide.as_ref(), values);
        self.show(Show::Step { key, title: &title, guide: guide.as_deref() });
    }

    /// What the menu offers at the step's own questions.
    pub(super) fn menu(&self, step: &Step) -> Vec<Way> {
        let mut ways = vec![Way::Done];
        if !step.required {
            ways.push(Way::Skip);
        }
        if self.phase() == Phase::Forward {
            ways.push(Way::Rollback);
        }
        ways.push(Way::Pause);
        ways
    }
}
