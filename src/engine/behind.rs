//! The command that a run has left behind: nobody watches it, and it goes on or has ended.

use super::Engine;
use crate::process::{self, Found};
use crate::run::{Next, Run};
use crate::store::RunPaths;

/// The step whose end is not known, and what is found of its command; nothing where it began none.
#[must_use]
pub fn left_behind(paths: &RunPaths, run: &Run) -> Option<(String, Found)> {
    let (key, files) = match run.next() {
        Next::Unknown(key) => {
            let files = paths.files(&key, run.step(&key).attempts);
            (key, files)
        }
        Next::UndoUnknown(key) => {
            let files = paths.undo_files(&key, run.undo(&key).attempts);
            (key, files)
        }
        _ => return None,
    };
    Some((key, process::look(&process::beside(&files, ".status"), 0).ok()??))
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
}
