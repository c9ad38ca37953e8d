//! From the first stage to the last, in each strategy.

use std::process::Command;

use hotfix::drill::Sandbox;

use crate::fixture::{World, ends};

const VALIDATION: [&str; 4] =
    ["validate-hotfix.sh", "test-critical-paths.sh", "security-validation.sh", "performance-check.sh"];

fn whole(strategy: &str, deployment: &[&str]) {
    let world = World::new();
    let answers = world.answers(&Sandbox::answers(strategy));
    let said = ends(&world.hotfix(&["start", "v1.2.3", "1234", "--answers", &answers]), 0);
    let says = |text: &str| said.contains(text);
    assert!(says("Nothing is rolled back here unless you say so") && !says("Switch the load balancer back"), "{said}");
    let mut expected = vec!["deploy-staging.sh"];
    expected.extend(deployment);
    expected.extend(VALIDATION);
    assert_eq!(world.scripts(), expected);
    assert_eq!(world.production(), "v1.2.4");
}

#[test]
fn blue_green_goes_through_all_stages_to_the_end() {
    whole("blue-green", &["deploy-blue.sh", "health-check-blue.sh", "switch-to-blue.sh", "monitor-deployment.sh"]);
}

#[test]
fn rolling_goes_batch_by_batch_until_none_is_left() {
    let batch = ["deploy-next-batch.sh", "monitor-batch.sh"];
    let first = ["deploy-rolling.sh", "monitor-batch.sh"];
    whole("rolling", &[first, batch, batch].concat());
}

#[test]
fn direct_goes_by_one_script() {
    whole("direct", &["deploy-production.sh"]);
}

#[test]
fn afterwards_the_repository_the_log_and_the_audit_trailers_agree() {
    let world = World::new();
    let answers = world.answers(&Sandbox::answers("direct"));
    ends(&world.hotfix(&["start", "v1.2.3", "1234", "--answers", &answers]), 0);
    let git = |args: &[&str]| {
        let output = world.sandbox.command("git").args(args).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let commit = git(&["show", "--no-patch", "--format=%B", "v1.2.4^{commit}"]);
    assert!(commit.starts_with("hotfix: restore the password check\n"), "{commit}");
    assert!(commit.contains("- Restore the login check of v1.2.2") && commit.contains("Fixes: #1234"), "{commit}");
    assert_eq!(git(&["show", "v1.2.4:VERSION"]), "1.2.4\n");
    assert!(git(&["branch", "--list", "hotfix/*", "--all"]).is_empty(), "the branch is deleted here and there");
    assert!(git(&["ls-remote", "origin", "refs/heads/hotfix/1234"]).is_empty());
    assert!(git(&["merge-base", "--is-ancestor", "v1.2.4", "origin/main"]).is_empty());

    let contents = world.contents();
    let lines = std::fs::read_to_string(world.journal()).unwrap();
    let lines: Vec<_> = lines.lines().collect();
    for message in [
        git(&["for-each-ref", "--format=%(contents)", "refs/tags/v1.2.4"]),
        git(&["log", "-1", "--format=%B", "origin/main"]),
    ] {
        let trailer = message.lines().find_map(|line| line.strip_prefix("Hotfix-Audit: ")).unwrap();
        let [run, seq, hash] = trailer.split(' ').collect::<Vec<_>>()[..] else { panic!("{trailer}") };
        assert_eq!(run, contents.records[0].run);
        assert_eq!(sha256sum(lines[seq.parse::<usize>().unwrap()]), hash, "the record {seq} is the one that is named");
    }
    let verified = ends(&world.hotfix(&["verify"]), 0);
    assert!(verified.contains(&sha256sum(lines.last().unwrap())), "{verified}");
}

/// What the program of that name says of a line without its newline.
fn sha256sum(line: &str) -> String {
    let script = "if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi";
    let mut child = Command::new("sh");
    child.args(["-c", &format!("printf %s \"$LINE\" | {{ {script}; }}")]).env("LINE", line);
    let output = String::from_utf8(child.output().unwrap().stdout).unwrap();
    output.split(' ').next().unwrap().to_owned()
}

#[test]
fn a_template_of_answers_with_its_blanks_filled_in_drives_the_whole_runbook() {
    let world = World::new();
    let template = world.hotfix(&["plan", "v1.2.3", "1234", "--answers-template"]);
    let template = String::from_utf8(template.stdout).unwrap();
    let prepared = Sandbox::answers("rolling");
    let mut filled = String::new();
    let mut answers = prepared.lines().peekable();
    let mut known = std::collections::BTreeMap::new();
    while let Some(line) = answers.next() {
        let Some((key, value)) = line.split_once(": ").filter(|(key, _)| key.contains('/')) else { continue };
        let mut value = value.to_owned();
        while value.starts_with('|') && answers.peek().is_some_and(|line| line.starts_with(' ')) {
            value = format!("{value}\n{}", answers.next().unwrap());
        }
        known.insert(key.to_owned(), value);
    }
    for line in template.lines() {
        match line.split_once(":  #").filter(|(key, _)| !key.starts_with('#')) {
            // The one blank that stays: what is left of the batches, which this deployment says by itself.
            Some((key, _)) if key == "deploy/batches/remaining" => filled += &[key, ":\n"].concat(),
            Some((key, _)) => filled += &[key, ": ", &known[key], "\n"].concat(),
            None => filled += &[line, "\n"].concat(),
        }
    }
    let answers = world.answers(&filled);
    ends(&world.hotfix(&["start", "v1.2.3", "1234", "--answers", &answers]), 0);
}

#[test]
fn a_dry_run_and_a_plan_do_nothing() {
    let world = World::new();
    let plan = ends(&world.hotfix(&["plan", "v1.2.3", "1234"]), 0);
    assert_eq!(plan, ends(&world.hotfix(&["start", "v1.2.3", "1234", "--dry-run"]), 0));
    for text in ["18/18", "./switch-to-blue.sh", "PRODUCTION: v1.2.4 is to be typed", "undo: ./deploy-production.sh"] {
        assert!(plan.contains(text), "{text}\n{plan}");
    }
    let back = ends(&world.hotfix(&["plan", "v1.2.3", "1234", "--rollback"]), 0);
    assert!(back.starts_with("undo deploy/direct") && back.contains("then rollback/validate"), "{back}");
    assert!(!back.contains("merge-back"), "{back}");
    let json = ends(&world.hotfix(&["plan", "v1.2.3", "1234", "--json"]), 0);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["stages"].as_array().unwrap().len(), 18);
    assert!(!world.sandbox.repository().join(".git/hotfix").exists(), "nothing was written");
    assert!(world.scripts().is_empty(), "nothing was run");
}
