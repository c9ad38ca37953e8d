//! The rope on a `git` that runs in a thread of its own.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

use super::front::{Front, was_stopped};

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

    /// Holds `git` where it is, and keeps the terminal from it, as long as what this gives is kept. `None` where `git` has the
    /// terminal and asks something itself: that was ended instead, as by a Ctrl-C there.
    ///
    /// Going on it might look up the mode that a question of ours has set, and keep it for its own.
    #[must_use]
    pub fn withhold(&self) -> Option<Withheld<'_>> {
        let mut state = self.0.state();
        if let (Some(_), Some(group)) = (&state.front, state.child) {
            send(group, Signal::INT);
            return None;
        }
        state.terminal = Terminal::Withheld;
        if let Some(group) = state.child {
            let _ = kill_process_group(group, Signal::STOP);
        }
        Some(Withheld(&self.0))
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.pull();
    }
}

/// The terminal is kept from `git`, which is held where it is.
#[derive(Debug)]
#[must_use]
pub struct Withheld<'a>(&'a Rope);

impl Drop for Withheld<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.terminal = Terminal::Free;
        self.0.changed.notify_all();
        if let Some(group) = state.child {
            let _ = kill_process_group(group, Signal::CONT);
        }
    }
}

/// What a leash holds.
#[derive(Debug, Default)]
pub(super) struct Rope {
    state: Mutex<State>,
    /// The leash was pulled, or the terminal is free again.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    pulled: bool,
    /// The process group of a `git` that runs.
    child: Option<Pid>,
    terminal: Terminal,
    /// Whether it was stopped because it wants the terminal.
    wants: bool,
    /// The terminal, where `git` has its foreground.
    front: Option<Front>,
}

/// Whether `git` may have the terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Terminal {
    #[default]
    Free,
    Withheld,
}

/// Sends `signal` to a group, also where it is stopped. It may have ended this moment; then there is nobody to tell.
fn send(group: Pid, signal: Signal) {
    let _ = kill_process_group(group, signal);
    let _ = kill_process_group(group, Signal::CONT);
}

impl Rope {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, signal: Signal) {
        let mut state = self.state();
        state.pulled = true;
        self.changed.notify_all();
        if let Some(group) = state.child {
            send(group, signal);
        }
    }

    /// Takes what `begin` starts on the leash, once the terminal is free; `None` where the leash was pulled before.
    pub(super) fn hold<T, E>(&self, begin: impl FnOnce() -> Result<(T, Option<Pid>), E>) -> Option<Result<T, E>> {
        let waits = |state: &mut State| state.terminal == Terminal::Withheld && !state.pulled;
        let state = self.changed.wait_while(self.state(), waits);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.pulled {
            return None;
        }
        Some(begin().map(|(child, group)| {
            state.child = group;
            child
        }))
    }

    /// Ends what runs, because it takes too long.
    pub(super) fn end(&self) {
        if let Some(group) = self.state().child {
            send(group, Signal::KILL);
        }
    }

    /// Brings what runs to the terminal's foreground, where it was stopped because it wants that and may have it.
    pub(super) fn serve(&self) {
        let state = &mut *self.state();
        let Some(group) = state.child.filter(|_| state.terminal == Terminal::Free) else { return };
        state.wants |= was_stopped(group);
        if !state.wants {
            return;
        }
        let has = match &state.front {
            Some(front) => front.renew(),
            None => Front::give(group).map(|front| {
                state.front = front;
                state.front.is_some()
            }),
        };
        // In the background nothing can be given; it is tried again. Without a terminal there is nothing to be wanted.
        if has.unwrap_or(true) {
            state.wants = false;
            let _ = kill_process_group(group, Signal::CONT);
        }
    }

    /// It has ended, in this manner. The terminal is ours again, and where the leash was pulled nobody of its group is left.
    pub(super) fn release(&self, how: Died) {
        let state = &mut *self.state();
        if let Some(front) = state.front.as_mut().filter(|_| how == Died::OfASignal) {
            front.break_line();
        }
        (state.front, state.wants) = (None, false);
        if let Some(group) = state.child.take().filter(|_| state.pulled) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// How a `git` ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Died {
    /// By itself.
    Naturally,
    /// Of a signal.
    OfASignal,
}
