//! A work tree for what `git` can only do in one, away from the operator's.

use std::fs;

use super::program::Program;
use super::{Error, Repository};

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
        self.program.text(&["worktree", "add", "--quiet", "--force", "--force", "--detach", "--", &text, commit])?;
        let done = work(&self.program.at(&path));
        let removed = remove();
        let done = done?;
        removed.map(|()| done)
    }
}
