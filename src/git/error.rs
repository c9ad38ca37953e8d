//! What can go wrong.

use super::desk::{Conflict, Unsolved};
use super::push::Rejection;
use super::request::Waiting;

/// Why something about a repository cannot be known or done. Each text ends with what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no repository with a work tree here.
    #[error("`{0}` is in no git work tree; change to the repository's directory")]
    NotARepository(String),
    /// The `git` program cannot be started.
    #[error("the program `git` cannot be started; install git 2.41 or later")]
    Spawn(#[source] std::io::Error),
    /// git2 failed.
    #[error("the repository cannot be read; `git fsck` may say more")]
    Read(#[from] git2::Error),
    /// `git` refused, or one of the repository's hooks did.
    #[error("`{command}` ended with {code}:\n{output}\nmend what it says, then try again")]
    Refused {
        /// The command.
        command: String,
        /// Its exit code; -1 for a signal.
        code: i32,
        /// What it wrote.
        output: String,
    },
    /// A hook of the repository refused.
    #[error("the hook `{hook}` refuses:\n{output}\nmend what it says, then try again")]
    Hook {
        /// Its name.
        hook: &'static str,
        /// What it wrote.
        output: String,
    },
    /// The remote refused a push, or it would have overwritten something there.
    #[error(transparent)]
    Rejected(Rejection),
    /// The repository belongs to somebody else, and git does not trust it.
    #[error(
        "git does not trust `{0}`, which belongs to another user; `git config --global --add safe.directory {0}` tells it to"
    )]
    Untrusted(String),
    /// Another `git` holds a file, or left it behind when it was killed.
    #[error("`{file}` is in the way: {mend}")]
    Locked {
        /// The file.
        file: String,
        /// What is to be done.
        mend: String,
    },
    /// A branch is checked out in another work tree.
    #[error("`{branch}` is checked out in {at}; switch to another one there, then try again")]
    Elsewhere {
        /// The branch.
        branch: String,
        /// The work tree.
        at: String,
    },
    /// A file of git's own cannot be written or read.
    #[error("`{file}` cannot be written or read; see that there is room and that you may, then try again")]
    File {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// `git` took longer than it may, and was killed.
    #[error("git took longer than {0} s and was stopped; see whether the remote answers, then try again")]
    TooLong(u64),
    /// A Ctrl-C ended it, while it had the terminal.
    #[error("git was ended by Ctrl-C; try again, and it does what is left to do")]
    Interrupted,
    /// Somebody pulled the leash.
    #[error("git was stopped; try again")]
    Stopped,
    /// A name git would not take, or would take for an option.
    #[error("`{name}` is no name for a branch, a tag or a remote: {why}; choose another")]
    BadName {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Nothing has this name.
    #[error("there is no {kind} `{name}` here; `git fetch --tags` may bring it")]
    Missing {
        /// What was looked for.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// The name is taken by something else.
    #[error("the {kind} `{name}` exists and is at {at}; choose another name, or remove it if it is a leftover")]
    Taken {
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Where it is.
        at: String,
    },
    /// Tags are at other commits on the remote than here.
    #[error(
        "these tags are not what they are on `{remote}`: {tags}\nsee which are right; `git tag -d TAG` forgets one here, then try again"
    )]
    OtherTags {
        /// The remote.
        remote: String,
        /// Their names, with spaces between.
        tags: String,
    },
    /// A commit would be empty.
    #[error("none of the chosen files has changed: {0}; edit them, then try again")]
    NothingToCommit(String),
    /// A commit cannot be taken.
    #[error("`{commit}` cannot be taken: {why}")]
    NotTaken {
        /// What was given for it.
        commit: String,
        /// Why not.
        why: String,
    },
    /// Files are changed, where a commit is to be taken.
    #[error(
        "these files are changed: {0}\na commit is taken onto a clean work tree; commit them, `git stash`, or `git restore` them, then try again"
    )]
    Unclean(String),
    /// Another commit is being taken.
    #[error("`{0}` is being taken here; `git cherry-pick --continue` or `--abort` ends that, then try again")]
    OtherPick(String),
    /// A conflict is in files still that are said to be solved.
    #[error("conflict markers are left in {0}; edit these files, `git add` them, then go on")]
    Markers(String),
    /// Two lines of history contend.
    #[error(transparent)]
    Conflict(Conflict),
    /// A merge that a person is to finish is not finished.
    #[error(transparent)]
    Unsolved(Unsolved),
    /// The remote lets nobody push to a branch; the merge waits there for a person.
    #[error(transparent)]
    Waiting(Box<Waiting>),
    /// Several branches wait for a person, each with what it waits for.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"))]
    Several(Vec<Error>),
    /// Deleting would lose commits.
    #[error("`{branch}` has commits that `{main}` has not; merge it first")]
    NotContained {
        /// The branch.
        branch: String,
        /// What it is not contained in.
        main: String,
    },
}
