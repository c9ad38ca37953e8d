//! A drill with a person at a pseudo-terminal.

use std::io::{Read as _, Write};
use std::sync::mpsc::{Receiver, channel};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use rustix::process::{Pid, Signal, kill_process};

use super::world::{EXE, PATIENCE, World};

/// The terminal, and the drill in it.
struct Person {
    screen: vt100::Parser,
    bytes: Receiver<Vec<u8>>,
    keys: Box<dyn Write + Send>,
    _cable: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
}

fn blank() -> vt100::Parser {
    vt100::Parser::new(60.try_into().unwrap(), 160.try_into().unwrap(), 0)
}

impl Person {
    fn drill(world: &World, args: &[&str]) -> Self {
        let size = PtySize { rows: 60, cols: 160, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(EXE);
        command.arg("drill");
        command.args(args);
        command.cwd(world.here());
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        for (name, value) in world.environment() {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (send, bytes) = channel();
        std::thread::spawn(move || {
            let mut some = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut some) {
                if send.send(some[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Self { screen: blank(), bytes, keys, _cable: pair.master, child }
    }

    /// Waits until a prompt with `text` listens, and types `keys`. What stood there before does not count.
    fn at(&mut self, text: &str, keys: &str) -> String {
        let seen = |screen: &vt100::Parser| screen.screen().contents();
        while !(seen(&self.screen).contains(text) && seen(&self.screen).contains("Ctrl-C")) {
            match self.bytes.recv_timeout(PATIENCE) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(error) => panic!("waited for {text}: {error}\n{}", seen(&self.screen)),
            }
        }
        let shown = seen(&self.screen);
        self.screen = blank();
        self.keys.write_all(keys.as_bytes()).unwrap();
        shown
    }

    /// Tells the drill what the system tells it when its terminal goes.
    fn hangs_up(&self) {
        let pid = Pid::from_raw(self.child.process_id().unwrap().cast_signed()).unwrap();
        kill_process(pid, Signal::HUP).unwrap();
    }

    /// Its exit code, once it has ended.
    fn ends(mut self) -> u32 {
        while self.bytes.recv_timeout(PATIENCE).is_ok() {}
        self.child.wait().unwrap().exit_code()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_paused_drill_goes_on_or_is_taken_back_or_ends() {
    let world = World::new();
    let mut person = Person::drill(&world, &["--fail", "assess/problem"]);
    // Enter alone begins nothing; what is to be read stands above.
    let shown = person.at("Begin?", "\r1\r");
    assert!(shown.contains("THE DRILL. Production runs v1.2.3") && shown.contains("enter.sh"), "{shown}");
    assert!(!shown.contains("begins:"), "{shown}");
    person.at("How severe is it?", "\x03");
    // Enter alone chooses nothing.
    let shown = person.at("How does the drill go on?", "\r1\r");
    assert!(shown.contains("hotfix resume") && shown.contains("enter.sh"), "{shown}");
    person.at("How severe is it?", "1\r");
    person.at("made to fail by the drill", "\x03");
    person.at("How does the drill go on?", "2\r");
    person.at("Type v1.2.3 to begin", "v1.2.3\r");
    person.at("Go on with that now?", "\x03");
    assert_eq!(person.ends(), 10);
    world.assert_clear();
}

#[test]
fn a_drill_may_end_unfinished() {
    let world = World::new();
    let mut person = Person::drill(&world, &[]);
    person.at("Begin?", "1\r");
    person.at("How severe is it?", "\x03");
    person.at("How does the drill go on?", "3\r");
    assert_eq!(person.ends(), 130);
    world.assert_clear();
}

#[test]
fn a_drill_need_not_begin() {
    for (keys, code) in [("2\r", 9), ("\x03", 130)] {
        let world = World::new();
        let mut person = Person::drill(&world, &[]);
        person.at("Begin?", keys);
        assert_eq!(person.ends(), code);
        world.assert_clear();
    }
}

#[test]
fn a_terminal_that_goes_ends_the_drill() {
    let world = World::new();
    let mut person = Person::drill(&world, &[]);
    person.at("Begin?", "1\r");
    person.at("How severe is it?", "");
    person.hangs_up();
    assert_eq!(person.ends(), 129);
    world.assert_clear();
}
