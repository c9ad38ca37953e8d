//! A repository with a bare remote, a small runbook beside it, and the program run in it as an operator would.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use hotfix::event::{Event, Record};
use serde_json::Value;

/// What a project is to be like.
pub(crate) struct Setup {
    top: String,
    stages: Vec<(String, Vec<String>)>,
    files: Vec<(String, String)>,
}

/// A runbook with one stage `s` that has these steps, each a flow mapping.
pub(crate) fn steps(steps: &[&str]) -> Setup {
    let (top, stages, files) = Default::default();
    Setup { top, stages, files }.stage("s", steps)
}

impl Setup {
    /// With another stage; `head` is its id, and may have more fields on lines of their own.
    pub(crate) fn stage(mut self, head: &str, steps: &[&str]) -> Self {
        self.stages.push((head.to_owned(), steps.iter().map(|&step| step.to_owned()).collect()));
        self
    }

    /// With a line of the runbook's own.
    pub(crate) fn top(mut self, line: &str) -> Self {
        self.top.push_str(line);
        self.top.push('\n');
        self
    }

    /// With a file in the repository; one that begins with `#!` can be run.
    pub(crate) fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    fn runbook(&self) -> String {
        let mut text = format!("name: test\nversion: 1\n{}stages:\n", self.top);
        for (head, steps) in &self.stages {
            text += &["  - id: ", &head.replace('\n', "\n    "), "\n    steps:\n"].concat();
            steps.iter().for_each(|step| text += &["      - ", step, "\n"].concat());
        }
        text
    }

    /// Makes the repository, with everything in it tagged v1.2.3 and pushed.
    pub(crate) fn open(self) -> Project {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let env = [
            ("PATH", std::env::var("PATH").unwrap()),
            ("HOME", dir.path().display().to_string()),
            ("T", dir.path().display().to_string()),
            ("GIT_CONFIG_GLOBAL", "/dev/null".to_owned()),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
            ("GIT_AUTHOR_NAME", "Ada".to_owned()),
            ("GIT_AUTHOR_EMAIL", "ada@example.com".to_owned()),
            ("GIT_COMMITTER_NAME", "Ada".to_owned()),
            ("GIT_COMMITTER_EMAIL", "ada@example.com".to_owned()),
            ("HOTFIX_RUNBOOK", at("runbook.yaml")),
        ];
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let project = Project { dir, env };
        fs::write(project.path("runbook.yaml"), self.runbook()).unwrap();
        project.git(".", "init -q --bare -b main remote.git");
        project.git(".", "init -q -b main work");
        project.git("work", "remote add origin ../remote.git");
        project.write("app.txt", "one\n");
        self.files.iter().for_each(|(name, text)| project.write(name, text));
        project.git("work", "add .");
        project.git("work", "commit -q -m first");
        project.git("work", "tag -a -m release v1.2.3");
        project.git("work", "push -q origin main v1.2.3");
        project
    }
}

/// A repository `work`, its remote `remote.git` and a runbook, in a directory of their own.
pub(crate) struct Project {
    dir: tempfile::TempDir,
    env: BTreeMap<String, String>,
}

/// How the program ended and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

impl Ended {
    /// That it ended with `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.said);
        self
    }

    /// That it said each of these.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.said.contains(part), "`{part}` is not in:\n{}", self.said);
        }
        self
    }

    /// That it said none of these.
    #[track_caller]
    pub(crate) fn keeps(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(!self.said.contains(part), "`{part}` is in:\n{}", self.said);
        }
        self
    }
}

impl Project {
    /// A path in the project's directory, which is `$T` to every script.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Sets an environment variable of the program.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.to_owned(), value.to_owned());
    }

    /// Takes an environment variable away from the program.
    pub(crate) fn unset(&mut self, name: &str) {
        self.env.remove(name);
    }

    /// Writes a file of the work tree.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path("work").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        if text.starts_with("#!") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    /// What a script left in the project's directory; empty where it left nothing.
    pub(crate) fn left(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(crate) fn command(&self, program: &str, dir: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path(dir)).env_clear().envs(&self.env).stdin(Stdio::null());
        command
    }

    /// What `git` says in `dir` to these words.
    #[track_caller]
    pub(crate) fn git(&self, dir: &str, words: &str) -> String {
        let ended = self.command("git", dir).args(words.split(' ')).output().unwrap();
        assert!(ended.status.success(), "git {words}: {}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8(ended.stdout).unwrap().trim_end().to_owned()
    }

    pub(crate) fn hotfix(&self, args: &[&str]) -> Ended {
        let ended = self.command(env!("CARGO_BIN_EXE_hotfix"), "work").args(args).output().unwrap();
        let texts = [&ended.stdout, &ended.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        Ended { code: ended.status.code(), said: texts.concat() }
    }

    fn answers(&self, answers: &str) -> String {
        fs::write(self.path("answers.yaml"), answers).unwrap();
        self.path("answers.yaml").display().to_string()
    }

    /// Starts a run for v1.2.3 and issue 42 with these answers.
    pub(crate) fn start(&self, answers: &str) -> Ended {
        self.start_with(answers, &[])
    }

    pub(crate) fn start_with(&self, answers: &str, more: &[&str]) -> Ended {
        let answers = self.answers(answers);
        self.hotfix(&[&["start", "v1.2.3", "42", "--answers", &answers], more].concat())
    }

    pub(crate) fn resume(&self, answers: &str) -> Ended {
        self.hotfix(&["resume", "--answers", &self.answers(answers)])
    }

    /// Starts a run without anybody to answer, and hands back its process.
    pub(crate) fn begin(&self) -> Child {
        let mut command = self.command(env!("CARGO_BIN_EXE_hotfix"), "work");
        command.args(["start", "v1.2.3", "42"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Every file at or below a directory, by its path, with its bytes.
    pub(crate) fn tree(&self, dir: &str) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut left = vec![self.path(dir)];
        while let Some(path) = left.pop() {
            if path.is_dir() && !path.is_symlink() {
                left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            } else {
                found.insert(path.display().to_string(), fs::read(&path).unwrap());
            }
        }
        found
    }

    /// The directories of all runs, the oldest first.
    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        let runs = fs::read_dir(self.path("work/.git/hotfix/runs"));
        let runs = runs.into_iter().flatten().map(|entry| entry.unwrap());
        // What begins with a dot is still being made.
        let runs = runs.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
        let mut runs: Vec<_> = runs.map(|entry| entry.path()).collect();
        runs.sort();
        runs
    }

    fn run(&self) -> PathBuf {
        self.runs().pop().expect("no run has begun")
    }

    /// The records of the latest run.
    pub(crate) fn records(&self) -> Vec<Record> {
        hotfix::journal::read(&self.run().join("journal.jsonl")).unwrap().records
    }

    /// The journal of the latest run as it stands on the disk.
    pub(crate) fn journal(&self) -> String {
        fs::read_to_string(self.run().join("journal.jsonl")).unwrap()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.records().into_iter().map(|record| record.event).collect()
    }

    /// A file of the latest run's output.
    #[track_caller]
    pub(crate) fn output(&self, name: &str) -> String {
        let path = self.run().join("output").join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// What the journal tells of one step, an item a record.
    pub(crate) fn story(&self, key: &str) -> Vec<String> {
        self.events().iter().filter(|event| step_of(event) == Some(key)).filter_map(word).collect()
    }

    /// That the journal tells this of a step.
    #[track_caller]
    pub(crate) fn tells(&self, key: &str, expected: &[&str]) {
        assert_eq!(self.story(key), expected, "{key}");
    }

    /// Everything that the steps of the latest run gave.
    pub(crate) fn given(&self) -> BTreeMap<String, Value> {
        let mut given = BTreeMap::new();
        for event in self.events() {
            if let Event::StepDone { set, .. } = event {
                given.extend(set);
            }
        }
        given
    }

    /// Why the run paused, the last time.
    pub(crate) fn paused(&self) -> Option<String> {
        let paused = |event| if let Event::RunPaused { reason } = event { Some(reason) } else { None };
        self.events().into_iter().filter_map(paused).next_back()
    }

    /// Makes a FIFO `name` that scripts find at `$T/name`.
    pub(crate) fn fifo(&self, name: &str) {
        assert!(Command::new("mkfifo").arg(self.path(name)).status().unwrap().success());
    }
}

fn step_of(event: &Event) -> Option<&str> {
    match event {
        Event::StepStarted { step, .. }
        | Event::StepDone { step, .. }
        | Event::StepDoneByHand { step, .. }
        | Event::StepFailed { step, .. }
        | Event::StepSkipped { step, .. }
        | Event::StepInterrupted { step, .. }
        | Event::ApprovalGiven { step, .. }
        | Event::GateDecided { step, .. }
        | Event::GateMeasured { step, .. } => Some(step),
        _ => None,
    }
}

fn word(event: &Event) -> Option<String> {
    Some(match event {
        Event::StepStarted { .. } => "started".to_owned(),
        Event::StepDone { .. } => "done".to_owned(),
        Event::StepDoneByHand { note: None, .. } => "by hand".to_owned(),
        Event::StepDoneByHand { note: Some(note), .. } => format!("by hand: {note}"),
        Event::StepFailed { reason, again: true, .. } => format!("failed {reason}, again"),
        Event::StepFailed { reason, .. } => format!("failed {reason}"),
        Event::StepSkipped { reason, .. } => format!("skipped: {reason}"),
        Event::StepInterrupted { .. } => "interrupted".to_owned(),
        Event::ApprovalGiven { approver, note, .. } => format!("approved by {approver}: {note}"),
        Event::GateDecided { decision, .. } => format!("gate {decision}"),
        Event::GateMeasured { probe, outcome, .. } => format!("{probe} {outcome}"),
        _ => return None,
    })
}

/// A server on the loopback.
pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// A server that answers as `answer` says to the request's head and body.
    pub(crate) fn new(answer: impl Fn(&str) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let requests = Arc::clone(&seen);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(&stream);
                let (mut request, mut length) = (String::new(), 0);
                while reader.read_line(&mut request).unwrap_or(0) > 2 {
                    let line = request.lines().next_back().unwrap_or_default().to_ascii_lowercase();
                    length = line.strip_prefix("content-length:").map_or(length, |n| n.trim().parse().unwrap_or(0));
                }
                let mut body = vec![0; length];
                let _ = reader.read_exact(&mut body);
                request.push_str(&String::from_utf8_lossy(&body));
                let (status, text) = answer(&request);
                requests.lock().unwrap().push(request);
                let length = text.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} Said\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
                );
            }
        });
        Self { url, seen }
    }

    /// The requests so far, each with its head and its body.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// The SHA-256 of each line of a journal.
pub(crate) fn hashes(journal: &str) -> Vec<String> {
    journal.lines().map(|line| hotfix::digest::sha256(line.as_bytes())).collect()
}
