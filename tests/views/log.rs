//! `hotfix log` and `hotfix note`.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use hotfix::clock::{Clock as _, SystemClock};
use hotfix::event::Event;
use hotfix::journal::read;
use hotfix::store::Holder;

use super::{Repo, aborted, append, has, host, started};

#[test]
fn log_prints_lines_for_people_and_the_very_bytes_for_programs() {
    let repo = Repo::new();
    let run = repo.run("1234", 0, vec![Event::NoteAdded { text: "\u{1b}[2Jdb | <script>\nslow".into() }]);
    let (code, out, err) = repo.hotfix(&["log"]);
    assert_eq!((code, err.as_str()), (0, ""));
    has(&out, &["-- 20", "for issue 1234\n", r"note by ada@db1: \u{1b}[2Jdb | <script> ⏎ slow"]);
    assert!(!out.contains('\u{1b}'));
    assert_eq!(repo.hotfix(&["log", "--json"]).1, fs::read_to_string(&run.journal).unwrap());
}

#[test]
fn log_output_is_that_of_the_last_attempt_and_of_the_last_repetition() {
    let repo = Repo::new();
    let events = vec![
        started("staging/deploy-staging", 1),
        started("staging/deploy-staging", 2),
        started("deploy/batches/next.1", 1),
        started("deploy/batches/next.2", 1),
    ];
    let run = repo.run("1234", 0, events);
    let files =
        ["staging.deploy-staging.1", "staging.deploy-staging.2", "deploy.batches.next.1.1", "deploy.batches.next.2.1"];
    for name in files {
        fs::write(run.output.join(format!("{name}.log")), format!("{name}\u{1b}[0m\n")).unwrap();
    }
    let output = |step: &str| repo.hotfix(&["log", "--output", step]);
    assert_eq!(output("staging/deploy-staging").1, "staging.deploy-staging.2\u{1b}[0m\n");
    assert_eq!(output("deploy/batches/next.1").1, "deploy.batches.next.1.1\u{1b}[0m\n");
    assert_eq!(output("deploy/batches/next").1, "deploy.batches.next.2.1\u{1b}[0m\n");
    for wrong in ["deploy/direct", "../journal"] {
        let (code, out, err) = output(wrong);
        assert_eq!((code, out.as_str()), (13, ""));
        has(&err, &["staging.deploy-staging.2.log"]);
    }
}

#[test]
fn log_output_says_what_was_not_kept_and_when_each_line_came() {
    let repo = Repo::new();
    let run = repo.run("1234", 0, vec![started("staging/deploy-staging", 1)]);
    let file = |ending: &str, text: &str| {
        fs::write(run.output.join(format!("staging.deploy-staging.1.{ending}")), text).unwrap();
    };
    file("log", "one\ntw");
    file("log.106", "o\nlast");
    let print = |more: &[&str]| repo.hotfix(&[&["log", "--output", "staging/deploy-staging"], more].concat());
    assert_eq!(print(&[]).1, "one\ntw\n[… 100 bytes of output were not kept …]\no\nlast");
    let (code, out, err) = print(&["--timestamps"]);
    assert_eq!((code, out.as_str()), (13, ""));
    has(&err, &["it was not kept when the output of staging/deploy-staging came"]);
    let began = hotfix::clock::Timestamp::parse("2025-11-23T03:57:00.000Z").unwrap();
    file("status", &format!("{{\"accepted\":{{\"pid\":1,\"started\":{},\"output\":\"x\"}}}}\n", began.millis()));
    file("index", "0 5\n2 1007\n5 2500\n106 60000\n108 61");
    let at = |ms: u64| began.plus(std::time::Duration::from_millis(ms)).local_time_millis();
    let lines = [
        format!("-- {}\n", began.local_date()),
        format!("{}  one\n", at(5)),
        format!("{}  tw\n", at(1007)),
        "[… 100 bytes of output were not kept …]\n".to_owned(),
        format!("{}  o\n", at(60_000)),
        format!("{}  last", at(60_000)),
    ];
    assert_eq!(print(&["--timestamps"]).1, lines.concat());
    assert_eq!(repo.hotfix(&["log", "--timestamps"]).0, 2);
}

#[test]
fn what_a_step_wrote_does_not_control_the_terminal_it_is_shown_on() {
    let repo = Repo::new();
    let run = repo.run("1234", 0, vec![started("staging/deploy-staging", 1)]);
    fs::write(run.output.join("staging.deploy-staging.1.log"), "a\u{1b}]0;title\u{7}b\n").unwrap();
    let pty = portable_pty::native_pty_system().openpty(portable_pty::PtySize::default()).unwrap();
    let mut command = portable_pty::CommandBuilder::new(env!("CARGO_BIN_EXE_hotfix"));
    command.args(["log", "--output", "staging/deploy-staging"]);
    command.cwd(repo.0.path());
    let mut child = pty.slave.spawn_command(command).unwrap();
    let mut line = String::new();
    BufReader::new(pty.master.try_clone_reader().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "a\\u{1b}]0;title\\u{7}b\r\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn log_follow_shows_a_note_from_another_process_and_ends_with_the_run() {
    let repo = Repo::new();
    let run = repo.run("1234", 0, vec![]);
    for form in [&["log", "--follow"][..], &["log", "--follow", "--json"]] {
        let mut child = repo.command(form).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.by_ref().any(|line| line.contains("v1.2.4")));
        let word = form.last().unwrap().trim_start_matches('-');
        assert_eq!(repo.hotfix(&["note", "quiet", word]).0, 0);
        assert!(lines.by_ref().any(|line| line.contains(&format!("quiet {word}"))));
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
        assert!(!child.wait().unwrap().success());
    }
    let mut child = repo.command(&["log", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.by_ref().any(|line| line.contains("quiet json")));
    append(&run, aborted());
    assert!(lines.any(|line| line.ends_with("run aborted by ada@db1: wrong tag")));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_note_goes_into_the_active_run_while_another_process_drives_it() {
    let repo = Repo::new();
    let run = repo.run("1234", 0, vec![]);
    let _driver = repo.store().lock(&Holder::this_process(&run.id, ("ada", &host()), SystemClock.now())).unwrap();
    let note = |operator: Option<&str>| {
        let mut command = repo.command(&["note", "the", "password is hunter22"]);
        command.env("LOGIN_PASSWORD", "hunter22").envs(operator.map(|name| ("HOTFIX_OPERATOR", name)));
        assert!(command.output().unwrap().status.success());
        read(&run.journal).unwrap().records.pop().unwrap()
    };
    let last = note(None);
    assert_eq!(last.event, Event::NoteAdded { text: "the password is ***".into() });
    assert_eq!((last.by.as_str(), last.host, last.seq), ("login", host(), 1));
    let config = "[user]\n\tname = Grace\n\temail = g@x\n";
    fs::write(repo.0.path().join(".gitconfig"), config).unwrap();
    assert_eq!(note(None).by, "Grace");
    assert_eq!(note(Some("ada")).by, "ada");
    assert_eq!(repo.hotfix(&["note", "  "]).0, 2);
    assert_eq!(repo.hotfix(&["verify"]).0, 0);
}
