//! The loop: asks the run what comes next, does it, and commits what happened.
//!
//! # Why
//! Start, resume and rollback are three doors into [`Engine::drive`]. The engine names no kind of action, knows no command and
//! prints nothing. A pause is a crash that was asked for: there is nothing to tidy up, because the journal is the state.

mod back;
mod behind;
mod book;
mod breach;
mod decide;
mod desk;
mod doors;
mod escalation;
mod halt;
mod place;
mod retreat;
mod steps;
mod trouble;
mod updates;
mod values;
mod watch;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::error::Error;
use std::rc::Rc;

pub use behind::{Unwatched, left_behind, unwatched};
pub use book::{Book, CommitError};
pub use doors::Aborted;
use halt::Halt;
pub use values::{Identity, declared, initial};

use crate::action::{Stop, World};
use crate::clock::Timestamp;
use crate::event::{Event, Record};
use crate::operator::{Course, Operator, Screen, Show, Signal};
use crate::run::{Next, Phase, Run};
use crate::runbook::{Body, Runbook, Stage, Step};
use crate::samples::Samples;
use crate::store::RunPaths;

/// The file in a run's directory that a rollback is recorded in where the journal cannot be written.
pub const ASIDE: &str = "journal.aside.jsonl";

/// Everything that drives one run.
pub struct Engine {
    book: RefCell<Book>,
    runbook: Rc<Runbook>,
    world: World,
    operator: Rc<dyn Operator>,
    screen: Rc<dyn Screen>,
    paths: RunPaths,
    trouble: trouble::Inbox,
    breaches: RefCell<VecDeque<(String, Stop)>>,
    /// The breach that a rollback was chosen for, until it begins.
    turned: RefCell<Option<(String, Stop)>>,
    incident: escalation::Incident,
    watches: RefCell<watch::Watches>,
    samples: RefCell<Samples>,
    /// Whether production was brought back while this engine drove.
    brought_back: Cell<bool>,
}

/// How driving a run came to an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything is done.
    Finished,
    /// The operator decided that no hotfix is needed.
    Declined,
    /// A step or a gate failed; the run is paused.
    Failed(String),
    /// There is nobody to answer a question; the run is paused.
    Unanswered(String),
    /// The operator paused it.
    Paused,
    /// Production is back.
    RolledBack,
    /// Something of the rollback is left: a person is needed now.
    Incomplete(Vec<String>),
    /// Somebody else drives the run from now on.
    Yielded(String),
    /// A signal; the run is paused.
    Signal(Signal),
}

/// Who begins a rollback, and to where.
#[derive(Clone, Debug, Default)]
pub struct Retreat {
    /// The version to go back to; the tag that was to be fixed where none is given.
    pub to: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Whether nothing is known of what was done, so that production counts as touched.
    pub blind: bool,
}

impl Engine {
    /// An engine over what its parts tell.
    #[must_use]
    pub fn new(
        book: Book,
        runbook: Runbook,
        world: World,
        (operator, screen): (Rc<dyn Operator>, Rc<dyn Screen>),
        paths: RunPaths,
    ) -> Self {
        let samples = RefCell::new(Samples::at(paths.samples()));
        Self {
            samples,
            book: RefCell::new(book),
            runbook: Rc::new(runbook),
            world,
            operator,
            screen,
            paths,
            trouble: trouble::Inbox::default(),
            breaches: RefCell::default(),
            turned: RefCell::default(),
            incident: escalation::Incident::default(),
            watches: RefCell::default(),
            brought_back: Cell::new(false),
        }
    }

    /// Drives the run until it is over, paused, or somebody else's.
    ///
    /// # Errors
    /// Where the program itself cannot go on.
    pub async fn drive(self: Rc<Self>) -> Result<Ending, Box<dyn Error>> {
        let local = tokio::task::LocalSet::new();
        let ending = async {
            let ending = Rc::clone(&self).driven().await;
            self.watches.borrow_mut().to_the_end = self.would_watch_on();
            ending
        };
        local.run_until(ending).await
    }

    async fn driven(self: Rc<Self>) -> Result<Ending, Box<dyn Error>> {
        self.trouble.listen()?;
        self.show_run();
        if self.phase() == Phase::RolledBack {
            self.show(Show::Info(&self.aftermath()));
        }
        if let Some(stage) = self.run(Run::open_stage).filter(|_| self.phase() != Phase::Back) {
            self.show_stage(&stage);
        }
        if self.phase() == Phase::Back
            && let Err(stop) = self.stop_commands(Halt::Rollback).await
        {
            return self.ending(stop);
        }
        loop {
            match self.advance().await {
                Ok(None) => {}
                Ok(Some(ending)) => return self.ended(ending),
                Err(stop) => return self.ending(stop),
            }
        }
    }

    /// One move.
    async fn advance(self: &Rc<Self>) -> Result<Option<Ending>, Stop> {
        self.escalate()?;
        self.start_watches();
        let breach = self.next_breach();
        if let Some((key, stop)) = breach
            && let Err(stop) = self.breached(&key, stop).await
        {
            self.settle(&key, stop).await?;
            return Ok(None);
        }
        self.attend_all().await?;
        match self.next() {
            Next::OpenStage(stage) => {
                self.commit(Event::StageStarted { stage: stage.clone() })?;
                self.show_stage(&stage);
            }
            Next::CloseStage(stage) => self.commit(Event::StageFinished { stage })?,
            Next::Step(key) => self.step(&key, steps::Entry::First).await?,
            Next::Turn { group, turn } => self.turn(&group, turn).await?,
            Next::Decide(key) => self.decide(&key).await?,
            Next::Unknown(key) => self.unknown(&key).await?,
            Next::Undo(key) => self.undo(&key).await?,
            Next::UndoUnknown(key) => self.undo_unknown(&key).await?,
            Next::RolledBack => return self.rolled_back().await,
            Next::Incomplete => return Ok(Some(Ending::Incomplete(self.left()))),
            Next::Finish => {
                self.commit(Event::RunFinished {})?;
                self.remove_worktrees();
                // What a rollback could not take back is not done because all else is.
                let left = self.left();
                return Ok(Some(match self.brought_back.get() {
                    _ if !left.is_empty() => Ending::Incomplete(left),
                    true => Ending::RolledBack,
                    false => Ending::Finished,
                }));
            }
            Next::Over => return Ok(Some(Ending::Finished)),
        }
        Ok(None)
    }

    /// What a stop means to the run as a whole.
    fn ending(&self, stop: Stop) -> Result<Ending, Box<dyn Error>> {
        let ending = match stop {
            Stop::Broken(error) => return Err(error),
            Stop::Failed(failure) => Ending::Failed(failure.message),
            Stop::Breached(reason) | Stop::Retreat(reason) => Ending::Failed(reason),
            Stop::Missing(question) => Ending::Unanswered(question),
            Stop::Signal(signal) => Ending::Signal(signal),
            Stop::Yielded(by) => Ending::Yielded(by),
            Stop::No { does: crate::action::confirm::OnNo::Decline, .. } => Ending::Declined,
            Stop::No { .. } | Stop::Way { .. } | Stop::Detached => Ending::Paused,
        };
        self.ended(ending)
    }

    /// Says in the journal that the run stops here, where it does.
    fn ended(&self, ending: Ending) -> Result<Ending, Box<dyn Error>> {
        // A run that is over takes no pause.
        if self.next() == Next::Over {
            return Ok(ending);
        }
        let reason = match &ending {
            Ending::Finished | Ending::Declined | Ending::Yielded(_) | Ending::RolledBack => return Ok(ending),
            Ending::Failed(why) => format!("failed: {why}"),
            Ending::Unanswered(question) => format!("nobody to answer: {question}"),
            Ending::Paused => "paused by the operator".to_owned(),
            Ending::Incomplete(left) => format!("the rollback is incomplete: {}", left.join(", ")),
            Ending::Signal(signal) => format!("{signal:?}").to_uppercase(),
        };
        match self.commit(Event::RunPaused { reason }) {
            Err(Stop::Yielded(by)) => Ok(Ending::Yielded(by)),
            Err(Stop::Broken(error)) => Err(error),
            Ok(()) | Err(_) => Ok(ending),
        }
    }

    fn next(&self) -> Next {
        self.book.borrow().run().next()
    }

    /// Looks at the run.
    fn run<T>(&self, look: impl FnOnce(&Run) -> T) -> T {
        look(self.book.borrow().run())
    }

    /// Writes `event` down, if it may follow, and takes in what others have written.
    fn commit(&self, event: Event) -> Result<(), Stop> {
        let aside = self.paths.dir.join(ASIDE);
        let open = self.run(Run::mitigated).is_none();
        let (sound, result) = {
            let mut book = self.book.borrow_mut();
            let sound = book.is_sound();
            let result = book.commit(event, &aside);
            (sound && !book.is_sound(), result)
        };
        if sound {
            let warning =
                format!("the audit log cannot be written; the rollback goes on and is recorded in {}", aside.display());
            self.screen.show(Show::Warning(&warning));
        }
        match result {
            Ok(news) => {
                // From then on nobody is called any more.
                if open && self.run(Run::mitigated).is_some() && self.phase() == Phase::Forward {
                    self.show_run();
                }
                self.tell(&news);
                Ok(())
            }
            Err(CommitError::Taken(by)) => Err(Stop::Yielded(by)),
            Err(error) => Err(Stop::broken(error)),
        }
    }

    /// Shows what others have written.
    fn tell(&self, news: &[Record]) {
        for record in news {
            if let Event::NoteAdded { text } = &record.event {
                // Who wrote it may not have had the secrets that are known here.
                self.show(Show::Info(&format!("{}: {text}", record.by)));
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    fn stage(&self, id: &str) -> Option<(usize, &Stage)> {
        self.runbook.stages.iter().enumerate().find(|(_, stage)| stage.id == id)
    }

    /// The stage and the step of `key`, which may be a repetition's.
    fn find(&self, key: &str) -> Result<(&Stage, &Step), Stop> {
        let plain = crate::run::plain(key);
        let mut parts = plain.split('/');
        let found = parts.next().and_then(|id| self.stage(id)).and_then(|(_, stage)| {
            let mut step = stage.steps.iter().find(|step| Some(step.id.as_str()) == plain.split('/').nth(1))?;
            for id in parts.skip(1) {
                let Body::Group(group) = &step.body else { return None };
                step = group.steps.iter().find(|step| step.id == id)?;
            }
            Some((stage, step))
        });
        found.ok_or_else(|| Stop::failed("runbook", format!("the runbook has no step {key}")))
    }

    fn course(&self) -> Course {
        if matches!(self.phase(), Phase::Back | Phase::RolledBack) { Course::Back } else { Course::Forward }
    }
}
