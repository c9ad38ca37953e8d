//! Every reading of a run's probes, one JSON object a line: `step`, `probe`, `at`, `value`, `outcome`.
//!
//! # Why
//! The journal has the readings that changed something; what there is to be drawn is here. The file is bounded by thinning and
//! never by memory: of a probe that has more than its share, every second sample of the older half goes, so that what is older
//! is sparser and its course can still be seen. A share is [`SHARE`], less where there are many probes, so that all of them
//! together have about [`ALL`]. When a gate decides, the journal takes the digest of everything up to then; what it covers is
//! sealed and is not thinned any more, so that the digest holds for good.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::gate::{Measurement, Past};

/// How many samples a probe has at most that are not sealed.
pub const SHARE: u64 = 4096;
/// How many samples all probes together have, about, that are not sealed: some 25 MB.
pub const ALL: u64 = 200_000;
/// What a probe has however many there are.
const LEAST: u64 = 64;
/// What follows the name of the probe in a line. In a text it would have backslashes.
const AFTER_NAME: &[u8] = b",\"at\":\"";

/// One reading.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample<'a> {
    /// The step: `stage/step`.
    pub step: &'a str,
    /// The probe's name.
    pub probe: &'a str,
    /// When it was read.
    pub at: Timestamp,
    /// What was read.
    pub value: &'a Value,
    /// `success`, `failure`, `inconclusive` or `error`.
    pub outcome: &'a str,
}

/// What the journal has of the samples: the beginning of their file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// How many samples there were.
    pub count: u64,
    /// How long the file was, in bytes.
    pub bytes: u64,
    /// SHA-256 of it, in hex.
    pub sha256: String,
}

/// The file with the samples of one run. There is one writer: whoever drives the run.
#[derive(Debug)]
pub struct Samples {
    path: PathBuf,
    file: Option<File>,
    /// How long the file is, and how many samples it has.
    bytes: u64,
    count: u64,
    /// How much of it is not touched any more, in bytes.
    sealed: u64,
    seal: Option<Seal>,
    /// How many samples each probe has beyond that, by the beginnings of their lines.
    open: HashMap<Box<[u8]>, u64>,
}

impl Samples {
    /// The samples at `path`. Nothing is opened before there is one.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path, file: None, bytes: 0, count: 0, sealed: 0, seal: None, open: HashMap::new() }
    }

    /// Adds one; `sealed` is how much of the file the journal has a digest of, in bytes.
    ///
    /// # Errors
    /// Where it cannot be written. It is not there then, and nothing else is lost.
    pub fn add(&mut self, sample: &Sample<'_>, sealed: u64) -> io::Result<()> {
        let mut line = serde_json::to_vec(sample)?;
        line.push(b'\n');
        if self.file.is_none() {
            self.open(sealed)?;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        if let Err(error) = file.write_all(&line) {
            // What was written of the line goes with the next opening at the latest.
            let _ = file.set_len(self.bytes);
            self.file = None;
            return Err(error);
        }
        self.bytes += line.len() as u64;
        self.count += 1;
        let key = key(&line);
        let of_this = match self.open.get_mut(key) {
            Some(count) => count,
            None => self.open.entry(key.into()).or_default(),
        };
        *of_this += 1;
        if *of_this > share(self.open.len()) { self.thin() } else { Ok(()) }
    }

    /// What the journal is to have of the samples so far, on the disk before it is told; `None` where there are none.
    ///
    /// # Errors
    /// Where they cannot be read or synced.
    pub fn seal(&mut self) -> io::Result<Option<Seal>> {
        let Some(file) = &self.file else { return Ok(None) };
        if self.seal.as_ref().is_none_or(|seal| seal.bytes != self.bytes) {
            file.sync_data()?;
            let mut digest = Digest::default();
            let mut reader = BufReader::with_capacity(64 * 1024, File::open(&self.path)?.take(self.bytes));
            feed(&mut reader, &mut digest)?;
            self.seal = Some(Seal { count: self.count, bytes: self.bytes, sha256: digest.hex() });
            (self.sealed, self.open) = (self.bytes, HashMap::new());
        }
        Ok(self.seal.clone())
    }

    /// Opens the file and finds out what is in it. A line that was never finished is cut off.
    fn open(&mut self, sealed: u64) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let file = options.append(true).read(true).create(true).mode(0o600).open(&self.path)?;
        (self.bytes, self.count, self.sealed) = (0, 0, sealed);
        self.open.clear();
        let (mut reader, mut line) = (BufReader::new(file.try_clone()?), Vec::new());
        while next(&mut reader, &mut line)? {
            if self.bytes >= sealed {
                *self.open.entry(key(&line).into()).or_default() += 1;
            }
            self.bytes += line.len() as u64;
            self.count += 1;
        }
        file.set_len(self.bytes)?;
        self.file = Some(file);
        Ok(())
    }

    /// Writes the file anew, with every second sample left out of the older half of each probe that has more than half of its
    /// share.
    fn thin(&mut self) -> io::Result<()> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        let mut new = BufWriter::new(tempfile::NamedTempFile::new_in(dir)?);
        let mut old = BufReader::new(File::open(&self.path)?);
        let copied = io::copy(&mut (&mut old).take(self.sealed), &mut new)?;
        let half = share(self.open.len()) / 2;
        let (mut bytes, mut gone, mut line) = (copied, 0, Vec::new());
        // How many of each were met, and how many its older half has.
        let over = self.open.iter().filter(|(_, n)| **n > half);
        let mut older: HashMap<_, _> = over.map(|(key, n)| (key.clone(), (0_u64, n / 2))).collect();
        while next(&mut old, &mut line)? {
            if let Some((met, _)) = older.get_mut(key(&line)).filter(|(met, older)| met < older) {
                *met += 1;
                // The first of all stays.
                if met.is_multiple_of(2) {
                    gone += 1;
                    continue;
                }
            }
            new.write_all(&line)?;
            bytes += line.len() as u64;
        }
        let new = new.into_inner().map_err(io::IntoInnerError::into_error)?;
        new.persist(&self.path).map_err(|error| error.error)?;
        self.file = Some(OpenOptions::new().append(true).read(true).open(&self.path)?);
        for count in self.open.values_mut().filter(|count| **count > half) {
            *count -= *count / 2 / 2;
        }
        (self.bytes, self.count) = (bytes, self.count - gone);
        Ok(())
    }
}

/// How many samples a probe has at most where there are so many of them.
fn share(probes: usize) -> u64 {
    (ALL / u64::try_from(probes).unwrap_or(u64::MAX).max(1)).clamp(LEAST, SHARE)
}

/// What the lines of a probe begin with.
fn key(line: &[u8]) -> &[u8] {
    line.windows(AFTER_NAME.len()).position(|window| window == AFTER_NAME).map_or(line, |end| &line[..end])
}

/// Reads a whole line with its end; `false` where there is none, or none that was finished.
fn next(from: &mut impl io::BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    from.read_until(b'\n', line)?;
    Ok(line.last() == Some(&b'\n'))
}

/// Takes what there is to read into `digest`. How much that was, in bytes.
fn feed(from: &mut impl io::BufRead, digest: &mut Digest) -> io::Result<u64> {
    let mut bytes = 0;
    loop {
        let piece = from.fill_buf()?;
        if piece.is_empty() {
            return Ok(bytes);
        }
        digest.push(piece);
        let n = piece.len();
        bytes += n as u64;
        from.consume(n);
    }
}

/// What a look at the samples shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The journal has no digest of any.
    None,
    /// They are as the journal has them.
    Unbroken(u64),
    /// The file is not there: it may have been left behind.
    Absent,
    /// They are not what the gates decided by, in words.
    Broken(String),
}

/// Holds the file at `path` against `seals`, in the order in which the journal has them.
///
/// # Errors
/// Where it is there and cannot be read.
pub fn check<'a>(path: &Path, seals: impl IntoIterator<Item = &'a Seal>) -> io::Result<Checked> {
    let mut seals = seals.into_iter().peekable();
    if seals.peek().is_none() {
        return Ok(Checked::None);
    }
    let mut file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Checked::Absent),
        file => BufReader::with_capacity(64 * 1024, file?),
    };
    let (mut digest, mut read, mut count) = (Digest::default(), 0, 0);
    for seal in seals {
        let more = seal.bytes.saturating_sub(read);
        read += feed(&mut (&mut file).take(more), &mut digest)?;
        if read != seal.bytes || digest.hex() != seal.sha256 {
            let (path, bytes) = (path.display(), seal.bytes);
            return Ok(Checked::Broken(format!("{path}: its first {bytes} bytes are not what a gate decided by")));
        }
        count = seal.count;
    }
    Ok(Checked::Unbroken(count))
}

/// The last reading of a probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The step: `stage/step`.
    pub step: String,
    /// The probe's name.
    pub probe: String,
    /// When it was read.
    pub at: Timestamp,
    /// What was read.
    pub value: Value,
    /// `success`, `failure`, `inconclusive` or `error`.
    pub outcome: String,
}

/// How much of the end of the file is looked at for the last readings, in bytes.
const END: u64 = 256 * 1024;

/// How much earlier than the last of all the last reading of a step may be, for it to count as watched still.
const LATELY: Duration = Duration::from_secs(300);

/// The last readings of what is watched, by step and probe. A file that is not there has none.
///
/// # Errors
/// Where it is there and cannot be read.
pub fn latest(path: &Path) -> io::Result<Vec<Reading>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    let length = file.metadata()?.len();
    file.seek(io::SeekFrom::Start(length.saturating_sub(END)))?;
    let (mut reader, mut line) = (BufReader::new(file.take(END)), Vec::new());
    let mut found: BTreeMap<(String, String), Reading> = BTreeMap::new();
    let mut last: BTreeMap<String, Timestamp> = BTreeMap::new();
    while next(&mut reader, &mut line)? {
        // The first may be the end of a longer one.
        let Ok(reading) = serde_json::from_slice::<Reading>(&line) else { continue };
        last.insert(reading.step.clone(), reading.at);
        found.insert((reading.step.clone(), reading.probe.clone()), reading);
    }
    let newest = last.values().max().copied();
    let lately = |reading: &Reading| newest.is_some_and(|newest| newest.since(last[&reading.step]) <= LATELY);
    Ok(found.into_values().filter(lately).collect())
}

/// What was measured of `step` from `began` on, with the counters as they stand since a gate was `decided`, where one was. What was thinned out is not counted. A file that is not there has nothing.
///
/// # Errors
/// Where it is there and cannot be read.
pub fn past(path: &Path, step: &str, (began, decided): (Timestamp, Option<Timestamp>)) -> io::Result<Past> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Past::default()),
        file => file?,
    };
    let (mut reader, mut line, mut past) = (BufReader::new(file), Vec::new(), Past::default());
    while next(&mut reader, &mut line)? {
        let Ok(reading) = serde_json::from_slice::<Reading>(&line) else { continue };
        if reading.step != step || reading.at < began {
            continue;
        }
        past.last = past.last.max(Some(reading.at));
        match reading.outcome.as_str() {
            "success" => _ = past.wrong.remove(&reading.probe),
            _ => _ = past.wrong.entry(reading.probe.clone()).or_insert(reading.at),
        }
        let counts = decided.is_none_or(|decided| reading.at > decided);
        if let (true, Ok(outcome)) = (counts, Measurement::deserialize(Value::from(reading.outcome))) {
            past.tallies.entry(reading.probe).or_default().record(outcome);
        }
    }
    Ok(past)
}
