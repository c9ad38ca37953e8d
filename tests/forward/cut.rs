//! Cut off behind each record, a run taken up again comes to the same end and runs nothing twice.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use hotfix::event::Event;

use super::fixture::{Project, Server, steps};

const ANSWERS: &str = "s/ask: yellow\ns/list: all\ns/prod: [v1.2.4]\ns/g/q: ['on', 'off']\ns/fails: {skip: known}\n";

fn project() -> Project {
    let log = |id: &str, rest: &str| {
        format!("{{id: {id}, run: 'echo {id} $HOTFIX_ATTEMPT $HOTFIX_COLOUR >> \"$T/log\"{rest}'}}")
    };
    let group = "{id: g, group: {repeat: {until: 'more == \"off\"', max: 5}, steps: [\
                 {id: x, run: 'echo x >> \"$T/log\"'}, {id: q, ask: {prompt: More?, into: more}}]}}";
    steps(&[
        "{id: ask, ask: {prompt: Which?, into: colour}}",
        &log("one", ""),
        "{id: list, checklist: [a, b]}",
        &log("twice", "; [ $HOTFIX_ATTEMPT = 2 ]").replace("{id: twice,", "{id: twice, retries: 2,"),
        &log("late", "; exit 1").replace("{id: late,", "{id: late, retries: 1, done_if: 'grep -q late \"$T/log\"',"),
        &log("prod", "").replace("{id: prod,", "{id: prod, affects: production,"),
        group,
        &log("fails", "; exit 1"),
    ])
    .stage(
        "t",
        &[
            "{id: left, when: 'colour == \"red\"', run: 'true'}",
            "{id: last, capture: {z: stdout}, run: 'echo z >> \"$T/log\"; echo z'}",
        ],
    )
    .open()
}

/// The names that files of an attempt begin with, for every attempt the records tell of.
fn begun(project: &Project) -> BTreeSet<String> {
    let begun = |event| match event {
        Event::StepStarted { step, attempt, .. } => Some(format!("{}.{attempt}.", step.replace('/', "."))),
        _ => None,
    };
    project.events().into_iter().filter_map(begun).collect()
}

/// Removes what attempts left that the journal does not know: they never were.
fn forget(project: &Project, output: &Path) {
    let begun = begun(project);
    for entry in fs::read_dir(output).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !begun.iter().any(|stem| name.starts_with(stem)) {
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn cut_behind_each_record_it_comes_to_the_same_end_and_runs_nothing_twice() {
    let whole = project();
    whole.start(ANSWERS).exits(0);
    let (lines, log) = (whole.journal(), whole.left("log"));
    let (lines, run) = (lines.split_inclusive('\n').collect::<Vec<_>>(), whole.runs().remove(0));
    assert!(lines.len() > 30 && log.lines().count() == 9, "{log}");
    let kept = tempfile::tempdir().unwrap();
    let copy = |from: &Path, to: &Path| {
        let copied = whole.command("cp", ".").arg("-a").arg(from).arg(to).status().unwrap();
        assert!(copied.success());
    };
    copy(&run.join("output"), kept.path());
    for cut in 1..lines.len() {
        fs::write(run.join("journal.jsonl"), lines[..cut].concat()).unwrap();
        fs::remove_dir_all(run.join("output")).unwrap();
        copy(&kept.path().join("output"), &run);
        forget(&whole, &run.join("output"));
        let scripts = |name: &String| run.join("output").join(format!("{name}status")).exists();
        let logged = begun(&whole).iter().filter(|name| scripts(name)).count();
        fs::write(whole.path("log"), log.split_inclusive('\n').take(logged).collect::<String>()).unwrap();
        whole.resume(ANSWERS).exits(0);
        assert_eq!(whole.left("log"), log, "cut behind {cut}: {}", lines[cut - 1]);
        assert!(matches!(whole.events().last(), Some(Event::RunFinished {})), "cut behind {cut}");
    }
}

#[test]
fn an_attempt_that_was_cut_off_before_it_began_uses_up_no_retry() {
    let project = steps(&["{id: a, retries: 1, run: 'echo a >> \"$T/log\"; [ $(grep -c a \"$T/log\") = 2 ]'}"]).open();
    project.start("").exits(0);
    let (journal, run) = (project.journal(), project.runs().remove(0));
    let first = journal.find("\"event\":\"step.started\"").unwrap();
    let end = first + journal[first..].find('\n').unwrap() + 1;
    fs::write(run.join("journal.jsonl"), &journal[..end]).unwrap();
    fs::remove_file(run.join("output/s.a.1.status")).unwrap();
    fs::remove_file(run.join("output/s.a.2.status")).unwrap();
    fs::remove_file(project.path("log")).unwrap();
    project.resume("").exits(0);
    project.tells("s/a", &["started", "interrupted", "started", "failed exit, again", "started", "done"]);
}

#[test]
fn a_command_whose_supervisor_died_is_asked_about_with_the_process_group_that_may_still_run() {
    let project = steps(&["{id: a, run: 'echo a >> \"$T/log\"'}"]).open();
    project.start("").exits(0);
    let (journal, run) = (project.journal(), project.runs().remove(0));
    let first = journal.find("\"event\":\"step.started\"").unwrap();
    let end = first + journal[first..].find('\n').unwrap() + 1;
    fs::write(run.join("journal.jsonl"), &journal[..end]).unwrap();
    let status = run.join("output/s.a.1.status");
    let lines = fs::read_to_string(&status).unwrap();
    let without_end = &lines[..lines.find("{\"ended\"").unwrap()];
    fs::write(&status, without_end).unwrap();
    let group = without_end.rsplit_once("\"pgid\":").unwrap().1.trim_end_matches(['}', '\n']);
    project.resume("").exits(7).says(&[&format!("Its process group was {group}"), "is it to run again?"]);
    project.resume("s/a: done\n").exits(0);
    assert_eq!(project.left("log"), "a\n");
}

#[test]
fn a_request_that_changes_something_is_not_sent_again_unasked() {
    let server = Server::new(|_| (200, String::new()));
    let project = steps(&["{id: a, http: {method: POST, url: '{{ url }}'}}", "{id: b, http: '{{ url }}'}"])
        .top("vars: {url: http://localhost}")
        .open();
    project.start_with("", &["--set", &format!("url={}", server.url)]).exits(0);
    let (journal, run) = (project.journal(), project.runs().remove(0));
    let cut = |step: &str| {
        let until = journal.find(&format!("\"event\":\"step.done\",\"step\":\"{step}\"")).unwrap();
        let end = journal[..until].rfind('\n').unwrap() + 1;
        fs::write(run.join("journal.jsonl"), &journal[..end]).unwrap();
    };
    cut("s/a");
    project.resume("").exits(7).says(&["again"]);
    assert_eq!(server.seen().len(), 2);
    project.resume("s/a: again\n").exits(0);
    assert_eq!(server.seen().iter().filter(|request| request.starts_with("POST")).count(), 2);
    cut("s/b");
    project.resume("").exits(0);
    assert_eq!(server.seen().iter().filter(|request| request.starts_with("POST")).count(), 2);
}
