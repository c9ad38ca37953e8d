//! `hotfix verify`.

use clap::Args;

use super::select::{Otherwise, select};
use super::{Exit, Trouble, data, store};
use crate::event::Event;
use crate::samples::{self, Checked};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run, by its id or the beginning or end of it; by default the active one, else the latest
    run: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Trouble> {
    let run = select(&store()?, arguments.run.as_deref(), Otherwise::Latest)?;
    let contents = &run.contents;
    let (None, Some(last)) = (&run.damage, contents.records.last()) else {
        let damage = run.damage.unwrap_or_default();
        return Err(Trouble::new(Exit::AuditFailed, format!("the audit log cannot be trusted. {damage}")));
    };
    let seals = contents.records.iter().filter_map(|record| match &record.event {
        Event::GateDecided { samples, .. } => samples.as_ref(),
        _ => None,
    });
    let checked = samples::check(&run.paths.samples(), seals)?;
    if let Checked::Broken(why) = checked {
        return Err(Trouble::new(Exit::AuditFailed, format!("the readings cannot be trusted. {why}")));
    }
    data(|out| {
        writeln!(out, "Run {}: {} records, unbroken.", run.paths.id, contents.records.len())?;
        writeln!(out, "Head: {} {} {}", run.paths.id, last.seq, contents.head)?;
        match checked {
            Checked::Unbroken(count) => writeln!(out, "Samples: the {count} that gates decided by, unbroken.")?,
            Checked::Absent => writeln!(out, "Samples: not here, so what gates decided by cannot be checked.")?,
            Checked::None | Checked::Broken(_) => {}
        }
        if contents.torn > 0 {
            let torn = contents.torn;
            writeln!(out, "Behind it {torn} bytes of a record that was never finished; the next write cuts them off.")?;
        }
        contents
            .backwards
            .iter()
            .try_for_each(|seq| writeln!(out, "Warning: the clock went backwards before record {seq}."))
    })?;
    if super::select::aside(&run.paths).exists() {
        let message = "the log is unbroken but not whole: a rollback was begun that could not be written into it";
        let path = super::select::aside(&run.paths);
        return Err(Trouble::new(Exit::AuditFailed, format!("{message}; what could be stands in {}", path.display())));
    }
    Ok(Exit::Success)
}
