//! A repository with a bare remote, a runbook, and the program run in it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hotfix::event::{Event, Record};
use hotfix::run::{Outline, Run};
use hotfix::runbook::{BUILTIN_EN, Runbook, Source, load};
use tempfile::TempDir;

use crate::random::Random;
use crate::record::{Call, SCRIPT, calls};

const EXE: &str = env!("CARGO_BIN_EXE_hotfix");

const RUNBOOK: &str = r#"
name: kills
version: 1
vars: { ending: forward }
stages:
  - id: make
    steps:
      - { id: colour, ask: { prompt: Which?, choice: [blue, green], into: colour } }
      - { id: quick, run: [./call, WORD, do, "0", "0"], undo: { run: [./call, WORD, undo, "0.03", "0"] } }
      - { id: branch, git: { branch: "{{ branch }}", from: "{{ tag }}" } }
      - { id: slow, run: 'exec ./call WORD do 0.2 0' }
      - { id: flaky, retries: 2, run: [./call, WORD, do, "0.02", "3", "4", "0"] }
      - { id: asked, run: [./call, WORD, do, "0.03", "7", "0"] }
      - { id: late, retries: 1, done_if: 'grep -q "^end make/late " "$T/calls"', run: [./call, WORD, do, "0.05", "9", "0"] }
      - { id: edit, run: [./call, WORD, do, "0", "0"] }
      - { id: commit, git: { commit: Fix it } }
      - { id: sure, confirm: Sure? }
      - id: turns
        group:
          repeat: { until: 'more == "off"', max: 5 }
          steps:
            - { id: x, run: 'exec ./call WORD do 0.04 0', undo: { run: 'exec ./call WORD undo 0 6 0 # $HOTFIX_STEP' } }
            - { id: more, ask: { prompt: More?, into: more } }
  - id: release
    steps:
      - { id: tag, git: { tag: "{{ new_tag }}" } }
      - { id: push, git: { push: ["{{ branch }}", "{{ new_tag }}"] } }
      - id: deploy
        affects: production
        run: [./call, WORD, do, "0.1", "0"]
        undo: { run: [./call, WORD, undo, "0.06", "0"] }
      - { id: boom, when: 'ending == "back"', run: [./call, WORD, do, "0", "9"] }
      - { id: last, capture: { said: stdout }, run: [./call, WORD, do, "0.02", "0"] }
  - id: back
    trigger: rollback
    steps:
      - { id: validate, run: [./call, WORD, do, "0.04", "0"] }
"#;

/// A repository `work`, its remote `remote.git` and a runbook, in a directory of their own.
pub(crate) struct World {
    dir: TempDir,
    env: Vec<(String, String)>,
    runbook: Runbook,
    /// Whether its run is to end in a rollback.
    pub(crate) back: bool,
}

impl World {
    pub(crate) fn new(back: bool) -> Self {
        let dir = tempfile::Builder::new().prefix("hotfix-kills-").tempdir().unwrap();
        let word = dir.path().file_name().unwrap().to_string_lossy().into_owned();
        let text = RUNBOOK.replace("WORD", &word);
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
        let source = Source::Text { name: "kills".to_owned(), text: text.clone() };
        let runbook = load(&source, &BUILTIN_EN).unwrap_or_else(|problems| panic!("{problems:?}")).runbook;
        let world = Self { dir, env, runbook, back };
        fs::write(world.path("runbook.yaml"), text).unwrap();
        fs::write(world.path("calls"), "").unwrap();
        world.git(".", &["init", "-q", "--bare", "-b", "main", "remote.git"]);
        world.git(".", &["init", "-q", "-b", "main", "work"]);
        world.git("work", &["remote", "add", "origin", "../remote.git"]);
        fs::write(world.path("work/app.txt"), "one\n").unwrap();
        fs::write(world.path("work/call"), SCRIPT).unwrap();
        fs::set_permissions(world.path("work/call"), fs::Permissions::from_mode(0o755)).unwrap();
        world.git("work", &["add", "."]);
        world.git("work", &["commit", "-q", "-m", "first"]);
        world.git("work", &["tag", "-a", "-m", "release", "v1.2.3"]);
        world.git("work", &["push", "-q", "origin", "main", "v1.2.3"]);
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A word that is among the arguments of every script of this world, and of no other process.
    pub(crate) fn word(&self) -> &str {
        self.dir.path().file_name().unwrap().to_str().unwrap()
    }

    fn command(&self, program: &str, dir: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path(dir)).env_clear().stdin(Stdio::null());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// What `git` says in `dir` to these words.
    #[track_caller]
    pub(crate) fn git(&self, dir: &str, words: &[&str]) -> String {
        let ended = self.command("git", dir).args(words).output().unwrap();
        assert!(ended.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8(ended.stdout).unwrap().trim_end().to_owned()
    }

    /// The program, about to be run in the repository.
    pub(crate) fn hotfix(&self, args: &[&str]) -> Command {
        let mut command = self.command(EXE, "work");
        command.args(args);
        command
    }

    /// The program, about to drive the run with these answers: from its beginning where there is none yet.
    pub(crate) fn driver(&self, answers: &str) -> Command {
        let file = self.path("answers.yaml");
        fs::write(&file, answers).unwrap();
        let file = file.display().to_string();
        let ending = if self.back { "ending=back" } else { "ending=forward" };
        match self.run_dir() {
            None => self.hotfix(&["start", "v1.2.3", "42", "--set", ending, "--answers", &file]),
            Some(_) => self.hotfix(&["resume", "--answers", &file]),
        }
    }

    /// The run's directory, once there is one. There is never more than one.
    pub(crate) fn run_dir(&self) -> Option<PathBuf> {
        let runs = fs::read_dir(self.path("work/.git/hotfix/runs"));
        let mut runs = runs.into_iter().flatten().map(|entry| entry.unwrap().path());
        let mut there = runs.by_ref().filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'));
        let run = there.next();
        assert_eq!(there.next(), None, "two runs were begun");
        run
    }

    /// The file of an attempt's supervisor.
    pub(crate) fn status(&self, stem: &str) -> Option<PathBuf> {
        Some(self.run_dir()?.join("output").join(format!("{stem}.status")))
    }

    /// The whole lines of the journal, each with its end.
    pub(crate) fn journal(&self) -> Vec<u8> {
        let read = self.run_dir().map(|dir| fs::read(dir.join("journal.jsonl")).unwrap());
        let mut bytes = read.unwrap_or_default();
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        bytes.truncate(whole);
        bytes
    }

    /// Leaves the beginning of a record behind the last one, as a machine does that goes down in the middle of a write.
    pub(crate) fn tear(&self, random: &mut Random) {
        let (Some(dir), whole) = (self.run_dir(), self.journal()) else { return };
        let last = whole.split_inclusive(|byte| *byte == b'\n').next_back().unwrap();
        let part = &last[..usize::try_from(random.below(last.len() as u64)).unwrap()];
        let file = fs::File::options().append(true).open(dir.join("journal.jsonl"));
        file.and_then(|mut file| file.write_all(part)).unwrap();
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        let text = String::from_utf8(self.journal()).unwrap();
        text.lines().map(|line| Record::parse(line).unwrap_or_else(|why| panic!("{why}: {line}"))).collect()
    }

    /// The run, as its records tell it.
    pub(crate) fn run(&self) -> Run {
        let mut run = Run::new(Outline::of(&self.runbook));
        self.records().iter().for_each(|record| run.apply(record));
        run
    }

    /// The attempts that the journal says have begun, in order, as stems of their files.
    pub(crate) fn started(&self) -> Vec<String> {
        let mut undos = std::collections::BTreeMap::new();
        let started = |record: Record| match record.event {
            Event::StepStarted { step, attempt, .. } => Some(stem(&step, attempt)),
            Event::UndoStarted { step, .. } => {
                let attempt: &mut u32 = undos.entry(step.clone()).or_default();
                *attempt += 1;
                Some(stem(&format!("undo:{step}"), *attempt))
            }
            _ => None,
        };
        self.records().into_iter().filter_map(started).collect()
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        calls(&fs::read_to_string(self.path("calls")).unwrap())
    }

    /// The process that holds the driver's lock, as the lock file says.
    pub(crate) fn holder(&self) -> Option<u32> {
        let text = fs::read_to_string(self.path("work/.git/hotfix/lock")).ok()?;
        let holder: serde_json::Value = serde_json::from_str(&text).ok()?;
        holder["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok())
    }
}

/// What the files of an attempt are called, without their endings.
pub(crate) fn stem(key: &str, attempt: u32) -> String {
    let key = key.replace("undo:", "undo.").replace('/', ".");
    format!("{key}.{attempt}")
}

/// What a program said, on both channels.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What stands in a supervisor's file.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// The supervisor, once it has taken its job.
    pub(crate) pid: Option<i32>,
    /// Whether it has said how its command ended.
    pub(crate) over: bool,
    /// Whether it lives; asked only of one that has taken its job.
    pub(crate) alive: bool,
}

/// How the supervisor of the file at `path` stands.
pub(crate) fn standing(path: &Path) -> Option<Standing> {
    let text = fs::read_to_string(path).ok()?;
    let mut standing = Standing::default();
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let pid = line["accepted"]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
        standing.pid = standing.pid.or(pid);
        standing.over |= line.get("ended").is_some();
    }
    if standing.pid.is_some() {
        standing.alive = !is_free(path);
    }
    Some(standing)
}

/// Whether nobody holds the lock of the file at `path`.
pub(crate) fn is_free(path: &Path) -> bool {
    fs::File::open(path).is_ok_and(|file| file.try_lock_shared().is_ok())
}
