//! Answers as an honest person gives them, who looks at what the scripts say of themselves.

use std::collections::BTreeMap;

use hotfix::run::{Next, Phase};

use crate::look::{eventually, is_running};
use crate::record::Call;
use crate::world::{World, standing, stem};

/// The step that fails, so that production is taken back.
pub(crate) const BOOM: &str = "release/boom";
/// The step that touches production, and asks for the tag.
pub(crate) const DEPLOY: &str = "release/deploy";
/// The step that has done its work whatever code it ends with, as its `done_if` says.
const LATE: &str = "make/late";
/// The steps whose undo fails the first time. Nobody is asked about a failed undo later on, so that what is to be done about it is
/// said before.
const FAILING: [&str; 2] = ["make/turns/x.1", "make/turns/x.2"];
/// What the steps themselves ask.
const OWN: &str = "make/colour: blue\nmake/sure: yes\nmake/commit: yes\nmake/turns/more: ['on', 'off']\n";

/// The file of answers for a driver that takes the run up now.
pub(crate) fn answers(world: &World) -> String {
    let run = world.run();
    let (key, way) = match run.next() {
        Next::Decide(key) => {
            let again = run.step(&key).failure.is_some_and(|failure| failure.again);
            let way = (!again).then(|| way(world, &key, run.step(&key).attempts, "retry"));
            (key, way)
        }
        Next::Unknown(key) => {
            let attempt = run.step(&key).attempts;
            let way = is_lost(world, &key, attempt).then(|| way(world, &key, attempt, "again"));
            (key, way)
        }
        Next::UndoUnknown(key) => {
            let (attempt, undo) = (run.undo(&key).attempts, format!("undo:{key}"));
            let way = is_lost(world, &undo, attempt).then(|| way(world, &undo, attempt, "retry"));
            (key, way)
        }
        _ => (String::new(), None),
    };
    let used = |key: &str| vec!["used"; run.answers_used().get(key).copied().unwrap_or(0)];
    let mut said: BTreeMap<&str, Vec<&str>> = BTreeMap::from([(DEPLOY, [used(DEPLOY), vec!["v1.2.4"]].concat())]);
    if key == BOOM || run.phase() == Phase::Back {
        said.extend(FAILING.map(|step| (step, [used(step), vec!["retry"]].concat())));
    }
    if let Some(way) = way {
        let tag = (key == DEPLOY).then_some("v1.2.4");
        said.insert(&key, used(&key).into_iter().chain([way]).chain(tag).collect());
    }
    let lines = said.iter().map(|(key, answers)| format!("{key}: [{}]\n", answers.join(", ")));
    OWN.to_owned() + &lines.collect::<String>()
}

/// The file of answers for whoever takes production back now.
pub(crate) fn rollback(world: &World) -> String {
    let used = world.run().answers_used();
    let list = |step: &str| [vec!["used"; used.get(step).copied().unwrap_or(0)], vec!["retry"]].concat().join(", ");
    FAILING.map(|step| format!("{step}: [{}]\n", list(step))).concat() + "rollback: yes\n"
}

/// Whether the supervisor of an attempt is dead and did not say how its command ended.
fn is_lost(world: &World, key: &str, attempt: u32) -> bool {
    let standing = world.status(&stem(key, attempt)).and_then(|path| standing(&path));
    standing.is_some_and(|found| found.pid.is_some() && !found.over && !found.alive)
}

/// What to do about an attempt: done where its script says that it has done its work.
fn way(world: &World, key: &str, attempt: u32, again: &'static str) -> &'static str {
    if key == BOOM {
        return "rollback";
    }
    eventually("a script without a supervisor ends", || !is_running(world.word()));
    let of_it = |call: &Call| call.key == key && call.attempt == attempt;
    let whole = |call: &Call| of_it(call) && (call.end == Some(0) || key == LATE && call.end.is_some());
    if world.calls().iter().any(whole) { "done" } else { again }
}
