//! A process group and the ladder of signals that ends it.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// Whether anybody is in the process group `id`, whoever has that number now.
#[must_use]
pub fn group_lives(id: i32) -> bool {
    Pid::from_raw(id).is_some_and(|id| !Group(id).is_empty())
}

/// A process group of our own making.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group(Pid);

impl From<Pid> for Group {
    fn from(id: Pid) -> Self {
        Self(id)
    }
}

impl Group {
    /// The group led by the process `id`.
    pub(super) fn led_by(id: u32) -> Option<Self> {
        i32::try_from(id).ok().and_then(Pid::from_raw).map(Self)
    }

    /// Its id.
    pub(super) fn id(self) -> i32 {
        self.0.as_raw_pid()
    }

    /// Whether nobody is left in it. One that has ended and was not waited for still counts.
    pub(super) fn is_empty(self) -> bool {
        test_kill_process_group(self.0) == Err(Errno::SRCH)
    }

    /// Sends `signal` to all of it. That it is gone is no error, and nothing else can be done about the others.
    pub(super) fn send(self, signal: Signal) {
        let _gone = kill_process_group(self.0, signal);
    }
}

/// `INT`, `TERM`, `KILL`, one after the other, until the group is empty.
#[derive(Debug)]
pub(super) struct Ladder {
    group: Group,
    rungs: std::array::IntoIter<Signal, 3>,
    exhausted: Exhausted,
}

/// Whether a ladder has rungs left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exhausted {
    NotYet,
    Yes,
}

impl Ladder {
    /// The ladder for `group`, with its first rung taken.
    pub(super) fn start(group: Group) -> Self {
        let rungs = [Signal::INT, Signal::TERM, Signal::KILL].into_iter();
        let mut ladder = Self { group, rungs, exhausted: Exhausted::NotYet };
        ladder.next_rung();
        ladder
    }

    /// Takes the next rung; after the last one the group counts as ended.
    ///
    /// Where the first process of a container waits for nobody, the dead stay in their group for ever.
    pub(super) fn next_rung(&mut self) {
        match self.rungs.next() {
            Some(signal) => self.group.send(signal),
            None => self.exhausted = Exhausted::Yes,
        }
    }

    /// Whether there is nobody left to be stopped.
    pub(super) fn done(&self) -> bool {
        self.exhausted == Exhausted::Yes || self.group.is_empty()
    }
}
