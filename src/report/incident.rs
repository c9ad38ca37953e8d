//! What an incident report says, before it is put as Markdown or JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Source;
use super::attention::{Attention, attention};
use super::book::Book;
use super::compared::{Compared, compared};
use super::line::words;
use super::production::{Production, production};
use super::status::{phase, rolled_back};
use super::text::{answer, one_line};
use super::timing::{StageTime, stages};
use crate::action::Action;
use crate::clock::Timestamp;
use crate::event::{Event, Record};
use crate::gate::GAP;
use crate::operator::{Answer, Purpose};
use crate::run::Phase;
use crate::vars::text_of;

#[derive(Debug, Serialize)]
pub(super) struct Incident {
    pub(super) run: String,
    pub(super) tag: String,
    pub(super) new_tag: String,
    pub(super) issue: String,
    pub(super) status: String,
    pub(super) phase: &'static str,
    pub(super) began: Option<Timestamp>,
    #[serde(rename = "incident_began")]
    pub(super) since: Option<Timestamp>,
    pub(super) ended: Option<Timestamp>,
    pub(super) seconds: Option<u64>,
    pub(super) mitigated: Option<Timestamp>,
    #[serde(skip)]
    pub(super) rolled_back_to: Option<String>,
    pub(super) seconds_to_mitigate: Option<u64>,
    pub(super) production: Production,
    pub(super) attention: Vec<Attention>,
    pub(super) timeline: Vec<Moment>,
    pub(super) decisions: Vec<Decision>,
    pub(super) stages: Vec<StageTime>,
    pub(super) failures: Vec<Moment>,
    pub(super) skips: Vec<Moment>,
    pub(super) notes: Vec<Said>,
    pub(super) escalations: Vec<Moment>,
    pub(super) updates: Vec<Moment>,
    pub(super) gates: Vec<Moment>,
    pub(super) compared: Vec<Compared>,
    pub(super) probes: Vec<Measured>,
    pub(super) people: Vec<Person>,
    pub(super) values: Vec<Asked>,
    pub(super) follow_up: Vec<FollowUp>,
    pub(super) audit: Option<Audit>,
}

/// One line of a list: what happened and when.
#[derive(Debug, Serialize)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    pub(super) text: String,
}

/// What somebody said.
#[derive(Debug, Serialize)]
pub(super) struct Said {
    pub(super) at: Timestamp,
    pub(super) by: String,
    pub(super) text: String,
}

/// A question and its answer.
#[derive(Debug, Serialize)]
pub(super) struct Decision {
    pub(super) at: Timestamp,
    pub(super) by: String,
    pub(super) step: String,
    pub(super) question: String,
    pub(super) answer: String,
}

/// What a probe measured, taken together.
#[derive(Debug, Default, Serialize)]
pub(super) struct Measured {
    pub(super) step: String,
    pub(super) probe: String,
    pub(super) outcomes: BTreeMap<String, u64>,
    pub(super) last: String,
    pub(super) lowest: Option<f64>,
    pub(super) highest: Option<f64>,
}

/// Somebody who took part.
#[derive(Debug, Default, Serialize)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) hosts: BTreeSet<String>,
    pub(super) drove: bool,
    pub(super) answered: Vec<String>,
    pub(super) approved: Vec<String>,
}

/// A value that was asked for.
#[derive(Debug, Serialize)]
pub(super) struct Asked {
    pub(super) step: String,
    pub(super) title: String,
    pub(super) name: Option<String>,
    pub(super) value: String,
}

/// Something to be done after the incident.
#[derive(Debug, Serialize)]
pub(super) struct FollowUp {
    pub(super) item: String,
    pub(super) owner: String,
    pub(super) date: String,
}

/// The head of the log, to be checked against the log itself.
#[derive(Debug, Serialize)]
pub(super) struct Audit {
    pub(super) seq: u64,
    pub(super) sha256: String,
    pub(super) trailer: String,
}

impl Incident {
    pub(super) fn of(source: &Source<'_>) -> Self {
        let run = source.run();
        let var = |name: &str| run.vars().get(name).map(text_of).unwrap_or_default();
        let ended = ended(source.records);
        let until = ended.or_else(|| source.records.last().map(|record| record.at));
        let since_began = |at: Timestamp| run.incident_began().map(|began| at.since(began).as_secs());
        let mitigated = run.mitigated();
        let (values, follow_up) = asked(source);
        let pick = |kind: fn(&Event) -> bool| {
            let picked = source.records.iter().filter(|record| kind(&record.event));
            picked.map(|record| Moment { at: record.at, text: words(record) }).collect()
        };
        Self {
            run: source.id.to_owned(),
            tag: var("tag"),
            new_tag: var("new_tag"),
            issue: var("issue"),
            status: status_words(source.records, run.phase()),
            phase: phase(run.phase()),
            began: run.began(),
            since: run.incident_began(),
            ended,
            seconds: until.and_then(since_began),
            mitigated,
            rolled_back_to: rolled_back(source.records).map(|(_, to)| to.to_owned()),
            seconds_to_mitigate: mitigated.and_then(since_began),
            production: production(source),
            attention: attention(source, &run),
            timeline: pick(|event| !matches!(event, Event::GateMeasured { outcome, .. } if outcome != GAP)),
            decisions: decisions(source.records),
            stages: stages(source),
            failures: pick(|event| {
                matches!(event, Event::StepFailed { .. } | Event::StepInterrupted { .. } | Event::UndoFailed { .. })
            }),
            skips: pick(|event| matches!(event, Event::StepSkipped { .. })),
            notes: notes(source.records),
            escalations: pick(|event| {
                matches!(
                    event,
                    Event::EscalationDue { .. } | Event::EscalationMade { .. } | Event::EscalationDeclined { .. }
                )
            }),
            updates: pick(|event| {
                matches!(
                    event,
                    Event::NoticeSent { .. }
                        | Event::NoticeFailed { .. }
                        | Event::PromptAnswered { purpose: Purpose::Update, .. }
                )
            }),
            gates: pick(|event| matches!(event, Event::GateDecided { .. })),
            compared: compared(source),
            probes: probes(source.records),
            people: people(source.records),
            values,
            follow_up,
            audit: source.records.last().map(|last| Audit {
                seq: last.seq,
                sha256: source.head.to_owned(),
                trailer: format!("Hotfix-Audit: {} {} {}", source.id, last.seq, source.head),
            }),
        }
    }
}

fn ended(records: &[Record]) -> Option<Timestamp> {
    let last = records.iter().rev().find(|record| is_end(&record.event) || is_way_back(&record.event))?;
    is_end(&last.event).then_some(last.at)
}

fn is_end(event: &Event) -> bool {
    matches!(event, Event::RunFinished {} | Event::RunDeclined { .. } | Event::RunAborted { .. })
}

fn is_way_back(event: &Event) -> bool {
    matches!(event, Event::RollbackStarted { .. })
}

pub(super) fn status_words(records: &[Record], phase: Phase) -> String {
    let reason = records.iter().rev().find_map(|record| match &record.event {
        Event::RunDeclined { reason } | Event::RunAborted { reason } => Some(one_line(reason)),
        _ => None,
    });
    let with = |what: &str| reason.as_ref().map_or_else(|| what.to_owned(), |reason| format!("{what}: {reason}"));
    match phase {
        Phase::Unborn => "unknown: no record can be read".to_owned(),
        Phase::Forward => "active".to_owned(),
        Phase::Back => "active: rolling back".to_owned(),
        Phase::RolledBack => "rolled back; what follows a rollback is left to do".to_owned(),
        Phase::Finished if rolled_back(records).is_some() => "rolled back, finished".to_owned(),
        Phase::Finished => "finished".to_owned(),
        Phase::Declined => with("declined"),
        Phase::Aborted => with("aborted"),
    }
}

fn decisions(records: &[Record]) -> Vec<Decision> {
    let decision = |record: &Record, step: &str, question: &str, answer: String| Decision {
        at: record.at,
        by: record.by.clone(),
        step: step.to_owned(),
        question: question.to_owned(),
        answer,
    };
    let found = records.iter().filter_map(|record| match &record.event {
        Event::PromptAnswered { step, question, answer: given, .. } => {
            Some(decision(record, step, question, answer(given)))
        }
        Event::ApprovalGiven { step, approver, note } => {
            Some(decision(record, step, "Approval by a second person", format!("{approver}: {note}")))
        }
        _ => None,
    });
    found.collect()
}

fn notes(records: &[Record]) -> Vec<Said> {
    let found = records.iter().filter_map(|record| match &record.event {
        Event::NoteAdded { text } => Some(Said { at: record.at, by: record.by.clone(), text: text.clone() }),
        _ => None,
    });
    found.collect()
}

fn probes(records: &[Record]) -> Vec<Measured> {
    let mut probes: BTreeMap<(&str, &str), Measured> = BTreeMap::new();
    for record in records {
        if let Event::GateMeasured { step, probe, value, outcome } = &record.event
            && outcome != GAP
        {
            let sum = probes.entry((step, probe)).or_default();
            *sum.outcomes.entry(outcome.clone()).or_default() += 1;
            sum.last = text_of(value);
            if let Some(number) = value.as_f64() {
                sum.lowest = Some(sum.lowest.map_or(number, |lowest| lowest.min(number)));
                sum.highest = Some(sum.highest.map_or(number, |highest| highest.max(number)));
            }
        }
    }
    let named =
        probes.into_iter().map(|((step, probe), sum)| Measured { step: step.into(), probe: probe.into(), ..sum });
    named.collect()
}

fn people(records: &[Record]) -> Vec<Person> {
    let mut people: BTreeMap<&str, Person> = BTreeMap::new();
    for record in records {
        let person = people.entry(&record.by).or_default();
        person.hosts.insert(record.host.clone());
        match &record.event {
            Event::RunStarted { .. } | Event::RunResumed { .. } | Event::RollbackStarted { .. } => person.drove = true,
            Event::PromptAnswered { step, .. } if !person.answered.contains(step) => {
                person.answered.push(step.clone());
            }
            Event::ApprovalGiven { step, approver, .. } => {
                people.entry(approver).or_default().approved.push(step.clone());
            }
            _ => {}
        }
    }
    people.into_iter().map(|(name, person)| Person { name: name.to_owned(), ..person }).collect()
}

/// The answers to `ask` steps, each step's last; those that name an owner and a date of one thing are told apart.
fn asked(source: &Source<'_>) -> (Vec<Asked>, Vec<FollowUp>) {
    let book = Book::of(source);
    let mut values: Vec<Asked> = Vec::new();
    for record in source.records {
        let Event::PromptAnswered { step, purpose: Purpose::Step, answer: given, .. } = &record.event else { continue };
        let Some(Action::Ask(ask)) = book.action(step) else { continue };
        if matches!(given, Answer::Way { .. }) {
            continue;
        }
        let value =
            Asked { step: step.clone(), title: book.step_title(step), name: ask.into.clone(), value: answer(given) };
        match values.iter_mut().find(|asked| asked.step == *step) {
            Some(before) => *before = value,
            None => values.push(value),
        }
    }
    let follow_up = values.iter().filter_map(|owner| {
        let stem = owner.name.as_deref()?.strip_suffix("_owner")?;
        let date = values.iter().find(|date| date.name.as_deref() == Some(&format!("{stem}_date")))?;
        let item = common_start(&owner.title, &date.title).unwrap_or_else(|| stem.replace('_', " "));
        Some(FollowUp { item, owner: owner.value.clone(), date: date.value.clone() })
    });
    let follow_up = follow_up.collect();
    (values, follow_up)
}

/// What two titles have in common: `Runbooks: owner` and `Runbooks: date` are about `Runbooks`.
fn common_start(one: &str, other: &str) -> Option<String> {
    let common: String = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    let item = common.trim_end_matches(|letter: char| !letter.is_alphanumeric());
    (!item.is_empty()).then(|| item.to_owned())
}
