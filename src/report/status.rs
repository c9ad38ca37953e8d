//! Where a run stands.

use serde::Serialize;

use super::Source;
use super::book::Book;
use super::production::{Production, production};
use super::timing::fixed;
use crate::action::monitor::OnBreach;
use crate::action::{Action, Repetition};
use crate::clock::Timestamp;
use crate::event::{Cut, Event, Record};
use crate::run::{Call, Next, Phase, Run, Status as StepStatus};
use crate::runbook::Runbook;
use crate::schedule;
use crate::vars::{Values, text_of};

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The id of the run.
    pub run: String,
    /// The tag that is fixed.
    pub tag: String,
    /// The tag that is made.
    pub new_tag: String,
    /// The issue.
    pub issue: String,
    /// `forward`, `back`, `rolled_back`, `finished`, `declined`, `aborted`, or `unknown` where no record can be read.
    pub phase: &'static str,
    /// When it began.
    pub began: Option<Timestamp>,
    /// When the incident began, from which every elapsed time counts.
    pub incident_began: Option<Timestamp>,
    /// When the incident was mitigated: production validated on the new version, or rolled back.
    pub mitigated: Option<Timestamp>,
    /// Whom to call while the incident lasts, the earliest first.
    pub escalation: Vec<Escalation>,
    /// Whether those calls still fall due.
    pub escalates: bool,
    /// When the next update to those who are concerned is due.
    pub update_due: Option<Timestamp>,
    /// The stage it is in.
    pub stage: Option<StagePlace>,
    /// The step that is next, under way or failed.
    pub step: Option<StepPlace>,
    /// What gates came to behind other steps, where nobody has said yet what is to be done about it.
    pub breaches: Vec<Breach>,
    /// What production runs.
    pub production: Production,
    /// When production was back, where it was taken back.
    pub rolled_back: Option<Timestamp>,
    /// On which version it was then.
    pub rolled_back_to: Option<String>,
    /// What a rollback could not take back, by step.
    pub left: Vec<String>,
    /// The last record.
    pub last: Option<LastRecord>,
    /// The command lines that go on from here.
    pub commands: Vec<String>,
}

/// A stage and its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StagePlace {
    /// From 1.
    pub number: usize,
    /// How many stages there are.
    pub of: usize,
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// When it began, where it has.
    pub began: Option<Timestamp>,
    /// How long it ought to take, in seconds.
    pub budget_seconds: Option<u64>,
}

/// A call and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Escalation {
    /// The role.
    pub contact: String,
    /// The name and the number.
    pub whom: String,
    /// When it is due.
    pub at: Timestamp,
    /// `called`, `acknowledged`, `declined`; nothing where it is not answered.
    pub answer: Option<&'static str>,
}

/// A step and how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepPlace {
    /// `stage/step`.
    pub key: String,
    /// Its title.
    pub title: String,
    /// `next`, `started`, `failed`, `to be undone`, `undo started`.
    pub status: &'static str,
    /// When that came about.
    pub since: Option<Timestamp>,
    /// Why it failed.
    pub failure: Option<String>,
    /// What is known of it, should it be cut off where it stands.
    pub known: Option<Cut>,
}

/// A gate that was breached behind other steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Breach {
    /// `stage/step`.
    pub step: String,
    /// When it was decided.
    pub at: Option<Timestamp>,
    /// `fail`, `inconclusive` or `error`.
    pub decision: &'static str,
    /// Why.
    pub reason: String,
}

/// The last record of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LastRecord {
    /// Its place.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
}

/// Where `run`, which the records of `source` make, stands.
#[must_use]
pub fn status(source: &Source<'_>, run: &Run) -> Status {
    let var = |name: &str| run.vars().get(name).map(text_of).unwrap_or_default();
    let book = Book::of(source);
    let step = step_place(source, run);
    let key = step.as_ref().map(|step| step.key.clone()).or_else(|| match run.next() {
        Next::OpenStage(stage) | Next::CloseStage(stage) => Some(stage),
        _ => None,
    });
    let stage = key.as_deref().and_then(|key| key.split('/').next()).and_then(|id| {
        let at = book.stages().iter().position(|stage| stage.id == id)?;
        let open = run.open_stage().as_deref() == Some(id);
        Some(StagePlace {
            number: at + 1,
            of: book.stages().len(),
            id: id.to_owned(),
            title: book.stage_title(id),
            began: run.stage_began().filter(|_| open),
            budget_seconds: book.stage(id).and_then(|stage| stage.budget.as_ref()).and_then(fixed),
        })
    });
    let mut values = Values::default();
    run.vars().iter().for_each(|(name, value)| values.set(name.clone(), value.clone()));
    let calls = source.runbook.map(|runbook| escalation(run, runbook, &values));
    let update = source.runbook.and_then(|runbook| schedule::update(run, runbook, &values));
    Status {
        run: source.id.to_owned(),
        tag: var("tag"),
        new_tag: var("new_tag"),
        issue: var("issue"),
        phase: phase(run.phase()),
        began: run.began(),
        incident_began: run.incident_began(),
        mitigated: run.mitigated(),
        escalation: calls.unwrap_or_default(),
        escalates: run.escalates(),
        update_due: update.map(|update| update.at()),
        stage,
        step,
        breaches: breaches(run, book),
        production: production(source),
        rolled_back: rolled_back(source.records).map(|(at, _)| at),
        rolled_back_to: rolled_back(source.records).map(|(_, to)| to.to_owned()),
        left: run.left().into_iter().map(str::to_owned).collect(),
        last: source.records.last().map(|record| LastRecord { seq: record.seq, at: record.at }),
        commands: commands(source.id, run.phase(), rolled_back(source.records).is_some()),
    }
}

fn breaches(run: &Run, book: Book<'_>) -> Vec<Breach> {
    if !matches!(run.phase(), Phase::Forward | Phase::RolledBack) {
        return Vec::new();
    }
    let is_borne =
        |key: &str| matches!(book.action(key), Some(Action::Monitor(of)) if of.on_breach == OnBreach::Continue);
    let all = run.steps().iter().filter(|(key, _)| !is_borne(key)).filter_map(|(key, state)| {
        let breach = state.breach.as_ref()?;
        let (step, at) = (key.clone(), state.decided.map(|(at, _)| at));
        Some(Breach { step, at, decision: breach.verdict.word(), reason: breach.reason.clone() })
    });
    all.collect()
}

fn escalation(run: &Run, runbook: &Runbook, values: &Values) -> Vec<Escalation> {
    let answer = |call| match call {
        Call::Due => None,
        Call::Made => Some("called"),
        Call::Acknowledged => Some("acknowledged"),
        Call::Declined => Some("declined"),
    };
    let rungs = schedule::rungs(run, runbook, values).into_iter().map(|rung| Escalation {
        whom: schedule::contact(runbook, &rung.contact, values),
        at: rung.at,
        answer: rung.call.and_then(answer),
        contact: rung.contact,
    });
    rungs.collect()
}

/// The name of `phase`.
pub(super) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Unborn => "unknown",
        Phase::Forward => "forward",
        Phase::Back => "back",
        Phase::RolledBack => "rolled_back",
        Phase::Finished => "finished",
        Phase::Declined => "declined",
        Phase::Aborted => "aborted",
    }
}

/// When production was back, and on which version; `None` again while another rollback is under way.
pub(super) fn rolled_back(records: &[Record]) -> Option<(Timestamp, &str)> {
    let ends = records.iter().rev();
    let last = ends
        .into_iter()
        .find(|record| matches!(record.event, Event::RunRolledBack { .. } | Event::RollbackStarted { .. }));
    last.and_then(|record| match &record.event {
        Event::RunRolledBack { to } => Some((record.at, to.as_str())),
        _ => None,
    })
}

fn commands(id: &str, phase: Phase, rolled_back: bool) -> Vec<String> {
    let lines: &[&str] = match phase {
        Phase::Forward | Phase::Back => &["hotfix resume", "hotfix rollback"],
        Phase::RolledBack => &["hotfix resume RUN", "hotfix rollback RUN"],
        Phase::Finished if rolled_back => &[],
        Phase::Finished | Phase::Aborted | Phase::Unborn => &["hotfix rollback RUN"],
        Phase::Declined => &[],
    };
    lines.iter().map(|line| line.replace("RUN", id)).collect()
}

fn step_place(source: &Source<'_>, run: &Run) -> Option<StepPlace> {
    let (key, status) = match run.next() {
        Next::Step(key) => (key, "next"),
        Next::Turn { group, .. } => (group, "started"),
        Next::Decide(key) => (key, "failed"),
        Next::Unknown(key) => (key, "started"),
        Next::Undo(key) => (key, "to be undone"),
        Next::UndoUnknown(key) => (key, "undo started"),
        Next::OpenStage(_) | Next::CloseStage(_) | Next::RolledBack | Next::Incomplete | Next::Finish | Next::Over => {
            return None;
        }
    };
    let since = source.records.iter().rev().find(|record| moves(&record.event, &key)).map(|record| record.at);
    let state = run.step(&key);
    let failure = state.failure.filter(|_| state.status == StepStatus::Failed).map(|failure| failure.message);
    let book = Book::of(source);
    let kind = match status {
        "started" => book.action(&key),
        "undo started" => book.undo(&key),
        _ => None,
    };
    let known = kind.and_then(|action| match action.kind().repetition() {
        Repetition::Question => Some(Cut::Unanswered),
        Repetition::Unasked => Some(Cut::Harmless),
        Repetition::Asked | Repetition::Supervised => None,
    });
    Some(StepPlace { title: book.step_title(&key), key, status, since, failure, known })
}

/// Whether `event` brought the step `key` where it stands.
fn moves(event: &Event, key: &str) -> bool {
    match event {
        Event::StepStarted { step, .. }
        | Event::StepFailed { step, .. }
        | Event::StepInterrupted { step, .. }
        | Event::UndoStarted { step, .. } => step == key,
        _ => false,
    }
}
