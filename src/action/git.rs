//! One operation on the repository.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::commit::{Commit, commit};
use super::context::render;
use super::merge::merge;
use super::pick::{Pick, pick};
use super::tested::look;
use super::{Asked, Context, Disturbance, Done, Failure, Kind, Repetition, Stop};
use crate::clock::{LocalFuture, Timestamp, brief};
use crate::git::{self, Outcome, Repository};
use crate::operator::{Answer, Form, Purpose, Show, Way};
use crate::template::Template;
use crate::vars::Values;
use crate::version::files;

/// How long a `git` that was told to end may take to do so.
const PATIENCE: Duration = Duration::from_secs(2);

/// How much later than to git a signal may come to this program.
const A_MOMENT: Duration = Duration::from_millis(100);

/// What a `git` step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Git {
    /// Fetches the remote, with its tags.
    Fetch,
    /// Makes a branch and switches to it.
    Branch {
        /// Its name.
        name: Template,
        /// Where it starts.
        from: Template,
    },
    /// Writes a version into the runbook's `version_files` and the lock files that belong to them.
    Bump(Template),
    /// Commits what is staged or changed.
    Commit(Commit),
    /// Makes an annotated tag.
    Tag {
        /// Its name.
        name: Template,
        /// Its message.
        message: Option<Template>,
        /// The stage that has tested what it names.
        #[serde(default)]
        tested: Option<String>,
    },
    /// Pushes these refs, all or none.
    Push(Vec<Template>),
    /// Merges a branch into another, and pushes that.
    Merge {
        /// What is merged.
        branch: Template,
        /// What it is merged into.
        into: Template,
        /// Which branches get it too, where there are such: names, in which `*` stands for anything.
        #[serde(default)]
        also: Vec<Template>,
    },
    /// Takes commits of another branch, which the operator chooses.
    CherryPick(Pick),
    /// Deletes a branch, here and on the remote.
    DeleteBranch(Template),
}

impl Kind for Git {
    fn describe(&self, values: &Values) -> Result<String, String> {
        let of = |template: &Template| template.render(values);
        let (main, remote) = (values.text("main"), values.text("remote"));
        Ok(match self {
            Self::Fetch => format!("git fetch --tags {remote}"),
            Self::Branch { name, from } => format!("git switch -c {} {}", of(name)?, of(from)?),
            Self::Bump(version) => format!("set the version {} in the version files", of(version)?),
            Self::Commit(commit) => {
                let message = of(&commit.message)?;
                message.lines().fold("git commit\n".to_owned(), |text, line| text + "    " + line + "\n")
            }
            Self::Tag { name, message, tested } => {
                let message = message.as_ref().map(of).transpose()?;
                let message = message.map(|text| format!(" --message '{}'", text.trim())).unwrap_or_default();
                let once = tested
                    .as_ref()
                    .map(|stage| format!("\nonce it is what the stage {stage} tested, but for the version"));
                format!("git tag --annotate {}{message}{}", of(name)?, once.unwrap_or_default())
            }
            Self::Push(refs) => {
                let refs = refs.iter().map(of).collect::<Result<Vec<_>, _>>()?.join(" ");
                format!("git push --atomic {remote} {refs}")
            }
            Self::Merge { branch, into, also } => {
                let (branch, into) = (of(branch)?, of(into)?);
                let text = format!("merge {branch} into {into}, and push {into} to {remote}");
                if also.is_empty() {
                    return Ok(text);
                }
                let also = also.iter().map(of).collect::<Result<Vec<_>, _>>()?.join(", ");
                format!("{text}; then likewise into each that there is of: {also}")
            }
            Self::CherryPick(pick) => {
                let branch = of(&pick.branch)?;
                format!("git cherry-pick -x what is chosen of {branch}: the ids, or none")
            }
            Self::DeleteBranch(branch) => {
                format!(
                    "delete the branch {} here and on {remote}, once {main} has all of it;\nno file of the work tree is touched",
                    of(branch)?
                )
            }
        })
    }

    fn perform<'a>(&'a self, ctx: &'a Context<'a>) -> LocalFuture<'a, Result<Done, Stop>> {
        Box::pin(async {
            let what = self.describe(ctx.values).map_err(|why| Stop::failed("template", why))?;
            ctx.desk.show(Show::Command { text: &what, values: &[], timeout: ctx.settings.timeout });
            let done = self.act(ctx).await;
            ctx.desk.show(Show::CommandEnded);
            done
        })
    }

    fn repetition(&self) -> Repetition {
        Repetition::Unasked
    }

    fn form(&self, _: &Values) -> Result<Option<Form>, String> {
        Ok(match self {
            Self::Commit(_) => Some(Form::Confirm),
            Self::CherryPick(_) => Some(Form::Text),
            _ => None,
        })
    }

    fn tested(&self) -> Option<&str> {
        if let Self::Tag { tested, .. } = self { tested.as_deref() } else { None }
    }

    fn gives(&self) -> Vec<&str> {
        let taken = if let Self::CherryPick(pick) = self { pick.taken.as_deref() } else { None };
        taken.into_iter().collect()
    }
}

impl Git {
    async fn act(&self, ctx: &Context<'_>) -> Result<Done, Stop> {
        let of = |template: &Template| render(template, ctx.values);
        let remote = ctx.values.text("remote");
        let repository = ctx.world.repository.within(ctx.settings.timeout).map_err(refused)?;
        match self {
            Self::Fetch => apart(ctx, &repository, move |it| it.fetch(&remote).map(|()| Outcome::Done)).await,
            Self::Branch { name, from } => {
                let (name, from) = (of(name)?, of(from)?);
                apart(ctx, &repository, move |it| it.create_branch(&name, &from)).await
            }
            Self::Bump(version) => bump(ctx, &of(version)?),
            Self::Commit(fix) => commit(ctx, &repository, (of(&fix.message)?, fix)).await,
            Self::Tag { name, message, tested } => {
                let name = of(name)?;
                let facts = match tested {
                    Some(stage) => look(ctx, &repository, (stage, &name)).await?,
                    None => Map::new(),
                };
                let message = message.as_ref().map_or_else(|| Ok(name.clone()), of)?;
                let message = format!("{}\n\nHotfix-Audit: {}\n", message.trim_end(), ctx.desk.anchor());
                let mut done = apart(ctx, &repository, move |it| it.tag(&name, "HEAD", &message)).await?;
                done.result.extend(facts);
                Ok(done)
            }
            Self::Push(refs) => {
                let names = refs.iter().map(of).collect::<Result<Vec<_>, _>>()?;
                apart(ctx, &repository, move |it| {
                    let found = names.iter().map(|name| Ok((kind_of(it, name)?, name.as_str())));
                    it.push(&remote, &found.collect::<Result<Vec<_>, git::Error>>()?)
                })
                .await
            }
            Self::Merge { branch, into, also } => {
                let also = also.iter().map(of).collect::<Result<Vec<_>, _>>()?;
                merge(ctx, &repository, (of(branch)?, of(into)?, also)).await
            }
            Self::CherryPick(from) => pick(ctx, &repository, (of(&from.branch)?, from.taken.as_ref())).await,
            Self::DeleteBranch(branch) => {
                let (branch, main) = (of(branch)?, ctx.values.text("main"));
                let (name, remote) = (main.clone(), repository.has_remote(&remote).map_err(refused)?.then_some(remote));
                let mut done =
                    apart(ctx, &repository, move |it| it.delete_branch(&branch, &main, remote.as_deref())).await?;
                if repository.current_branch().map_err(refused)?.is_none()
                    && let Some(head) = repository.head().map_err(refused)?
                {
                    let short: String = head.chars().take(12).collect();
                    let at = format!("no file was touched: the work tree is at {short}, on no branch now");
                    ctx.desk.show(Show::Info(&at));
                    let way = match repository.checked_out(&name).map_err(refused)? {
                        Some(place) => format!("{name} is checked out in {place}"),
                        None => format!("`git switch {name}` leads to {name}"),
                    };
                    ctx.desk.show(Show::Info(&way));
                    done.result.insert("detached".to_owned(), head.into());
                }
                Ok(done)
            }
        }
    }
}

/// Has git do something, as [`undisturbed`] does: what there is to say of it.
pub(super) async fn apart<T: Into<Done> + Send + 'static>(
    ctx: &Context<'_>,
    repository: &Repository,
    act: impl FnOnce(&Repository) -> Result<T, git::Error> + Send + 'static,
) -> Result<Done, Stop> {
    undisturbed(ctx, repository, act).await.map(Into::into)
}

/// Has git do something in a thread of its own. What breaks in stops it, a Ctrl-C where the operator says so; the step is done
/// again then, and does what is left to do.
///
/// # Why
/// Git may ask for a password at any moment, so the keys are its own, and no line is drawn that would take its question off the
/// screen.
pub(super) async fn undisturbed<T: Send + 'static>(
    ctx: &Context<'_>,
    repository: &Repository,
    act: impl FnOnce(&Repository) -> Result<T, git::Error> + Send + 'static,
) -> Result<T, Stop> {
    let (repository, leash) = repository.leashed().map_err(refused)?;
    ctx.desk.show(Show::KeysLeft);
    let began = ctx.world.clock.now();
    let mut work = tokio::task::spawn_blocking(move || act(&repository));
    let stop = loop {
        let disturbance = tokio::select! {
            biased;
            done = &mut work => return came_of(ctx, done).await,
            disturbance = ctx.desk.interruption() => disturbance,
        };
        if let Disturbance::Stop(stop) = disturbance {
            break stop;
        }
        // Where git itself asks something the Ctrl-C was for it.
        let Some(_withheld) = leash.withhold() else { continue };
        let attended = tokio::select! {
            biased;
            done = &mut work => return came_of(ctx, done).await,
            attended = attend(ctx, began) => attended,
        };
        if let Err(stop) = attended {
            break stop;
        }
    };
    leash.pull();
    tokio::select! {
        _ = &mut work => return Err(stop),
        () = ctx.world.clock.sleep(PATIENCE) => leash.kill(),
    }
    // It gives the terminal back.
    tokio::select! {
        _ = &mut work => {}
        () = ctx.world.clock.sleep(PATIENCE) => {}
    }
    Err(stop)
}

async fn attend(ctx: &Context<'_>, began: Timestamp) -> Result<(), Stop> {
    let most = ctx.settings.timeout.map(|limit| format!(" (at most {})", brief(limit))).unwrap_or_default();
    let so_far = brief(ctx.world.clock.now().since(began));
    let prompt = format!("git has been at it for {so_far}{most}, and is held.\nGo on with it, or stop it?");
    let form = Form::Way(vec![Way::Wait, Way::Stop]);
    match ctx.desk.ask(Asked { purpose: Purpose::Command, prompt, form }).await? {
        Answer::Way { way: Way::Stop, .. } => Err(Stop::failed("stopped", "git was stopped by the operator")),
        _ => Ok(()),
    }
}

/// What has come of the work. A signal that ended git as well, such as that of a terminal that is gone, is not git's failure.
async fn came_of<T>(ctx: &Context<'_>, done: Result<Result<T, git::Error>, tokio::task::JoinError>) -> Result<T, Stop> {
    let done = done.map_err(Stop::broken)?;
    if done.is_err() {
        tokio::select! {
            biased;
            disturbance = ctx.desk.interruption() => if let Disturbance::Stop(stop) = disturbance {
                return Err(stop);
            },
            () = ctx.world.clock.sleep(A_MOMENT) => {}
        }
    }
    done.map_err(refused)
}

impl From<Outcome> for Done {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::default(),
            Outcome::Already => Self::with("already", true),
            Outcome::Replayed => Self::with("rerere", true),
        }
    }
}

/// What git refused; where it took too long, or a person ended it, that is told apart, as with a command.
#[expect(clippy::needless_pass_by_value, reason = "it stands behind `map_err`")]
pub(super) fn refused(error: git::Error) -> Stop {
    let timed_out = matches!(error, git::Error::TooLong(_));
    let reason = match error {
        git::Error::TooLong(_) => "timeout",
        git::Error::Interrupted => "stopped",
        git::Error::Conflict(_) | git::Error::Unsolved(_) | git::Error::Markers(_) => "conflict",
        git::Error::Waiting(_) => "waiting",
        _ => "git",
    };
    let facts = Map::from_iter([("timed_out".to_owned(), timed_out.into())]);
    Stop::Failed(Failure { reason, message: error.to_string(), facts })
}

/// A tag where there is one of that name, else a branch.
fn kind_of(repository: &Repository, name: &str) -> Result<git::Kind, git::Error> {
    let tag = repository.find(git::Kind::Tag, name)?.is_some();
    Ok(if tag { git::Kind::Tag } else { git::Kind::Branch })
}

fn bump(ctx: &Context<'_>, version: &str) -> Result<Done, Stop> {
    let work_tree = ctx.world.repository.work_tree();
    let (mut names, mut absent) = (Vec::new(), Vec::new());
    for file in &ctx.world.version_files {
        let name = render(file, ctx.values)?;
        if work_tree.join(&name).exists() {
            names.push(name);
        } else {
            ctx.desk.show(Show::Warning(&format!("{name} is not there; no version was set in it")));
            absent.push(name);
        }
    }
    let failed = |error: files::Error| Stop::failed("version", error.to_string());
    let planned = files::plan(work_tree, &names, &ctx.values.text("previous_version"), version).map_err(failed)?;
    for file in &planned {
        match file.write().map_err(failed)? {
            files::Edit::Changed => ctx.desk.show(Show::Info(&format!("{}: {version}", file.name))),
            files::Edit::Already => ctx.desk.show(Show::Info(&format!("{}: {version} already", file.name))),
        }
    }
    let mut done = Done::with("files", planned.into_iter().map(|file| file.name).collect::<Vec<_>>());
    if !absent.is_empty() {
        done.result.insert("absent".to_owned(), absent.into());
    }
    Ok(done)
}
