//! Processes, with a real `sh`: limits, signals, leftovers, and what outlives whom.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod output;

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use hotfix::clock::{Clock, SystemClock};
use hotfix::process::{Captured, End, Error, Found, How, Job, Limit, Program, Progress, Running, Spec};
use hotfix::process::{attach, run_captured, start};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

pub(crate) fn exe() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_hotfix"))
}

pub(crate) fn block<T>(future: impl Future<Output = T>) -> T {
    let limited = async { tokio::time::timeout(Duration::from_secs(60), future).await.unwrap() };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(limited)
}

/// Waits until `happened` gives something, for at most half a minute.
pub(crate) async fn eventually<T>(mut happened: impl FnMut() -> Option<T>) -> T {
    let clock = SystemClock;
    let began = clock.now();
    loop {
        if let Some(found) = happened() {
            return found;
        }
        assert!(clock.now().since(began) < Duration::from_secs(30), "it never happened");
        clock.sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn pid(text: &str) -> Pid {
    Pid::from_raw(text.trim().parse().unwrap()).unwrap()
}

pub(crate) fn sh(text: &str, dir: &Path) -> Spec {
    let mut spec = Spec::new(Program::Shell(text.to_owned()), dir);
    spec.env.push(("PATH".to_owned(), "/usr/bin:/bin".to_owned()));
    spec.kill_grace = Duration::from_millis(200);
    spec
}

fn captured(spec: &Spec) -> Captured {
    block(run_captured(spec, 1000)).unwrap()
}

pub(crate) fn job(spec: Spec, dir: &Path) -> Job {
    let (output, status) = (dir.join("output.log"), dir.join("status"));
    Job { spec, secrets: Vec::new(), output, limit: Limit::default(), stdout: None, status }
}

pub(crate) async fn finish(running: &mut Running) -> (String, Progress) {
    let mut output = Vec::new();
    loop {
        match running.next().await.unwrap() {
            Progress::Output(bytes) => output.extend(bytes),
            Progress::Dropped(_) | Progress::Skipped(_) => {}
            end => return (String::from_utf8_lossy(&output).into_owned(), end),
        }
    }
}

pub(crate) fn supervised(job: &Job) -> (String, End) {
    block(async {
        match finish(&mut start(job, exe()).await.unwrap()).await {
            (output, Progress::Ended(end)) => (output, end),
            other => panic!("{other:?}"),
        }
    })
}

#[test]
fn a_captured_process_gives_its_code_and_both_outputs_and_no_more_than_the_limit() {
    let dir = TempDir::new().unwrap();
    let done = captured(&sh("echo out; echo err >&2; exit 3", dir.path()));
    assert_eq!(
        done,
        Captured { how: How::Exited(3), stdout: b"out\n".to_vec(), stderr: b"err\n".to_vec(), dropped: 0 }
    );
    let long = captured(&sh("head -c 100000 /dev/zero", dir.path()));
    assert_eq!((long.stdout.len(), long.dropped), (1000, 99_000));
    assert_eq!(captured(&sh("kill -9 $$", dir.path())).how, How::Signalled(9));
    let missing = Spec::new(Program::Direct(vec!["./nothing-here".to_owned()]), dir.path());
    assert!(matches!(captured(&missing).how, How::NotStarted(why) if why.contains("nothing-here")));
}

#[test]
fn the_environment_is_the_one_given_and_words_are_not_split() {
    let dir = TempDir::new().unwrap();
    let words = ["/bin/echo", "a  b", "$HOME"].map(str::to_owned).to_vec();
    assert_eq!(captured(&Spec::new(Program::Direct(words), dir.path())).stdout, b"a  b $HOME\n");
    assert_eq!(captured(&sh("echo \"${HOME-none}\"", dir.path())).stdout, b"none\n");
}

#[test]
fn the_two_timeouts_are_told_apart() {
    let dir = TempDir::new().unwrap();
    let mut chatty = sh("while :; do echo .; sleep 0.05; done", dir.path());
    chatty.timeout = Some(Duration::from_millis(600));
    chatty.inactivity_timeout = Some(Duration::from_secs(20));
    assert_eq!(captured(&chatty).how, How::TimedOut);
    let mut silent = sh("echo once; sleep 50", dir.path());
    silent.timeout = Some(Duration::from_secs(20));
    silent.inactivity_timeout = Some(Duration::from_millis(1500));
    let (output, end) = supervised(&job(silent, dir.path()));
    assert_eq!((output.as_str(), end.how), ("once\n", How::Inactive));
}

#[test]
fn a_background_job_that_ignores_signals_does_not_survive_the_ladder() {
    let dir = TempDir::new().unwrap();
    let text = "(trap '' INT TERM; sh -c 'echo $PPID' > pid; while :; do sleep 0.1; done) & wait";
    let mut spec = sh(text, dir.path());
    spec.timeout = Some(Duration::from_secs(2));
    assert_eq!(captured(&spec).how, How::TimedOut);
    let job = pid(&std::fs::read_to_string(dir.path().join("pid")).unwrap());
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", job.as_raw_pid())).unwrap_or_default();
    block(eventually(|| (test_kill_process(job).is_err() || state().contains(") Z ")).then_some(())));
}

#[test]
fn a_grandchild_that_keeps_the_pipe_open_does_not_hold_up_the_end() {
    let dir = TempDir::new().unwrap();
    let clock = SystemClock;
    let began = clock.now();
    let (output, end) = supervised(&job(sh("sleep 40 & echo $!; exit 4", dir.path()), dir.path()));
    assert_eq!(end.how, How::Exited(4));
    assert!(clock.now().since(began) < Duration::from_secs(20));
    kill_process(pid(&output), Signal::KILL).unwrap();
}

#[test]
fn a_process_may_find_a_terminal_and_is_ended_as_any_other() {
    let dir = TempDir::new().unwrap();
    let text = "test -t 0 && test -t 1 && test -t 2 && stty size; echo err >&2; printf 'no end'; exit 3";
    let spec = Spec { tty: true, ..sh(text, dir.path()) };
    let done = captured(&spec);
    assert_eq!((done.how, String::from_utf8(done.stdout).unwrap()), (How::Exited(3), "24 80\nerr\nno end".to_owned()));
    let (output, end) = supervised(&Job { stdout: Some(dir.path().join("alone")), ..job(spec, dir.path()) });
    assert_eq!((output.as_str(), end.how), ("24 80\nerr\nno end", How::Exited(3)));
    assert_eq!(std::fs::read_to_string(dir.path().join("alone")).unwrap(), output);
    assert_eq!(captured(&sh("test -t 1", dir.path())).how, How::Exited(1));
    let mut deaf = Spec { tty: true, ..sh("trap '' INT TERM HUP; while :; do sleep 0.1; done", dir.path()) };
    deaf.timeout = Some(Duration::from_millis(300));
    assert_eq!(captured(&deaf).how, How::TimedOut);
    let long = Spec { tty: true, ..sh("head -c 100000 /dev/zero", dir.path()) };
    assert_eq!(captured(&long).dropped, 99_000);
}

#[test]
fn a_secret_written_in_two_parts_never_reaches_the_disk() {
    let dir = TempDir::new().unwrap();
    let text = "printf 'a hun'; sleep 0.2; printf 'ter2 b\\377'; printf ' hunter2' >&2";
    let mut job = job(sh(text, dir.path()), dir.path());
    job.secrets.push("hunter2".to_owned());
    let (_, end) = supervised(&job);
    assert_eq!(end.how, How::Exited(0));
    assert_eq!(std::fs::read(&job.output).unwrap(), b"a *** b\xff ***");
}

#[test]
fn who_stopped_it_is_written_down_and_the_script_may_clean_up() {
    let dir = TempDir::new().unwrap();
    let job = job(sh("trap 'echo cleaned; exit 0' INT; echo ready; sleep 50 & wait", dir.path()), dir.path());
    let (output, end) = block(async {
        let mut running = start(&job, exe()).await.unwrap();
        assert_eq!(running.next().await.unwrap(), Progress::Output(b"ready\n".to_vec()));
        running.stop("ada").unwrap();
        finish(&mut running).await
    });
    assert_eq!(output, "cleaned\n");
    assert!(matches!(end, Progress::Ended(End { how: How::Stopped(who), .. }) if who == "ada"));
}

#[test]
fn a_job_is_run_once_and_one_that_cannot_be_started_says_why() {
    let dir = TempDir::new().unwrap();
    let job = job(sh("true", &dir.path().join("gone")), dir.path());
    let (_, end) = supervised(&job);
    assert!(matches!(end.how, How::NotStarted(why) if why.contains("gone")));
    assert!(matches!(block(start(&job, exe())), Err(Error::Io { .. })));
}

/// This test is its own helper: run with `HOTFIX_TEST_STARTER` it starts the job of that file, and waits to be killed.
#[test]
fn the_script_outlives_a_killed_starter_and_is_found_running_and_ended() {
    if let Some(file) = std::env::var_os("HOTFIX_TEST_STARTER") {
        let job: Job = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        block(async {
            let mut running = start(&job, exe()).await.unwrap();
            finish(&mut running).await
        });
        return;
    }
    let dir = TempDir::new().unwrap();
    let script = "echo one; while [ ! -e go ]; do sleep 0.02; done; echo two; exit 5";
    let job = job(sh(script, dir.path()), dir.path());
    let file = dir.path().join("job.json");
    std::fs::write(&file, serde_json::to_vec(&job).unwrap()).unwrap();
    let me = std::env::current_exe().unwrap();
    let name = "the_script_outlives_a_killed_starter_and_is_found_running_and_ended";
    let mut starter = std::process::Command::new(me);
    starter.args(["--exact", name]).env("HOTFIX_TEST_STARTER", &file);
    let mut starter = starter.stdout(std::process::Stdio::null()).spawn().unwrap();
    block(async {
        eventually(|| std::fs::read(&job.output).ok().filter(|output| output == b"one\n")).await;
        starter.kill().unwrap();
        starter.wait().unwrap();
        let Found::Running(mut running) = attach(&job.status, 4).await.unwrap() else { panic!("not found running") };
        std::fs::write(dir.path().join("go"), "").unwrap();
        let (output, end) = finish(&mut running).await;
        assert_eq!(output, "two\n");
        let Progress::Ended(end) = end else { panic!("{end:?}") };
        assert_eq!(end.how, How::Exited(5));
        assert!(matches!(attach(&job.status, 0).await.unwrap(), Found::Finished(again) if again == end));
    });
}

fn supervisor_of(status: &Path) -> Pid {
    let text = std::fs::read_to_string(status).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    pid(&first["accepted"]["pid"].to_string())
}

#[test]
fn a_killed_supervisor_is_said_to_be_lost_and_no_end_is_made_up() {
    let dir = TempDir::new().unwrap();
    let job = job(sh("echo $$; sleep 50", dir.path()), dir.path());
    block(async {
        let mut running = start(&job, exe()).await.unwrap();
        let Progress::Output(script) = running.next().await.unwrap() else { panic!("no output") };
        let script = pid(&String::from_utf8(script).unwrap());
        kill_process(supervisor_of(&job.status), Signal::KILL).unwrap();
        let lost = Some(script.as_raw_pid());
        assert_eq!(finish(&mut running).await.1, Progress::Lost { pgid: lost });
        assert!(matches!(attach(&job.status, 0).await.unwrap(), Found::Lost { pgid } if pgid == lost));
        kill_process(script, Signal::KILL).unwrap();
    });
}

#[test]
fn a_supervisor_told_to_end_stops_the_script_and_says_so() {
    let dir = TempDir::new().unwrap();
    let job = job(sh("echo ready; sleep 50", dir.path()), dir.path());
    let (_, end) = block(async {
        let mut running = start(&job, exe()).await.unwrap();
        running.next().await.unwrap();
        kill_process(supervisor_of(&job.status), Signal::TERM).unwrap();
        finish(&mut running).await
    });
    assert!(matches!(end, Progress::Ended(End { how: How::Stopped(who), .. }) if who == "SIGTERM"));
}

#[test]
fn an_empty_status_file_without_a_lock_means_that_nothing_began() {
    let dir = TempDir::new().unwrap();
    let status = dir.path().join("status");
    std::fs::write(&status, "").unwrap();
    assert!(matches!(block(attach(&status, 0)).unwrap(), Found::NeverBegan));
}

#[test]
fn a_supervisor_that_has_not_taken_its_job_is_waited_for_and_one_that_dies_before_it_never_began() {
    let dir = TempDir::new().unwrap();
    let (status, output) = (dir.path().join("status"), dir.path().join("output.log"));
    std::fs::write(&output, "").unwrap();
    let accepted = serde_json::json!({"accepted": {"pid": 1, "started": 0, "output": output}});
    // What is said while it is waited for, and by the end of the lock.
    let met = |said: String| {
        let mut supervisor = std::fs::File::create(&status).unwrap();
        // A process that another test begins has the file of the one before open until it becomes its program.
        supervisor.lock().unwrap();
        block(async {
            let dies = said.is_empty();
            let found = attach(&status, 0);
            let takes = async {
                SystemClock.sleep(Duration::from_millis(50)).await;
                std::io::Write::write_all(&mut supervisor, said.as_bytes()).unwrap();
                (!dies).then_some(supervisor)
            };
            let (found, _lives) = tokio::join!(found, takes);
            found.unwrap()
        })
    };
    assert!(matches!(met(format!("{accepted}\n")), Found::Running(running) if running.started().is_some()));
    assert!(matches!(met(String::new()), Found::NeverBegan));
}
