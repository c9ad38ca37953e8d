//! What a run would do: another reader of the runbook, which does nothing.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use crate::engine::{Identity, declared};
use crate::operator::Form;
use crate::run::{Courses, Outline, StepOutline, plain};
use crate::runbook::{Body, Group, Runbook, Stage, Step};
use crate::vars::{Environment, Values};

/// A whole runbook as it would run.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The tag to fix.
    pub tag: String,
    /// The tag to make.
    pub new_tag: String,
    /// The issue.
    pub issue: String,
    /// The branch.
    pub branch: String,
    /// The name of the runbook.
    pub runbook: String,
    /// The stages, in order.
    pub stages: Vec<PlannedStage>,
}

/// One stage of a [`Plan`].
#[derive(Clone, Debug, Serialize)]
pub struct PlannedStage {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// How long it ought to take.
    pub budget: Option<String>,
    /// The condition under which it is gone through.
    pub when: Option<String>,
    /// Its steps, those of groups behind their group.
    pub steps: Vec<PlannedStep>,
}

/// One step of a [`Plan`].
#[derive(Clone, Debug, Serialize)]
pub struct PlannedStep {
    /// `stage/step`.
    pub key: String,
    /// Its title.
    pub title: String,
    /// The kind of its action, or `group`.
    pub action: &'static str,
    /// What exactly it would do. A value that only the run will give stands as `<name>`.
    pub what: String,
    /// The condition under which it is done.
    pub when: Option<String>,
    /// Whether it touches production.
    pub production: bool,
    /// What has to be typed before it, where something has.
    pub type_first: Option<String>,
    /// On which ways it is done: `forward`, `back`, `both`.
    pub course: &'static str,
    /// How long it may take.
    pub timeout: Option<String>,
    /// How often it is tried again unasked.
    pub retries: u32,
    /// What would take it back.
    pub undo: Option<String>,
    /// What else is to be known of it.
    pub notes: Vec<String>,
    /// What answer it needs, where it needs one.
    pub answer: Option<String>,
    /// Whether it is inside a group that is repeated.
    pub repeated: bool,
    /// What it would do on the way back, where it would do anything there.
    #[serde(skip)]
    back: Option<String>,
}

/// What a plan is made of.
pub struct Making<'a> {
    /// The runbook.
    pub runbook: &'a Runbook,
    /// What the run would be about.
    pub identity: &'a Identity,
    /// The variables it would begin with.
    pub vars: &'a std::collections::BTreeMap<String, Value>,
    /// The environment.
    pub environment: &'a Environment,
    /// The scripts that are not there: their steps are work by hand.
    pub missing: &'a [String],
}

impl Plan {
    /// The plan of a run that has not begun.
    #[must_use]
    pub fn of(making: &Making<'_>) -> Self {
        let Making { runbook, identity, .. } = making;
        let values = making.values();
        let mut back = values.clone();
        back.set("direction", "back");
        let planner = Planner { making, outline: Outline::of(runbook), values, back };
        Self {
            tag: identity.tag.clone(),
            new_tag: identity.new_tag.clone(),
            issue: identity.issue.clone(),
            branch: identity.branch.clone(),
            runbook: runbook.name.clone(),
            stages: runbook.stages.iter().map(|stage| planner.stage(stage)).collect(),
        }
    }

    /// The way back, line by line: the undo of every step that has one, production first, the last first; then the stage
    /// that a rollback ends in, and what is left to do behind it.
    #[must_use]
    pub fn back(&self) -> Vec<String> {
        let steps: Vec<&PlannedStep> = self.stages.iter().flat_map(|stage| &stage.steps).collect();
        let mut undos: Vec<_> = steps.iter().rev().filter(|step| step.undo.is_some()).collect();
        undos.sort_by_key(|step| !step.production);
        let (mut lines, mut seen) = (Vec::new(), Vec::new());
        for step in undos {
            let what = step.undo.clone().unwrap_or_default();
            if seen.contains(&what) {
                continue;
            }
            lines.push(format!("undo {:<28} {what}", step.key));
            seen.push(what);
        }
        for (key, what) in steps.iter().filter_map(|step| Some((&step.key, step.back.as_ref()?))) {
            lines.push(format!("then {key:<28} {}", what.lines().next().unwrap_or_default()));
        }
        lines
    }
}

impl Making<'_> {
    /// The values that are known, and a stand-in for each that only the run will give.
    fn values(&self) -> Values {
        let mut values = Values::new(self.environment.clone());
        for name in declared(self.runbook) {
            values.set(name.clone(), format!("<{name}>"));
        }
        for name in ["operator", "run_id", "stage", "step"] {
            values.set(name, format!("<{name}>"));
        }
        values.set("attempt", 1);
        values.set("elapsed", 0);
        values.set("direction", "forward");
        self.vars.iter().for_each(|(name, value)| values.set(name, value.clone()));
        values
    }
}

struct Planner<'a> {
    making: &'a Making<'a>,
    outline: Outline,
    values: Values,
    back: Values,
}

impl Planner<'_> {
    fn stage(&self, stage: &Stage) -> PlannedStage {
        let mut steps = Vec::new();
        for step in &stage.steps {
            self.step((stage, step), &stage.id, Around::Nothing, &mut steps);
        }
        PlannedStage {
            id: stage.id.clone(),
            title: self.text(stage.title.as_ref(), &stage.id),
            budget: stage.budget.as_ref().map(|budget| budget.text().to_owned()),
            when: stage.when.as_ref().map(|when| when.text().to_owned()),
            steps,
        }
    }

    fn text(&self, template: Option<&crate::template::Template>, otherwise: &str) -> String {
        template.map_or_else(|| otherwise.to_owned(), |text| or_as_written(text.render(&self.values), text.text()))
    }

    fn step(&self, (stage, step): (&Stage, &Step), around: &str, outer: Around, steps: &mut Vec<PlannedStep>) {
        let key = format!("{around}/{}", step.id);
        let outline = self.outline.step(&key);
        let production = outline.is_some_and(|step| step.reach.is_production());
        let asks = production && step.affects.is_some() && outer != Around::Asked && course(outline) != "back";
        let (action, what, answer) = match &step.body {
            Body::Action(action) => {
                let kind = action.kind();
                let answer = kind.form(&self.values).ok().flatten().map(|form| fits(&form));
                (action.name(), self.describe(kind), answer)
            }
            Body::Group(group) => ("group", group_text(group, &self.values), None),
        };
        let mut notes = Vec::new();
        let mut answer = answer;
        if let Body::Action(action) = &step.body
            && let Some(script) =
                action.kind().script().filter(|script| self.making.missing.iter().any(|it| it == script))
        {
            notes.push(format!("./{script} is not in {}: work by hand", self.making.identity.tag));
            answer = Some("done, once it is done by hand".to_owned());
        }
        if step.interactive {
            notes.push("needs the terminal, and cannot outlive it".to_owned());
        }
        if step.required {
            notes.push("cannot be skipped".to_owned());
        }
        if let Some(verify) = &step.verify {
            notes.push(format!("must hold after it: {}", self.describe(verify.kind())));
        }
        steps.push(PlannedStep {
            title: self.text(step.title.as_ref(), &step.id),
            action,
            what,
            when: step.when.as_ref().map(|when| when.text().to_owned()),
            production,
            type_first: asks.then(|| self.making.identity.new_tag.clone()),
            course: course(outline),
            timeout: step.timeout.as_ref().map(|timeout| timeout.text().to_owned()),
            retries: step.retries,
            undo: step.undo.as_ref().map(|undo| self.describe(undo.kind())),
            notes,
            answer,
            repeated: outer != Around::Nothing,
            back: self.back((stage, step), outline),
            key: key.clone(),
        });
        if let Body::Group(group) = &step.body {
            let outer = if asks || outer == Around::Asked { Around::Asked } else { Around::Group };
            group.steps.iter().for_each(|inner| self.step((stage, inner), &key, outer, steps));
        }
    }

    /// What the step would do on the way back.
    fn back(&self, (stage, step): (&Stage, &Step), outline: Option<&StepOutline>) -> Option<String> {
        if course(outline) == "forward" {
            return None;
        }
        let left_out = [&stage.when, &step.when].into_iter().flatten().any(|when| when.holds(&self.back) == Ok(false));
        if left_out {
            return None;
        }
        Some(match &step.body {
            Body::Action(action) => or_as_written(action.kind().describe(&self.back), action.name()),
            Body::Group(group) => group_text(group, &self.back),
        })
    }

    fn describe(&self, kind: &dyn crate::action::Kind) -> String {
        kind.describe(&self.values).unwrap_or_else(|why| format!("(depends on the run: {why})"))
    }
}

/// What stands around a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Around {
    Nothing,
    Group,
    /// A group that asks about production for all it holds.
    Asked,
}

fn course(outline: Option<&StepOutline>) -> &'static str {
    match outline.map(|step| step.course) {
        Some(Courses::Back) => "back",
        Some(Courses::Both) => "both",
        _ => "forward",
    }
}

fn or_as_written(rendered: Result<String, String>, written: &str) -> String {
    rendered.unwrap_or_else(|_| written.to_owned())
}

fn group_text(group: &Group, values: &Values) -> String {
    group.repeat.as_ref().map_or_else(|| "once:".to_owned(), |repeat| format!("{}:", repeat.words(values)))
}

/// What a file of answers may say to a question of this form.
fn fits(form: &Form) -> String {
    match form {
        Form::Confirm => "yes or no".to_owned(),
        Form::Typed { expected } => format!("exactly: {expected}"),
        Form::Text | Form::Editor { .. } => "a text".to_owned(),
        Form::Number => "a number".to_owned(),
        Form::Choice(of) => format!("one of: {}", of.join(", ")),
        Form::Choices(of) => format!("a list, some of: {}", of.join(", ")),
        Form::Checklist(_) => "all, or the list of what is ticked inside a list: [[...]]".to_owned(),
        Form::Approve { .. } => "{approve: NAME, note: TEXT}, or {skip: REASON} where it is optional".to_owned(),
        Form::Hand => "done".to_owned(),
        Form::Shell { .. } => "a command to run there, or done".to_owned(),
        Form::Way(_) | Form::Due(_) => "a way on".to_owned(),
    }
}

/// A file for `--answers`, with a blank for each answer.
#[must_use]
pub fn answers_template(plan: &Plan) -> String {
    let mut text = format!(
        "# Answers for {} -> {}, issue {}: `hotfix start {} {} --answers FILE`.\n\
         # Fill in the blanks. A blank that is left stops the run there, and `hotfix resume --answers FILE` goes on.\n\
         # A list is used up in order. Behind a step's own answer may stand what to do when it fails: retry, done,\n\
         # {{skip: REASON}}, rollback or pause; and when its end is unknown: done, again or rollback.\n",
        plan.tag, plan.new_tag, plan.issue, plan.tag, plan.issue
    );
    for (number, stage) in plan.stages.iter().enumerate() {
        let asking: Vec<_> =
            stage.steps.iter().filter(|step| step.answer.is_some() || step.type_first.is_some()).collect();
        if asking.is_empty() {
            continue;
        }
        // Writing to a text does not fail.
        let _ = writeln!(text, "\n# {}/{} {}", number + 1, plan.stages.len(), stage.title);
        asking.into_iter().for_each(|step| blank(step, &mut text));
    }
    text
}

fn blank(step: &PlannedStep, text: &mut String) {
    for line in step.what.lines().filter(|line| !line.trim().is_empty()) {
        let _ = writeln!(text, "#   {line}");
    }
    if let Some(when) = &step.when {
        let _ = writeln!(text, "#   (only when {when})");
    }
    let typed = step.type_first.as_ref().map(|tag| format!("touches production; type {tag}"));
    let turns = if step.repeated { "; a list, one for each turn" } else { "" };
    let _ = match (typed, &step.answer) {
        (Some(typed), Some(answer)) => writeln!(text, "{}:\n  -  # {typed}\n  -  # {answer}{turns}", step.key),
        (Some(typed), None) => writeln!(text, "{}:  # {typed}{turns}", step.key),
        (None, Some(answer)) => writeln!(text, "{}:  # {answer}{turns}", step.key),
        (None, None) => Ok(()),
    };
}

/// The plan as lines.
#[must_use]
pub fn lines(plan: &Plan) -> String {
    let Plan { tag, new_tag, issue, branch, runbook, stages } = plan;
    let mut text = format!("{tag} -> {new_tag}, issue {issue}, branch {branch}, runbook {runbook}\n");
    for (number, stage) in stages.iter().enumerate() {
        let budget = stage.budget.as_ref().map(|budget| format!("  (budget {budget})")).unwrap_or_default();
        let _ = writeln!(text, "\n{}/{} {}{budget}", number + 1, stages.len(), stage.title);
        if let Some(when) = &stage.when {
            let _ = writeln!(text, "  only when {when}");
        }
        stage.steps.iter().for_each(|step| step_lines(step, &mut text));
    }
    text
}

fn step_lines(step: &PlannedStep, text: &mut String) {
    let depth = plain(&step.key).matches('/').count();
    let indent = "  ".repeat(depth);
    let _ = writeln!(text, "{indent}{}  {}  [{}]", step.key, step.title, step.action);
    for line in step.what.lines() {
        let _ = writeln!(text, "{indent}    {line}");
    }
    let mut facts = Vec::new();
    facts.extend(step.type_first.as_ref().map(|tag| format!("PRODUCTION: {tag} is to be typed")));
    facts.extend((step.production && step.type_first.is_none()).then(|| "PRODUCTION".to_owned()));
    facts.extend(step.when.as_ref().map(|when| format!("when {when}")));
    facts.extend((step.course == "back").then(|| "only on the way back".to_owned()));
    facts.extend(step.timeout.as_ref().map(|timeout| format!("timeout {timeout}")));
    facts.extend((step.retries > 0).then(|| format!("{} retries", step.retries)));
    facts.extend(step.notes.iter().cloned());
    facts.extend(step.undo.as_ref().map(|undo| format!("undo: {undo}")));
    for fact in facts {
        let _ = writeln!(text, "{indent}    - {fact}");
    }
}
