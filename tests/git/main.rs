//! The repository's operations on real repositories with a bare remote.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod attributes;
mod back;
mod changes;
mod desk;
mod differential;
mod hooks;
mod killed;
mod kinds;
mod operations;
mod picking;
mod rejected;
mod rerere;
mod sandbox;
mod signing;
mod snapshot;
mod submodules;
