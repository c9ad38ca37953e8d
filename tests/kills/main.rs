//! Killed at random moments, run after run: the driver, the supervisor, the script. Whatever dies when, nothing acknowledged is
//! lost, nothing is run twice unasked, and no exit status is made up.
//!
//! `HOTFIX_SEED` (a number) begins with other moments, `HOTFIX_KILLS` (how many at least, in all) goes on for longer. What
//! fails names its seed.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what was done is said, and how to do it again")]

mod check;
mod honest;
mod life;
mod look;
mod random;
mod record;
mod whole;
mod world;

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::life::Deeds;
use crate::random::Random;
use crate::world::World;

/// How many are killed in all, at least.
const KILLS: usize = 500;
/// How many runs go on at once. Most of the time they wait for the disk.
const AT_ONCE: usize = 4;
/// After so many lives a run must be over.
const LIVES: usize = 400;

fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

#[test]
fn killed_at_random_moments_it_loses_nothing_runs_nothing_twice_and_makes_nothing_up() {
    let wanted = given("HOTFIX_KILLS").map_or(KILLS, |kills| usize::try_from(kills).unwrap());
    let next = AtomicU64::new(given("HOTFIX_SEED").unwrap_or(1));
    let (kills, turned_away, runs) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(wanted) {
            scope.spawn(|| {
                while kills.load(Ordering::Relaxed) < wanted {
                    let deeds = drive(next.fetch_add(1, Ordering::Relaxed));
                    kills.fetch_add(deeds.kills, Ordering::Relaxed);
                    turned_away.fetch_add(deeds.turned_away, Ordering::Relaxed);
                    runs.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let [kills, turned_away, runs] = [kills, turned_away, runs].map(AtomicUsize::into_inner);
    println!("{kills} killed in {runs} runs; a second driver was turned away {turned_away} times");
    assert!(kills >= wanted);
    assert!(wanted < KILLS || turned_away > 0, "no second driver ever met the first");
}

/// One run, from its start to its end, with kills where `seed` has them.
fn drive(seed: u64) -> Deeds {
    let mut random = Random::new(seed);
    let world = World::new(random.chance(40));
    let (mut deeds, mut lives) = (Deeds::default(), Vec::new());
    let driven = catch_unwind(AssertUnwindSafe(|| {
        let kills = usize::try_from(20 + random.below(25)).unwrap();
        while !over(&world) {
            assert!(lives.len() < LIVES, "it comes to no end");
            let answers = honest::answers(&world);
            let unborn = deeds.unborn;
            let gently = deeds.kills >= kills;
            let ended = life::live(&world, &mut random, &mut deeds, (&answers, gently));
            let code = ended.code;
            lives.push((answers, ended));
            if code.is_none() && random.chance(15) {
                world.tear(&mut random);
            }
            check::check(&world, &deeds);
            deeds.look(&world);
            let paused = match code {
                None | Some(0 | 5 | 7 | 10 | 11) => true,
                Some(8) => deeds.rolled_back || deeds.contested,
                Some(1) => deeds.unborn > unborn,
                Some(_) => false,
            };
            assert!(paused, "it ended with {code:?}");
        }
        whole::whole(&world, &deeds);
    }));
    if let Err(panic) = driven {
        eprintln!("{}", story(&world, &deeds, &lives));
        eprintln!("again: HOTFIX_SEED={seed} HOTFIX_KILLS=1 cargo test --test kills");
        resume_unwind(panic);
    }
    deeds
}

fn over(world: &World) -> bool {
    use hotfix::run::{Next, Phase};
    let run = world.run();
    run.phase() != Phase::Unborn && run.next() == Next::Over
}

/// What a person needs to see why.
fn story(world: &World, deeds: &Deeds, lives: &[(String, life::Ended)]) -> String {
    let records = world.records();
    let mut text = String::new();
    for record in &records {
        let mut event = serde_json::to_value(&record.event).unwrap();
        for long in ["runbook", "vars", "evidence"] {
            event.as_object_mut().unwrap().remove(long);
        }
        writeln!(text, "{} {} {event}", record.seq, record.at).unwrap();
    }
    text += &std::fs::read_to_string(world.path("calls")).unwrap();
    for (answers, ended) in lives.iter().rev().take(3).rev() {
        writeln!(text, "--- {:?} with {answers}{}", ended.code, ended.said).unwrap();
    }
    writeln!(text, "killed: scripts {:?}, supervisors {:?}", deeds.signalled, deeds.bereft).unwrap();
    text
}
