//! The terminal's foreground, for a `git` that asks something there.
//!
//! # Why
//! A `git` that shares our process group dies of the operator's Ctrl-C before anybody is asked; one that is started with
//! SIGINT ignored sets its own handlers all the same, removes its locks and ends its children, and goes on without them. So it
//! has a group of its own, in the background, where a Ctrl-C does not come. The system stops it there when it reads from the
//! terminal or sets its mode; then it is brought to the foreground as by a shell's `fg`.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, getpgrp, test_kill_process_group, waitid};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr, tcsetpgrp};

/// The terminal while another group has its foreground. Dropping it takes it back, in the mode it had.
#[derive(Debug)]
pub(super) struct Front {
    tty: File,
    mode: Termios,
    group: Pid,
}

impl Front {
    /// Gives the foreground to `group`. `None` where it is not ours to give: we are in the background ourselves.
    ///
    /// # Errors
    /// Where there is no terminal.
    pub(super) fn give(group: Pid) -> io::Result<Option<Self>> {
        let flags = OFlags::NOCTTY | OFlags::NONBLOCK;
        let tty = File::options().read(true).write(true).custom_flags(flags.bits().cast_signed()).open("/dev/tty")?;
        let front = Self { mode: tcgetattr(&tty)?, tty, group };
        Ok(if front.renew()? { Some(front) } else { None })
    }

    /// Whether the group has the foreground, given once more where it came back to us: so it does after a Ctrl-Z.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub(super) fn renew(&self) -> io::Result<bool> {
        let has = tcgetpgrp(&self.tty)?;
        if has == getpgrp() {
            tcsetpgrp(&self.tty, self.group)?;
        }
        Ok(has == getpgrp() || has == self.group)
    }

    /// Moves the cursor to the beginning of a line, for whoever died in the middle of one.
    pub(super) fn break_line(&mut self) {
        // A terminal that is gone shows nothing.
        let _ = self.tty.write_all(b"\r\n");
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // A third group that is alive is the shell's business; of one that is dead the system may tell any number.
        let Ok(has) = tcgetpgrp(&self.tty) else { return };
        if has != self.group && test_kill_process_group(has) != Err(Errno::SRCH) {
            return;
        }
        // Whoever is in the background is stopped for this, unless it blocks the signal.
        let mut ttou = SigSet::empty();
        ttou.add(Signal::SIGTTOU);
        let before = ttou.thread_swap_mask(SigmaskHow::SIG_BLOCK);
        // A terminal that went away this moment needs nothing.
        let _ = tcsetpgrp(&self.tty, getpgrp());
        let _ = tcsetattr(&self.tty, OptionalActions::Now, &self.mode);
        if let Ok(before) = before {
            let _ = before.thread_set_mask();
        }
    }
}

/// Whether the child `group` was stopped because it wants the terminal, or by a Ctrl-Z there; told once for each stop.
pub(super) fn was_stopped(group: Pid) -> bool {
    let looked = waitid(WaitId::Pid(group), WaitIdOptions::STOPPED | WaitIdOptions::NOHANG);
    let by = looked.ok().flatten().and_then(|status| status.stopping_signal());
    let wants = [rustix::process::Signal::TTIN, rustix::process::Signal::TTOU, rustix::process::Signal::TSTP];
    by.is_some_and(|by| wants.iter().any(|signal| signal.as_raw() == by))
}
