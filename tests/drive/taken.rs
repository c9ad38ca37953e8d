//! A command that has begun is taken up, whatever has changed around it meanwhile.

use hotfix::event::Event;

use crate::fixture::{World, ends, kill};

/// A run whose production step waits for the file `go`; its driver is dead.
fn begun(world: &World, step: &str, env: &[(&str, &str)]) -> String {
    let at = |name: &str| world.sandbox.dir().join(name).display().to_string();
    let text = format!(
        "name: taken\nversion: 1\nsecrets: [PW]\nstages:\n  - id: s\n    steps:\n      - {{id: a, affects: production, {step}}}\n      - {{id: b, confirm: 'Really over?'}}\n"
    );
    std::fs::write(at("taken.yaml"), text).unwrap();
    let answers = world.answers("s/a: v1.2.4\n");
    let runbook = at("taken.yaml");
    let mut start = world.command(&["start", "v1.2.3", "1234", "--runbook", &runbook, "--answers", &answers]);
    start.envs(env.iter().copied()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let child = start.spawn().unwrap();
    let mut watch = world.sandbox.command("sh");
    watch.args([
        "-c",
        "n=0; while ! test -s \"$0\"; do n=$((n+1)); test $n -lt 600 || exit 1; sleep 0.05; done",
        &at("calls"),
    ]);
    assert!(watch.status().unwrap().success());
    kill(child);
    answers
}

fn work(world: &World) -> String {
    let at = |name: &str| world.sandbox.dir().join(name).display().to_string();
    // It ends with the sandbox as well.
    let (calls, go) = (at("calls"), at("go"));
    format!("echo call >>{calls}; while test -e {calls} && ! test -e {go}; do sleep 0.05; done; echo over")
}

fn calls(world: &World) -> usize {
    std::fs::read_to_string(world.sandbox.dir().join("calls")).unwrap().lines().count()
}

fn failed(world: &World) -> usize {
    world.events().iter().filter(|event| matches!(event, Event::StepFailed { .. })).count()
}

#[test]
fn a_secret_that_is_not_there_any_more_is_no_failure_of_what_runs() {
    let world = World::new();
    let step = format!("env: {{PW: '{{{{ env.PW }}}}'}}, run: '{}'", work(&world));
    let answers = begun(&world, &step, &[("PW", "hunter22")]);
    std::fs::write(world.sandbox.dir().join("go"), "").unwrap();
    let said = ends(&world.hotfix(&["resume", "--answers", &answers]), 7);
    assert!(said.contains("Really over?"), "{said}");
    assert_eq!((calls(&world), failed(&world)), (1, 0), "{said}");
}

#[test]
fn a_script_that_is_not_in_the_work_tree_any_more_is_no_work_by_hand() {
    let world = World::new();
    let script = world.sandbox.repository().join("slow.sh");
    std::fs::write(&script, format!("#!/bin/sh\n{}\n", work(&world))).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let git = |args: &[&str]| assert!(world.sandbox.command("git").args(args).status().unwrap().success(), "{args:?}");
    git(&["add", "slow.sh"]);
    git(&["commit", "-qm", "slow"]);
    git(&["tag", "-f", "-a", "-m", "release", "v1.2.3"]);
    git(&["push", "-qf", "origin", "v1.2.3"]);
    git(&["rm", "-q", "slow.sh"]);
    git(&["commit", "-qm", "gone"]);
    let answers = begun(&world, "run: ./slow.sh", &[]);
    std::fs::write(world.sandbox.dir().join("go"), "").unwrap();
    let said = ends(&world.hotfix(&["resume", "--answers", &answers]), 7);
    assert!(said.contains("Really over?") && !said.contains("by hand"), "{said}");
    assert_eq!((calls(&world), failed(&world)), (1, 0), "{said}");
}

#[test]
fn files_that_are_gone_or_cannot_be_read_mean_that_somebody_is_asked() {
    for spoil in ["rm -r *", "printf '\\0\\0\\n' >s.a.1.status"] {
        let world = World::new();
        let answers = begun(&world, &format!("run: '{}'", work(&world)), &[]);
        let output = world.runs()[0].join("output");
        let mut shell = world.sandbox.command("sh");
        assert!(shell.args(["-c", &format!("cd '{}' && {spoil}", output.display())]).status().unwrap().success());
        let said = ends(&world.hotfix(&["resume", "--answers", &answers]), 7);
        assert!(said.contains("s/a began, and nobody knows how it ended"), "{spoil}: {said}");
        assert_eq!((calls(&world), failed(&world)), (1, 0), "{spoil}: {said}");
        std::fs::write(world.sandbox.dir().join("go"), "").unwrap();
    }
}

#[test]
fn an_undo_goes_without_a_secret_that_is_not_there_and_the_plan_says_so() {
    let world = World::new();
    let undone = world.sandbox.dir().join("undone").display().to_string();
    let step =
        format!("env: {{PW: '{{{{ env.PW }}}}'}}, run: '{}', undo: {{run: 'echo undo >>{undone}'}}", work(&world));
    begun(&world, &step, &[("PW", "hunter22")]);
    let answers = world.answers("rollback: yes\n");
    let said = ends(&world.hotfix(&["rollback", "--answers", &answers]), 10);
    assert!(said.contains("undo s/a: echo undo") && said.contains("WITHOUT PW"), "{said}");
    assert!(said.contains("the undo of s/a is run without PW"), "{said}");
    assert_eq!(std::fs::read_to_string(&undone).unwrap(), "undo\n");
}
