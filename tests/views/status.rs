//! `hotfix status` and `hotfix list`, and which run a command is about.

use std::fs;

use hotfix::clock::{Clock as _, SystemClock};
use hotfix::event::Event;
use hotfix::store::Holder;
use serde_json::{Value, json};

use super::{Repo, aborted, append, failed, has, host, stage, started};

fn id_of_status(repo: &Repo, arguments: &[&str]) -> Value {
    let (_, out, _) = repo.hotfix(&[&["status", "--json"], arguments].concat());
    serde_json::from_str::<Value>(&out).map_or(Value::Null, |value| value["run"].clone())
}

#[test]
fn without_a_run_every_view_says_how_to_begin_one() {
    let repo = Repo::new();
    for arguments in [&["status"][..], &["list"], &["log"], &["note", "x"], &["verify"], &["report"]] {
        let (code, out, err) = repo.hotfix(arguments);
        assert_eq!((code, out.as_str()), (13, ""), "{arguments:?}");
        has(&err, &["hotfix start TAG ISSUE"]);
    }
    assert_eq!(repo.hotfix(&["list", "--json"]).1, "[]\n");
}

#[test]
fn the_active_run_comes_first_then_the_latest_and_a_part_of_an_id_is_enough() {
    let repo = Repo::new();
    let active = repo.run("1234", 0, vec![]);
    let over = repo.run("77", 60, vec![aborted()]);
    assert_eq!(id_of_status(&repo, &[]), json!(active.id));
    append(&active, aborted());
    assert_eq!(id_of_status(&repo, &[]), json!(over.id));
    assert_eq!(id_of_status(&repo, &["1234"]), json!(active.id));
    assert_eq!(id_of_status(&repo, &["20251123-0357"]), json!(active.id));
    assert_eq!(id_of_status(&repo, &[&active.id]), json!(active.id));
    let (code, _, err) = repo.hotfix(&["log", "2025"]);
    assert_eq!(code, 2);
    has(&err, &[&active.id, &over.id]);
    let (code, _, err) = repo.hotfix(&["report", "99"]);
    assert_eq!(code, 13);
    has(&err, &["no run 99", "hotfix list"]);
    let (code, _, err) = repo.hotfix(&["note", "x"]);
    assert_eq!(code, 13);
    has(&err, &["no run is active", "hotfix start"]);
}

#[test]
fn status_says_where_it_stands_in_words_and_in_json() {
    let repo = Repo::new();
    let events = vec![stage("deploy"), started("deploy/direct", 1), failed("deploy/direct", 1)];
    let events = [
        vec![
            stage("staging"),
            Event::StepSkipped { step: "staging/deploy-staging".into(), reason: "x".into() },
            Event::StageFinished { stage: "staging".into() },
        ],
        events,
    ]
    .concat();
    let run = repo.run("1234", 0, events);
    let (code, out, err) = repo.hotfix(&["status"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let parts = [
        "v1.2.3 -> v1.2.4 for issue 1234",
        "2 of 2, deploy: Deployment",
        "deploy/direct (deploy/direct), failed since",
        "exit code 3",
        "Production  unknown since",
        "Driven by   nobody",
        "Go on with  hotfix resume",
        "Go on with  hotfix rollback",
    ];
    has(&out, &parts);
    let (_, out, _) = repo.hotfix(&["status", "--json"]);
    let value: Value = serde_json::from_str(&out).unwrap();
    append(&run, started("deploy/direct", 2));
    has(&repo.hotfix(&["status"]).1, &["deploy/direct (deploy/direct), cut off"]);
    assert_eq!(value["run"], json!(run.id));
    assert_eq!(value["step"]["status"], json!("failed"));
    assert_eq!(value["production"]["version"], Value::Null);
    assert_eq!(value["driver"], Value::Null);
    assert_eq!(value["commands"], json!(["hotfix resume", "hotfix rollback"]));
}

#[test]
fn of_a_failed_step_status_shows_the_first_lines_and_where_the_rest_is() {
    let repo = Repo::new();
    let message = "it ended with exit code 3\n    one\n    two\n    three\n    four\n    five".to_owned();
    let (step, reason) = ("deploy/direct".to_owned(), "exit".to_owned());
    let failed = Event::StepFailed { step, attempt: 1, reason, message, again: false };
    let skipped = Event::StepSkipped { step: "staging/deploy-staging".into(), reason: "x".into() };
    let before = [stage("staging"), skipped, Event::StageFinished { stage: "staging".into() }, stage("deploy")];
    let run = repo.run("1234", 0, [before.to_vec(), vec![started("deploy/direct", 1), failed]].concat());
    let (_, out, _) = repo.hotfix(&["status"]);
    let lines = ["exit code 3", "            one", "            two", "            three"].join("\n");
    has(&out, &[&format!("{lines}\n            … all of it: hotfix log\n")]);
    assert!(!out.contains("four"), "{out}");
    let output = run.output.join("deploy.direct.1.log");
    std::fs::create_dir_all(&run.output).unwrap();
    std::fs::write(output, "one\n").unwrap();
    has(&repo.hotfix(&["status"]).1, &["three\n            … all of it: hotfix log --output deploy/direct\n"]);
}

#[test]
fn a_driver_is_shown_while_its_process_lives_and_a_reused_id_is_not_taken_for_it() {
    let repo = Repo::new();
    let run = repo.run("1234", 0, vec![]);
    let holder = Holder::this_process(&run.id, ("ada", &host()), SystemClock.now());
    let driver = |holder: &Holder| {
        let _lock = repo.store().lock(holder).unwrap();
        let (code, out, _) = repo.hotfix(&["status", "--json"]);
        assert_eq!(code, 0, "no lock is taken, so none is missed");
        let value: Value = serde_json::from_str(&out).unwrap();
        (value["driver"].clone(), value["commands"].clone())
    };
    let (shown, commands) = driver(&holder);
    assert_eq!((&shown["pid"], &shown["alive"]), (&json!(std::process::id()), &json!(true)));
    assert_eq!(commands, json!(["hotfix rollback"]));
    let lock = repo.store().lock(&holder).unwrap();
    has(&repo.hotfix(&["status"]).1, &["Driven by   ada on"]);
    has(&repo.hotfix(&["list"]).1, &["driven by ada on"]);
    drop(lock);
    has(&repo.hotfix(&["status"]).1, &["Driven by   nobody"]);
    let reused = Holder { started: holder.started + 1, ..holder.clone() };
    assert_eq!(driver(&reused).0, Value::Null);
    let old: Holder = serde_json::from_value({
        let mut value = serde_json::to_value(&holder).unwrap();
        value.as_object_mut().unwrap().remove("started");
        value
    })
    .unwrap();
    assert_eq!(driver(&old).0["alive"], json!(true), "a file of an older version has no start");
    let elsewhere = Holder { host: "elsewhere".into(), ..holder.clone() };
    assert_eq!(driver(&elsewhere).0["alive"], Value::Null);
    let other = Holder { run: "another".into(), ..holder };
    assert_eq!(driver(&other).0, Value::Null);
}

#[test]
fn list_shows_every_run_and_says_which_are_torn_or_unreadable() {
    let repo = Repo::new();
    let (good, torn, bad) = (repo.run("1", 0, vec![aborted()]), repo.run("2", 60, vec![]), repo.run("3", 120, vec![]));
    let text = fs::read_to_string(&torn.journal).unwrap();
    fs::write(&torn.journal, text + "{\"seq\"").unwrap();
    fs::write(&bad.journal, "no\n").unwrap();
    fs::create_dir(bad.dir.with_file_name("20990101-000000-x")).unwrap();
    let (code, out, _) = repo.hotfix(&["list"]);
    assert_eq!(code, 0);
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 4);
    has(lines[0], &[&good.id, "aborted", "v1.2.3 -> v1.2.4 for issue 1"]);
    has(lines[1], &[&torn.id, "forward", "torn"]);
    has(lines[2], &[&bad.id, "DAMAGED", "line 1"]);
    has(lines[3], &["20990101-000000-x", "DAMAGED"]);
    let list: Value = serde_json::from_str(&repo.hotfix(&["list", "--json"]).1).unwrap();
    assert_eq!(
        (&list[0]["phase"], &list[1]["torn_bytes"], list[2]["damage"].is_string()),
        (&json!("aborted"), &json!(6), true)
    );
}
