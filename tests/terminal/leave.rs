//! The menu, and other ways out of a question.

use std::fs;

use super::pty::Pty;

#[test]
fn ctrl_c_interrupts() {
    let mut pty = Pty::start("text");
    pty.at("operator?", "words\x03");
    pty.answers("Err(Interrupted(Int))");
}

#[test]
fn a_panic_leaves_the_terminal_as_it_was() {
    let mut pty = Pty::start("panic");
    pty.at("operator?", "half");
    pty.until("> half");
    pty.signal();
    pty.until("OVER");
    // It echoes, and takes a line as one.
    pty.keys("echoed\x7f!\n");
    pty.until("echoe!\n");
    assert!(!pty.seen().contains("operator?"), "{}", pty.seen());
}

#[test]
fn the_menu_leads_back_and_keeps_what_was_typed() {
    let mut pty = Pty::start("text");
    pty.at("operator?", "half\x1b");
    pty.listens("Menu: what now?");
    assert!(!pty.seen().contains("retry"), "{}", pty.seen());
    pty.keys("\x1b");
    pty.listens("> half");
    pty.keys(" done\r");
    pty.answers("Ok(Text(\"half done\"))");
}

#[test]
fn the_menu_takes_a_note() {
    let mut pty = Pty::start("confirm");
    pty.at("operator?", "\x1b");
    pty.at("Menu: what now?", "4\r");
    pty.at("Note for the log:", "\r");
    pty.unanswered("Nothing is typed yet");
    pty.keys("looks 好\r");
    pty.answers("Err(Note(\"looks 好\"))");
}

#[test]
fn to_skip_takes_a_reason() {
    let mut pty = Pty::start("confirm");
    pty.at("operator?", "\x1b");
    pty.at("Menu: what now?", "1\r");
    pty.at("Why is it left out?", "\r");
    pty.unanswered("Nothing is typed yet");
    pty.keys("no time\r");
    pty.answers("Err(Menu { way: Skip, reason: Some(\"no time\") })");
}

#[test]
fn to_roll_back_is_only_chosen_here_for_who_begins_it_asks() {
    let mut pty = Pty::start("way");
    pty.at("operator?", "\r");
    pty.unanswered("Nothing is chosen yet");
    pty.keys("4");
    pty.listens(">  4. roll back: take production back; shows the plan and asks first");
    pty.keys("\r");
    pty.answers("Ok(Way { way: Rollback, reason: None })");
}

#[test]
fn a_question_that_is_longer_than_the_screen_is_shown_whole() {
    let mut pty = Pty::start("tall");
    pty.resize(20, 80);
    pty.at("operator?", "4\r");
    pty.answers("Ok(Way { way: Rollback, reason: None })");
    let all = String::from_utf8_lossy(pty.raw()).into_owned();
    assert!(
        (1..=40).all(|number| all.contains(&format!("undo {number}\n")) || all.contains(&format!("undo {number}\r"))),
        "{all}"
    );
}

#[test]
fn a_way_may_take_a_reason_or_none() {
    let mut pty = Pty::start("way");
    pty.at("operator?", "3\r");
    pty.at("Why is it left out?", "known flake\r");
    pty.answers("Ok(Way { way: Skip, reason: Some(\"known flake\") })");
    let mut pty = Pty::start("way");
    pty.at("operator?", "j\r");
    pty.answers("Ok(Way { way: Retry, reason: None })");
}

#[test]
fn a_shell_from_the_menu_has_ctrl_c_for_itself() {
    let mut pty = Pty::start("confirm");
    pty.at("operator?", "\x1b");
    pty.at("Menu: what now?", "5\r");
    pty.until("(hotfix) $");
    pty.keys("echo in-$((1+1))\r");
    pty.until("in-2");
    pty.prompts(2);
    pty.keys("\x03");
    pty.prompts(3);
    pty.keys("echo in-$((1+2))\r");
    pty.until("in-3");
    pty.prompts(4);
    pty.keys("exit\r");
    pty.answers("Err(Note(\"opened a shell\"))");
}

#[test]
fn a_question_that_is_taken_back_takes_its_shell_with_it() {
    let mut pty = Pty::start("again");
    pty.at("operator?", "kept\x1b");
    pty.at("Menu: what now?", "5\r");
    pty.until("(hotfix) $");
    pty.keys("echo run-$((1+1)); cat\r");
    pty.until("run-2");
    pty.signal();
    pty.until("TAKEN");
    pty.signal();
    pty.at("> kept", "\r");
    pty.answers("Ok(Text(\"kept\"))");
}

#[test]
fn what_is_shown_meanwhile_stands_above_the_question_and_not_in_a_shell() {
    let mut pty = Pty::start("both");
    pty.listens("operator?");
    pty.signal();
    pty.until("WARNING: beware\n\n? stage/step\n  What now, operator?\n  Type y or n");
    pty.keys("\x1b");
    pty.at("Menu: what now?", "5\r");
    pty.until("(hotfix) $");
    pty.signal();
    pty.until_written("told 2");
    pty.keys("exit\r");
    pty.answers("Err(Note(\"opened a shell\"))");
    let seen = pty.seen();
    assert!(seen.contains("$ exit\nWARNING: beware"), "{seen}");
}

#[test]
fn a_program_that_is_stopped_comes_back() {
    let mut pty = Pty::start_with("editor", &[("EDITOR", "echo ready$((1+1)); cat; :".as_ref())], None);
    pty.at("Enter opens the editor", "\r");
    // What is typed before that is not typed to it.
    pty.until("ready2");
    pty.keys("one\r");
    pty.until("one\none");
    pty.keys("\x1a");
    pty.until("^Z");
    pty.keys("two\r");
    pty.until_that("its answer", |seen| seen.matches("two").count() == 2);
    pty.keys("\x04");
    pty.listens("The text is empty");
}

#[test]
fn the_output_is_shown_and_the_question_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let shown = dir.path().join("output.log");
    fs::write(&shown, "all of it\n").unwrap();
    // The middle of it was not kept.
    fs::write(dir.path().join("output.log.30"), "and the end\n").unwrap();
    let none = dir.path().join("no-such-pager");
    for pager in ["cat".as_ref(), none.as_path()] {
        let mut pty = Pty::start_with("hand", &[("HOTFIX_SHOWN", &shown), ("PAGER", pager)], None);
        pty.at("operator?", "\x1b");
        pty.at("Menu: what now?", "6\r");
        pty.listens("all of it");
        pty.until("20 bytes of output were not kept");
        pty.until("and the end");
        pty.at("operator?", "done\r");
        pty.at("What was done", "by hand\r");
        pty.answers("Ok(Done { note: Some(\"by hand\") })");
    }
}

#[test]
fn keys_are_read_while_a_command_runs() {
    for (keys, wanted) in [("yq\x03", "Interrupt"), ("yq\x1b", "Menu")] {
        let mut pty = Pty::start("attention");
        pty.until("/ 10m00s");
        pty.until("  line one");
        pty.until("40%");
        pty.keys(keys);
        pty.answers(wanted);
        assert!(!pty.seen().contains("/ 10m00s"), "the line of the command stays:\n{}", pty.seen());
        assert!(pty.seen().contains("  40%"), "{}", pty.seen());
    }
}
