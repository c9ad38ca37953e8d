//! What the records tell of the incident: since when, until when, who was called and when those concerned heard of it last.

use std::collections::BTreeSet;

use super::{Courses, Phase, Reach, Run, Shows, StageStatus, Status, StepOutline};
use crate::clock::Timestamp;
use crate::event::{Event, Record};
use crate::operator::{Answer, Purpose, Way};

/// What became of a call that fell due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// It is due, and nobody has said anything to it.
    Due,
    /// Somebody was called, and has not taken it on.
    Made,
    /// Somebody was called, and has taken it on.
    Acknowledged,
    /// It was decided against.
    Declined,
}

/// The name of a rung: its contact, and from the second on which of that contact's it is.
#[must_use]
pub fn rung(contact: &str, turn: u32) -> String {
    if turn == 1 { contact.to_owned() } else { format!("{contact}.{turn}") }
}

impl Run {
    /// When the incident began: before the run where the operator said so.
    #[must_use]
    pub fn incident_began(&self) -> Option<Timestamp> {
        self.incident_began.or(self.began)
    }

    /// When the stage that is open, or was last, began.
    #[must_use]
    pub fn stage_began(&self) -> Option<Timestamp> {
        self.stage_began
    }

    /// When production was well again: rolled back and validated, or nothing that touches production left ahead, the last of
    /// it done, and something behind it that looked done too, in a stage that is over. To be deployed is not enough.
    #[must_use]
    pub fn mitigated(&self) -> Option<Timestamp> {
        self.mitigated
    }

    /// Whether the incident's clock still runs: whether people are to be called when it says so.
    #[must_use]
    pub fn escalates(&self) -> bool {
        matches!(self.phase, Phase::Forward | Phase::Back) && self.mitigated.is_none()
    }

    /// Whether those concerned are still to hear how it stands: the run is not over, and no message has gone out since
    /// production was well again.
    #[must_use]
    pub fn informs(&self) -> bool {
        let open = matches!(self.phase, Phase::Forward | Phase::Back | Phase::RolledBack);
        open && !self.announced
    }

    /// When a message last went out, or was left out with a reason.
    #[must_use]
    pub fn informed(&self) -> Option<Timestamp> {
        self.informed
    }

    /// When sending an update began last, and the channels of which it is on record since whether a message went out. `None`
    /// where none was begun, or somebody has said what became of it.
    #[must_use]
    pub fn sending(&self) -> Option<&(Timestamp, BTreeSet<String>)> {
        self.sending.as_ref()
    }

    /// What became of the call of the rung `name`; `None` where nobody has said that it is due.
    #[must_use]
    pub fn call(&self, name: &str) -> Option<Call> {
        self.calls.get(name).copied()
    }

    /// When the operator last said `later` to the question `step`.
    #[must_use]
    pub fn put_off(&self, step: &str) -> Option<Timestamp> {
        self.put_off.get(step).copied()
    }

    /// Takes in what concerns the incident; what `record` says of the run has been taken in already.
    pub(super) fn apply_incident(&mut self, record: &Record) {
        match &record.event {
            Event::RunStarted { incident_began, .. } => self.incident_began = *incident_began,
            Event::StageStarted { .. } => self.stage_began = Some(record.at),
            Event::EscalationDue { contact, turn } => _ = self.calls.entry(rung(contact, *turn)).or_insert(Call::Due),
            Event::EscalationMade { contact, turn, acknowledged, .. } => {
                let call = if *acknowledged { Call::Acknowledged } else { Call::Made };
                self.calls.insert(rung(contact, *turn), call);
            }
            Event::EscalationDeclined { contact, turn, .. } => {
                self.calls.insert(rung(contact, *turn), Call::Declined);
            }
            Event::NoticeSent { channel, .. } => {
                self.heard_of(channel);
                self.inform(record.at);
            }
            Event::NoticeFailed { channel, .. } => self.heard_of(channel),
            Event::PromptAnswered { step, purpose, answer: Answer::Way { way, .. }, .. } => match (purpose, way) {
                (Purpose::Escalation | Purpose::Update, Way::Later) => {
                    self.put_off.insert(step.clone(), record.at);
                }
                (Purpose::Update, Way::Send) => self.sending = Some((record.at, BTreeSet::new())),
                (Purpose::Update, Way::Done | Way::Skip) => {
                    self.sending = None;
                    self.inform(record.at);
                }
                _ => {}
            },
            Event::RunRolledBack { .. } => {
                self.mitigated = Some(record.at);
                // The stage that a rollback ends in may have told everybody already.
                self.announced = self.informed.zip(self.stage_began).is_some_and(|(told, began)| began <= told);
            }
            Event::RollbackStarted { .. } => (self.mitigated, self.announced) = (None, false),
            Event::StepStarted { step, .. } if self.touches(step) => (self.mitigated, self.announced) = (None, false),
            Event::StageFinished { .. } if self.mitigated.is_none() && self.is_well() => {
                self.mitigated = Some(record.at);
            }
            _ => {}
        }
    }

    fn heard_of(&mut self, channel: &str) {
        if let Some((_, heard)) = &mut self.sending {
            heard.insert(channel.to_owned());
        }
    }

    fn inform(&mut self, at: Timestamp) {
        self.informed = Some(at);
        self.announced |= self.mitigated.is_some();
    }

    fn touches(&self, key: &str) -> bool {
        self.phase == Phase::Forward
            && self.outline.step(key).is_some_and(|step| step.reach == Reach::Production && step.group.is_none())
    }

    fn is_well(&self) -> bool {
        if self.phase != Phase::Forward {
            return false;
        }
        let on_course = |step: &&StepOutline| step.course != Courses::Back;
        let steps = self.outline.stages.iter().flat_map(|stage| {
            let closed = self.stages.get(&stage.id) == Some(&StageStatus::Closed);
            stage.steps.iter().filter(on_course).map(move |step| (step, closed))
        });
        let mut looked = false;
        let mut deployed = false;
        for (step, closed) in steps {
            let status = self.steps.get(&step.key).map(|state| state.status).unwrap_or_default();
            let done = matches!(status, Status::Done | Status::DoneByHand);
            if touches_production(step) {
                if !done && status != Status::Skipped {
                    return false;
                }
                if done {
                    (deployed, looked) = (true, step.shows == Shows::Itself && closed);
                }
            } else {
                looked |= done && closed && step.shows != Shows::Nothing;
            }
        }
        deployed && looked
    }
}

fn touches_production(step: &StepOutline) -> bool {
    step.reach == Reach::Production || step.group.as_ref().is_some_and(|inner| inner.iter().any(touches_production))
}
