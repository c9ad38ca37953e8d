//! Whole runs from the command line, on the drill's real repository, remote, scripts and services.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod again;
mod away;
mod back;
mod behind;
mod broken;
mod clock;
mod commit;
mod detach;
mod fixture;
mod git;
mod holes;
mod kept;
mod killed;
mod lent;
mod picking;
mod strategies;
mod taken;
mod terminal;
mod watched;
mod whole;
