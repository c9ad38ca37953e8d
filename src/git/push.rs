//! Pushing, and what a remote says against it.

use std::fmt;

use super::program::Output;
use super::{Error, Kind, Outcome, Repository, check_name};

/// What a remote would not take. As a push is all or nothing, it has taken none of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The remote.
    pub remote: String,
    /// What it would not take, each with the reason. What was refused only because of these is not named.
    pub refs: Vec<Refusal>,
    /// What it said, as its hooks do; empty where it said nothing.
    pub said: String,
}

/// A ref that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its full name.
    pub name: String,
    /// Why.
    pub why: Why,
    /// The reason in git's words.
    pub reason: String,
}

/// Why a ref was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The remote has commits there that would be lost.
    Behind,
    /// The tag is there already, elsewhere.
    Exists,
    /// The remote's has moved since it was looked at.
    Moved,
    /// A hook of the remote says no, or a rule by which it protects the ref.
    Forbidden,
    /// The remote lets nobody delete it, or has it checked out.
    Kept,
    /// Something else.
    Other,
}

impl Why {
    /// What a reason in git's words comes down to; `None` where the ref was only refused along with another.
    fn of(reason: &str) -> Option<Self> {
        Some(match reason {
            "atomic push failed" | "atomic push failure" | "atomic transaction failed" => return None,
            "fetch first" | "non-fast-forward" | "remote ref updated since checkout" => Self::Behind,
            "already exists" | "would clobber existing tag" | "needs force" => Self::Exists,
            "stale info" => Self::Moved,
            "branch is currently checked out" | "deletion prohibited" | "deletion of the current branch prohibited" => {
                Self::Kept
            }
            reason if reason.contains("declined") || reason.contains("prohibited") => Self::Forbidden,
            _ => Self::Other,
        })
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Behind => {
                "it is behind: the remote has commits that are not in it; bring them together with `git pull`"
            }
            Self::Exists => {
                "it exists there and is something else; choose another name, or see with `git fetch` what it is"
            }
            Self::Moved => "it has moved there meanwhile; see with `git fetch` what is new",
            Self::Forbidden => "a hook or a rule of the remote forbids it; do what it says, or ask who may do it",
            Self::Kept => "the remote keeps it as it is; ask who looks after the remote",
            Self::Other => "see what the remote says",
        }
    }
}

impl Rejection {
    /// Whether this is why one of the refs was not taken.
    #[must_use]
    pub fn is(&self, why: Why) -> bool {
        self.refs.iter().any(|refusal| refusal.why == why)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "`{}` refuses the push and has taken nothing of it:", self.remote)?;
        for Refusal { name, why, reason } in &self.refs {
            let short = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/")).unwrap_or(name);
            writeln!(f, "  {short}: {} ({reason})", why.words())?;
        }
        if !self.said.is_empty() {
            writeln!(f, "it says:")?;
            self.said.lines().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        write!(f, "then try again")
    }
}

impl std::error::Error for Rejection {}

/// A line of `git push --porcelain`: what became of one ref.
struct Line<'a> {
    flag: char,
    /// The name of the ref on the remote.
    name: &'a str,
    /// What was done, or why it was not.
    summary: &'a str,
}

impl<'a> Line<'a> {
    /// The lines of what `git push --porcelain` wrote, between which a hook may have written anything.
    fn all(stdout: &'a str) -> impl Iterator<Item = Self> {
        stdout.lines().filter_map(|line| {
            let (flag, rest) = line.split_once('\t')?;
            let (refs, summary) = rest.split_once('\t')?;
            let (_, name) = refs.split_once(':')?;
            let flag = flag.parse().ok().filter(|flag| " +-*=!".contains(*flag))?;
            Some(Self { flag, name, summary })
        })
    }

    /// The reason, from between the parentheses at the end.
    fn reason(&self) -> &'a str {
        let inside = self.summary.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        inside.unwrap_or(self.summary)
    }
}

impl Repository {
    /// Pushes branches and tags, all or none, and nothing else.
    ///
    /// # Errors
    /// [`Error::Rejected`] where the remote refuses, [`Error::Hook`] where the pre-push hook does.
    pub fn push(&self, remote: &str, refs: &[(Kind, &str)]) -> Result<Outcome, Error> {
        let mut specs = Vec::new();
        for (kind, name) in refs {
            self.get(*kind, name)?;
            specs.push(format!("{0}:{0}", kind.full(name)));
        }
        self.push_specs(remote, &specs, &[])
    }

    pub(super) fn push_specs(&self, remote: &str, specs: &[String], options: &[&str]) -> Result<Outcome, Error> {
        self.pushed(remote, specs, options).map(|(outcome, _)| outcome)
    }

    /// The same, with what the remote said to it.
    pub(super) fn pushed(&self, remote: &str, specs: &[String], options: &[&str]) -> Result<(Outcome, String), Error> {
        check_name(remote)?;
        let mut args = vec!["push", "--atomic", "--porcelain", "--no-follow-tags"];
        if self.pushes_submodules()? {
            args.push("--recurse-submodules=check");
        }
        args.extend(options);
        args.extend(["--", remote]);
        args.extend(specs.iter().map(String::as_str));
        let said = self.program.git(&args)?;
        if said.code != 0 {
            return Err(rejected(remote, &said).unwrap_or_else(|| self.program.refused(&args, &said)));
        }
        // It is pushed, but what is known here of the remote could not be written down.
        if let Some(locked) = self.program.locked(&said.stderr) {
            return Err(locked);
        }
        let outcome = |all: bool| if all { Outcome::Already } else { Outcome::Done };
        Ok((outcome(Line::all(&said.stdout).all(|line| line.flag == '=')), words(&said.stderr)))
    }

    /// Whether `git push` would push what is in submodules too, or even only that. Then it only looks whether they are pushed.
    fn pushes_submodules(&self) -> Result<bool, Error> {
        match self.setting("push.recurseSubmodules")? {
            Some(set) => Ok(set.as_deref().is_some_and(|set| ["on-demand", "only"].contains(&set))),
            None => self.is_set("submodule.recurse"),
        }
    }
}

/// What was refused, where that is why `git push` ended badly.
fn rejected(remote: &str, output: &Output) -> Option<Error> {
    let refused: Vec<_> = Line::all(&output.stdout).filter(|line| line.flag == '!').collect();
    if refused.is_empty() {
        let by_hook = output.code == 1 && output.stderr.contains("failed to push some refs");
        let said = output.stderr.lines().filter(|line| !line.starts_with("error: failed to push some refs"));
        let said: Vec<_> = output.stdout.lines().chain(said).filter(|line| !line.starts_with("To ")).collect();
        return by_hook.then(|| Error::Hook { hook: "pre-push", output: said.join("\n") });
    }
    let named = refused.iter().filter_map(|line| {
        let reason = line.reason();
        Why::of(reason).map(|why| Refusal { name: line.name.to_owned(), why, reason: reason.to_owned() })
    });
    let mut refs: Vec<Refusal> = named.collect();
    if refs.is_empty() {
        let other = |line: &Line| Refusal { name: line.name.into(), why: Why::Other, reason: line.reason().into() };
        refs = refused.iter().map(other).collect();
    }
    Some(Error::Rejected(Rejection { remote: remote.to_owned(), refs, said: words(&output.stderr) }))
}

/// What the remote itself said.
fn words(stderr: &str) -> String {
    let said = stderr.lines().filter_map(|line| line.strip_prefix("remote:")).map(str::trim).collect::<Vec<_>>();
    said.join("\n").trim_matches('\n').to_owned()
}
