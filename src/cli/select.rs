//! Which run a command is about: the one place that decides it.

use std::io::Write as _;

use super::{Exit, Trouble, whole};
use crate::journal::{Contents, read_prefix};
use crate::report;
use crate::run::{Outline, Phase, Run};
use crate::runbook::{BUILTIN_EN, Runbook, Source, load};
use crate::store::{Holder, Life, RunPaths, Store};

/// A run, as far as its log can be read.
pub(super) struct Selected {
    /// Where its parts are.
    pub(super) paths: RunPaths,
    /// What is good of its log.
    pub(super) contents: Contents,
    /// Why the log is not good behind that, where it is not.
    pub(super) damage: Option<String>,
}

/// Which run is meant where none is named and none is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Otherwise {
    Latest,
    Nothing,
}

/// The run that `wanted` names, by its id or the beginning or the end of it; else the active one.
pub(super) fn select(store: &Store, wanted: Option<&str>, otherwise: Otherwise) -> Result<Selected, Trouble> {
    let runs = runs(store)?;
    let nothing = |message: &str| Trouble::new(Exit::Nothing, message);
    let Some(latest) = runs.last() else {
        return Err(nothing("there is no run in this repository: `hotfix start TAG ISSUE` begins one"));
    };
    if let Some(wanted) = wanted {
        return named(&runs, wanted);
    }
    match (active(store)?, otherwise) {
        (Some(active), _) => Ok(active),
        (None, Otherwise::Latest) => Ok(Selected::open(latest.clone())),
        (None, Otherwise::Nothing) => Err(nothing(
            "no run is active: `hotfix start TAG ISSUE` begins one, `hotfix list` shows those that are over",
        )),
    }
}

/// The run that is under way, forward or back; the latest where there are several.
pub(super) fn active(store: &Store) -> Result<Option<Selected>, Trouble> {
    let newest_first = runs(store)?.into_iter().rev().map(Selected::open);
    let is_active = |run: &Selected| matches!(run.phase(), Phase::Forward | Phase::Back) && !run.is_over_beside();
    Ok(newest_first.into_iter().find(is_active))
}

/// Every run, the oldest first.
pub(super) fn runs(store: &Store) -> Result<Vec<RunPaths>, Trouble> {
    store.runs().map_err(|error| {
        let next =
            "no run can be begun, shown or taken up before that is mended; `hotfix rollback --to TAG` works without";
        Trouble::new(Exit::Error, format!("{}\n{next}", whole(&error)))
    })
}

/// Who drives the run `id`, where anybody may: no lock is taken to see it.
pub(super) fn driver(store: &Store, host: &str, id: &str) -> Option<(Holder, Life)> {
    let holder = store.holder().filter(|holder| holder.run == id)?;
    let life = holder.life(host);
    (life != Life::Dead).then_some((holder, life))
}

/// Whether the run touched production, and has not brought it back since.
pub(super) fn touched(selected: &Selected, runbook: &Runbook) -> bool {
    let back = |record: &crate::event::Record| matches!(record.event, crate::event::Event::RunRolledBack { .. });
    selected.run(Some(runbook)).touched_production() && !selected.contents.records.iter().any(back)
}

fn named(runs: &[RunPaths], wanted: &str) -> Result<Selected, Trouble> {
    let fits = |run: &&RunPaths| run.id.starts_with(wanted) || run.id.ends_with(wanted);
    let exact = runs.iter().find(|run| run.id == wanted);
    let found: Vec<_> = exact.map_or_else(|| runs.iter().filter(fits).collect(), |run| vec![run]);
    match found.as_slice() {
        [run] => Ok(Selected::open((*run).clone())),
        [] => {
            let message = format!("there is no run {wanted} in this repository: `hotfix list` shows those there are");
            Err(Trouble::new(Exit::Nothing, message))
        }
        several => {
            let ids: Vec<_> = several.iter().map(|run| run.id.as_str()).collect();
            let message = format!("{wanted} may be any of these, give more of it:\n{}", ids.join("\n"));
            Err(Trouble::new(Exit::Usage, message))
        }
    }
}

impl Selected {
    /// Reads the run at `paths`.
    pub(super) fn open(paths: RunPaths) -> Self {
        let (contents, fault) = read_prefix(&paths.journal);
        let empty = || contents.records.is_empty().then(|| format!("{}: it holds no record", paths.journal.display()));
        let beside = aside(&paths);
        let begun = || {
            beside.exists().then(|| {
                let path = beside.display();
                format!("a rollback was begun that could not be written into the log; what could be stands in {path}")
            })
        };
        let damage = fault.map(|fault| whole(&fault)).or_else(empty).or_else(begun);
        Self { paths, contents, damage }
    }

    /// Whether what was written beside a broken log says that the run is over.
    fn is_over_beside(&self) -> bool {
        let text = std::fs::read_to_string(aside(&self.paths)).unwrap_or_default();
        ["run.aborted", "run.rolled_back", "run.finished"]
            .iter()
            .any(|name| text.contains(&format!("\"event\":\"{name}\"")))
    }

    /// The runbook that was frozen beside the log, where it can be read.
    pub(super) fn frozen(&self) -> Option<crate::runbook::Loaded> {
        let text = std::fs::read_to_string(&self.paths.runbook).ok()?;
        let name = self.paths.runbook.display().to_string();
        load(&Source::Text { name, text }, &BUILTIN_EN).ok()
    }

    /// Which way it goes.
    pub(super) fn phase(&self) -> Phase {
        self.fold(Outline::default()).phase()
    }

    /// The run that its records make, under its frozen runbook.
    pub(super) fn run(&self, runbook: Option<&Runbook>) -> Run {
        self.fold(runbook.map(Outline::of).unwrap_or_default())
    }

    fn fold(&self, outline: Outline) -> Run {
        let mut run = Run::new(outline);
        self.contents.records.iter().for_each(|record| run.apply(record));
        run
    }

    /// The runbook that was frozen for it: the one in its log, which nobody has changed, else the one beside it. That there is
    /// none is said, for then little is known of what the run's steps are.
    pub(super) fn runbook(&self) -> Option<Runbook> {
        let name = self.paths.runbook.display().to_string();
        let read = |text: String| load(&Source::Text { name: name.clone(), text }, &BUILTIN_EN).ok();
        let logged = self.contents.records.iter().find_map(|record| match &record.event {
            crate::event::Event::RunStarted { runbook, .. } => read(runbook.clone()),
            _ => None,
        });
        let loaded = logged.or_else(|| read(std::fs::read_to_string(&self.paths.runbook).ok()?));
        if loaded.is_none() {
            // Where even this cannot be said there is nobody to tell.
            let warning = "warning: the run's frozen runbook cannot be read: what its steps touch is not known";
            let _ = writeln!(super::said::stderr(), "{warning}");
        }
        loaded.map(|loaded| loaded.runbook)
    }

    /// What views of it are made of.
    pub(super) fn source<'a>(&'a self, runbook: Option<&'a Runbook>) -> report::Source<'a> {
        report::Source {
            id: &self.paths.id,
            records: &self.contents.records,
            runbook,
            head: &self.contents.head,
            fault: self.damage.as_deref(),
        }
    }

    /// How a command ends that has shown what is good of the log: with what there is to be said about the rest of it.
    pub(super) fn shown(&self) -> Result<Exit, Trouble> {
        let mut err = super::said::stderr();
        for seq in &self.contents.backwards {
            writeln!(err, "warning: the clock went backwards before record {seq}")?;
        }
        if self.contents.torn > 0 {
            let torn = self.contents.torn;
            writeln!(err, "warning: {torn} bytes of a record that was never finished stand behind the last one")?;
        }
        match &self.damage {
            None => Ok(Exit::Success),
            Some(damage) => {
                let message = format!(
                    "THE AUDIT LOG IS DAMAGED. {damage}\nWhat was shown is what stands before the damage. Keep the file as \
                     it is; `hotfix rollback {}` still works.",
                    self.paths.id
                );
                Err(Trouble::new(Exit::AuditFailed, message))
            }
        }
    }
}

/// Where a rollback records what it does when it cannot write the log.
pub(super) fn aside(paths: &RunPaths) -> std::path::PathBuf {
    paths.dir.join(crate::engine::ASIDE)
}
