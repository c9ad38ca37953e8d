//! Batch by batch: until none is left, and back by what each batch gave.

use hotfix::runbook::{BUILTIN_EN, BUILTIN_ZH, Body, Source, load};
use hotfix::vars::Values;
use serde_json::json;

use super::fixture::{Project, steps};

/// Deploys to the hosts a, b and c, one by one; 99 once none is left. `$T/bad` names the one that it fails on, half way.
const NEXT: &str = "\
#!/bin/sh
set -eu
host=$(head -n 1 \"$T/waiting\")
[ -n \"$host\" ] || exit 99
sed 1d \"$T/waiting\" >\"$T/rest\"
mv \"$T/rest\" \"$T/waiting\"
echo \"hosts=$host\" >>\"$HOTFIX_OUTPUT\"
echo \"$host\" >>\"$T/new\"
if [ \"$host\" = \"$(cat \"$T/bad\")\" ]; then printf 'note=ha' >>\"$HOTFIX_OUTPUT\"; exit 1; fi
";
/// Takes back one host, which it must be told.
const UNDO: &str = "\
#!/bin/sh
grep -vx \"${1:?which host?}\" \"$T/new\" >\"$T/left\"
mv \"$T/left\" \"$T/new\"
echo \"$1\" >>\"$T/back\"
";

fn rolling(bad: &str) -> Project {
    let next = "{id: next, run: ./next.sh, success_exit: [99], capture: {hosts: output, note: output, ended: exit_code}, \
                undo: {run: './undo.sh \"$HOTFIX_HOSTS\"'}}";
    let watch = "{id: watch, when: ended != 99, run: 'echo \"$HOTFIX_HOSTS\" >>\"$T/watched\"'}";
    let group = format!(
        "{{id: batches, affects: production, group: {{steps: [{next}, {watch}], repeat: {{until: ended == 99, max: 9}}}}}}"
    );
    let project = steps(&[&group]).file("next.sh", NEXT).file("undo.sh", UNDO).open();
    std::fs::write(project.path("waiting"), "a\nb\nc\n").unwrap();
    std::fs::write(project.path("bad"), bad).unwrap();
    project
}

#[test]
fn an_exit_code_says_that_none_is_left() {
    let project = rolling("");
    project.start("s/batches: v1.2.4").exits(0);
    assert_eq!((project.left("new"), project.left("watched")), ("a\nb\nc\n".into(), "a\nb\nc\n".into()));
    project.tells("s/batches/next.4", &["started", "done"]);
    project.tells("s/batches/watch.4", &["started", "skipped: `ended != 99` does not hold"][1..]);
    assert_eq!(project.given()["ended"], 99);
}

#[test]
fn any_other_exit_code_is_a_failure_that_names_the_hosts() {
    let project = rolling("b");
    let ended = project.start("s/batches: v1.2.4").exits(5);
    ended.says(&["exit code 1; it had given hosts = b", "so far s/batches/next.1: hosts = a"]);
    project.tells("s/batches/next.2", &["started", "failed exit"]);
    assert_eq!(project.left("waiting"), "c\n", "the next one is left alone");
    assert_eq!(project.given().get("note"), Some(&serde_json::Value::Null), "half a line is no value");
}

#[test]
fn a_batch_that_failed_half_way_is_undone_by_its_own_hosts_and_no_other_is_touched() {
    let project = rolling("b");
    project.start("{s/batches: v1.2.4, s/batches/next: rollback}").exits(10);
    assert_eq!(project.left("back"), "b\na\n", "the last first, each once");
    assert_eq!((project.left("new"), project.left("waiting")), (String::new(), "c\n".into()));
}

#[test]
fn the_plan_of_the_rollback_names_what_was_deployed() {
    let project = rolling("b");
    project.start("s/batches: v1.2.4").exits(5);
    let asked = project.hotfix(&["rollback"]).exits(7);
    asked.says(&[
        "undo s/batches/next.2: ./undo.sh b",
        "s/batches/next.2 gave hosts = b",
        "undo s/batches/next.1: ./undo.sh a",
    ]);
    assert_eq!(project.left("back"), "");
}

#[test]
fn exit_codes_that_cannot_be_meant_are_refused() {
    for (step, words) in [
        ("{id: a, run: 'true', success_exit: [0]}", "an exit code here is 1 to 125"),
        ("{id: a, run: 'true', success_exit: [126]}", "an exit code here is 1 to 125"),
        ("{id: a, note: x, success_exit: [3]}", "`success_exit` goes with `run` alone"),
    ] {
        steps(&[step]).open().hotfix(&["check", "../runbook.yaml"]).exits(3).says(&[words]);
    }
}

#[test]
fn the_built_in_batches_end_by_an_exit_code_only_where_the_runbook_says_so() {
    for builtin in [BUILTIN_EN, BUILTIN_ZH] {
        let source = Source::Text { name: "builtin".into(), text: builtin.text.to_owned() };
        let runbook = load(&source, &builtin).unwrap().runbook;
        let step = runbook.stages.iter().flat_map(|stage| &stage.steps).find(|step| step.id == "batches").unwrap();
        let Body::Group(group) = &step.body else { panic!("{step:?}") };
        let until = group.repeat.as_ref().unwrap().until.as_ref().unwrap();
        let asks = group.steps.iter().find(|step| step.id == "remaining").unwrap();
        for (end, code, remaining, left, over, asked) in [
            ("exit", 99, json!(null), json!(null), true, false),
            ("exit", 0, json!(null), json!(1), false, false),
            ("output", 99, json!(null), json!(2), false, true),
            ("output", 99, json!(null), json!(0), true, true),
            ("output", 99, json!("1"), json!(null), false, false),
            ("output", 0, json!("0"), json!(null), true, false),
        ] {
            let mut values = Values::default();
            let given =
                [("batch_end", json!(end)), ("batch_exit", json!(code)), ("remaining", remaining), ("left", left)];
            given.into_iter().for_each(|(name, value)| values.set(name, value));
            assert_eq!(until.holds(&values), Ok(over), "{end} {code}");
            assert_eq!(asks.when.as_ref().unwrap().holds(&values), Ok(asked), "{end} {code}");
            let said = asks.guide.as_ref().unwrap().render(&values).unwrap();
            assert_eq!(said.contains("99"), code == 99, "{said}");
        }
    }
}
