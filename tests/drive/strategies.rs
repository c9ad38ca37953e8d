//! Strategies with a team's own scripts: the way back that a runbook of theirs gives takes the place of the built-in one.

use super::fixture::{World, ends};

/// What a team with a script that switches the traffic back says.
const SWITCHES_BACK: &str = "\
name: team
version: 1
extends: repo/.hotfix/runbook.yaml
stages:
  - id: strategy
    steps:
      - { id: deploy-blue, undo: { run: ./switch-to-green.sh } }
  - id: deploy
    steps:
      - { id: switch, undo: { run: ./switch-to-green.sh } }
";

#[test]
fn a_script_that_switches_back_is_the_undo_where_a_team_says_so() {
    let world = World::new();
    let own = world.sandbox.dir().join("team.yaml");
    std::fs::write(&own, SWITCHES_BACK).unwrap();
    let own = own.to_str().unwrap();
    let plan = ends(&world.hotfix(&["plan", "v1.2.3", "1234", "--rollback", "--runbook", own]), 0);
    let undo = |step: &str| plan.lines().find(|line| line.starts_with(&format!("undo {step} "))).map(str::to_owned);
    assert!(undo("deploy/switch").is_some_and(|line| line.ends_with(" ./switch-to-green.sh")), "{plan}");
    assert_eq!(undo("strategy/deploy-blue"), None, "the same command is there once: {plan}");

    let answers = world.answers_but("blue-green", &[("deploy/monitor-deployment", "rollback")]);
    let mut command = world.command(&["start", "v1.2.3", "1234", "--runbook", own, "--answers", &answers]);
    command.env("HOTFIX_DRILL_FAIL", "deploy/monitor-deployment");
    ends(&command.output().unwrap(), 10);
    let scripts = world.scripts();
    let switched = scripts.iter().position(|name| name == "switch-to-blue.sh").unwrap();
    assert_eq!(
        scripts[switched..],
        [
            "switch-to-blue.sh",
            "monitor-deployment.sh",
            "switch-to-green.sh",
            "deploy-staging.sh",
            "validate-rollback.sh"
        ],
        "once for both of its steps, and nothing is deployed to production"
    );
    assert_eq!(world.production(), "v1.2.3");
}
