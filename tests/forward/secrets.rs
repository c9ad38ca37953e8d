//! Secrets and the environment: what a step sees, and what nobody does.

use hotfix::event::Event;

use super::fixture::{Project, Server, steps};

const SECRET: &str = "hunter2-and-more";

/// Whether any file under the state directory has the secret in it.
fn leaks(project: &Project) -> String {
    let found = project.command("grep", "work").args(["-rl", SECRET, ".git/hotfix"]).output().unwrap();
    String::from_utf8(found.stdout).unwrap()
}

#[test]
fn a_secret_is_withheld_from_a_step_unless_its_env_names_it() {
    let mut project = steps(&[
        "{id: a, run: 'echo \"[${TOKEN-unset}]\"; env | grep -c TOKEN; true'}",
        "{id: b, env: {TOKEN: '{{ env.TOKEN }}'}, run: '[ \"${#TOKEN}\" = 16 ] && echo known'}",
        "{id: c, env: {OTHER: '{{ env.TOKEN }}'}, run: '[ -z \"$TOKEN\" ] && [ \"${#OTHER}\" = 16 ] && echo known'}",
        "{id: d, shell: Look}",
        "{id: e, run: 'echo $PLAIN'}",
    ])
    .top("secrets: [TOKEN]")
    .open();
    project.set("TOKEN", SECRET);
    project.set("PLAIN", "in plain sight");
    project.start("s/d: 'echo \"[${TOKEN-unset}]\"'\n").exits(0).keeps(&[SECRET]);
    assert_eq!(project.output("s.a.1.log"), "[unset]\n0\n");
    assert_eq!(project.output("s.b.1.log"), "known\n");
    assert_eq!(project.output("s.c.1.log"), "known\n");
    assert_eq!(project.output("s.d.1.log"), "[unset]\n");
    assert_eq!(project.output("s.e.1.log"), "in plain sight\n");
    assert_eq!(leaks(&project), "");
}

#[test]
fn a_secret_never_reaches_the_screen_a_file_or_the_journal() {
    let server = Server::new(|_| (500, format!("wrong password {SECRET}!")));
    let prints = "#!/bin/sh\nprintf 'out hunter2-'; printf 'and-more end\\n'; echo \"err $TOKEN\" >&2\n";
    let mut project = steps(&[
        "{id: a, env: {TOKEN: '{{ env.TOKEN }}'}, capture: {got: stdout}, run: ./prints.sh}",
        "{id: b, env: {TOKEN: '{{ env.TOKEN }}'}, run: [sh, '-c', 'echo $0; exit 1', '{{ env.TOKEN }}']}",
        "{id: c, http: {method: POST, url: '{{ url }}/?key={{ env.TOKEN }}', body: '{{ env.TOKEN }}'}}",
        "{id: d, note: 'Do not say {{ env.TOKEN }}'}",
        "{id: e, ask: {prompt: 'Not {{ env.TOKEN }}?', into: said}}",
        "{id: f, env: {TOKEN: '{{ env.TOKEN }}'}, capture: {given: output}, run: 'echo given=$TOKEN > $HOTFIX_OUTPUT'}",
        "{id: g, monitor: {probes: [{name: p, run: 'echo {} $TOKEN; exit 1', success_condition: 'stdout == \"x\"'}]}}"
            .replace("{} ", "")
            .as_str(),
    ])
    .top("secrets: [TOKEN]")
    .file("prints.sh", prints)
    .top("vars: {url: 'http://localhost'}")
    .open();
    project.set("TOKEN", SECRET);
    let answers = format!("s/b: {{skip: 'it was {SECRET}'}}\ns/c: done\ns/d: done\ns/e: '{SECRET}'\ns/g: pause\n");
    let url = format!("url={}", server.url);
    project.start_with(&answers, &["--set", &url]).exits(9).keeps(&[SECRET]).says(&["***"]);
    assert!(server.seen()[0].contains(&format!("key={SECRET}")));
    let said = project.output("s.a.1.log");
    // Two pipes: a line of one may come between two pieces of the other's.
    assert_eq!(said.replacen("err ***\n", "", 1), "out *** end\n", "{said}");
    assert_eq!(project.given()["got"], "out *** end");
    project.tells("s/b", &["started", "failed exit", "skipped: it was ***"]);
    assert!(!project.journal().contains(SECRET));
    assert_eq!(leaks(&project), "");
}

#[test]
fn a_secret_that_is_used_and_not_set_stops_the_run_before_it_starts() {
    let project =
        steps(&["{id: a, env: {TOKEN: '{{ env.TOKEN }}'}, run: 'true'}"]).top("secrets: [TOKEN, UNUSED]").open();
    project.start("").exits(4).says(&["TOKEN is not set", "export TOKEN"]).keeps(&["UNUSED"]);
    assert_eq!(project.runs().len(), 0);
}

#[test]
fn another_environment_on_resume_is_named_and_asked_about() {
    let mut project = steps(&["{id: a, confirm: Sure?}", "{id: b, confirm: Sure?}"])
        .top("environment: [AWS_PROFILE, KUBECONFIG]")
        .open();
    project.set("AWS_PROFILE", "production");
    project.start("s/a: yes\n").exits(7);
    project.resume("s/a: yes\n").exits(7).keeps(&["AWS_PROFILE"]);
    project.set("AWS_PROFILE", "staging");
    project.set("KUBECONFIG", "/k");
    let named = ["AWS_PROFILE was `production`, is `staging`", "KUBECONFIG was not set, is `/k`"];
    let resumed =
        |project: &Project| project.events().iter().filter(|event| matches!(event, Event::RunResumed { .. })).count();
    let before = resumed(&project);
    project.resume("s/a: yes\ns/b: yes\n").exits(7).says(&named);
    project.resume("s/a: yes\ns/b: yes\n'*': yes\n").exits(7);
    project.resume("environment: no\n").exits(9);
    assert_eq!(resumed(&project), before);
    project.resume("environment: [no, yes]\ns/a: yes\ns/b: yes\n").exits(0);
}

#[test]
fn a_secret_may_differ_and_variables_are_taken_as_the_run_began() {
    let mut project = steps(&["{id: a, confirm: Sure?}", "{id: b, run: 'echo $HOTFIX_HOST'}"])
        .top("vars: {host: '{{ env.TARGET }}'}")
        .open();
    project.set("TARGET", "one");
    project.start("").exits(7);
    project.set("TARGET", "two");
    std::fs::write(project.path("runbook.yaml"), "name: other\n").unwrap();
    project.resume("s/a: yes\n").exits(0);
    assert_eq!(project.output("s.b.1.log"), "one\n");
}

#[test]
fn questions_titles_and_guidance_show_no_secret() {
    let asked = "{id: a, title: 'T {{ env.TOKEN }}', guide: 'G {{ env.TOKEN }}', confirm: 'Q {{ env.TOKEN }}?'}";
    let typed = "{id: b, affects: production, run: [echo, '{{ env.TOKEN }}'], undo: {run: [echo, '{{ env.TOKEN }}']}}";
    let mut project = steps(&[asked, typed])
        .stage("t\ntitle: 'S {{ env.TOKEN }}'\nguide: 'SG {{ env.TOKEN }}'", &["{id: c, confirm: 'Sure?'}"])
        .top("secrets: [TOKEN]")
        .open();
    project.set("TOKEN", SECRET);
    project.start("").exits(7).keeps(&[SECRET]).says(&["T ***", "G ***", "Q ***?"]);
    project.resume("s/a: yes\n").exits(7).keeps(&[SECRET]).says(&["echo"]);
    project.resume("s/a: yes\ns/b: v1.2.4\n").exits(7).keeps(&[SECRET]).says(&["S ***", "SG ***"]);
    project.resume("t/c: rollback\n").exits(7).keeps(&[SECRET]);
    assert_eq!(leaks(&project), "");
}

#[test]
fn a_variable_cannot_hold_a_secret_and_the_environment_of_a_run_is_masked() {
    let mut project =
        steps(&["{id: a, confirm: Sure?}"]).top("secrets: [TOKEN]").top("vars: {x: 'k={{ env.TOKEN }}'}").open();
    project.set("TOKEN", SECRET);
    project.start("").exits(4).says(&["vars.x", "secret"]).keeps(&[SECRET]);
    let mut project =
        steps(&["{id: a, confirm: Sure?}"]).top("secrets: [TOKEN]").top("environment: [TOKEN, OTHER]").open();
    project.set("TOKEN", SECRET);
    project.start("").exits(7);
    assert_eq!(leaks(&project), "");
    project.set("OTHER", "x");
    project.resume("").exits(7).says(&["OTHER was not set"]).keeps(&[SECRET, "TOKEN"]);
}

#[test]
fn a_secret_at_the_end_of_what_is_kept_of_a_reading_leaves_not_even_its_beginning() {
    // Wherever the cut falls in it: of a value 200 letters are kept.
    for before in [185, 190, 195, 199] {
        let probe = format!(
            "{{name: p, run: \"printf '%{before}s' x; printf '%s' \\\"$T\\\"; printf '%100s' y\", success_condition: \"stdout == 'well'\"}}"
        );
        let mut project =
            steps(&[&format!("{{id: m, env: {{T: '{{{{ env.TOKEN }}}}'}}, monitor: {{probes: [{probe}]}}}}")])
                .top("secrets: [TOKEN]")
                .open();
        project.set("TOKEN", SECRET);
        let ended = project.start("").exits(5).says(&["the gate came to fail"]);
        let texts = [ended.said, project.journal(), project.left("work/.git/hotfix/lock")];
        let beginning = &SECRET[..1.max(200 - before).min(SECRET.len())];
        assert!(texts.iter().all(|text| !text.contains(&format!("x{beginning}"))), "{before}: {texts:?}");
        assert!(texts[1].contains("x…") || texts[1].contains("x***"), "{before}: {}", texts[1]);
    }
}
