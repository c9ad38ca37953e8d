//! What kind of repository it is, where a run would fail in it or could not know what it must.

use std::path::Path;

use super::preflight::{Preflight, Request};
use super::{Error, Repository};

/// The oldest git that can do all that is asked of it: `--attr-source`.
const OLDEST: (u32, u32) = (2, 41);

/// What is under way while one of these files or directories is there, and what ends it.
const UNDER_WAY: [(&str, &str, &str); 6] = [
    ("rebase-merge", "a rebase", "git rebase --abort"),
    ("rebase-apply/applying", "a `git am`", "git am --abort"),
    ("rebase-apply/rebasing", "a rebase", "git rebase --abort"),
    ("MERGE_HEAD", "a merge", "git merge --abort"),
    ("CHERRY_PICK_HEAD", "a cherry-pick", "git cherry-pick --abort"),
    ("REVERT_HEAD", "a revert", "git revert --abort"),
];

/// Says what stands in the way of any run here.
///
/// # Errors
/// Where `git` cannot be started, or [`Error::Untrusted`].
pub(super) fn look(repository: &Repository, wanted: &Request<'_>, found: &mut Preflight) -> Result<(), Error> {
    let program = &repository.program;
    let version = repository.version()?;
    if number(&version).is_some_and(|number| number < OLDEST) {
        let (major, minor) = OLDEST;
        let problem = format!("{} is too old: {major}.{minor} is the oldest that will do", version.trim_end());
        found.fail(problem, "install a later git, and have it first on PATH");
    }
    if repository.common_dir().join("shallow").is_file() {
        let problem = "the clone is shallow: what two branches have in common cannot be known";
        found.fail(problem, "git fetch --unshallow --tags");
    }
    for (name, what, mend) in UNDER_WAY {
        if repository.git_dir().join(name).exists() {
            found.fail(format!("{what} is under way here"), mend);
        }
    }
    let lock = repository.git_dir().join("index.lock");
    if lock.exists() {
        let file = lock.display().to_string();
        found.fail(format!("`{file}` is in the way: {}", program.at_work(&file)), format!("rm {}", quoted(&file)));
    }
    if repository.is_set(&format!("remote.{}.mirror", wanted.remote))? {
        let problem = format!("`{}` is a mirror: git pushes everything there, or nothing", wanted.remote);
        found.fail(problem, format!("git config --unset remote.{}.mirror, or set another `remote`", wanted.remote));
    }
    sparse(repository, wanted, found)
}

/// Scripts that a sparse checkout leaves out.
fn sparse(repository: &Repository, wanted: &Request<'_>, found: &mut Preflight) -> Result<(), Error> {
    if wanted.scripts.is_empty() || !repository.is_set("core.sparseCheckout")? {
        return Ok(());
    }
    let paths = wanted.scripts.iter().map(|path| format!(":(literal){}", path.trim_start_matches("./")));
    let paths: Vec<String> = paths.collect();
    let args: Vec<&str> = ["ls-files", "-t", "-z", "--"].into_iter().chain(paths.iter().map(String::as_str)).collect();
    let listed = repository.program.text(&args)?;
    for path in listed.split('\0').filter_map(|entry| entry.strip_prefix("S ")) {
        let directory = path.rsplit_once('/').map_or(path, |(directory, _)| directory);
        let problem = format!("`{path}` is left out of this sparse checkout, and a step runs it");
        found.fail(problem, format!("git sparse-checkout add {}", quoted(directory)));
    }
    Ok(())
}

/// Says that the repository at `path` is not trusted.
pub(super) fn untrusted(path: &str, found: &mut Preflight) {
    let problem = format!("git does not trust `{path}`, which belongs to another user");
    found.fail(problem, format!("git config --global --add safe.directory {}", quoted(path)));
}

fn quoted(text: &str) -> String {
    shlex::try_quote(text).map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
}

/// The first two parts of the version in `git version 2.47.3 (…)`.
fn number(said: &str) -> Option<(u32, u32)> {
    let mut parts = said.split_whitespace().nth(2)?.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

/// Whether a rebase, a merge or the like is under way in the work tree that has this directory of git's.
pub(super) fn is_under_way(git_dir: &Path) -> bool {
    UNDER_WAY.iter().any(|(file, ..)| git_dir.join(file).exists())
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_version_is_read_as_every_git_tells_it() {
        assert_eq!(number("git version 2.47.3\n"), Some((2, 47)));
        assert_eq!(number("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert_eq!(number("git version 2.51.GIT"), Some((2, 51)));
        assert_eq!(number("git"), None);
    }
}
