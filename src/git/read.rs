//! What is in the repository and on its remote.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::asked::Asked;
use super::program::{Program, Prompts, untrusted};
use super::{Error, Leash, check_name};
use crate::digest::sha256;
use crate::vars::Environment;
use crate::version;

/// A repository with a work tree.
pub struct Repository {
    pub(super) program: Program,
    reader: Option<git2::Repository>,
    git_dir: PathBuf,
    common_dir: PathBuf,
    work_tree: PathBuf,
    /// What was asked once and does not change while an operation goes on.
    pub(super) asked: Arc<Asked>,
}

/// Its work tree.
impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository").field("work_tree", &self.work_tree).finish_non_exhaustive()
    }
}

/// What a ref is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A branch.
    Branch,
    /// A tag.
    Tag,
}

impl Kind {
    /// The full name of the ref `name`.
    #[must_use]
    pub fn full(self, name: &str) -> String {
        match self {
            Self::Branch => format!("refs/heads/{name}"),
            Self::Tag => format!("refs/tags/{name}"),
        }
    }

    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Branch => "branch",
            Self::Tag => "tag",
        }
    }
}

/// A branch or tag on a remote, with the commit it is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteRef {
    /// Its full name.
    pub name: String,
    /// The commit, or what else it names.
    pub commit: String,
}

impl Repository {
    /// The repository that `path` is in. `git` sees `env` and no other environment.
    ///
    /// # Errors
    /// [`Error::NotARepository`], also for a bare one; [`Error::Untrusted`] for one of another user's; [`Error::Spawn`] where there is no `git`.
    pub fn discover(path: &Path, env: Environment, prompts: Prompts) -> Result<Self, Error> {
        let missing = || Error::NotARepository(path.display().to_string());
        let mut program = Program { dir: path.to_owned(), env, prompts, index: None, limit: None, rope: None };
        if let Ok(reader) = git2::Repository::discover(path) {
            let work_tree = reader.workdir().ok_or_else(missing)?.to_owned();
            program.dir.clone_from(&work_tree);
            let [git_dir, common_dir] = [reader.path(), reader.commondir()].map(Path::to_owned);
            let reader = whole(&reader)?.then_some(reader);
            return Ok(Self { program, reader, git_dir, common_dir, work_tree, asked: Arc::default() });
        }
        if !path.is_dir() {
            return Err(missing());
        }
        let asked = ["rev-parse", "--path-format=absolute", "--show-toplevel", "--git-dir", "--git-common-dir"];
        let asked = program.git(&asked)?;
        let mut said = asked.stdout.lines().map(PathBuf::from);
        let (0, Some(work_tree), Some(git_dir), Some(common_dir)) = (asked.code, said.next(), said.next(), said.next())
        else {
            return Err(untrusted(&asked.stderr).map_or_else(missing, |path| Error::Untrusted(path.to_owned())));
        };
        program.dir.clone_from(&work_tree);
        Ok(Self { program, reader: None, git_dir, common_dir, work_tree, asked: Arc::default() })
    }

    /// The same repository, whose operations may take no longer than `limit` each; no limit where there is none.
    ///
    /// # Errors
    /// As [`Repository::discover`].
    pub fn within(&self, limit: Option<Duration>) -> Result<Self, Error> {
        let mut limited = Self::discover(&self.work_tree, self.program.env.clone(), self.program.prompts)?;
        limited.program.limit = limit;
        Ok(limited)
    }

    /// The same repository, whose operations end when the leash is pulled. What is asked once is asked once of both.
    ///
    /// # Errors
    /// As [`Repository::discover`].
    pub fn leashed(&self) -> Result<(Self, Leash), Error> {
        let mut leashed = self.within(self.program.limit)?;
        let rope = Arc::default();
        leashed.program.rope = Some(Arc::clone(&rope));
        leashed.asked = Arc::clone(&self.asked);
        Ok((leashed, Leash(rope)))
    }

    /// The directory that all linked worktrees share.
    #[must_use]
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// The directory of this work tree's own index and HEAD.
    pub(super) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// Whether this is the only work tree.
    pub(super) fn is_alone(&self) -> bool {
        let linked = std::fs::read_dir(self.common_dir.join("worktrees"));
        self.git_dir == self.common_dir && linked.map_or(true, |mut linked| linked.next().is_none())
    }

    /// The top of the work tree.
    #[must_use]
    pub fn work_tree(&self) -> &Path {
        &self.work_tree
    }

    /// The commit at HEAD; `None` before the first one.
    ///
    /// # Errors
    /// Where the repository cannot be read.
    pub fn head(&self) -> Result<Option<String>, Error> {
        self.commit_of("HEAD")
    }

    /// The branch HEAD is on; `None` when it is detached.
    ///
    /// # Errors
    /// Where the repository cannot be read.
    pub fn current_branch(&self) -> Result<Option<String>, Error> {
        let at = if let Some(reader) = &self.reader {
            let head = reader.find_reference("HEAD")?;
            head.symbolic_target_bytes().map(|name| String::from_utf8_lossy(name).into_owned())
        } else {
            let said = self.program.git(&["symbolic-ref", "--quiet", "HEAD"])?;
            (said.code == 0).then(|| said.stdout.trim_end().to_owned())
        };
        Ok(at.map(|full| full.strip_prefix("refs/heads/").map(str::to_owned).unwrap_or(full)))
    }

    /// The commit of the branch or tag `name`; `None` where there is none.
    ///
    /// # Errors
    /// Where the name is no name, or the repository cannot be read.
    pub fn find(&self, kind: Kind, name: &str) -> Result<Option<String>, Error> {
        check_name(name)?;
        self.commit_of(&kind.full(name))
    }

    /// The commit of the branch or tag `name`.
    ///
    /// # Errors
    /// As [`Repository::find`], and [`Error::Missing`] where there is none.
    pub fn get(&self, kind: Kind, name: &str) -> Result<String, Error> {
        self.find(kind, name)?.ok_or_else(|| Error::Missing { kind: kind.noun(), name: name.to_owned() })
    }

    /// The commit of a full ref name or an object id.
    pub(super) fn commit_of(&self, full: &str) -> Result<Option<String>, Error> {
        let peeled = format!("{full}^{{commit}}");
        let Some(reader) = &self.reader else {
            let said = self.program.git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &peeled])?;
            return Ok((said.code == 0).then(|| said.stdout.trim_end().to_owned()));
        };
        match reader.revparse_single(&peeled) {
            Ok(commit) => Ok(Some(commit.id().to_string())),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The names of all branches or tags, in order.
    ///
    /// # Errors
    /// Where the repository cannot be read.
    pub fn names(&self, kind: Kind) -> Result<Vec<String>, Error> {
        let start = kind.full("");
        let Some(reader) = &self.reader else {
            let said = self.program.text(&["for-each-ref", "--format=%(refname)", &start])?;
            return Ok(said.lines().filter_map(|name| Some(name.strip_prefix(&start)?.to_owned())).collect());
        };
        let mut names = Vec::new();
        for found in reader.references_glob(&format!("{start}*"))? {
            let name = String::from_utf8_lossy(found?.name_bytes()).into_owned();
            names.extend(name.strip_prefix(&start).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// The tags nearest to a misspelt one.
    ///
    /// # Errors
    /// Where the repository cannot be read.
    pub fn nearest_tags(&self, wanted: &str) -> Result<Vec<String>, Error> {
        Ok(version::nearest(wanted, &self.names(Kind::Tag)?))
    }

    /// Whether the commit `old` is `new` or one of its ancestors; no, where either is not here.
    ///
    /// # Errors
    /// Where `git` cannot be started.
    pub fn is_ancestor(&self, old: &str, new: &str) -> Result<bool, Error> {
        if let Some(reader) = &self.reader
            && let (Ok(old), Ok(new)) = (git2::Oid::from_str(old), git2::Oid::from_str(new))
        {
            return Ok(old == new || reader.graph_descendant_of(new, old).unwrap_or(false));
        }
        Ok(self.program.git(&["merge-base", "--is-ancestor", "--end-of-options", old, new])?.code == 0)
    }

    /// The SHA-256 of the bytes of `path` as `commit` has it, in hexadecimal; `None` where it has no such file. They are the bytes
    /// that a checkout writes, with the line ends and the filters that are set here.
    ///
    /// # Errors
    /// Where the commit is not here.
    pub fn file_sha256(&self, commit: &str, path: &str) -> Result<Option<String>, Error> {
        let path = path.trim_start_matches("./");
        if let Some(reader) = &self.reader {
            let tree = reader.find_commit(git2::Oid::from_str(commit)?)?.tree()?;
            let Ok(entry) = tree.get_path(Path::new(path)) else { return Ok(None) };
            let object = entry.to_object(reader)?;
            let Some(blob) = object.as_blob() else { return Ok(None) };
            // The file in the work tree is most often the same, byte for byte; that takes no process.
            if std::fs::read(self.work_tree.join(path)).is_ok_and(|here| here == blob.content()) {
                return Ok(Some(sha256(blob.content())));
            }
        } else if !self.has_file(commit, path)? {
            return Ok(None);
        }
        let bytes = self.program.bytes(&["cat-file", "--filters", &format!("{commit}:{path}")])?;
        Ok(bytes.as_deref().map(sha256))
    }

    /// Whether the tree of `commit` has the file `path`.
    ///
    /// # Errors
    /// Where the commit is not here.
    pub fn has_file(&self, commit: &str, path: &str) -> Result<bool, Error> {
        let path = path.trim_start_matches("./");
        let Some(reader) = &self.reader else {
            let said = self.program.git(&["cat-file", "-t", &format!("{commit}:{path}")])?;
            return Ok(said.code == 0 && said.stdout.trim_end() == "blob");
        };
        let tree = reader.find_commit(git2::Oid::from_str(commit)?)?.tree()?;
        let entry = tree.get_path(Path::new(path));
        Ok(entry.is_ok_and(|entry| entry.kind() == Some(git2::ObjectType::Blob)))
    }

    /// The tree of a commit; `None` where it is not here.
    pub(super) fn tree_of(&self, commit: &str) -> Result<Option<String>, Error> {
        let peeled = format!("{commit}^{{tree}}");
        let Some(reader) = &self.reader else {
            let said = self.program.git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &peeled])?;
            return Ok((said.code == 0).then(|| said.stdout.trim_end().to_owned()));
        };
        match reader.revparse_single(&peeled) {
            Ok(tree) => Ok(Some(tree.id().to_string())),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether there is a remote of this name.
    ///
    /// # Errors
    /// As [`Repository::remote_url`].
    pub fn has_remote(&self, remote: &str) -> Result<bool, Error> {
        check_name(remote)?;
        Ok(self.setting(&format!("remote.{remote}.url"))?.is_some() || self.remote_url(remote)?.is_some())
    }

    /// The URL of a remote; `None` where there is no such remote.
    ///
    /// # Errors
    /// Where the name is no name, or `git` cannot be started.
    pub fn remote_url(&self, remote: &str) -> Result<Option<String>, Error> {
        check_name(remote)?;
        let said = self.program.git(&["remote", "get-url", "--", remote])?;
        Ok((said.code == 0).then(|| said.stdout.trim_end().to_owned()))
    }

    /// The branches and tags of a remote, asked now.
    ///
    /// # Errors
    /// Where the remote does not answer.
    pub fn remote_refs(&self, remote: &str) -> Result<Vec<RemoteRef>, Error> {
        check_name(remote)?;
        let said = self.program.text(&["ls-remote", "--heads", "--tags", "--", remote])?;
        let mut found: Vec<RemoteRef> = Vec::new();
        for (commit, name) in said.lines().filter_map(|line| line.split_once('\t')) {
            match (name.strip_suffix("^{}"), found.last_mut()) {
                (Some(tag), Some(last)) if last.name == tag => commit.clone_into(&mut last.commit),
                _ => found.push(RemoteRef { name: name.to_owned(), commit: commit.to_owned() }),
            }
        }
        Ok(found)
    }
}

/// Whether everything the repository is said to have is in it: git2 fetches nothing for a partial clone, and knows no end of a
/// shallow history.
fn whole(reader: &git2::Repository) -> Result<bool, git2::Error> {
    let partial = reader.config()?.entries(Some(r"remote\..*\.(promisor|partialclonefilter)"))?.next().is_some();
    Ok(!partial && !reader.is_shallow())
}
