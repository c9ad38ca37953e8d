//! The program: parse, run, return the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    hotfix::cli::main()
}
