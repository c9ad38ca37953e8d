//! Small processes whose output is wanted at once.

use std::io;

use super::drive::{Outputs, Source, Watcher, drive};
use super::{Error, How, Spec};

/// What a small process did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// How it ended.
    pub how: How,
    /// The beginning of its standard output.
    pub stdout: Vec<u8>,
    /// The beginning of its standard error.
    pub stderr: Vec<u8>,
    /// How many bytes did not fit, of both.
    pub dropped: u64,
}

/// Runs `spec` and keeps at most `limit` bytes of each of its outputs. Dropped before its end, it kills the process.
///
/// # Errors
/// Where the system refuses pipes or the wait; a process that fails is not an error.
pub async fn run_captured(spec: &Spec, limit: usize) -> Result<Captured, Error> {
    let mut keeper = Keeper { limit, stdout: Vec::new(), stderr: Vec::new(), dropped: 0 };
    let doing = || format!("run {}", name(spec));
    let ran = drive(spec, Outputs::Apart, &mut keeper).await;
    let how = ran.map_err(|source| Error::Io { doing: doing(), source })?;
    Ok(Captured { how, stdout: keeper.stdout, stderr: keeper.stderr, dropped: keeper.dropped })
}

pub(super) fn name(spec: &Spec) -> &str {
    match &spec.program {
        super::Program::Shell(_) => "/bin/sh",
        super::Program::Direct(words) => words.first().map_or("", String::as_str),
    }
}

struct Keeper {
    limit: usize,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    dropped: u64,
}

impl Watcher for Keeper {
    fn spawned(&mut self, _pgid: i32) -> io::Result<()> {
        Ok(())
    }

    fn output(&mut self, source: Source, bytes: &[u8]) {
        let into = match source {
            Source::Stdout => &mut self.stdout,
            Source::Stderr => &mut self.stderr,
        };
        let fits = bytes.len().min(self.limit.saturating_sub(into.len()));
        into.extend_from_slice(&bytes[..fits]);
        self.dropped += u64::try_from(bytes.len() - fits).unwrap_or(u64::MAX);
    }

    fn stop(&mut self) -> Option<String> {
        None
    }
}
