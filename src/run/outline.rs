//! What of a runbook decides the order of things, and nothing else of it.

use crate::runbook::{self, Affects, Body, Runbook, Stage, Step};

/// What of a runbook decides the order of things.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The stages in order.
    pub stages: Vec<StageOutline>,
}

/// A stage of an [`Outline`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageOutline {
    /// Its id.
    pub id: String,
    /// Whether the way back ends in it.
    pub trigger: Trigger,
    /// Its steps in order.
    pub steps: Vec<StepOutline>,
}

/// What a stage is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A part of the way forward.
    Forward,
    /// The stage that a rollback ends in.
    Rollback,
}

/// A step of an [`Outline`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepOutline {
    /// `stage/step`, and `stage/group/step` inside a group.
    pub key: String,
    /// What it touches.
    pub reach: Reach,
    /// Whether it has an undo.
    pub undo: Undo,
    /// Whether it runs again on every resume.
    pub repeat: Repeat,
    /// On which ways it is done.
    pub course: Courses,
    /// What its success shows.
    pub shows: Shows,
    /// The steps inside it, where it is a group.
    pub group: Option<Vec<StepOutline>>,
}

/// What a step touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Anything but production.
    Elsewhere,
    /// Production.
    Production,
    /// A part of production that users are not on.
    Standby,
}

impl Reach {
    /// Whether it is production, whoever is on it.
    #[must_use]
    pub fn is_production(self) -> bool {
        self != Self::Elsewhere
    }
}

/// What the success of a step shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// That it was done.
    Nothing,
    /// That what was done before it works: it looked, or somebody did.
    Works,
    /// That what it did itself works: it has a `verify`.
    Itself,
}

/// Whether a step can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// The runbook gives no undo.
    None,
    /// The runbook gives one.
    Given,
}

/// How often a step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Once it is done it stays done.
    Once,
    /// Again on every resume (`always`).
    EveryResume,
}

/// On which ways a step is done.
///
/// # Why
/// Nothing of a runbook runs on the way back unless it was meant for it: only the stage that a rollback ends in, and behind
/// it the steps whose condition, or whose stage's, names `direction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Courses {
    /// Only on the way forward.
    Forward,
    /// Only on the way back.
    Back,
    /// On both.
    Both,
}

impl Outline {
    /// The outline of `runbook`.
    #[must_use]
    pub fn of(runbook: &Runbook) -> Self {
        let at = runbook.stages.iter().position(|stage| stage.trigger == Some(runbook::Trigger::Rollback));
        let stages = runbook.stages.iter().enumerate();
        Self { stages: stages.map(|(place, stage)| stage_outline(stage, place, at)).collect() }
    }

    /// The step `key`, which may be a repetition's (`stage/group/step.2`).
    #[must_use]
    pub fn step(&self, key: &str) -> Option<&StepOutline> {
        let key = plain(key);
        let stage = self.stages.iter().find(|stage| key.split('/').next() == Some(&stage.id))?;
        let mut found = stage.steps.iter().find(|step| inside(&key, &step.key))?;
        while found.key != key {
            found = found.group.as_ref()?.iter().find(|step| inside(&key, &step.key))?;
        }
        Some(found)
    }

    /// The key of every step, groups and the steps inside them included.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        fn add(steps: &[StepOutline], keys: &mut Vec<String>) {
            for step in steps {
                keys.push(step.key.clone());
                add(step.group.as_deref().unwrap_or_default(), keys);
            }
        }
        let mut keys = Vec::new();
        self.stages.iter().for_each(|stage| add(&stage.steps, &mut keys));
        keys
    }
}

impl StepOutline {
    /// Its own id, without those around it.
    #[must_use]
    pub fn id(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or_default()
    }
}

/// A key without the numbers of repetitions: `a/b.2/c.1` is `a/b/c`.
#[must_use]
pub fn plain(key: &str) -> String {
    let part = |part: &str| match part.rsplit_once('.') {
        Some((name, number)) if number.parse::<u32>().is_ok() => name.to_owned(),
        _ => part.to_owned(),
    };
    key.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn inside(key: &str, outer: &str) -> bool {
    key.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn stage_outline(stage: &Stage, place: usize, trigger: Option<usize>) -> StageOutline {
    let names = |when: &Option<crate::template::Condition>| {
        // Most conditions do not even have the word in them.
        let spoken = when.as_ref().filter(|when| when.text().contains("direction"));
        spoken.and_then(|when| when.names().ok()).is_some_and(|names| names.contains("direction"))
    };
    let course = |step: &Step| {
        let names = names(&stage.when) || names(&step.when);
        match trigger {
            Some(at) if place == at => {
                if names {
                    Courses::Both
                } else {
                    Courses::Back
                }
            }
            Some(at) if place > at && names => Courses::Both,
            _ => Courses::Forward,
        }
    };
    let steps = stage.steps.iter().map(|step| step_outline(step, &stage.id, course(step), Reach::Elsewhere)).collect();
    let kind = if trigger == Some(place) { Trigger::Rollback } else { Trigger::Forward };
    StageOutline { id: stage.id.clone(), trigger: kind, steps }
}

fn step_outline(step: &Step, around: &str, course: Courses, reach: Reach) -> StepOutline {
    let key = format!("{around}/{}", step.id);
    let reach = match step.affects {
        Some(Affects::Production) => Reach::Production,
        Some(Affects::Standby) => Reach::Standby,
        None => reach,
    };
    let group = match &step.body {
        Body::Action(_) => None,
        Body::Group(group) => Some(group.steps.iter().map(|inner| step_outline(inner, &key, course, reach)).collect()),
    };
    let undo = if step.undo.is_some() { Undo::Given } else { Undo::None };
    let repeat = if step.always { Repeat::EveryResume } else { Repeat::Once };
    let shows = match (&step.body, &group) {
        (Body::Action(_), _) if step.verify.is_some() => Shows::Itself,
        (Body::Action(action), _) if action.looks() => Shows::Works,
        (Body::Action(_), _) => Shows::Nothing,
        (_, inner) => inner.as_deref().map_or(Shows::Nothing, shown_by),
    };
    StepOutline { key, reach, undo, repeat, course, shows, group }
}

/// What the success of a group with these steps shows: where they touch production, only what looks behind that counts.
fn shown_by(inner: &[StepOutline]) -> Shows {
    let last = inner.iter().rposition(|step| step.reach == Reach::Production);
    let behind = &inner[last.map_or(0, |at| at + 1)..];
    let looked = behind.iter().any(|step| step.shows != Shows::Nothing);
    match last {
        None if looked => Shows::Works,
        Some(at) if looked || inner[at].shows == Shows::Itself => Shows::Itself,
        _ => Shows::Nothing,
    }
}
