//! The commands that a run has begun, and what became of those that nobody watches: they go on, or have ended.

use std::path::PathBuf;

use super::Engine;
use crate::operator::Show;
use crate::process::{self, Found};
use crate::run::{Next, Run};
use crate::store::RunPaths;

/// What a command was begun for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To do a step.
    Step,
    /// To see whether what the step did holds.
    Verify,
    /// To undo a step.
    Undo,
}

/// A command that a run has begun, or may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The step: `stage/step`.
    pub key: String,
    /// What it was for.
    pub purpose: Purpose,
    /// Which attempt at it, from 1.
    pub attempt: u32,
    /// Whether there was no later attempt.
    pub last: bool,
    files: PathBuf,
}

impl Begun {
    /// What it is called, in words.
    #[must_use]
    pub fn name(&self) -> String {
        let key = &self.key;
        match self.purpose {
            Purpose::Step => format!("the command of {key}"),
            Purpose::Verify => format!("the `verify` command of {key}"),
            Purpose::Undo => format!("the undo of {key}"),
        }
    }

    /// Where its supervisor says how it stands.
    #[must_use]
    pub fn status(&self) -> PathBuf {
        process::beside(&self.files, ".status")
    }
}

/// A command that nobody watches any more, and whose process group is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwatched {
    /// The command.
    pub command: Begun,
    /// Its process group, if nothing else has that number by now.
    pub group: i32,
}

impl Unwatched {
    /// In words, with the line that would end it. It is for a person to type: the number may be another's by now.
    #[must_use]
    pub fn words(&self) -> String {
        let (name, group) = (self.command.name(), self.group);
        format!(
            "nobody watches {name} any more; its process group {group} may still run: look, and end it with `kill -TERM -- -{group}`"
        )
    }
}

/// Every command that the run has begun, or may have: each attempt of each step, then those of its undo.
pub(super) fn begun(paths: &RunPaths, run: &Run) -> Vec<Begun> {
    let mut all = Vec::new();
    for (key, state) in run.steps() {
        let mut add = |purpose, (attempt, of): (u32, u32), files| {
            all.push(Begun { key: key.clone(), purpose, attempt, last: attempt == of, files });
        };
        for attempt in 1..=state.attempts {
            let files = paths.files(key, attempt);
            let verify = process::beside(&files, ".verify");
            add(Purpose::Step, (attempt, state.attempts), files);
            add(Purpose::Verify, (attempt, state.attempts), verify);
        }
        let undos = run.undo(key).attempts;
        (1..=undos).for_each(|attempt| add(Purpose::Undo, (attempt, undos), paths.undo_files(key, attempt)));
    }
    all
}

/// The commands that nobody watches and that may still run.
#[must_use]
pub fn unwatched(paths: &RunPaths, run: &Run) -> Vec<Unwatched> {
    let lost = |command: Begun| match process::look(&command.status(), 0) {
        Ok(Some(Found::Lost { pgid: Some(group) })) if process::group_lives(group) => {
            Some(Unwatched { command, group })
        }
        // One that cannot be looked at is none that is known to be lost.
        _ => None,
    };
    begun(paths, run).into_iter().filter(|command| command.status().exists()).filter_map(lost).collect()
}

/// The step whose end is not known, and what is found of its command; nothing where it began none.
#[must_use]
pub fn left_behind(paths: &RunPaths, run: &Run) -> Option<(String, Found)> {
    let (key, purposes) = match run.next() {
        Next::Unknown(key) => (key, [Purpose::Verify, Purpose::Step].as_slice()),
        Next::UndoUnknown(key) => (key, [Purpose::Undo].as_slice()),
        _ => return None,
    };
    let all = begun(paths, run);
    let latest = |purpose: &Purpose| {
        let status = all.iter().find(|one| one.last && one.key == key && one.purpose == *purpose)?.status();
        status.exists().then_some(status)
    };
    let status = purposes.iter().find_map(latest)?;
    Some((key, process::look(&status, 0).ok()??))
}

impl Engine {
    /// That a command goes on without this program, where one does: a sentence with a space before it.
    #[must_use]
    pub fn runs_on(&self) -> String {
        match self.run(|run| left_behind(&self.paths, run)) {
            Some((key, Found::Running(_))) => format!(" The command of {key} runs on; `hotfix resume` attaches to it."),
            _ => String::new(),
        }
    }

    /// Names every command that nobody watches and that may still run.
    pub(super) fn warn_of_unwatched(&self) {
        for lost in self.run(|run| unwatched(&self.paths, run)) {
            let words = lost.words();
            self.show(Show::Warning(&words));
        }
    }
}
