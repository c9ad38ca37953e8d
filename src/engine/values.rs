//! The values that a step sees, and its fields worked out with them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::Engine;
use crate::action::{Settings, Stop};
use crate::clock::Timestamp;
use crate::operator::{Course, Show};
use crate::run::{Phase, Run};
use crate::runbook::{Body, Runbook, Step};
use crate::schedule::{self, Stands};
use crate::template::{Length, Template};
use crate::vars::{Environment, Values, text_of};
use crate::version::VersionTag;

/// What a run is about: where its built-in variables come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The tag to fix.
    pub tag: String,
    /// The tag to make.
    pub new_tag: String,
    /// The issue.
    pub issue: String,
    /// What the branch is called behind `hotfix/`.
    pub slug: String,
    /// The branch.
    pub branch: String,
}

/// The variables that a run begins with: the built-in ones, and the runbook's with `set` in their place, rendered.
///
/// # Errors
/// What cannot be worked out, and why.
pub fn initial(
    runbook: &Runbook,
    identity: &Identity,
    set: &BTreeMap<String, String>,
    environment: &Environment,
) -> Result<BTreeMap<String, Value>, String> {
    let version = |tag: &str| VersionTag::parse(tag).map_or_else(|_| tag.to_owned(), |tag| tag.version.to_string());
    let mut values = Values::new(environment.clone());
    for (name, value) in [
        ("tag", identity.tag.clone()),
        ("new_tag", identity.new_tag.clone()),
        ("version", version(&identity.new_tag)),
        ("previous_version", version(&identity.tag)),
        ("rollback_to", identity.tag.clone()),
        ("issue", identity.issue.clone()),
        ("slug", identity.slug.clone()),
        ("branch", identity.branch.clone()),
        ("main", "main".to_owned()),
        ("remote", "origin".to_owned()),
    ] {
        values.set(name, value);
    }
    for (name, value) in &runbook.vars {
        let value = set.get(name).map_or_else(|| value.clone(), |text| typed(text, value));
        values.set(name, value);
    }
    // A variable may read others, whatever their order: as many rounds as there are variables settle them all.
    for _ in 0..runbook.vars.len() {
        let mut changed = false;
        for name in runbook.vars.keys() {
            let Some(Value::String(text)) = values.get(name).cloned() else { continue };
            let template = Template::new(text.clone());
            if template.is_plain() {
                continue;
            }
            let rendered = template.render(&values).map_err(|why| format!("vars.{name}: {why}"))?;
            changed |= rendered != text;
            values.set(name, rendered);
        }
        if !changed {
            break;
        }
    }
    Ok(values.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect())
}

/// What was given on the command line, in the type that the runbook's own value has.
fn typed(text: &str, like: &Value) -> Value {
    match like {
        Value::Number(_) | Value::Bool(_) => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
        _ => text.into(),
    }
}

/// Every variable that a step of the runbook may give.
#[must_use]
pub fn declared(runbook: &Runbook) -> Vec<String> {
    fn add(steps: &[Step], names: &mut Vec<String>) {
        for step in steps {
            names.extend(step.capture.keys().cloned());
            match &step.body {
                Body::Action(action) => names.extend(action.kind().gives().into_iter().map(str::to_owned)),
                Body::Group(group) => add(&group.steps, names),
            }
        }
    }
    let mut names = Vec::new();
    runbook.stages.iter().for_each(|stage| add(&stage.steps, &mut names));
    names
}

impl Engine {
    /// What the step `key` sees.
    pub(super) fn values(&self, key: &str, attempt: u32) -> Values {
        let mut values = Values::new(self.world.environment.clone());
        for name in declared(&self.runbook) {
            values.set(name, Value::Null);
        }
        let began = self.run(|run| {
            run.vars().iter().for_each(|(name, value)| values.set(name, value.clone()));
            run.incident_began()
        });
        let (stage, step) = key.split_once('/').unwrap_or((key, ""));
        let elapsed = self.now().since(began.unwrap_or(Timestamp::from_millis(0))).as_secs();
        let back = self.course() == Course::Back;
        values.set("stage", stage);
        values.set("step", step);
        values.set("attempt", attempt);
        values.set("elapsed", elapsed);
        values.set("operator", self.world.operator.as_str());
        values.set("run_id", self.paths.id.as_str());
        values.set("direction", if back { "back" } else { "forward" });
        values
    }

    /// The variable `name` as text.
    pub(super) fn var(&self, name: &str) -> String {
        self.run(|run| run.vars().get(name).map(text_of).unwrap_or_default())
    }

    pub(super) fn shown(template: Option<&Template>, values: &Values) -> Option<String> {
        let template = template?;
        // A guide that cannot be worked out is shown as it was written: it is no reason to stop.
        Some(template.render(values).unwrap_or_else(|_| template.text().to_owned()))
    }

    pub(super) fn length(length: Option<&Length>, values: &Values) -> Result<Option<Duration>, Stop> {
        length.map(|length| length.resolve(values)).transpose().map_err(|why| Stop::failed("template", why))
    }

    /// The fields of `step` that say how its action is performed.
    pub(super) fn settings(step: &Step, values: &Values) -> Result<Settings, Stop> {
        let env = step.env.iter().map(|(name, value)| {
            let value = value.render(values).map_err(|why| Stop::failed("template", format!("env.{name}: {why}")))?;
            Ok((name.clone(), value))
        });
        Ok(Settings {
            timeout: Self::length(step.timeout.as_ref(), values)?,
            inactivity_timeout: Self::length(step.inactivity_timeout.as_ref(), values)?,
            kill_grace: Self::length(step.kill_grace.as_ref(), values)?,
            env: env.collect::<Result<_, Stop>>()?,
            capture: step.capture.clone(),
            success_exit: step.success_exit.clone(),
            interactive: step.interactive,
            tty: step.tty,
        })
    }

    /// The same for the undo of `step`, which no variable that is not there keeps from being run: it goes without, and which it
    /// goes without is told.
    pub(super) fn undo_settings(step: &Step, values: &Values) -> Result<(Settings, Vec<String>), Stop> {
        let (mut env, mut without) = (Vec::new(), Vec::new());
        for (name, value) in &step.env {
            match value.render(values) {
                Ok(value) => env.push((name.clone(), value)),
                Err(why) => without.push(format!("{name} ({why})")),
            }
        }
        let (env_of_step, capture) = Default::default();
        let bare = Step { env: env_of_step, capture, success_exit: Vec::new(), ..step.clone() };
        let settings = Settings { env, ..Self::settings(&bare, values)? };
        Ok((settings, without))
    }

    /// Who the contact is and how to reach them.
    pub(super) fn contact(&self, role: &str) -> String {
        schedule::contact(&self.runbook, role, &self.values("", 0))
    }

    pub(super) fn show_run(&self) {
        let now = self.now();
        let way = match self.phase() {
            Phase::RolledBack if self.run(Run::touched_production) => Course::RolledBack,
            Phase::RolledBack => Course::Stayed,
            _ => self.course(),
        };
        let open = if self.run(Run::escalates) { self.rungs() } else { Vec::new() };
        let open = open.into_iter().filter(|rung| rung.stands(now) != Stands::Answered);
        let open: Vec<_> = open.map(|rung| (rung.at, self.contact(&rung.contact))).collect();
        self.screen.show(Show::Run {
            id: &self.paths.id,
            tag: &self.var(if way == Course::Forward { "tag" } else { "rollback_to" }),
            new_tag: &self.var("new_tag"),
            issue: &self.var("issue"),
            began: self.run(Run::incident_began).unwrap_or(now),
            escalation: &open,
            way,
        });
    }

    pub(super) fn show_stage(&self, id: &str) {
        let Some((place, stage)) = self.stage(id) else { return };
        let values = self.values(id, 0);
        self.show(Show::Stage {
            number: place + 1,
            of: self.runbook.stages.len(),
            title: &Self::shown(stage.title.as_ref(), &values).unwrap_or_else(|| stage.id.clone()),
            guide: Self::shown(stage.guide.as_ref(), &values).as_deref(),
            budget: stage.budget.as_ref().and_then(|budget| budget.resolve(&values).ok()),
            began: self.run(Run::stage_began).unwrap_or_else(|| self.now()),
        });
    }
}
