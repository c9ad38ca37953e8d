//! `hotfix drill`.

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::console::{Lang, Look};
use super::drive::block_on;
use super::rehearse::{End, Rehearsal, Signals};
use super::select::{self, Selected};
use super::{Exit, Trouble, data, whole};
use crate::clock::brief;
use crate::drill::sandbox::TAG;
use crate::drill::{Failing, Sandbox};
use crate::report::{Tally, printable, tally};
use crate::run::Phase;
use crate::runbook::{BUILTIN_EN, BUILTIN_ZH, Runbook, Source, load};
use crate::vars::Environment;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Answer every question by itself
    #[arg(long)]
    auto: bool,
    /// Make this step fail, by stage/step or by its id
    #[arg(long, value_name = "STEP")]
    fail: Option<String>,
    /// Leave the sandbox there, its servers stopped
    #[arg(long)]
    keep: bool,
    /// How --auto deploys; by default in the first way that the step of --fail is part of
    #[arg(long, value_enum, requires = "auto")]
    strategy: Option<Strategy>,
}

/// A way of deploying.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Strategy {
    BlueGreen,
    Rolling,
    Direct,
}

impl Strategy {
    fn name(self) -> &'static str {
        match self {
            Self::BlueGreen => "blue-green",
            Self::Rolling => "rolling",
            Self::Direct => "direct",
        }
    }
}

pub(super) fn run(arguments: &Arguments, look: &Look) -> Result<Exit, Trouble> {
    let person = io::stdin().is_terminal() && io::stderr().is_terminal();
    if !arguments.auto && !person {
        let message = "the drill asks a person and there is none: run it at a terminal, or with --auto";
        return Err(Trouble::new(Exit::Unanswered, message));
    }
    block_on(drill(arguments, look))?
}

async fn drill(arguments: &Arguments, look: &Look) -> Result<Exit, Trouble> {
    // From here on a signal is an event, and what was made is removed.
    let mut signals = Signals::listen()?;
    let exe = std::env::current_exe()?;
    let temporary = tempfile::Builder::new().prefix("hotfix-drill-").tempdir()?;
    let sandbox = Sandbox::create(temporary.path(), &exe);
    let sandbox = sandbox.map_err(|error| Trouble::new(Exit::Error, whole(&error)))?;
    // It is the sandbox's to remove from now on.
    let _ = temporary.keep();
    let prepared = prepare(arguments, look, &sandbox)?;
    introduce(arguments, &sandbox, prepared.failing.as_ref())?;
    let rehearsal = Rehearsal {
        sandbox: &sandbox,
        look,
        exe,
        answers: prepared.answers,
        runbook: prepared.overlay,
        fails: prepared.failing.as_ref().map(|failing| failing.key().to_owned()),
    };
    let end = rehearsal.go(&mut signals).await;
    let score = Score::of(&sandbox, prepared.failing.as_ref()).await;
    sandbox.stop_commands().await;
    let dir = sandbox.dir().to_owned();
    let place = if arguments.keep {
        let dir = sandbox.keep();
        format!("kept, its servers stopped: cd {}; hotfix report", dir.join("repo").display())
    } else {
        let removed = sandbox.remove();
        removed.map_err(|error| Trouble::new(Exit::Error, format!("cannot remove {}: {error}", dir.display())))?;
        "removed".to_owned()
    };
    let end = end?;
    if let (Some(score), End::Over(_)) = (&score, &end) {
        data(|out| score.show(out, &place))?;
    } else {
        writeln!(io::stderr(), "The drill is over. {}: {place}", dir.display())?;
    }
    Ok(match end {
        End::Over(Exit::Success) if score.is_some_and(|score| score.rolled_back) => Exit::RolledBack,
        End::Over(exit) | End::Told(exit) => exit,
    })
}

/// What the run of the drill is started with.
struct Prepared {
    failing: Option<Failing>,
    answers: Option<PathBuf>,
    overlay: Option<PathBuf>,
}

fn prepare(arguments: &Arguments, look: &Look, sandbox: &Sandbox) -> Result<Prepared, Trouble> {
    let own = sandbox.repository().join(super::choose::OWN);
    let builtin = match look.language(&Environment::of_process()) {
        Lang::En => BUILTIN_EN,
        Lang::Zh => BUILTIN_ZH,
    };
    let loaded = |path: PathBuf| {
        let loaded = load(&Source::File(path), builtin);
        loaded.map(|loaded| loaded.runbook).map_err(|problems| Trouble::new(Exit::Invalid, problems.to_string()))
    };
    let runbook = loaded(own.clone())?;
    let named = arguments.fail.as_ref().map(|name| Failing::find(name, &runbook)).transpose();
    let failing = named.map_err(|refusal| Trouble::new(Exit::Usage, format!("--fail: {refusal}")))?;
    let strategy = strategy(arguments, failing.as_ref(), &runbook)?;
    let write = |name: &str, text: String| -> Result<PathBuf, Trouble> {
        let path = sandbox.dir().join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    };
    let overlay = failing.as_ref().and_then(|failing| failing.overlay(&own));
    let overlay = overlay.map(|text| write("runbook.yaml", text)).transpose()?;
    if let Some(path) = &overlay {
        loaded(path.clone())?;
    }
    let answers = arguments.auto.then(|| Sandbox::answers(strategy.name()));
    let answers = match (answers, &failing) {
        (Some(text), Some(failing)) => Some(failing.answers(&text).map_err(|error| Trouble::new(Exit::Error, error))?),
        (answers, _) => answers,
    };
    let answers = answers.map(|text| write("answers.yaml", text)).transpose()?;
    Ok(Prepared { failing, answers, overlay })
}

/// The strategy that is asked for, or the first under which the failing step comes up.
fn strategy(arguments: &Arguments, failing: Option<&Failing>, runbook: &Runbook) -> Result<Strategy, Trouble> {
    let Some(failing) = failing.filter(|_| arguments.auto) else {
        return Ok(arguments.strategy.unwrap_or(Strategy::BlueGreen));
    };
    let candidates = arguments.strategy.map_or_else(|| Strategy::value_variants().to_vec(), |one| vec![one]);
    let mut refused = None;
    for strategy in candidates {
        match failing.comes_up(runbook, strategy.name()) {
            Ok(()) => return Ok(strategy),
            Err(refusal) => refused = Some(refusal),
        }
    }
    let refused = refused.map(|refusal| refusal.to_string()).unwrap_or_default();
    Err(Trouble::new(Exit::Usage, format!("--fail: {refused}")))
}

fn introduce(arguments: &Arguments, sandbox: &Sandbox, failing: Option<&Failing>) -> io::Result<()> {
    let mut err = io::stderr().lock();
    let dir = sandbox.dir().display();
    writeln!(err, "THE DRILL. Production runs {TAG}, and its login lets anyone in, with any password.")?;
    let who = if arguments.auto { "A file of answers leads" } else { "You lead" };
    writeln!(
        err,
        "{who} the hotfix for issue 1234 from the alarm to the follow-up; app/login.sh of v1.2.2 was sound."
    )?;
    writeln!(err, "All of it is in {dir} and in servers on 127.0.0.1. Nothing else is touched.")?;
    if !arguments.auto {
        writeln!(err, "Another terminal takes part after:  . {}", sandbox.door().display())?;
    }
    if let Some(failing) = failing {
        writeln!(err, "{} is going to fail, as often as it is tried.", failing.key())?;
    }
    writeln!(err)
}

/// How the drill went.
struct Score {
    tally: Tally,
    rolled_back: bool,
    damage: Option<String>,
    /// The status of a login with a wrong password.
    login: Result<u16, String>,
    /// The step that was to fail and did not come up.
    spared: Option<String>,
}

impl Score {
    /// What the sandbox tells; `None` where no run began.
    async fn of(sandbox: &Sandbox, failing: Option<&Failing>) -> Option<Self> {
        let run = Selected::open(select::runs(&sandbox.store()).ok()?.pop()?);
        let runbook = run.runbook();
        let source = run.source(runbook.as_ref());
        let fold = source.run();
        let untried = |failing: &&Failing| {
            let mut tried = fold.steps().iter().filter(|(_, state)| state.attempts > 0);
            !tried.any(|(key, _)| crate::run::plain(key) == failing.key())
        };
        let back = |event: &crate::event::Event| matches!(event, crate::event::Event::RunRolledBack { .. });
        Some(Self {
            tally: tally(&source),
            rolled_back: fold.phase() == Phase::RolledBack || source.records.iter().any(|record| back(&record.event)),
            damage: run.damage.clone(),
            login: sandbox.wrong_login().await.map_err(|error| error.to_string()),
            spared: failing.filter(untried).map(|failing| failing.key().to_owned()),
        })
    }

    fn show(&self, out: &mut dyn Write, place: &str) -> io::Result<()> {
        let mut line = |name: &str, text: &str| writeln!(out, "{name:<18}{}", printable(text));
        let Tally { result, to_mitigate, done, by_hand, skipped, not_needed, failed, left } = &self.tally;
        line("Result", result)?;
        line("Time to mitigate", &to_mitigate.map_or_else(|| "production is not well".to_owned(), brief))?;
        let steps = format!(
            "{done} done, {by_hand} by hand, {skipped} skipped, {not_needed} not needed; {failed} failed attempts"
        );
        line("Steps", &steps)?;
        left.iter().try_for_each(|text| line("Left", text))?;
        if left.is_empty() {
            line("Left", "nothing")?;
        }
        let login = match &self.login {
            Ok(401) => "is refused in production".to_owned(),
            Ok(200) => "STILL LETS ANYONE IN in production".to_owned(),
            Ok(status) => format!("ends with status {status} in production"),
            Err(error) => format!("cannot be tried: {error}"),
        };
        line("A wrong password", &login)?;
        if let Some(damage) = &self.damage {
            line("The log is damaged", damage)?;
        }
        if let Some(key) = &self.spared {
            line("Did not come up", &format!("{key}, which was to fail"))?;
        }
        line("The sandbox", &format!("is {place}"))
    }
}
