//! The commands: parse, call, say how it went.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

mod check;
mod hidden;
mod init;
mod verify;

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
    /// The audit log does not hold: something in it is unreadable, unknown or changed.
    AuditFailed = 12,
    /// There is nothing to show.
    Nothing = 13,
}

/// Walk a team through an emergency production fix, and keep the log of it
#[derive(Debug, Parser)]
#[command(name = "hotfix", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the built-in runbook into the repository, for editing
    Init(init::Arguments),
    /// Validate a runbook
    Check(check::Arguments),
    /// Print the JSON Schema of runbooks
    Schema,
    /// Check the integrity of a run's audit log
    Verify(verify::Arguments),
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
        Command::Init(arguments) => init::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Schema => check::schema(),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "hotfix", &mut io::stdout());
            Ok(Exit::Success)
        }
        Command::Man => man(),
    };
    result.unwrap_or_else(|trouble| {
        let _ = writeln!(io::stderr(), "hotfix: {}", trouble.message);
        trouble.exit
    })
}

fn man() -> Result<Exit, Trouble> {
    clap_mangen::Man::new(Arguments::command()).render(&mut io::stdout())?;
    Ok(Exit::Success)
}

/// The repository that this directory is in.
fn repository() -> Result<git2::Repository, Trouble> {
    let here = std::env::current_dir()?;
    git2::Repository::discover(&here).map_err(|error| {
        let message = format!("{} is in no git repository ({}): go to one", here.display(), error.message());
        Trouble::new(Exit::Nothing, message)
    })
}

/// The root of the work tree that this directory is in.
fn work_tree() -> Result<PathBuf, Trouble> {
    let repository = repository()?;
    let root = repository.workdir().map(PathBuf::from);
    root.ok_or_else(|| Trouble::new(Exit::Nothing, "this repository is bare: go to one with a work tree"))
}

/// An error and what it came from, in one line.
fn whole(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
