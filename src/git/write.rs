//! The operations. Each looks first at what is already done.

use std::path::Path;

use super::program::refused;
use super::{Error, Kind, Repository, check_name};

/// What an operation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It changed something.
    Done,
    /// There was nothing left to do.
    Already,
}

impl Repository {
    /// Brings the branches and tags of a remote here.
    ///
    /// # Errors
    /// Where the remote does not answer, or has another commit at a tag that exists here.
    pub fn fetch(&self, remote: &str) -> Result<(), Error> {
        check_name(remote)?;
        self.program.text(&["fetch", "--quiet", "--tags", "--", remote]).map(drop)
    }

    /// Brings one tag of a remote here.
    ///
    /// # Errors
    /// Where the remote does not answer or does not have it.
    pub fn fetch_tag(&self, remote: &str, tag: &str) -> Result<(), Error> {
        check_name(remote)?;
        check_name(tag)?;
        let spec = format!("{0}:{0}", Kind::Tag.full(tag));
        self.program.text(&["fetch", "--quiet", "--no-tags", "--", remote, &spec]).map(drop)
    }

    /// Makes the branch `name` at `from`, a tag or else a branch, and switches to it. One that exists and contains
    /// `from` is taken up.
    ///
    /// # Errors
    /// [`Error::Taken`] where the branch is elsewhere; [`Error::Refused`] where files stand in the way.
    pub fn create_branch(&self, name: &str, from: &str) -> Result<Outcome, Error> {
        let start = match self.find(Kind::Tag, from)? {
            Some(commit) => commit,
            None => self.get(Kind::Branch, from)?,
        };
        match self.find(Kind::Branch, name)? {
            None => self.program.text(&["switch", "--quiet", "--no-track", "-c", name, &start]),
            Some(at) if !self.is_ancestor(&start, &at)? => {
                return Err(Error::Taken { kind: "branch", name: name.to_owned(), at });
            }
            Some(_) if self.current_branch()?.as_deref() == Some(name) => return Ok(Outcome::Already),
            Some(_) => self.program.text(&["switch", "--quiet", "--no-guess", name]),
        }?;
        Ok(Outcome::Done)
    }

    /// Fetches, and moves the branch `main` forward to where the remote has it.
    ///
    /// # Errors
    /// [`Error::Diverged`] where it cannot simply move forward.
    pub fn pull(&self, remote: &str, main: &str) -> Result<Outcome, Error> {
        check_name(main)?;
        self.fetch(remote)?;
        let upstream = format!("refs/remotes/{remote}/{main}");
        let Some(there) = self.commit_of(&upstream)? else {
            return Err(Error::Missing { kind: "remote branch", name: format!("{remote}/{main}") });
        };
        match self.find(Kind::Branch, main)? {
            Some(here) if self.is_ancestor(&there, &here)? => return Ok(Outcome::Already),
            Some(here) if !self.is_ancestor(&here, &there)? => {
                return Err(Error::Diverged { branch: main.to_owned(), upstream: format!("{remote}/{main}") });
            }
            here => self.move_branch(main, here.as_deref(), &there)?,
        }
        Ok(Outcome::Done)
    }

    /// Moves a branch forward by compare-and-swap; one that is checked out takes its work tree along.
    fn move_branch(&self, name: &str, old: Option<&str>, new: &str) -> Result<(), Error> {
        let full = Kind::Branch.full(name);
        let checked_out = self.program.text(&["for-each-ref", "--format=%(worktreepath)", &full])?;
        let tree = checked_out.trim_end_matches('\n');
        if tree.is_empty() {
            self.program.text(&["update-ref", "-m", "hotfix", "--", &full, new, old.unwrap_or("")])?;
        } else {
            self.program.at(Path::new(tree)).text(&["merge", "--quiet", "--ff-only", new])?;
        }
        Ok(())
    }

    /// Commits the files `paths`, which git must know already, and nothing else. Hooks run; the commit is signed where
    /// the configuration says so.
    ///
    /// # Errors
    /// [`Error::NothingToCommit`] where none has changed and HEAD is another commit; [`Error::Refused`] for a file git
    /// does not know, or by a hook.
    pub fn commit(&self, message: &str, paths: &[String]) -> Result<Outcome, Error> {
        let with = |args: &[&'static str]| -> Vec<String> {
            args.iter().map(|arg| (*arg).to_owned()).chain(paths.iter().cloned()).collect()
        };
        let run = |args: Vec<String>| self.program.text(&args.iter().map(String::as_str).collect::<Vec<_>>());
        let changed = if paths.is_empty() {
            String::new()
        } else {
            // With HEAD's files: one whose removal is staged is known as well.
            run(with(&["ls-files", "--error-unmatch", "--with-tree=HEAD", "--"]))?;
            run(with(&["status", "--porcelain=v2", "--untracked-files=no", "--"]))?
        };
        if changed.is_empty() {
            let last = self.program.git(&["log", "-1", "--format=%B"])?;
            let same = last.code == 0 && last.stdout.trim() == message.trim();
            return if same { Ok(Outcome::Already) } else { Err(Error::NothingToCommit(paths.join(", "))) };
        }
        let mut args = with(&["commit", "--quiet", "--only", "--"]);
        args.insert(3, format!("--message={message}"));
        run(args)?;
        Ok(Outcome::Done)
    }

    /// Tells git about the files `paths`, which are in the work tree.
    ///
    /// # Errors
    /// [`Error::Refused`] for a file that is ignored or not there.
    pub fn add(&self, paths: &[String]) -> Result<(), Error> {
        if paths.is_empty() {
            return Ok(());
        }
        let args: Vec<&str> = ["add", "--"].into_iter().chain(paths.iter().map(String::as_str)).collect();
        self.program.text(&args).map(drop)
    }

    /// Makes the annotated tag `name` at `commit`; one that is there already is accepted if it is at the same commit.
    ///
    /// # Errors
    /// [`Error::Taken`] where it is at another one.
    pub fn tag(&self, name: &str, commit: &str, message: &str) -> Result<Outcome, Error> {
        let missing = || Error::Missing { kind: "commit", name: commit.to_owned() };
        if commit.starts_with('-') {
            return Err(missing());
        }
        let commit = self.commit_of(commit)?.ok_or_else(missing)?;
        match self.find(Kind::Tag, name)? {
            Some(at) if at == commit => Ok(Outcome::Already),
            Some(at) => Err(Error::Taken { kind: "tag", name: name.to_owned(), at }),
            None => {
                let message = format!("--message={message}");
                self.program.text(&["tag", "--annotate", &message, "--", name, &commit])?;
                Ok(Outcome::Done)
            }
        }
    }

    /// Pushes branches and tags, all or none.
    ///
    /// # Errors
    /// [`Error::Refused`] where the remote or a hook does.
    pub fn push(&self, remote: &str, refs: &[(Kind, &str)]) -> Result<Outcome, Error> {
        let mut specs = Vec::new();
        for (kind, name) in refs {
            self.get(*kind, name)?;
            specs.push(format!("{0}:{0}", kind.full(name)));
        }
        self.push_specs(remote, &specs, &[])
    }

    fn push_specs(&self, remote: &str, specs: &[String], options: &[&str]) -> Result<Outcome, Error> {
        check_name(remote)?;
        let mut args = vec!["push", "--atomic", "--porcelain"];
        args.extend(options);
        args.extend(["--", remote]);
        args.extend(specs.iter().map(String::as_str));
        let said = self.program.text(&args)?;
        let flags = said.lines().filter(|line| line.contains('\t')).map(|line| line.chars().next());
        Ok(if flags.into_iter().all(|flag| flag == Some('=')) { Outcome::Already } else { Outcome::Done })
    }

    /// Merges `branch` into `into` by a commit with both parents, without a checkout of either. With a `remote`, the
    /// remote's `into` is brought here first, and gets the merge before the local branch does: a remote that refuses
    /// leaves nothing behind.
    ///
    /// # Errors
    /// [`Error::Conflict`] with the files; [`Error::Diverged`] where `into` has commits of its own here and there.
    pub fn merge(&self, branch: &str, into: &str, remote: Option<&str>, message: &str) -> Result<Outcome, Error> {
        let theirs = self.get(Kind::Branch, branch)?;
        if let Some(remote) = remote {
            self.pull(remote, into)?;
        }
        let ours = self.get(Kind::Branch, into)?;
        if self.is_ancestor(&theirs, &ours)? {
            return remote.map_or(Ok(Outcome::Already), |remote| self.push(remote, &[(Kind::Branch, into)]));
        }
        let tree = self.merged_tree(branch, &theirs, into, &ours)?;
        let message = format!("-m{message}");
        let mut args = vec!["commit-tree", "-p", &ours, "-p", &theirs, &message];
        if self.program.git(&["config", "--type=bool", "--get", "commit.gpgsign"])?.stdout.trim() == "true" {
            args.push("-S");
        }
        args.push(&tree);
        let commit = self.program.text(&args)?.trim_end().to_owned();
        if let Some(remote) = remote {
            self.push_specs(remote, &[format!("{commit}:{}", Kind::Branch.full(into))], &[])?;
        }
        self.move_branch(into, Some(&ours), &commit)?;
        Ok(Outcome::Done)
    }

    fn merged_tree(&self, branch: &str, theirs: &str, into: &str, ours: &str) -> Result<String, Error> {
        let args = ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs];
        let said = self.program.git(&args)?;
        let mut parts = said.stdout.split('\0').filter(|part| !part.is_empty()).map(str::to_owned);
        match (said.code, parts.next()) {
            (0, Some(tree)) => Ok(tree.trim_end().to_owned()),
            (1, Some(_)) => {
                let [branch, into] = [branch, into].map(str::to_owned);
                Err(Error::Conflict { branch, into, files: parts.collect() })
            }
            _ => Err(refused(&args, &said)),
        }
    }

    /// Deletes `branch` here and, with a `remote`, there; only where `main` (the remote's, when there is one) contains
    /// it. Switches to `main` first where the branch is checked out.
    ///
    /// # Errors
    /// [`Error::NotContained`] where commits would be lost; nothing is deleted then.
    pub fn delete_branch(&self, branch: &str, main: &str, remote: Option<&str>) -> Result<Outcome, Error> {
        let here = self.find(Kind::Branch, branch)?;
        let lost = || Error::NotContained { branch: branch.to_owned(), main: main.to_owned() };
        let full = Kind::Branch.full(branch);
        if branch == main {
            return Err(lost());
        }
        let (base, there) = match remote {
            None => (self.get(Kind::Branch, main)?, None),
            Some(remote) => {
                check_name(main)?;
                self.fetch(remote)?;
                let refs = self.remote_refs(remote)?;
                let at = |name: &str| refs.iter().find(|other| other.name == name).map(|other| other.commit.clone());
                (at(&Kind::Branch.full(main)).ok_or_else(lost)?, at(&full))
            }
        };
        for commit in [&here, &there].into_iter().flatten() {
            if !self.is_ancestor(commit, &base)? {
                return Err(lost());
            }
        }
        if here.is_none() && there.is_none() {
            return Ok(Outcome::Already);
        }
        if let (Some(remote), Some(commit)) = (remote, there) {
            let lease = format!("--force-with-lease={full}:{commit}");
            self.push_specs(remote, &[format!(":{full}")], &[&lease])?;
        }
        if here.is_some() {
            if self.current_branch()?.as_deref() == Some(branch) {
                self.program.text(&["switch", "--quiet", "--no-guess", main])?;
            }
            self.program.text(&["branch", "--quiet", "-D", "--", branch])?;
        }
        Ok(Outcome::Done)
    }

    /// Makes a linked worktree of `commit` at `path`; one that is there at that commit is taken as it is.
    ///
    /// # Errors
    /// [`Error::Refused`] where `path` is something else.
    pub fn add_worktree(&self, path: &Path, commit: &str) -> Result<Outcome, Error> {
        let missing = || Error::Missing { kind: "commit", name: commit.to_owned() };
        if commit.starts_with('-') {
            return Err(missing());
        }
        let commit = self.commit_of(commit)?.ok_or_else(missing)?;
        if path.join(".git").is_file() {
            let head = self.program.at(path).git(&["rev-parse", "HEAD"])?;
            if head.stdout.trim_end() == commit {
                return Ok(Outcome::Already);
            }
        }
        let path = path.to_string_lossy();
        self.program.text(&["worktree", "add", "--quiet", "--detach", "--", &path, &commit])?;
        Ok(Outcome::Done)
    }

    /// Removes a linked worktree and whatever is in it.
    ///
    /// # Errors
    /// [`Error::Refused`] where git does not take it for one.
    pub fn remove_worktree(&self, path: &Path) -> Result<Outcome, Error> {
        if !path.exists() {
            return Ok(Outcome::Already);
        }
        self.program.text(&["worktree", "remove", "--force", "--", &path.to_string_lossy()])?;
        Ok(Outcome::Done)
    }
}
