//! The step that a drill makes fail.
//!
//! # Why
//! The drill's scripts fail where `HOTFIX_DRILL_FAIL` names their step, so the command on the screen stays the real one. A step
//! without a script of the drill is laid over by one whose command fails; it cannot be seen to be anything else.

use std::fmt;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::contents::SCRIPTS;
use crate::action::Action;
use crate::engine::declared;
use crate::run::{Courses, Outline};
use crate::runbook::{Body, Runbook, Stage, Step};
use crate::template::Condition;
use crate::vars::{Environment, Values};

/// What is asked for where a batch is to make errors, and the step that finds them.
const BATCH: &str = "batch";
const WATCHED: &str = "deploy/batches/monitor";
/// What the laid-over step runs.
const FAILS: &str = "echo 'made to fail by the drill' >&2; exit 1";

/// A step that can be made to fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    key: String,
    how: How,
    course: Courses,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum How {
    /// A script of the drill does it.
    Script,
    /// The second batch of a rolling deployment makes errors, which the watch over it finds.
    BadBatch,
    /// Another step is laid over it, which gives the same variables.
    LaidOver { gives: Vec<String> },
}

/// Why a step cannot be made to fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such step.
    Unknown {
        /// What was asked for.
        name: String,
        /// The step whose name is nearest.
        nearest: String,
    },
    /// Several steps have this id.
    Several {
        /// The id.
        name: String,
        /// The steps.
        keys: Vec<String>,
    },
    /// It has nothing that could be made to fail.
    Cannot {
        /// The step.
        key: String,
        /// Those around it that can.
        can: Vec<String>,
    },
    /// It does not come up in this drill.
    LeftOut {
        /// The step.
        key: String,
        /// The condition that does not hold.
        when: String,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, nearest } => {
                write!(f, "no step is called `{name}`; the nearest name is `{nearest}`")
            }
            Self::Several { name, keys } => {
                write!(f, "several steps are called `{name}`, name one in full: {}", keys.join(", "))
            }
            Self::Cannot { key, can } => {
                write!(f, "`{key}` cannot be made to fail; these can: {}", can.join(", "))
            }
            Self::LeftOut { key, when } => {
                write!(f, "`{key}` does not come up in this drill: `{when}` does not hold")
            }
        }
    }
}

impl Failing {
    /// The step of `runbook` that `name` means: its key, or its id where no other step has the same.
    ///
    /// # Errors
    /// [`Refusal`], with what would do.
    pub fn find(name: &str, runbook: &Runbook) -> Result<Self, Refusal> {
        let outline = Outline::of(runbook);
        if name == BATCH && outline.step(WATCHED).is_some() {
            return Ok(Self { key: WATCHED.to_owned(), how: How::BadBatch, course: Courses::Forward });
        }
        let keys = outline.keys();
        let id = |key: &str| key.rsplit('/').next() == Some(name);
        let found: Vec<_> = keys.iter().filter(|key| *key == name || id(key)).cloned().collect();
        let key = match found.as_slice() {
            [key] => key.clone(),
            several if several.iter().any(|key| key == name) => name.to_owned(),
            [] => return Err(Refusal::Unknown { name: name.to_owned(), nearest: nearest(name, &keys) }),
            _ => return Err(Refusal::Several { name: name.to_owned(), keys: found }),
        };
        let Some(how) = how(&key, runbook) else {
            let stage = key.split('/').next().unwrap_or_default();
            let same = |other: &&String| other.split('/').next() == Some(stage);
            let can = keys.iter().filter(same).filter(|other| how(other, runbook).is_some()).cloned().collect();
            return Err(Refusal::Cannot { key, can });
        };
        let course = outline.step(&key).map_or(Courses::Forward, |step| step.course);
        Ok(Self { key, how, course })
    }

    /// The key of the step.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What the scripts of the drill are told: `HOTFIX_DRILL_FAIL`.
    #[must_use]
    pub fn told(&self) -> &str {
        if self.how == How::BadBatch { BATCH } else { &self.key }
    }

    /// What is going to happen, for whoever leads the drill.
    #[must_use]
    pub fn announced(&self) -> String {
        if self.how == How::BadBatch {
            return "The second batch of a rolling deployment is going to make errors.".to_owned();
        }
        format!("{} is going to fail, as often as it is tried.", self.key)
    }

    /// Refuses a step that a drill with the strategy `strategy` leaves out.
    ///
    /// # Errors
    /// [`Refusal::LeftOut`].
    pub fn comes_up(&self, runbook: &Runbook, strategy: &str) -> Result<(), Refusal> {
        let settled = |unknown: Value| {
            let mut values = Values::new(Environment::default());
            for name in declared(runbook) {
                values.set(name, unknown.clone());
            }
            for (name, value) in &runbook.vars {
                values.set(name, value.clone());
            }
            values.set("strategy", strategy);
            values.set("direction", if self.course == Courses::Back { "back" } else { "forward" });
            values
        };
        // What the steps before it will give is not known: it is refused where neither nothing nor a number would do.
        let guesses = [settled(Value::Null), settled(1.into())];
        let fails = |when: &&Condition| guesses.iter().all(|values| when.holds(values) == Ok(false));
        match conditions(&self.key, runbook).into_iter().find(fails) {
            Some(when) => Err(Refusal::LeftOut { key: self.key.clone(), when: when.text().to_owned() }),
            None => Ok(()),
        }
    }

    /// A runbook that lays a failing step over the one at `base`, where no script does it.
    #[must_use]
    pub fn overlay(&self, base: &Path) -> Option<String> {
        let How::LaidOver { gives } = &self.how else { return None };
        let (stage, step) = self.key.split_once('/')?;
        let mut step = json!({ "id": step, "run": FAILS });
        if !gives.is_empty() {
            let each = gives.iter().map(|name| (name.clone(), Value::from("output")));
            step["capture"] = each.collect::<Map<_, _>>().into();
        }
        let stages = json!([{ "id": stage, "steps": [step] }]);
        Some(json!({ "name": "hotfix-drill", "version": 1, "extends": base, "stages": stages }).to_string())
    }

    /// The file of answers `text`, so that a rollback answers the failure of this step.
    ///
    /// # Errors
    /// Where `text` is no file of answers.
    pub fn answers(&self, text: &str) -> Result<String, String> {
        let options = serde_saphyr::options! { strict_booleans: true };
        let read: Result<Map<String, Value>, _> = serde_saphyr::from_str_with_options(text, options);
        let mut answers = read.map_err(|error| error.to_string())?;
        let mut own = match (&self.how, answers.remove(&self.key)) {
            (How::Script | How::BadBatch, Some(Value::Array(several))) => several,
            (How::Script | How::BadBatch, Some(one)) => vec![one],
            _ => Vec::new(),
        };
        own.push("rollback".into());
        if self.course == Courses::Back {
            // It comes up on the way back only, and there a failure is answered by nobody: it is left.
            answers.insert("rollback/keep".to_owned(), "no".into());
        } else {
            answers.insert(self.key.clone(), own.into());
        }
        Ok(Value::Object(answers).to_string())
    }
}

/// How the step `key` is made to fail; `None` where it cannot be.
fn how(key: &str, runbook: &Runbook) -> Option<How> {
    let path = path(key, runbook)?;
    let Body::Action(action) = &path.last()?.body else { return None };
    if is_of_the_drill(action) {
        return Some(How::Script);
    }
    // What is laid over a group takes the place of all of it.
    (path.len() == 1).then(|| How::LaidOver { gives: action.kind().gives().into_iter().map(str::to_owned).collect() })
}

/// Whether a script of the drill is all that it runs.
fn is_of_the_drill(action: &Action) -> bool {
    let Action::Run(command) = action else { return false };
    let crate::action::command::Command::Text(text) = command else { return false };
    let program = text.split_whitespace().next().unwrap_or_default();
    program == "npm" || SCRIPTS.iter().any(|(name, _)| program.strip_prefix("./") == Some(name))
}

/// The steps that lead to `key`, the outermost first.
fn path<'a>(key: &str, runbook: &'a Runbook) -> Option<Vec<&'a Step>> {
    let mut steps = stage(key, runbook)?.steps.as_slice();
    let mut path = Vec::new();
    for id in key.split('/').skip(1) {
        let step = steps.iter().find(|step| step.id == id)?;
        path.push(step);
        steps = if let Body::Group(group) = &step.body { &group.steps } else { &[] };
    }
    Some(path)
}

fn stage<'a>(key: &str, runbook: &'a Runbook) -> Option<&'a Stage> {
    runbook.stages.iter().find(|stage| key.split('/').next() == Some(&stage.id))
}

/// The conditions under which `key` comes up.
fn conditions<'a>(key: &str, runbook: &'a Runbook) -> Vec<&'a Condition> {
    let stage = stage(key, runbook).and_then(|stage| stage.when.as_ref());
    let steps = path(key, runbook).unwrap_or_default().into_iter().filter_map(|step| step.when.as_ref());
    stage.into_iter().chain(steps).collect()
}

/// The key that is nearest to `name`, as a whole or by its id.
fn nearest(name: &str, keys: &[String]) -> String {
    let distance = |key: &str| {
        let id = key.rsplit('/').next().unwrap_or_default();
        [key, id].into_iter().map(|text| strsim::damerau_levenshtein(name, text)).min()
    };
    keys.iter().min_by_key(|key| distance(key)).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Failing, Refusal};
    use crate::drill::Sandbox;
    use crate::runbook::{BUILTIN_EN, Runbook, Source, load};

    fn builtin() -> Option<Runbook> {
        let source = Source::Text { name: "builtin".to_owned(), text: BUILTIN_EN.text.to_owned() };
        load(&source, &BUILTIN_EN).ok().map(|loaded| loaded.runbook)
    }

    fn find(name: &str) -> Result<Failing, Option<Refusal>> {
        Failing::find(name, &builtin().ok_or(None)?).map_err(Some)
    }

    #[test]
    fn a_step_is_found_by_its_key_or_by_an_id_that_no_other_has() {
        assert_eq!(find("switch").map(|found| found.key), Ok("deploy/switch".to_owned()));
        assert_eq!(find("staging/login").map(|found| found.key), Ok("staging/login".to_owned()));
        assert!(matches!(find("login"), Err(Some(Refusal::Several { keys, .. })) if keys.len() == 2));
        let near = find("deploy/swich").map_err(|refusal| refusal.map(|refusal| refusal.to_string()));
        assert_eq!(near, Err(Some("no step is called `deploy/swich`; the nearest name is `deploy/switch`".to_owned())));
    }

    #[test]
    fn what_has_no_script_is_laid_over_unless_a_group_is_around_it() {
        let base = std::path::Path::new("/runbook.yaml");
        assert_eq!(find("deploy/switch").map(|found| found.overlay(base)), Ok(None));
        assert_eq!(find("deploy/batches/next").map(|found| found.overlay(base)), Ok(None));
        let severity = find("severity").map(|found| found.overlay(base).unwrap_or_default());
        assert!(severity.is_ok_and(|text| text.contains(r#""capture":{"severity":"output"}"#)));
        let inside = find("observe/looks/tickets");
        assert!(matches!(inside, Err(Some(Refusal::Cannot { can, .. })) if can.contains(&"observe/watch".to_owned())));
    }

    #[test]
    fn a_step_of_another_strategy_does_not_come_up() {
        let Some(runbook) = builtin() else { return };
        let comes_up = |name, strategy| Failing::find(name, &runbook).and_then(|it| it.comes_up(&runbook, strategy));
        assert_eq!(comes_up("deploy/rolling", "rolling"), Ok(()));
        assert_eq!(comes_up("deploy/batches/next", "rolling"), Ok(()));
        assert!(matches!(comes_up("deploy/rolling", "direct"), Err(Refusal::LeftOut { .. })));
        assert!(matches!(comes_up("branch/pull-main", "direct"), Err(Refusal::LeftOut { .. })));
        assert_eq!(comes_up("rollback/validate", "direct"), Ok(()));
    }

    #[test]
    fn the_failure_is_answered_behind_what_the_step_asks_itself() {
        let answers = |name| find(name).map(|it| it.answers(&Sandbox::answers("rolling")).unwrap_or_default());
        assert!(answers("deploy/switch").is_ok_and(|text| text.contains(r#""deploy/switch":["v1.2.4","rollback"]"#)));
        assert!(answers("set-up").is_ok_and(|text| text.contains(r#""incident/set-up":["rollback"]"#)));
        assert!(answers("rollback/validate").is_ok_and(|text| text.contains(r#""rollback/keep":"no""#)));
    }
}
