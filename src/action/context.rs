//! What an action works with, and what may come of it.
//!
//! # Why
//! An action writes no history and prints nothing. It asks, reports and shows through its [`Desk`], which writes each answer and
//! finding to the journal before the action learns that it is there.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::confirm::OnNo;
use super::notify::Channel;
use super::settings::Settings;
use crate::clock::{Clock, LocalFuture};
use crate::gate::Gap;
use crate::git::Repository;
use crate::http::Http;
use crate::mask::Masker;
use crate::operator::{Answer, Attention, Form, Presence, Purpose, Show, Signal, Way};
use crate::process::{Left, Limit, Loan};
use crate::template::Template;
use crate::vars::{Environment, Values};

/// Everything outside the program that actions touch, and what is the same for all of them.
pub struct World {
    /// The time.
    pub clock: Rc<dyn Clock>,
    /// The environment the program was started in.
    pub environment: Environment,
    /// The repository.
    pub repository: Repository,
    /// Requests.
    pub http: Http,
    /// This program, which supervises commands.
    pub exe: PathBuf,
    /// The names of the secrets among the environment variables.
    pub secrets: Vec<String>,
    /// Takes their values out of what is shown or written.
    pub masker: Masker,
    /// Where messages go.
    pub channels: BTreeMap<String, Channel>,
    /// How much of a command's output is kept.
    pub output_limit: Limit,
    /// The files that carry the version.
    pub version_files: Vec<Template>,
    /// Who drives the program.
    pub operator: String,
}

impl World {
    /// The values of the secrets that are set.
    #[must_use]
    pub fn secret_values(&self) -> Vec<String> {
        self.secrets.iter().filter_map(|name| self.environment.get(name)).map(str::to_owned).collect()
    }
}

/// Where an action works and leaves what it makes.
#[derive(Clone, Debug)]
pub struct Place {
    /// Where commands run.
    pub dir: PathBuf,
    /// What the files of this attempt are called, up to their endings.
    pub files: PathBuf,
}

impl Place {
    /// The file of this attempt with the ending `ending`.
    #[must_use]
    pub fn file(&self, ending: &str) -> PathBuf {
        crate::process::beside(&self.files, ending)
    }
}

/// One performance of an action.
pub struct Context<'a> {
    /// The values it sees.
    pub values: &'a Values,
    /// How it is performed.
    pub settings: &'a Settings,
    /// Where.
    pub place: &'a Place,
    /// What it touches.
    pub world: &'a World,
    /// Whom it talks to.
    pub desk: &'a dyn Desk,
}

/// Whom an action talks to.
pub trait Desk {
    /// Asks the operator. The answer is in the journal before it is handed back.
    fn ask(&self, asked: Asked) -> LocalFuture<'_, Result<Answer, Stop>>;

    /// Lends the operator's terminal to a command until it ends.
    fn lend<'a>(&'a self, loan: &'a Loan) -> LocalFuture<'a, Result<Left, Stop>>;

    /// Writes down what was found.
    ///
    /// # Errors
    /// Where it cannot be, or may not be any more.
    fn record(&self, finding: Finding) -> Result<(), Stop>;

    /// Keeps a reading of a probe beside the journal. One that cannot be kept stops nothing.
    fn sample(&self, probe: &str, value: &Value, outcome: &'static str);

    /// Shows something.
    fn show(&self, show: Show<'_>);

    /// Ends when a person wants something, when a signal comes, or when somebody else takes the run over.
    fn disturbance(&self) -> LocalFuture<'_, Disturbance>;

    /// The same with the keys left to whoever reads them, as `git` may: a person is heard only by a signal, and nothing is
    /// asked meanwhile.
    fn interruption(&self) -> LocalFuture<'_, Disturbance>;

    /// Lets the operator write a note for the log, or leave it.
    fn note(&self) -> LocalFuture<'_, Result<(), Stop>>;

    /// Whether a person answers.
    fn presence(&self) -> Presence;

    /// The tests of the stage `stage` that are done, with the files they were of.
    fn tested(&self, stage: &str) -> Vec<Test>;

    /// Where the journal stands, for a message that outlives it: `RUN SEQ SHA256`.
    fn anchor(&self) -> String;
}

/// A test that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// The step: `stage/step`.
    pub step: String,
    /// What it did, in a line.
    pub what: String,
    /// The commit that was checked out, where there was one.
    pub head: Option<String>,
    /// The tree of all files in the work tree when it began.
    pub tree: String,
}

/// A question of an action.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// What it is about.
    pub purpose: Purpose,
    /// Its text.
    pub prompt: String,
    /// What kind of answer fits.
    pub form: Form,
}

impl Asked {
    /// A question that is the step's own.
    pub fn own(prompt: impl Into<String>, form: Form) -> Self {
        Self { purpose: Purpose::Step, prompt: prompt.into(), form }
    }
}

/// What breaks in on an action.
#[derive(Debug)]
pub enum Disturbance {
    /// A person at the terminal.
    Attention(Attention),
    /// The action is not to go on.
    Stop(Stop),
}

/// What an action finds, for the journal.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// A second person approved.
    Approved {
        /// Who.
        approver: String,
        /// What they say to it.
        note: String,
    },
    /// A probe was read, and its outcome is another than before.
    Measured {
        /// The probe's name.
        probe: String,
        /// The reading.
        value: Value,
        /// `success`, `failure`, `inconclusive` or `error`.
        outcome: &'static str,
    },
    /// Nothing was measured for a time.
    Unmeasured(Gap),
    /// A gate came to its decision.
    Decided {
        /// `pass`, `fail`, `inconclusive` or `error`.
        decision: &'static str,
        /// In words.
        reason: String,
    },
    /// A message went out.
    Sent {
        /// The channel's name.
        channel: String,
        /// The message.
        text: String,
    },
    /// A message did not go out.
    NotSent {
        /// The channel's name.
        channel: String,
        /// Why.
        reason: String,
    },
}

/// What came of an action that succeeded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Done {
    /// What it says of itself.
    pub result: Map<String, Value>,
    /// The variables it gives.
    pub set: BTreeMap<String, Value>,
    /// That a person did it, and what they say to it.
    pub by_hand: Option<ByHand>,
}

/// That a person did it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByHand {
    /// What they did, where they say so.
    pub note: Option<String>,
}

impl Done {
    /// Success with one fact.
    pub fn with(name: &str, value: impl Into<Value>) -> Self {
        Self { result: Map::from_iter([(name.to_owned(), value.into())]), ..Self::default() }
    }

    /// Success that gives `value` to the variable `into`, where there is one.
    pub fn giving(into: Option<&String>, value: impl Into<Value>) -> Self {
        Self { set: into.map(|name| (name.clone(), value.into())).into_iter().collect(), ..Self::default() }
    }
}

/// Why an action did not come to its end.
#[derive(Debug)]
pub enum Stop {
    /// It failed.
    Failed(Failure),
    /// A person answered no.
    No {
        /// What that does.
        does: OnNo,
        /// To what.
        prompt: String,
    },
    /// A person chose another way for the step.
    Way {
        /// Which.
        way: Way,
        /// Why.
        reason: Option<String>,
    },
    /// There is nobody to answer this.
    Missing(String),
    /// A gate was breached for this reason, and the runbook says that production is taken back then.
    Retreat(String),
    /// A gate in the background was breached, and there is nobody to say what to do.
    Breached(String),
    /// A signal, or Ctrl-C at a prompt.
    Signal(Signal),
    /// The operator left the command running.
    Detached,
    /// Somebody else drives the run from now on.
    Yielded(String),
    /// The program itself cannot go on.
    Broken(Box<dyn Error>),
}

impl Stop {
    /// The program itself cannot go on.
    pub fn broken(error: impl Error + 'static) -> Self {
        Self::Broken(Box::new(error))
    }

    /// The action failed.
    pub fn failed(reason: &'static str, message: impl Into<String>) -> Self {
        Self::Failed(Failure { reason, message: message.into(), facts: Map::new() })
    }
}

/// The reason of a command whose supervisor died: nobody knows how it ended, or whether it did.
pub const LOST: &str = "lost";

/// How an action failed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Failure {
    /// In a word: `exit`, `signal`, `timeout`, `inactivity`, `stopped`, `not_started`, `expectation`, `request`, `git`, `conflict`, `waiting`, `gate`, ….
    pub reason: &'static str,
    /// In words.
    pub message: String,
    /// What `retry_on` reads: `exit_code`, `timed_out`, `output`.
    pub facts: Map<String, Value>,
}

/// What is asked while something is under way, and the ways on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pausing {
    prompt: &'static str,
    ways: &'static [Way],
}

/// Something that ends by itself.
pub(super) const WORK: Pausing =
    Pausing { prompt: "It is still under way. Wait for it, or stop it?", ways: &[Way::Wait, Way::Stop] };
/// A watch of production.
pub(super) const WATCH: Pausing = Pausing {
    prompt: "The watch goes on meanwhile. What now? (stop ends it as a failure of its step)",
    ways: &[Way::Wait, Way::Rollback, Way::Stop, Way::Pause],
};

/// Waits for `work`, which goes on while the operator is asked about what breaks in on it. What the operator wants stopped is
/// dropped.
///
/// # Errors
/// As `work`, or as what broke in.
pub(super) async fn watched<T>(
    ctx: &Context<'_>,
    pausing: Pausing,
    work: impl Future<Output = Result<T, Stop>>,
) -> Result<T, Stop> {
    let mut work = std::pin::pin!(work);
    let typing = Cell::new(false);
    loop {
        let mut attended = std::pin::pin!(attended(ctx, pausing, &typing));
        tokio::select! {
            biased;
            done = &mut work => {
                // Half a note is not lost to a watch that ends well.
                if done.is_ok() && typing.get() {
                    attended.await?;
                }
                return done;
            }
            went_on = &mut attended => went_on?,
        }
    }
}

/// Waits for what breaks in, and asks what is to be done about it; ends well where it is nothing.
async fn attended(ctx: &Context<'_>, pausing: Pausing, typing: &Cell<bool>) -> Result<(), Stop> {
    match ctx.desk.disturbance().await {
        Disturbance::Stop(stop) => return Err(stop),
        Disturbance::Attention(Attention::Note) => {
            typing.set(true);
            let noted = ctx.desk.note().await;
            typing.set(false);
            return noted;
        }
        Disturbance::Attention(Attention::Interrupt | Attention::Menu) => {}
    }
    let back = ctx.values.text("direction") == "back";
    let ways = pausing.ways.iter().copied().filter(|way| !back || *way != Way::Rollback);
    let (prompt, form) = (pausing.prompt.to_owned(), Form::Way(ways.collect()));
    match ctx.desk.ask(Asked { purpose: Purpose::Command, prompt, form }).await? {
        Answer::Way { way: Way::Stop, .. } => Err(Stop::failed("stopped", "stopped by the operator")),
        Answer::Way { way: way @ (Way::Rollback | Way::Pause), reason } => Err(Stop::Way { way, reason }),
        _ => Ok(()),
    }
}

/// Renders `template`; what cannot be worked out is the step's failure.
///
/// # Errors
/// [`Stop::Failed`].
pub(super) fn render(template: &Template, values: &Values) -> Result<String, Stop> {
    template.render(values).map_err(|why| Stop::failed("template", format!("`{}`: {why}", template.text())))
}
