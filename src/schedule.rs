//! What falls due while an incident lasts: calls, and updates to those who are concerned.
//!
//! # Why
//! Everything is worked out from moments: when the incident began, what is on record, and what time it is. So nothing has to be
//! remembered between two processes, and neither a restart nor a night's sleep of the machine loses or repeats anything.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::run::{Call, Run, rung};
use crate::runbook::Runbook;
use crate::vars::Values;

/// How long `later` is.
pub const SNOOZE: Duration = Duration::from_secs(5 * 60);

/// A call of the escalation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    /// Whom to call: the role.
    pub contact: String,
    /// Which of the rungs that name this contact, from 1.
    pub turn: u32,
    /// Its place in the runbook, from 0.
    pub place: usize,
    /// How long after the incident began.
    pub after: Duration,
    /// When.
    pub at: Timestamp,
    /// What became of it.
    pub call: Option<Call>,
    /// When the operator last said `later`.
    pub put_off: Option<Timestamp>,
}

/// Where a rung stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// Its time has not come.
    Ahead,
    /// It is due.
    Due,
    /// It is due, and the operator wants to be asked at this time.
    Later(Timestamp),
    /// It was made, or decided against.
    Answered,
}

/// The next update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update {
    /// How often.
    pub every: Duration,
    /// The last message, or the beginning of the run.
    pub last: Timestamp,
    /// When the operator last said `later`.
    pub put_off: Option<Timestamp>,
}

/// The name under which an update is asked about.
pub const UPDATE: &str = "update";

impl Rung {
    /// The name under which it is asked about.
    #[must_use]
    pub fn step(&self) -> String {
        format!("escalation/{}", rung(&self.contact, self.turn))
    }

    /// Where it stands at `now`. What was once due stays so, however the clock is set.
    #[must_use]
    pub fn stands(&self, now: Timestamp) -> Stands {
        match self.call {
            Some(Call::Made | Call::Acknowledged | Call::Declined) => Stands::Answered,
            None if now < self.at => Stands::Ahead,
            None | Some(Call::Due) => snoozed(self.put_off, now).map_or(Stands::Due, Stands::Later),
        }
    }
}

impl Update {
    /// When it is due.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.last.plus(self.every)
    }

    /// Whether it is to be asked about at `now`. A clock that shows a time before the last message was set back: nobody knows
    /// how long ago that was.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        (now < self.last || self.at() <= now) && snoozed(self.put_off, now).is_none()
    }
}

/// Until when the operator is left alone. A clock that was set back ends that.
fn snoozed(put_off: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    put_off.filter(|at| *at <= now).map(|at| at.plus(SNOOZE)).filter(|until| now < *until)
}

/// Every rung of the escalation whose time can be worked out, the earliest first.
#[must_use]
pub fn rungs(run: &Run, runbook: &Runbook, values: &Values) -> Vec<Rung> {
    let Some(began) = run.incident_began() else { return Vec::new() };
    let mut turns: BTreeMap<&str, u32> = BTreeMap::new();
    let mut rungs: Vec<_> = Vec::new();
    for (place, written) in runbook.escalation.iter().enumerate() {
        let turn = turns.entry(&written.contact).or_default();
        *turn += 1;
        let Ok(after) = written.after.resolve(values) else { continue };
        let (contact, turn) = (written.contact.clone(), *turn);
        let (at, call) = (began.plus(after), run.call(&rung(&contact, turn)));
        let mut rung = Rung { contact, turn, place, after, at, call, put_off: None };
        rung.put_off = run.put_off(&rung.step());
        rungs.push(rung);
    }
    rungs.sort_by_key(|rung| rung.at);
    rungs
}

/// The next update, where there still is to be one.
#[must_use]
pub fn update(run: &Run, runbook: &Runbook, values: &Values) -> Option<Update> {
    let every = runbook.updates.as_ref().filter(|_| run.informs())?.every.resolve(values).ok()?;
    let last = run.informed().or(run.began())?;
    Some(Update { every, last, put_off: run.put_off(UPDATE) })
}

/// Who the contact is and how to reach them, as far as that can be worked out.
#[must_use]
pub fn contact(runbook: &Runbook, role: &str, values: &Values) -> String {
    let Some(contact) = runbook.contacts.get(role) else { return role.to_owned() };
    let parts = [Some(&contact.name), contact.phone.as_ref(), contact.email.as_ref()];
    let shown = parts.into_iter().flatten().map(|part| part.render(values).unwrap_or_else(|_| part.text().to_owned()));
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Rung, Stands, Update};
    use crate::clock::Timestamp;
    use crate::run::Call;

    /// A moment, in minutes.
    fn minute(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    #[test]
    fn a_call_is_due_from_its_time_on_until_it_is_answered_however_the_clock_is_set() {
        use Stands::{Ahead, Answered, Due, Later};
        let began = 1000;
        // After how many minutes, what is on record, when `later` was said, the minute that the clock shows, and what follows.
        for (after, call, put_off, now, stands) in [
            (15, None, None, 1000, Ahead),
            (15, None, None, 1014, Ahead),
            (15, None, None, 1015, Due),
            // A laptop that slept: hours late, and no less due.
            (15, None, None, 2000, Due),
            (15, Some(Call::Due), None, 1015, Due),
            // Set back behind the time at which it was due, and before the incident.
            (15, Some(Call::Due), None, 1001, Due),
            (15, Some(Call::Due), None, 5, Due),
            (15, Some(Call::Made), None, 1016, Answered),
            (15, Some(Call::Acknowledged), None, 900, Answered),
            (15, Some(Call::Declined), None, 9000, Answered),
            (15, Some(Call::Due), Some(1016), 1016, Later(minute(1021))),
            (15, Some(Call::Due), Some(1016), 1020, Later(minute(1021))),
            (15, Some(Call::Due), Some(1016), 1021, Due),
            // `later` lasts no longer because the clock was set back.
            (15, Some(Call::Due), Some(1016), 1015, Due),
            (15, Some(Call::Made), Some(1016), 1017, Answered),
            (0, None, None, 1000, Due),
        ] {
            let after = Duration::from_secs(after * 60);
            let at = minute(began).plus(after);
            let rung =
                Rung { contact: "senior".into(), turn: 1, place: 0, after, at, call, put_off: put_off.map(minute) };
            assert_eq!(rung.stands(minute(now)), stands, "{after:?} {call:?} {put_off:?} {now}");
        }
    }

    #[test]
    fn an_update_is_due_so_long_after_the_last_message() {
        for (last, put_off, now, due) in [
            (1000, None, 1000, false),
            (1000, None, 1019, false),
            (1000, None, 1020, true),
            (1000, None, 3000, true),
            // Set back: nobody knows how long ago the last was.
            (1000, None, 999, true),
            (1000, Some(1021), 1021, false),
            (1000, Some(1021), 1025, false),
            (1000, Some(1021), 1026, true),
            (1000, Some(1021), 1020, true),
        ] {
            let every = Duration::from_secs(20 * 60);
            let update = Update { every, last: minute(last), put_off: put_off.map(minute) };
            assert_eq!(update.is_due(minute(now)), due, "{last} {put_off:?} {now}");
        }
    }
}
