//! `hotfix drill`.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::choose::OWN;
use super::console::{Lang, Look};
use super::drive::block_on;
use super::rehearse::{End, Rehearsal, Signals};
use super::score::Score;
use super::{Exit, Trouble, data, whole};
use crate::drill::failing::Refusal;
use crate::drill::sandbox::TAG;
use crate::drill::{Failing, Sandbox};
use crate::runbook::{BUILTIN_EN, BUILTIN_ZH, Builtin, Runbook, Source, load};
use crate::vars::Environment;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Answer every question by itself
    #[arg(long)]
    auto: bool,
    /// Make this step fail, by stage/step or by its id; `batch` lets the second batch of a rolling deployment make errors
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
    let plan = Plan::of(arguments, look)?;
    // From here on a signal is an event, and what was made is removed.
    let mut signals = Signals::listen()?;
    let exe = std::env::current_exe()?;
    let temporary = tempfile::Builder::new().prefix("hotfix-drill-").tempdir()?;
    let sandbox = Sandbox::create(temporary.path(), &exe);
    let sandbox = sandbox.map_err(|error| Trouble::new(Exit::Error, whole(&error)))?;
    // It is the sandbox's to remove from now on.
    let _ = temporary.keep();
    introduce(arguments, &sandbox, plan.failing.as_ref())?;
    let rehearsal = plan.rehearsal(&sandbox, look, exe)?;
    let end = match begins(arguments, &rehearsal, &mut signals).await {
        Ok(None) => rehearsal.go(&mut signals).await,
        Ok(Some(end)) => Ok(end),
        Err(trouble) => Err(trouble),
    };
    let score = Score::of(&sandbox, plan.failing.as_ref()).await;
    sandbox.stop_commands().await;
    let place = clear(arguments, sandbox)?;
    let end = end?;
    match (&score, end) {
        (Some(score), End::Over(exit)) => _ = data(|out| score.show(out, exit, &place))?,
        _ => writeln!(super::said::stderr(), "The drill is over. Its sandbox is {place}.")?,
    }
    Ok(match end {
        // Taken back from another terminal, the run of the drill itself yielded.
        End::Over(Exit::Success | Exit::Locked) if score.as_ref().is_some_and(|score| score.rolled_back) => {
            Exit::RolledBack
        }
        End::Over(exit) | End::Told(exit) => exit,
    })
}

/// Has a person read the introduction before anything scrolls it away.
async fn begins(
    arguments: &Arguments,
    rehearsal: &Rehearsal<'_>,
    signals: &mut Signals,
) -> Result<Option<End>, Trouble> {
    if arguments.auto { Ok(None) } else { rehearsal.begins(signals).await }
}

/// Removes the sandbox, or leaves it; tells which.
fn clear(arguments: &Arguments, sandbox: Sandbox) -> Result<String, Trouble> {
    let dir = sandbox.dir().to_owned();
    if arguments.keep {
        let repository = sandbox.keep().join("repo");
        return Ok(format!("kept, its servers are stopped: cd {}; hotfix report", repository.display()));
    }
    match sandbox.remove() {
        Ok(()) => Ok("removed".to_owned()),
        Err(error) => Err(Trouble::new(Exit::Error, format!("cannot remove {}: {error}", dir.display()))),
    }
}

/// What the drill is to be, before anything of it is made.
struct Plan {
    failing: Option<Failing>,
    /// The text of the file of answers, where one answers.
    answers: Option<String>,
    builtin: &'static Builtin,
}

impl Plan {
    fn of(arguments: &Arguments, look: &Look) -> Result<Self, Trouble> {
        let builtin = match look.language(&Environment::of_process()) {
            Lang::En => &BUILTIN_EN,
            Lang::Zh => &BUILTIN_ZH,
        };
        let source = Source::Text { name: "the drill's runbook".to_owned(), text: Sandbox::runbook().to_owned() };
        let runbook = loaded(&source, builtin)?;
        let refused = |refusal: Refusal| Trouble::new(Exit::Usage, format!("--fail: {refusal}"));
        let failing = arguments.fail.as_ref().map(|name| Failing::find(name, &runbook)).transpose();
        let failing = failing.map_err(refused)?;
        let answers = match (&failing, arguments.auto) {
            (_, false) => None,
            (None, true) => Some(Sandbox::answers(arguments.strategy.unwrap_or(Strategy::BlueGreen).name())),
            (Some(failing), true) => {
                let strategy = strategy(arguments, failing, &runbook).map_err(refused)?;
                let answers = failing.answers(&Sandbox::answers(strategy.name()));
                Some(answers.map_err(|error| Trouble::new(Exit::Error, error))?)
            }
        };
        Ok(Self { failing, answers, builtin })
    }

    /// Puts the files that it needs into the sandbox.
    fn rehearsal<'a>(&self, sandbox: &'a Sandbox, look: &'a Look, exe: PathBuf) -> Result<Rehearsal<'a>, Trouble> {
        let write = |name: &str, text: &str| -> Result<PathBuf, Trouble> {
            let path = sandbox.dir().join(name);
            std::fs::write(&path, text)?;
            Ok(path)
        };
        let own = sandbox.repository().join(OWN);
        let overlay = self.failing.as_ref().and_then(|failing| failing.overlay(&own));
        let runbook = overlay.map(|text| write("runbook.yaml", &text)).transpose()?;
        if let Some(path) = &runbook {
            loaded(&Source::File(path.clone()), self.builtin)?;
        }
        let answers = self.answers.as_ref().map(|text| write("answers.yaml", text)).transpose()?;
        let fails = self.failing.as_ref().map(|failing| failing.told().to_owned());
        Ok(Rehearsal { sandbox, look, exe, answers, runbook, fails })
    }
}

fn loaded(source: &Source, builtin: &Builtin) -> Result<Runbook, Trouble> {
    let loaded = load(source, builtin).map(|loaded| loaded.runbook);
    loaded.map_err(|problems| Trouble::new(Exit::Invalid, problems.to_string()))
}

/// The strategy that is asked for, or the first under which the failing step comes up.
fn strategy(arguments: &Arguments, failing: &Failing, runbook: &Runbook) -> Result<Strategy, Refusal> {
    let comes_up = |strategy: Strategy| failing.comes_up(runbook, strategy.name()).map(|()| strategy);
    if let Some(strategy) = arguments.strategy {
        return comes_up(strategy);
    }
    let [first, others @ ..] = [Strategy::BlueGreen, Strategy::Rolling, Strategy::Direct];
    others.into_iter().fold(comes_up(first), |found, strategy| found.or_else(|_| comes_up(strategy)))
}

fn introduce(arguments: &Arguments, sandbox: &Sandbox, failing: Option<&Failing>) -> io::Result<()> {
    let mut err = super::said::stderr();
    let dir = sandbox.dir().display();
    writeln!(err, "THE DRILL. Production runs {TAG}, and its login lets anyone in, with any password.")?;
    let who = if arguments.auto { "A file of answers leads" } else { "You lead" };
    writeln!(err, "{who} the hotfix for issue 1234 from the alarm to the follow-up. What mends the login:")?;
    writeln!(err, "  {}", Sandbox::fix_command())?;
    writeln!(err, "All of it is in {dir} and in servers on 127.0.0.1. Nothing else is touched.")?;
    if !arguments.auto {
        writeln!(err, "Another terminal takes part after:  . {}", sandbox.door().display())?;
    }
    if let Some(failing) = failing {
        writeln!(err, "{}", failing.announced())?;
    }
    writeln!(err)
}
