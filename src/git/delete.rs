//! Deleting a branch that has done its work.
//!
//! # The work tree
//! No file of it is touched. Where the branch is checked out, HEAD goes to the main branch if that has the same files, else it
//! stays at its commit, detached: a switch to what main has would write the files of others, and look at every one there is.

use super::kinds::is_under_way;
use super::{Error, Kind, Outcome, Repository};

impl Repository {
    /// Deletes `branch` here and, with a `remote`, there, with the merged requests that were pushed for it; only where `main` (the
    /// remote's, when there is one) contains it. Where the branch is checked out, HEAD goes to `main` or is detached, and no file
    /// is touched.
    ///
    /// # Errors
    /// [`Error::NotContained`] where commits would be lost, [`Error::Elsewhere`] where another work tree has the branch;
    /// nothing is deleted then.
    pub fn delete_branch(&self, branch: &str, main: &str, remote: Option<&str>) -> Result<Outcome, Error> {
        let here = self.find(Kind::Branch, branch)?;
        let lost = || Error::NotContained { branch: branch.to_owned(), main: main.to_owned() };
        let full = Kind::Branch.full(branch);
        if branch == main {
            return Err(lost());
        }
        let mut refs = Vec::new();
        let base = match remote {
            None => self.get(Kind::Branch, main)?,
            Some(remote) => {
                refs = self.remote_refs(remote)?;
                let there = refs.iter().find(|other| other.name == Kind::Branch.full(main));
                match (there, self.commit_of(&format!("refs/remotes/{remote}/{main}"))?) {
                    (Some(there), Some(known)) if there.commit == known => known,
                    _ => self.fetch_branch(remote, main)?,
                }
            }
        };
        let there = refs.iter().find(|other| other.name == full).map(|other| other.commit.clone());
        for commit in [&here, &there].into_iter().flatten() {
            if !self.is_ancestor(commit, &base)? {
                return Err(lost());
            }
        }
        // What is known here of the remote's; a push that deletes it removes that too, unless it is killed between.
        let known = remote.map(|remote| format!("refs/remotes/{remote}/{branch}"));
        if there.is_none()
            && let Some(known) = known
            && let Some(commit) = self.commit_of(&known)?
            && self.is_ancestor(&commit, &base)?
        {
            self.program.text(&["update-ref", "-d", "--", &known])?;
        }
        if here.is_none() && there.is_none() {
            return Ok(Outcome::Already);
        }
        if let Some(at) = &here
            && self.current_branch()?.as_deref() == Some(branch)
        {
            self.leave((branch, at), main)?;
        }
        if let Some(at) = self.checked_out(branch)? {
            return Err(Error::Elsewhere { branch: branch.to_owned(), at });
        }
        if let (Some(remote), Some(tip)) = (remote, there.as_ref().or(here.as_ref())) {
            let mut gone = self.merged_requests(remote, (branch, tip), &refs)?;
            gone.extend(there.map(|commit| (full, commit)));
            let specs: Vec<String> = gone.iter().map(|(name, _)| format!(":{name}")).collect();
            let leases: Vec<String> =
                gone.iter().map(|(name, commit)| format!("--force-with-lease={name}:{commit}")).collect();
            if !gone.is_empty() {
                self.push_specs(remote, &specs, &leases.iter().map(String::as_str).collect::<Vec<_>>())?;
            }
        }
        if here.is_some() {
            self.program.text(&["branch", "--quiet", "-D", "--", branch])?;
        }
        Ok(Outcome::Done)
    }

    /// Takes HEAD off `branch`, which is checked out at this commit, and leaves every file as it is, also one that is changed: to
    /// `main` where that has the same files, else to the commit itself.
    fn leave(&self, (branch, at): (&str, &str), main: &str) -> Result<(), Error> {
        let to = match self.find(Kind::Branch, main)? {
            Some(to) if self.checked_out(main)?.is_none() => to,
            _ => return self.detach(),
        };
        let tree = self.tree_of(&to)?;
        // What is under way `git switch` does not leave, and says so.
        if tree.is_none() || tree != self.tree_of(at)? || is_under_way(self.git_dir()) {
            return self.detach();
        }
        let why = format!("checkout: moving from {branch} to {main}");
        self.program.text(&["symbolic-ref", "-m", &why, "HEAD", &Kind::Branch.full(main)])?;
        self.hook("post-checkout", &[at, &to, "1"])
    }

    /// Without a commit to go to git looks at no file.
    fn detach(&self) -> Result<(), Error> {
        self.program.text(&["switch", "--quiet", "--detach"]).map(drop)
    }
}
