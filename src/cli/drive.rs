//! What start, resume, rollback and abort share: the engine put together, driven, and the last words.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::rc::Rc;

use super::console::{self, Console, Look};
use super::{Exit, Trouble, author, whole};
use crate::action::{Stop, World};
use crate::clock::{Clock as _, SystemClock};
use crate::engine::{Book, Ending, Engine};
use crate::event::Record;
use crate::git::{Prompts, Repository};
use crate::http::Http;
use crate::journal::{Author, Journal};
use crate::mask::Masker;
use crate::operator::{Presence, Signal};
use crate::run::{Outline, Phase, Run};
use crate::runbook::Runbook;
use crate::store::{DriverLock, Holder, RunPaths, Store};
use crate::vars::Environment;

/// The surroundings of a command that drives a run.
pub(super) struct Session {
    pub(super) environment: Environment,
    pub(super) repository: Repository,
    pub(super) store: Store,
    pub(super) by: String,
    pub(super) host: String,
    pub(super) look: Look,
    pub(super) answers: Option<PathBuf>,
    /// Whether nobody is there to answer, and somebody may come.
    pub(super) away: bool,
}

impl Session {
    /// The session of this process, in the repository it is in.
    pub(super) fn open(look: &Look, answers: Option<PathBuf>) -> Result<Self, Trouble> {
        let environment = Environment::of_process();
        let repository = super::repository()?;
        let (by, host) = author(&repository, &environment);
        let store = Store::under(repository.common_dir());
        Ok(Self { environment, repository, store, by, host, look: look.clone(), answers, away: false })
    }

    /// Takes the driver's lock for the run `id`, or says who has it.
    pub(super) fn lock(&self, id: &str) -> Result<DriverLock, Trouble> {
        self.store.lock(&self.holder(id)).map_err(|error| {
            let exit = if matches!(error, crate::store::StoreError::Locked(_)) { Exit::Locked } else { Exit::Error };
            let next = "\n`hotfix status` shows where it stands, `hotfix rollback` takes over from any terminal.";
            let next = if exit == Exit::Locked { next } else { "" };
            Trouble::new(exit, format!("{}{next}", whole(&error)))
        })
    }

    pub(super) fn holder(&self, id: &str) -> Holder {
        let holder = Holder::this_process(id, (&self.by, &self.host), SystemClock.now());
        Holder { detached: self.away, ..holder }
    }

    fn author(&self, id: &str, masker: &Masker) -> Author {
        Author { run: id.to_owned(), by: masker.text(&self.by), host: self.host.clone() }
    }

    /// The names of the secrets, and what takes their values out.
    pub(super) fn masker(&self, runbook: &Runbook) -> Result<(Vec<String>, Masker), Trouble> {
        let mut secrets = runbook.secrets.clone();
        secrets.extend(runbook.channels.values().filter_map(|channel| channel.url_env.clone()));
        let values: Vec<&str> = secrets.iter().filter_map(|name| self.environment.get(name)).collect();
        let masker = Masker::new(values).map_err(|error| Trouble::new(Exit::Error, error.to_string()))?;
        Ok((secrets, masker))
    }

    /// The engine over the run at `paths`, whose journal is good.
    pub(super) fn engine(&self, paths: RunPaths, runbook: Runbook) -> Result<Engine, Trouble> {
        let (_, masker) = self.masker(&runbook)?;
        let author = self.author(&paths.id, &masker);
        let opened = Journal::open(&paths.journal, author.clone());
        let (journal, records) = opened.map_err(|error| Trouble::new(Exit::AuditFailed, whole(&error)))?;
        let run = folded(&runbook, &records);
        let console = self.console(&run, &masker)?;
        let book = Book::new(journal, run, author, Rc::new(SystemClock), masker);
        self.assemble(book, runbook, console, paths)
    }

    /// The engine over a run whose journal cannot be used, as far as `records` tell of it.
    pub(super) fn engine_without_journal(
        &self,
        paths: RunPaths,
        runbook: Runbook,
        records: &[Record],
    ) -> Result<Engine, Trouble> {
        let run = folded(&runbook, records);
        let (_, masker) = self.masker(&runbook)?;
        let console = self.console(&run, &masker)?;
        let aside = paths.dir.join(crate::engine::ASIDE);
        let author = self.author(&paths.id, &masker);
        let book = Book::without_journal(run, author, Rc::new(SystemClock), masker, &aside);
        self.assemble(book, runbook, console, paths)
    }

    /// Who answers. `masker` takes the secrets out of the answers that stay on the screen.
    pub(super) fn console(&self, run: &Run, masker: &Masker) -> Result<Console, Trouble> {
        if self.away {
            return Ok(console::away(&self.look, &self.environment));
        }
        let known = run.outline().keys();
        let (look, environment) = (&self.look, &self.environment);
        console::open(look, environment, self.answers.as_ref(), (&known, run.answers_used()), masker)
    }

    fn assemble(&self, book: Book, runbook: Runbook, console: Console, paths: RunPaths) -> Result<Engine, Trouble> {
        let prompts = if console.0.presence() == Presence::Person { Prompts::Allowed } else { Prompts::Never };
        let repository = Repository::discover(self.repository.work_tree(), self.environment.clone(), prompts);
        let (secrets, masker) = self.masker(&runbook)?;
        let world = World {
            clock: Rc::new(SystemClock),
            environment: self.environment.clone(),
            repository: repository.map_err(|error| Trouble::new(Exit::Error, whole(&error)))?,
            http: Http::new(),
            exe: std::env::current_exe()?,
            secrets,
            masker,
            channels: runbook.channels.clone(),
            output_limit: runbook.output_limit,
            version_files: runbook.version_files.clone(),
            operator: self.by.clone(),
        };
        Ok(Engine::new(book, runbook, world, console, paths))
    }
}

fn folded(runbook: &Runbook, records: &[Record]) -> Run {
    let mut run = Run::new(Outline::of(runbook));
    records.iter().for_each(|record| run.apply(record));
    run
}

/// Runs `work` on a runtime of this thread.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    // A thread that a resolver or a file on a network holds up is not waited for.
    runtime.shutdown_background();
    Ok(done)
}

/// Drives `engine` and says how it went, and what to do next.
pub(super) fn drive(engine: Engine) -> Result<Exit, Trouble> {
    let engine = Rc::new(engine);
    let ending = block_on(Rc::clone(&engine).drive())?;
    let ending = ending.map_err(|error| {
        let next = if engine.is_on_disk() {
            "`hotfix resume` goes on from where the log ends, `hotfix rollback` takes production back"
        } else {
            "The log of this run is gone from the disk, and it cannot be taken up: put it back where there is a copy.\n`hotfix rollback --to TAG` takes production back without it"
        };
        Trouble::new(Exit::Error, format!("{}\n{next}", whole(error.as_ref())))
    })?;
    // Where nobody can be told, the exit code still says it.
    let _ = last_words(&engine, &ending);
    Ok(exit_of(&ending))
}

/// The exit code of an ending.
pub(super) fn exit_of(ending: &Ending) -> Exit {
    match ending {
        Ending::Finished => Exit::Success,
        Ending::Declined => Exit::Declined,
        Ending::Failed(_) => Exit::Failed,
        Ending::Unanswered(_) => Exit::Unanswered,
        Ending::Paused => Exit::Paused,
        Ending::RolledBack => Exit::RolledBack,
        Ending::Incomplete(_) => Exit::Incomplete,
        Ending::Yielded(_) => Exit::Locked,
        Ending::Signal(Signal::Int) => Exit::Interrupted,
        Ending::Signal(Signal::Term) => Exit::Terminated,
        Ending::Signal(Signal::Hup) => Exit::HungUp,
    }
}

fn last_words(engine: &Engine, ending: &Ending) -> io::Result<()> {
    let mut err = super::said::stderr();
    let id = engine.id();
    match ending {
        Ending::Finished => writeln!(err, "\nFinished. `hotfix report {id}` writes the incident report.")?,
        Ending::Declined => {
            writeln!(err, "\nNot a hotfix: recorded, and the run is over. Follow the normal release process.")?;
        }
        Ending::Failed(why) => writeln!(err, "\nPaused: {why}")?,
        Ending::Unanswered(question) => {
            writeln!(err, "\nPaused: an answer is needed and nobody is there to give it:\n  {question}")?;
        }
        Ending::Paused => writeln!(err, "\nPaused.{}", engine.runs_on())?,
        Ending::Signal(_) => writeln!(err, "\nInterrupted. Nothing is lost.{}", engine.runs_on())?,
        Ending::RolledBack => {
            writeln!(err, "\nRolled back.")?;
            if engine.phase() == Phase::RolledBack {
                writeln!(err, "  what is left:  hotfix resume {id}")?;
            }
            writeln!(err, "  the report:    hotfix report {id}")?;
        }
        Ending::Incomplete(left) => {
            writeln!(err, "\nTHE ROLLBACK IS NOT COMPLETE. A person is needed now. What was not done:")?;
            for line in left {
                writeln!(err, "  {line}")?;
            }
            writeln!(err, "Do it by hand, or try again:")?;
            writeln!(err, "  again:  hotfix rollback {id}")?;
        }
        Ending::Yielded(by) => {
            writeln!(err, "\nThis terminal has let go: {by} takes production back.")?;
            writeln!(err, "  watch:  hotfix log {id} --follow")?;
        }
    }
    if matches!(ending, Ending::Failed(_) | Ending::Unanswered(_) | Ending::Paused | Ending::Signal(_)) {
        writeln!(err, "  continue:   hotfix resume {id}")?;
        if engine.left_unwatched() {
            writeln!(err, "  watch on without a terminal:  hotfix resume {id} --detach")?;
        }
        writeln!(err, "  roll back:  hotfix rollback {id}")?;
    }
    Ok(())
}

/// What a stop outside the loop means to the program.
pub(super) fn trouble(engine: &Engine, stop: Stop) -> Trouble {
    let ending = match stop {
        Stop::Broken(error) => return Trouble::new(Exit::Error, whole(error.as_ref())),
        Stop::Failed(failure) => return Trouble::new(Exit::Failed, failure.message),
        Stop::Breached(reason) | Stop::Retreat(reason) => Ending::Failed(reason),
        Stop::Missing(question) => Ending::Unanswered(question),
        Stop::Signal(signal) => Ending::Signal(signal),
        Stop::Yielded(by) => Ending::Yielded(by),
        Stop::No { .. } | Stop::Way { .. } | Stop::Detached => Ending::Paused,
    };
    let said = match &ending {
        Ending::Unanswered(question) => format!("an answer is needed and nobody is there to give it:\n  {question}"),
        Ending::Yielded(by) => format!("{by} takes production back already"),
        _ => format!("nothing was done; run {} is as it was", engine.id()),
    };
    Trouble::new(exit_of(&ending), said)
}
