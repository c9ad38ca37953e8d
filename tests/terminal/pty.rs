//! The other end of a pseudo-terminal: what stands on the screen, and the keys.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// This test binary as a child in a pseudo-terminal, running one scenario.
pub(crate) struct Pty {
    screen: vt100::Parser,
    raw: Vec<u8>,
    bytes: Receiver<Vec<u8>>,
    /// Its keyboard and its cable.
    line: Option<(Box<dyn Write + Send>, Box<dyn MasterPty + Send>)>,
    child: Option<Box<dyn Child + Send + Sync>>,
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

impl Pty {
    /// Starts `scenario` on a screen of 24 rows and 80 columns.
    pub(crate) fn start(scenario: &str) -> Self {
        Self::start_with(scenario, &[], None)
    }

    /// Starts `scenario` with `env`; after `last_words` nobody reads what it writes.
    pub(crate) fn start_with(scenario: &str, env: &[(&str, &Path)], last_words: Option<&'static str>) -> Self {
        let pair = native_pty_system().openpty(size(24, 80)).unwrap();
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child::child", "--nocapture", "--test-threads=1"]);
        for name in ["NO_COLOR", "VISUAL", "EDITOR", "PAGER", "ENV"] {
            command.env_remove(name);
        }
        command.env("TERM", "xterm-256color");
        command.env("SHELL", "/bin/sh");
        command.env("HOTFIX_SCENARIO", scenario);
        for (name, value) in env {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (send, bytes) = channel();
        std::thread::spawn(move || {
            let (mut all, mut some) = (Vec::new(), [0; 4096]);
            while let Ok(read @ 1..) = reader.read(&mut some) {
                all.extend_from_slice(&some[..read]);
                let over = last_words.is_some_and(|words| String::from_utf8_lossy(&all).contains(words));
                if send.send(some[..read].to_vec()).is_err() || over {
                    return;
                }
            }
        });
        let writer = pair.master.take_writer().unwrap();
        let line = Some((writer, pair.master));
        Self { screen: vt100::Parser::default(), raw: Vec::new(), bytes, line, child: Some(child) }
    }

    /// What stands on the screen.
    pub(crate) fn seen(&self) -> String {
        self.screen.screen().contents()
    }

    /// Every byte that was written so far.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.raw
    }

    fn wait(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(self) {
            let left = end.saturating_duration_since(Instant::now());
            match self.bytes.recv_timeout(left) {
                Ok(bytes) => {
                    self.screen.process(&bytes);
                    self.raw.extend(bytes);
                }
                Err(error) => panic!("waited for {what}: {error}\n{}", self.seen()),
            }
        }
    }

    /// Waits until `shown` holds of the screen.
    pub(crate) fn until_that(&mut self, what: &str, shown: impl Fn(&str) -> bool) {
        self.wait(what, |pty| shown(&pty.seen()));
    }

    /// Waits until `text` was written, to be seen or not.
    pub(crate) fn until_written(&mut self, text: &str) {
        self.wait(text, |pty| String::from_utf8_lossy(&pty.raw).contains(text));
    }

    /// Waits until a shell prompts for the `times`th time.
    pub(crate) fn prompts(&mut self, times: usize) {
        self.until_that("the prompt of a shell", |seen| seen.matches("(hotfix) $").count() == times);
    }

    /// Waits until `text` stands on the screen.
    pub(crate) fn until(&mut self, text: &str) {
        self.until_that(text, |seen| seen.contains(text));
    }

    /// Waits until a prompt with `text` listens.
    pub(crate) fn listens(&mut self, text: &str) {
        self.until_that(text, |seen| seen.contains(text) && seen.contains("Ctrl-C pause"));
    }

    /// Types `keys`.
    pub(crate) fn keys(&mut self, keys: &str) {
        let (writer, _) = self.line.as_mut().unwrap();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
    }

    /// Waits until a prompt with `text` listens, and types `keys`.
    pub(crate) fn at(&mut self, text: &str, keys: &str) {
        self.listens(text);
        self.keys(keys);
    }

    /// Waits until `text` stands on the screen, and nothing was answered yet.
    pub(crate) fn unanswered(&mut self, text: &str) {
        self.until(text);
        assert!(!self.seen().contains("ANSWER"), "{}", self.seen());
    }

    /// Waits for the answer, which is to be `expected`.
    pub(crate) fn answers(&mut self, expected: &str) {
        self.until("END");
        let seen = self.seen();
        assert!(seen.contains(&format!("ANSWER {expected}")), "not {expected}:\n{seen}");
    }

    /// Changes the size of the terminal.
    pub(crate) fn resize(&mut self, rows: u16, cols: u16) {
        self.screen.screen_mut().set_size(rows.try_into().unwrap(), cols.try_into().unwrap());
        self.line.as_ref().unwrap().1.resize(size(rows, cols)).unwrap();
    }

    /// Tells the child that it is time.
    pub(crate) fn signal(&self) {
        let pid = Pid::from_raw(self.child.as_ref().unwrap().process_id().unwrap().cast_signed()).unwrap();
        kill_process(pid, Signal::USR1).unwrap();
    }

    /// Closes the terminal and waits for the child to end.
    pub(crate) fn hang_up(mut self) {
        // The reader ends by itself: it has heard the last words.
        while self.bytes.recv_timeout(PATIENCE).is_ok() {}
        self.line = None;
        let mut child = self.child.take().unwrap();
        let mut killer = child.clone_killer();
        let (send, ended) = channel();
        std::thread::spawn(move || send.send(child.wait().is_ok()));
        let ended = ended.recv_timeout(PATIENCE);
        drop(killer.kill());
        assert_eq!(ended, Ok(true), "it goes on without a terminal");
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.kill());
            drop(child.wait());
        }
    }
}
