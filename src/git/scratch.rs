//! A work tree for what `git` can only do in one, away from the operator's.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::program::Program;
use super::{Error, Repository};

/// How much newer than any file of a work tree its index is made. git compares whole seconds.
const NEWER: Duration = Duration::from_secs(2);

impl Repository {
    /// Does `work` in a linked work tree of `commit`, which is made for it and removed. One that was left by a process that was
    /// killed is removed first.
    pub(super) fn in_scratch<T>(
        &self,
        commit: &str,
        work: impl FnOnce(&Program) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let path = self.common_dir().join("hotfix-merge");
        let text = path.to_string_lossy();
        let remove = || {
            if path.exists() {
                self.program.text(&["worktree", "remove", "--force", "--force", "--", &text])?;
            }
            Ok::<_, Error>(())
        };
        if remove().is_err() {
            // One whose making was interrupted is nothing that git knows.
            fs::remove_dir_all(&path).map_err(|source| Error::File { file: text.to_string(), source })?;
        }
        let done = self.tree_to_merge_in(&path, commit).and_then(|scratch| work(&scratch));
        let removed = remove();
        let done = done?;
        removed.map(|()| done)
    }

    /// Makes a linked work tree of `commit` that something is to be merged in at once.
    pub(super) fn tree_to_merge_in(&self, path: &Path, commit: &str) -> Result<Program, Error> {
        let text = path.to_string_lossy();
        self.program.text(&["worktree", "add", "--quiet", "--force", "--force", "--detach", "--", &text, commit])?;
        let tree = self.program.at(path);
        // A file as new as the index is compared by what is in it, and one whose line ends are not as its attributes say would
        // be taken for changed. Nobody has changed anything yet; the merge writes an index with a time of its own.
        let index = tree.text(&["rev-parse", "--path-format=absolute", "--git-path", "index"])?;
        let index = index.trim_end_matches('\n');
        let set = |file: File| file.set_modified(SystemTime::now() + NEWER);
        let set = File::options().write(true).open(index).and_then(set);
        set.map_err(|source| Error::File { file: index.to_owned(), source })?;
        Ok(tree)
    }
}
