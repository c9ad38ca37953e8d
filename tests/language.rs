//! The runbook language: what is read, what is refused, and how that is said.
#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use std::fmt::Write as _;
use std::time::Duration;

use hotfix::action::Action;
use hotfix::action::command::Command;
use hotfix::action::git::Git;
use hotfix::runbook::{BUILTIN_EN, BUILTIN_ZH, Body, Builtin, Loaded, Problems, Source, load};

/// How long this thread has worked so far: what else the machine does is not in it.
fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.try_into().unwrap()
}

const BASE: &str = "\
name: hotfix
version: 1
vars: { main: main, staging_url: https://staging.example.com }
secrets: [LOGIN_PASSWORD]
contacts: { senior: { name: Senior engineer, phone: '+1-555-0123' } }
escalation: [{ after: 15m, contact: senior }]
stages:
  - id: staging
    title: Staging
    budget: 20m
    steps:
      - id: which
        ask: { prompt: How bad?, choice: [SEV1, SEV2], into: severity }
      - id: deploy
        run: ./deploy.sh \"$HOTFIX_NEW_TAG\"
        timeout: 10m
        retries: 2
        undo: { run: [./deploy.sh, '{{ rollback_to }}'] }
      - id: login
        when: severity == 'SEV1'
        http: { method: POST, url: '{{ staging_url }}/login', json: { password: '{{ env.LOGIN_PASSWORD }}' }, expect: status == 200 and elapsed_ms < 500 }
      - id: keep
        required: true
        git: { tag: '{{ new_tag }}', message: fix }
      - id: watch
        monitor: { for: 2h, probes: [{ name: p, http: 'http://x', interval: 30s, success_condition: status == 200 }] }
      - id: batches
        affects: production
        group: { steps: [{ id: one, run: ./one.sh, capture: { left: output } }], repeat: { until: left == '0', max: 9 } }
";

/// What `extends: builtin` names here.
const BUILTIN: Builtin = Builtin { text: BASE, tree: "" };

fn read(text: &str) -> Result<Loaded, Problems> {
    load(&Source::Text { name: "r.yaml".to_owned(), text: text.to_owned() }, &BUILTIN)
}

/// One stage around `steps`, one line each.
fn steps(steps: &str) -> String {
    let mut text = "name: test\nversion: 1\nstages:\n- id: s\n  steps:\n".to_owned();
    steps.lines().for_each(|line| writeln!(text, "  {line}").unwrap());
    text
}

/// Holds that `text` is refused once, at `line:column`, with `message` in what is said.
#[track_caller]
fn refused(text: &str, at: &str, message: &str) {
    let problems = read(text).unwrap_err();
    let said = problems.to_string();
    assert_eq!(problems.listed.len(), 1, "{said}");
    assert!(said.contains(&format!("r.yaml:{at}\n")), "{said}");
    assert!(said.contains(message), "{said}");
}

#[test]
fn a_whole_runbook_is_read_into_the_model() {
    let runbook = read(BASE).unwrap().runbook;
    let steps = &runbook.stages[0].steps;
    assert!(
        matches!(&steps[1].body, Body::Action(Action::Run(Command::Text(text))) if text.starts_with("./deploy.sh"))
    );
    assert!(matches!(&steps[1].undo, Some(Action::Run(Command::List(list))) if list.len() == 2));
    assert!(matches!(&steps[3].body, Body::Action(Action::Git(Git::Tag { message: Some(_), .. }))));
    assert!(matches!(&steps[5].body, Body::Group(group) if group.steps.len() == 1));
}

#[test]
fn the_built_in_runbooks_are_right() {
    read(BUILTIN_EN.text).unwrap();
    read(BUILTIN_ZH.text).unwrap();
}

#[test]
fn the_frozen_text_loads_to_the_same_runbook() {
    let over = read("extends: builtin\nstages: [{ id: staging, steps: [{ id: keep, note: 'a: # \"b\"' }] }]").unwrap();
    let again = read(&over.frozen()).unwrap();
    assert_eq!(again.runbook, over.runbook);
    assert!(!over.frozen().contains("extends"));
}

#[test]
fn every_problem_of_a_file_is_said_at_once() {
    let text = steps(
        "- id: A\n  note: '{{ nobody }}'\n  timeuot: 3m\n- id: b\n  retries: many\n  note: x\n- id: b\n  run: 'x {{ tag }}'",
    );
    let said = read(&text).unwrap_err().to_string();
    for part in [
        "`A` is not an id",
        "no variable `nobody`",
        "did you mean `timeout`?",
        "a whole number",
        "already the id",
        "$HOTFIX_NEW_TAG",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    assert!(said.ends_with("6 problems; nothing was started"), "{said}");
}

#[test]
fn a_problem_shows_its_line_and_a_caret() {
    let said = read(&steps("- id: a\n  note: x\n  timeuot: 3m")).unwrap_err().to_string();
    assert!(said.contains("8 |     timeuot: 3m\n  |     ^\n"), "{said}");
}

#[test]
fn what_a_command_writes_to_the_operators_terminal_is_not_captured() {
    let step = |from: &str| steps(&format!("- {{ id: a, interactive: true, run: x, capture: {{ y: {from} }} }}"));
    refused(&step("stdout"), "6:55", "an interactive command writes to the terminal");
    read(&step("output")).unwrap();
}

#[test]
fn names_are_given_before_they_are_used_except_by_what_comes_last() {
    refused(
        &steps("- { id: a, note: '{{ x }}' }\n- { id: b, ask: { prompt: p, into: x } }"),
        "6:20",
        "before it is given",
    );
    read(&steps("- { id: a, run: a, undo: { run: [b, '{{ x }}'] } }\n- { id: b, ask: { prompt: p, into: x } }"))
        .unwrap();
    refused(&steps("- { id: a, ask: { prompt: p, into: new_tag } }"), "6:38", "shadows a built-in name");
    refused(&steps("- { id: a, note: '{{ new_tga }}' }"), "6:20", "did you mean `new_tag`?");
    refused(&steps("- { id: a, note: '{{ tag|uper }}' }"), "6:20", "no filter `uper`");
    refused(&steps("- { id: a, note: x, when: tag == }"), "6:29", "syntax error");
    read(&steps("- { id: a, note: '{{ direction }}' }")).unwrap();
}

#[test]
fn rules_between_fields_hold() {
    refused(&steps("- { id: a, note: x, run: y }"), "6:23", "exactly one action");
}

#[test]
fn production_is_not_retried_blindly_nor_declined() {
    refused(&steps("- { id: a, run: x, affects: production, retries: 2 }"), "6:52", "not retried blindly");
    read(&steps("- { id: a, run: x, affects: production, retries: 2, done_if: y }")).unwrap();
    let late = "- { id: a, run: x, affects: production }\n- { id: b, confirm: { prompt: p, no: decline } }";
    refused(&steps(late), "7:40", "cannot be declined");
    read(&steps("- { id: b, confirm: { prompt: p, no: decline } }")).unwrap();
}

#[test]
fn gates_end() {
    let probe = |rest: &str| steps(&format!("- {{ id: a, monitor: {{ probes: [{{ name: p, run: x, {rest} }}] }} }}"));
    refused(&probe("count: 2"), "6:60", "needs an `interval`");
    refused(&probe("interval: 5s"), "6:63", "never ends");
    read(&probe("count: 2, interval: 5s")).unwrap();
    read(&probe("count: 1")).unwrap();
    let watch = |fields: &str| {
        steps(&format!("- {{ id: a, monitor: {{ {fields}, probes: [{{ name: p, run: x, interval: 5s }}] }} }}"))
    };
    read(&watch("for: 1m, from: production, then: end")).unwrap();
    read(&watch("background: true, from: production")).unwrap();
    refused(&watch("background: true, then: end"), "6:49", "waited for");
    refused(&watch("for: 1m, from: start"), "6:40", "production");
}

#[test]
fn a_probe_is_asked_for_what_its_source_measures() {
    let probe = |rest: &str| {
        steps(&format!("- {{ id: a, monitor: {{ for: 1h, probes: [{{ name: p, interval: 5s, {rest} }}] }} }}"))
    };
    for (source, condition) in [
        ("http: 'http://x', timeout: 2s", "p99 < 5 and json.a == 1"),
        ("run: x", "increase < 5 and exit_code == 0"),
        ("prometheus: { url: 'http://x', query: up, range: 5m, step: 30s }", "results | max < 5"),
        ("log: { path: x, contains: y }", "count < 5"),
        ("log: { run: [kubectl, logs, -f, app], contains: y }", "count < 5"),
        ("system: {}", "cpu_percent < 90"),
    ] {
        read(&probe(&format!("{source}, success_condition: '{condition}'"))).unwrap();
    }
    refused(&probe("http: 'http://x', failure_condition: 'load1 > 5'"), "6:105", "valid here: status, elapsed_ms, p50");
    refused(&probe("system: {}, failure_condition: 'count > 5'"), "6:99", "no variable `count`");
    refused(&probe("log: { path: x, run: y, contains: z }"), "6:84", "exactly one of its kinds");
    refused(&probe("prometheus: { url: 'http://x', query: up, step: 30s }"), "6:116", "goes with `range` alone");
    let once = steps("- { id: a, monitor: { probes: [{ name: p, log: { path: x, contains: y } }] } }");
    refused(&once, "6:50", "needs an `interval`");
}

#[test]
fn an_extension_changes_what_it_names() {
    let over = |stage: &str| read(&format!("extends: builtin\nstages:\n- id: staging\n  steps: [{stage}]\n"));
    let loaded =
        over("{ id: deploy, note: by hand }, { id: login, remove: true }, { id: more, after: which, note: x }")
            .unwrap();
    let ids: Vec<_> = loaded.runbook.stages[0].steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, ["which", "more", "deploy", "keep", "watch", "batches"]);
    assert_eq!(loaded.runbook.stages[0].steps[2].retries, 2);
    assert!(matches!(loaded.runbook.stages[0].steps[2].body, Body::Action(Action::Note(_))));
    for (stage, message) in [
        ("{ id: deplyo, note: x }", "did you mean `deploy`?"),
        ("{ id: keep, remove: true }", "required"),
        ("{ id: nothing, remove: true }", "to remove"),
    ] {
        let said = over(stage).unwrap_err().to_string();
        assert!(said.contains(message), "{said}");
    }
}

#[test]
fn what_would_exhaust_the_machine_is_refused_in_under_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..10 {
        let of = format!("*a{}", n - 1);
        writeln!(bomb, "a{n}: &a{n} [{}]", [of.as_str(); 9].join(", ")).unwrap();
    }
    let files: [(&str, Vec<u8>); 6] = [
        ("large", vec![b'#'; 100 * 1024 * 1024]),
        ("nul", b"name: \0".to_vec()),
        ("latin", b"name: caf\xe9".to_vec()),
        ("bomb", bomb.into_bytes()),
        ("flow", "[".repeat(10_000).into_bytes()),
        ("block", (0..1_300).flat_map(|n| format!("{}a:\n", " ".repeat(n)).into_bytes()).collect()),
    ];
    for (name, bytes) in files {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let start = worked();
        assert!(load(&Source::File(path), &BUILTIN).is_err(), "{name}");
        assert!(
            worked().saturating_sub(start) < Duration::from_secs(1),
            "{name} took {:?}",
            worked().saturating_sub(start)
        );
    }
}

#[test]
fn loose_booleans_and_units_are_refused() {
    refused(&steps("- { id: a, note: x, required: yes }"), "6:33", "expected true or false");
    refused(&steps("- { id: a, note: x, timeout: 15M }"), "6:32", "capital `M`");
    for (size, why) in [("64M", "64MiB, 1GiB or 500kB"), ("9kB", "too few"), ("12", "too few"), ("true", "a size")] {
        refused(&format!("output_limit: {size}\n{}", steps("- { id: a, note: x }")), "1:15", why);
    }
    refused("name: n\nversion: 2\nstages: [{ id: s, steps: [{ id: a, note: x }] }]", "2:10", "version");
}

#[test]
fn the_schema_accepts_and_refuses_what_the_check_does() {
    let schema = jsonschema::validator_for(&hotfix::runbook::schema()).unwrap();
    let valid = |text: &str| schema.is_valid(&serde_saphyr::from_str::<serde_json::Value>(text).unwrap());
    assert!(valid(BASE) && valid(&steps("- { id: a, note: x }")));
    for size in ["64MiB", "500 kB", "1000000", "'1000000'"] {
        let text = format!("output_limit: {size}\n{}", steps("- { id: a, note: x }"));
        assert!(read(&text).is_ok() && valid(&text), "{size} is refused");
    }
    for size in ["64M", "1.5GiB", "12", "-1", "[]"] {
        let text = format!("output_limit: {size}\n{}", steps("- { id: a, note: x }"));
        assert!(read(&text).is_err() && !valid(&text), "{size} is accepted");
    }
    assert!(valid(BUILTIN_EN.text));
    assert!(valid("extends: builtin\nstages: [{ id: a, steps: [{ id: b, remove: true }] }]"));
    for bad in [
        "- { id: a, note: x, timeuot: 3m }",
        "- { id: a, note: x, run: y }",
        "- { id: A, note: x }",
        "- { id: a }",
        "- { id: a, run: 'x {{ tag }}' }",
        "- { id: a, note: x, retries: many }",
        "- { id: a, note: x, remove: true }",
        "- { id: a, note: x, timeout: 15M }",
    ] {
        assert!(read(&steps(bad)).is_err(), "the check accepts {bad}");
        assert!(!valid(&steps(bad)), "the schema accepts {bad}");
    }
}
