//! The clock of the incident, where nobody is at a terminal.

use super::fixture::steps;

#[test]
fn status_and_report_count_from_when_the_incident_began_and_nobody_is_asked_by_a_file() {
    let project = steps(&["{id: a, run: 'echo $HOTFIX_ELAPSED'}", "{id: b, confirm: Sure?}"])
        .top("contacts: {senior: {name: Grace, phone: '+1-555'}, boss: {name: Joan}}")
        .top("escalation: [{after: 15m, contact: senior}, {after: 10h, contact: boss}, {after: 11h, contact: senior}]")
        .top("updates: {every: 20m}")
        .open();
    project
        .start_with("", &["--since", "25m"])
        .exits(7)
        .says(&["The incident began at 2", "(25m0", "call Grace, +1-555"])
        .keeps(&["call Joan", "When did"]);
    let elapsed: u64 = project.output("s.a.1.log").trim().parse().unwrap();
    assert!((1500..1560).contains(&elapsed), "{elapsed}");
    let said =
        ["Incident    began 2", ", 25m", "OVERDUE     call Grace, +1-555: due 10m", "Next call   Joan at ", "(in 9h3"];
    project.hotfix(&["status"]).exits(0).says(&said).says(&["Update      due at ", "(in 19m"]);
    let value: serde_json::Value = serde_json::from_str(&project.hotfix(&["status", "--json"]).exits(0).said).unwrap();
    assert_eq!((&value["overdue"][0]["contact"], value["overdue"].as_array().unwrap().len()), (&"senior".into(), 1));
    assert_eq!(value["next_escalation"]["contact"], "boss");
    assert_eq!(value["update_overdue"], false);
    let report = project.hotfix(&["report"]).exits(0);
    report.says(&["| Incident began | 2", "| Duration so far | 25m", "**Not escalated**: senior: it was due"]);
    // Without it the run is the beginning, and a log that does not say it reads so too.
    let project = steps(&["{id: b, confirm: Sure?}"]).open();
    project.start("").exits(7).keeps(&["The incident began"]);
    assert!(!project.journal().contains("incident_began"));
    project.hotfix(&["status"]).exits(0).says(&["Incident    began 2"]).keeps(&["OVERDUE", "Next call"]);
}

#[test]
fn a_stage_that_takes_too_long_is_warned_of_once_and_stands_in_the_status() {
    let late = "while [ $(($(date +%s) - $(cat \"$T/began\"))) -lt 3 ]; do sleep 0.1; done";
    let project = steps(&["{id: z, run: 'true'}"])
        .stage(
            "late\nbudget: 1s",
            &[
                "{id: a, run: 'date +%s > \"$T/began\"'}",
                &format!("{{id: b, run: '{late}'}}"),
                "{id: c, confirm: Sure?}",
            ],
        )
        .open();
    let ended = project.start("").exits(7).says(&["late takes longer than the 1s it ought to take"]);
    assert_eq!(ended.said.matches("takes longer").count(), 1, "{}", ended.said);
    project.hotfix(&["status"]).exits(0).says(&["OVER its budget by "]);
}

#[test]
fn what_is_said_may_read_what_a_draft_may_and_nothing_else() {
    let say = |say: &str| {
        steps(&["{id: a, ask: {prompt: What?, into: what}}"])
            .top("contacts: {senior: {name: Grace}}")
            .top(&format!("escalation: [{{after: 1m, contact: senior, say: '{say}'}}]"))
            .open()
            .hotfix(&["check", "../runbook.yaml"])
    };
    say("{{ issue }} {{ what }} {{ lasting }} {{ standing }} {{ so_far }} {{ needs }}").exits(0);
    say("{{ wat }}").exits(3).says(&["there is no variable `wat`", "what"]);
    let updates = |fields: &str| {
        let project = steps(&["{id: a, note: x}"]).top(&format!("updates: {{{fields}}}")).open();
        project.hotfix(&["check", "../runbook.yaml"])
    };
    updates("every: 20m").exits(0);
    updates("every: 0s").exits(3).says(&["always due"]);
    updates("every: 20m, channels: [nowhere]").exits(3).says(&["`nowhere` is not among the channels"]);
    updates("text: x").exits(3).says(&["lacks `every`"]);
}
