//! The repository: what is in it, and the few operations a hotfix needs.
//!
//! # Who does what
//! | part | by | why |
//! |---|---|---|
//! | discovery, HEAD, branches, tags, ancestry, blobs | git2 | no process, so they cost microseconds |
//! | the same in a repository of sha256 or reftable, a partial or a shallow clone | `git` | libgit2 1.9 refuses the first two, fetches nothing, and knows no end of a history |
//! | status | `git` | git2 takes sparse checkouts, filters and split indexes for changes |
//! | identity, URL of a remote | `git` | `user.useConfigOnly`, `insteadOf`, `GIT_CONFIG_GLOBAL` |
//! | fetch, push, `ls-remote` | `git` | credential helpers, ssh configuration, proxies, the pre-push hook |
//! | switch, commit, tag, worktree, the tree that is tested | `git` | hooks, signing, filters, line ends |
//! | cherry-pick | `git` | hooks, signing, merge drivers; the author stays, with their date |
//! | merge | `git merge-tree` | git2 merges differently: renamed directories, criss-cross histories, merge drivers |
//!
//! # As the operator's own git would
//! | what | here | why |
//! |---|---|---|
//! | hooks of commit, push and merge, `core.hooksPath` | run; one that refuses is shown with what it says | [`Error::Hook`]; of a merge see `merge.rs` |
//! | `commit.gpgSign`, `tag.gpgSign`, `tag.forceSignAnnotated`; `openpgp`, `ssh`, `x509` | signed | by `git`, which may ask for a passphrase |
//! | `merge.verifySignatures` | the branch's last commit is looked at | main moving to where the remote has it is not |
//! | identity, `user.useConfigOnly` | must be configured, for author and committer | git's guess would be in a release for ever |
//! | `insteadOf`, `pushInsteadOf`, `pushurl` | honoured | with several `pushurl`, each is all or nothing by itself |
//! | `push.followTags`, `push.default`, `remote.NAME.push` | not looked at | nothing is pushed that was not named |
//! | `push.recurseSubmodules` of `on-demand` or `only` | a push is refused while a submodule is not pushed | the same, and `only` would push nothing |
//! | `push.gpgSign`, `push.pushOption` | honoured | |
//! | `remote.NAME.mirror` | refused | git takes no refs for a mirror |
//! | clean and smudge filters, git-lfs, `core.autocrlf`, `eol` | honoured | `git` does all that touches the work tree |
//! | merge drivers, `union`, `rerere` | honoured | see `merge.rs` |
//! | a branch that moves on the remote while it is merged into | fetched and merged again, five times at most | see `back.rs` |
//! | a conflict | opened in a linked work tree of its own, and taken from there once it is solved | see `desk.rs` |
//! | a conflict of a cherry-pick | in the operator's work tree, on the branch of the fix, as git leaves it | see `pick.rs` |
//! | a branch that is deleted while it is checked out | HEAD goes to main where that has the same files, else it is detached; no file is touched | see `delete.rs` |
//! | a branch that nobody may push to | the merge is pushed beside it, to be requested | see `request.rs` |
//! | commits on a branch here that the remote has not | left, and told; the merge is made of the remote's | pushing them was not asked for |
//! | a repository of another user | refused, until `safe.directory` names it | its hooks and programs would run as the operator |
//! | linked worktrees | work; a branch is moved in the one that has it | |
//! | submodules | brought to what the branch has after each switch; what is changed inside is no change | a commit would take an old one along |
//! | a partial clone, a clone of one branch | work; `main` is fetched by name | |
//! | a shallow clone | refused | what two branches have in common cannot be known |
//! | a sparse checkout | works; refused where it leaves out a script that a step runs | that step would fail in the middle |
//! | sha256, reftable | work | |
//! | a rebase, merge, cherry-pick, revert or `git am` under way; a left lock | refused | `git` would refuse in the middle |
//! | git before 2.41 | refused | it knows no `--attr-source` |
//!
//! What is refused is refused before the run starts, by [`preflight`], with the line that mends it.
//!
//! # Killed at any moment
//! Every operation looks at the repository to see what is already done; doing one again does what is left to do. A lock that a
//! killed git has left is told with its file ([`Error::Locked`]); it is never removed unasked. The objects that git has made are on the disk
//! when an operation returns, and the refs that lead to them. The index is not waited for, no more than the files it stands for, which
//! no git syncs: after a power cut `git reset` makes it anew from HEAD. Nor are the names in a directory: those are the file
//! system's, which orders them before whatever is synced next, as the journal is.
//!
//! No name reaches `git` where it could be taken for an option.

mod asked;
mod back;
mod changes;
mod delete;
mod desk;
mod error;
mod front;
mod hooks;
mod kinds;
mod leash;
mod merge;
mod name;
mod pick;
mod preflight;
mod program;
mod push;
mod read;
mod request;
mod scratch;
mod snapshot;
mod stat;
mod unfinished;
mod write;

pub use asked::Identity;
pub use back::{Along, Merge};
pub use changes::{Change, ChangeKind, Looking};
pub use desk::{Conflict, Left, Unsolved};
pub use error::Error;
pub use leash::{Leash, Withheld};
pub use name::check_name;
pub use pick::{Candidate, Picked, Source};
pub use preflight::{Continues, Failure, Known, Preflight, Reach, Request, preflight};
pub use program::{Output, Prompts};
pub use push::{Refusal, Rejection, Why};
pub use read::{Kind, RemoteRef, Repository};
pub use request::{Waiting, requests};
pub use snapshot::Snapshot;
pub use stat::{Origin, Stat};
pub use write::Outcome;
