//! The work tree as it is now, as a tree that a commit can be held against.

use std::fs;
use std::io;
use std::path::Path;

use super::{Error, Repository};

impl Repository {
    /// The tree that a commit of everything in the work tree would have, the files that git does not know included and those it
    /// ignores not. The index is left as it is.
    ///
    /// # Errors
    /// Where a file cannot be read, or `git` refuses.
    pub fn snapshot(&self) -> Result<String, Error> {
        let index = self.git_dir().join("hotfix-index");
        // One that was killed here has left its lock, which is nobody else's.
        done(&index, fs::remove_file(self.git_dir().join("hotfix-index.lock")))?;
        // A copy of the index knows which files have not changed, so that they need not be read.
        done(&index, fs::copy(self.git_dir().join("index"), &index).map(drop))?;
        let mut program = self.program.clone();
        program.index = Some(index.clone());
        let tree = program.text(&["add", "--all", "--", "."]).and_then(|_| program.text(&["write-tree"]));
        done(&index, fs::remove_file(&index))?;
        Ok(tree?.trim_end().to_owned())
    }

    /// Whether the tree of `commit` has something at `path`: a file, a link, a submodule.
    ///
    /// # Errors
    /// Where the commit is not here.
    pub fn has_entry(&self, commit: &str, path: &str) -> Result<bool, Error> {
        Ok(!self.program.text(&["ls-tree", "--full-tree", "-z", commit, "--", path])?.is_empty())
    }
}

/// What is not there needs nothing done to it.
fn done(file: &Path, result: io::Result<()>) -> Result<(), Error> {
    match result {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::File { file: file.display().to_string(), source })
        }
        _ => Ok(()),
    }
}
