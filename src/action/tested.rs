//! Whether what is about to be released is what was tested.
//!
//! # Why
//! The version is set and the commit made behind the tests, so the two are never the same. What differs is shown, and may only be
//! the version. Each test is held to what was in the work tree when it began, the last time; so one that was run before the fix
//! was mended is not taken for a test of the mended one.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::commit::table;
use super::context::render;
use super::git::refused;
use super::{Asked, Context, Stop, Test};
use crate::git::{Repository, Stat};
use crate::operator::{Form, Purpose, Show};
use crate::version::files;

/// What differs from the files of some tests.
#[derive(Default)]
struct Differences {
    /// Files that carry the version, and no more has changed in them than it.
    version: Vec<Stat>,
    /// Files that git did not know when they were tested, and that were left out of the commit.
    left_out: Vec<String>,
    /// Files that differ all the same.
    other: Vec<Stat>,
}

/// Holds HEAD, which the tag `name` is about to name, against what the stage `stage` has tested: shows what differs, and asks
/// where it is more than the version. What there is to be recorded of it.
pub(super) async fn look(
    ctx: &Context<'_>,
    repository: &Repository,
    (stage, name): (&str, &str),
) -> Result<Map<String, Value>, Stop> {
    let tests = ctx.desk.tested(stage);
    let Some(head) = repository.head().map_err(refused)? else { return Ok(Map::new()) };
    if tests.is_empty() {
        let text = format!("no test of the stage `{stage}` is on record, so {name} may be what nobody has tested");
        ctx.desk.show(Show::Warning(&text));
        return Ok(Map::new());
    }
    let carriers = carriers(ctx)?;
    let (mut facts, mut untested) = (Map::new(), Vec::new());
    let (mut shown, mut trees): (Vec<Stat>, Vec<&str>) = Default::default();
    for test in &tests {
        if trees.contains(&test.tree.as_str()) {
            continue;
        }
        trees.push(&test.tree);
        let of: Vec<&Test> = tests.iter().filter(|other| other.tree == test.tree).collect();
        let Ok(stats) = repository.stat_between(&test.tree, &head) else {
            untested.push((of, Vec::new()));
            continue;
        };
        let found = sorted(repository, (test, &head), stats, &carriers)?;
        if !found.left_out.is_empty() {
            let files = found.left_out.join(", ");
            let text = format!("there when it was tested, and not in {name}: {files}");
            ctx.desk.show(Show::Warning(&text));
            facts.insert("left_out".to_owned(), found.left_out.into());
        }
        shown.extend(found.version.into_iter().filter(|stat| !shown.contains(stat)).collect::<Vec<_>>());
        if !found.other.is_empty() {
            untested.push((of, found.other));
        }
    }
    if shown.is_empty() && untested.is_empty() {
        ctx.desk.show(Show::Info(&format!("{name} is what was tested: {}", steps(&tests))));
    }
    if !shown.is_empty() {
        let only = if untested.is_empty() { "only " } else { "" };
        let of = steps(&tests);
        let text = format!("{only}version files and their lock files have changed since it was tested ({of}):");
        ctx.desk.show(Show::Info(&text));
        ctx.desk.show(Show::Guidance(&table(&shown)));
        facts.insert("differs".to_owned(), names(&shown).into());
    }
    if !untested.is_empty() {
        let all: Vec<String> = untested.iter().flat_map(|(_, stats)| names(stats)).collect();
        ask(ctx, (name, &head), &untested).await?;
        facts.insert("untested".to_owned(), all.into());
    }
    facts.insert("tested".to_owned(), tests.iter().map(|test| test.step.clone()).collect::<Vec<_>>().into());
    Ok(facts)
}

/// Asks whether what differs was tested all the same. The answer is for this commit and no other.
async fn ask(ctx: &Context<'_>, (name, head): (&str, &str), untested: &[(Vec<&Test>, Vec<Stat>)]) -> Result<(), Stop> {
    let mut prompt = format!("{name} would not be what was tested:\n");
    let mut commands: Vec<&str> = Vec::new();
    for (tests, stats) in untested {
        let of = tests.iter().map(|test| test.step.as_str()).collect::<Vec<_>>().join(", ");
        match stats.len() {
            0 => _ = writeln!(prompt, "what {of} had before it is not to be found any more"),
            _ => _ = writeln!(prompt, "changed since {of}:"),
        }
        names(stats).iter().for_each(|file| _ = writeln!(prompt, "  {file}"));
        commands.extend(tests.iter().map(|test| test.what.as_str()));
    }
    let stats: Vec<Stat> = untested.iter().flat_map(|(_, stats)| stats.clone()).collect();
    if !stats.is_empty() {
        ctx.desk.show(Show::Guidance(&table(&stats)));
    }
    prompt += "Test again what is committed now (Esc has a shell):\n";
    commands.iter().for_each(|command| _ = writeln!(prompt, "  {command}"));
    let expected: String = head.chars().take(8).collect();
    let _ = write!(prompt, "Once that has passed, type the commit it was: {expected}");
    ctx.desk.ask(Asked { purpose: Purpose::Difference, prompt, form: Form::Typed { expected } }).await.map(drop)
}

/// What kind of difference each of `stats` is, between what was tested and the commit `head`.
fn sorted(
    repository: &Repository,
    (test, head): (&Test, &str),
    stats: Vec<Stat>,
    carriers: &Carriers,
) -> Result<Differences, Stop> {
    let has = |commit: &str, path: &str| repository.has_entry(commit, path).map_err(refused);
    let mut found = Differences::default();
    for stat in stats {
        // The version is one place of such a file, and so one line.
        let version = carriers.named.contains(&stat.path) && stat.lines == Some((1, 1));
        let unknown = match &test.head {
            Some(before) => !has(before, &stat.path)?,
            None => true,
        };
        if version || carriers.locks.contains(&stat.path) {
            found.version.push(stat);
        } else if unknown && !has(head, &stat.path)? {
            found.left_out.push(stat.path);
        } else {
            found.other.push(stat);
        }
    }
    Ok(found)
}

/// The files that carry the version.
struct Carriers {
    /// Those that the runbook names.
    named: Vec<String>,
    /// The lock files that go with them.
    locks: Vec<String>,
}

fn carriers(ctx: &Context<'_>) -> Result<Carriers, Stop> {
    let top = ctx.world.repository.work_tree();
    let names = ctx.world.version_files.iter().map(|file| render(file, ctx.values)).collect::<Result<Vec<_>, _>>()?;
    let there: Vec<String> = names.iter().filter(|name| top.join(name).exists()).cloned().collect();
    let [old, new] = ["previous_version", "version"].map(|name| ctx.values.text(name));
    let named: Vec<String> = names.iter().map(|name| name.trim_start_matches("./").to_owned()).collect();
    // What cannot be planned has no lock files that are sure to go with it.
    let planned = files::plan(top, &there, &old, &new).unwrap_or_default();
    let locks = planned.into_iter().map(|file| file.name).filter(|name| !named.contains(name)).collect();
    Ok(Carriers { named, locks })
}

fn steps(tests: &[Test]) -> String {
    tests.iter().map(|test| test.step.as_str()).collect::<Vec<_>>().join(", ")
}

fn names(stats: &[Stat]) -> Vec<String> {
    stats.iter().map(|stat| stat.path.clone()).collect()
}
