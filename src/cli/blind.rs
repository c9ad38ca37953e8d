//! A rollback without a run: by the runbook alone.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use super::console::Look;
use super::drive::{Session, block_on, drive, trouble};
use super::rollback::Arguments;
use super::{Exit, Trouble, choose, whole};
use crate::clock::SystemClock;
use crate::engine::{Identity, Retreat, initial};
use crate::event::Event;

/// Takes production back to `--to`, by the runbook alone. It is a run of its own, so that it is on record.
pub(super) fn rollback(
    arguments: &Arguments,
    session: &Session,
    look: &Look,
    nothing: &Trouble,
) -> Result<Exit, Trouble> {
    let Some(to) = &arguments.to else {
        let hint = "`hotfix rollback --to TAG` works without a run, by the runbook alone";
        return Err(Trouble::new(nothing.exit, format!("{}; {hint}", nothing.message)));
    };
    let loaded = choose::runbook(arguments.runbook.as_deref(), (&session.repository, &session.environment), look)?;
    let mut err = io::stderr().lock();
    writeln!(err, "Nothing is known here of what was done. What the runbook alone can do is take production to {to}")?;
    writeln!(err, "and validate it; steps outside production are not undone.")?;
    drop(err);
    let issue = "rollback".to_owned();
    let identity = Identity { tag: to.clone(), new_tag: to.clone(), branch: String::new(), slug: issue.clone(), issue };
    let vars = initial(&loaded.runbook, &identity, &BTreeMap::new(), &session.environment);
    let mut lock = session.lock("a rollback")?;
    let frozen = loaded.frozen();
    let first = Event::RunStarted {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        runbook: frozen.clone(),
        vars: vars.map_err(|why| Trouble::new(Exit::Invalid, why))?,
        environment: BTreeMap::new(),
        warnings: vec!["a rollback without a run".to_owned()],
    };
    let author = (session.by.as_str(), session.host.as_str());
    let begun = session.store.begin(&SystemClock, "rollback", author, (&frozen, first));
    let paths = begun.map_err(|error| Trouble::new(Exit::Error, whole(&error)))?;
    lock.tell(&session.holder(&paths.id)).map_err(|error| Trouble::new(Exit::Error, whole(&error)))?;
    let engine = session.engine(paths, loaded.runbook)?;
    let retreat = Retreat { to: Some(to.clone()), reason: arguments.reason.clone(), blind: true };
    if let Err(stop) = block_on(engine.propose(retreat))? {
        let abandoned = engine.abort("the rollback was not begun");
        return Err(abandoned.err().map_or_else(|| trouble(&engine, stop), |error| trouble(&engine, error)));
    }
    drive(engine)
}
