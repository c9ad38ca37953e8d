//! The way forward, through the binary: every promise about the runbook language, answers and exit codes, with small
//! runbooks in fresh repositories.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod asking;
mod batches;
mod clock;
mod cut;
mod disk;
mod exits;
mod fields;
mod fixture;
mod flow;
mod kinds;
mod merging;
mod output;
mod picking;
mod preflight;
mod production;
mod repository;
mod secrets;
mod tested;
mod uv;
mod versions;
mod watching;
