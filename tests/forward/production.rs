//! What touches production, and groups: who is asked, how often, and under which keys.

use super::fixture::steps;

const DEPLOY: &str = "{id: a, affects: production, run: './deploy.sh \"$HOTFIX_NEW_TAG\"'}";
const SCRIPT: &str = "#!/bin/sh\necho \"$1\" >> \"$T/deployed\"\n";

#[test]
fn production_asks_for_the_new_tag_and_takes_nothing_else() {
    for wrong in ["yes", "done", "v1.2.3", "v1.2.40", "''"] {
        let project = steps(&[DEPLOY]).file("deploy.sh", SCRIPT).open();
        let shown = ["./deploy.sh \"$HOTFIX_NEW_TAG\"", "v1.2.4"];
        project.start(&format!("s/a: {wrong}\n")).exits(7).says(&shown);
        assert_eq!(project.left("deployed"), "", "{wrong}");
        project.tells("s/a", &[]);
        project.resume("s/a: v1.2.4\n").exits(0);
        assert_eq!(project.left("deployed"), "v1.2.4\n", "{wrong}");
    }
}

#[test]
fn a_pattern_never_answers_for_production_nor_a_question_with_consequences() {
    for step in [DEPLOY, "{id: a, confirm: Sure?}", "{id: a, ask: What?}", "{id: a, approve: Fine?}"] {
        let project = steps(&[step]).file("deploy.sh", SCRIPT).open();
        for answer in ["v1.2.4", "yes", "done", "{approve: bob}"] {
            let answers = format!("s/*: {answer}\n'*': {answer}\n");
            let ended = if project.runs().is_empty() { project.start(&answers) } else { project.resume(&answers) };
            ended.exits(7);
        }
        assert_eq!(project.left("deployed"), "", "{step}");
    }
    let harmless = ["{id: a, note: Read}", "{id: b, checklist: [x, y]}", "{id: c, run: ./gone.sh}"];
    steps(&harmless).open().start("s/*: done\n").exits(0);
    let failing = steps(&["{id: a, run: 'false'}"]).open();
    failing.start("s/*: done\n").exits(5);
}

#[test]
fn production_that_failed_is_tried_again_only_with_the_tag_typed_again() {
    let step = "{id: a, affects: production, run: 'echo x >> \"$T/tries\"; [ $HOTFIX_ATTEMPT = 3 ]'}";
    let project = steps(&[step]).open();
    let answers = "s/a: [v1.2.4, retry, v1.2.3]\n";
    project.start(answers).exits(7);
    project.tells("s/a", &["started", "failed exit"]);
    // The retry came to nothing and is asked for again, with the same file and its list mended.
    project.resume("s/a: [v1.2.4, retry, v1.2.4, retry]\n").exits(7);
    project.resume("s/a: [v1.2.4, retry, v1.2.4, retry, v1.2.4]\n").exits(0);
    assert_eq!(project.left("tries"), "x\nx\nx\n");
}

#[test]
fn a_group_asks_once_for_all_it_holds() {
    let group = "{id: g, affects: production, group: {repeat: {max: 2}, steps: [{id: x, affects: production, run: 'echo x >> \"$T/log\"'}, \
                 {id: y, run: 'echo y >> \"$T/log\"'}]}}";
    let project = steps(&[group]).open();
    project.start("").exits(7).says(&["This touches production. Type v1.2.4 to run:", "repeated: 2 times in all"]);
    project.resume("s/g: v1.2.4\n").exits(0);
    assert_eq!(project.left("log"), "x\ny\nx\ny\n");
    project.tells("s/g/x.2", &["started", "done"]);
    let apart = "{id: g, group: {steps: [{id: x, affects: production, run: 'true'}, {id: y, affects: production, run: 'true'}]}}";
    let project = steps(&[apart]).open();
    project.start("s/g/x: v1.2.4\n").exits(7);
    project.resume("s/g/x: v1.2.4\ns/g/y: v1.2.4\n").exits(0);
}

#[test]
fn what_failed_inside_a_production_group_is_tried_again_only_with_the_tag_typed() {
    let group = "{id: g, affects: production, group: {steps: [{id: x, run: 'echo x >> \"$T/log\"; [ $HOTFIX_ATTEMPT = 2 ]'}, {id: y, run: 'true'}]}}";
    let project = steps(&[group]).open();
    project.start("s/g: v1.2.4\ns/g/x: [retry, 'yes']\n").exits(7).says(&["Type v1.2.4"]);
    assert_eq!(project.left("log"), "x\n");
    project.resume("s/g: v1.2.4\ns/g/x: [retry, v1.2.4]\n").exits(0);
    assert_eq!(project.left("log"), "x\nx\n");
    project.tells("s/g/y.1", &["started", "done"]);
}

#[test]
fn the_prompt_of_a_group_says_in_words_when_it_ends() {
    for (repeat, words) in [
        (
            "until: remaining == '0', means: 'no batch of {{ tag }} is left', max: 9",
            "repeated until no batch of v1.2.3 is left, 9 times at most (",
        ),
        ("until: remaining == '0', max: 9", "repeated until this holds, 9 times at most: remaining == '0' ("),
    ] {
        let group = format!(
            "{{id: g, affects: production, group: {{repeat: {{{repeat}}}, steps: [{{id: x, run: 'true', capture: {{remaining: stdout}}}}]}}}}"
        );
        let project = steps(&[&group]).open();
        project.start("").exits(7).says(&[words]);
    }
}

#[test]
fn a_group_is_repeated_until_its_condition_holds_or_its_limit_is_reached() {
    let group = |max: u32| {
        format!(
            "{{id: g, group: {{repeat: {{until: 'more == \"no\"', max: {max}}}, steps: [{{id: x, run: 'echo x >> \"$T/log\"'}}, \
             {{id: q, ask: {{prompt: 'More?', choice: ['yes', 'no'], into: more}}}}]}}}}"
        )
    };
    let project = steps(&[&group(5)]).open();
    project.start("s/g/q: ['yes', 'yes', 'no', 'yes']\n").exits(0);
    assert_eq!(project.left("log"), "x\nx\nx\n");
    let project = steps(&[&group(2)]).open();
    project.start("s/g/q: ['yes', 'yes']\n").exits(5).says(&["after 2 turns"]);
    project.tells("s/g", &["started", "failed repeat"]);
    project.resume("s/g: retry\ns/g/q: ['yes', 'yes', 'no']\n").exits(0);
    assert_eq!(project.left("log"), "x\nx\nx\n");
    project.tells("s/g", &["started", "failed repeat", "started", "done"]);
}

#[test]
fn groups_stand_in_groups_and_go_on_where_they_were_cut_off() {
    let group = "{id: g, group: {repeat: {max: 2}, steps: [{id: h, group: {repeat: {max: 2}, steps: [\
                 {id: x, run: 'echo x >> \"$T/log\"'}, {id: c, confirm: 'Next?'}]}}, {id: y, run: 'echo y >> \"$T/log\"'}]}}";
    let project = steps(&[group]).open();
    project.start("s/g/h/c: ['yes', 'yes', 'yes']\n").exits(7);
    assert_eq!(project.left("log"), "x\nx\ny\nx\nx\n");
    project.resume("s/g/h/c: ['yes', 'yes', 'yes', 'yes']\n").exits(0);
    assert_eq!(project.left("log"), "x\nx\ny\nx\nx\ny\n");
    project.tells("s/g/h.2/x.1", &["started", "done"]);
}

#[test]
fn a_script_that_differs_from_the_release_is_taken_from_the_release_and_this_is_said() {
    let project = steps(&["{id: w, shell: Work}", DEPLOY]).file("deploy.sh", SCRIPT).open();
    let answers = "s/w: 'printf \"#!/bin/sh\\necho forged > \\\"$T/deployed\\\"\\n\" > deploy.sh'\ns/a: v1.2.4\n";
    project.start(answers).exits(0).says(&["not as the release has it"]);
    assert_eq!(project.left("deployed"), "v1.2.4\n");
    assert!(project.left("work/deploy.sh").contains("forged"));
}

#[test]
fn what_a_person_says_after_a_failure_is_recorded_as_what_it_was() {
    for (answer, code, last) in [
        ("retry", 5, "failed exit"),
        ("done", 0, "by hand"),
        ("{done: called them}", 0, "by hand: called them"),
        ("{skip: known}", 0, "skipped: known"),
        ("skip", 5, "failed exit"),
        ("{skip: ''}", 5, "failed exit"),
        ("again", 5, "failed exit"),
        ("yes", 5, "failed exit"),
        ("pause", 9, "failed exit"),
        ("rollback", 10, "failed exit"),
    ] {
        let project = steps(&["{id: a, run: 'exit 1', undo: {run: 'echo x > \"$T/undone\"'}}"]).open();
        project.start(&format!("s/a: {answer}\n")).exits(code);
        assert_eq!(project.story("s/a").last().unwrap(), last, "{answer}");
        assert_eq!(project.left("undone"), if code == 10 { "x\n" } else { "" }, "{answer}");
    }
}

#[test]
fn a_group_may_be_left_out_skipped_or_done_by_hand_as_a_whole() {
    let project = steps(&[
        "{id: g, when: issue == '43', group: {steps: [{id: x, run: 'false'}]}}",
        "{id: h, group: {repeat: {max: 2}, steps: [{id: y, when: \"stage != 's'\", run: 'false'}]}}",
        "{id: i, group: {repeat: {until: issue == '43', max: 1}, steps: [{id: z, run: 'true'}]}}",
        "{id: j, group: {repeat: {until: issue == '43', max: 1}, steps: [{id: z, run: 'true'}]}}",
    ])
    .open();
    project.start("s/i: {skip: enough}\ns/j: done\n").exits(0);
    project.tells("s/g", &["skipped: `issue == '43'` does not hold"]);
    project.tells("s/g/x.1", &[]);
    project.tells("s/h/y.2", &["skipped: `stage != 's'` does not hold"]);
    project.tells("s/i", &["started", "failed repeat", "skipped: enough"]);
    project.tells("s/j", &["started", "failed repeat", "by hand"]);
}

#[test]
fn what_users_are_not_on_is_asked_about_and_undone_and_is_not_what_production_runs() {
    let step = |id: &str, affects: &str| {
        let undo = format!("undo: {{run: 'echo undo {id} >> \"$T/log\"'}}");
        format!("{{id: {id}, affects: {affects}, run: 'echo {id} >> \"$T/log\"', {undo}}}")
    };
    let project = steps(&[
        &step("blue", "standby"),
        "{id: q, confirm: Switch?}",
        &step("switch", "production"),
        "{id: r, confirm: Keep?}",
    ])
    .stage("back\ntrigger: rollback", &["{id: look, run: 'true'}"])
    .open();
    let asked = "This touches the standby, which users are not on yet. Type v1.2.4 to run";
    project.start("").exits(7).says(&[asked]).keeps(&["touches production"]);
    project.resume("s/blue: v1.2.4\n").exits(7);
    project.hotfix(&["status"]).exits(0).says(&["Production  v1.2.3, nothing of this run has touched it"]);
    project.resume("s/q: yes\ns/switch: v1.2.4\n").exits(7);
    project.hotfix(&["status"]).exits(0).says(&["Production  v1.2.4 since", "(s/switch)"]);
    std::fs::write(project.path("answers.yaml"), "rollback: yes\n").unwrap();
    let answers = project.path("answers.yaml").display().to_string();
    project.hotfix(&["rollback", "--answers", &answers]).exits(10);
    assert_eq!(project.left("log"), "blue\nswitch\nundo switch\nundo blue\n");
    project.hotfix(&["status"]).exits(0).says(&["Production  v1.2.3 since"]);
}

#[test]
fn the_standby_too_is_tried_again_only_with_the_tag_typed_again() {
    let project = steps(&["{id: blue, affects: standby, run: 'test -e \"$T/ready\"'}"]).open();
    project.start("s/blue: [v1.2.4, retry]\n").exits(7).says(&["This touches the standby"]);
    std::fs::write(project.path("ready"), "").unwrap();
    project.resume("s/blue: [v1.2.4, retry, v1.2.4]\n").exits(0);
}

#[test]
fn a_script_behind_a_symbolic_link_is_compared_with_the_release_as_well() {
    let project = steps(&["{id: a, affects: production, run: ./deploy.sh}"])
        .file("bin/deploy.sh", "#!/bin/sh\necho released >> \"$T/log\"\n")
        .open();
    std::os::unix::fs::symlink("bin/deploy.sh", project.path("work/deploy.sh")).unwrap();
    project.git("work", "add deploy.sh");
    project.git("work", "commit -q -m link");
    project.git("work", "tag -f -a -m release v1.2.3");
    project.git("work", "push -q -f origin main v1.2.3");
    let said = "./deploy.sh is not as the release has it here";
    project.start("s/a: v1.2.4\n").exits(0).keeps(&[said]);
    project.write("bin/deploy.sh", "#!/bin/sh\necho changed >> \"$T/log\"\n");
    project.git("work", "commit -q -a -m changed");
    project
        .hotfix(&["start", "v1.2.3", "43", "--answers", &project.path("answers.yaml").display().to_string()])
        .exits(0)
        .says(&[said]);
    assert_eq!(project.left("log"), "released\nreleased\n");
}

#[test]
fn an_undo_that_was_left_is_not_forgotten_when_all_else_is_done() {
    let project = steps(&["{id: a, run: 'true', undo: {run: 'exit 3'}}", "{id: boom, run: 'false'}"])
        .stage("back\ntrigger: rollback", &["{id: look, run: 'true'}"])
        .stage("after", &["{id: tell, when: \"direction in ['forward', 'back']\", run: 'true'}"])
        .open();
    let left = ["THE ROLLBACK IS NOT COMPLETE", "s/a: exit 3", "hotfix rollback"];
    project.start("s/boom: rollback\n").exits(11).says(&left);
    project.resume("").exits(11).says(&left);
    project.tells("after/tell", &["started", "done"]);
    project.resume("").exits(13);
}
