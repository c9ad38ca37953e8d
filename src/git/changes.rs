//! What differs from HEAD in the work tree.

use std::sync::mpsc::{self, Receiver};

use super::program::Program;
use super::{Error, Repository};

/// How a file differs from HEAD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// A file git knows was changed, added, renamed or deleted.
    Tracked,
    /// git does not know the file.
    Untracked,
    /// A merge left it in conflict.
    Unmerged,
}

/// A file that differs from HEAD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its path from the top of the work tree.
    pub path: String,
    /// How it differs.
    pub kind: ChangeKind,
    /// Whether the index has it otherwise than HEAD.
    pub staged: bool,
}

/// A look for what differs that goes on in a thread of its own.
#[derive(Debug)]
pub struct Looking(Receiver<Result<Vec<Change>, Error>>);

impl Looking {
    /// What it has found, waited for.
    ///
    /// # Errors
    /// As [`Repository::changes`].
    pub(super) fn found(&self, repository: &Repository) -> Result<Vec<Change>, Error> {
        // It says it once; nor does it where there are no threads to be had.
        self.0.recv().unwrap_or_else(|_| repository.changes())
    }
}

impl Repository {
    /// Every file that differs from HEAD, as `git status` sees it; of a directory where git knows no file the directory. A
    /// submodule does where another commit of it is checked out; what is changed inside it is no change here.
    ///
    /// # Errors
    /// Where `git` refuses.
    pub fn changes(&self) -> Result<Vec<Change>, Error> {
        changes(&self.program)
    }

    /// Looks for the same from now on, while other things are done.
    #[must_use]
    pub fn look(&self) -> Looking {
        let (found, looking) = mpsc::channel();
        let program = self.program.clone();
        // Nobody may want to know any more. Without a thread it is looked for when it is asked for.
        let _ = std::thread::Builder::new().spawn(move || found.send(changes(&program)));
        Looking(looking)
    }
}

fn changes(program: &Program) -> Result<Vec<Change>, Error> {
    // The two halves of what `git status` does: it looks for the files that it knows by several threads, for others by one.
    let known = ["status", "--porcelain=v2", "-z", "--no-renames", "--untracked-files=no"];
    let unknown = ["ls-files", "-z", "--others", "--exclude-standard", "--directory", "--no-empty-directory"];
    let [known, unknown] = program.each([&known, &unknown])?;
    let mut found = Vec::new();
    for record in known.split('\0') {
        let (kind, fields) = match record.as_bytes().first() {
            Some(b'1') if inside_submodule(record) => continue,
            Some(b'1') => (ChangeKind::Tracked, 9),
            Some(b'u') => (ChangeKind::Unmerged, 11),
            _ => continue,
        };
        let staged = kind == ChangeKind::Unmerged || record.as_bytes().get(2) != Some(&b'.');
        found.extend(record.splitn(fields, ' ').last().map(|path| Change { path: path.to_owned(), kind, staged }));
    }
    let unknown = unknown.split('\0').filter(|path| !path.is_empty());
    found.extend(unknown.map(|path| Change { path: path.to_owned(), kind: ChangeKind::Untracked, staged: false }));
    Ok(found)
}

/// Whether a record of `git status` tells only of what is changed inside a submodule.
fn inside_submodule(record: &str) -> bool {
    let mut fields = record.split(' ').skip(1);
    fields.next() == Some(".M") && fields.next().is_some_and(|state| state.starts_with("S."))
}
