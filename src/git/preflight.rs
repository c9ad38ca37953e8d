//! What must be true of the repository before a run starts.

use std::path::Path;

use super::{ChangeKind, Error, Identity, Kind, Looking, Prompts, RemoteRef, Repository, check_name, kinds};
use crate::vars::Environment;

/// Whether the remote is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It is.
    Online,
    /// It is not: it cannot be reached, and the operator knows.
    Offline,
}

/// Whether a run goes on with the branch of an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continues {
    /// The branch must not be there.
    Nothing,
    /// An earlier run for the same issue has left it.
    Branch,
}

/// What a run is about to use.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The tag to fix.
    pub tag: &'a str,
    /// The tag to make.
    pub new_tag: &'a str,
    /// The branch to make.
    pub branch: &'a str,
    /// Whether it may be there already.
    pub continues: Continues,
    /// The branch that everything comes back to.
    pub main: &'a str,
    /// The remote.
    pub remote: &'a str,
    /// Whether it is asked.
    pub reach: Reach,
    /// The scripts that the runbook calls, from the top of the work tree.
    pub scripts: &'a [String],
    /// What the caller has asked already.
    pub known: Known<'a>,
}

/// What need not be asked again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// Who commits.
    pub identity: Option<&'a Identity>,
    /// What the remote has.
    pub refs: Option<&'a [RemoteRef]>,
    /// What differs in the work tree, where it is looked for already.
    pub changes: Option<&'a Looking>,
}

/// Something that stands in the way, and the line that mends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What is wrong.
    pub problem: String,
    /// What mends it: a command or an option.
    pub mend: String,
}

/// All that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preflight {
    /// What stands in the way; a run may start when there is nothing.
    pub failures: Vec<Failure>,
    /// The commit of the tag to fix.
    pub tag_commit: Option<String>,
    /// The scripts that the tag's tree does not have; their steps become work by hand.
    pub missing_scripts: Vec<String>,
    /// What there is to be said, and stands in nobody's way.
    pub warnings: Vec<String>,
}

impl Preflight {
    pub(super) fn fail(&mut self, problem: impl Into<String>, mend: impl Into<String>) {
        self.failures.push(Failure { problem: problem.into(), mend: mend.into() });
    }
}

/// Looks at everything and says all that stands in the way, at once.
///
/// # Errors
/// Where `git` cannot be started or the repository cannot be read; what is merely wrong is in the result.
pub fn preflight(path: &Path, env: Environment, prompts: Prompts, wanted: &Request<'_>) -> Result<Preflight, Error> {
    let mut found = Preflight::default();
    for name in [wanted.tag, wanted.new_tag, wanted.branch, wanted.remote] {
        if let Err(error) = check_name(name) {
            found.fail(error.to_string(), "choose another name");
        }
    }
    let repository = match Repository::discover(path, env, prompts) {
        Ok(repository) => repository,
        Err(error @ Error::NotARepository(_)) => {
            found.fail(error.to_string(), "cd REPOSITORY");
            return Ok(found);
        }
        Err(Error::Untrusted(path)) => {
            kinds::untrusted(&path, &mut found);
            return Ok(found);
        }
        Err(error) => return Err(error),
    };
    match kinds::look(&repository, wanted, &mut found) {
        Err(Error::Untrusted(path)) => {
            kinds::untrusted(&path, &mut found);
            return Ok(found);
        }
        looked => looked?,
    }
    // The files are looked for meanwhile; of them it is told where the reader expects it.
    let so_far = found.failures.len();
    let elsewhere = refs_and_names(&repository, wanted, &mut found);
    let others = found.failures.split_off(so_far);
    match work_tree(&repository, &wanted.known, &mut found) {
        Err(Error::Untrusted(path)) => {
            kinds::untrusted(&path, &mut found);
            return Ok(found);
        }
        looked => looked?,
    }
    found.failures.extend(others);
    elsewhere?;
    Ok(found)
}

/// What the remote has and what is here by these names.
fn refs_and_names(repository: &Repository, wanted: &Request<'_>, found: &mut Preflight) -> Result<(), Error> {
    if found.failures.iter().any(|failure| failure.mend == "choose another name") {
        return Ok(());
    }
    let refs = match wanted.reach {
        Reach::Online => remote(repository, wanted, found)?,
        Reach::Offline => Vec::new(),
    };
    names_here(repository, wanted, &refs, found)?;
    let main = Kind::Branch.full(wanted.main);
    let there = refs.iter().find(|other| other.name == main).map(|other| other.commit.clone());
    let known = [there, Some(format!("refs/remotes/{}/{}", wanted.remote, wanted.main)), Some(main)];
    for name in known.into_iter().flatten().filter(|_| check_name(wanted.main).is_ok()) {
        if let Some(main) = repository.commit_of(&name)? {
            found.warnings.extend(repository.unfinished(&main, wanted.branch, (wanted.remote, &refs))?);
            break;
        }
    }
    if let Some(commit) = &found.tag_commit {
        for script in wanted.scripts {
            if !repository.has_file(commit, script)? {
                found.missing_scripts.push(script.clone());
            }
        }
    }
    Ok(())
}

fn work_tree(repository: &Repository, known: &Known<'_>, found: &mut Preflight) -> Result<(), Error> {
    let changes = known.changes.map_or_else(|| repository.changes(), |looking| looking.found(repository))?;
    if !changes.is_empty() {
        let some: Vec<_> = changes.iter().take(5).map(|change| change.path.as_str()).collect();
        let more = if changes.len() > some.len() { ", …" } else { "" };
        let unmerged = changes.iter().any(|change| change.kind == ChangeKind::Unmerged);
        let modules = changes.iter().all(|change| is_submodule(repository, &change.path));
        let mend = match (unmerged, modules) {
            (true, _) => "git merge --abort",
            (false, true) => "git submodule update --recursive",
            (false, false) => "git stash -u",
        };
        found.fail(format!("the work tree has {} changed files: {}{more}", changes.len(), some.join(", ")), mend);
    }
    if known.identity.is_none() && repository.identity()?.is_none() {
        let mend = "git config user.name 'YOUR NAME' && git config user.email YOU@EXAMPLE.COM";
        found.fail("git does not know who commits", mend);
    }
    Ok(())
}

/// Whether a path that is changed is a submodule that is there.
fn is_submodule(repository: &Repository, path: &str) -> bool {
    repository.work_tree().join(".gitmodules").is_file() && repository.work_tree().join(path).join(".git").exists()
}

fn names_here(
    repository: &Repository,
    wanted: &Request<'_>,
    refs: &[RemoteRef],
    found: &mut Preflight,
) -> Result<(), Error> {
    found.tag_commit = repository.find(Kind::Tag, wanted.tag)?;
    if found.tag_commit.is_none() && refs.iter().any(|other| other.name == Kind::Tag.full(wanted.tag)) {
        repository.fetch_tag(wanted.remote, wanted.tag)?;
        found.tag_commit = repository.find(Kind::Tag, wanted.tag)?;
        found.warnings.push(format!("the tag {} was not here, and was fetched from {}", wanted.tag, wanted.remote));
    }
    if found.tag_commit.is_none() {
        let near = repository.nearest_tags(wanted.tag)?;
        let hint = if near.is_empty() { String::new() } else { format!("; nearest: {}", near.join(", ")) };
        found.fail(format!("there is no tag `{}` here{hint}", wanted.tag), "git fetch --tags");
    }
    if wanted.continues == Continues::Nothing && repository.find(Kind::Branch, wanted.branch)?.is_some() {
        found.fail(format!("the branch `{}` exists here", wanted.branch), "--name SLUG");
    }
    if repository.find(Kind::Tag, wanted.new_tag)?.is_some() {
        found.fail(format!("the tag `{}` exists here", wanted.new_tag), "--new-tag TAG");
    }
    Ok(())
}

/// What the remote has; nothing where it cannot be asked.
fn remote(repository: &Repository, wanted: &Request<'_>, found: &mut Preflight) -> Result<Vec<RemoteRef>, Error> {
    if wanted.known.refs.is_none() && !repository.has_remote(wanted.remote)? {
        let mend = format!("git remote add {} URL, or --offline", wanted.remote);
        found.fail(format!("there is no remote `{}`", wanted.remote), mend);
        return Ok(Vec::new());
    }
    match wanted.known.refs.map_or_else(|| repository.remote_refs(wanted.remote), |refs| Ok(refs.to_vec())) {
        Ok(refs) => {
            let there = |kind: Kind, name: &str| refs.iter().any(|other| other.name == kind.full(name));
            if wanted.continues == Continues::Nothing && there(Kind::Branch, wanted.branch) {
                found.fail(format!("the branch `{}` exists on `{}`", wanted.branch, wanted.remote), "--name SLUG");
            }
            if there(Kind::Tag, wanted.new_tag) {
                found.fail(format!("the tag `{}` exists on `{}`", wanted.new_tag, wanted.remote), "--new-tag TAG");
            }
            return Ok(refs);
        }
        Err(Error::Refused { output, .. }) => {
            let said = output.lines().next().unwrap_or_default();
            found.fail(format!("the remote `{}` does not answer: {said}", wanted.remote), "--offline");
        }
        Err(error) => return Err(error),
    }
    Ok(Vec::new())
}
