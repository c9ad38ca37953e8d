//! The clock of an incident: who is to be called when, and what those concerned are told, across restarts and whatever the
//! clock on the wall does.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod calls;
mod fixture;
mod news;
mod observe;
mod turned;
