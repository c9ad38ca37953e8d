//! Git steps at a terminal: a Ctrl-C asks what to do, and git's own questions are answered there.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, test_kill_process_group};

use crate::fixture::World;
use crate::terminal::{LISTENS, Person};
use hotfix::event::Event;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a Ctrl-C asks.
const ASKED: &str = "Go on with it, or stop it?";
/// What is said beneath a git command.
const SAID: &str = "Ctrl-C asks what to do";

/// A sandbox with a runbook of a git step and a question after it.
struct Repo {
    world: World,
    runbook: String,
}

impl Repo {
    fn new(step: &str) -> Self {
        let world = World::new();
        let path = world.sandbox.dir().join("git.yaml");
        let text = format!(
            "name: git\nversion: 1\nstages:\n  - id: s\n    steps:\n      - {{id: a, {step}}}\n      - {{id: b, confirm: 'Really over?'}}\n"
        );
        fs::write(&path, text).unwrap();
        let repo = Self { world, runbook: path.display().to_string() };
        repo.git(&["tag", "later"]);
        repo
    }

    fn git(&self, args: &[&str]) -> String {
        let ended = self.world.sandbox.command("git").args(args).output().unwrap();
        assert!(ended.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8(ended.stdout).unwrap().trim_end().to_owned()
    }

    /// The directory of the remote, however it is reached.
    fn remote(&self) -> PathBuf {
        let url = self.git(&["remote", "get-url", "origin"]);
        PathBuf::from(url.trim_start_matches("ssh://nowhere.invalid"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.world.sandbox.dir().join(name)
    }

    /// Writes a script that knows the sandbox as `$D`, and hands back its path.
    fn script(&self, path: &Path, text: &str) -> String {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("#!/bin/sh\nD='{}'\n{text}\n", self.world.sandbox.dir().display())).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    }

    /// Has the remote take its time over a push, until there is a file `go`.
    fn slow(&self) {
        let hook =
            "ps -o pgid= -p $$ >\"$D/new\"; mv \"$D/new\" \"$D/group\"\nwhile ! test -e \"$D/go\"; do sleep 0.05; done";
        self.script(&self.remote().join("hooks/pre-receive"), hook);
    }

    /// Has git reach its remote by a script, as it does by ssh: it asks a password first, as ssh does.
    fn secret(&self, before: &str) {
        let text = format!(
            "{before}\nstty -echo </dev/tty; printf 'Pass%s: ' word >/dev/tty; read -r word </dev/tty; stty echo </dev/tty; \
             echo >/dev/tty; echo \"$word\" >>\"$D/words\"; shift; eval exec \"$*\""
        );
        let script = self.script(&self.file("ssh"), &text);
        let url = format!("ssh://nowhere.invalid{}", self.remote().display());
        self.git(&["config", "core.sshCommand", &script]);
        self.git(&["config", "ssh.variant", "simple"]);
        self.git(&["remote", "set-url", "origin", &url]);
    }

    fn person(&self, env: &[(&str, &str)]) -> Person {
        let args = ["start", "v1.2.3", "1234", "--offline", "--runbook", &self.runbook];
        Person::at_with(&self.world, &args, env)
    }

    fn failures(&self) -> Vec<(String, String)> {
        let failed = self.world.events().into_iter().filter_map(|event| match event {
            Event::StepFailed { reason, message, .. } => Some((reason, message)),
            _ => None,
        });
        failed.collect()
    }

    fn pushed(&self) -> bool {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.remote()).args(["rev-parse", "--quiet", "--verify", "refs/tags/later"]);
        command.output().unwrap().status.success()
    }

    /// Waits until git's process group is there, and hands back its id.
    fn group(&self) -> Pid {
        let path = self.file("group");
        until("git's group", || path.exists());
        Pid::from_raw(fs::read_to_string(path).unwrap().trim().parse().unwrap()).unwrap()
    }

    /// Neither a process of git's group nor one of its locks is there any more.
    fn left_nothing(&self, group: Pid) {
        until("the end of git's group", || test_kill_process_group(group) == Err(Errno::SRCH));
        for dir in [self.world.sandbox.repository().join(".git"), self.remote()] {
            // The driver's own lock is no lock of git's.
            let locks =
                locks(&dir).into_iter().filter(|path| !path.components().any(|part| part.as_os_str() == "hotfix"));
            assert_eq!(locks.collect::<Vec<_>>(), Vec::<PathBuf>::new());
        }
    }
}

/// Waits until `is` holds.
#[track_caller]
fn until(what: &str, is: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < end, "waited for {what}");
        std::thread::yield_now();
    }
}

fn locks(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let found = entries.flat_map(|path| if path.is_dir() { locks(&path) } else { vec![path] });
    found.filter(|path| path.extension().is_some_and(|end| end == "lock")).collect()
}

fn pauses(mut person: Person) {
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
}

/// Chooses the `row`th of what is offered.
fn chooses(person: &mut Person, row: usize) {
    person.types(&row.to_string());
    person.sees(&[&format!(">  {row}.")]);
    person.types("\r");
}

#[test]
fn ctrl_c_while_git_runs_asks_and_git_goes_on_where_it_is_waited_for() {
    let repo = Repo::new("timeout: 5m, git: {push: [later]}");
    repo.slow();
    let mut person = repo.person(&[]);
    person.sees(&["at most 5m00s", SAID]);
    let group = repo.group();
    person.types("\u{3}");
    let seen = person.sees(&["(at most 5m00s), and is held.", ASKED, LISTENS]);
    assert!(!seen.contains("detach"), "{seen}");
    person.types("\r");
    person.sees(&["Nothing is chosen yet"]);
    let ps = Command::new("ps").args(["-o", "stat=", "-p", &group.as_raw_pid().to_string()]).output().unwrap();
    assert!(ps.stdout.starts_with(b"T"), "git is not held: {ps:?}");
    chooses(&mut person, 1);
    person.sees(&["→ wait"]);
    fs::write(repo.file("go"), "").unwrap();
    let seen = person.sees(&["✓ s/a", "Really over?", LISTENS]);
    assert!(!seen.contains("FAILED"), "{seen}");
    assert!(repo.pushed());
    pauses(person);
    repo.left_nothing(group);
}

#[test]
fn git_that_takes_too_long_while_the_question_is_up_fails_and_the_question_goes() {
    let repo = Repo::new("timeout: 6s, git: {push: [later]}");
    repo.slow();
    let mut person = repo.person(&[]);
    let group = repo.group();
    person.types("\u{3}");
    person.sees(&[ASKED, LISTENS]);
    let seen = person.sees(&["s/a failed", "retry", LISTENS]);
    assert!(!seen.contains(ASKED), "{seen}");
    assert_eq!(repo.failures()[0].0, "timeout");
    pauses(person);
    repo.left_nothing(group);
}

#[test]
fn git_that_is_stopped_leaves_nothing_and_the_operator_has_the_step_done_again() {
    let repo = Repo::new("retries: 3, git: {push: [later]}");
    repo.slow();
    let mut person = repo.person(&[]);
    let group = repo.group();
    person.types("\u{3}");
    person.sees(&[ASKED, LISTENS]);
    chooses(&mut person, 2);
    person.sees(&["s/a failed", "retry", LISTENS]);
    assert_eq!(repo.failures(), [("stopped".to_owned(), "git was stopped by the operator".to_owned())]);
    assert!(!repo.pushed());
    repo.left_nothing(group);
    fs::write(repo.file("go"), "").unwrap();
    chooses(&mut person, 1);
    person.sees(&["Really over?", LISTENS]);
    assert!(repo.pushed());
    pauses(person);
}

#[test]
fn ctrl_c_at_the_question_pauses_and_so_do_signals() {
    for (signal, code) in [(None, 130), (Some(Signal::TERM), 143), (Some(Signal::HUP), 129)] {
        let repo = Repo::new("git: {push: [later]}");
        repo.slow();
        let mut person = repo.person(&[]);
        let group = repo.group();
        if let Some(signal) = signal {
            person.signal(signal);
        } else {
            person.types("\u{3}");
            person.sees(&[ASKED, LISTENS]);
            person.types("\u{3}");
        }
        let (ended, last) = person.code();
        assert_eq!(ended, code, "{last}");
        assert_eq!(repo.failures(), []);
        repo.left_nothing(group);
        fs::write(repo.file("go"), "").unwrap();
        let mut person = Person::at(&repo.world, &["resume"]);
        person.sees(&["Really over?", LISTENS]);
        pauses(person);
    }
}

#[test]
fn git_that_is_held_ends_with_a_program_that_is_killed() {
    let repo = Repo::new("git: {push: [later]}");
    repo.slow();
    let mut person = repo.person(&[]);
    let group = repo.group();
    person.types("\u{3}");
    person.sees(&[ASKED, LISTENS]);
    person.kill();
    until("the end of git's group", || test_kill_process_group(group) == Err(Errno::SRCH));
}

#[test]
fn a_password_that_git_asks_at_the_terminal_is_answered_there_and_ctrl_c_there_asks_what_next() {
    let repo = Repo::new("retries: 3, git: {push: [later]}");
    repo.secret("");
    let mut person = repo.person(&[]);
    person.sees(&[SAID, "Password: "]);
    person.types("\u{3}");
    let seen = person.sees(&["s/a failed", "retry", LISTENS]);
    assert!(seen.lines().any(|line| line.starts_with("✗ s/a")), "{seen}");
    assert!(matches!(repo.failures().as_slice(), [(reason, said)] if reason == "stopped" && said.contains("Ctrl-C")));
    chooses(&mut person, 1);
    person.sees(&["→ retry", "Password: "]);
    person.sees_that("a second password", |seen| seen.matches("Password: ").count() == 2);
    person.types("hunter2\r");
    let seen = person.sees(&["✓ s/a", "Really over?", LISTENS]);
    assert!(!seen.contains("hunter2"), "{seen}");
    assert_eq!(fs::read_to_string(repo.file("words")).unwrap(), "hunter2\n");
    assert!(repo.pushed());
    pauses(person);
}

#[test]
fn git_that_dies_while_it_asks_a_password_leaves_the_terminal_as_it_was() {
    let repo = Repo::new("timeout: 5s, git: {push: [later]}");
    repo.secret("ps -o pgid= -p $$ >\"$D/new\"; mv \"$D/new\" \"$D/group\"; trap : HUP INT TERM");
    let mut person = repo.person(&[]);
    person.sees(&[SAID]);
    let group = repo.group();
    person.sees(&["Password: "]);
    assert_ne!(person.mode(), person.found(), "it does not echo");
    person.sees(&["s/a failed", "retry", LISTENS]);
    assert_eq!(repo.failures()[0].0, "timeout");
    person.types("\u{3}");
    let (code, last) = person.ended();
    assert_eq!(code, 130, "{last}");
    assert_eq!(person.mode(), person.found());
    repo.left_nothing(group);
}

#[test]
fn git_asks_name_and_password_for_a_remote_of_the_web_and_the_question_stays_on_the_screen() {
    let repo = Repo::new("git: {push: [later]}");
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/fix.git", server.local_addr().unwrap());
    repo.git(&["remote", "set-url", "origin", &url]);
    let (send, given) = channel();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let head: Vec<_> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
            let known = head.into_iter().find(|line| line.starts_with("Authorization: "));
            let status = if known.is_some() { "403 Forbidden" } else { "401 Unauthorized" };
            known.into_iter().for_each(|line| send.send(line).unwrap());
            let more = "WWW-Authenticate: Basic realm=\"r\"\r\nContent-Length: 0\r\nConnection: close";
            write!(stream, "HTTP/1.1 {status}\r\n{more}\r\n\r\n").unwrap();
        }
    });
    let mut person = repo.person(&[("GIT_TERMINAL_PROMPT", "1")]);
    let name = format!("Username for '{}': ", url.trim_end_matches("/fix.git"));
    person.sees(&[SAID, &name]);
    person.types("ada\r");
    person.sees(&["Password for", &name, "ada@"]);
    person.types("hunter2\r");
    let seen = person.sees(&["s/a failed", "403", "retry", LISTENS]);
    assert!(!seen.contains("hunter2"), "{seen}");
    // `ada:hunter2` in base64.
    assert_eq!(given.recv_timeout(PATIENCE).unwrap(), "Authorization: Basic YWRhOmh1bnRlcjI=");
    // The same again, and a Ctrl-C in the middle of the name.
    chooses(&mut person, 1);
    person.sees_that("a second question", |seen| seen.matches("Username for").count() == 2);
    // Git writes before it reads, and has the keys only then.
    person.has_lent();
    person.types("a\u{3}");
    person.sees(&["git was ended by Ctrl-C", "retry", LISTENS]);
    assert_eq!(repo.failures()[1].0, "stopped");
    pauses(person);
}

#[test]
fn a_password_is_not_asked_while_a_question_is_up() {
    let repo = Repo::new("git: {push: [later]}");
    let before =
        "ps -o pgid= -p $$ >\"$D/new\"; mv \"$D/new\" \"$D/group\"; while ! test -e \"$D/go\"; do sleep 0.05; done";
    repo.secret(before);
    let mut person = repo.person(&[]);
    let group = repo.group();
    person.types("\u{3}");
    person.sees(&[ASKED, LISTENS]);
    fs::write(repo.file("go"), "").unwrap();
    person.types("\r");
    let seen = person.sees(&["Nothing is chosen yet"]);
    assert!(!seen.contains("Password"), "{seen}");
    chooses(&mut person, 1);
    person.sees(&["→ wait", "Password: "]);
    person.types("hunter2\r");
    person.sees(&["✓ s/a", "Really over?", LISTENS]);
    assert_eq!(fs::read_to_string(repo.file("words")).unwrap(), "hunter2\n");
    pauses(person);
    repo.left_nothing(group);
}

#[test]
fn without_a_terminal_ctrl_c_pauses_and_git_is_gone() {
    let repo = Repo::new("git: {push: [later]}");
    repo.slow();
    let (mut child, lines) = repo.world.begin(&["start", "v1.2.3", "1234", "--offline", "--runbook", &repo.runbook]);
    let group = repo.group();
    let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
    rustix::process::kill_process(pid, Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!lines.all().contains(SAID));
    assert_eq!(repo.failures(), []);
    repo.left_nothing(group);
}
