//! The views of a run's records: the line, the status and the incident report.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod partly;
mod standing;

use std::collections::BTreeMap;

use hotfix::clock::Timestamp;
use hotfix::event::{Event, Record};
use hotfix::operator::{Answer, Purpose};
use hotfix::report::{Source, html, json, markdown};
use hotfix::runbook::{self, BUILTIN_EN, Runbook};
use serde_json::json;

const RUNBOOK: &str = r#"
name: test
version: 1
stages:
  - id: assess
    title: Assess it
    budget: 10m
    steps:
      - { id: severity, title: Severity, ask: { prompt: "How severe?", choice: [SEV1, SEV2], into: severity } }
      - { id: old, when: severity == 'SEV2', note: Take your time }
  - id: review
    steps:
      - { id: push, git: { push: ["{{ new_tag }}"] } }
      - { id: approval, approve: { prompt: "Who?", optional: true } }
  - id: deploy
    title: Deployment
    steps:
      - id: direct
        title: Deploy to production
        affects: production
        run: ./deploy.sh "$HOTFIX_NEW_TAG"
        undo: { run: './deploy.sh "$HOTFIX_ROLLBACK_TO"' }
      - { id: validate, title: Validate, run: ./validate.sh }
  - id: rollback
    trigger: rollback
    steps:
      - { id: restore, affects: production, run: './deploy.sh "$HOTFIX_ROLLBACK_TO"' }
      - { id: validate, run: ./validate-rollback.sh }
  - id: follow-up
    steps:
      - { id: a-owner, title: "Runbooks: owner", ask: { prompt: "Who?", into: runbooks_owner } }
      - { id: a-date, title: "Runbooks: date", ask: { prompt: "When?", into: runbooks_date } }
      - { id: lessons, title: Lessons, ask: { prompt: "What was learned?", editor: true, into: lessons } }
"#;

/// A log under way: every record a minute after the one before.
struct Log {
    runbook: Runbook,
    records: Vec<Record>,
    at: i64,
}

impl Log {
    fn new() -> Self {
        Self::of(RUNBOOK)
    }

    /// A log of the runbook `text`.
    fn of(text: &str) -> Self {
        let source = runbook::Source::Text { name: "test".into(), text: text.into() };
        let runbook = runbook::load(&source, &BUILTIN_EN).unwrap().runbook;
        let log = Self { runbook, records: vec![], at: 1_763_870_220_000 };
        let vars = [("tag", "v1.2.3"), ("new_tag", "v1.2.4"), ("issue", "1234")];
        let vars = vars.map(|(name, value)| (name.to_owned(), json!(value))).into();
        let (environment, warnings) = Default::default();
        log.and(Event::RunStarted {
            program: "0.1.0".into(),
            format: hotfix::event::FORMAT,
            runbook: text.into(),
            vars,
            environment,
            incident_began: None,
            warnings,
        })
    }

    fn and(self, event: Event) -> Self {
        self.by("ada", event)
    }

    fn by(mut self, by: &str, event: Event) -> Self {
        let (seq, at) = (self.records.len() as u64, Timestamp::from_millis(self.at));
        let (run, host, prev) = ("20251123-035700-1234".into(), "db1".into(), String::new());
        self.records.push(Record { seq, at, run, by: by.into(), host, event, prev });
        self.at += 60_000;
        self
    }

    fn back_by(mut self, minutes: i64) -> Self {
        self.at -= minutes * 60_000;
        self
    }

    fn source(&self) -> Source<'_> {
        let (records, runbook) = (&self.records, Some(&self.runbook));
        Source { id: "20251123-035700-1234", records, runbook, head: "c0ffee", fault: None }
    }

    fn markdown(&self) -> String {
        markdown(&self.source())
    }

    fn deployed(self) -> Self {
        self.and(stage("deploy")).and(started("deploy/direct", 1)).and(done("deploy/direct", 1))
    }
}

fn stage(stage: &str) -> Event {
    Event::StageStarted { stage: stage.into() }
}

fn closed(stage: &str) -> Event {
    Event::StageFinished { stage: stage.into() }
}

fn started(step: &str, attempt: u32) -> Event {
    let what = "./deploy.sh \"$HOTFIX_NEW_TAG\"".into();
    Event::StepStarted { step: step.into(), attempt, what, evidence: serde_json::Map::default() }
}

fn done(step: &str, attempt: u32) -> Event {
    Event::StepDone { step: step.into(), attempt, result: serde_json::Map::default(), set: BTreeMap::new() }
}

fn failed(step: &str, attempt: u32) -> Event {
    let (reason, message) = ("exit".into(), "exit code 3".into());
    Event::StepFailed { step: step.into(), attempt, reason, message, again: false }
}

fn skipped(step: &str, reason: &str) -> Event {
    Event::StepSkipped { step: step.into(), reason: reason.into() }
}

fn asked(step: &str, answer: Answer) -> Event {
    let (step, question) = (step.into(), "What?".into());
    Event::PromptAnswered { step, purpose: Purpose::Step, question, answer }
}

fn text(step: &str, text: &str) -> Event {
    asked(step, Answer::Text(text.into()))
}

fn rollback() -> Event {
    Event::RollbackStarted { to: "v1.2.3".into(), reason: Some("logins fail".into()), blind: false }
}

fn undo(step: &str) -> Event {
    Event::UndoStarted { step: step.into(), what: "./deploy.sh".into(), identity: String::new() }
}

fn undone(step: &str) -> Event {
    Event::UndoDone { step: step.into(), along_with: None, by_hand: None }
}

fn undo_failed(step: &str) -> Event {
    Event::UndoFailed { step: step.into(), message: "no route".into() }
}

fn rolled_back() -> Event {
    Event::RunRolledBack { to: "v1.2.3".into() }
}

/// What stands under the heading `title` of `page`.
fn section<'a>(page: &'a str, title: &str) -> &'a str {
    let (_, behind) = page.split_once(&format!("## {title}\n")).unwrap_or_default();
    behind.split("\n## ").next().unwrap()
}

fn has(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "no {part:?} in:\n{page}");
    }
}

#[test]
fn the_summary_tells_how_long_it_took_and_when_production_was_well() {
    let log = Log::new().deployed();
    has(
        &log.markdown(),
        &["# Incident report: v1.2.3 to v1.2.4, issue 1234", "| Status | active |", "not yet mitigated"],
    );
    let log = log.and(started("deploy/validate", 1)).and(done("deploy/validate", 1));
    has(section(&log.markdown(), "Summary"), &["| Time to mitigate | not yet mitigated |"]);
    let log = log.and(closed("deploy")).and(Event::RunFinished {});
    let page = log.markdown();
    let parts = [
        "| Status | finished |",
        "| Production | v1.2.4 since 2025-11-23 04:00:00 UTC (deploy/direct) |",
        "| Incident began | 2025-11-23 03:57:00 UTC |",
        "| Run began | 2025-11-23 03:57:00 UTC |",
        "| Ended | 2025-11-23 04:04:00 UTC |",
        "| Duration | 7m00s |",
        "| Time to mitigate | 6m00s |",
        "| Driven by | ada on db1 |",
    ];
    has(section(&page, "Summary"), &parts);
    has(section(&page, "What to know first"), &["Nothing out of the ordinary is on record."]);
}

#[test]
fn a_rollback_is_a_mitigation_and_a_decline_has_its_reason() {
    let log = Log::new().deployed().and(rollback()).and(undo("deploy/direct")).and(undone("deploy/direct"));
    assert!(!log.markdown().contains("Still there"));
    has(&log.markdown(), &["| Status | active: rolling back |", "| Time to mitigate | not yet"]);
    let log = log.and(rolled_back());
    has(
        &log.markdown(),
        &[
            "| Status | rolled back;",
            " UTC, by the rollback to v1.2.3 |",
            "| Time to mitigate | 7m00s |",
            "| Ended | not yet |",
        ],
    );
    has(&log.and(Event::RunFinished {}).markdown(), &["| Status | rolled back, finished |"]);
    let log = Log::new().and(started("review/push", 1)).and(done("review/push", 1));
    assert!(!log.markdown().contains("Still there"));
    has(&log.and(rollback()).markdown(), &["**Still there after the rollback**: review/push: ./deploy.sh"]);
    let log = Log::new().and(Event::RunDeclined { reason: "can wait".into() });
    has(&log.markdown(), &["| Status | declined: can wait |"]);
    let log = Log::new().and(Event::RunAborted { reason: "wrong tag".into() });
    has(&log.markdown(), &["| Status | aborted: wrong tag |", "| Time to mitigate | not mitigated by this run |"]);
}

#[test]
fn what_did_not_go_as_it_should_comes_first_and_a_condition_is_not_such_a_thing() {
    let hand = Event::StepDoneByHand { step: "deploy/validate".into(), note: Some("looked at it".into()) };
    let notice = Event::NoticeFailed { channel: "warroom".into(), reason: "503".into() };
    let log = Log::new()
        .and(skipped("assess/old", "the condition severity == 'SEV2' does not hold"))
        .and(asked("review/approval", Answer::NotApproved { reason: "alone at night".into() }))
        .and(skipped("review/approval", "alone at night"))
        .and(skipped("assess/severity", "obvious"))
        .and(started("deploy/direct", 1))
        .and(failed("deploy/direct", 1))
        .and(failed("deploy/direct", 2))
        .and(failed("deploy/validate", 1))
        .and(hand)
        .and(notice)
        .and(Event::StepInterrupted { step: "deploy/direct".into(), attempt: 3, known: None })
        .and(Event::EscalationDeclined { contact: "manager".into(), turn: 1, reason: "asleep".into() })
        .back_by(30)
        .and(rollback())
        .and(undo("deploy/direct"))
        .and(undo_failed("deploy/direct"));
    let page = log.markdown();
    let first = section(&page, "What to know first");
    let parts = [
        "**Released WITHOUT a second person's approval**: review/approval: alone at night",
        "**Failed**: deploy/validate, once; at last: exit code 3; then it was done by hand",
        "**Skipped**: assess/severity: obvious",
        "**Failed**: deploy/direct, 2 times; at last: exit code 3; it has not succeeded",
        "**Done by hand**: deploy/validate: looked at it",
        "**Message not delivered**: warroom: 503",
        "**Interrupted**: deploy/direct",
        "**Not escalated**: manager: asleep",
        "**The clock went backwards**: before record 13",
        "**Left by the rollback**: deploy/direct",
        "**Undo failed**: deploy/direct: no route",
    ];
    has(first, &parts);
    assert_eq!(first.matches("second person").count(), 1, "{first}");
    assert!(!first.contains("SEV2"), "{first}");
    has(section(&page, "Skips"), &["SEV2", "obvious", "alone at night"]);
    let approved = Event::ApprovalGiven { step: "review/approval".into(), approver: "eve".into(), note: "ok".into() };
    assert!(!log.and(approved).markdown().contains("WITHOUT"));
    let early = Log::new().and(skipped("review/approval", "alone at night"));
    has(&early.markdown(), &["**Went on WITHOUT a second person's approval**"]);
}

#[test]
fn hostile_text_stays_text_in_every_form() {
    let hostile = "a | b\n| c | `d` <script>alert(1)</script> [x](javascript:y) \u{1b}[2J ![z](http://e) &lt;i&gt;";
    let log = Log::new()
        .and(text("assess/severity", hostile))
        .and(text("follow-up/lessons", &format!("{hostile}\n\n# h\n- l\n    code\n1. n\n---")))
        .by(hostile, Event::NoteAdded { text: hostile.into() })
        .and(skipped("assess/old", hostile));
    let page = log.markdown();
    assert!(!page.chars().any(|letter| letter.is_control() && letter != '\n'));
    let decisions = section(&page, "Decisions").lines().filter(|line| line.starts_with('|'));
    for row in decisions {
        assert_eq!(row.replace("\\|", "").matches('|').count(), 6, "{row}");
    }
    let html = html(&log.source());
    for part in ["<script", "<i>", "<a", "<img", "<ol", "<h1>h", "<pre><code>code"] {
        assert!(!html.contains(part), "{part} in:\n{html}");
    }
    has(&html, &["&lt;script&gt;alert(1)&lt;/script&gt;", "<table>", "&amp;lt;i&amp;gt;", r"\u{1b}[2J"]);
    let value = json(&log.source());
    assert_eq!(value["decisions"][0]["answer"], json!(hostile));
}

#[test]
fn answers_follow_up_and_people_have_their_tables() {
    let approval =
        Event::ApprovalGiven { step: "review/approval".into(), approver: "eve".into(), note: "sound".into() };
    let log = Log::new()
        .and(text("assess/severity", "SEV2"))
        .and(text("assess/severity", "SEV1"))
        .by("bob", approval)
        .and(text("follow-up/a-owner", "carol"))
        .and(text("follow-up/a-date", "2025-12-01"))
        .and(text("follow-up/lessons", "test more\nsleep more"))
        .by("bob", Event::NoteAdded { text: "db is slow".into() });
    let page = log.markdown();
    has(section(&page, "Follow-up"), &["| Runbooks | carol | 2025-12-01 |"]);
    has(section(&page, "Answers"), &["| Severity | SEV1 | assess/severity |"]);
    assert!(!section(&page, "Answers").contains("SEV2") && !section(&page, "Answers").contains("carol"));
    has(section(&page, "Lessons"), &["> test more  \n> sleep more"]);
    has(section(&page, "Notes"), &["bob:\n\n> db is slow"]);
    has(section(&page, "People"), &["| eve |  |  | review/approval |", "| ada | db1 | assess/severity, follow"]);
    has(section(&page, "Decisions"), &["| bob | review/approval | Approval by a second person | eve: sound |"]);
    let value = json(&log.source());
    assert_eq!(value["follow_up"], json!([{ "item": "Runbooks", "owner": "carol", "date": "2025-12-01" }]));
}

#[test]
fn stages_have_their_times_and_gates_their_measurements() {
    let measured = |value, outcome: &str| {
        let (step, probe) = ("deploy/validate".into(), "errors".into());
        Event::GateMeasured { step, probe, value: json!(value), outcome: outcome.into() }
    };
    let (step, reason) = ("deploy/validate".into(), "2 failures, 1 allowed".into());
    let mut log = Log::new().and(stage("assess"));
    log.at += 11 * 60_000;
    let log = log
        .and(closed("assess"))
        .and(stage("deploy"))
        .and(measured(0.5, "success"))
        .and(measured(2.5, "failure"))
        .and(measured(1.5, "failure"))
        .and(Event::GateDecided { step, decision: "fail".into(), reason, samples: None })
        .and(Event::EscalationMade { contact: "senior".into(), turn: 1, acknowledged: true, note: None });
    let page = log.markdown();
    let parts = ["| Assess it | 2025-11-23 03:58:00 | 12m00s | 10m00s | OVER by 2m00s |", "| not finished |"];
    has(section(&page, "Stages"), &parts);
    has(section(&page, "Measurements"), &["| errors | 2 failure, 1 success | 0.5 to 2.5 | 1.5 |"]);
    has(section(&page, "Gates"), &["decided fail: 2 failures, 1 allowed"]);
    has(section(&page, "What to know first"), &["**Gate not passed**"]);
    has(section(&page, "Escalations"), &["ada@db1 called senior"]);
    assert!(!section(&page, "Timeline (UTC)").contains("errors = 0.5"));
    assert_eq!(json(&log.source())["stages"][0]["over_seconds"], json!(120));
}

#[test]
fn the_report_names_the_head_of_the_log_and_how_to_check_it() {
    let log = Log::new().and(Event::RunFinished {});
    let page = log.markdown();
    let parts = ["Hotfix-Audit: 20251123-035700-1234 1 c0ffee", "hotfix verify 20251123-035700-1234", "sha256sum"];
    has(section(&page, "Audit"), &parts);
    let fault = Some("line 3: not JSON");
    has(&markdown(&Source { fault, ..log.source() }), &["**The audit log is damaged**: line 3: not JSON"]);
}

#[test]
fn without_a_runbook_or_a_record_there_still_is_a_report() {
    let log = Log::new().deployed().and(text("assess/severity", "SEV1"));
    let source = Source { runbook: None, ..log.source() };
    has(&markdown(&source), &["| Production | unknown |", "SEV1", "deploy"]);
    let empty = Source { records: &[], ..log.source() };
    has(&markdown(&empty), &["# Incident report: run", "no record can be read"]);
    assert!(html(&empty).ends_with("</html>\n"));
}
