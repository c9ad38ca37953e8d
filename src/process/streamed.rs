//! Processes that go on writing, and whose output is wanted as it comes.

use std::io;

use super::captured::name;
use super::drive::{Outputs, Source, Watcher, drive};
use super::{Error, How, Spec};

/// Where a piece of output was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The standard output.
    Stdout,
    /// The standard error.
    Stderr,
}

/// Runs `spec` and hands each piece of what it writes to `hear`. Dropped before its end, it kills the process.
///
/// # Errors
/// Where the system refuses pipes or the wait; a process that fails is not an error.
pub async fn run_streamed(spec: &Spec, hear: impl FnMut(Stream, &[u8])) -> Result<How, Error> {
    let doing = || format!("run {}", name(spec));
    let ran = drive(spec, Outputs::Apart, &mut Hearer { hear }).await;
    ran.map_err(|source| Error::Io { doing: doing(), source })
}

struct Hearer<F> {
    hear: F,
}

impl<F: FnMut(Stream, &[u8])> Watcher for Hearer<F> {
    fn spawned(&mut self, _pgid: i32) -> io::Result<()> {
        Ok(())
    }

    fn output(&mut self, source: Source, bytes: &[u8]) {
        let stream = match source {
            Source::Stdout => Stream::Stdout,
            Source::Stderr => Stream::Stderr,
        };
        (self.hear)(stream, bytes);
    }

    fn stop(&mut self) -> Option<String> {
        None
    }
}
