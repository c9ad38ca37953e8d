//! The run of a drill: this program again, inside the sandbox, and what is done where it pauses.

use std::future::pending;
use std::io::{self, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::signal::unix::{self, SignalKind};

use super::console::{Lang, Look, When};
use super::select::{self, Selected};
use super::{Exit, Trouble};
use crate::clock::{Clock as _, SystemClock};
use crate::drill::Sandbox;
use crate::drill::sandbox::TAG;
use crate::operator::{Answer, Form, Operator as _, Purpose, Question, Signal, Unanswered};
use crate::run::Phase;
use crate::terminal::Terminal;
use crate::vars::Environment;

/// How long the run may take to pause when it is told to.
const GRACE: Duration = Duration::from_secs(5);
/// What may be chosen where the run is paused.
const CHOICES: [&str; 3] = ["resume", "roll back", "end the drill"];

/// What may be chosen before it begins.
const BEGIN: [&str; 2] = ["begin", "end the drill"];

/// What came of a question.
type Answered = Result<Answer, Unanswered>;

/// The signals that end a drill.
pub(super) struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hangup: unix::Signal,
}

impl Signals {
    /// Takes them from now on.
    pub(super) fn listen() -> io::Result<Self> {
        let [interrupt, terminate, hangup] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(unix::signal);
        Ok(Self { interrupt: interrupt?, terminate: terminate?, hangup: hangup? })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Int,
            _ = self.terminate.recv() => Signal::Term,
            _ = self.hangup.recv() => Signal::Hup,
        }
    }
}

/// How a rehearsal ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// As its run did.
    Over(Exit),
    /// By a signal.
    Told(Exit),
}

/// What is run inside the sandbox, and how.
pub(super) struct Rehearsal<'a> {
    pub(super) sandbox: &'a Sandbox,
    pub(super) look: &'a Look,
    pub(super) exe: PathBuf,
    /// The file of answers; a person answers where there is none.
    pub(super) answers: Option<PathBuf>,
    /// The runbook, where it is not the sandbox's own.
    pub(super) runbook: Option<PathBuf>,
    /// The step whose script fails.
    pub(super) fails: Option<String>,
}

impl Rehearsal<'_> {
    /// Starts the run and goes on with it, as long as a person wants to.
    pub(super) async fn go(&self, signals: &mut Signals) -> Result<End, Trouble> {
        let mut start =
            vec!["start".to_owned(), TAG.to_owned(), "1234".to_owned(), "--since".to_owned(), "now".to_owned()];
        for (flag, path) in [("--answers", &self.answers), ("--runbook", &self.runbook)] {
            start.extend(path.iter().flat_map(|path| [flag.to_owned(), path.display().to_string()]));
        }
        let mut end = self.child(&start, signals).await?;
        while let End::Over(exit) = end
            && self.answers.is_none()
            && self.is_open()
        {
            end = match self.ask(exit, signals).await? {
                Wish::Again => {
                    writeln!(super::said::stderr(), "Choose `end the drill` to end it; its sandbox goes with it.")?;
                    End::Over(exit)
                }
                Wish::Run(command) => self.child(&command, signals).await?,
                Wish::Note(text) => {
                    self.child(&["note".to_owned(), text], signals).await?;
                    End::Over(exit)
                }
                Wish::End => return Ok(End::Over(exit)),
                Wish::Told(signal) => End::Told(exit_of(signal)),
            };
        }
        Ok(end)
    }

    /// Waits until the person has read what the drill is about; gives its end where it is not to begin.
    pub(super) async fn begins(&self, signals: &mut Signals) -> Result<Option<End>, Trouble> {
        let prompt = "The incident's clock starts with the drill. Begin?";
        loop {
            let answer = match self.put(prompt, &BEGIN, signals).await? {
                Ok(answer) => answer,
                Err(signal) => return Ok(Some(End::Told(exit_of(signal)))),
            };
            return Ok(match answer {
                Ok(Answer::Text(text)) if text == BEGIN[0] => None,
                Err(Unanswered::Note(_)) => {
                    writeln!(super::said::stderr(), "There is no run yet that a note could be added to.")?;
                    continue;
                }
                Err(Unanswered::Interrupted(signal)) => Some(End::Told(exit_of(signal))),
                Ok(_) | Err(Unanswered::Missing | Unanswered::Menu { .. }) => Some(End::Told(Exit::Paused)),
            });
        }
    }

    /// Asks the person to choose; or gives the signal that came.
    async fn put(
        &self,
        prompt: &str,
        choices: &[&str],
        signals: &mut Signals,
    ) -> Result<Result<Answered, Signal>, Trouble> {
        let terminal = Terminal::open(self.look.settings(&Environment::of_process()))?;
        let question = Question {
            step: "drill".to_owned(),
            purpose: Purpose::Step,
            prompt: prompt.to_owned(),
            form: Form::Choice(choices.iter().map(|&choice| choice.to_owned()).collect()),
            menu: Vec::new(),
            output: None,
            measured: Vec::new(),
        };
        Ok(tokio::select! {
            answer = terminal.ask(&question) => Ok(answer),
            signal = signals.next() => Err(signal),
        })
    }

    /// Whether there is a run that is not over.
    fn is_open(&self) -> bool {
        let latest = select::runs(&self.sandbox.store()).unwrap_or_default().pop();
        let driven = |id: &str| select::driver(&self.sandbox.store(), &super::author::host(), id).is_some();
        latest.is_some_and(|run| driven(&run.id) || matches!(Selected::open(run).phase(), Phase::Forward | Phase::Back))
    }

    /// Asks what is to become of the run that is paused.
    async fn ask(&self, exit: Exit, signals: &mut Signals) -> Result<Wish, Trouble> {
        let door = self.sandbox.door();
        writeln!(
            super::said::stderr(),
            "\nInside the sandbox these commands go on, from here or from another terminal after"
        )?;
        writeln!(super::said::stderr(), "  . {}\n  hotfix resume\n  hotfix rollback\n  hotfix status", door.display())?;
        let prompt = match exit {
            Exit::Locked => "Another terminal drives the run now. When it is done there: how does the drill go on?",
            _ => "The run is paused. How does the drill go on?",
        };
        let answer = match self.put(prompt, &CHOICES, signals).await? {
            Ok(answer) => answer,
            Err(signal) => return Ok(Wish::Told(signal)),
        };
        let run = |command: &str| Wish::Run(vec![command.to_owned()]);
        Ok(match answer {
            Ok(Answer::Text(text)) if text == CHOICES[0] => run("resume"),
            Ok(Answer::Text(text)) if text == CHOICES[1] => run("rollback"),
            Err(Unanswered::Note(text)) => Wish::Note(text),
            Err(Unanswered::Interrupted(Signal::Int)) => Wish::Again,
            Err(Unanswered::Interrupted(signal)) => Wish::Told(signal),
            Ok(_) | Err(Unanswered::Missing | Unanswered::Menu { .. }) => Wish::End,
        })
    }

    /// Runs this program with `arguments` inside the sandbox. A signal is handed on, and anything but Ctrl-C ends the drill; so
    /// does that where nobody can be asked.
    async fn child(&self, arguments: &[String], signals: &mut Signals) -> Result<End, Trouble> {
        let mut child = self.spawn(arguments)?;
        let mut told = None;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status?,
                signal = signals.next() => {
                    hand_on(&child, signal);
                    told = told.filter(|before| *before != Signal::Int).or(Some(signal));
                }
                () = self.patience(told) => {
                    child.start_kill()?;
                    break child.wait().await?;
                }
            }
        };
        let exit = of_status(status);
        Ok(match told {
            Some(Signal::Int) if self.answers.is_none() => End::Over(exit),
            Some(signal) => End::Told(exit_of(signal)),
            None => End::Over(exit),
        })
    }

    /// Ends when a child that was told to end has had its time. After Ctrl-C a person may take theirs.
    async fn patience(&self, told: Option<Signal>) {
        match told {
            None => pending().await,
            Some(Signal::Int) if self.answers.is_none() => pending().await,
            Some(_) => SystemClock.sleep(GRACE).await,
        }
    }

    fn spawn(&self, arguments: &[String]) -> io::Result<Child> {
        let mut command = self.sandbox.command(&self.exe);
        command.arg("drill-run").args(self.flags()).args(arguments);
        if self.answers.is_none() {
            command.stdin(Stdio::inherit());
        }
        if let Some(key) = &self.fails {
            command.env("HOTFIX_DRILL_FAIL", key);
        }
        Command::from(command).kill_on_drop(true).spawn()
    }

    /// How the program looks, handed on.
    fn flags(&self) -> Vec<&'static str> {
        let color = match self.look.color {
            When::Auto => "auto",
            When::Always => "always",
            When::Never => "never",
        };
        let lang = match self.look.language(&Environment::of_process()) {
            Lang::En => "en",
            Lang::Zh => "zh-CN",
        };
        let mut flags = vec!["--color", color, "--lang", lang];
        flags.extend(self.look.quiet.then_some("--quiet"));
        flags
    }
}

/// What is to become of a paused run.
enum Wish {
    Run(Vec<String>),
    Note(String),
    /// Ctrl-C: no choice.
    Again,
    End,
    Told(Signal),
}

/// Sends `signal` to the child, by its id, which is its own as long as nobody has waited for it.
fn hand_on(child: &Child, signal: Signal) {
    let signal = match signal {
        Signal::Int => rustix::process::Signal::INT,
        Signal::Term => rustix::process::Signal::TERM,
        Signal::Hup => rustix::process::Signal::HUP,
    };
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It may end this moment by itself, which is as good.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

fn exit_of(signal: Signal) -> Exit {
    match signal {
        Signal::Int => Exit::Interrupted,
        Signal::Term => Exit::Terminated,
        Signal::Hup => Exit::HungUp,
    }
}

/// How this program ended, as its exit code tells.
fn of_status(status: ExitStatus) -> Exit {
    const ALL: [Exit; 17] = [
        Exit::Success,
        Exit::Error,
        Exit::Usage,
        Exit::Invalid,
        Exit::Preflight,
        Exit::Failed,
        Exit::Declined,
        Exit::Unanswered,
        Exit::Locked,
        Exit::Paused,
        Exit::RolledBack,
        Exit::Incomplete,
        Exit::AuditFailed,
        Exit::Nothing,
        Exit::HungUp,
        Exit::Interrupted,
        Exit::Terminated,
    ];
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    ALL.into_iter().find(|exit| Some(i32::from(*exit as u8)) == code).unwrap_or(Exit::Error)
}
