//! `hotfix drill` as a program: by itself and with a person, to its end and interrupted, and nothing of it left behind.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod person;
mod world;

use std::process::Output;

use hotfix::drill::Sandbox;
use rustix::process::Signal;
use world::World;

/// What the procedure runs before it deploys, whichever way.
const BEFORE: [&str; 4] = [
    "npm test -- --testPathPattern=auth",
    "npm run test:security",
    "deploy-staging.sh v1.2.4",
    "npm run test:smoke:staging",
];
/// What it runs once it has.
const AFTER: [&str; 4] =
    ["validate-hotfix.sh", "test-critical-paths.sh", "security-validation.sh", "performance-check.sh"];

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Drives a drill by itself to its end, with a strategy that calls the scripts `calls`.
fn finishes(strategy: &str, calls: &[&str]) {
    let world = World::new();
    let output = world.drill(&["--auto", "--keep", "--strategy", strategy]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(world.calls(), [&BEFORE, calls, &AFTER].concat());
    assert_eq!(world.production(), "v1.2.4");
    let score = String::from_utf8_lossy(&output.stdout).into_owned();
    for line in [
        "Result            finished",
        "Failed attempts   0",
        "Left              nothing",
        "A wrong password  is refused in production",
    ] {
        assert!(score.contains(line), "{score}");
    }
    assert!(score.contains("Time to mitigate  ") && !score.contains("not mitigated"), "{score}");
    assert_eq!(world.processes(), Vec::<u32>::new(), "what is kept has no processes");
    // What to type is shown once more at the step that it is for.
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let step = told.split("develop/fix").nth(1).unwrap_or_default();
    let guide = step.split("for the shell").nth(1).unwrap_or_default().lines().take(4).collect::<String>();
    assert!(guide.contains(Sandbox::fix_command()), "{told}");
    let report = world.kept_hotfix(&["report"]);
    assert!(said(&report).contains("v1.2.4"), "{}", said(&report));
}

#[test]
fn a_blue_green_drill_finishes() {
    let calls = ["deploy-blue.sh v1.2.4", "health-check-blue.sh", "switch-to-blue.sh", "monitor-deployment.sh"];
    finishes("blue-green", &calls);
}

#[test]
fn a_rolling_drill_finishes() {
    let first = ["deploy-rolling.sh v1.2.4 --batch-size 1", "monitor-batch.sh"];
    let next = ["deploy-next-batch.sh", "monitor-batch.sh"];
    finishes("rolling", &[first, next, next].concat());
}

#[test]
fn a_direct_drill_finishes() {
    finishes("direct", &["deploy-production.sh v1.2.4"]);
}

#[test]
fn nothing_is_left_where_nothing_is_to_be_kept() {
    let world = World::new();
    let output = world.drill(&["--auto", "--fail", "strategy/choose"]);
    assert_eq!(output.status.code(), Some(10), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("The sandbox       is removed"), "{}", said(&output));
    world.assert_clear();
}

/// Lets `step` fail and expects production to be back; `last` are the last scripts that were called.
fn comes_back(step: &str, last: &[&str]) {
    let world = World::new();
    let output = world.drill(&["--auto", "--keep", "--fail", step]);
    assert_eq!(output.status.code(), Some(10), "{}", said(&output));
    let calls = world.calls();
    assert_eq!(calls[calls.len() - last.len()..], *last, "{calls:?}");
    assert_eq!(world.production(), "v1.2.3");
    let score = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(score.contains("Result            rolled back"), "{score}");
    assert!(score.contains("A wrong password  STILL LETS ANYONE IN"), "{score}");
    assert!(score.contains("release/push: git push"), "what is left on the remote is said: {score}");
    assert_eq!(world.processes(), Vec::<u32>::new());
}

#[test]
fn a_batch_that_makes_errors_is_caught_by_its_watch_and_only_what_was_deployed_is_taken_back() {
    let world = World::new();
    let output = world.drill(&["--auto", "--keep", "--fail", "batch"]);
    assert_eq!(output.status.code(), Some(10), "{}", said(&output));
    let calls = world.calls();
    let deployed = calls.iter().position(|call| call.starts_with("deploy-rolling.sh")).unwrap();
    assert_eq!(
        calls[deployed..],
        [
            "deploy-rolling.sh v1.2.4 --batch-size 1",
            "monitor-batch.sh",
            "deploy-next-batch.sh",
            "monitor-batch.sh",
            "undo-batch.sh green-2",
            "undo-batch.sh green-1",
            "deploy-staging.sh v1.2.3",
            "validate-rollback.sh",
        ]
    );
    let said = said(&output);
    for words in [
        "The second batch of a rolling deployment is going to make errors.",
        "green-1: 0 of 4 logins fail",
        "green-2: 4 of 4 logins fail",
        "green-2: auth: the login check of v1.2.4 ended with",
        "monitor-batch.sh: errors on green-2",
        "so far deploy/rolling: hosts = green-1",
        "so far deploy/batches/next.1: hosts = green-2, remaining = 1, waiting = green-3",
        "Result            rolled back",
    ] {
        assert!(said.contains(words), "`{words}` is not in {said}");
    }
    assert_eq!(world.production(), "v1.2.3");
    // How often each server was deployed to since the drill began with v1.2.3.
    assert_eq!(["green-1", "green-2", "green-3"].map(|server| world.deployments(server)), [2, 2, 0]);
    assert_eq!(world.processes(), Vec::<u32>::new());
}

#[test]
fn a_drill_measures_production_before_and_after() {
    let world = World::new();
    let output = world.drill(&["--auto", "--keep", "--strategy", "direct"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let report = String::from_utf8(world.kept_hotfix(&["report"]).stdout).unwrap();
    let lines: Vec<_> = report.lines().collect();
    let heading = lines.iter().position(|line| *line == "## Before and after").unwrap();
    let rows: Vec<_> = lines[heading + 4..].iter().take_while(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 7, "{rows:?}");
    let measured = |probe: &str| {
        let row = rows.iter().find(|row| row.starts_with(&format!("| {probe} |"))).unwrap();
        assert!(row.contains("strategy/baseline → monitor/watch"), "{row}");
        row.split('|').nth(3).unwrap().trim().to_owned()
    };
    for probe in ["response-time", "auth-log", "exceptions", "error-rate", "auth-success", "cpu", "memory"] {
        let values = measured(probe);
        let numbers = values.split(" → ").map(|number| number.parse::<f64>().is_ok());
        assert_eq!(numbers.collect::<Vec<_>>(), [true, true], "{probe}: {values}");
    }
}

const BACK: [&str; 3] = ["deploy-production.sh v1.2.3", "deploy-staging.sh v1.2.3", "validate-rollback.sh"];

#[test]
fn a_switch_that_fails_is_taken_back() {
    comes_back("deploy/switch", &[["switch-to-blue.sh"].as_slice(), &BACK].concat());
}

#[test]
fn a_blue_that_is_not_healthy_is_taken_back_after_its_retries() {
    comes_back("strategy/health-blue", &[["health-check-blue.sh"; 6].as_slice(), &BACK].concat());
}

#[test]
fn a_fix_that_does_not_hold_is_taken_back() {
    comes_back("validate/security", &[["security-validation.sh"].as_slice(), &BACK].concat());
}

#[test]
fn a_batch_that_fails_is_taken_back_and_its_strategy_is_chosen_for_it() {
    // It failed before it named a server.
    let back = ["undo-batch.sh", "undo-batch.sh green-1", "deploy-staging.sh v1.2.3", "validate-rollback.sh"];
    comes_back("deploy/batches/next", &[["deploy-next-batch.sh"].as_slice(), &back].concat());
}

#[test]
fn a_step_without_a_script_can_fail_too() {
    comes_back("validate/login", &[["test-critical-paths.sh"].as_slice(), &BACK].concat());
}

#[test]
fn a_rollback_that_is_not_validated_needs_a_person() {
    let world = World::new();
    let output = world.drill(&["--auto", "--fail", "rollback/validate"]);
    assert_eq!(output.status.code(), Some(11), "{}", said(&output));
    assert!(said(&output).contains("THE ROLLBACK IS NOT COMPLETE"), "{}", said(&output));
    world.assert_clear();
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_made() {
    let world = World::new();
    let refused = |args: &[&str], words: &str| {
        let output = world.drill(args);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(words), "{args:?}: {}", said(&output));
        assert!(!said(&output).contains("THE DRILL"), "{}", said(&output));
    };
    refused(&["--auto", "--fail", "nonsense"], "the nearest name is");
    refused(&["--auto", "--fail", "deploy/swich"], "the nearest name is `deploy/switch`");
    refused(&["--auto", "--fail", "login"], "staging/login, validate/login");
    refused(&["--auto", "--fail", "observe/looks/wait"], "these can: observe/begin");
    refused(&["--auto", "--fail", "batch", "--strategy", "direct"], "does not come up in this drill");
    refused(&["--auto", "--fail", "deploy/switch", "--strategy", "direct"], "does not come up in this drill");
    refused(&["--auto", "--strategy", "canary"], "blue-green");
    let nobody = world.drill(&[]);
    assert_eq!(nobody.status.code(), Some(7), "{}", said(&nobody));
    world.assert_clear();
}

#[test]
fn a_signal_ends_a_drill_and_everything_of_it() {
    for (signal, code, moment) in [(Signal::TERM, 143, "observe/looks/wait.1"), (Signal::INT, 130, "begins:")] {
        let world = World::new();
        let mut running = world.start(&["--auto"]);
        running.until(moment);
        running.signal(signal);
        assert_eq!(running.ends(), Some(code), "{signal:?}");
        world.assert_clear();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_drill_that_is_killed_leaves_no_process() {
    let world = World::new();
    let mut running = world.start(&["--auto"]);
    running.until("assess/severity");
    let all = world.processes();
    assert!(all.len() > 7, "the drill, its run and six servers: {all:?}");
    let handles: Vec<_> = all.iter().map(|pid| world::handle(*pid)).collect();
    running.signal(Signal::KILL);
    assert_eq!(running.ends(), None);
    for (pid, handle) in all.iter().zip(handles) {
        assert!(world::has_ended(handle.as_ref()), "process {pid} goes on");
    }
}
