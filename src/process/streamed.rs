//! Processes that go on writing, and whose output is wanted as it comes.

use std::io;
use std::time::Duration;

use super::captured::name;
use super::drive::{Outputs, Source, Watcher, drive};
use super::{Error, How, Spec};

/// After so many bytes it rests, so that one who writes without end leaves time for everything else: the keys, and what else is
/// watched.
const MUCH: usize = 256 * 1024;
const REST: Duration = Duration::from_millis(2);

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
    let ran = drive(spec, Outputs::Apart, &mut Hearer { hear, heard: 0 }).await;
    ran.map_err(|source| Error::Io { doing: doing(), source })
}

struct Hearer<F> {
    hear: F,
    /// How much it was since the last rest, in bytes.
    heard: usize,
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
        self.heard += bytes.len();
    }

    fn stop(&mut self) -> Option<String> {
        None
    }

    fn rest(&mut self) -> Option<Duration> {
        let much = self.heard >= MUCH;
        much.then(|| self.heard = 0).map(|()| REST)
    }
}
