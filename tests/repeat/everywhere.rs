//! Killed at every moment that can be told from another, step by step.

use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::world::{STEPS, World, said};

/// How the program is killed, at the `n`th moment of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Killed {
    /// Before the `n`th git that it starts does anything, and that with it.
    Before,
    /// Before the `n`th git does anything; that goes on without it, and does all that it does.
    Without,
    /// With the git that it has started, the `n`th time that a ref is about to change, or is changed.
    InTransaction,
}

const HOWS: [Killed; 3] = [Killed::Before, Killed::Without, Killed::InTransaction];

/// How many `git` there are at least in each of [`STEPS`], without those that ask who drives.
const AT_LEAST: [usize; 8] = [1, 1, 0, 4, 1, 1, 12, 5];

/// Has the program killed at the `n`th moment; it leaves `$T/killed` then, and `$T/over` when nothing goes on any more.
fn arm(world: &World, how: Killed, n: usize) {
    let count = "n=$(($(cat \"$T/count\" 2>/dev/null || echo 0) + 1)); echo $n > \"$T/count\"";
    let kill = "touch \"$T/killed\"; kill -9 $(cat \"$T/pid\")";
    if how == Killed::InTransaction {
        let text = format!(
            "#!/bin/sh\ncat >/dev/null\n{count}\nif [ $n = {n} ]; then touch \"$T/over\"; {kill} $PPID; fi\nexit 0\n"
        );
        world.write("work/.git/hooks/reference-transaction", &text);
        return;
    }
    let real = said(&world.command("sh", ".").args(["-c", "command -v git"]).output().unwrap());
    let real = real.trim();
    let then = match how {
        Killed::Before => format!("touch \"$T/over\"; {kill}; exit 1"),
        Killed::Without | Killed::InTransaction => format!("{kill}; {real} \"$@\"; touch \"$T/over\"; exit 1"),
    };
    let other = format!("case \" $* \" in *' var '*) exec {real} \"$@\";; esac");
    world.write(
        "wrapped/git",
        &format!("#!/bin/sh\n{other}\n{count}\nif [ $n = {n} ]; then {then}; fi\nexec {real} \"$@\"\n"),
    );
}

fn disarm(world: &World) {
    for name in ["wrapped/git", "work/.git/hooks/reference-transaction"] {
        drop(std::fs::remove_file(world.path(name)));
    }
}

/// A run that waits before the step `at`, and what is there when that is done.
struct Before {
    world: World,
    after: String,
    at: usize,
}

impl Before {
    /// How a step ends well: with the question before the next one, or with the run.
    fn code(&self) -> i32 {
        if self.at + 1 == STEPS.len() { 0 } else { 7 }
    }
}

/// The run, undisturbed, as it stands before each of its steps.
fn undisturbed() -> Vec<Before> {
    let mut world = World::new();
    world.go(&[], 7, "the beginning");
    let mut all = Vec::new();
    for (at, (id, _)) in STEPS.iter().enumerate() {
        let next = world.copy();
        let mut before = Before { world, after: String::new(), at };
        next.go(&[id], before.code(), id);
        before.after = next.state();
        all.push(before);
        world = next;
    }
    world.is_over("undisturbed");
    all
}

/// Kills the program at the `n`th moment of a step and takes it up again: how often a lock was told of, or `None` where there are
/// not so many moments.
fn once(before: &Before, how: Killed, n: usize) -> Option<usize> {
    let (id, _) = STEPS[before.at];
    let context = format!("{id}, {how:?} {n}");
    let world = before.world.copy();
    arm(&world, how, n);
    let ended = world.driver(&[id], false).output().unwrap();
    if !world.path("killed").exists() {
        assert_eq!(ended.status.code(), Some(before.code()), "{context}: {}", said(&ended));
        return None;
    }
    world.wait_for("over");
    assert_eq!(ended.status.signal(), Some(9), "{context}: {}", said(&ended));
    disarm(&world);
    let locks = world.go(&[id], before.code(), &context);
    assert_eq!(world.state(), before.after, "{context}");
    // A git that was killed itself may have left locks that are in nobody's way.
    assert!(how == Killed::InTransaction || world.left().is_empty(), "{context}: {:?}", world.left());
    if before.code() == 0 {
        world.is_over(&context);
    }
    Some(locks)
}

#[test]
fn killed_at_every_moment_of_every_step_of_git_it_comes_to_the_same_end() {
    let all = undisturbed();
    let jobs: Vec<(&Before, Killed)> = all.iter().flat_map(|before| HOWS.map(|how| (before, how))).collect();
    let (next, told) = (AtomicUsize::new(0), Mutex::new(String::new()));
    let kills = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                // The long ones, which are at the end, come first.
                while let Some((before, how)) = jobs.iter().rev().nth(next.fetch_add(1, Ordering::Relaxed)) {
                    let locks: Vec<usize> = (1..).map_while(|n| once(before, *how, n)).collect();
                    let (id, _) = STEPS[before.at];
                    let least = match how {
                        Killed::InTransaction => 0,
                        _ => AT_LEAST[before.at],
                    };
                    assert!(locks.len() >= least, "{id} was killed only {} times, {how:?}", locks.len());
                    kills.fetch_add(locks.len(), Ordering::Relaxed);
                    let told = &mut told.lock().unwrap();
                    writeln!(told, "{id}, {how:?}: {} times, {} locks", locks.len(), locks.iter().sum::<usize>())
                        .unwrap();
                }
            });
        }
    });
    println!("{}{} kills", told.into_inner().unwrap(), kills.into_inner());
}
