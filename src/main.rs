//! The program: parse, run, return the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(hotfix::cli::run() as u8)
}
