//! The drill's sandbox: a throwaway world in which the whole procedure can be rehearsed.
//!
//! # Why
//! A rehearsal is worth something only where what it touches is real. So there is a real repository with a real remote, real
//! processes that serve what was deployed to them, a front that decides which of them users reach, and the procedure's scripts
//! under their own names; nothing of it needs more than git and a POSIX shell, and nothing outlives it.
//!
//! The servers are this program again, under subcommands that its help does not show (see [`command`]). They listen on the
//! loopback interface only and end by themselves once their directory is gone, or whoever made the sandbox: even one that is
//! killed leaves no process behind.

mod wire;
pub mod service;
mod client;
pub mod command;
mod contents;
pub mod sandbox;
mod visit;
pub mod failing;

pub use failing::Failing;
pub use sandbox::{Error, Sandbox};
