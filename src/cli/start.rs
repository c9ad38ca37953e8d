//! `hotfix start`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::console::Look;
use super::drive::{Session, drive};
use super::{Exit, Trouble, began, choose, plan, select, whole};
use crate::clock::{Clock as _, SystemClock};
use crate::engine::{Identity, initial};
use crate::event::Event;
use crate::git::{self, Continues, Kind, Looking, Prompts, Reach, RemoteRef, Repository};
use crate::preflight::preflight;
use crate::run::{Outline, Phase, Run};
use crate::runbook::{Loaded, Runbook};
use crate::vars::Environment;
use crate::version;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) target: Target,
    /// Take the answers from this file
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// When the incident began: a time of day (02:40), RFC 3339, or how long ago (25m); asked at a terminal, else now
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Show every step as it would run, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// What a run is to be about.
#[derive(Debug, Args)]
pub(super) struct Target {
    /// The tag that production runs, to be fixed
    pub(super) tag: String,
    /// The issue
    pub(super) issue: String,
    /// Use this runbook
    #[arg(long, value_name = "FILE")]
    pub(super) runbook: Option<PathBuf>,
    /// Name the branch hotfix/SLUG; by default from the issue
    #[arg(long, value_name = "SLUG")]
    pub(super) name: Option<String>,
    /// How the new tag follows: v1.2.4, or v1.2.3-hotfix.1
    #[arg(long, value_enum, default_value_t = Bump::Patch)]
    pub(super) bump: Bump,
    /// The new tag, in place of the next free one
    #[arg(long, value_name = "TAG")]
    pub(super) new_tag: Option<String>,
    /// Branch from the tag, or from an up-to-date main
    #[arg(long, value_enum)]
    pub(super) base: Option<Base>,
    /// Give a variable of the runbook another value
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Do not ask the remote
    #[arg(long)]
    pub(super) offline: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Bump {
    Patch,
    Hotfix,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Base {
    Tag,
    Trunk,
}

pub(super) fn run(arguments: &Arguments, look: &Look) -> Result<Exit, Trouble> {
    let target = &arguments.target;
    let since = began::given(arguments.since.as_deref(), SystemClock.now())?;
    if arguments.dry_run {
        return plan::show(target, look);
    }
    let session = Session::open(look, arguments.answers.clone()).map_err(|trouble| match trouble.exit {
        Exit::Nothing => Trouble { exit: Exit::Preflight, ..trouble },
        _ => trouble,
    })?;
    if let Some(active) = select::active(&session.store)? {
        return Err(busy(&session, &active));
    }
    let loaded = choose::runbook(target.runbook.as_deref(), (&session.repository, &session.environment), look)?;
    let looking = session.repository.look();
    let prepared = Prepared::of(target, &loaded.runbook, &session)?;
    let warnings = prepared.preflight(&loaded, &session, &looking)?;
    // The answers are read before anything starts, so that one for an unknown step stops it here.
    let (_, masker) = session.masker(&loaded.runbook)?;
    let console = session.console(&Run::new(Outline::of(&loaded.runbook)), &masker)?;
    let incident_began = began::began(since, &console, look.language(&session.environment))?;
    drop(console);
    let mut lock = session.lock("a new run")?;
    session.store.sweep();
    // Another may have begun and let go of the lock since the first look.
    if let Some(active) = select::active(&session.store)? {
        return Err(busy(&session, &active));
    }
    let environment = loaded.runbook.environment.iter();
    let (_, masker) = session.masker(&loaded.runbook)?;
    let environment = environment.filter_map(|name| Some((name.clone(), masker.text(session.environment.get(name)?))));
    let frozen = loaded.frozen();
    let first = Event::RunStarted {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        format: crate::event::FORMAT,
        runbook: frozen.clone(),
        vars: prepared.vars.clone(),
        environment: environment.collect(),
        incident_began,
        warnings: warnings.clone(),
    };
    let author = (session.by.as_str(), session.host.as_str());
    let begun = session.store.begin(&SystemClock, &target.issue, author, (&frozen, vec![first]));
    let paths = begun.map_err(|error| Trouble::new(Exit::Error, whole(&error)))?;
    lock.tell(&session.holder(&paths.id)).map_err(|error| Trouble::new(Exit::Error, whole(&error)))?;
    let mut err = super::said::stderr();
    // The run has begun: that nobody hears of it must not end it.
    let _ = writeln!(
        err,
        "Run {} begins: {} -> {} on {}.",
        paths.id, target.tag, prepared.identity.new_tag, prepared.identity.branch
    );
    if let Some(at) = incident_began {
        let _ = writeln!(err, "{}", began::words(at, SystemClock.now()));
    }
    for warning in &warnings {
        let _ = writeln!(err, "warning: {warning}");
    }
    drop(err);
    drive(session.engine(paths, loaded.runbook)?)
}

/// Another run is active.
fn busy(session: &Session, active: &select::Selected) -> Trouble {
    let id = &active.paths.id;
    let driver = match select::driver(&session.store, &session.host, id) {
        Some((holder, _)) => {
            format!("driven by {} on {} (process {}) since {}", holder.user, holder.host, holder.pid, holder.since)
        }
        None => "driven by nobody at the moment".to_owned(),
    };
    let message = format!(
        "run {id} is active, {driver}. One run at a time:\n  continue:   hotfix resume {id}\n  roll back:  hotfix rollback {id}\n  end it:     hotfix abort {id} --reason TEXT"
    );
    Trouble::new(Exit::Locked, message)
}

/// What follows from the command line, the runbook and the repository.
pub(super) struct Prepared {
    pub(super) identity: Identity,
    pub(super) vars: BTreeMap<String, serde_json::Value>,
    reach: Reach,
    continues: Continues,
    warning: Option<String>,
    /// What the remote has, where it was asked and has answered.
    refs: Option<Vec<RemoteRef>>,
}

impl Prepared {
    /// The same for a plan: nobody is asked, and what earlier runs left does not matter.
    pub(super) fn for_plan(
        target: &Target,
        runbook: &Runbook,
        around: (&Repository, &Environment),
    ) -> Result<Self, Trouble> {
        Self::with(target, runbook, around, (Reach::Offline, Continues::Nothing))
    }

    pub(super) fn of(target: &Target, runbook: &Runbook, session: &Session) -> Result<Self, Trouble> {
        let reach = if target.offline { Reach::Offline } else { Reach::Online };
        let (issue, branch) = (issue(target), branch(target));
        let continues = if left_by_earlier(session, &issue, &branch)? { Continues::Branch } else { Continues::Nothing };
        Self::with(target, runbook, (&session.repository, &session.environment), (reach, continues))
    }

    fn with(
        target: &Target,
        runbook: &Runbook,
        (repository, environment): (&Repository, &Environment),
        (reach, continues): (Reach, Continues),
    ) -> Result<Self, Trouble> {
        let mut set = BTreeMap::new();
        for pair in &target.set {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(Trouble::new(Exit::Usage, format!("--set {pair}: write KEY=VALUE")));
            };
            if !runbook.vars.contains_key(name) {
                let known: Vec<_> = runbook.vars.keys().map(String::as_str).collect();
                let message = format!("--set {name}: the runbook has no such variable; it has {}", known.join(", "));
                return Err(Trouble::new(Exit::Usage, message));
            }
            set.insert(name.to_owned(), value.to_owned());
        }
        if let Some(base) = target.base {
            if !runbook.vars.contains_key("base") {
                let message = "--base: the runbook has no variable `base`, so that it would change nothing";
                return Err(Trouble::new(Exit::Usage, message));
            }
            let base = if base == Base::Tag { "tag" } else { "trunk" };
            set.insert("base".to_owned(), base.to_owned());
        }
        let remote = set.get("remote").cloned().or_else(|| runbook.vars.get("remote").map(crate::vars::text_of));
        let remote = remote.unwrap_or_else(|| "origin".to_owned());
        // A remote that does not answer is named by the preflight, with what else is wrong.
        let refs = (reach == Reach::Online).then(|| repository.remote_refs(&remote).ok()).flatten();
        let (new_tag, warning) = new_tag(target, repository, refs.as_deref().unwrap_or_default())?;
        let (tag, issue, slug, branch) = (target.tag.clone(), issue(target), slug(target), branch(target));
        let identity = Identity { tag, new_tag, issue, slug, branch };
        let vars = initial(runbook, &identity, &set, environment);
        let vars = vars.map_err(|why| Trouble::new(Exit::Invalid, why))?;
        Ok(Self { identity, vars, reach, continues, warning, refs })
    }

    /// Variables are written down and given to every script: none may hold a secret.
    fn secrets_in_variables(&self, loaded: &Loaded, session: &Session) -> Result<Vec<git::Failure>, Trouble> {
        let (_, masker) = session.masker(&loaded.runbook)?;
        let holds = |value: &serde_json::Value| {
            let text = value.to_string();
            masker.text(&text) != text
        };
        let names = self.vars.iter().filter(|(_, value)| holds(value)).map(|(name, _)| name);
        let failure = |name| git::Failure {
            problem: format!("the variable vars.{name} holds the value of a secret, and the log keeps variables"),
            mend: "write {{ env.NAME }} in the steps that need it".to_owned(),
        };
        Ok(names.map(failure).collect())
    }

    /// What there is to be said, or everything that stands in the way.
    fn preflight(&self, loaded: &Loaded, session: &Session, looking: &Looking) -> Result<Vec<String>, Trouble> {
        let [main, remote] =
            ["main", "remote"].map(|name| self.vars.get(name).map(crate::vars::text_of).unwrap_or_default());
        // Asked when the session began, most often. Where it cannot be, the preflight says so.
        let identity = session.repository.identity().ok().flatten();
        let request = git::Request {
            tag: &self.identity.tag,
            new_tag: &self.identity.new_tag,
            branch: &self.identity.branch,
            continues: self.continues,
            main: &main,
            remote: &remote,
            reach: self.reach,
            scripts: &[],
            known: git::Known { identity: identity.as_ref(), refs: self.refs.as_deref(), changes: Some(looking) },
        };
        let here = session.repository.work_tree();
        let frozen = loaded.frozen();
        let runbook = (&loaded.runbook, frozen.as_str());
        let found = preflight(here, &session.environment, Prompts::Never, runbook, &request);
        let mut found = found.map_err(|error| Trouble::new(Exit::Preflight, whole(&error)))?;
        found.failures.extend(self.secrets_in_variables(loaded, session)?);
        if found.failures.is_empty() {
            let continued = (self.continues == Continues::Branch).then(|| {
                format!("{} is there from an earlier run for the same issue: it goes on there", self.identity.branch)
            });
            let network = session.store.filesystem().warning();
            return Ok(self
                .warning
                .clone()
                .into_iter()
                .chain(continued)
                .chain(network)
                .chain(found.warnings)
                .collect());
        }
        let mut message = "the run cannot start yet:".to_owned();
        for failure in &found.failures {
            message += "\n  ";
            message += &failure.problem;
            message += "\n      ";
            message += &failure.mend;
        }
        Err(Trouble::new(Exit::Preflight, message))
    }
}

/// The new tag, and what to know of it before taking it.
fn new_tag(target: &Target, repository: &Repository, refs: &[RemoteRef]) -> Result<(String, Option<String>), Trouble> {
    if let Some(tag) = &target.new_tag {
        return Ok((tag.clone(), None));
    }
    let mut tags = repository.names(Kind::Tag).map_err(|error| Trouble::new(Exit::Preflight, whole(&error)))?;
    tags.extend(refs.iter().filter_map(|there| there.name.strip_prefix("refs/tags/").map(str::to_owned)));
    let bump = if target.bump == Bump::Patch { version::Bump::Patch } else { version::Bump::Hotfix };
    let next = version::next(&target.tag, bump, &tags);
    let next = next.map_err(|error| Trouble::new(Exit::Preflight, whole(&error)))?;
    Ok((next.tag.to_string(), next.warning))
}

/// Whether the branch is there because an earlier run for the same issue was rolled back or given up.
fn left_by_earlier(session: &Session, issue: &str, branch: &str) -> Result<bool, Trouble> {
    let here = session.repository.find(Kind::Branch, branch).ok().flatten().is_some();
    let tracked = session.repository.names(Kind::Branch).is_ok_and(|names| names.iter().any(|name| name == branch));
    if !here && !tracked {
        // Where it is only on the remote, the preflight says so.
        return Ok(false);
    }
    let text = |run: &Run, name: &str| run.vars().get(name).map(crate::vars::text_of);
    let runs = select::runs(&session.store)?.into_iter().map(select::Selected::open);
    Ok(runs.into_iter().any(|selected| {
        let run = selected.run(None);
        let over = matches!(run.phase(), Phase::RolledBack | Phase::Aborted | Phase::Finished);
        let same = text(&run, "issue").as_deref() == Some(issue) && text(&run, "branch").as_deref() == Some(branch);
        over && same
    }))
}

fn issue(target: &Target) -> String {
    target.issue.trim_start_matches('#').to_owned()
}

fn branch(target: &Target) -> String {
    format!("hotfix/{}", slug(target))
}

/// `1234` of `#1234`, `login-broken` of `Login broken!`, unless it was given.
fn slug(target: &Target) -> String {
    if let Some(name) = &target.name {
        return name.clone();
    }
    let fit = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '_' { c.to_ascii_lowercase() } else { '-' };
    let text: String = target.issue.chars().map(fit).collect();
    let parts: Vec<_> = text.split('-').filter(|part| !part.is_empty()).collect();
    parts.join("-").trim_matches('.').to_owned()
}
