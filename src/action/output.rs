//! What a command wrote, shown and read back.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use super::Context;
use crate::clock::Timestamp;
use crate::operator::{Course, Show};
use crate::process::{Piece, Reader, not_kept};

/// How often it is written down how far the operator saw.
const NOTED: Duration = Duration::from_secs(1);
/// How much of an output that was not seen to its end is shown at least, and at most, in bytes.
const LEAST: u64 = 4096;
const MOST: u64 = 64 * 1024;
/// The longest text that an output is read into, in bytes, is twice this.
const TAIL: usize = 64 * 1024;

/// What the operator sees of a command's output, and how far they have seen it.
pub(super) struct View<'a> {
    ctx: &'a Context<'a>,
    line: Line,
    /// The offset behind what was shown, and what of that is written down.
    seen: u64,
    noted: Option<(u64, Timestamp)>,
    file: io::Result<File>,
}

/// Where in a line the output stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Begins,
    GoesOn,
}

impl<'a> View<'a> {
    /// The view of a command whose output is shown from `seen` on.
    pub(super) fn new(ctx: &'a Context<'a>, seen: u64) -> Self {
        let path = ctx.place.file(".seen");
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        Self { ctx, line: Line::Begins, seen, noted: None, file }
    }

    /// Shows `bytes`, which end at the offset `seen`.
    pub(super) fn show(&mut self, bytes: &[u8], seen: u64) {
        self.ctx.desk.show(Show::Output(bytes));
        self.line = if bytes.ends_with(b"\n") { Line::Begins } else { Line::GoesOn };
        self.seen = seen;
        let now = self.ctx.world.clock.now();
        if self.noted.is_none_or(|(_, at)| now.since(at) >= NOTED) {
            self.note(now);
        }
    }

    /// Says that so many bytes before the offset `seen` were not kept.
    pub(super) fn dropped(&mut self, bytes: u64, seen: u64) {
        self.say(&not_kept(bytes), seen);
    }

    /// Says that so many bytes before the offset `seen` are not shown.
    pub(super) fn skipped(&mut self, bytes: u64, seen: u64) {
        let (stage, step) = (self.ctx.values.text("stage"), self.ctx.values.text("step"));
        let place = match course(self.ctx) {
            Course::Forward => format!("`hotfix log --output {stage}/{step}` prints what was kept"),
            Course::Back | Course::RolledBack | Course::Stayed => {
                format!("see {}", self.ctx.place.file(".log").display())
            }
        };
        self.say(&format!("[… {bytes} bytes of output are not shown here: {place} …]"), seen);
    }

    fn say(&mut self, what: &str, seen: u64) {
        let before = if self.line == Line::GoesOn { "\n" } else { "" };
        self.show(format!("{before}{what}\n").as_bytes(), seen);
    }

    /// Writes down how far the operator has seen. Where that fails they see something twice: nothing worth a word.
    fn note(&mut self, now: Timestamp) {
        if self.noted.is_some_and(|(noted, _)| noted == self.seen) {
            return;
        }
        if let Ok(file) = &self.file {
            let _ = file.write_all_at(format!("{:020}\n", self.seen).as_bytes(), 0);
        }
        self.noted = Some((self.seen, now));
    }
}

impl Drop for View<'_> {
    fn drop(&mut self) {
        self.note(self.ctx.world.clock.now());
    }
}

fn course(ctx: &Context<'_>) -> Course {
    if ctx.values.text("direction") == "back" { Course::Back } else { Course::Forward }
}

/// How far the operator saw the output: an offset in it.
fn seen(ctx: &Context<'_>) -> Option<u64> {
    fs::read_to_string(ctx.place.file(".seen")).ok()?.trim().parse().ok()
}

/// The beginning of the line up to which the operator saw the output of a command that still runs.
pub(super) fn left_off(ctx: &Context<'_>) -> u64 {
    let reader = Reader::open(&ctx.place.file(".log"), 0);
    // What cannot be read is for whoever reads on to say.
    let seen = seen(ctx).and_then(|seen| Some(seen.min(reader.end().ok()?)));
    seen.and_then(|seen| reader.line_start(seen).ok()).unwrap_or(0)
}

/// Shows the end of the output of a command that ended while nobody looked: what was not seen, within limits.
pub(super) fn show_rest(ctx: &Context<'_>) {
    let log = ctx.place.file(".log");
    let Ok(end) = Reader::open(&log, 0).end() else { return };
    let from = seen(ctx).unwrap_or(0).min(end.saturating_sub(LEAST)).max(end.saturating_sub(MOST));
    ctx.desk.show(Show::Output(read(&log, from).unwrap_or_default().as_bytes()));
}

/// The last `most` bytes of the output at `log`, and the beginning of the line that they begin in.
pub(super) fn tail(log: &Path, most: u64) -> String {
    let end = Reader::open(log, 0).end();
    end.and_then(|end| read(log, end.saturating_sub(most))).unwrap_or_default()
}

/// The output at `log` from the line on that `from` is in.
fn read(log: &Path, from: u64) -> io::Result<String> {
    let mut reader = Reader::open(log, from);
    reader.seek(reader.line_start(from)?);
    let (mut bytes, mut buffer) = (Vec::new(), [0; 8192]);
    // What is written meanwhile does not make it longer than this.
    while bytes.len() < 2 * TAIL {
        match reader.read(&mut buffer)? {
            Piece::Bytes(n) => bytes.extend_from_slice(&buffer[..n]),
            Piece::Dropped(gap) => bytes.extend(format!("\n{}\n", not_kept(gap)).into_bytes()),
            Piece::End => break,
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
