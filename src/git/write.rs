//! The operations. Each looks first at what is already done.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::merge::settle;
use super::{Error, Kind, Repository, check_name};

/// What an operation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It changed something.
    Done,
    /// It changed something, and solved a conflict as it was solved before, by `rerere`.
    Replayed,
    /// There was nothing left to do.
    Already,
}

/// How `git commit` takes some files and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// They are all that is staged.
    AsItIs,
    /// Nothing is staged yet: it stages them itself.
    Including,
    /// Other files are staged, and left.
    Only,
}

impl Repository {
    /// Brings the branches and tags of a remote here.
    ///
    /// # Errors
    /// Where the remote does not answer; [`Error::OtherTags`] where tags of these names are elsewhere here.
    pub fn fetch(&self, remote: &str) -> Result<(), Error> {
        check_name(remote)?;
        // A quiet one would not say which tags.
        let mut args = vec!["fetch", "--tags"];
        args.extend(self.without_submodules());
        args.extend(["--", remote]);
        let said = self.program.git(&args)?;
        let clobbered = |line: &str| {
            let line = line.trim_end().strip_suffix("(would clobber existing tag)")?;
            line.rsplit_once("-> ").map(|(_, tag)| tag.trim_end().to_owned())
        };
        let tags: Vec<String> = said.stderr.lines().filter_map(clobbered).collect();
        match said.code {
            0 => Ok(()),
            _ if !tags.is_empty() => Err(Error::OtherTags { remote: remote.to_owned(), tags: tags.join(" ") }),
            _ => Err(self.program.refused(&args, &said)),
        }
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

    /// Makes the branch `name` at `from`, a tag or else a branch, and switches to it; submodules that are there follow. One that
    /// exists and contains `from` is taken up.
    ///
    /// # Errors
    /// [`Error::Taken`] where the branch is elsewhere; [`Error::Refused`] where files stand in the way.
    pub fn create_branch(&self, name: &str, from: &str) -> Result<Outcome, Error> {
        let start = match self.find(Kind::Tag, from)? {
            Some(commit) => commit,
            None => self.get(Kind::Branch, from)?,
        };
        match self.find(Kind::Branch, name)? {
            None => {
                let made = self.switch(&["--no-track", "-c", name, &start], &start);
                // A git that outlived who started it may have made it meanwhile.
                if made.is_err() && self.find(Kind::Branch, name)?.is_some() {
                    return self.create_branch(name, from);
                }
                made?;
            }
            Some(at) if !self.is_ancestor(&start, &at)? => {
                return Err(Error::Taken { kind: "branch", name: name.to_owned(), at });
            }
            Some(_) if self.current_branch()?.as_deref() == Some(name) => {
                return settle(&self.program).map(|()| Outcome::Already);
            }
            Some(at) => self.switch(&["--no-guess", name], &at)?,
        }
        Ok(Outcome::Done)
    }

    /// Switches to what is at `commit`, also where a switch there was killed and left some of its files.
    fn switch(&self, args: &[&str], commit: &str) -> Result<(), Error> {
        let all = [&["switch", "--quiet"], args].concat();
        let said = self.program.git(&all)?;
        if said.code != 0 {
            if !said.stderr.contains("would be overwritten") || !self.is_half_switched(commit)? {
                return Err(self.program.refused(&all, &said));
            }
            self.program.text(&[&["switch", "--quiet", "--force"], args].concat())?;
        }
        settle(&self.program)
    }

    /// Whether no file stands in the way of a switch to `commit`, or a tree, but those that such a switch has written or removed.
    pub(super) fn is_half_switched(&self, commit: &str) -> Result<bool, Error> {
        let staged = ["diff-index", "--cached", "--quiet", "--ignore-submodules=all", "HEAD"];
        if self.program.git(&staged)?.code != 0 {
            return Ok(false);
        }
        let changed = self.program.text(&["diff-files", "--name-only", "-z", "--ignore-submodules=all"])?;
        let unknown = self.program.text(&["ls-files", "--others", "-z"])?;
        let wanted = self.program.text(&["ls-tree", "-r", "-z", "--name-only", commit])?;
        let wanted: BTreeSet<&str> = wanted.split('\0').collect();
        // What git does not know and the commit has not is left alone.
        let unknown = unknown.split('\0').filter(|path| wanted.contains(path));
        for path in changed.split('\0').chain(unknown).filter(|path| !path.is_empty()) {
            let file = self.work_tree().join(path);
            let Ok(kind) = file.symlink_metadata() else { continue };
            let found = if kind.is_symlink() {
                fs::read_link(&file).map(|target| target.into_os_string().into_encoded_bytes())
            } else {
                fs::read(&file)
            };
            let wanted = self.program.bytes(&["cat-file", "--filters", &format!("{commit}:{path}")])?;
            match (wanted, found) {
                (Some(wanted), Ok(found)) if wanted.starts_with(&found) => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Commits the files `paths`, which git must know already, and nothing else. Hooks run; the commit is signed where
    /// the configuration says so.
    ///
    /// # Errors
    /// [`Error::NothingToCommit`] where none has changed and HEAD is another commit; [`Error::Refused`] for a file git
    /// does not know, or by a hook.
    pub fn commit(&self, message: &str, paths: &[String]) -> Result<Outcome, Error> {
        let literal: Vec<String> = paths.iter().map(|path| format!(":(literal){path}")).collect();
        let with = |args: &[&'static str]| {
            args.iter().copied().chain(literal.iter().map(String::as_str)).map(str::to_owned).collect::<Vec<_>>()
        };
        let run = |args: Vec<String>| self.program.text(&args.iter().map(String::as_str).collect::<Vec<_>>());
        let (mut staged, mut differ) = (None, String::new());
        if !paths.is_empty() {
            staged = self.staged()?;
            let diff = ["diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--ignore-submodules=dirty"];
            differ = run(with(&[&diff, Self::base_of(staged.as_deref())].concat()))?;
        }
        if differ.is_empty() {
            if !paths.is_empty() {
                // With HEAD's files: one whose removal is staged is known as well.
                run(with(&["ls-files", "--error-unmatch", "--with-tree=HEAD", "--"]))?;
                // A commit that was killed after the branch had moved left the index behind.
                run(with(&["reset", "--quiet", "HEAD", "--"]))?;
            }
            let made = self.is_last_commit(message)?;
            return if made { Ok(Outcome::Already) } else { Err(Error::NothingToCommit(paths.join(", "))) };
        }
        let way = self.way(paths, (staged.as_deref(), &differ))?;
        let mut args = vec!["commit".to_owned(), "--quiet".to_owned(), format!("--message={message}")];
        match way {
            Way::AsItIs => {}
            Way::Including => args.extend(with(&["--include", "--"])),
            Way::Only => args.extend(with(&["--only", "--"])),
        }
        run(args)?;
        Ok(Outcome::Done)
    }

    /// How the files `paths` are committed and nothing else; of them `differ` do, each with a NUL behind it. `git commit --only` makes the index anew
    /// from HEAD, which takes its time where there are many files, and is needed only where others are staged.
    fn way(&self, paths: &[String], (staged, differ): (Option<&[String]>, &str)) -> Result<Way, Error> {
        let own = staged.is_some_and(|staged| staged.iter().all(|path| paths.contains(path)));
        // A submodule is added only by `git commit` as that has it.
        if !own || self.work_tree().join(".gitmodules").exists() {
            return Ok(Way::Only);
        }
        // Git before 2.45 says nothing of one that it does not know; what differs from the index it does know.
        let unstaged: BTreeSet<&str> = differ.split('\0').collect();
        if staged.is_some_and(<[String]>::is_empty) && paths.iter().all(|path| unstaged.contains(path.as_str())) {
            return Ok(Way::Including);
        }
        // It takes no file that git does not know, nor does a commit.
        let update = ["update-index", "--remove", "--"].into_iter();
        let args: Vec<&str> = update.chain(paths.iter().map(String::as_str)).collect();
        Ok(if self.program.git(&args)?.code == 0 { Way::AsItIs } else { Way::Only })
    }

    /// Whether the commit at HEAD has this message, or it and what the hooks have added; then it is one that is nowhere else yet.
    fn is_last_commit(&self, message: &str) -> Result<bool, Error> {
        let last = self.program.git(&["log", "-1", "--no-show-signature", "--encoding=UTF-8", "--format=%B"])?;
        if last.code != 0 || last.stdout.trim() == message.trim() {
            return Ok(last.code == 0);
        }
        let elsewhere = ["for-each-ref", "--count=1", "--contains=HEAD", "refs/tags", "refs/remotes"];
        Ok(says(&last.stdout, message) && self.program.text(&elsewhere)?.is_empty())
    }

    /// Tells git about the files `paths`, which are in the work tree.
    ///
    /// # Errors
    /// [`Error::Refused`] for a file that is ignored or not there.
    pub fn add(&self, paths: &[String]) -> Result<(), Error> {
        if paths.is_empty() {
            return Ok(());
        }
        let literal: Vec<String> = paths.iter().map(|path| format!(":(literal){path}")).collect();
        let args: Vec<&str> = ["add", "--"].into_iter().chain(literal.iter().map(String::as_str)).collect();
        self.program.text(&args).map(drop)
    }

    /// Makes the annotated tag `name` at `commit`, signed where the configuration says so; one that is there already is
    /// accepted if it is at the same commit.
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
                // Not by `--annotate`, which `tag.forceSignAnnotated` would not sign; a line may begin with `#42`.
                self.program.text(&["tag", "--cleanup=whitespace", &message, "--", name, &commit])?;
                Ok(Outcome::Done)
            }
        }
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
        self.program.text(&["worktree", "add", "--quiet", "--force", "--force", "--detach", "--", &path, &commit])?;
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

/// Whether a commit's message has every line of `wanted` in its order: the first with anything around it, the others as they are.
fn says(message: &str, wanted: &str) -> bool {
    // Lines that begin with `#` are taken out where `commit.cleanup` says so.
    let mut wanted = wanted.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut lines = message.lines().map(str::trim);
    let Some(subject) = wanted.next() else { return false };
    let apart = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_alphanumeric());
    let has_subject = |line: &str| {
        line.split_once(subject)
            .is_some_and(|(before, after)| apart(before.chars().next_back()) && apart(after.chars().next()))
    };
    lines.any(has_subject) && wanted.all(|wanted| lines.any(|line| line == wanted))
}

#[cfg(test)]
mod tests {
    use super::says;

    #[test]
    fn a_message_is_known_again_with_what_hooks_add_and_no_other_is_taken_for_it() {
        let wanted = "fix: 42\n\n#42\nFixes: #1\n";
        for message in ["fix: 42\n\nFixes: #1", "[OPS-1] fix: 42 (#7)\n\n#42\nFixes: #1\n\nChange-Id: I1\n"] {
            assert!(says(message, wanted), "{message}");
        }
        for message in ["fix: 421\n\nFixes: #1", "prefix: 42\n\nFixes: #1", "fix: 42", "fix: 42\n\nFixes: #12", "other"]
        {
            assert!(!says(message, wanted), "{message}");
        }
        assert!(!says("anything", ""));
    }
}
