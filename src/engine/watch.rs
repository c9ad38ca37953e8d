//! Gates that watch behind other steps.
//!
//! # Why
//! Once production is touched somebody has to look at it, and whoever fixes it has something else to do. What watches follows
//! from the journal, so that a run that is taken up again watches what it watched before; and it breaks in on whatever is asked.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::Engine;
use super::desk::StepDesk;
use super::place::Origin;
use crate::action::{Action, Behind, Context, Stop, Vigil, Watching};
use crate::clock::Timestamp;
use crate::gate::Past;
use crate::operator::{Presence, Show};
use crate::run::{Phase, Run, Status};
use crate::runbook::{Body, Trigger};
use crate::samples::{self, Sample, Seal};
use crate::template::Condition;

/// How often it is looked whether anything is watched.
const LOOK: Duration = Duration::from_millis(200);
/// How many readings a probe takes before it asks again, after somebody said that it is to go on.
pub(super) const BEARS: u32 = 3;

/// What watches.
#[derive(Debug, Default)]
pub(super) struct Watches {
    /// By step. One that has come to its end stays, and is not begun again.
    running: BTreeMap<String, Running>,
    /// Whether anything watched when the loop ended.
    pub(super) to_the_end: bool,
    /// Whether a reading could not be kept.
    lacks_samples: bool,
}

#[derive(Debug)]
struct Running {
    handle: AbortHandle,
    said: Rc<Said>,
    /// Whether it ends when another takes over.
    open: bool,
    mode: Mode,
}

impl Running {
    fn decides(&self) -> bool {
        self.mode == Mode::Deciding && !self.handle.is_finished()
    }
}

/// What passes between a watch and whoever asks the operator about it.
#[derive(Debug, Default)]
struct Said {
    /// Whether it has come to what nobody has answered yet.
    asks: Cell<bool>,
    /// That it is to go on after it asked.
    go_on: Notify,
}

/// What a watch is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// To come to something.
    Deciding,
    /// To measure on while somebody is asked.
    Quiet,
}

/// A step that is to watch.
#[derive(Clone, Debug)]
struct Wanted {
    key: String,
    /// Since when, where it lasts as long as it says.
    began: Option<Timestamp>,
    mode: Mode,
    /// How many readings it bears whatever they are.
    bears: u32,
}

impl Wanted {
    /// One that comes to something, from its first reading on.
    fn deciding(key: String, began: Option<Timestamp>) -> Self {
        Self { key, began, mode: Mode::Deciding, bears: 0 }
    }
}

impl Engine {
    /// Whether something was watched that is watched no more, because the loop has ended.
    #[must_use]
    pub fn left_unwatched(&self) -> bool {
        self.watches.borrow().to_the_end
    }

    /// Whether anything watches that may come to something.
    fn still_watches(&self) -> bool {
        self.watches.borrow().running.values().any(Running::decides)
    }

    /// Whether anything watches that would go on without a terminal: nobody has to answer it first.
    pub(super) fn would_watch_on(&self) -> bool {
        self.watches.borrow().running.values().any(|of| of.decides() && !of.said.asks.get())
    }

    /// Ends when nothing is watched any more, where the operator may come back; at once where they will not.
    pub(super) async fn wait_for_watches(&self) {
        while self.operator.presence() == Presence::Away && self.still_watches() {
            self.world.clock.sleep(LOOK).await;
        }
    }

    /// Begins what is to watch by now and does not yet. What that is follows from the journal alone.
    pub(super) fn start_watches(self: &Rc<Self>) {
        for wanted in self.wanted() {
            let before = self.watches.borrow().running.get(&wanted.key).map(|running| running.mode);
            if before == Some(wanted.mode) {
                continue;
            }
            if wanted.bears > 0 {
                self.show(Show::Info(&format!("{} watches on, behind the later steps.", wanted.key)));
            }
            let said = Rc::new(Said::default());
            let (engine, told, key) = (Rc::clone(self), Rc::clone(&said), wanted.key.clone());
            let (open, mode) = (wanted.began.is_none(), wanted.mode);
            let handle = tokio::task::spawn_local(async move {
                if let Err(stop) = engine.watch(&wanted, &told).await {
                    let why = if let Stop::Failed(failure) = stop { failure.message } else { format!("{stop:?}") };
                    engine.show(Show::Warning(&format!("{} does not watch: {why}", wanted.key)));
                }
            });
            let running = Running { handle: handle.abort_handle(), said, open, mode };
            if let Some(before) = self.watches.borrow_mut().running.insert(key, running) {
                before.handle.abort();
            }
        }
    }

    /// Watches for a step until that comes to its end. What is not as it should be is handed to whoever asks the operator, and
    /// looked at anew when the answer is to go on.
    async fn watch(&self, Wanted { key, began, mode, bears }: &Wanted, said: &Said) -> Result<(), Stop> {
        let (_, step) = self.find(key)?;
        let Body::Action(action) = &step.body else { return Ok(()) };
        let values = self.values(key, 1);
        let settings = Self::settings(step, &values)?;
        let place = self.place((step, action.kind()), self.files(key, 0), Origin::WorkTree, &values)?;
        let desk = StepDesk::new(self, key, Vec::new());
        let (values, settings, place, world) = (&values, &settings, &place, &self.world);
        let ctx = Context { values, settings, place, world, desk: &desk };
        let mut bears = *bears;
        while *mode == Mode::Deciding
            && let Some(watch) = action.kind().behind(&ctx, self.vigil(key, *began, (bears, Mode::Deciding)))
        {
            match watch.await {
                Ok(done) => {
                    // What was borne has been said.
                    if !done.result.contains_key("warning") {
                        self.show(Show::Info(&format!("{key}: what it watched is as it should be")));
                    }
                    return Ok(());
                }
                Err(stop @ (Stop::Failed(_) | Stop::Retreat(_))) => {
                    said.asks.set(true);
                    self.breaches.borrow_mut().push_back((key.clone(), stop));
                }
                // Whoever took over, or the signal that came, is heard of by itself.
                Err(Stop::Yielded(_) | Stop::Signal(_)) => return Ok(()),
                // A watch that cannot be written down does not end unsaid.
                Err(stop) => {
                    self.breaches.borrow_mut().push_back((key.clone(), stop));
                    return Ok(());
                }
            }
            // Whoever is asked may want to see whether it recovers.
            tokio::select! {
                biased;
                () = said.go_on.notified() => {}
                () = self.measure_on((key, *began), action, &ctx) => {}
            }
            said.asks.set(false);
            bears = BEARS;
        }
        if *mode == Mode::Quiet {
            self.measure_on((key, *began), action, &ctx).await;
        }
        Ok(())
    }

    /// Measures, and comes to nothing. It does not end by itself.
    async fn measure_on(&self, (key, began): (&str, Option<Timestamp>), action: &Action, ctx: &Context<'_>) {
        let quiet = action.kind().behind(ctx, self.vigil(key, began, (u32::MAX, Mode::Quiet)));
        if let Some(quiet) = quiet
            && let Err(stop) = quiet.await
            && !matches!(stop, Stop::Yielded(_) | Stop::Signal(_))
        {
            self.breaches.borrow_mut().push_back((key.to_owned(), stop));
        }
        std::future::pending::<()>().await;
    }

    /// Somebody has seen what the watch of the step `key` came to, and says that it is to go on.
    pub(super) fn watch_on(&self, key: &str) {
        if let Some(running) = self.watches.borrow().running.get(key) {
            running.said.go_on.notify_one();
        }
    }

    /// How the step `key` goes on watching: as whoever watched before left it.
    fn vigil(&self, key: &str, began: Option<Timestamp>, (bears, mode): (u32, Mode)) -> Vigil {
        let state = self.run(|run| run.step(key));
        let since = began.or(state.began_at).unwrap_or(Timestamp::from_millis(0));
        // What was counted for a decision does not count again.
        let decided = state.decided.map(|(at, _)| at);
        let past = samples::past(&self.paths.samples(), key, (since, decided)).unwrap_or_else(|error| {
            self.lack_samples(&error);
            Past::default()
        });
        let (gaps, decided, breach) = (state.gaps, state.decided, state.breach);
        Vigil { began, bears, past, gaps, decided, breach, quiet: mode == Mode::Quiet }
    }

    /// What is to watch now.
    fn wanted(&self) -> Vec<Wanted> {
        let first = self.runbook.stages.iter().position(|stage| stage.trigger == Some(Trigger::Rollback));
        let stages = match self.phase() {
            Phase::Forward => self.runbook.stages.as_slice(),
            // What watched before production was taken back is about another version.
            Phase::RolledBack => &self.runbook.stages[first.map_or(self.runbook.stages.len(), |at| at + 1)..],
            _ => return Vec::new(),
        };
        let touched = self.run(Run::touched_production);
        let mut wanted = Vec::new();
        let mut latest: Option<(Timestamp, Behind, Wanted)> = None;
        let begun = |run: &Run| -> Vec<_> {
            let steps = run.steps().iter().filter(|(_, state)| state.status != Status::Pending);
            steps.filter_map(|(key, state)| Some((key.clone(), state.status, state.began_at?))).collect()
        };
        for (key, status, began) in self.run(begun) {
            let Watching { behind, from_production } = self.watching(&key);
            let stage = key.split('/').next();
            // One that watches as long as it says does so once it is done, or not at all.
            let none = behind == Behind::Nothing || behind == Behind::FromItsStart && status != Status::Done;
            if none || !stages.iter().any(|of| Some(of.id.as_str()) == stage) {
                continue;
            }
            if behind == Behind::FromItsStart && (touched || !from_production) {
                wanted.push(Wanted::deciding(key.clone(), Some(began)));
            }
            if latest.as_ref().is_none_or(|(at, ..)| *at <= began) {
                let open = Wanted::deciding(key, None);
                let open = match status {
                    // What it came to is what is being asked.
                    Status::Failed => Wanted { mode: Mode::Quiet, ..open },
                    // Somebody has seen what it came to, and goes on.
                    Status::Skipped | Status::DoneByHand => Wanted { bears: BEARS, ..open },
                    _ => open,
                };
                latest = Some((began, behind, open));
            }
        }
        if !touched {
            return wanted;
        }
        wanted.extend(latest.filter(|(_, behind, _)| *behind == Behind::FromItsEnd).map(|(.., open)| open));
        if self.phase() == Phase::Forward {
            wanted.extend(self.first_ahead().map(|key| Wanted::deciding(key, None)));
        }
        wanted
    }

    /// The first step ahead whose probes begin as soon as production is touched.
    fn first_ahead(&self) -> Option<String> {
        let holds = |when: Option<&Condition>, key: &str| {
            when.is_none_or(|when| when.holds(&self.values(key, 1)).unwrap_or(false))
        };
        let steps = self.runbook.stages.iter().flat_map(|stage| stage.steps.iter().map(move |step| (stage, step)));
        let mut ahead = steps.filter_map(|(stage, step)| {
            let key = format!("{}/{}", stage.id, step.id);
            let pending = self.watching(&key).from_production
                && self.run(|run| run.step(&key).status) == Status::Pending
                && holds(stage.when.as_ref(), &key)
                && holds(step.when.as_ref(), &key);
            pending.then_some(key)
        });
        ahead.next()
    }

    fn watching(&self, key: &str) -> Watching {
        match self.find(key).map(|(_, step)| &step.body) {
            Ok(Body::Action(action)) => action.kind().watching(),
            _ => Watching::default(),
        }
    }

    /// The step `key` takes over from what watches until then, where it is one that watches.
    pub(super) fn take_over(&self, key: &str) {
        if self.watching(key).behind != Behind::Nothing {
            self.watches.borrow_mut().running.retain(|_, running| {
                if running.open {
                    running.handle.abort();
                }
                !running.open
            });
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
        let running = std::mem::take(&mut self.watches.borrow_mut().running);
        running.into_values().for_each(|running| running.handle.abort());
        self.breaches.borrow_mut().clear();
    }
}
