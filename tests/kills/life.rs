//! One life of the driver: begun, left alone or killed at some moment, and over.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use hotfix::run::{Next, Phase};

use crate::honest;
use crate::look::{PATIENCE, eventually, supervisor_of};
use crate::random::Random;
use crate::record::Call;
use crate::world::{World, is_free, said, standing, stem};

/// What was done to a world so far.
#[derive(Debug, Default)]
pub(crate) struct Deeds {
    /// How many processes were killed.
    pub(crate) kills: usize,
    /// The attempts whose script was killed, as stems of their files.
    pub(crate) signalled: BTreeSet<String>,
    /// The attempts whose supervisor was killed, as stems of their files.
    pub(crate) bereft: BTreeSet<String>,
    /// How often a supervisor was killed before it took its job.
    pub(crate) unborn: usize,
    /// A supervisor that was put to sleep.
    pub(crate) sleeper: Option<Pid>,
    /// Whether the run was taken back from another terminal.
    pub(crate) rolled_back: bool,
    /// Whether this life was not alone: a rollback was begun beside it, which may have had the lock before it, and may have died
    /// before there was any record of it.
    pub(crate) contested: bool,
    /// How often a second driver was turned away.
    pub(crate) turned_away: usize,
    /// Every whole line of the journal that was seen on the disk.
    pub(crate) kept: Vec<u8>,
}

impl Drop for Deeds {
    /// Where a check fails, nobody is left asleep.
    fn drop(&mut self) {
        if let Some(sleeper) = self.sleeper {
            let _ = kill_process(sleeper, Signal::CONT);
        }
    }
}

impl Deeds {
    /// Sees that nothing is gone of what was on the disk, and takes in what is new.
    #[track_caller]
    pub(crate) fn look(&mut self, world: &World) {
        let now = world.journal();
        assert!(now.starts_with(&self.kept), "records are gone, or were changed");
        self.kept = now;
    }

    /// Whether something was killed of this attempt.
    pub(crate) fn disturbed(&self, call: &Call) -> bool {
        let stem = stem(&call.key, call.attempt);
        self.signalled.contains(&stem) || self.bereft.contains(&stem)
    }
}

/// How a life ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; none where it was killed.
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

/// What is done to a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Nothing,
    Driver,
    Supervisor,
    /// One that may not have taken its job yet.
    YoungSupervisor,
    DriverThenSupervisor,
    SupervisorThenDriver,
    Script,
    /// The driver, in the moment between the start of a supervisor and its taking the job; the supervisor sleeps on for a while.
    DriverOfSleeper,
    /// From another terminal, while the driver lives.
    Rollback,
    SecondDriver,
}

impl Deed {
    fn choose(random: &mut Random, world: &World) -> Self {
        match random.below(100) {
            0..40 => Self::Driver,
            40..52 => Self::Supervisor,
            52..57 => Self::YoungSupervisor,
            57..62 => Self::DriverOfSleeper,
            62..69 => Self::DriverThenSupervisor,
            69..76 => Self::SupervisorThenDriver,
            76..88 => Self::Script,
            88..92 if world.back => Self::Rollback,
            _ => Self::SecondDriver,
        }
    }
}

struct Life<'a> {
    world: &'a World,
    deeds: &'a mut Deeds,
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

/// Has the driver live once, with these answers. It is left alone where `gently` says so.
pub(crate) fn live(world: &World, random: &mut Random, deeds: &mut Deeds, (answers, gently): (&str, bool)) -> Ended {
    deeds.contested = false;
    let mut child = world.driver(answers).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let (sender, lines) = channel();
    let mut reader = BufReader::new(child.stderr.take().unwrap());
    std::thread::spawn(move || {
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
    let mut life = Life { world, deeds, child, lines, said: Vec::new() };
    if let Some(sleeper) = life.deeds.sleeper.take() {
        life.wait(Duration::from_micros(random.below(150_000)), usize::MAX);
        // It was stopped: no other process has its id.
        kill_process(sleeper, Signal::CONT).unwrap();
    }
    let deed = if gently { Deed::Nothing } else { Deed::choose(random, world) };
    let over = deed != Deed::Nothing && life.pass(random);
    if !over {
        life.act(deed, random);
    }
    life.end()
}

impl Life<'_> {
    /// Lets some time go by, or some records be written. True where the driver ended meanwhile.
    fn pass(&mut self, random: &mut Random) -> bool {
        match random.below(3) {
            0 => self.wait(Duration::from_micros(random.below(60_000)), usize::MAX),
            1 => self.wait(Duration::from_micros(random.below(400_000)), usize::MAX),
            _ => {
                let lines = usize::try_from(random.below(14)).unwrap();
                self.wait(PATIENCE, lines) || self.wait(Duration::from_micros(random.below(12_000)), usize::MAX)
            }
        }
    }

    /// Waits for so long, or for so many lines. True where the driver ended meanwhile.
    fn wait(&mut self, long: Duration, mut lines: usize) -> bool {
        let end = Instant::now() + long;
        while lines > 0 {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => self.said.push(line),
                Err(RecvTimeoutError::Timeout) => return false,
                Err(RecvTimeoutError::Disconnected) => return true,
            }
            lines = lines.saturating_sub(1);
        }
        false
    }

    fn act(&mut self, deed: Deed, random: &mut Random) {
        match deed {
            Deed::Nothing => {}
            Deed::Driver => self.kill_driver(),
            Deed::Supervisor => self.kill_supervisor(),
            Deed::YoungSupervisor => self.kill_young_supervisor(),
            Deed::DriverOfSleeper => self.kill_driver_of_sleeper(),
            Deed::DriverThenSupervisor => {
                self.kill_driver();
                self.kill_supervisor();
            }
            Deed::SupervisorThenDriver => {
                self.kill_supervisor();
                self.kill_driver();
            }
            Deed::Script => self.kill_script(),
            Deed::Rollback => self.roll_back(random),
            Deed::SecondDriver => self.second_driver(),
        }
    }

    fn kill_driver(&mut self) {
        self.deeds.look(self.world);
        self.child.kill().unwrap();
        let killed = self.child.wait().unwrap().code().is_none();
        self.deeds.kills += usize::from(killed);
        self.deeds.look(self.world);
    }

    /// Kills the supervisor that lives, or the next one, if the driver lives to start it.
    fn kill_supervisor(&mut self) {
        loop {
            for record in self.world.started().into_iter().rev().take(2) {
                let Some(path) = self.world.status(&record) else { continue };
                let Some(found) = standing(&path).filter(|found| found.alive) else { continue };
                let Some(pid) = found.pid.and_then(Pid::from_raw) else { continue };
                // It holds its lock, so the process of this id is it.
                if kill_process(pid, Signal::KILL).is_err() {
                    continue;
                }
                // Until its lock is free a command may be about to begin.
                eventually("a killed supervisor is gone", || standing(&path).is_none_or(|found| !found.alive));
                self.deeds.kills += 1;
                if standing(&path).is_some_and(|found| !found.over) {
                    self.deeds.bereft.insert(record);
                }
                return;
            }
            if self.gone() || self.wait(Duration::from_millis(1), usize::MAX) {
                return;
            }
        }
    }

    /// The next supervisor, as soon as there is a process of it, where children can be looked for quickly enough.
    fn young_supervisor(&mut self) -> Option<Pid> {
        while !self.gone() {
            let found = supervisor_of(self.child.id()).and_then(Pid::from_raw);
            if found.is_some() || self.wait(Duration::from_micros(200), usize::MAX) {
                return found;
            }
        }
        None
    }

    /// Kills the driver while its supervisor is put to sleep, to be woken when the next driver lives.
    fn kill_driver_of_sleeper(&mut self) {
        // The driver lives and has not waited for it: no other process has its id.
        let Some(pid) = self.young_supervisor().filter(|pid| kill_process(*pid, Signal::STOP).is_ok()) else { return };
        self.deeds.sleeper = Some(pid);
        self.kill_driver();
    }

    /// Kills the next supervisor, which may not have taken its job yet.
    fn kill_young_supervisor(&mut self) {
        let Some(pid) = self.young_supervisor() else { return };
        // The driver lives and has not waited for it: no other process has its id.
        let killed = kill_process(pid, Signal::KILL).is_ok();
        self.deeds.kills += usize::from(killed);
        let Some(stem) = self.world.started().pop() else { return };
        let Some(path) = self.world.status(&stem).filter(|path| path.exists()) else { return };
        eventually("a killed supervisor is gone", || is_free(&path));
        match standing(&path) {
            Some(found) if found.over => {}
            Some(found) if found.pid.is_some() => _ = self.deeds.bereft.insert(stem),
            _ => self.deeds.unborn += 1,
        }
    }

    /// Takes production back from another terminal, and perhaps kills that as well.
    fn roll_back(&mut self, random: &mut Random) {
        if self.world.run_dir().is_none() || self.world.run().phase() != Phase::Forward {
            return;
        }
        let file = self.world.path("rollback.yaml").display().to_string();
        std::fs::write(&file, honest::rollback(self.world)).unwrap();
        let mut command = self.world.hotfix(&["rollback", "--answers", &file]);
        self.deeds.contested = true;
        let mut other = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        if random.chance(60) {
            self.wait(Duration::from_micros(random.below(300_000)), usize::MAX);
            other.kill().unwrap();
        }
        let ended = other.wait().unwrap();
        self.deeds.kills += usize::from(ended.code().is_none());
        assert!(matches!(ended.code(), None | Some(10 | 11)), "the rollback ended with {ended}");
        self.deeds.look(self.world);
        self.deeds.rolled_back = self.world.run().phase() != Phase::Forward;
    }

    /// Kills the script that runs, or the next one.
    fn kill_script(&mut self) {
        loop {
            if let Some(call) = self.world.calls().into_iter().next_back().filter(|call| call.end.is_none()) {
                // It is on the record before it dies of it.
                self.deeds.signalled.insert(stem(&call.key, call.attempt));
                let killed = Pid::from_raw(call.pid).is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok());
                self.deeds.kills += usize::from(killed);
                return;
            }
            if self.gone() || self.wait(Duration::from_millis(1), usize::MAX) {
                return;
            }
        }
    }

    fn gone(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Another driver, while this one holds the lock and does not move.
    fn second_driver(&mut self) {
        let pid = Pid::from_child(&self.child);
        if kill_process(pid, Signal::STOP).is_err() {
            return;
        }
        let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let state = waitid(WaitId::Pid(pid), options).unwrap();
        if state.is_some_and(|state| !state.stopped()) {
            return;
        }
        let under_way = self.world.run_dir().is_some() && self.world.run().next() != Next::Over;
        if self.world.holder() == Some(self.child.id()) && under_way {
            let second = self.world.hotfix(&["resume"]).output().unwrap();
            assert_eq!(second.status.code(), Some(8), "a second driver: {}", said(&second));
            let status = self.world.hotfix(&["status"]).output().unwrap();
            assert_eq!(status.status.code(), Some(0), "{}", said(&status));
            self.deeds.turned_away += 1;
        }
        kill_process(pid, Signal::CONT).unwrap();
        self.kill_driver();
    }

    /// Waits for the end.
    fn end(mut self) -> Ended {
        assert!(self.wait(PATIENCE, usize::MAX), "it does not end:\n{}", self.said.concat());
        let code = self.child.wait().unwrap().code();
        self.deeds.look(self.world);
        Ended { code, said: self.said.concat() }
    }
}

impl Drop for Life<'_> {
    /// Where a check fails, nobody is left behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
