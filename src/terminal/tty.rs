//! The terminal as a device: its mode, its keys, and other programs in its foreground.
//!
//! # Why
//! Keys are read from a description of the terminal of our own, opened without blocking: the one that is inherited is shared
//! with the shell, which would find it changed. Output keeps being processed in raw mode, so that any line ends as it should.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::rc::Rc;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr, tcsetattr,
};
use tokio::net::unix::pipe::Receiver;

use super::key::{Decoder, Key, Waiting};
use crate::clock::{Clock, SystemClock};

/// How long the rest of a key may be under way.
const REST: Duration = Duration::from_millis(60);
/// How long a paste may pause.
const PASTE: Duration = Duration::from_secs(1);

/// The terminal that the program was started from.
#[derive(Debug)]
pub(super) struct Tty {
    device: File,
    /// The mode as it was found, while it is another one.
    found: RefCell<Option<Termios>>,
    /// How many want raw mode.
    raw: Cell<usize>,
}

impl Tty {
    /// Opens it.
    ///
    /// # Errors
    /// Where there is none to read from and to write to.
    pub(super) fn open() -> io::Result<Rc<Self>> {
        let stdin = io::stdin();
        if !stdin.is_terminal() || !io::stderr().is_terminal() {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "stdin and stderr are not a terminal"));
        }
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let open = |path: &str| {
            let mut options = File::options();
            options.read(true).write(true).custom_flags(flags.bits().cast_signed()).open(path)
        };
        let name = rustix::termios::ttyname(stdin.as_fd(), Vec::new()).ok();
        let named = name.and_then(|name| open(name.to_str().ok()?).ok());
        let device = named.map_or_else(|| open("/dev/tty"), Ok)?;
        tcgetattr(&device)?;
        Ok(Rc::new(Self { device, found: RefCell::new(None), raw: Cell::new(0) }))
    }

    /// Raw mode, as long as what this gives is kept.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub(super) fn raw(self: &Rc<Self>) -> io::Result<Raw> {
        if self.raw.get() == 0 {
            let found = tcgetattr(&self.device)?;
            set_raw(&self.device, &found)?;
            self.found.replace(Some(found));
        }
        self.raw.set(self.raw.get() + 1);
        Ok(Raw(Rc::clone(self)))
    }

    /// The mode as it was found, as long as what this gives is kept.
    pub(super) fn cooked(self: &Rc<Self>) -> Other {
        if let Some(found) = &*self.found.borrow() {
            let _ = tcsetattr(&self.device, OptionalActions::Now, found);
        }
        Other(Rc::clone(self))
    }

    /// A mode in which every byte passes as it is, both ways, as long as what this gives is kept; and the mode as it was found.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub(super) fn transparent(self: &Rc<Self>) -> io::Result<(Other, Termios)> {
        let found = self.found.borrow().clone();
        let found = found.map_or_else(|| tcgetattr(&self.device), Ok)?;
        let mut bare = found.clone();
        bare.make_raw();
        tcsetattr(&self.device, OptionalActions::Now, &bare)?;
        Ok((Other(Rc::clone(self)), found))
    }

    /// Throws away what was typed and not read.
    pub(super) fn discard_input(&self) {
        let _ = tcflush(&self.device, QueueSelector::IFlush);
    }

    pub(super) fn device(&self) -> &File {
        &self.device
    }
}

fn set_raw(device: &File, found: &Termios) -> io::Result<()> {
    let mut raw = found.clone();
    raw.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
    raw.input_modes -=
        InputModes::ICRNL | InputModes::INLCR | InputModes::IGNCR | InputModes::ISTRIP | InputModes::IXON;
    raw.special_codes[SpecialCodeIndex::VMIN] = 1;
    raw.special_codes[SpecialCodeIndex::VTIME] = 0;
    Ok(tcsetattr(device, OptionalActions::Now, &raw)?)
}

/// Raw mode; the mode as it was found comes back with the last of these.
#[derive(Debug)]
pub(super) struct Raw(Rc<Tty>);

impl Drop for Raw {
    fn drop(&mut self) {
        self.0.raw.set(self.0.raw.get().saturating_sub(1));
        if self.0.raw.get() == 0
            && let Some(found) = self.0.found.take()
        {
            let _ = tcsetattr(&self.0.device, OptionalActions::Now, &found);
        }
    }
}

/// Another mode, for another program; raw mode comes back after it where it is wanted.
#[derive(Debug)]
pub(super) struct Other(Rc<Tty>);

impl Drop for Other {
    fn drop(&mut self) {
        if let Some(found) = &*self.0.found.borrow() {
            drop(set_raw(&self.0.device, found));
        }
    }
}

/// The terminal is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

/// The keys as they come. Raw mode is to be on.
#[derive(Debug)]
pub(super) struct Keys {
    /// Anything that can be waited for like a pipe, which a terminal can.
    device: Receiver,
    decoder: Decoder,
    ready: VecDeque<Key>,
}

impl Keys {
    pub(super) fn of(tty: &Tty) -> io::Result<Self> {
        // A number of its own: one file may be waited for only once.
        let own = tty.device.as_fd().try_clone_to_owned()?;
        Ok(Self {
            device: Receiver::from_owned_fd_unchecked(own)?,
            decoder: Decoder::default(),
            ready: VecDeque::new(),
        })
    }

    /// Forgets what was read and not taken.
    pub(super) fn forget(&mut self) {
        (self.decoder, self.ready) = (Decoder::default(), VecDeque::new());
    }

    /// The next key. Dropping the future loses none.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub(super) async fn next(&mut self) -> Result<Key, Gone> {
        loop {
            if let Some(key) = self.ready.pop_front() {
                return Ok(key);
            }
            let patience = match self.decoder.waiting() {
                Waiting::Nothing => None,
                Waiting::Rest => Some(REST),
                Waiting::PasteEnd => Some(PASTE),
            };
            tokio::select! {
                biased;
                read = read(&self.device) => {
                    let bytes = read.map_err(|_| Gone)?;
                    self.ready.extend(bytes.iter().filter_map(|byte| self.decoder.push(*byte)));
                }
                () = SystemClock.sleep(patience.unwrap_or_default()), if patience.is_some() => {
                    self.ready.extend(self.decoder.give_up());
                }
            }
        }
    }
}

/// What can be read, once anything can.
async fn read(device: &Receiver) -> io::Result<Vec<u8>> {
    loop {
        device.readable().await?;
        let mut bytes = [0; 1024];
        match device.try_read(&mut bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => return Ok(bytes[..read].to_vec()),
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(error) => return Err(error),
        }
    }
}
