//! Killed without warning and taken up again: the same end, and no script run twice.

use crate::fixture::{World, ends, kill};

/// How often it is killed.
const KILLS: usize = 24;
/// How many records a process writes before it is killed.
const RECORDS: usize = 9;

#[test]
fn killed_at_twenty_moments_and_resumed_it_ends_the_same_and_calls_no_script_twice() {
    let world = World::new();
    let answers = world.answers(&hotfix::drill::Sandbox::answers("blue-green"));
    let (mut child, mut lines) = world.begin(&["start", "v1.2.3", "1234", "--answers", &answers]);
    let mut kills = 0;
    let mut written = 0;
    while kills < KILLS {
        // Not at the same distance behind a record each time, so that the moments differ.
        let mut delay = kills % 4;
        let over = loop {
            let Some(_) = lines.next() else { break true };
            if world.runs().is_empty() || records(&world) < written + RECORDS {
                continue;
            }
            if delay == 0 {
                break false;
            }
            delay -= 1;
        };
        if over {
            break;
        }
        kill(child);
        kills += 1;
        written = records(&world);
        (child, lines) = world.begin(&["resume", "--answers", &answers]);
    }
    let rest = lines.all();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(0), "after {kills} kills: {rest}");
    assert!(kills >= 20, "it was killed only {kills} times");
    let expected = [
        "deploy-staging.sh",
        "deploy-blue.sh",
        "health-check-blue.sh",
        "switch-to-blue.sh",
        "monitor-deployment.sh",
        "validate-hotfix.sh",
        "test-critical-paths.sh",
        "security-validation.sh",
        "performance-check.sh",
    ];
    assert_eq!(world.scripts(), expected, "after {kills} kills");
    assert_eq!(world.production(), "v1.2.4");
    ends(&world.hotfix(&["verify"]), 0);
}

fn records(world: &World) -> usize {
    std::fs::read_to_string(world.journal()).unwrap().matches('\n').count()
}
