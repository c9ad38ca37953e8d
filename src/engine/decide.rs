//! Where a step does not go on by itself: it failed, or nobody knows how it ended.

use std::rc::Rc;
use std::time::Duration;

use serde_json::Map;

use super::Engine;
use super::desk::StepDesk;
use super::place::Origin;
use super::steps::{Attempt, Entry};
use super::trouble::Trouble;
use crate::action::{
    Action, Asked, Context, Desk as _, Failure, LOST, Place, Repetition, Stop, has_happened, was_announced,
};
use crate::clock::brief;
use crate::event::{Cut, Event};
use crate::operator::{Answer, Form, Outcome, Purpose, Show, Way};
use crate::process::{self, Found};
use crate::run::{Phase, Status};
use crate::runbook::{Body, Step};

impl Engine {
    /// A step failed: tries it again, or asks.
    pub(super) async fn decide(self: &Rc<Self>, key: &str) -> Result<(), Stop> {
        let (_, step) = self.find(key)?;
        let state = self.run(|run| run.step(key));
        let failure = state.failure.clone().unwrap_or_default();
        if failure.again {
            return self.try_again(key, step, state.tries).await;
        }
        let back = self.phase() == Phase::Back;
        let mut ways = vec![Way::Retry, Way::Done];
        if !step.required && !back {
            ways.push(Way::Skip);
        }
        match self.phase() {
            Phase::Forward => ways.push(Way::Rollback),
            Phase::Back => ways.push(Way::Leave),
            _ => {}
        }
        ways.push(Way::Pause);
        let purpose = if back { Purpose::Undo } else { Purpose::Failure };
        let prompt = format!("{key} failed: {}", failure.message);
        if !back {
            self.show_so_far();
        }
        let desk =
            StepDesk::new(self, key, Vec::new()).with_output(process::beside(&self.files(key, state.attempts), ".log"));
        let answer = match desk.ask(Asked { purpose, prompt, form: Form::Way(ways) }).await {
            Err(Stop::Missing(_)) if back => return self.leave(key, failure.message),
            Err(Stop::Missing(_)) => return Err(Stop::failed("failed", format!("{key}: {}", failure.message))),
            // A watch that broke in has decided more than this question asks.
            Err(stop @ (Stop::Retreat(_) | Stop::Way { way: Way::Rollback, .. })) => {
                return self.settle(key, stop).await;
            }
            answer => answer?,
        };
        match answer {
            Answer::Way { way: Way::Retry, .. } => self.step(key, Entry::Again).await,
            Answer::Way { way: Way::Leave, .. } => self.leave(key, failure.message),
            Answer::Way { way, reason } => self.settle(key, Stop::Way { way, reason }).await,
            _ => Ok(()),
        }
    }

    fn leave(&self, key: &str, message: String) -> Result<(), Stop> {
        self.commit(Event::UndoFailed { step: key.to_owned(), message })
    }

    async fn try_again(self: &Rc<Self>, key: &str, step: &Step, tries: u32) -> Result<(), Stop> {
        let values = self.values(key, tries);
        let delay = Self::length(step.delay.as_ref(), &values)?.unwrap_or_default();
        let exponent = i32::try_from(tries.saturating_sub(1)).unwrap_or(i32::MAX);
        let factor = step.backoff.unwrap_or(1.0).powi(exponent);
        let delay = Duration::try_from_secs_f64(delay.as_secs_f64() * factor).unwrap_or(delay);
        let said = format!("{key} is tried again in {}, {} of {} times", brief(delay), tries, step.retries);
        self.show(Show::Info(&said));
        // What breaks in does not put it off.
        let due = self.now().plus(delay);
        loop {
            tokio::select! {
                biased;
                () = self.world.clock.sleep(due.since(self.now()).min(delay)) => break,
                trouble = self.trouble() => match trouble {
                    Trouble::Stop(stop) => return Err(stop),
                    Trouble::Breach(watch, stop) => {
                        if let Err(stop) = self.breached(&watch, stop).await {
                            return self.settle(key, stop).await;
                        }
                    }
                },
                falls = self.falls_due() => {
                    if let Err(stop) = self.attend(falls, &self.menu(step)).await {
                        return self.settle(key, stop).await;
                    }
                }
            }
        }
        if self.has_happened(key, step).await? {
            return self.found_done(key);
        }
        self.step(key, Entry::Retry).await
    }

    /// Whether `done_if` says that the step has happened.
    pub(super) async fn has_happened(&self, key: &str, step: &Step) -> Result<bool, Stop> {
        let (Some(command), Body::Action(action)) = (&step.done_if, &step.body) else { return Ok(false) };
        let values = self.values(key, self.run(|run| run.step(key).attempts));
        let settings = Self::settings(step, &values)?;
        let place = self.place((step, action.kind()), self.files(key, 0), Origin::WorkTree, &values)?;
        let desk = StepDesk::new(self, key, self.menu(step));
        let ctx = Context { values: &values, settings: &settings, place: &place, world: &self.world, desk: &desk };
        has_happened(command, &ctx).await
    }

    pub(super) fn found_done(&self, key: &str) -> Result<(), Stop> {
        let state = self.run(|run| run.step(key));
        let mut attempt = state.attempts;
        if state.status != Status::Started {
            attempt += 1;
            let (what, evidence) = ("done_if".to_owned(), Map::new());
            self.commit(Event::StepStarted { step: key.to_owned(), attempt, what, evidence })?;
        }
        let (result, set) = (Map::from_iter([("done_if".to_owned(), true.into())]), std::collections::BTreeMap::new());
        self.commit(Event::StepDone { step: key.to_owned(), attempt, result, set })?;
        self.outcome(key, Outcome::Done, "done_if says that it has happened already");
        Ok(())
    }

    /// A step began, and nobody saw its end: finds it, repeats it where that is harmless, or asks.
    pub(super) async fn unknown(self: &Rc<Self>, key: &str) -> Result<(), Stop> {
        let (_, step) = self.find(key)?;
        let Body::Action(action) = &step.body else { return Ok(()) };
        let number = self.run(|run| run.step(key).attempts);
        let status = process::beside(&self.files(key, number), ".status");
        let found = process::find(&status, 0).await.unwrap_or_else(|error| {
            self.show(Show::Warning(&format!("what became of the command of {key} cannot be read: {error}")));
            Some(Found::Lost { pgid: None })
        });
        let group = if let Some(Found::Lost { pgid }) = &found { *pgid } else { None };
        let known = match (found, action.kind().repetition()) {
            (Some(found @ (Found::Finished(_) | Found::Running(_))), _) => {
                let how = if matches!(found, Found::Running(_)) { "is still running" } else { "ended meanwhile" };
                self.show(Show::Info(&format!("the command of {key} {how}: it is taken up, not run again")));
                return self.take_up(key, step, action, number).await;
            }
            (Some(Found::NeverBegan), _) => Some(Cut::NotBegun),
            (None, Repetition::Question) => Some(Cut::Unanswered),
            (None, Repetition::Unasked) => Some(Cut::Harmless),
            (None, Repetition::Supervised) if !step.interactive && was_announced(&self.files(key, number)) => {
                Some(Cut::NotBegun)
            }
            _ => None,
        };
        if known.is_some() {
            return self.commit(Event::StepInterrupted { step: key.to_owned(), attempt: number, known });
        }
        if self.has_happened(key, step).await? {
            return self.found_done(key);
        }
        self.ask_unknown(key, number, group).await
    }

    async fn take_up(self: &Rc<Self>, key: &str, step: &Step, action: &Action, number: u32) -> Result<(), Stop> {
        let values = self.values(key, number);
        self.show_step(key, step, &values);
        let taken = async {
            // What has begun needs no values any more: one that is not there now is no failure of it.
            let settings = Self::settings(step, &values).or_else(|_| {
                let bare = Step { env: std::collections::BTreeMap::new(), ..step.clone() };
                Self::settings(&bare, &values)
            })?;
            let (kind, files) = (action.kind(), self.files(key, number));
            let place = self.place((step, kind), files.clone(), self.origin(key), &values);
            let place = place.unwrap_or_else(|_| Place { dir: self.world.repository.work_tree().to_owned(), files });
            self.perform(Attempt { key, number, step, action, values, settings, place }).await
        };
        match taken.await {
            Ok(()) => Ok(()),
            Err(stop) => self.settle(key, stop).await,
        }
    }

    async fn ask_unknown(self: &Rc<Self>, key: &str, attempt: u32, group: Option<i32>) -> Result<(), Stop> {
        let back = self.phase() == Phase::Back;
        let ways = vec![Way::Done, Way::Again, if back { Way::Leave } else { Way::Rollback }, Way::Pause];
        let group = group.map(|group| format!(" Its process group was {group}: it may still run.")).unwrap_or_default();
        let prompt = format!(
            "{key} began, and nobody knows how it ended.{group} Look, then say: is it done, or is it to run again?"
        );
        let desk = StepDesk::new(self, key, Vec::new()).with_output(process::beside(&self.files(key, attempt), ".log"));
        let asked = Asked { purpose: Purpose::Unknown, prompt, form: Form::Way(ways) };
        let lost = || Failure { reason: LOST, message: "nobody knows how it ended".to_owned(), facts: Map::new() };
        self.incident.lost.replace(Some(key.to_owned()));
        let answer = desk.ask(asked).await;
        self.incident.lost.replace(None);
        let answer = match answer {
            Err(Stop::Missing(_)) if back => return self.failed(key, lost()),
            // A watch that broke in has decided more than this question asks.
            Err(stop @ (Stop::Retreat(_) | Stop::Way { way: Way::Rollback, .. })) => {
                return self.settle(key, stop).await;
            }
            answer => answer?,
        };
        match answer {
            Answer::Way { way: Way::Again, .. } => {
                self.commit(Event::StepInterrupted { step: key.to_owned(), attempt, known: None })
            }
            Answer::Way { way: Way::Leave, .. } => {
                self.failed(key, lost())?;
                self.leave(key, lost().message)
            }
            Answer::Way { way, reason } => self.settle(key, Stop::Way { way, reason }).await,
            _ => Ok(()),
        }
    }
}
