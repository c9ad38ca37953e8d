//! `hotfix plan`, and `hotfix start --dry-run`.

use clap::Args;

use super::console::Look;
use super::start::{Prepared, Target};
use super::{Exit, Trouble, choose, data, repository};
use crate::git::{Kind, Repository};
use crate::plan::{Making, Plan, answers_template, lines};
use crate::preflight::scripts;
use crate::runbook::Runbook;
use crate::vars::Environment;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// Show the way back
    #[arg(long, conflicts_with = "answers_template")]
    rollback: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "answers_template")]
    json: bool,
    /// Print a file for --answers, with blanks
    #[arg(long)]
    answers_template: bool,
}

pub(super) fn run(arguments: &Arguments, look: &Look) -> Result<Exit, Trouble> {
    let plan = planned(&arguments.target, look)?;
    let text = match (arguments.rollback, arguments.json, arguments.answers_template) {
        (true, true, _) => json(&plan.back())?,
        (true, false, _) => plan.back().join("\n") + "\n",
        (_, true, _) => json(&plan)?,
        (_, _, true) => answers_template(&plan),
        _ => lines(&plan),
    };
    data(|out| out.write_all(text.as_bytes()))?;
    Ok(Exit::Success)
}

/// Shows what `target` would do.
pub(super) fn show(target: &Target, look: &Look) -> Result<Exit, Trouble> {
    let text = lines(&planned(target, look)?);
    data(|out| out.write_all(text.as_bytes()))?;
    Ok(Exit::Success)
}

fn json(what: &impl serde::Serialize) -> Result<String, Trouble> {
    let text = serde_json::to_string_pretty(what);
    text.map(|text| text + "\n").map_err(|error| Trouble::new(Exit::Error, error.to_string()))
}

fn planned(target: &Target, look: &Look) -> Result<Plan, Trouble> {
    let environment = Environment::of_process();
    let repository = repository()?;
    let loaded = choose::runbook(target.runbook.as_deref(), (&repository, &environment), look)?;
    let prepared = Prepared::for_plan(target, &loaded.runbook, (&repository, &environment))?;
    warn_of_tag(&repository, &prepared.identity.tag);
    let missing = missing(&repository, &prepared.identity.tag, &loaded.runbook);
    Ok(Plan::of(&Making {
        runbook: &loaded.runbook,
        identity: &prepared.identity,
        vars: &prepared.vars,
        environment: &environment,
        missing: &missing,
    }))
}

/// Says so where there is no tag `tag` here: it may be misspelt, or not fetched.
pub(super) fn warn_of_tag(repository: &Repository, tag: &str) {
    if matches!(repository.find(Kind::Tag, tag), Ok(Some(_))) {
        return;
    }
    let near = repository.nearest_tags(tag).unwrap_or_default().join(", ");
    let near = if near.is_empty() { near } else { format!(" (nearest: {near})") };
    super::rollback::say(&format!("warning: there is no tag {tag} here{near}"));
}

/// The scripts that the tag's tree does not have; none where there is no such tag.
fn missing(repository: &Repository, tag: &str, runbook: &Runbook) -> Vec<String> {
    let Ok(Some(commit)) = repository.find(Kind::Tag, tag) else { return Vec::new() };
    let lacks = |script: &String| matches!(repository.has_file(&commit, script), Ok(false));
    scripts(runbook).into_iter().filter(lacks).collect()
}
