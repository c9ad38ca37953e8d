//! What a journal asks of its file.

use std::fmt::Debug;
use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;

/// A file that is locked, read, appended to, synced and cut.
///
/// # Why
/// Every one of these can fail on its own, and the journal's promises hold whichever does: that is shown over a disk that fails
/// where it is told to.
pub trait Disk: Debug {
    /// Takes the lock, at once or not at all.
    ///
    /// # Errors
    /// Where somebody else holds it, or it cannot be taken.
    fn try_lock(&self) -> Result<(), TryLockError>;

    /// Lets go of the lock.
    ///
    /// # Errors
    /// Where the system refuses.
    fn unlock(&self) -> io::Result<()>;

    /// How many bytes it has.
    ///
    /// # Errors
    /// Where it cannot be looked at, or has been removed: what is written to it then is lost.
    fn length(&self) -> io::Result<u64>;

    /// All bytes from the byte `from` on.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn read_from(&mut self, from: u64) -> io::Result<Vec<u8>>;

    /// Adds `bytes` at its end.
    ///
    /// # Errors
    /// Where not all of them could be written; some may have been.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Has everything written so far on the disk, in the sense of `fdatasync(2)`.
    ///
    /// # Errors
    /// Where that is not known to be so.
    fn sync(&mut self) -> io::Result<()>;

    /// Takes away what is behind the first `length` bytes.
    ///
    /// # Errors
    /// Where it is still there.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Disk for File {
    fn try_lock(&self) -> Result<(), TryLockError> {
        Self::try_lock(self)
    }

    fn unlock(&self) -> io::Result<()> {
        Self::unlock(self)
    }

    fn length(&self) -> io::Result<u64> {
        let metadata = self.metadata()?;
        if metadata.nlink() == 0 {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it has been removed"));
        }
        Ok(metadata.len())
    }

    fn read_from(&mut self, from: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.seek(SeekFrom::Start(from))?;
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.sync_all()
    }
}
