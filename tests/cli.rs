//! The program from outside: what it prints, what it writes, how it ends.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use hotfix::clock::SystemClock;
use hotfix::event::Event;
use hotfix::store::{RunPaths, Store};
use tempfile::TempDir;

fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotfix"));
    command.current_dir(dir).env_clear().env("HOME", dir).env("GIT_CEILING_DIRECTORIES", dir.parent().unwrap());
    command.args(arguments);
    command
}

fn hotfix(dir: &Path, arguments: &[&str]) -> Output {
    command(dir, arguments).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn said(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn repository() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    git2::Repository::init(dir.path()).unwrap();
    dir
}

fn begin(dir: &Path) -> RunPaths {
    let first = Event::RunStarted {
        program: "0".into(),
        format: hotfix::event::FORMAT,
        runbook: String::new(),
        vars: BTreeMap::new(),
        environment: BTreeMap::new(),
        incident_began: None,
        warnings: vec![],
    };
    let store = Store::under(&dir.join(".git"));
    store.begin(&SystemClock, "1234", ("ada", "db1"), ("", vec![first])).unwrap()
}

#[test]
fn help_and_version_go_to_standard_output_and_a_wrong_word_is_usage() {
    let dir = tempfile::tempdir().unwrap();
    let version = hotfix(dir.path(), &["--version"]);
    assert_eq!((code(&version), said(&version.stdout)), (0, concat!("hotfix ", env!("CARGO_PKG_VERSION"), "\n")));
    let wrong = hotfix(dir.path(), &["strat"]);
    assert_eq!((code(&wrong), said(&wrong.stdout)), (2, ""));
    assert!(said(&wrong.stderr).contains("strat"));
}

#[test]
fn completions_and_the_manual_page_know_the_commands() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in [&["completions", "bash"][..], &["completions", "fish"], &["completions", "zsh"], &["man"]] {
        let output = hotfix(dir.path(), arguments);
        assert_eq!(code(&output), 0);
        assert!(said(&output.stdout).contains("verify"), "{arguments:?}");
    }
}

#[test]
fn init_writes_the_built_in_runbook_and_never_over_an_edited_one() {
    for (language, file) in [("en", "hotfix.yaml"), ("zh-CN", "hotfix.zh-CN.yaml")] {
        let dir = repository();
        fs::create_dir(dir.path().join("deep")).unwrap();
        let output = hotfix(&dir.path().join("deep"), &["init", "--lang", language]);
        assert_eq!(code(&output), 0, "{}", said(&output.stderr));
        let path = dir.path().join(".hotfix/runbook.yaml");
        let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks").join(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), fs::read_to_string(built_in).unwrap());
        fs::write(&path, "mine").unwrap();
        let again = hotfix(dir.path(), &["init"]);
        assert_eq!(code(&again), 2);
        assert!(said(&again.stderr).contains("already there"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }
}

#[test]
fn init_writes_a_small_runbook_that_is_right_as_it_is_and_with_its_examples() {
    let dir = repository();
    let output = hotfix(dir.path(), &["init", "--extend"]);
    assert_eq!(code(&output), 0, "{}", said(&output.stderr));
    let path = dir.path().join(".hotfix/runbook.yaml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("extends: builtin"), "{text}");
    let output = hotfix(dir.path(), &["check"]);
    assert_eq!(code(&output), 0, "{}", said(&output.stderr));
    assert_eq!(code(&hotfix(dir.path(), &["init", "--extend"])), 2);
    let examples: Vec<_> = text.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).collect();
    fs::write(&path, examples.join("\n")).unwrap();
    let output = hotfix(dir.path(), &["check"]);
    assert_eq!(code(&output), 0, "{}", said(&output.stderr));
    let built_in = hotfix(dir.path(), &["check", concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/hotfix.yaml")]);
    // One step more and one less.
    assert_eq!(said(&output.stdout).split_once(": ").unwrap().1, said(&built_in.stdout).split_once(": ").unwrap().1);
}

#[test]
fn verify_passes_a_whole_log_and_shows_the_head_that_sha256_gives() {
    let dir = repository();
    let run = begin(dir.path());
    let output = hotfix(dir.path(), &["verify"]);
    let line = fs::read_to_string(&run.journal).unwrap();
    let head = hotfix::digest::sha256(line.trim_end().as_bytes());
    assert_eq!(code(&output), 0);
    assert_eq!(said(&output.stdout), format!("Run {0}: 1 records, unbroken.\nHead: {0} 0 {head}\n", run.id));
}

#[test]
fn verify_reports_a_torn_record_and_changes_nothing() {
    let dir = repository();
    let run = begin(dir.path());
    let torn = fs::read_to_string(&run.journal).unwrap() + "{\"seq\":1";
    fs::write(&run.journal, &torn).unwrap();
    let output = hotfix(dir.path(), &["verify", &run.id]);
    assert_eq!(code(&output), 0);
    assert!(said(&output.stdout).contains("8 bytes"));
    assert_eq!(fs::read_to_string(&run.journal).unwrap(), torn);
}

#[test]
fn verify_fails_what_is_changed_unknown_unreadable_or_gone() {
    let dir = repository();
    let run = begin(dir.path());
    let good = fs::read_to_string(&run.journal).unwrap();
    let wrong = [
        good.replace("\"seq\":0", "\"seq\":1"),
        good.replace("run.started", "run.begun"),
        "\u{0}\n".into(),
        String::new(),
        good.clone() + "not JSON\n",
    ];
    for text in wrong {
        fs::write(&run.journal, &text).unwrap();
        assert_eq!(code(&hotfix(dir.path(), &["verify"])), 12, "{text}");
    }
    fs::remove_file(&run.journal).unwrap();
    assert_eq!(code(&hotfix(dir.path(), &["verify"])), 12);
}

#[test]
fn without_a_run_or_a_repository_there_is_nothing_to_verify() {
    let nowhere = tempfile::tempdir().unwrap();
    let output = hotfix(nowhere.path(), &["verify"]);
    assert_eq!(code(&output), 13);
    assert!(said(&output.stderr).contains("in no git work tree"), "{}", said(&output.stderr));
    let dir = repository();
    assert_eq!(code(&hotfix(dir.path(), &["verify"])), 13);
    begin(dir.path());
    assert_eq!(code(&hotfix(dir.path(), &["verify", "no-such-run"])), 13);
}

#[test]
fn check_passes_the_built_in_runbooks_and_names_the_place_of_what_it_refuses() {
    let dir = repository();
    let built_in = hotfix(dir.path(), &["check"]);
    assert_eq!(code(&built_in), 0, "{}", said(&built_in.stderr));
    assert!(said(&built_in.stdout).contains("18 stages"));
    for file in ["hotfix.yaml", "hotfix.zh-CN.yaml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks").join(file);
        assert_eq!(code(&hotfix(dir.path(), &["check", path.to_str().unwrap()])), 0, "{file}");
    }
    fs::create_dir(dir.path().join(".hotfix")).unwrap();
    let text = "name: x\nversion: 1\nstages:\n  - id: a\n    steps:\n      - { id: b, noet: hello }\n";
    fs::write(dir.path().join(".hotfix/runbook.yaml"), text).unwrap();
    let refused = hotfix(dir.path(), &["check"]);
    assert_eq!((code(&refused), said(&refused.stdout)), (3, ""));
    for part in ["runbook.yaml:6:18", "- { id: b, noet: hello }", "`note`", "^"] {
        assert!(said(&refused.stderr).contains(part), "{part}: {}", said(&refused.stderr));
    }
}

#[test]
fn schema_is_a_json_schema() {
    let dir = tempfile::tempdir().unwrap();
    let output = hotfix(dir.path(), &["schema"]);
    assert_eq!(code(&output), 0);
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(jsonschema::validator_for(&schema).is_ok());
}

#[test]
fn what_is_checked_is_what_a_start_would_take() {
    let dir = repository();
    let runbook = |name: &str, id: &str| {
        let text = format!("name: {id}\nversion: 1\nstages: [{{id: s, steps: [{{id: a, note: x}}]}}]\n");
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    };
    let told = |output: Output| said(&output.stdout).to_owned();
    assert!(told(hotfix(dir.path(), &["check"])).starts_with("built-in runbook: good, 18 stages"));
    runbook(".hotfix/runbook.yaml", "own");
    assert!(told(hotfix(dir.path(), &["check"])).contains(".hotfix/runbook.yaml: good, 1 stages"));
    let set = runbook("set.yaml", "set");
    let with_variable = command(dir.path(), &["check"]).env("HOTFIX_RUNBOOK", &set).output().unwrap();
    assert!(told(with_variable).contains("set.yaml: good, 1 stages"));
}
