//! Data goes to standard output, and whoever reads it may leave early.

use std::io::{self, BufWriter, Write};

use super::Trouble;

/// Whether somebody still reads standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    There,
    Gone,
}

/// Writes to standard output what `print` prints. A reader that is gone (`| head`) is no error.
pub(super) fn data(print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Reader, Trouble> {
    let mut out = BufWriter::new(io::stdout().lock());
    let printed = print(&mut out).and_then(|()| out.flush());
    // What could not be written is not to be tried again when the writer is dropped.
    let (_, _) = out.into_parts();
    match printed {
        Ok(()) => Ok(Reader::There),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(error.into()),
    }
}
