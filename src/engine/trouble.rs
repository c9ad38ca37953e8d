//! What breaks in on the loop from outside: signals, other processes, gates that watch in the background, the clock of
//! the incident.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::{CommitError, Engine};
use crate::action::Stop;
use crate::clock::{Clock as _, SystemClock};
use crate::operator::Signal;

/// How often it is looked whether something has come.
pub(super) const POLL: Duration = Duration::from_millis(50);

/// The last signal that came.
#[derive(Clone, Debug, Default)]
pub(super) struct Inbox(Rc<Cell<Option<Signal>>>);

impl Inbox {
    /// Takes signals from now on.
    pub(super) fn listen(&self) -> io::Result<()> {
        let kinds = [
            (SignalKind::interrupt(), Signal::Int),
            (SignalKind::terminate(), Signal::Term),
            (SignalKind::hangup(), Signal::Hup),
        ];
        for (kind, name) in kinds {
            let (mut stream, inbox) = (signal(kind)?, Rc::clone(&self.0));
            tokio::task::spawn_local(async move {
                while stream.recv().await.is_some() {
                    inbox.set(Some(name));
                }
            });
        }
        Ok(())
    }
}

impl Inbox {
    /// Forgets the signal that came.
    pub(super) fn forget(&self) {
        self.0.set(None);
    }
}

/// Something that broke in.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The run is not to go on.
    Stop(Stop),
    /// A gate in the background was breached.
    Breach(String, Stop),
}

impl Engine {
    /// Ends when something breaks in.
    pub(super) async fn trouble(&self) -> Trouble {
        loop {
            if let Some(signal) = self.trouble.0.get() {
                return Trouble::Stop(Stop::Signal(signal));
            }
            let news = self.book.borrow_mut().news();
            match news {
                Ok(news) => self.tell(&news),
                Err(CommitError::Taken(by)) => return Trouble::Stop(Stop::Yielded(by)),
                // What can be read of it is not what is being waited for; the next record will say that it is broken.
                Err(_) => {}
            }
            if let Some((key, stop)) = self.next_breach() {
                return Trouble::Breach(key, stop);
            }
            if let Err(stop) = self.escalate_again() {
                return Trouble::Stop(stop);
            }
            SystemClock.sleep(POLL).await;
        }
    }
}
