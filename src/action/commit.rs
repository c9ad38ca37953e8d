//! The commit of a fix: what would be in it is shown and asked about before it is made.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::git::{apart, refused};
use super::{Asked, Context, Done, Stop};
use crate::action::confirm::OnNo;
use crate::digest::sha256;
use crate::git::{ChangeKind, Origin, Repository, Source, Stat};
use crate::operator::{Answer, Form, Item, Presence, Purpose, Show};
use crate::template::Template;

/// A commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// Its message.
    pub message: Template,
    /// Whether a person finishes the message in their editor.
    #[serde(default)]
    pub edit: bool,
    /// How much a fix should not exceed.
    #[serde(default)]
    pub warn_above: Limits,
}

/// How much is little enough; more than that is warned of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Files, those that a program writes aside.
    #[serde(default)]
    pub files: Option<u64>,
    /// Lines added and removed in these.
    #[serde(default)]
    pub lines: Option<u64>,
}

/// Commits what git knows and was changed, once the operator has seen it and says so. Files that git does not know are asked
/// about, and left out unless they are named.
pub(super) async fn commit(
    ctx: &Context<'_>,
    repository: &Repository,
    (message, fix): (String, &Commit),
) -> Result<Done, Stop> {
    let changes = repository.changes().map_err(refused)?;
    let of = |kind| changes.iter().filter(move |change| change.kind == kind).map(|change| change.path.clone());
    let known: Vec<String> = of(ChangeKind::Tracked).collect();
    let new = chosen(ctx, of(ChangeKind::Untracked).collect()).await?;
    // A directory that was ticked stands for what is in it.
    let new = repository.unknown(&new).map_err(refused)?;
    let paths = [known.clone(), new.clone()].concat();
    let staged = changes.iter().any(|change| change.staged);
    let (stats, patch) = repository.preview((&known, &new), staged).map_err(refused)?;
    if !paths.is_empty() {
        let patch = patch + &news(repository, &new);
        confirm(ctx, (&stats, fix.warn_above), &patch).await?;
    }
    if paths.is_empty()
        && let Some(done) = committed_before(ctx, repository)?
    {
        return Ok(done);
    }
    let message = if fix.edit && !paths.is_empty() { edited(ctx, message).await? } else { message };
    let named = paths.clone();
    let mut done = apart(ctx, repository, move |it| {
        it.add(&new)?;
        it.commit(&message, &named)
    })
    .await?;
    let (added, removed) = lines(&stats);
    done.result.insert("files".to_owned(), paths.into());
    done.result.insert("added".to_owned(), added.into());
    done.result.insert("removed".to_owned(), removed.into());
    if let Ok(Some(head)) = ctx.world.repository.head() {
        done.result.insert("commit".to_owned(), head.into());
    }
    Ok(done)
}

/// What there is to be said where nothing is left to commit because the branch has the fix already: a commit that was taken from
/// elsewhere, or made by hand.
fn committed_before(ctx: &Context<'_>, repository: &Repository) -> Result<Option<Done>, Stop> {
    let [main, remote, tag] = ["main", "remote", "tag"].map(|name| ctx.values.text(name));
    let source = Source { branch: &main, remote: Some(remote.as_str()).filter(|remote| !remote.is_empty()) };
    if main.is_empty() || tag.is_empty() || !repository.has_own_commits(source, &tag).map_err(refused)? {
        return Ok(None);
    }
    let Some(head) = repository.head().map_err(refused)? else { return Ok(None) };
    let short: String = head.chars().take(12).collect();
    ctx.desk.show(Show::Info(&format!("nothing is left to commit: the fix is in {short} and what is before it")));
    let mut done = Done::with("already", true);
    done.result.insert("commit".to_owned(), head.into());
    Ok(Some(done))
}

/// The message as a person leaves it; as it is where a file answers.
async fn edited(ctx: &Context<'_>, message: String) -> Result<String, Stop> {
    if ctx.desk.presence() == Presence::File {
        return Ok(message);
    }
    let prompt = "The message of the commit. Leave it as it is, or finish it.";
    match ctx.desk.ask(Asked::own(prompt, Form::Editor { initial: message.clone() })).await? {
        Answer::Text(text) => Ok(text),
        _ => Ok(message),
    }
}

/// Those of the files at `unknown` that belong in the fix.
async fn chosen(ctx: &Context<'_>, unknown: Vec<String>) -> Result<Vec<String>, Stop> {
    if unknown.is_empty() {
        return Ok(unknown);
    }
    let form = Form::Checklist(unknown.into_iter().map(|text| Item { text, optional: true }).collect());
    let prompt = "git does not know these files. Tick those that belong in the fix; the others stay out of it.".into();
    match ctx.desk.ask(Asked { purpose: Purpose::Difference, prompt, form }).await? {
        Answer::Checked(ticked) => Ok(ticked),
        _ => Ok(Vec::new()),
    }
}

/// The files at `paths` as additions to a patch.
fn news(repository: &Repository, paths: &[String]) -> String {
    let mut patch = String::new();
    for path in paths {
        let text = std::fs::read(repository.work_tree().join(path)).unwrap_or_default();
        let _ = writeln!(patch, "new file {path}");
        String::from_utf8_lossy(&text).lines().for_each(|line| _ = writeln!(patch, "+{line}"));
    }
    patch
}

/// Shows what would be committed and asks about it. The patch itself is what the menu shows as output.
async fn confirm(ctx: &Context<'_>, (stats, limits): (&[Stat], Limits), patch: &str) -> Result<(), Stop> {
    ctx.desk.show(Show::Guidance(&table(stats)));
    too_much(stats, limits).iter().for_each(|warning| ctx.desk.show(Show::Warning(warning)));
    let kept = std::fs::write(ctx.place.file(".log"), ctx.world.masker.text(patch));
    if let Err(error) = kept {
        ctx.desk.show(Show::Warning(&format!("the difference cannot be shown: {error}")));
    }
    let (added, removed) = lines(stats);
    let files = if stats.len() == 1 { "this file".to_owned() } else { format!("these {} files", stats.len()) };
    // An answer is for this difference and no other.
    let digest = sha256(patch.as_bytes());
    let prompt = format!(
        "Commit {files}, +{added} -{removed} lines (difference {})?\nEsc and `view the output` show the difference.",
        &digest[..8]
    );
    match ctx.desk.ask(Asked::own(prompt.clone(), Form::Confirm)).await? {
        Answer::No => Err(Stop::No { does: OnNo::Pause, prompt }),
        _ => Ok(()),
    }
}

/// Files with their lines, one a line, to be shown as it stands: neither wrapped nor filled.
pub(super) fn table(stats: &[Stat]) -> String {
    let count = |stat: &Stat| match stat.lines {
        Some((added, removed)) => format!("+{added} -{removed}"),
        None => "binary".to_owned(),
    };
    let width = stats.iter().map(|stat| count(stat).len()).max().unwrap_or_default();
    let mut table = "```\n".to_owned();
    for stat in stats {
        let origin = match stat.origin {
            Origin::Person => "",
            Origin::LockFile => "   (lock file)",
            Origin::Generated => "   (generated)",
        };
        let _ = writeln!(table, "{:<width$}  {}{origin}", count(stat), stat.path);
    }
    table + "```"
}

/// What there is to be said where it is more than a fix should be. What programs write is not counted.
fn too_much(stats: &[Stat], limits: Limits) -> Vec<String> {
    let own: Vec<Stat> = stats.iter().filter(|stat| stat.origin == Origin::Person).cloned().collect();
    let (added, removed) = lines(&own);
    let found = [(limits.files, own.len() as u64, "files"), (limits.lines, added + removed, "lines")];
    let over = found.into_iter().filter_map(|(limit, found, what)| {
        let limit = limit.filter(|limit| found > *limit)?;
        Some(format!("{found} {what} are changed, and a fix should not exceed {limit}: is all of it needed now?"))
    });
    over.collect()
}

/// How many lines are added and removed in all.
fn lines(stats: &[Stat]) -> (u64, u64) {
    let counted = stats.iter().filter_map(|stat| stat.lines);
    counted.fold((0, 0), |(added, removed), (more, less)| (added + more, removed + less))
}
