//! A runbook that is broken as YAML: keys that stand twice, and what ends the reading.
#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use assert_cmd::Command;
use hotfix::runbook::{BUILTIN_EN, Problems, Source, load};

/// How long this thread has worked so far: what else the machine does is not in it.
fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.try_into().unwrap()
}

fn read(text: &str) -> Problems {
    load(&Source::Text { name: "r.yaml".to_owned(), text: text.to_owned() }, &BUILTIN_EN).unwrap_err()
}

/// Holds that the problems of `text` are `expected`, in that order: `LINE:COLUMN`, and a part of what is said.
#[track_caller]
fn refused(text: &str, expected: &[(&str, &str)]) {
    let problems = read(text);
    assert_eq!(problems.listed.len(), expected.len(), "{problems}");
    for (problem, (at, part)) in problems.listed.iter().zip(expected) {
        assert_eq!(format!("{}:{}", problem.line, problem.column), *at, "{problems}");
        assert!(problem.message.contains(part), "{part} is not in\n{problem}");
        assert_eq!(Some(problem.text.as_str()), text.lines().nth(problem.line - 1));
    }
}

/// Three keys that stand twice, an unknown field and a variable that nobody gives.
const FIVE: &str = "\
name: n
version: 1
stages:
- id: s
  id: t
  steps:
  - { id: a, note: x, note: y, timeuot: 3m }
  - id: b
    note: '{{ nobody }}'
version: 2
";

#[test]
fn keys_that_stand_twice_are_problems_among_the_others() {
    let expected = [
        ("5:3", "duplicate key: `id` is already on line 4"),
        ("7:23", "duplicate key: `note` is already on line 7"),
        ("7:32", "no field `timeuot`"),
        ("9:11", "no variable `nobody`"),
        ("10:1", "duplicate key: `version` is already on line 2"),
    ];
    refused(FIVE, &expected);
    let said = read(FIVE).to_string();
    assert!(said.contains("7 |   - { id: a, note: x, note: y, timeuot: 3m }\n  |                       ^\n"), "{said}");
    assert!(said.ends_with("5 problems; nothing was started"), "{said}");
}

#[test]
fn the_command_lists_them_all_and_says_that_the_runbook_is_invalid() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bad.yaml");
    fs::write(&path, FIVE).unwrap();
    let output = Command::cargo_bin("hotfix").unwrap().arg("check").arg(&path).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    for at in ["5:3", "7:23", "7:32", "9:11", "10:1"] {
        assert!(said.contains(&format!("bad.yaml:{at}\n")), "{at} is not in\n{said}");
    }
}

#[test]
fn the_first_counts_and_each_further_one_is_said_also_inside_another() {
    let text = "\
name: n
version: 1
vars: { a: 1, a: { b: 1, b: 2 }, a: 3 }
stages: [{ id: s, steps: [{ id: x, note: '{{ a }}', required: true, required: maybe }] }]
";
    refused(text, &[("3:15", "`a`"), ("3:26", "`b`"), ("3:34", "`a` is already on line 3"), ("4:69", "`required`")]);
}

#[test]
fn what_an_alias_repeats_is_said_once_and_what_overrides_a_merged_key_is_right() {
    let steps = |steps: &str| format!("name: n\nversion: 1\nstages:\n- id: s\n  steps:\n{steps}");
    let text = "  - &one { id: a, note: x, env: &env { X: '1', X: '2' } }\n  - { id: b, note: y, env: *env }\n  - { <<: *one, id: c }\n";
    refused(&steps(text), &[("6:48", "`X` is already on line 6")]);
    let right = steps("  - &one { id: a, note: x }\n  - { <<: *one, id: b }\n  - { id: c, <<: *one }\n");
    load(&Source::Text { name: "r.yaml".to_owned(), text: right }, &BUILTIN_EN).unwrap();
}

#[test]
fn each_is_shown_in_the_file_it_stands_in() {
    let dir = tempfile::tempdir().unwrap();
    let base = "name: n\nversion: 1\nversion: 1\nstages: [{ id: s, steps: [{ id: a, note: x }] }]\n";
    fs::write(dir.path().join("base.yaml"), base).unwrap();
    let path = dir.path().join("over.yaml");
    let over = "extends: base.yaml\nextends: builtin\nstages: [{ id: s, steps: [{ id: a, note: '{{ no }}', note: y }, { id: b, note: z }] }]\n";
    fs::write(&path, over).unwrap();
    let problems = load(&Source::File(path), &BUILTIN_EN).unwrap_err();
    let found: Vec<_> = problems
        .listed
        .iter()
        .map(|problem| (problem.file.rsplit('/').next().unwrap(), problem.line, problem.column, problem.text.as_str()))
        .collect();
    let stages = over.lines().nth(2).unwrap();
    let expected = [
        ("over.yaml", 2, 1, "extends: builtin"),
        ("over.yaml", 3, 54, stages),
        ("over.yaml", 3, 71, stages),
        ("base.yaml", 3, 1, "version: 1"),
    ];
    assert_eq!(found, expected, "{problems}");
}

#[test]
fn what_is_no_yaml_ends_the_reading_and_what_stands_before_is_said_too() {
    let text = "\
name: n
nmae: x
stages:
- id: r
  steps: [{ id: a, note: x, note: y }]
- id: s
  steps:
  - { id: a, note: '{{ later }}', timeuot: 3m }
  - { id: b, monitor: { probes: [{ name: p, run: x, interval: 5s }] } }
  - id: c
    bogus: 1
  - id: d
    id: d
    retries: many
     note: x
version: 1
vars: { later: 1 }
";
    // Step `d`, `version` and `vars` go on behind the end: what they lack is not said.
    let expected = [
        ("2:1", "no field `nmae`"),
        ("5:29", "duplicate key: `note`"),
        ("8:35", "no field `timeuot`"),
        ("9:63", "never ends"),
        ("10:5", "says nothing to do"),
        ("11:5", "no field `bogus`"),
        ("13:5", "duplicate key: `id` is already on line 12"),
        ("15:10", "nothing behind this was read"),
    ];
    refused(text, &expected);
}

#[test]
fn nothing_is_made_up_about_what_was_not_read() {
    let stops = "nothing behind this was read";
    // A quote, a list and a mapping without an end; a tab; the first line.
    refused("name: n\nstages:\n- id: s\n  steps:\n  - id: a\n    note: \"x\n", &[("6:11", stops)]);
    refused("name: n\nenvironment: [A,\nversion: 1\nstages: []\n", &[("4:7", stops)]);
    refused("name: n\nvars: {a: 1\nversion: 1\n", &[("3:8", stops)]);
    refused("name: n\nvars:\n\ta: 1\n", &[("3:2", stops)]);
    refused("\"name: n\nversion: 1\n", &[("1:1", stops)]);
    // An extension behind the end would make all of it mean something else; one before it is held against its base.
    let steps =
        "stages:\n- id: test\n  steps:\n  - { id: none, remove: true }\n- id: staging\n  title: x\n   budget: x\n";
    refused(&format!("{steps}extends: builtin\n"), &[("7:10", stops)]);
    let flow = "stages: [{ id: s, steps: [{ id: a, remove: true }] }]\n";
    refused(&format!("{flow}extends: builtin\n y: 1\n"), &[("3:3", stops)]);
    refused(&format!("extends: builtin\n{steps}"), &[("5:25", "no step `none` to remove"), ("8:10", stops)]);
}

#[test]
fn what_cannot_be_laid_over_the_base_leaves_the_rest_to_be_checked() {
    let text = "extends: builtin\nstages:\n- id: tets\n- id: test\n  budget: 5M\n  steps: [{ id: none, remove: true }]\nvras: {}\n";
    let expected =
        [("3:7", "no stage `tets`"), ("5:11", "capital `M`"), ("6:31", "to remove"), ("7:1", "no field `vras`")];
    refused(text, &expected);
}

#[test]
fn many_problems_are_counted_and_the_first_are_listed() {
    let (mut twice, mut flow, mut cut) = ("a:\n".repeat(20_000), "{".to_owned(), "a:\n".repeat(20_000));
    (0..20_000).for_each(|_| flow.push_str("a: 1,"));
    flow.push('}');
    twice.push_str("name: n\n");
    cut.push_str("b: \"\n");
    let mut unknown = String::new();
    (0..20_000).for_each(|n| writeln!(unknown, "k{n}: 1").unwrap());
    for (text, listed, count) in
        [(&twice, 100, "20002"), (&flow, 100, "20003"), (&cut, 101, "20000"), (&unknown, 100, "20003")]
    {
        let start = worked();
        let problems = read(text);
        assert!(
            worked().saturating_sub(start) < Duration::from_secs(1),
            "{count} took {:?}",
            worked().saturating_sub(start)
        );
        let said = problems.to_string();
        assert_eq!(problems.listed.len(), listed);
        let end = format!("{count} problems, of which {listed} are shown; nothing was started");
        assert!(said.ends_with(&end), "{}", &said[said.len() - 200..]);
        assert!(said.len() < 200_000, "{} bytes are said", said.len());
    }
    // Beyond any runbook, it is not even counted.
    for text in ["a:\n".repeat(200_000), format!("{{{}}}", "a, ".repeat(200_000))] {
        let start = worked();
        let problems = read(&text);
        assert!(worked().saturating_sub(start) < Duration::from_secs(1), "took {:?}", worked().saturating_sub(start));
        assert!(
            problems.listed[0].message.contains("at most 100000 keys and values"),
            "{}",
            problems.listed[0].message
        );
    }
}

#[test]
fn of_a_very_long_line_the_part_around_the_column_is_shown() {
    let long = "x".repeat(100_000);
    let said = read(&format!("{{ name: {long}, vars: {{}}, vars: {{}} }}")).listed.pop().unwrap();
    let caret: String = said.text.chars().skip(said.caret).take(4).collect();
    assert_eq!((caret.as_str(), said.column), ("vars", 100_021), "{said}");
    assert!(said.text.len() <= 400, "{said}");
}
