//! The client that the drill's scripts call instead of curl.

use std::io;
use std::time::Duration;

use super::wire::{self, Message};
use crate::clock::{Clock, SystemClock};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long until a request is made again.
const PAUSE: Duration = Duration::from_millis(50);

/// One request as the command line gave it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) port: u16,
    pub(crate) request: Message,
    /// How long to ask again until the answer is a 2xx.
    pub(crate) wait: Duration,
}

/// Makes the call, again and again while it may wait, and gives the last answer.
///
/// # Errors
/// Where no answer came.
pub(crate) async fn call(call: &Call) -> io::Result<Message> {
    let clock = SystemClock;
    let begun = clock.now();
    loop {
        let answer = tokio::select! {
            answer = wire::exchange(call.port, &call.request) => answer,
            () = clock.sleep(PATIENCE) => Err(io::ErrorKind::TimedOut.into()),
        };
        if answer.as_ref().is_ok_and(succeeded) || clock.now().since(begun) >= call.wait {
            return answer;
        }
        clock.sleep(PAUSE).await;
    }
}

/// Whether the answer is a 2xx.
pub(crate) fn succeeded(answer: &Message) -> bool {
    answer.status().is_some_and(|status| (200..300).contains(&status))
}

/// Takes `http://127.0.0.1:PORT/PATH` apart; `None` where the address is not of this machine.
pub(crate) fn locate(url: &str) -> Option<(u16, String)> {
    let rest = url.strip_prefix("http://")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = authority.split_once(':')?;
    if !["127.0.0.1", "localhost"].contains(&host) {
        return None;
    }
    Some((port.parse().ok()?, format!("/{path}")))
}

#[cfg(test)]
mod tests {
    use super::locate;

    #[test]
    fn only_addresses_of_this_machine_are_called() {
        assert_eq!(locate("http://127.0.0.1:80/health"), Some((80, "/health".to_owned())));
        assert_eq!(locate("http://localhost:8080"), Some((8080, "/".to_owned())));
        assert_eq!(locate("http://example.com:80/"), None);
        assert_eq!(locate("https://127.0.0.1:80/"), None);
    }
}
