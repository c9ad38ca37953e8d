//! What a person at a terminal sees, and what their keys do: through a real pseudo-terminal.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod child;
mod forms;
mod guard;
mod leave;
mod pty;
mod screen;
mod text;
mod watch;
