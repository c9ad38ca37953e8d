//! Merging a branch back, into one branch and into others that are there.

use serde_json::Value;

use super::git::{apart, refused};
use super::{Context, Done, Stop};
use crate::git::{Along, Error, Outcome, Repository};
use crate::operator::Show;

/// What came of all the merges of one step.
#[derive(Default)]
struct Merges {
    /// The branches that have it now and had not before.
    into: Vec<String>,
    /// Those of them where a conflict was solved as once before.
    replayed: Vec<String>,
    /// Those that have commits of their own here, and were left.
    left: Vec<String>,
}

impl From<Merges> for Done {
    fn from(merges: Merges) -> Self {
        let mut done = Self::default();
        let facts = [
            ("already", Value::from(true), merges.into.is_empty()),
            ("rerere", Value::from(true), !merges.replayed.is_empty()),
            ("left", Value::from(merges.left.clone()), !merges.left.is_empty()),
            ("into", Value::from(merges.into.clone()), !merges.into.is_empty()),
        ];
        done.result.extend(facts.into_iter().filter(|(.., known)| *known).map(|(name, value, _)| (name.into(), value)));
        done
    }
}

/// Merges `branch` into `into`, and into what else fits `also`. One that needs a person does not keep the others from theirs.
pub(super) async fn merge(
    ctx: &Context<'_>,
    repository: &Repository,
    (branch, into, also): (String, String, Vec<String>),
) -> Result<Done, Stop> {
    let remote = ctx.values.text("remote");
    let remote = repository.has_remote(&remote).map_err(refused)?.then_some(remote);
    let trailer = format!("Hotfix-Audit: {}", ctx.desk.anchor());
    let named = remote.clone().unwrap_or_default();
    let done = apart(ctx, repository, move |it| {
        let first = Along { name: into.clone(), shared: remote.is_some() };
        let mut all = it.like(&also, remote.as_deref())?;
        all.retain(|along| along.name != into && along.name != branch);
        let (mut merges, mut unmerged) = (Merges::default(), Vec::new());
        for Along { name, shared } in [first].into_iter().chain(all) {
            let message = format!("Merge branch '{branch}' into {name}\n\n{trailer}\n");
            match it.merge(&branch, &name, remote.as_deref().filter(|_| shared), &message) {
                Ok(merge) => {
                    if merge.left {
                        merges.left.push(name.clone());
                    }
                    if merge.outcome == Outcome::Replayed {
                        merges.replayed.push(name.clone());
                    }
                    if merge.outcome != Outcome::Already {
                        merges.into.push(name);
                    }
                }
                Err(error @ (Error::Conflict(_) | Error::Unsolved(_) | Error::Waiting(_))) => unmerged.push(error),
                Err(error) => return Err(error),
            }
        }
        match unmerged.len() {
            0 => Ok(merges),
            1 => Err(unmerged.remove(0)),
            _ => Err(Error::Several(unmerged)),
        }
    })
    .await?;
    if done.result.contains_key("rerere") {
        let text = "a conflict was solved as it was once before (git rerere): look at what was merged";
        ctx.desk.show(Show::Warning(text));
    }
    let left = done.result.get("left").and_then(Value::as_array);
    for name in left.into_iter().flatten().filter_map(Value::as_str) {
        let text = format!(
            "`{name}` has commits of its own here and was left where it is; `{named}/{name}` has the merge: `git pull` in it brings \
             them together"
        );
        ctx.desk.show(Show::Warning(&text));
    }
    Ok(done)
}
