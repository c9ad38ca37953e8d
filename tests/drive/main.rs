//! Whole runs from the command line, on the drill's real repository, remote, scripts and services.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod again;
mod back;
mod broken;
mod commit;
mod detach;
mod fixture;
mod git;
mod holes;
mod kept;
mod killed;
mod lent;
mod taken;
mod terminal;
mod watched;
mod whole;
