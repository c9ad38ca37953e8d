//! Killed at random times, from the beginning to the end.

use std::process::Stdio;
use std::time::{Duration, Instant};

use hotfix::clock::pause;

use crate::random::Random;
use crate::world::{STEPS, World};

/// How many runs there are.
const RUNS: u64 = 6;
/// How often each is killed.
const KILLS: usize = 14;
/// After so many lives a run must be over.
const LIVES: usize = 80;

/// One run, killed where `seed` has it; a `git` that it leaves behind is not waited for.
fn drive(seed: u64, undisturbed: &World) -> usize {
    let mut random = Random::new(seed);
    let world = World::new();
    let steps = STEPS.map(|(id, _)| id);
    let (mut kills, mut again) = (0, false);
    for life in 0..LIVES {
        let context = format!("seed {seed}, life {life}");
        let mut child = world.driver(&steps, again);
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        if kills < KILLS {
            // So much later, or with so many more bytes in the log.
            let (later, more) =
                if random.chance(50) { (random.below(250), 1 << 40) } else { (60_000, random.below(4_000)) };
            let (end, size) = (Instant::now() + Duration::from_millis(later), world.journal().len() as u64 + more);
            while Instant::now() < end && (world.journal().len() as u64) < size && child.try_wait().unwrap().is_none() {
                pause(Duration::from_millis(1));
            }
            child.kill().unwrap();
        }
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        again = false;
        match ended.status.code() {
            None => kills += 1,
            Some(0) => {
                assert_eq!(world.state(), undisturbed.state(), "{context}");
                world.is_over(&context);
                return kills;
            }
            Some(5) => {
                // A git that lives still may be in the way of another, or have done what was to be done.
                again = true;
                if said.contains("remove it with") {
                    World::unlock(&said, &context);
                }
            }
            other => panic!("{context}: ended with {other:?}\n{said}"),
        }
    }
    panic!("seed {seed}: it comes to no end");
}

#[test]
fn killed_at_random_times_it_comes_to_the_same_end() {
    let undisturbed = World::new();
    undisturbed.go(&STEPS.map(|(id, _)| id), 0, "undisturbed");
    let first = std::env::var("HOTFIX_SEED").map_or(1, |text| text.parse().unwrap());
    let kills: usize = (first..first + RUNS).map(|seed| drive(seed, &undisturbed)).sum();
    println!("{kills} kills in {RUNS} runs");
    assert!(kills >= 20, "only {kills} were killed");
}
