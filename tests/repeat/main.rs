//! The program is killed at every step of git, at every moment that can be told from another: before and after each `git` that it
//! starts, while that goes on without it, with it in the middle of a change of a ref, and at random times. Taken up again it comes to
//! the end that it comes to undisturbed: the same refs and files, here and on the remote, no commit twice, no tag twice, no half push.
//!
//! `HOTFIX_SEED` (a number) begins with other random times. What fails names its seed.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]
#![expect(clippy::print_stdout, reason = "what was done is said")]

mod durable;
mod everywhere;
#[path = "../kills/random.rs"]
mod random;
mod randomly;
mod world;
