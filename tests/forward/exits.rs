//! How a run goes on after it was cut off, and the exit codes on the way.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::Child;

use hotfix::event::Event;

use super::fixture::{Project, steps};

const SLOW: &str = "{id: slow, capture: {got: stdout}, run: 'echo x >> \"$T/runs\"; echo begun > \"$T/ready\"; read line < \"$T/go\"; echo \"$line\"; \
                    echo said >&2'}";

fn slow() -> Project {
    let project = steps(&[SLOW, "{id: after, run: 'echo \"got $HOTFIX_GOT\"'}"]).open();
    project.fifo("ready");
    project.fifo("go");
    project
}

/// Waits until the slow command runs.
fn ready(project: &Project) {
    let mut text = String::new();
    fs::File::open(project.path("ready")).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "begun\n");
}

fn go(project: &Project) {
    fs::File::options().write(true).open(project.path("go")).unwrap().write_all(b"on\n").unwrap();
}

fn signal(project: &Project, child: &Child, name: &str) {
    let sent = project.command("kill", ".").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// The exit code and what was said.
fn end(child: Child) -> (Option<i32>, String) {
    let ended = child.wait_with_output().unwrap();
    (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

#[test]
fn a_signal_lets_the_command_go_on_and_resume_takes_its_result() {
    for (name, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let project = slow();
        let child = project.begin();
        ready(&project);
        signal(&project, &child, name);
        let (ended, said) = end(child);
        assert_eq!(ended, Some(code), "{said}");
        assert!(said.contains("hotfix resume"), "{said}");
        assert!(matches!(project.events().last(), Some(Event::RunPaused { .. })));
        go(&project);
        project.resume("").exits(0);
        project.tells("s/slow", &["started", "done"]);
        assert_eq!((project.left("runs").as_str(), project.output("s.after.1.log").as_str()), ("x\n", "got on\n"));
    }
}

/// Reads what the program says until it has said `part`.
fn until(child: &mut Child, part: &str) {
    let stderr = child.stderr.as_mut().unwrap();
    let (mut said, mut bytes) = (Vec::new(), [0; 256]);
    while !String::from_utf8_lossy(&said).contains(part) {
        let n = stderr.read(&mut bytes).unwrap();
        assert!(n > 0, "`{part}` is not in: {}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&bytes[..n]);
    }
}

#[test]
fn a_signal_breaks_in_on_whatever_waits() {
    let waits = "{id: a, http: {url: '{{ env.URL }}'}}";
    for (step, part) in [
        ("{id: a, run: 'exit 1', retries: 1, delay: 1h}", "is tried again"),
        (
            "{id: a, monitor: {for: 1h, probes: [{name: p, run: 'true', interval: 1h, success_condition: 'exit_code == 0'}]}}",
            "p  0  ok",
        ),
        (waits, "GET http"),
    ] {
        let mut project = steps(&[step]).open();
        // Takes connections and never answers.
        let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        project.set("URL", &format!("http://{}", deaf.local_addr().unwrap()));
        let mut child = project.begin();
        until(&mut child, part);
        signal(&project, &child, "-TERM");
        assert_eq!(end(child).0, Some(143), "{step}");
        assert!(matches!(project.events().last(), Some(Event::RunPaused { reason }) if reason == "TERM"), "{step}");
    }
}

/// A run whose push waits in a hook, and that hook's release.
fn pushing() -> (Project, Child) {
    let project = steps(&["{id: a, git: {push: [main]}}"]).open();
    project.fifo("hooked");
    project.fifo("never");
    project.write("app.txt", "two\n");
    project.git("work", "commit -q -a -m second");
    project.write(".git/hooks/pre-push", "#!/bin/sh\necho on > \"$T/hooked\"\nread line < \"$T/never\"\n");
    let child = project.begin();
    assert_eq!(fs::read_to_string(project.path("hooked")).unwrap(), "on\n");
    (project, child)
}

#[test]
fn a_signal_stops_git_and_the_step_is_done_again() {
    let (project, child) = pushing();
    signal(&project, &child, "-TERM");
    assert_eq!(end(child).0, Some(143));
    fs::remove_file(project.path("work/.git/hooks/pre-push")).unwrap();
    assert_ne!(project.git("remote.git", "rev-parse main"), project.git("work", "rev-parse main"));
    project.resume("").exits(0);
    project.tells("s/a", &["started", "interrupted", "started", "done"]);
    assert_eq!(project.git("remote.git", "rev-parse main"), project.git("work", "rev-parse main"));
}

#[test]
fn a_rollback_from_elsewhere_stops_git_and_the_process_yields() {
    let (project, child) = pushing();
    fs::write(project.path("back.yaml"), "rollback: yes\n").unwrap();
    let answers = project.path("back.yaml").display().to_string();
    project.hotfix(&["rollback", "--answers", &answers]).exits(10);
    assert_eq!(end(child).0, Some(8));
}

#[test]
fn killed_outright_the_run_is_taken_up_with_the_command_still_running() {
    let project = slow();
    let child = project.begin();
    ready(&project);
    signal(&project, &child, "-KILL");
    assert_eq!(end(child).0, None);
    let mut command = project.command(env!("CARGO_BIN_EXE_hotfix"), "work");
    let mut resumed = command.arg("resume").stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut said = Vec::new();
    let mut stderr = resumed.stderr.take().unwrap();
    while !String::from_utf8_lossy(&said).contains("still running") {
        let mut bytes = [0; 256];
        let n = stderr.read(&mut bytes).unwrap();
        assert!(n > 0, "{}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&bytes[..n]);
    }
    go(&project);
    stderr.read_to_end(&mut said).unwrap();
    assert_eq!(resumed.wait().unwrap().code(), Some(0), "{}", String::from_utf8_lossy(&said));
    project.tells("s/slow", &["started", "done"]);
    assert_eq!(project.left("runs"), "x\n");
}

#[test]
fn a_command_whose_supervisor_is_dead_is_asked_about_and_never_run_again_unasked() {
    for (answer, code, runs, last) in [
        ("", 7, 1, "started"),
        ("s/slow: retry\n", 7, 1, "started"),
        ("s/slow: pause\n", 9, 1, "started"),
        ("s/slow: done\n", 0, 1, "by hand"),
        ("s/slow: again\n", 0, 2, "done"),
        ("s/slow: rollback\n", 10, 1, "started"),
    ] {
        let project = slow();
        let child = project.begin();
        ready(&project);
        let parent = format!("ps -o pid= --ppid {}", child.id());
        let supervisor = project.command("sh", ".").args(["-c", &parent]).output().unwrap();
        let supervisor = String::from_utf8(supervisor.stdout).unwrap().trim().to_owned();
        signal(&project, &child, "-KILL");
        end(child);
        let killed = project.command("kill", ".").args(["-KILL", &supervisor]).status().unwrap();
        assert!(killed.success(), "{supervisor}");
        go(&project);
        let feeder = (runs == 2).then(|| {
            let (ready, go) = (project.path("ready"), project.path("go"));
            std::thread::spawn(move || {
                fs::read_to_string(ready).unwrap();
                fs::write(go, "again\n").unwrap();
            })
        });
        project.resume(answer).exits(code);
        feeder.into_iter().for_each(|feeder| feeder.join().unwrap());
        assert_eq!(project.left("runs").lines().count(), runs, "{answer}");
        assert_eq!(project.story("s/slow").last().unwrap(), last, "{answer}");
    }
}

#[test]
fn one_run_at_a_time_and_the_active_one_is_named() {
    let project = slow();
    let child = project.begin();
    ready(&project);
    let id = project.records()[0].run.clone();
    let pid = format!("process {}", child.id());
    project.hotfix(&["start", "v1.2.3", "43"]).exits(8).says(&[&id, &pid, "since 2", "hotfix resume"]);
    project.hotfix(&["resume"]).exits(8).says(&[&id, &pid]);
    project.hotfix(&["abort", "--reason", "x"]).exits(8).says(&[&id]);
    signal(&project, &child, "-TERM");
    end(child);
    project.hotfix(&["start", "v1.2.3", "43"]).exits(8).says(&[&id, "nobody"]);
    assert_eq!(project.runs().len(), 1);
    go(&project);
    project.hotfix(&["resume", &id]).exits(0);
}

#[test]
fn where_there_is_nothing_to_take_up_it_says_so() {
    let project = steps(&["{id: a, run: 'true'}"]).open();
    project.hotfix(&["resume"]).exits(13);
    project.hotfix(&["abort", "--reason", "x"]).exits(13);
    project.start("").exits(0);
    project.hotfix(&["resume", "none"]).exits(13);
    let project = steps(&["{id: a, run: 'false'}"]).open();
    project.start("").exits(5);
    project.hotfix(&["abort", "--reason", "x"]).exits(0);
    let id = project.records()[0].run.clone();
    for args in [&["resume"][..], &["resume", &id]] {
        project.hotfix(args).exits(13);
    }
}

#[test]
fn a_finished_run_taken_up_again_says_so_and_changes_nothing() {
    let branch = "{id: branch, git: {branch: '{{ branch }}', from: '{{ tag }}'}}";
    let commit = "{id: commit, git: {commit: fix}}";
    let tag = "{id: tag, git: {tag: '{{ new_tag }}'}}";
    let push = "{id: push, git: {push: ['{{ branch }}', '{{ new_tag }}']}}";
    let merge = "{id: merge, git: {merge: '{{ branch }}', into: '{{ main }}'}}";
    let delete = "{id: delete, git: {delete_branch: '{{ branch }}'}}";
    let project =
        steps(&[branch, "{id: a, run: 'echo $HOTFIX_ISSUE > app.txt'}", commit, tag, push, merge, delete]).open();
    project.start("s/commit: yes\n").exits(0);
    let finished = project.records().pop().unwrap().at.date_time();
    let before = [project.tree("work"), project.tree("remote.git")];
    assert!(before[0].keys().any(|name| name.ends_with("journal.jsonl")), "{:?}", before[0].keys());
    let id = project.records()[0].run.clone();
    for args in [&["resume"][..], &["resume", &id], &["resume", "42"]] {
        project.hotfix(args).exits(0).says(&[&id, &format!("finished at {finished}"), "nothing is left to do"]);
    }
    project.resume("s/commit: yes\n").exits(0);
    assert_eq!([project.tree("work"), project.tree("remote.git")], before);
    // Another that is under way is taken up before it.
    project.hotfix(&["start", "v1.2.4", "43"]).exits(7);
    project.resume("s/commit: yes\n").exits(0).keeps(&["finished at"]);
    assert_eq!(project.git("remote.git", "show main:app.txt"), "43");
}

#[test]
fn answers_are_used_up_in_order_across_any_number_of_resumes() {
    let project = steps(&[
        "{id: a, run: 'echo x >> \"$T/a\"; [ $(wc -l < \"$T/a\") -ge 4 ]'}",
        "{id: b, ask: {prompt: One?, into: one}}",
        "{id: c, ask: {prompt: Two?, into: two}}",
    ])
    .open();
    let all = "s/a: [retry, pause, retry, retry, retry]\ns/b: first\ns/c: second\n";
    project.start(all).exits(9);
    project.resume(all).exits(0);
    assert_eq!(project.left("a").lines().count(), 4);
    assert_eq!(project.given()["one"], "first");
    let project = steps(&["{id: g, group: {repeat: {max: 3}, steps: [{id: q, ask: {prompt: Which?, into: which}}, {id: r, run: 'echo $HOTFIX_WHICH >> \"$T/log\"; [ $HOTFIX_WHICH != two ]'}]}}"]).open();
    let all = "s/g/q: [one, two, three]\ns/g/r: {skip: never mind}\n";
    project.start("s/g/q: [one, two, three]\n").exits(5);
    project.resume(all).exits(0);
    assert_eq!(project.left("log"), "one\ntwo\nthree\n");
}

#[test]
fn an_unknown_key_is_an_error_on_resume_and_abort_as_well() {
    let project = steps(&["{id: a, confirm: Sure?}"]).open();
    project.start("").exits(7);
    let before = project.journal();
    project.resume("s/b: yes\n").exits(2).says(&["s/b"]);
    let answers = project.path("answers.yaml").display().to_string();
    project.hotfix(&["abort", "--reason", "x", "--answers", &answers]).exits(2);
    assert_eq!(project.journal(), before);
}

#[test]
fn abort_ends_the_run_and_lists_what_is_left() {
    let branch = "{id: branch, git: {branch: '{{ branch }}', from: '{{ tag }}'}}";
    let project = steps(&[branch, "{id: a, run: 'false'}"]).open();
    project.start("").exits(5);
    project.hotfix(&["abort"]).exits(2);
    project.hotfix(&["abort", "--reason", "not needed"]).exits(0).says(&["aborted", "hotfix/42"]);
    assert!(matches!(project.events().last(), Some(Event::RunAborted { reason }) if reason == "not needed"));
    project.hotfix(&["abort", "--reason", "again"]).exits(13);
    project.hotfix(&["resume"]).exits(13);
    // A later run for the same issue goes on with the branch.
    project.start("").exits(5).says(&["from an earlier run"]);
}

#[test]
fn abort_has_the_tag_typed_once_production_was_touched() {
    let project =
        steps(&["{id: a, affects: production, run: 'true', undo: {run: ./back.sh}}", "{id: b, run: 'false'}"]).open();
    project.start("s/a: v1.2.4\n").exits(5);
    let abort = |answers: &str| {
        fs::write(project.path("abort.yaml"), answers).unwrap();
        let path = project.path("abort.yaml").display().to_string();
        project.hotfix(&["abort", "--reason", "gone home", "--answers", &path])
    };
    for wrong in ["", "abort: yes\n", "abort: v1.2.3\n", "'*': v1.2.4\n", "rollback: yes\n"] {
        abort(wrong).exits(7).says(&["v1.2.4"]);
    }
    assert!(!project.events().iter().any(|event| matches!(event, Event::RunAborted { .. })));
    abort("abort: v1.2.4\n").exits(0).says(&["back.sh"]);
}
