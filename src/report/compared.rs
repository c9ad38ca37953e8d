//! What was measured before and after: the numbers that monitors kept, beside each other.

use serde::Serialize;

use super::Source;
use super::book::Book;
use crate::action::Action;
use crate::event::Event;
use crate::vars::text_of;

/// What one probe measured, once in each step that kept it.
#[derive(Debug, Serialize)]
pub(super) struct Compared {
    pub(super) probe: String,
    /// What was measured: `elapsed_ms`, `result`, ….
    pub(super) measured: String,
    /// In the order in which they were taken.
    pub(super) taken: Vec<Taken>,
}

/// A number, and the step that measured it; empty where it could not.
#[derive(Debug, Serialize)]
pub(super) struct Taken {
    pub(super) step: String,
    pub(super) value: String,
}

impl Compared {
    /// `12 → 14`; what could not be measured is `not measured`.
    pub(super) fn values(&self) -> String {
        let value =
            |taken: &Taken| if taken.value.is_empty() { "not measured".to_owned() } else { taken.value.clone() };
        self.taken.iter().map(value).collect::<Vec<_>>().join(" → ")
    }

    pub(super) fn steps(&self) -> String {
        self.taken.iter().map(|taken| taken.step.clone()).collect::<Vec<_>>().join(" → ")
    }
}

/// The numbers that were kept, by the names of their probes. A step that ran again counts with its last.
pub(super) fn compared(source: &Source<'_>) -> Vec<Compared> {
    let book = Book::of(source);
    let mut all: Vec<Compared> = Vec::new();
    for record in source.records {
        let Event::StepDone { step, set, .. } = &record.event else { continue };
        let Some(Action::Monitor(monitor)) = book.action(step) else { continue };
        for probe in &monitor.probes {
            for (name, fact) in &probe.capture {
                let Some(value) = set.get(name) else { continue };
                let known = all.iter().position(|one| one.probe == probe.name && one.measured == fact.name());
                let at = known.unwrap_or_else(|| {
                    let (probe, measured) = (probe.name.clone(), fact.name().to_owned());
                    all.push(Compared { probe, measured, taken: Vec::new() });
                    all.len() - 1
                });
                let taken = &mut all[at].taken;
                taken.retain(|before| before.step != *step);
                taken.push(Taken { step: step.clone(), value: text_of(value) });
            }
        }
    }
    all
}
