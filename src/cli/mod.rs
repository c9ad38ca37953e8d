//! The commands: parse, call, say how it went.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::git::{self, Prompts, Repository};
use crate::store::Store;
use crate::vars::Environment;

mod abort;
mod author;
mod began;
mod blind;
mod check;
mod choose;
mod console;
mod data;
mod detach;
mod drill;
mod drive;
mod failure;
mod glance;
mod hidden;
mod init;
mod list;
mod log;
mod note;
mod plan;
mod printed;
mod rehearse;
mod report;
mod resume;
mod rollback;
mod said;
mod score;
mod select;
mod start;
mod status;
mod verify;

use author::author;
use data::data;

/// How the program ended, as its exit code tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Finished, or a read-only command succeeded.
    Success = 0,
    /// An unexpected error.
    Error = 1,
    /// The command line is not understood.
    Usage = 2,
    /// The runbook is refused.
    Invalid = 3,
    /// The preflight failed.
    Preflight = 4,
    /// A step or gate failed, and the run is paused.
    Failed = 5,
    /// The operator declined: not worth a hotfix.
    Declined = 6,
    /// An answer is needed and there is nobody to give it; the run is paused.
    Unanswered = 7,
    /// Another process has the lock, another run is active, or a rollback has taken over.
    Locked = 8,
    /// The operator paused.
    Paused = 9,
    /// Production is rolled back.
    RolledBack = 10,
    /// The rollback failed or is incomplete.
    Incomplete = 11,
    /// The audit log does not hold: something in it is unreadable, unknown or changed.
    AuditFailed = 12,
    /// There is nothing to show.
    Nothing = 13,
    /// The terminal is gone.
    HungUp = 129,
    /// SIGINT, or Ctrl-C at a prompt.
    Interrupted = 130,
    /// SIGTERM.
    Terminated = 143,
}

impl Exit {
    const ALL: [Self; 17] = [
        Self::Success,
        Self::Error,
        Self::Usage,
        Self::Invalid,
        Self::Preflight,
        Self::Failed,
        Self::Declined,
        Self::Unanswered,
        Self::Locked,
        Self::Paused,
        Self::RolledBack,
        Self::Incomplete,
        Self::AuditFailed,
        Self::Nothing,
        Self::HungUp,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// What this exit code of the program means.
    fn of(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|exit| *exit as u8 == code)
    }
}

/// Walk a team through an emergency production fix, and keep the log of it
#[derive(Debug, Parser)]
#[command(name = "hotfix", version, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    look: console::Look,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fix production: begin a run for a tag and an issue
    Start(start::Arguments),
    /// Take up an interrupted run exactly where its log leaves it
    Resume(resume::Arguments),
    /// Take production back to the previous version
    Rollback(rollback::Arguments),
    /// End a run that will not be finished
    Abort(abort::Arguments),
    /// Show every step as it would run, and do nothing
    Plan(plan::Arguments),
    /// Write the built-in runbook into the repository, for editing
    Init(init::Arguments),
    /// Validate a runbook
    Check(check::Arguments),
    /// Print the JSON Schema of runbooks
    Schema,
    /// Show where a run stands, and what production runs as far as the log knows
    Status(status::Arguments),
    /// List all runs
    List(list::Arguments),
    /// Show the audit log of a run
    Log(log::Arguments),
    /// Add a line to the audit log of the active run
    Note(note::Arguments),
    /// Check the integrity of a run's audit log
    Verify(verify::Arguments),
    /// Write the incident report of a run
    Report(report::Arguments),
    /// Rehearse a whole hotfix in a throwaway sandbox
    Drill(drill::Arguments),
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// What a command says to end with an error.
#[derive(Debug)]
struct Trouble {
    exit: Exit,
    message: String,
}

impl Trouble {
    fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::new(Exit::Error, error.to_string())
    }
}

/// Runs the program with the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    hidden::run(&arguments).unwrap_or_else(|| ExitCode::from(run() as u8))
}

fn run() -> Exit {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Where even this cannot be printed there is nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Success };
        }
    };
    let result = match arguments.command {
        Command::Start(given) => start::run(&given, &arguments.look),
        Command::Resume(given) => resume::run(&given, &arguments.look),
        Command::Rollback(given) => rollback::run(&given, &arguments.look),
        Command::Abort(given) => abort::run(&given, &arguments.look),
        Command::Plan(given) => plan::run(&given, &arguments.look),
        Command::Init(given) => init::run(&given, &arguments.look),
        Command::Check(arguments) => check::run(&arguments),
        Command::Schema => check::schema(),
        Command::Status(arguments) => status::run(&arguments),
        Command::List(arguments) => list::run(&arguments),
        Command::Log(arguments) => log::run(&arguments),
        Command::Note(arguments) => note::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Drill(given) => drill::run(&given, &arguments.look),
        Command::Completions { shell } => completions(shell),
        Command::Man => man(),
    };
    result.unwrap_or_else(|trouble| {
        let _ = writeln!(said::stderr(), "hotfix: {}", trouble.message);
        trouble.exit
    })
}

fn completions(shell: clap_complete::Shell) -> Result<Exit, Trouble> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "hotfix", &mut text);
    data(|out| out.write_all(&text))?;
    Ok(Exit::Success)
}

fn man() -> Result<Exit, Trouble> {
    data(|out| clap_mangen::Man::new(Arguments::command()).render(out))?;
    Ok(Exit::Success)
}

/// The repository that this directory is in.
fn repository() -> Result<Repository, Trouble> {
    let here = std::env::current_dir()?;
    Repository::discover(&here, Environment::of_process(), Prompts::Never).map_err(|error| {
        let none = matches!(error, git::Error::NotARepository(_) | git::Error::Untrusted(_));
        let exit = if none { Exit::Nothing } else { Exit::Error };
        Trouble::new(exit, whole(&error))
    })
}

/// The root of the work tree that this directory is in.
fn work_tree() -> Result<PathBuf, Trouble> {
    Ok(repository()?.work_tree().to_owned())
}

/// Where the runs of the repository are that this directory is in.
fn store() -> Result<Store, Trouble> {
    Ok(Store::under(repository()?.common_dir()))
}

/// An error and what it came from, in one line.
fn whole(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
