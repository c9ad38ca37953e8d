//! The end of the pseudo-terminal that asks and shows: this binary again, as a child.

use std::fs;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::time::Duration;

use hotfix::clock::{Clock, SystemClock, Timestamp};
use hotfix::gate::Measurement;
use hotfix::operator::{Course, Form, Gauge, Item, Operator, Outcome, Presence, Purpose, Question, Screen, Show, Way};
use hotfix::terminal::{Language, Plain, Settings, Terminal};
use rustix::event::{PollFd, PollFlags, poll};
use tokio::signal::unix::{Signal, SignalKind, signal};

pub(crate) const PLAIN: Settings = Settings { color: false, quiet: false, language: Language::English };
const COLOUR: Settings = Settings { color: true, ..PLAIN };

fn say(text: &str) {
    let mut out = io::stdout();
    writeln!(out, "{text}").unwrap();
    out.flush().unwrap();
}

fn item(text: &str, optional: bool) -> Item {
    Item { text: text.into(), optional }
}

fn question(scenario: &str) -> Option<Question> {
    let ways = vec![Way::Retry, Way::Done, Way::Skip, Way::Rollback, Way::Pause];
    let form = match scenario {
        "confirm" | "ahead" | "gone" | "both" => Form::Confirm,
        "typed" | "typed-again" => Form::Typed { expected: "v1.2.4".into() },
        "text" | "again" | "long" | "panic" => Form::Text,
        "number" => Form::Number,
        "editor" => Form::Editor { initial: String::new() },
        "begun" => Form::Editor { initial: "Draft:".into() },
        "choice" => Form::Choice(vec!["SEV1".into(), "SEV2".into(), "SEV3".into()]),
        "choices" => Form::Choices(vec!["web".into(), "api".into()]),
        "checklist" => Form::Checklist(vec![item("tests", false), item("docs", true), item("review", false)]),
        "optional" => Form::Checklist(vec![item("one", true), item("two", true)]),
        "approve" => Form::Approve { not: "Ann".into() },
        "hand" => Form::Hand,
        "shell" => Form::Shell { dir: "/".into(), env: vec![("HOTFIX_TAG".into(), "v1.2.3".into())] },
        "way" | "tall" => Form::Way(ways),
        _ => return None,
    };
    let long = "This question is long, it takes one line where there is room, else two.";
    Some(Question {
        step: "stage/step".into(),
        purpose: Purpose::Step,
        prompt: match scenario {
            "long" => long.into(),
            "tall" => {
                (1..=40).map(|number| format!("undo {number}")).collect::<Vec<_>>().join("\n") + "\nWhat now, operator?"
            }
            _ => "What now, \u{1b}[2Joperator?".into(),
        },
        form,
        menu: vec![Way::Retry, Way::Skip, Way::Rollback, Way::Pause],
        output: std::env::var_os("HOTFIX_SHOWN").map(PathBuf::from),
        measured: Vec::new(),
    })
}

async fn ask(settings: Settings, question: &Question) {
    let terminal = Terminal::open(settings).unwrap();
    assert_eq!(terminal.presence(), Presence::Person);
    say(&format!("ANSWER {:?}\nEND", terminal.ask(question).await));
}

/// Asks when there are keys to be read already.
async fn ahead(question: &Question) {
    say("READY");
    let stdin = io::stdin();
    poll(&mut [PollFd::new(&stdin, PollFlags::IN)], None).unwrap();
    ask(PLAIN, question).await;
}

/// Takes the question back when told to, and asks it again when told to.
async fn again(question: &Question, mut told: Signal) {
    let terminal = Terminal::open(PLAIN).unwrap();
    tokio::select! {
        answer = terminal.ask(question) => say(&format!("TOO EARLY {answer:?}")),
        _ = told.recv() => say("TAKEN"),
    }
    told.recv().await;
    say(&format!("ANSWER {:?}\nEND", terminal.ask(question).await));
}

/// Panics while it asks, when told to.
async fn panics(question: &Question, mut told: Signal) {
    let terminal = Terminal::open(PLAIN).unwrap();
    tokio::select! {
        answer = terminal.ask(question) => say(&format!("TOO EARLY {answer:?}")),
        _ = told.recv() => panic!("planted"),
    }
}

/// Asks while a command runs, and shows something whenever told to.
async fn both(question: &Question, mut told: Signal) {
    let terminal = Terminal::open(PLAIN).unwrap();
    terminal.show(Show::Command { text: "./slow.sh", values: &[], timeout: None });
    let warn = async {
        for times in 1.. {
            told.recv().await;
            terminal.show(Show::Warning("beware"));
            // A title is not seen on the screen.
            let mut out = io::stdout();
            write!(out, "\x1b]0;told {times}\x07").unwrap();
            out.flush().unwrap();
        }
    };
    tokio::select! {
        wanted = terminal.attention() => say(&format!("NOT FOR IT {wanted:?}\nEND")),
        answer = terminal.ask(question) => say(&format!("ANSWER {answer:?}\nEND")),
        () = warn => {}
    }
}

/// Asks a terminal that goes away, and writes to a file what became of it.
async fn gone(question: &Question) {
    let _hangup = signal(SignalKind::hangup()).unwrap();
    let terminal = Terminal::open(PLAIN).unwrap();
    let answer = terminal.ask(question).await;
    fs::write(std::env::var_os("HOTFIX_WRITTEN").unwrap(), format!("{answer:?}")).unwrap();
}

/// Shows one of each.
pub(crate) fn show_all(screen: &dyn Screen) {
    let minute = Duration::from_secs(60);
    let now = SystemClock.now();
    let began = Timestamp::from_millis(now.millis() - 724_000);
    let escalation = [(now.plus(Duration::from_secs(176)), "senior".to_owned())];
    let run = |way| Show::Run {
        id: "r1",
        tag: "v1.2.3",
        new_tag: "v1.2.4",
        issue: "1234",
        began,
        escalation: &escalation,
        way,
    };
    screen.show(run(Course::Forward));
    screen.show(Show::Stage {
        number: 8,
        of: 18,
        title: "Staging",
        guide: Some("# Take *care*"),
        budget: Some(minute * 20),
        began: now,
    });
    screen.show(Show::Step { key: "staging/deploy", title: "Deploy", guide: Some("- one\n- `two`") });
    let values = [("HOTFIX_NEW_TAG".to_owned(), "v1.2.4".to_owned())];
    let text = "./deploy.sh \\\n\"$HOTFIX_NEW_TAG\"";
    screen.show(Show::Command { text, values: &values, timeout: Some(minute * 10) });
    screen.show(Show::Output(b"first li"));
    screen.show(Show::Output(b"ne\n\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b[2Jtext\n10%\r20%\rhalf"));
    let health = gauge("health", &[200, 503], Measurement::Failure, (1, 2));
    screen.show(Show::Gauge { at: 0, of: 1, gauge: &health });
    screen.show(Show::CommandEnded);
    screen.show(Show::Guidance("> quoted"));
    let outcome = |how, detail, took| Show::Outcome { key: "staging/deploy", how, detail, took };
    screen.show(outcome(Outcome::Done, "", Some(Duration::from_secs(4))));
    screen.show(outcome(Outcome::Failed, "it ended with 1\nsee above", None));
    screen.show(outcome(Outcome::Skipped, "not today", None));
    screen.show(outcome(Outcome::Watches, "05:19", None));
    screen.show(outcome(Outcome::Watches, "", None));
    screen.show(outcome(Outcome::ByHand, "", None));
    screen.show(Show::Info("known"));
    screen.show(Show::Warning("beware"));
    screen.show(run(Course::Back));
    screen.show(Show::Info("back"));
    screen.show(run(Course::RolledBack));
    screen.show(Show::Info("behind it"));
    screen.show(run(Course::Stayed));
    screen.show(Show::Info("never there"));
}

/// Runs a command that never ends, until somebody wants something.
async fn attention() {
    let terminal = Terminal::open(PLAIN).unwrap();
    terminal.show(Show::Command { text: "./slow.sh", values: &[], timeout: Some(Duration::from_secs(600)) });
    let wanted = terminal.attention();
    let shown = async {
        terminal.show(Show::Output(b"line one\n40%"));
        std::future::pending::<()>().await;
    };
    tokio::select! {
        wanted = wanted => {
            terminal.show(Show::CommandEnded);
            say(&format!("ANSWER {wanted:?}\nEND"));
        }
        () = shown => {}
    }
}

/// A gauge that read these numbers, of which the last means `outcome`.
fn gauge(probe: &str, values: &[i32], outcome: Measurement, (against, borne): (u32, u32)) -> Gauge {
    let mut gauge = Gauge::new(probe.to_owned(), "expected status == 200".to_owned());
    values.iter().for_each(|value| gauge.read((&(*value).into(), ""), outcome, SystemClock.now()));
    Gauge { against, borne, ..gauge }
}

/// Watches nine probes, of which three are not as they should be, until somebody wants something. When told to it reads them
/// again, and finds what it found before.
async fn watch(mut told: Signal) {
    let terminal = Terminal::open(PLAIN).unwrap();
    terminal.show(Show::Command { text: "watches", values: &[], timeout: Some(Duration::from_secs(600)) });
    let mut gauges: Vec<_> =
        (1..=6).map(|n| gauge(&format!("fine-{n}"), &[n, 0, n], Measurement::Success, (0, 2))).collect();
    gauges.push(gauge("health", &[200, 200, 503], Measurement::Failure, (1, 2)));
    let refused = serde_json::Value::from("nobody answers at \u{1b}[2Jthe port\nat all");
    let mut error = gauge("error-rate", &[3, 4], Measurement::Success, (2, 4));
    error.read((&refused, ""), Measurement::Error, SystemClock.now());
    gauges.push(error);
    let mut log = gauge("log", &[0, 1234], Measurement::Success, (1, 2));
    log.matches((1..=5).map(|n| format!("ERROR {n} \u{1b}]0;title\u{7}{}", "x".repeat(100))).collect());
    gauges.push(log);
    let show = |terminal: &Terminal| {
        let of = gauges.len();
        gauges.iter().enumerate().for_each(|(at, gauge)| terminal.show(Show::Gauge { at, of, gauge }));
    };
    show(&terminal);
    let again = async {
        for times in 1.. {
            told.recv().await;
            (0..200).for_each(|_| show(&terminal));
            terminal.show(Show::Warning(&format!("told {times}")));
        }
    };
    tokio::select! {
        wanted = terminal.attention() => {
            terminal.show(Show::CommandEnded);
            say(&format!("ANSWER {wanted:?}\nEND"));
        }
        () = again => {}
    }
}

fn show(screen: &dyn Screen) {
    show_all(screen);
    say("END");
}

async fn run(scenario: &str) {
    let told = signal(SignalKind::user_defined1()).unwrap();
    match (scenario, question(scenario)) {
        ("ahead", Some(question)) => ahead(&question).await,
        ("panic", Some(question)) => panics(&question, told).await,
        ("both", Some(question)) => both(&question, told).await,
        ("again" | "typed-again", Some(question)) => again(&question, told).await,
        ("gone", Some(question)) => gone(&question).await,
        ("chinese", _) => {
            ask(Settings { language: Language::Chinese, ..PLAIN }, &question("confirm").unwrap()).await;
        }
        ("colour", _) => ask(COLOUR, &question("choice").unwrap()).await,
        ("show", _) => show(&Terminal::open(PLAIN).unwrap()),
        ("show-colour", _) => show(&Terminal::open(COLOUR).unwrap()),
        ("show-quiet", _) => show(&Terminal::open(Settings { quiet: true, ..PLAIN }).unwrap()),
        ("show-chinese", _) => show(&Terminal::open(Settings { language: Language::Chinese, ..PLAIN }).unwrap()),
        ("show-plain", _) => show(&Plain::new(PLAIN)),
        ("attention", _) => attention().await,
        ("watch", _) => watch(told).await,
        (_, Some(question)) => ask(PLAIN, &question).await,
        _ => panic!("no scenario {scenario}"),
    }
}

/// Not a test of its own: what the other tests start in a pseudo-terminal.
#[test]
fn child() {
    let Ok(scenario) = std::env::var("HOTFIX_SCENARIO") else { return };
    say("");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ran = catch_unwind(AssertUnwindSafe(|| runtime.block_on(run(&scenario))));
    if let Err(panic) = ran {
        say("OVER");
        io::stdin().read_line(&mut String::new()).unwrap();
        resume_unwind(panic);
    }
}
