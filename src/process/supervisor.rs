//! The supervisor's side: this program again, in a session of its own, with one process to look after.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use tokio::signal::unix::{SignalKind, signal};

use super::drive::{Outputs, Source, Watcher, drive};
use super::output::{Index, Output};
use super::status::{self, Line};
use super::{Error, Job, STDOUT_LIMIT, failed};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::mask::{Masker, Stream};

/// Reads a [`Job`] from standard input and runs it to its end. Standard output is its status file, open and locked.
///
/// Standard error is for whoever waits for the start: it is closed as soon as the process runs, or cannot.
///
/// # Errors
/// Where nothing was run: the job cannot be read, or its files not be written. What the process does is no error.
pub fn supervise() -> Result<(), Error> {
    let system = |doing: &'static str| move |source| Error::Io { doing: doing.to_owned(), source };
    rustix::process::setsid().map_err(io::Error::from).map_err(system("begin a session"))?;
    let mut text = Vec::new();
    io::stdin().lock().read_to_end(&mut text).map_err(system("read the job"))?;
    let job: Job =
        serde_json::from_slice(&text).map_err(|source| Error::Unreadable { what: "the job".to_owned(), source })?;
    let lock = io::stdout().as_fd().try_clone_to_owned().map_err(system("keep the status file"))?;
    let mask = Masker::new(&job.secrets)?.stream();
    let started = SystemClock.now();
    let made = |output: io::Result<Output>| Ok((output?, Index::create(&job.output, started)?));
    let (output, index) = made(Output::create(&job.output, job.limit.bytes())).map_err(failed("write", &job.output))?;
    let alone = job.stdout.as_ref().map(|path| Alone::open(path, &job.secrets)).transpose()?;
    let stopped = Rc::default();
    let stop_file = status::stop_file(&job.status);
    let mut keeper = Keeper {
        status: File::from(lock),
        started,
        output,
        index: Some(index),
        mask,
        alone,
        output_lost: None,
        stop_file,
        stopped: Rc::clone(&stopped),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(system("start"))?.block_on(keeper.run(&job)).map_err(failed("write", &job.status))
}

/// Writes down what happens.
struct Keeper {
    status: File,
    started: Timestamp,
    output: Output,
    /// None where it cannot be written.
    index: Option<Index>,
    mask: Stream,
    /// Where standard output goes by itself.
    alone: Option<Alone>,
    output_lost: Option<String>,
    stop_file: PathBuf,
    /// The name of the signal that told this process to stop, if one did.
    stopped: Rc<RefCell<Option<String>>>,
}

/// Standard output by itself.
struct Alone {
    file: File,
    mask: Stream,
    /// How much more of it is kept, in bytes.
    room: usize,
}

impl Alone {
    fn open(path: &Path, secrets: &[String]) -> Result<Self, Error> {
        let file = File::options().append(true).create(true).mode(0o600).open(path).map_err(failed("write", path))?;
        Ok(Self { file, mask: Masker::new(secrets)?.stream(), room: STDOUT_LIMIT })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let n = bytes.len().min(self.room);
        self.room -= n;
        self.file.write_all(&bytes[..n])
    }
}

impl Keeper {
    async fn run(&mut self, job: &Job) -> io::Result<()> {
        let listener = listen(Rc::clone(&self.stopped))?;
        let accepted = Line::Accepted {
            pid: std::process::id(),
            started: self.started.millis(),
            output: job.output.clone(),
            limit: Some(job.limit.bytes()),
        };
        status::append(&mut self.status, &accepted)?;
        let how = tokio::select! {
            how = drive(&job.spec, if job.stdout.is_some() { Outputs::Apart } else { Outputs::Merged }, self) => how,
            never = listener => match never {},
        };
        // Where the loop itself broke nothing is written: the process is lost, and no end is made up.
        let how = how?;
        let rest = self.mask.finish();
        self.write(&rest);
        if let Some(mut alone) = self.alone.take() {
            let rest = alone.mask.finish();
            self.lost(alone.write(&rest));
            self.write(&rest);
        }
        let dropped = self.output.dropped();
        let ended = Line::Ended { how, at: SystemClock.now().millis(), output_lost: self.output_lost.take(), dropped };
        status::append(&mut self.status, &ended)
    }

    /// Adds to the output. Where that fails the process runs on, and its end will say what is missing.
    fn write(&mut self, bytes: &[u8]) {
        if self.output_lost.is_none() {
            let written = self.output.write(bytes);
            self.lost(written);
        }
    }

    fn lost(&mut self, written: io::Result<()>) {
        self.output_lost = self.output_lost.take().or_else(|| written.err().map(|error| error.to_string()));
    }

    /// Writes down that something comes now.
    fn note(&mut self) {
        let noted = self.index.as_mut().map_or(Ok(()), |index| index.note(self.output.end(), SystemClock.now()));
        if noted.is_err() {
            self.index = None;
        }
        self.lost(noted);
    }
}

impl Watcher for Keeper {
    fn spawned(&mut self, pgid: i32) -> io::Result<()> {
        status::append(&mut self.status, &Line::Spawned { pgid })?;
        let null = File::options().read(true).write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdin(&null)?;
        Ok(rustix::stdio::dup2_stderr(&null)?)
    }

    fn output(&mut self, source: Source, bytes: &[u8]) {
        self.note();
        if let Some(mut alone) = self.alone.take_if(|_| source == Source::Stdout) {
            let masked = alone.mask.push(bytes);
            self.lost(alone.write(&masked));
            self.write(&masked);
            self.alone = Some(alone);
            return;
        }
        let mut mask = std::mem::take(&mut self.mask);
        mask.feed(bytes, |masked| self.write(masked));
        self.mask = mask;
    }

    fn stop(&mut self) -> Option<String> {
        self.stopped.borrow_mut().take().or_else(|| std::fs::read_to_string(&self.stop_file).ok())
    }
}

/// Notes a signal that asks this process to end. Losing a terminal is none of its business.
fn listen(stopped: Rc<RefCell<Option<String>>>) -> io::Result<impl Future<Output = std::convert::Infallible>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
                _ = hangup.recv() => continue,
            };
            *stopped.borrow_mut() = Some(name.to_owned());
        }
    })
}
