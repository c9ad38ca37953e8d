//! What must hold before a run starts: of the repository, and of the runbook in these surroundings. Everything at once.

use std::collections::BTreeSet;
use std::path::Path;

use crate::git::{self, Failure, Prompts, Reach};
use crate::runbook::{Body, Runbook, Step};
use crate::vars::Environment;

/// The shortest secret that is searched for in what is shown, in bytes.
const SHORTEST_SECRET: usize = 4;

/// All that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preflight {
    /// What stands in the way.
    pub failures: Vec<Failure>,
    /// What there is to be said before the run starts.
    pub warnings: Vec<String>,
}

/// Looks at everything. `frozen` is the text of `runbook`.
///
/// # Errors
/// Where `git` cannot be started or the repository cannot be read.
pub fn preflight(
    path: &Path,
    environment: &Environment,
    prompts: Prompts,
    (runbook, frozen): (&Runbook, &str),
    request: &git::Request<'_>,
) -> Result<Preflight, git::Error> {
    let scripts: Vec<String> = scripts(runbook).into_iter().collect();
    let repository =
        git::preflight(path, environment.clone(), prompts, &git::Request { scripts: &scripts, ..*request })?;
    let mut found = Preflight { failures: repository.failures, warnings: repository.warnings };
    if request.reach == Reach::Offline {
        found.warnings.push(format!("the remote {} was not asked: --offline", request.remote));
    }
    for script in &repository.missing_scripts {
        found.warnings.push(format!("./{script} is not in {}: its steps are work by hand", request.tag));
    }
    let used = used_environment(frozen);
    for name in &used {
        match environment.get(name) {
            None if runbook.secrets.contains(name) => found.failures.push(Failure {
                problem: format!("the secret {name} is not set, and a step uses it"),
                mend: format!("export {name}=VALUE"),
            }),
            None => found.failures.push(Failure {
                problem: format!("the environment variable {name} is not set, and a step uses it"),
                mend: format!("export {name}=VALUE"),
            }),
            Some(_) => {}
        }
    }
    for name in &runbook.secrets {
        if environment.get(name).is_some_and(|value| value.len() < SHORTEST_SECRET) {
            found.warnings.push(format!("the secret {name} is too short to be taken out of what is shown"));
        }
    }
    for (name, value) in &runbook.vars {
        let value = value.as_str().unwrap_or_default();
        if name.ends_with("_url") && value.contains("example.com") {
            let mend = "set it in a runbook of your own (`hotfix init --extend`), or by --set";
            found.warnings.push(format!("{name} is still {value}: {mend}"));
        }
    }
    for (name, channel) in runbook.channels.iter().filter(|(_, channel)| channel.run.is_none()) {
        if let Some(variable) = channel.url_env.as_ref().filter(|variable| environment.get(variable).is_none()) {
            found.warnings.push(format!("{variable} is not set: no message will reach {name}"));
        }
    }
    Ok(found)
}

/// Every script of the repository that the runbook runs, from the top of the work tree.
#[must_use]
pub fn scripts(runbook: &Runbook) -> BTreeSet<String> {
    fn add(steps: &[Step], found: &mut BTreeSet<String>) {
        for step in steps {
            let own = match &step.body {
                Body::Action(action) => Some(action),
                Body::Group(group) => {
                    add(&group.steps, found);
                    None
                }
            };
            let dir = step.dir.as_ref().map(|dir| dir.text().trim_end_matches('/')).filter(|dir| !dir.contains("{{"));
            for action in own.into_iter().chain(&step.undo).chain(&step.verify) {
                found.extend(action.kind().script().map(|script| match dir {
                    Some(dir) => format!("{dir}/{script}"),
                    None => script.to_owned(),
                }));
            }
        }
    }
    let mut found = BTreeSet::new();
    runbook.stages.iter().for_each(|stage| add(&stage.steps, &mut found));
    found
}

/// The names behind `env.` inside `{{ }}` of the runbook's text.
fn used_environment(frozen: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for part in frozen.split("{{").skip(1) {
        let inside = part.split("}}").next().unwrap_or_default();
        for (at, _) in inside.match_indices("env.") {
            let before = inside[..at].chars().next_back();
            let name: String =
                inside[at + 4..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if !name.is_empty() && !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.') {
                names.insert(name);
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::used_environment;

    #[test]
    fn the_environment_that_a_runbook_uses_is_what_stands_behind_env() {
        let names = used_environment("a: '{{ env.A_1 }} env.NO {{ x.env.NO }}{{ y ~ env.B }}'");
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["A_1", "B"]);
    }
}
