//! Pseudo-terminals: what a process takes for a terminal, with this program at its other end.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, OutputModes, Termios, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

/// Its size where nobody looks at it.
const SIZE: Winsize = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };

/// Makes one for a program that writes otherwise, or not at all, where it finds no terminal: the side that reads what is
/// written, without blocking, and the side that a process is given.
///
/// It is to be nobody's controlling terminal: no signal comes from it, and the process is ended as any other. Line ends stay
/// as they are written, so that the log and what is captured of it look as they would without.
pub(super) fn silent() -> io::Result<(OwnedFd, File)> {
    let (controller, user) = open()?;
    let mut mode = tcgetattr(&user)?;
    mode.output_modes -= OutputModes::OPOST;
    mode.local_modes -= LocalModes::ECHO;
    tcsetattr(&user, OptionalActions::Now, &mode)?;
    tcsetwinsize(&user, SIZE)?;
    Ok((controller, user))
}

/// Makes one that is in `mode` and of `size`, as another terminal is.
pub(super) fn like(mode: &Termios, size: Winsize) -> io::Result<(OwnedFd, File)> {
    let (controller, user) = open()?;
    tcsetattr(&user, OptionalActions::Now, mode)?;
    tcsetwinsize(&user, size)?;
    Ok((controller, user))
}

fn open() -> io::Result<(OwnedFd, File)> {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    rustix::io::fcntl_setfd(&controller, rustix::io::FdFlags::CLOEXEC)?;
    grantpt(&controller)?;
    unlockpt(&controller)?;
    let name = ptsname(&controller, Vec::new())?;
    let name = name.to_str().map_err(io::Error::other)?;
    let user = File::options().read(true).write(true).custom_flags(OFlags::NOCTTY.bits().cast_signed()).open(name)?;
    fcntl_setfl(&controller, fcntl_getfl(&controller)? | OFlags::NONBLOCK)?;
    Ok((controller, user))
}
