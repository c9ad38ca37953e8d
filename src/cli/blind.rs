//! A rollback without a run: by the runbook alone.

use std::collections::BTreeMap;

use super::drive::{Session, block_on, drive, trouble};
use super::rollback::{Arguments, lock_or_go_on, say};
use super::{Exit, Trouble, choose, whole};
use crate::clock::{Clock as _, SystemClock};
use crate::engine::{Identity, Retreat, initial};
use crate::event::{Event, GENESIS, Record};
use crate::runbook::Loaded;

/// Takes production back to `--to`, by the runbook alone: `frozen`, or the one that a start would use. It is a run of its own,
/// so that it is on record. Nothing is begun before it was consented to.
pub(super) fn rollback(
    arguments: &Arguments,
    session: &Session,
    frozen: Option<Loaded>,
    nothing: &Trouble,
) -> Result<Exit, Trouble> {
    let Some(to) = &arguments.to else {
        let hint = "`hotfix rollback --to TAG` works without a run, by the runbook alone";
        return Err(Trouble::new(nothing.exit, format!("{}; {hint}", nothing.message)));
    };
    let around = (&session.repository, &session.environment);
    let loaded = match frozen {
        Some(loaded) => loaded,
        None => choose::runbook(arguments.runbook.as_deref(), around, &session.look)?,
    };
    say(&format!("Nothing is known here of what was done. What the runbook alone can do is take production to {to}"));
    say("and validate it; steps outside production are not undone.");
    let issue = "rollback".to_owned();
    let identity = Identity { tag: to.clone(), new_tag: to.clone(), branch: String::new(), slug: issue.clone(), issue };
    let vars = initial(&loaded.runbook, &identity, &BTreeMap::new(), &session.environment);
    let started = Event::RunStarted {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        format: crate::event::FORMAT,
        runbook: loaded.frozen(),
        vars: vars.map_err(|why| Trouble::new(Exit::Invalid, why))?,
        environment: BTreeMap::new(),
        incident_began: None,
        warnings: vec!["a rollback without a run".to_owned()],
    };
    let (run, prev, by, host) = ("rollback".to_owned(), GENESIS.to_owned(), session.by.clone(), session.host.clone());
    let first = Record { seq: 0, at: SystemClock.now(), run, by, host, event: started.clone(), prev };
    let nowhere = session.store.run("rollback");
    let asking = session.engine_without_journal(nowhere, loaded.runbook.clone(), std::slice::from_ref(&first))?;
    let retreat = Retreat { to: Some(to.clone()), reason: arguments.reason.clone(), blind: true };
    let consent = block_on(asking.consent(&retreat))?.map_err(|stop| trouble(&asking, stop))?;

    let mut lock = lock_or_go_on(session.lock("a rollback"))?;
    let author = (session.by.as_str(), session.host.as_str());
    let begins = vec![
        started,
        consent.clone(),
        Event::RollbackStarted { to: to.clone(), reason: retreat.reason.clone(), blind: true },
    ];
    let begun = session.store.begin(&SystemClock, "rollback", author, (&loaded.frozen(), begins));
    let engine = match begun {
        Ok(paths) => {
            if let Some(lock) = &mut lock {
                // It is held all the same.
                let _ = lock.tell(&session.holder(&paths.id));
            }
            session.engine(paths, loaded.runbook)?
        }
        Err(error) => {
            say(&format!("NOTHING CAN BE WRITTEN DOWN: {}; the rollback goes on all the same", whole(&error)));
            asking.begin_rollback(consent, retreat).map_err(|stop| trouble(&asking, stop))?;
            asking
        }
    };
    drive(engine)
}
