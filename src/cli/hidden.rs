//! The commands that the program calls itself by. They are nobody else's and in no help.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use super::whole;
use crate::process::{SUPERVISE, TAKE_TERMINAL, supervise, take_terminal};

/// Runs what `arguments` name, where that is one of these commands.
pub(super) fn run(arguments: &[OsString]) -> Option<ExitCode> {
    if arguments.first().is_some_and(|word| word == SUPERVISE) {
        return Some(match supervise() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // Whoever started it may be gone: then nobody listens.
                let _ = writeln!(io::stderr(), "{}", whole(&error));
                ExitCode::FAILURE
            }
        });
    }
    if let Some((_, words)) = arguments.split_first().filter(|(word, _)| *word == TAKE_TERMINAL) {
        // Where all goes well it does not come back.
        take_terminal(words);
        return Some(ExitCode::FAILURE);
    }
    crate::drill::command::run(arguments)
}
