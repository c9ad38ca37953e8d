//! Bringing two lines of history together.
//!
//! # Hooks
//! A merge is made in memory, but the repository's hooks see it as they see one by `git merge`: `pre-merge-commit` runs in a work
//! tree with the merged files, `prepare-commit-msg` and `commit-msg` get its message, and `post-merge` runs when the branch has
//! moved. Each of them but the last may refuse.
//!
//! # Where it differs from `git merge`
//! - `merge.ff` and `branch.NAME.mergeOptions` are not looked at: it is always a commit with both parents, by the strategy `ort`.
//! - The attributes are those of the branch that is merged into, as they would be were it checked out. With `merge.renormalize`
//!   git takes them partly from the merge itself, so that one is made by `git merge`, in a work tree of its own.
//! - A conflict that `rerere` has seen solved is solved so at once, and this is told. `git merge` stops there.
//! - A submodule that both sides moved is looked up in the work tree of this checkout.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::program::Program;
use super::{Error, Kind, Outcome, Repository, check_name, hooks};

/// How a merge got its tree.
pub(super) struct Merged {
    pub(super) tree: String,
    /// [`Outcome::Replayed`] where `rerere` solved something, else [`Outcome::Done`].
    pub(super) outcome: Outcome,
}

impl Repository {
    /// What a fetch is told where there are no submodules. To know that it would read the whole index.
    pub(super) fn without_submodules(&self) -> Option<&'static str> {
        (!self.work_tree().join(".gitmodules").exists()).then_some("--no-recurse-submodules")
    }

    /// Brings one branch of a remote here, whatever else the remote is set up to bring: the commit it is at.
    pub(super) fn fetch_branch(&self, remote: &str, name: &str) -> Result<String, Error> {
        check_name(remote)?;
        check_name(name)?;
        let here = format!("refs/remotes/{remote}/{name}");
        let spec = format!("+{}:{here}", Kind::Branch.full(name));
        let mut args = vec!["fetch", "--quiet", "--no-auto-maintenance", "--no-tags", "--no-write-fetch-head"];
        args.extend(self.without_submodules());
        args.extend(["--", remote, &spec]);
        let said = self.program.git(&args)?;
        let missing = || Error::Missing { kind: "remote branch", name: format!("{remote}/{name}") };
        match said.code {
            0 => self.commit_of(&here)?.ok_or_else(missing),
            _ if said.stderr.contains("couldn't find remote ref") => Err(missing()),
            _ => Err(self.program.refused(&args, &said)),
        }
    }

    /// Moves a branch forward by compare-and-swap; one that is checked out takes its work tree along, with its submodules.
    pub(super) fn move_branch(&self, name: &str, old: &str, new: &str) -> Result<Moved, Error> {
        let full = Kind::Branch.full(name);
        if let Some(tree) = self.checked_out(name)? {
            let there = self.program.at(Path::new(&tree));
            there.text(&["merge", "--quiet", "--ff-only", "--no-verify-signatures", new])?;
            settle(&there)?;
            return Ok(Moved::WithWorkTree);
        }
        self.program.text(&["update-ref", "--create-reflog", "-m", "hotfix", "--", &full, new, old])?;
        Ok(Moved::Alone)
    }

    /// The work tree where a branch is checked out.
    ///
    /// # Errors
    /// Where the repository cannot be read.
    pub fn checked_out(&self, name: &str) -> Result<Option<String>, Error> {
        if self.is_alone() {
            let here = self.current_branch()?.as_deref() == Some(name);
            return Ok(here.then(|| self.work_tree().display().to_string()));
        }
        let full = Kind::Branch.full(name);
        let tree = self.program.text(&["for-each-ref", "--format=%(worktreepath)", &full])?;
        let tree = tree.trim_end_matches('\n');
        Ok((!tree.is_empty()).then(|| tree.to_owned()))
    }

    /// The merge of two commits, or the files that conflict.
    pub(super) fn merged(&self, theirs: &str, ours: &str) -> Result<Result<Merged, BTreeSet<String>>, Error> {
        if self.is_set("merge.renormalize")? {
            return self.merged_in_scratch(ours, theirs);
        }
        let source = format!("--attr-source={ours}");
        let args = [&source, "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs];
        let said = self.program.git(&args)?;
        let mut parts = said.stdout.split('\0').filter(|part| !part.is_empty());
        match (said.code, parts.next()) {
            (0, Some(tree)) => Ok(Ok(Merged { tree: tree.trim_end().to_owned(), outcome: Outcome::Done })),
            (1, Some(_)) => {
                if self.common_dir().join("rr-cache").is_dir()
                    && self.program.git(&["config", "--type=bool", "--get", "rerere.enabled"])?.stdout.trim() != "false"
                    && let Ok(merged) = self.merged_in_scratch(ours, theirs)?
                {
                    return Ok(Ok(merged));
                }
                Ok(Err(parts.map(|file| plain(file, [ours, theirs])).collect()))
            }
            _ => Err(self.program.refused(&args, &said)),
        }
    }

    /// The merge as `git merge` makes it in a work tree of its own, with what `rerere` knows; or the files that conflict.
    fn merged_in_scratch(&self, ours: &str, theirs: &str) -> Result<Result<Merged, BTreeSet<String>>, Error> {
        self.in_scratch(ours, |scratch| {
            let args = ["merge", "--quiet", "--no-commit", "--no-ff", "--strategy=ort", "--rerere-autoupdate"];
            let args = [&args[..], &["--no-verify-signatures", "--no-autostash", theirs]].concat();
            let said = scratch.git(&args)?;
            if scratch.git(&["rev-parse", "--verify", "--quiet", "MERGE_HEAD"])?.code != 0 {
                return Err(scratch.refused(&args, &said));
            }
            let unmerged = scratch.text(&["diff", "--name-only", "--diff-filter=U", "-z"])?;
            if !unmerged.is_empty() {
                let files = unmerged.split('\0').filter(|file| !file.is_empty());
                return Ok(Err(files.map(|file| plain(file, ["HEAD", theirs])).collect()));
            }
            let outcome = if said.code == 0 { Outcome::Done } else { Outcome::Replayed };
            Ok(Ok(Merged { tree: scratch.text(&["write-tree"])?.trim_end().to_owned(), outcome }))
        })
    }

    /// Has the hook `pre-merge-commit` look at the merged files, where there is one: the tree as it leaves it.
    pub(super) fn pre_merge_commit(&self, ours: &str, theirs: &str, tree: String) -> Result<String, Error> {
        const HOOK: &str = "pre-merge-commit";
        if !self.may_have_hook(HOOK)? {
            return Ok(tree);
        }
        self.in_scratch(ours, |scratch| {
            scratch.text(&["read-tree", "-m", "-u", ours, &tree])?;
            let head = scratch.text(&["rev-parse", "--path-format=absolute", "--git-path", "MERGE_HEAD"])?;
            let head = head.trim_end_matches('\n');
            fs::write(head, format!("{theirs}\n")).map_err(|source| Error::File { file: head.to_owned(), source })?;
            hooks::run(scratch, HOOK, &[])?;
            Ok(scratch.text(&["write-tree"])?.trim_end().to_owned())
        })
    }

    /// Makes the merge's commit, signed where the configuration says so, with the message as the hooks leave it.
    pub(super) fn merge_commit(&self, ours: &str, theirs: &str, tree: &str, message: &str) -> Result<String, Error> {
        let path = self.git_dir().join("HOTFIX_MERGE_MSG");
        let file = path.to_string_lossy();
        let failed = |source| Error::File { file: file.to_string(), source };
        fs::write(&path, format!("{}\n", message.trim_end())).map_err(failed)?;
        let made = self
            .hook("prepare-commit-msg", &[&file, "merge"])
            .and_then(|()| self.hook("commit-msg", &[&file]))
            .and_then(|()| {
                let mut args = vec!["commit-tree", "-p", ours, "-p", theirs, "-F", &file];
                if self.is_set("commit.gpgsign")? {
                    args.push("-S");
                }
                args.push(tree);
                Ok(self.program.text(&args)?.trim_end().to_owned())
            });
        fs::remove_file(&path).map_err(failed)?;
        made
    }
}

/// The name of a file that conflicts. One that is in the way of a directory was set aside under a name that ends with its side.
fn plain(file: &str, sides: [&str; 2]) -> String {
    let aside = |side: &str| file.strip_suffix(side).and_then(|file| file.strip_suffix('~'));
    sides.into_iter().find_map(aside).unwrap_or(file).to_owned()
}

/// Whether a branch moved with a work tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    Alone,
    WithWorkTree,
}

/// Brings the submodules that are there to the commits the work tree has for them. A commit would take them along as they are.
pub(super) fn settle(program: &Program) -> Result<(), Error> {
    if !program.dir.join(".gitmodules").is_file() {
        return Ok(());
    }
    program.text(&["submodule", "--quiet", "update", "--recursive"]).map(drop)
}
