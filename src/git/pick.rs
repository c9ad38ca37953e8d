//! Taking a commit of another branch, by `git cherry-pick -x`.
//!
//! # Where it stands
//! Nothing is remembered: `CHERRY_PICK_HEAD` tells of one that is under way, the line `(cherry picked from commit …)` of one that
//! is done, and the patch of one that was taken without that line. One that was killed while it wrote files is known by those
//! files: each is the beginning of what it was to be, so that it can be taken back and begun anew.

use std::collections::BTreeSet;
use std::fs;

use super::{ChangeKind, Error, Kind, Repository, check_name};

/// A commit that can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its id in full.
    pub id: String,
    /// The same, as short as it can be.
    pub short: String,
    /// Who wrote it.
    pub author: String,
    /// The day it was written, as `2026-01-31`.
    pub date: String,
    /// The first line of its message.
    pub subject: String,
    parents: usize,
}

/// What came of taking a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Picked {
    /// It is a commit of this branch now.
    Done,
    /// It was before.
    Already,
    /// All that it changes is here, so that there is nothing to commit.
    Empty,
    /// These files are to be solved, and to be told to git by `git add`.
    Open(Vec<String>),
}

/// The commits of a branch, of which some are taken.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The branch.
    pub branch: &'a str,
    /// Its remote, where there is one.
    pub remote: Option<&'a str>,
}

/// The line that `-x` puts into a message.
const LINE: (&str, &str) = ("(cherry picked from commit ", ")");
/// The fields of a [`Candidate`], as `git log` gives them.
const FIELDS: &str = "--format=%H%x1f%h%x1f%an%x1f%as%x1f%P%x1f%s";

impl Repository {
    /// The latest `most` commits of `source`, here or on the remote as it was last fetched, that HEAD has not: neither themselves,
    /// nor by a commit that names them or has the same patch. Merges are left out. The newest first.
    ///
    /// # Errors
    /// [`Error::Missing`] where there is no such branch.
    pub fn candidates(&self, source: Source<'_>, most: usize) -> Result<Vec<Candidate>, Error> {
        let taken = self.taken(source, &[])?;
        let count = format!("--max-count={}", most + taken.len());
        let ranges: Vec<String> = self.tips(source)?.iter().map(|tip| format!("HEAD...{tip}")).collect();
        let mut args = vec![
            "log",
            "--date-order",
            "--right-only",
            "--cherry-pick",
            "--min-parents=1",
            "--max-parents=1",
            &count,
            FIELDS,
        ];
        args.extend(LOG);
        args.extend(ranges.iter().map(String::as_str));
        args.push("--");
        let mut found: Vec<Candidate> = self.program.text(&args)?.split('\0').filter_map(candidate).collect();
        found.retain(|one| !taken.contains(&one.id));
        found.truncate(most);
        Ok(found)
    }

    /// The commit whose id is `text`, or begins with it. `source` is where it is looked for by whoever does not know it.
    ///
    /// # Errors
    /// [`Error::NotTaken`] where there is no such commit, more than one, or one that cannot be taken alone.
    pub fn candidate(&self, source: Source<'_>, text: &str) -> Result<Candidate, Error> {
        let not = |why: &str| Error::NotTaken { commit: text.to_owned(), why: why.to_owned() };
        if text.len() < 4 || !text.chars().all(|letter| letter.is_ascii_hexdigit()) {
            return Err(not("an id is made of 0-9 and a-f, four of them at least"));
        }
        let said = self.program.git(&["rev-parse", "--verify", "--quiet", &format!("{text}^{{commit}}")])?;
        let id = said.stdout.trim_end();
        // A branch may be called like the beginning of an id.
        if said.code != 0 || !id.starts_with(&text.to_ascii_lowercase()) {
            let Source { branch, remote } = source;
            let name = match remote {
                Some(remote) if self.find(Kind::Branch, branch)?.is_none() => format!("{remote}/{branch}"),
                _ => branch.to_owned(),
            };
            return Err(not(&format!("there is no such commit here, or more than one; `git log {name}` shows them")));
        }
        let said = self.program.text(&[&["log", "-1", FIELDS][..], &LOG, &[id, "--"]].concat())?;
        let found = said.split('\0').find_map(candidate).ok_or_else(|| not("git does not tell what it is"))?;
        match found.parents {
            1 => Ok(found),
            0 => Err(not("it is the first commit of all, which changes nothing")),
            _ => Err(not("it is a merge; take the commits that it brought, one by one")),
        }
    }

    /// Whether `source` has the commit `id`.
    ///
    /// # Errors
    /// [`Error::Missing`] where there is no such branch.
    pub fn is_of(&self, source: Source<'_>, id: &str) -> Result<bool, Error> {
        for tip in self.tips(source)? {
            if self.is_ancestor(id, &tip)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The commits that HEAD has taken, by what its messages say: those that neither `source` nor `without`, commits, have. The
    /// oldest first.
    ///
    /// # Errors
    /// [`Error::Missing`] where there is no such branch.
    pub fn taken(&self, source: Source<'_>, without: &[String]) -> Result<Vec<String>, Error> {
        let tips = self.tips(source)?;
        let mut args = vec!["log", "--reverse", "--format=%B"];
        args.extend(LOG);
        args.extend(["HEAD", "--not"]);
        args.extend(tips.iter().chain(without).map(String::as_str));
        args.push("--");
        let said = self.program.text(&args)?;
        let ids = said.split('\0').flat_map(str::lines).filter_map(named_in);
        Ok(ids.map(str::to_owned).collect())
    }

    /// The commit that is being taken, where one is.
    ///
    /// # Errors
    /// Where `git` cannot be started.
    pub fn picking(&self) -> Result<Option<String>, Error> {
        let said = self.program.git(&["rev-parse", "--verify", "--quiet", "CHERRY_PICK_HEAD"])?;
        Ok((said.code == 0).then(|| said.stdout.trim_end().to_owned()))
    }

    /// Takes the commit `id` of `source`, or goes on with it. What git knows has to be as HEAD has it. Hooks run; the commit is
    /// signed where the configuration says so.
    ///
    /// # Errors
    /// [`Error::Unclean`], [`Error::OtherPick`]; [`Error::Refused`] where files stand in the way, or by a hook.
    pub fn pick(&self, source: Source<'_>, id: &str) -> Result<Picked, Error> {
        match self.picking()? {
            Some(under_way) if under_way == id => return self.go_on_picking(source),
            Some(under_way) => return Err(Error::OtherPick(under_way)),
            None => {}
        }
        if self.has_taken(source, id)? {
            return Ok(Picked::Already);
        }
        self.tidy(id)?;
        let args = ["cherry-pick", "-x", id];
        let said = self.program.git(&args)?;
        if said.code == 0 {
            return Ok(Picked::Done);
        }
        if self.picking()?.is_none() || self.program.locked(&said.stderr).is_some() {
            return Err(self.program.refused(&args, &said));
        }
        match self.open_files()? {
            files if !files.is_empty() => Ok(Picked::Open(files)),
            _ if self.is_staged()? => Err(self.program.refused(&args, &said)),
            _ => self.leave_picking().map(|()| Picked::Empty),
        }
    }

    /// Commits what is being taken, once every file of it is told to git.
    ///
    /// # Errors
    /// [`Error::Markers`] where a conflict is in a file still; [`Error::Refused`] by a hook.
    pub fn go_on_picking(&self, source: Source<'_>) -> Result<Picked, Error> {
        let Some(id) = self.picking()? else { return Ok(Picked::Already) };
        let open = self.open_files()?;
        if !open.is_empty() {
            return Ok(Picked::Open(open));
        }
        if !self.is_staged()? {
            // One that was killed when it had made the commit has only this left to do.
            let made = self.has_taken(source, &id)?;
            self.leave_picking()?;
            return Ok(if made { Picked::Already } else { Picked::Empty });
        }
        let markers = self.program.git(&["diff", "--check", "--cached", "--no-ext-diff", "HEAD", "--"])?;
        let markers = markers.stdout.lines().filter(|line| !line.starts_with('+'));
        let markers: Vec<_> =
            markers.filter_map(|line| line.trim_end_matches('.').strip_suffix(": leftover conflict marker")).collect();
        if !markers.is_empty() {
            return Err(Error::Markers(markers.join(", ")));
        }
        // Not by `--continue`, which opens an editor, and takes lines such as `#42` out.
        let message = format!("--message={}", self.message_from(&id)?);
        self.program.text(&["commit", "--quiet", "--cleanup=whitespace", &message])?;
        Ok(Picked::Done)
    }

    /// Gives up what is being taken: all is as it was before.
    ///
    /// # Errors
    /// [`Error::Refused`] where files stand in the way.
    pub fn leave_picking(&self) -> Result<(), Error> {
        if self.picking()?.is_none() {
            return Ok(());
        }
        let args = ["cherry-pick", "--skip"];
        let said = self.program.git(&args)?;
        if said.code == 0 && self.picking()?.is_none() {
            return Ok(());
        }
        // Git says nothing of the lock of a git that was killed here.
        let lock = self.git_dir().join("CHERRY_PICK_HEAD.lock");
        if said.code == 0 && lock.exists() {
            let file = lock.display().to_string();
            return Err(Error::Locked { mend: self.program.at_work(&file), file });
        }
        Err(self.program.refused(&args, &said))
    }

    /// Whether HEAD has commits of its own: such as are neither in `source` nor in the tag `tag`.
    ///
    /// # Errors
    /// Where `git` refuses.
    pub fn has_own_commits(&self, source: Source<'_>, tag: &str) -> Result<bool, Error> {
        let mut others = match self.tips(source) {
            Err(Error::Missing { .. }) => Vec::new(),
            tips => tips?,
        };
        others.extend(self.find(Kind::Tag, tag)?);
        let mut args = vec!["rev-list", "--max-count=1", "HEAD", "--not"];
        args.extend(others.iter().map(String::as_str));
        args.push("--");
        Ok(!self.program.text(&args)?.is_empty())
    }

    fn tips(&self, source: Source<'_>) -> Result<Vec<String>, Error> {
        let Source { branch, remote } = source;
        check_name(branch)?;
        let mut tips: Vec<String> = self.find(Kind::Branch, branch)?.into_iter().collect();
        if let Some(remote) = remote {
            check_name(remote)?;
            tips.extend(self.commit_of(&format!("refs/remotes/{remote}/{branch}"))?);
        }
        if tips.is_empty() {
            return Err(Error::Missing { kind: "branch", name: branch.to_owned() });
        }
        tips.dedup();
        Ok(tips)
    }

    fn has_taken(&self, source: Source<'_>, id: &str) -> Result<bool, Error> {
        let head = self.head()?.unwrap_or_default();
        Ok(self.is_ancestor(id, &head)? || self.taken(source, &[])?.iter().any(|taken| taken == id))
    }

    /// The files that are not told to git as they are now.
    ///
    /// # Errors
    /// Where `git` refuses.
    pub fn open_files(&self) -> Result<Vec<String>, Error> {
        let said = self.program.text(&["diff", "--name-only", "-z", "--no-ext-diff", "--ignore-submodules=dirty"])?;
        let mut files: Vec<String> = said.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
        files.dedup();
        Ok(files)
    }

    /// Whether a commit would change anything.
    fn is_staged(&self) -> Result<bool, Error> {
        let args = ["diff-index", "--cached", "--quiet", "--ignore-submodules=dirty", "HEAD"];
        Ok(self.program.git(&args)?.code != 0)
    }

    /// The message of the commit `id`, with the line that names it, where git puts it.
    fn message_from(&self, id: &str) -> Result<String, Error> {
        let said = self.program.text(&[&["log", "-1", "--format=%B"][..], &LOG, &[id, "--"]].concat())?;
        let text = said.trim_end_matches('\0').trim_end();
        let last = text.lines().next_back().unwrap_or_default();
        let is_key = |key: &str| !key.is_empty() && key.chars().all(|letter| letter.is_alphanumeric() || letter == '-');
        let trailer = text.contains("\n\n") && last.split_once(": ").is_some_and(|(key, _)| is_key(key));
        let gap = if trailer || named_in(last).is_some() { "\n" } else { "\n\n" };
        Ok(format!("{text}{gap}{}{id}{}", LINE.0, LINE.1))
    }

    /// Sees that what git knows is as HEAD has it, and takes back what a killed git has left of taking `id`.
    fn tidy(&self, id: &str) -> Result<(), Error> {
        let changed = self.changes()?;
        let known: Vec<_> = changed.iter().filter(|change| change.kind != ChangeKind::Untracked).collect();
        let args = ["merge-tree", "--write-tree", "--no-messages", &format!("--merge-base={id}^"), "HEAD", id];
        let said = self.program.git(&args)?;
        let tree = said.stdout.lines().next().unwrap_or_default();
        let paths = |said: String| -> BTreeSet<String> {
            said.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect()
        };
        let touched = self.program.git(&["diff-tree", "-r", "-z", "--no-renames", "--name-only", "HEAD", tree])?;
        let touched = paths(touched.stdout);
        let written = !tree.is_empty() && known.iter().all(|change| touched.contains(&change.path)) && {
            let staged = self.program.git(&["write-tree"])?;
            let whole = staged.stdout.trim_end() == tree && self.open_files()?.is_empty();
            whole || self.is_half_switched(tree)?
        };
        if !written {
            let names: Vec<_> = known.iter().map(|change| change.path.as_str()).collect();
            return if names.is_empty() { Ok(()) } else { Err(Error::Unclean(names.join(", "))) };
        }
        // What is new in it, and not known yet: each is the beginning of what the commit has.
        let unknown = paths(self.program.text(&["ls-files", "--others", "-z"])?);
        for path in unknown.intersection(&touched) {
            let file = self.work_tree().join(path);
            fs::remove_file(&file).map_err(|source| Error::File { file: file.display().to_string(), source })?;
        }
        if known.is_empty() { Ok(()) } else { self.program.text(&["reset", "--quiet", "--hard", "HEAD"]).map(drop) }
    }
}

/// How every log is written.
const LOG: [&str; 3] = ["-z", "--no-show-signature", "--encoding=UTF-8"];

fn candidate(record: &str) -> Option<Candidate> {
    let mut fields = record.splitn(6, '\x1f').map(str::to_owned);
    let mut next = || fields.next();
    let (id, short, author, date) = (next()?, next()?, next()?, next()?);
    let parents = next()?.split_whitespace().count();
    Some(Candidate { id, short, author, date, subject: next()?, parents })
}

/// The commit that a line of a message names as the one it was taken from.
fn named_in(line: &str) -> Option<&str> {
    line.trim().strip_prefix(LINE.0)?.strip_suffix(LINE.1)
}
