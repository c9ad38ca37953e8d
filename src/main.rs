//! The program: parse, run, return the exit code.

use std::io::Write;
use std::process::ExitCode;

use hotfix::process::{SUPERVISE, supervise};

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_none_or(|word| word != SUPERVISE) {
        return ExitCode::SUCCESS;
    }
    match supervise() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _nobody_listens = writeln!(std::io::stderr(), "{}", told(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error with all its sources, in one line.
fn told(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    std::iter::once(error.to_string()).chain(sources.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}
