//! The program: parse, run, return the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    hotfix::drill::command::run(&args).unwrap_or(ExitCode::SUCCESS)
}
