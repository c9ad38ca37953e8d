//! The rope on a `git` that runs in a thread of its own.

use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Stops the operations of a repository. Dropping it does so too.
#[derive(Debug)]
pub struct Leash(pub(super) Arc<Rope>);

impl Leash {
    /// Has no further `git` begin, and asks the one that runs to end, so that it removes its locks.
    pub fn pull(&self) {
        self.0.send(Signal::TERM);
    }

    /// Ends the one that did not.
    pub fn kill(&self) {
        self.0.send(Signal::KILL);
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.pull();
    }
}

/// What a leash holds.
#[derive(Debug, Default)]
pub(super) struct Rope(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    pulled: bool,
    child: Option<Running>,
}

/// A `git` that runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Running {
    /// With whoever it starts in a group of its own.
    Apart(Pid),
    /// In our group.
    Among(Pid),
}

impl Running {
    /// Sends it `signal`. It may have ended this moment; then there is nobody to tell.
    pub(super) fn send(self, signal: Signal) {
        let _ = match self {
            Self::Apart(pid) => kill_process_group(pid, signal),
            Self::Among(pid) => kill_process(pid, signal),
        };
    }
}

impl Rope {
    fn send(&self, signal: Signal) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.pulled = true;
        if let Some(child) = state.child {
            child.send(signal);
        }
    }

    /// Takes what `begin` starts on the leash; `None` where that was pulled before.
    pub(super) fn hold<T, E>(&self, begin: impl FnOnce() -> Result<(T, Option<Running>), E>) -> Option<Result<T, E>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.pulled {
            return None;
        }
        Some(begin().map(|(child, running)| {
            state.child = running;
            child
        }))
    }

    /// It has ended.
    pub(super) fn release(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).child = None;
    }
}
