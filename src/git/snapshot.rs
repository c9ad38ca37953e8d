//! The work tree as it is now, as a tree that a commit can be held against.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::{Error, Repository};

/// Files that git does not know are left out above this size, in bytes: what is in a tree stays in the repository.
const LARGE: u64 = 1024 * 1024;

/// The work tree as it was at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The id of the tree.
    pub tree: String,
    /// What was left out: the files that git does not know and that are larger than 1 MiB, each with its size in bytes.
    pub large: Vec<(String, u64)>,
}

impl Repository {
    /// The tree that a commit of everything in the work tree would have, the files that git does not know included, but for large
    /// ones, and those it ignores not. The index is left as it is.
    ///
    /// # Errors
    /// Where a file cannot be read, or `git` refuses.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        let index = self.git_dir().join("hotfix-index");
        // One that was killed here has left its lock, which is nobody else's.
        done(&index, fs::remove_file(self.git_dir().join("hotfix-index.lock")))?;
        let (large, mut paths) = (self.large()?, b".".to_vec());
        for (path, _) in &large {
            paths.extend_from_slice(b"\0:(exclude,top,literal)");
            paths.extend_from_slice(path);
        }
        // A copy of the index knows which files have not changed, so that they need not be read.
        done(&index, fs::copy(self.git_dir().join("index"), &index).map(drop))?;
        let mut program = self.program.clone();
        program.index = Some(index.clone());
        let list = self.git_dir().join("hotfix-paths");
        done(&list, fs::write(&list, paths))?;
        let from = format!("--pathspec-from-file={}", list.display());
        let tree = program.text(&["add", "--all", "--pathspec-file-nul", &from]);
        let tree = tree.and_then(|_| program.text(&["write-tree"]));
        done(&list, fs::remove_file(&list))?;
        done(&index, fs::remove_file(&index))?;
        let large = large.into_iter().map(|(path, size)| (String::from_utf8_lossy(&path).into_owned(), size)).collect();
        Ok(Snapshot { tree: tree?.trim_end().to_owned(), large })
    }

    /// The large files that git neither knows nor ignores, with their sizes.
    fn large(&self) -> Result<Vec<(Vec<u8>, u64)>, Error> {
        let listed =
            self.program.bytes(&["ls-files", "--others", "--exclude-standard", "--full-name", "-z", "--", ":/"])?;
        let listed = listed.unwrap_or_default();
        let paths = listed.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        let sized = paths.filter_map(|path| {
            // What is gone meanwhile is not added either.
            let metadata = self.work_tree().join(OsStr::from_bytes(path)).symlink_metadata().ok()?;
            (metadata.is_file() && metadata.len() > LARGE).then(|| (path.to_vec(), metadata.len()))
        });
        Ok(sized.collect())
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
