//! One end of a terminal, read and written without blocking.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use tokio::net::unix::pipe::{Receiver, Sender};

/// How much is read at once, in bytes.
const CHUNK: usize = 8 * 1024;

/// One end of a terminal.
pub(super) struct Line {
    /// Anything that can be waited for like a pipe, which a terminal can.
    from: Receiver,
    to: Sender,
}

impl Line {
    /// The end behind `fd`, which is not to block.
    pub(super) fn of(fd: OwnedFd) -> io::Result<Self> {
        // A number of its own: one file may be waited for only once.
        let to = Sender::from_owned_fd_unchecked(fd.try_clone()?)?;
        Ok(Self { from: Receiver::from_owned_fd_unchecked(fd)?, to })
    }

    /// What can be read, once anything can; nothing at the end. Dropping the future loses nothing.
    pub(super) async fn take(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; CHUNK];
        loop {
            self.from.readable().await?;
            match self.from.try_read(&mut bytes) {
                Ok(read) => {
                    bytes.truncate(read);
                    return Ok(bytes);
                }
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes as much of `bytes` as fits, once anything does.
    pub(super) async fn give(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            self.to.writable().await?;
            match self.to.try_write(bytes) {
                Err(error) if is_passing(&error) => {}
                given => return given,
            }
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock)
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.from.as_fd()
    }
}
