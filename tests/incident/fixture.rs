//! An engine with a clock of its own, in a real repository, and a person whose answers are planned.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use hotfix::action::World;
use hotfix::clock::{Clock as _, FakeClock, LocalFuture, Timestamp};
use hotfix::engine::{Book, Ending, Engine};
use hotfix::event::{Event, FORMAT};
use hotfix::git::{Prompts, Repository};
use hotfix::http::Http;
use hotfix::journal::{Author, Journal, read};
use hotfix::mask::Masker;
use hotfix::operator::{Answer, Attention, Operator, Presence, Question, Screen, Show, Signal, Unanswered, Way};
use hotfix::process::{Left, Loan};
use hotfix::run::{Outline, Run};
use hotfix::runbook::{self, BUILTIN_EN, Runbook};
use hotfix::store::{RunPaths, Store};
use hotfix::vars::Environment;
use serde_json::json;

/// When the run begins.
pub(crate) const START: i64 = 1_763_870_220_000;
/// A secret, which nothing may show.
pub(crate) const SECRET: &str = "hunter2-hunter2";

/// What a person does when a question is put.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// Answers.
    Answers(Answer),
    /// Leaves it without an answer.
    Leaves(Unanswered),
    /// Thinks for so many minutes, and on until something comes between.
    Thinks(i64),
    /// Waits until it is so many minutes after the run began, and does this then.
    At(i64, Box<Does>),
    /// Makes this file, and does this.
    TouchesFor(PathBuf, Box<Does>),
    /// Makes this file, and thinks on until something comes between.
    Touches(PathBuf),
    /// Has the machine sleep for so many minutes, and does this then.
    Sleeps(i64, Box<Does>),
}

pub(crate) fn way(way: Way) -> Does {
    Does::Answers(Answer::Way { way, reason: None })
}

pub(crate) fn because(way: Way, reason: &str) -> Does {
    Does::Answers(Answer::Way { way, reason: Some(reason.to_owned()) })
}

pub(crate) fn text(text: &str) -> Does {
    Does::Answers(Answer::Text(text.to_owned()))
}

pub(crate) fn ctrl_c() -> Does {
    Does::Leaves(Unanswered::Interrupted(Signal::Int))
}

pub(crate) const YES: Does = Does::Answers(Answer::Yes);

struct Person {
    clock: FakeClock,
    plan: RefCell<VecDeque<(String, Does)>>,
    asked: RefCell<Vec<Question>>,
    presence: Presence,
}

impl Person {
    fn sleeps(&self, minutes: i64) {
        self.clock.set(Timestamp::from_millis(self.clock.now().millis() + minutes * 60_000));
    }

    fn does<'a>(&'a self, does: Does, question: &'a Question) -> LocalFuture<'a, Result<Answer, Unanswered>> {
        Box::pin(async move {
            match does {
                Does::Answers(answer) => {
                    assert!(question.form.accepts(&answer), "{answer:?} does not fit {question:?}");
                    Ok(answer)
                }
                Does::Leaves(unanswered) => Err(unanswered),
                Does::Thinks(minutes) => {
                    self.sleeps(minutes);
                    std::future::pending().await
                }
                Does::At(minutes, then) => {
                    while self.clock.now().millis() < START + minutes * 60_000 {
                        tokio::task::yield_now().await;
                    }
                    // What is due then comes first.
                    for _ in 0..100 {
                        tokio::task::yield_now().await;
                    }
                    self.does(*then, question).await
                }
                Does::Touches(path) => {
                    std::fs::write(path, "").unwrap();
                    std::future::pending().await
                }
                Does::TouchesFor(path, then) => {
                    std::fs::write(path, "").unwrap();
                    self.does(*then, question).await
                }
                Does::Sleeps(minutes, then) => {
                    self.sleeps(minutes);
                    self.does(*then, question).await
                }
            }
        })
    }
}

impl Operator for Person {
    fn ask<'a>(&'a self, question: &'a Question) -> LocalFuture<'a, Result<Answer, Unanswered>> {
        Box::pin(async move {
            self.asked.borrow_mut().push(question.clone());
            let next = self.plan.borrow_mut().pop_front();
            let (step, does) = next.unwrap_or_else(|| panic!("not planned: {question:?}"));
            assert_eq!(step, question.step, "{question:?}");
            self.does(does, question).await
        })
    }

    fn lend<'a>(&'a self, _: &'a Loan) -> LocalFuture<'a, Result<Left, Unanswered>> {
        Box::pin(std::future::ready(Err(Unanswered::Missing)))
    }

    fn attention(&self) -> LocalFuture<'_, Attention> {
        Box::pin(std::future::pending())
    }

    fn presence(&self) -> Presence {
        self.presence
    }
}

/// Keeps what is said.
#[derive(Default)]
struct Heard(RefCell<Vec<String>>);

impl Screen for Heard {
    fn show(&self, what: Show<'_>) {
        match what {
            Show::Warning(text) | Show::Info(text) => self.0.borrow_mut().push(text.to_owned()),
            Show::Run { escalation, .. } => self.0.borrow_mut().push(format!("{} to call", escalation.len())),
            _ => {}
        }
    }
}

pub(crate) struct Lab {
    dir: tempfile::TempDir,
    pub(crate) clock: FakeClock,
    runbook: Runbook,
    paths: RunPaths,
    channels: Vec<(String, String)>,
}

/// What came of driving the run.
pub(crate) struct Drive {
    pub(crate) ending: Ending,
    pub(crate) asked: Vec<Question>,
    pub(crate) heard: Vec<String>,
}

impl Drive {
    pub(crate) fn steps(&self) -> Vec<&str> {
        self.asked.iter().map(|question| question.step.as_str()).collect()
    }
}

impl Lab {
    /// A run of `text`, a runbook in which `$T` is the lab's directory, whose incident began so many minutes before it.
    pub(crate) fn new(text: &str, minutes_before: i64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = text.replace("$T", &dir.path().display().to_string());
        let git = |args: &[&str]| {
            let done = Command::new("git").args(args).current_dir(dir.path()).output().unwrap();
            assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
        };
        git(&["init", "-q", "-b", "main"]);
        git(&["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "a"]);
        let source = runbook::Source::Text { name: "lab".into(), text };
        let loaded = runbook::load(&source, &BUILTIN_EN).unwrap_or_else(|problems| panic!("{problems:?}"));
        let vars = [("tag", "v1.2.3"), ("new_tag", "v1.2.4"), ("rollback_to", "v1.2.3"), ("issue", "42")];
        let vars: BTreeMap<_, _> = vars.map(|(name, value)| (name.to_owned(), json!(value))).into();
        let clock = FakeClock::at(Timestamp::from_millis(START));
        let incident_began = (minutes_before > 0).then(|| Timestamp::from_millis(START - minutes_before * 60_000));
        let first = Event::RunStarted {
            program: "0".into(),
            format: FORMAT,
            runbook: loaded.frozen(),
            vars,
            environment: BTreeMap::new(),
            incident_began,
            warnings: vec![],
        };
        let store = Store::under(&dir.path().join(".git"));
        let paths = store.begin(&clock, "42", ("ada", "db1"), (&loaded.frozen(), vec![first])).unwrap();
        Self { dir, clock, runbook: loaded.runbook, paths, channels: Vec::new() }
    }

    /// Sets an environment variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.channels.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn left(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(crate) fn wait(&self, minutes: u64) {
        self.clock.advance(Duration::from_secs(minutes * 60));
    }

    /// Sets the clock to so many minutes after the run began.
    pub(crate) fn set(&self, minutes: i64) {
        self.clock.set(Timestamp::from_millis(START + minutes * 60_000));
    }

    /// A new process drives the run, with a person who does as planned.
    pub(crate) fn drive(&self, plan: Vec<(&str, Does)>) -> Drive {
        self.driven(plan, Presence::Person)
    }

    /// The same with nobody at a terminal.
    pub(crate) fn unattended(&self, plan: Vec<(&str, Does)>) -> Drive {
        self.driven(plan, Presence::File)
    }

    fn driven(&self, plan: Vec<(&str, Does)>, presence: Presence) -> Drive {
        let author = Author { run: self.paths.id.clone(), by: "ada".into(), host: "db1".into() };
        let (journal, records) = Journal::open(&self.paths.journal, author.clone()).unwrap();
        let mut run = Run::new(Outline::of(&self.runbook));
        records.iter().for_each(|record| run.apply(record));
        let mut environment = vec![("SECRET".to_owned(), SECRET.to_owned())];
        environment.extend(std::env::var("PATH").map(|path| ("PATH".to_owned(), path)));
        environment.extend(self.channels.clone());
        let environment: Environment = environment.into_iter().collect();
        let masker = || Masker::new([SECRET]).unwrap();
        let world = World {
            clock: Rc::new(self.clock.clone()),
            environment: environment.clone(),
            repository: Repository::discover(self.dir.path(), environment, Prompts::Never).unwrap(),
            http: Http::new(),
            exe: PathBuf::from(env!("CARGO_BIN_EXE_hotfix")),
            secrets: vec!["SECRET".to_owned()],
            masker: masker(),
            channels: self.runbook.channels.clone(),
            output_limit: self.runbook.output_limit,
            version_files: Vec::new(),
            operator: "ada".to_owned(),
        };
        let book = Book::new(journal, run, author, Rc::new(self.clock.clone()), masker());
        let plan = plan.into_iter().map(|(step, does)| (step.to_owned(), does)).collect();
        let person =
            Person { clock: self.clock.clone(), plan: RefCell::new(plan), asked: RefCell::default(), presence };
        let (person, heard) = (Rc::new(person), Rc::new(Heard::default()));
        let console = (Rc::clone(&person) as Rc<dyn Operator>, Rc::clone(&heard) as Rc<dyn Screen>);
        let engine = Rc::new(Engine::new(book, self.runbook.clone(), world, console, self.paths.clone()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let resumes = records.len() > 1;
        let ending = runtime.block_on(async {
            let local = tokio::task::LocalSet::new();
            local
                .run_until(async {
                    if resumes {
                        engine.resume().await.unwrap_or_else(|stop| panic!("{stop:?}"));
                    }
                })
                .await;
            let driven = Rc::clone(&engine).drive();
            tokio::time::timeout(Duration::from_secs(60), driven).await.expect("it does not end").unwrap()
        });
        let left: Vec<_> = person.plan.borrow().iter().map(|(step, _)| step.clone()).collect();
        assert!(left.is_empty(), "planned and not asked: {left:?}; asked: {:?}", person.asked.borrow());
        Drive { ending, asked: person.asked.take(), heard: heard.0.take() }
    }

    /// Cuts the log off behind the first record of this event; no undo has begun then.
    pub(crate) fn cut_behind(&self, event: &str) {
        let text = self.journal();
        let at = text.find(&format!("\"event\":\"{event}\"")).unwrap();
        let end = at + text[at..].find('\n').unwrap() + 1;
        std::fs::write(&self.paths.journal, &text[..end]).unwrap();
        for entry in std::fs::read_dir(&self.paths.output).unwrap().map(Result::unwrap) {
            if entry.file_name().to_string_lossy().starts_with("undo.") {
                std::fs::remove_file(entry.path()).unwrap();
            }
        }
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        read(&self.paths.journal).unwrap().records.into_iter().map(|record| record.event).collect()
    }

    pub(crate) fn journal(&self) -> String {
        std::fs::read_to_string(&self.paths.journal).unwrap()
    }

    /// What the journal tells of calls and messages, in a word or two each.
    pub(crate) fn story(&self) -> Vec<String> {
        let told = |event: &Event| match event {
            Event::EscalationDue { contact, .. } => Some(format!("due {contact}")),
            Event::EscalationMade { contact, acknowledged: true, .. } => Some(format!("acknowledged {contact}")),
            Event::EscalationMade { contact, .. } => Some(format!("called {contact}")),
            Event::EscalationDeclined { contact, reason, .. } => Some(format!("declined {contact}: {reason}")),
            Event::NoticeSent { channel, .. } => Some(format!("sent {channel}")),
            Event::NoticeFailed { channel, .. } => Some(format!("failed {channel}")),
            _ => None,
        };
        self.events().iter().filter_map(told).collect()
    }
}
