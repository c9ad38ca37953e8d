//! A run at a real pseudo-terminal of 80 columns, without colour.

use std::io::{Read as _, Write};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use rustix::process::{Pid, Signal, kill_process};

use crate::fixture::{EXE, World, ends};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The last line of a prompt that listens.
pub(crate) const LISTENS: &str = "Ctrl-C pause";

pub(crate) struct Person {
    screen: vt100::Parser,
    raw: Vec<u8>,
    bytes: Receiver<Vec<u8>>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    /// How the program found the terminal.
    found: String,
}

fn mode(terminal: &dyn MasterPty) -> String {
    let mode = terminal.get_termios().unwrap();
    format!("{:?} {:?} {:?}", mode.input_flags, mode.output_flags, mode.local_flags)
}

impl Person {
    pub(crate) fn at(world: &World, args: &[&str]) -> Self {
        Self::at_with(world, args, &[])
    }

    /// The same with more in the environment.
    pub(crate) fn at_with(world: &World, args: &[&str], env: &[(&str, &str)]) -> Self {
        let size = PtySize { rows: 40, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(EXE);
        command.args(args);
        // What is asked before a run begins is not what these tests are about.
        if args.first() == Some(&"start") && !args.contains(&"--since") {
            command.args(["--since", "now"]);
        }
        command.cwd(world.sandbox.repository());
        command.env_clear();
        for (name, value) in world.sandbox.environment() {
            command.env(name, value);
        }
        command.env("TERM", "xterm");
        command.env("NO_COLOR", "1");
        for (name, value) in env {
            command.env(name, value);
        }
        let found = mode(&*pair.master);
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
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
        let screen = vt100::Parser::new(40.try_into().unwrap(), 80.try_into().unwrap(), 2000);
        Self { screen, raw: Vec::new(), bytes, keys, child, master: pair.master, found }
    }

    fn seen(&self) -> String {
        self.screen.screen().contents()
    }

    /// Waits until all of `texts` stand on the screen.
    pub(crate) fn sees(&mut self, texts: &[&str]) -> String {
        self.sees_that(&format!("{texts:?}"), |seen| texts.iter().all(|text| seen.contains(text)))
    }

    /// Waits until `holds` does of the screen.
    pub(crate) fn sees_that(&mut self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let seen = self.seen();
            if holds(&seen) {
                return seen;
            }
            match self.bytes.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => {
                    self.raw.extend_from_slice(&bytes);
                    self.screen.process(&bytes);
                }
                Err(error) => panic!("{what} did not come ({error}):\n{seen}"),
            }
        }
    }

    /// Every byte that came so far.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Waits until `bytes` came, whatever a screen makes of them.
    pub(crate) fn receives(&mut self, bytes: &[u8]) {
        let end = Instant::now() + PATIENCE;
        while !self.raw.windows(bytes.len()).any(|window| window == bytes) {
            match self.bytes.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(more) => self.raw.extend_from_slice(&more),
                Err(error) => panic!("{bytes:?} did not come ({error}): {:?}", self.raw),
            }
        }
    }

    pub(crate) fn types(&mut self, keys: &str) {
        self.types_bytes(keys.as_bytes());
    }

    pub(crate) fn types_bytes(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
        self.keys.flush().unwrap();
    }

    /// Sends the program `signal`.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.process_id().and_then(|id| Pid::from_raw(id.cast_signed())).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Changes the size of the screen.
    pub(crate) fn resizes(&mut self, rows: u16, cols: u16) {
        self.screen.screen_mut().set_size(rows.try_into().unwrap(), cols.try_into().unwrap());
        self.master.resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    /// Closes the terminal, where what is typed is echoed, and gives how the program ends.
    pub(crate) fn closes(mut self) -> u32 {
        drop(self.bytes);
        // Whoever reads finds out by the echo that nobody listens.
        self.keys.write_all(b"x").unwrap();
        drop((self.keys, self.master));
        self.child.wait().unwrap().exit_code()
    }

    /// Kills the program without a chance to tidy up.
    pub(crate) fn kill(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }

    /// What the terminal does with the keys that are typed and with what is written, in words.
    pub(crate) fn mode(&self) -> String {
        mode(&*self.master)
    }

    /// The same as it was before the program began.
    pub(crate) fn found(&self) -> &str {
        &self.found
    }

    /// Waits until another process group than the program's has the terminal's foreground.
    pub(crate) fn has_lent(&self) {
        let own = self.child.process_id().map(u32::cast_signed);
        let end = Instant::now() + PATIENCE;
        while self.master.process_group_leader() == own {
            assert!(Instant::now() < end, "the terminal was not lent");
            std::thread::yield_now();
        }
    }

    /// Closes the terminal under it, and gives its exit code.
    pub(crate) fn hangs_up(self) -> u32 {
        let Self { mut child, bytes, keys, master, .. } = self;
        // Whoever reads for us ends with the next that it reads, and is the last to let go of the terminal.
        drop((bytes, keys, master));
        child.wait().unwrap().exit_code()
    }

    pub(crate) fn code(mut self) -> (u32, String) {
        self.ended()
    }

    /// Waits for the end of the program: its exit code, and what stands on the screen.
    pub(crate) fn ended(&mut self) -> (u32, String) {
        while let Ok(bytes) = self.bytes.recv_timeout(PATIENCE) {
            self.raw.extend_from_slice(&bytes);
            self.screen.process(&bytes);
        }
        (self.child.wait().unwrap().exit_code(), self.seen())
    }
}

#[test]
fn one_line_says_where_you_are_and_ctrl_c_at_a_prompt_pauses_with_the_commands_to_go_on() {
    let world = World::new();
    let mut person = Person::at(&world, &["start", "v1.2.3", "1234"]);
    let seen = person.sees(&["How severe is it?", LISTENS]);
    let header = seen.lines().find(|line| line.starts_with("v1.2.3 → v1.2.4 · #1234 · stage 1/18 Assess")).unwrap();
    assert!(header.contains("escalate in 14m") || header.contains("escalate in 15m"), "{header}");
    assert!(header.chars().count() <= 80, "{header}");
    person.types("\r");
    person.types("\u{3}");
    let (code, last) = person.code();
    assert_eq!(code, 130, "{last}");
    let id = world.contents().records[0].run.clone();
    assert!(last.contains(&format!("continue:   hotfix resume {id}")), "{last}");
    assert!(last.contains(&format!("roll back:  hotfix rollback {id}")), "{last}");
}

#[test]
fn enter_alone_and_typed_ahead_keys_answer_nothing() {
    let world = World::new();
    let mut person = Person::at(&world, &["start", "v1.2.3", "1234"]);
    // Typed before anything is on the screen.
    person.types("1\r1\r1\r");
    person.sees(&["How severe is it?", LISTENS]);
    person.types("\r\r\r");
    person.types("2");
    person.sees(&[">  2. SEV2"]);
    person.types("\r");
    person.sees(&["What is broken", LISTENS]);
    let answers: Vec<_> = world
        .events()
        .into_iter()
        .filter(|event| matches!(event, hotfix::event::Event::PromptAnswered { .. }))
        .collect();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(format!("{answers:?}").contains("SEV2"));
    let raw = String::from_utf8_lossy(&person.raw).into_owned();
    let coloured = raw
        .split("\u{1b}[")
        .skip(1)
        .any(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'));
    assert!(!coloured, "{raw:?}");
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
}

#[test]
fn a_rollback_from_another_terminal_takes_the_question_off_the_screen_and_says_who_took_over() {
    let world = World::new();
    let answers = world.answers_but("direct", &[("rollback", "yes")]);
    let mut start = world.command(&["start", "v1.2.3", "1234", "--answers", &answers]);
    ends(&start.env("HOTFIX_DRILL_FAIL", "validate/security").output().unwrap(), 5);
    let mut person = Person::at(&world, &["resume"]);
    person.sees(&["validate/security failed", LISTENS]);
    ends(&world.hotfix(&["rollback", "--answers", &answers]), 10);
    let (code, last) = person.code();
    assert_eq!(code, 8, "{last}");
    assert!(last.contains("takes production back"), "{last}");
    assert_eq!(world.production(), "v1.2.3");
}

#[test]
fn ctrl_c_while_a_command_runs_asks_what_to_do_with_it_and_left_running_it_is_taken_up() {
    let world = World::new();
    let flag = world.sandbox.dir().join("flag");
    let base = world.sandbox.repository().join(".hotfix/runbook.yaml");
    let runbook = world.sandbox.dir().join("slow.yaml");
    let text = format!(
        "name: slow\nversion: 1\nextends: {}\nstages:\n  - id: test\n    steps:\n      - {{ id: focused, run: 'echo \"$HOTFIX_STEP\" >>{1}; echo begun; while ! test -e {1}.go; do sleep 0.1; done; echo over' }}\n",
        base.display(),
        flag.display()
    );
    std::fs::write(&runbook, text).unwrap();
    let answers = world.answers_but("direct", &[("test/manual", "")]);
    // As far as the slow step, without a terminal: it is left running by the signal.
    let (child, mut lines) =
        world.begin(&["start", "v1.2.3", "1234", "--answers", &answers, "--runbook", &runbook.display().to_string()]);
    lines.wait_for("  begun");
    crate::fixture::kill(child);
    let mut person = Person::at(&world, &["resume"]);
    person.sees(&["is still running", "begun"]);
    person.types("\u{3}");
    person.sees(&["Go on waiting, stop it, or leave it running", LISTENS]);
    person.types("3");
    person.sees(&[">  3."]);
    person.types("\r");
    let (code, last) = person.code();
    assert_eq!(code, 9, "{last}");
    std::fs::write(flag.with_extension("go"), "").unwrap();
    let mut person = Person::at(&world, &["resume"]);
    person.sees(&["Security tests", "Core functionality", LISTENS]);
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
    assert_eq!(std::fs::read_to_string(&flag).unwrap().lines().count(), 1, "it ran once");
}

#[test]
fn a_command_that_had_ended_when_it_was_to_be_stopped_is_said_and_nothing_goes_on_unasked() {
    let world = World::new();
    let dir = world.sandbox.dir().display().to_string();
    let runbook = world.sandbox.dir().join("ended.yaml");
    let text = format!(
        "name: ended\nversion: 1\nstages:\n  - id: s\n    steps:\n      \
         - {{id: a, run: 'echo a >>{dir}/calls; echo be\\gun; while ! test -e {dir}/go; do sleep 0.05; done; touch {dir}/over'}}\n      \
         - {{id: b, run: 'echo b >>{dir}/calls'}}\n"
    );
    std::fs::write(&runbook, text).unwrap();
    let mut person = Person::at(&world, &["start", "v1.2.3", "1234", "--runbook", &runbook.display().to_string()]);
    person.sees(&["begun"]);
    person.types("\u{3}");
    person.sees(&["Go on waiting, stop it, or leave it running", LISTENS]);
    std::fs::write(world.sandbox.dir().join("go"), "").unwrap();
    let status = world.runs().last().unwrap().join("output/s.a.1.status");
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !std::fs::read_to_string(&status).unwrap().contains("ended") {
        assert!(std::time::Instant::now() < end, "it does not end");
        std::thread::yield_now();
    }
    person.types("2");
    person.sees(&[">  2."]);
    person.types("\r");
    person.sees(&["had ended by itself, before it could be stopped: exit code 0", LISTENS]);
    let calls = || std::fs::read_to_string(world.sandbox.dir().join("calls")).unwrap();
    assert_eq!(calls(), "a\n");
    person.types("2");
    person.sees(&[">  2."]);
    person.types("\r");
    assert_eq!(person.code().0, 9);
    ends(&world.hotfix(&["resume"]), 0);
    assert_eq!(calls(), "a\nb\n", "it is taken up as it ended");
}
