//! Bringing a branch back into those it is missing from.
//!
//! # In which order
//! The remote's branch is brought here and looked at, the merge is made, pushed, and only then does the branch here move, by
//! compare-and-swap: what the remote refuses leaves nothing behind. It moves only to where it loses nothing: one that has commits
//! of its own, which nobody asked to push, stays where it is, and this is told. A branch here that has both, the remote's and
//! what is merged, was merged by hand and is pushed as it is.

use super::desk::Conflict;
use super::merge::{Merged, Moved};
use super::push::{Rejection, Why};
use super::{Error, Kind, Outcome, Repository};

/// How often a merge is made at most, where the branch moves on the remote meanwhile.
const TIMES: usize = 5;

/// What came of a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merge {
    /// What was done.
    pub outcome: Outcome,
    /// The remote's branch has it; the one here has commits of its own, and was left where it is.
    pub left: bool,
}

/// A branch that gets the merge too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Along {
    /// Its name.
    pub name: String,
    /// Whether the remote has it. One that is only here is not pushed.
    pub shared: bool,
}

/// One merge that is to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Back<'a> {
    /// The branch that is merged.
    pub(super) branch: &'a str,
    /// Its commit.
    pub(super) theirs: &'a str,
    /// The branch that it is merged into.
    pub(super) into: &'a str,
    /// The remote that has it.
    pub(super) remote: Option<&'a str>,
    /// The message of the commit.
    pub(super) message: &'a str,
}

/// How one time ended.
enum Tried {
    Merged(Merge),
    /// The branch has moved on the remote.
    Moved(Rejection),
}

impl Repository {
    /// Merges `branch` into `into` by a commit with both parents, without a checkout of either. With a `remote` it is the
    /// remote's `into`, which gets the merge before the local branch does; where that moves meanwhile, it is merged again. A
    /// merge that a person has finished in the work tree of a conflict is taken from there.
    ///
    /// # Errors
    /// [`Error::Conflict`] with the files and the work tree to solve it in, [`Error::Unsolved`] where that is not done;
    /// [`Error::Waiting`] where nobody may push to `into`; [`Error::Hook`] where a hook refuses.
    pub fn merge(&self, branch: &str, into: &str, remote: Option<&str>, message: &str) -> Result<Merge, Error> {
        let theirs = self.get(Kind::Branch, branch)?;
        let back = Back { branch, theirs: &theirs, into, remote, message };
        let mut times = 1;
        loop {
            match self.try_merge(back)? {
                Tried::Merged(merge) => return Ok(merge),
                Tried::Moved(rejection) if times == TIMES => return Err(Error::Rejected(rejection)),
                Tried::Moved(_) => times += 1,
            }
        }
    }

    fn try_merge(&self, back: Back<'_>) -> Result<Tried, Error> {
        let Back { theirs, into, remote, .. } = back;
        let ours = match remote {
            Some(remote) => self.fetch_branch(remote, into)?,
            None => self.get(Kind::Branch, into)?,
        };
        if self.is_ancestor(theirs, &ours)? {
            let left = self.advance(into, &ours)? == Advance::Left;
            self.clear_desk(back, &ours)?;
            return Ok(Tried::Merged(Merge { outcome: Outcome::Already, left }));
        }
        let has_both =
            |commit: &String| Ok::<_, Error>(self.is_ancestor(&ours, commit)? && self.is_ancestor(theirs, commit)?);
        let mut solved = None;
        let (commit, outcome) = match self.find(Kind::Branch, into)? {
            Some(here) if has_both(&here)? => (here, Outcome::Done),
            _ => {
                solved = self.solved(back, &ours)?;
                match &solved {
                    Some(commit) if has_both(commit)? => (commit.clone(), Outcome::Done),
                    solved => self.make(back, &ours, solved.as_deref())?,
                }
            }
        };
        if let Some(remote) = remote {
            match self.push_specs(remote, &[format!("{commit}:{}", Kind::Branch.full(into))], &[]) {
                Err(Error::Rejected(refused)) if refused.is(Why::Forbidden) => {
                    let waiting = self.request(back, remote, (&commit, &ours, solved.is_some()), refused)?;
                    return Err(Error::Waiting(Box::new(waiting)));
                }
                Err(Error::Rejected(refused)) if self.fetch_branch(remote, into)? != ours => {
                    return Ok(Tried::Moved(refused));
                }
                pushed => drop(pushed?),
            }
        }
        let advanced = self.advance(into, &commit)?;
        // Where the work tree came along, `git merge` has run it. Nobody asks how it ended, nor does git.
        if advanced == Advance::Moved(Moved::Alone) {
            match self.hook("post-merge", &["0"]) {
                Ok(()) | Err(Error::Hook { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.clear_desk(back, &commit)?;
        Ok(Tried::Merged(Merge { outcome, left: advanced == Advance::Left }))
    }

    /// Makes the merge, of what a person has solved before where `into` has moved since; one that was requested is taken as it is.
    fn make(&self, back: Back<'_>, ours: &str, solved: Option<&str>) -> Result<(String, Outcome), Error> {
        if solved.is_none()
            && let Some(requested) = self.requested(back, ours)?
        {
            return Ok((requested, Outcome::Done));
        }
        if self.is_set("merge.verifySignatures")? {
            self.program.text(&["verify-commit", "--", back.theirs])?;
        }
        let theirs = solved.unwrap_or(back.theirs);
        match self.merged(theirs, ours)? {
            Ok(Merged { tree, outcome }) => {
                let tree = self.pre_merge_commit(ours, theirs, tree)?;
                Ok((self.merge_commit(ours, theirs, &tree, back.message)?, outcome))
            }
            Err(files) => {
                let at = self.open_desk(back, ours, solved.is_some())?;
                let [branch, into] = [back.branch, back.into].map(str::to_owned);
                let files = files.into_iter().collect();
                Err(Error::Conflict(Conflict { branch, into, files, at, again: solved.is_some() }))
            }
        }
    }

    /// Moves the branch `name` that is here forward to `commit`, where it loses nothing by that.
    fn advance(&self, name: &str, commit: &str) -> Result<Advance, Error> {
        match self.find(Kind::Branch, name)? {
            Some(here) if !self.is_ancestor(commit, &here)? => {
                if !self.is_ancestor(&here, commit)? {
                    return Ok(Advance::Left);
                }
                self.move_branch(name, &here, commit).map(Advance::Moved)
            }
            _ => Ok(Advance::Needless),
        }
    }

    /// The branches, on the remote or here, that fit one of `patterns`, in which `*` stands for anything.
    ///
    /// # Errors
    /// Where the remote does not answer.
    pub fn like(&self, patterns: &[String], remote: Option<&str>) -> Result<Vec<Along>, Error> {
        if patterns.is_empty() {
            return Ok(Vec::new());
        }
        let refs = remote.map_or_else(|| Ok(Vec::new()), |remote| self.remote_refs(remote))?;
        let there = refs.iter().filter_map(|other| other.name.strip_prefix("refs/heads/"));
        let mut all: Vec<Along> = there.map(|name| Along { name: name.to_owned(), shared: true }).collect();
        for name in self.names(Kind::Branch)? {
            if all.iter().all(|other| other.name != name) {
                all.push(Along { name, shared: false });
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all.retain(|along| patterns.iter().any(|pattern| fits(pattern, &along.name)));
        Ok(all)
    }
}

/// How a branch here followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Advance {
    /// It has it already, or there is none.
    Needless,
    /// It would lose commits.
    Left,
    /// It moved.
    Moved(Moved),
}

/// Whether a name is what `pattern` says, in which `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|tail| {
            tail.char_indices().map(|(at, _)| at).chain([tail.len()]).any(|at| fits(rest, &tail[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_pattern_fits_names_and_a_name_only_itself() {
        for (pattern, name) in [("release/*", "release/1.3"), ("*", "a/b"), ("a*c*", "abcbc"), ("é*", "éé"), ("x", "x")]
        {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("release/*", "release"), ("a*c", "abcb"), ("x", "xy"), ("release/*", "old/release/1")]
        {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }
}
