//! Gates that watch behind the later steps.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use tokio::task::AbortHandle;

use super::Engine;
use super::desk::StepDesk;
use super::place::Origin;
use crate::action::{Asked, Context, Desk as _, Stop};
use crate::operator::{Answer, Form, Presence, Purpose, Show, Way};
use crate::run::{Phase, Run, Status};
use crate::runbook::Body;
use crate::samples::{Sample, Seal};

/// How often it is looked whether anything is watched.
const LOOK: Duration = Duration::from_millis(200);

/// What watches, and what is to begin to.
#[derive(Debug, Default)]
pub(super) struct Watches {
    waiting: Vec<String>,
    running: BTreeMap<String, AbortHandle>,
    /// Whether anything watched when the loop ended.
    pub(super) to_the_end: bool,
    /// Whether a reading could not be kept.
    lacks_samples: bool,
}

impl Engine {
    /// The step is done: what goes on behind it begins with the next move.
    pub(super) fn to_watch(&self, key: &str) {
        self.watches.borrow_mut().waiting.push(key.to_owned());
    }

    /// Begins again what went on behind steps that are done.
    pub(super) fn watch_again(&self) {
        let done = |run: &crate::run::Run| -> Vec<String> {
            let done = run.steps().iter().filter(|(_, state)| state.status == Status::Done);
            done.map(|(key, _)| key.clone()).collect()
        };
        self.watches.borrow_mut().waiting = self.run(done);
    }

    /// Whether something was watched that is watched no more, because the loop has ended.
    #[must_use]
    pub fn left_unwatched(&self) -> bool {
        self.watches.borrow().to_the_end
    }

    /// Whether anything watches, or is about to.
    pub(super) fn watching(&self) -> bool {
        let watches = self.watches.borrow();
        !watches.waiting.is_empty() || watches.running.values().any(|watch| !watch.is_finished())
    }

    /// Ends when nothing is watched any more, where the operator may come back; at once where they will not.
    pub(super) async fn wait_for_watches(&self) {
        while self.operator.presence() == Presence::Away && self.watching() {
            self.world.clock.sleep(LOOK).await;
        }
    }

    pub(super) fn start_watches(self: &Rc<Self>) {
        let waiting = std::mem::take(&mut self.watches.borrow_mut().waiting);
        for key in waiting {
            let engine = Rc::clone(self);
            let Some(began) = self.run(|run| run.step(&key).began_at) else { continue };
            let name = key.clone();
            let handle = tokio::task::spawn_local(async move {
                let Ok((_, step)) = engine.find(&key) else { return };
                let Body::Action(action) = &step.body else { return };
                let values = engine.values(&key, 1);
                let (Ok(settings), Ok(place)) = (
                    Self::settings(step, &values),
                    engine.place((step, action.kind()), engine.files(&key, 0), Origin::WorkTree, &values),
                ) else {
                    return;
                };
                let desk = StepDesk::new(&engine, &key, Vec::new());
                let (values, settings, place, world) = (&values, &settings, &place, &engine.world);
                let ctx = Context { values, settings, place, world, desk: &desk };
                let Some(watch) = action.kind().behind(&ctx, began) else { return };
                match watch.await {
                    Ok(_) => engine.show(Show::Info(&format!("{key}: what it watched is as it should be"))),
                    Err(stop @ (Stop::Failed(_) | Stop::Way { .. })) => {
                        engine.breaches.borrow_mut().push_back((key.clone(), stop));
                    }
                    // The journal could not be written, or somebody took over: the loop learns of it by itself.
                    Err(_) => {}
                }
            });
            self.watches.borrow_mut().running.insert(name, handle.abort_handle());
        }
    }

    /// Keeps a reading. What cannot be kept is said once, and the watch goes on.
    pub(super) fn keep_sample(&self, (step, probe): (&str, &str), value: &Value, outcome: &str) {
        let (mut value, at) = (value.clone(), self.now());
        self.world.masker.value(&mut value);
        let sealed = self.run(Run::sealed_samples);
        let kept = self.samples.borrow_mut().add(&Sample { step, probe, at, value: &value, outcome }, sealed);
        if let Err(error) = kept {
            self.lack_samples(&error);
        }
    }

    /// What the journal is to have of the readings so far.
    pub(super) fn seal_samples(&self) -> Option<Seal> {
        let sealed = self.samples.borrow_mut().seal();
        sealed.unwrap_or_else(|error| {
            self.lack_samples(&error);
            None
        })
    }

    fn lack_samples(&self, error: &std::io::Error) {
        if !std::mem::replace(&mut self.watches.borrow_mut().lacks_samples, true) {
            self.show(Show::Warning(&format!("not every reading can be kept: {error}")));
        }
    }

    /// Ends everything that watches: production is being taken back.
    pub(super) fn stop_watches(&self) {
        let mut watches = self.watches.borrow_mut();
        watches.waiting.clear();
        std::mem::take(&mut watches.running).into_values().for_each(|handle| handle.abort());
        self.breaches.borrow_mut().clear();
    }

    /// A gate in the background was breached: asks what to do, unless the runbook says it.
    pub(super) async fn breached(&self, key: &str, stop: Stop) -> Result<(), Stop> {
        let reason = match stop {
            Stop::Failed(failure) => failure.message,
            other => return Err(other),
        };
        self.show(Show::Warning(&format!("{key}: {reason}")));
        let mut ways = vec![Way::Wait, Way::Pause];
        if self.phase() == Phase::Forward {
            ways.insert(0, Way::Rollback);
        }
        let prompt = format!("{key}: {reason}. Roll back, or go on watching?");
        let asked = Asked { purpose: Purpose::Command, prompt, form: Form::Way(ways) };
        match StepDesk::new(self, key, Vec::new()).ask(asked).await {
            Ok(Answer::Way { way: Way::Wait, .. }) => {
                self.to_watch(key);
                Ok(())
            }
            Ok(Answer::Way { way, .. }) => Err(Stop::Way { way, reason: Some(reason) }),
            Ok(_) => Ok(()),
            Err(Stop::Missing(_)) => Err(Stop::Breached(format!("{key}: {reason}"))),
            Err(stop) => Err(stop),
        }
    }
}
