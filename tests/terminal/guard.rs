//! What never confirms anything.

use std::fs;

use super::pty::Pty;

const HINT: &str = "Nothing is confirmed yet";

#[test]
fn enter_alone_and_the_end_of_input_confirm_nothing() {
    let mut pty = Pty::start("confirm");
    pty.at("operator?", "\r");
    pty.unanswered(HINT);
    pty.keys("\x04");
    pty.unanswered("End of input answers nothing");
    pty.keys("y");
    pty.unanswered("> y");
    pty.keys("\r");
    pty.answers("Ok(Yes)");
}

#[test]
fn what_was_typed_before_the_question_confirms_nothing() {
    let mut pty = Pty::start("ahead");
    pty.until("READY");
    pty.keys("y\n");
    pty.listens("operator?");
    pty.keys("\r");
    pty.unanswered(HINT);
    pty.keys("no\r");
    pty.answers("Ok(No)");
}

#[test]
fn a_pasted_new_line_confirms_nothing() {
    let mut pty = Pty::start("confirm");
    pty.at("operator?", "\x1b[200~y\r\n\x1b[201~");
    pty.unanswered("> y");
    pty.keys("\x15\r");
    pty.unanswered(HINT);
    pty.keys("\x1b[200~yes\ny\x1b[201~\r");
    pty.until_that("an empty line", |seen| seen.contains(HINT) && !seen.contains("yes"));
    pty.keys("n\r");
    pty.answers("Ok(No)");
}

#[test]
fn a_terminal_that_goes_away_answers_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let written = dir.path().join("written");
    let pty = Pty::start_with("gone", &[("HOTFIX_WRITTEN", &written)], Some("Ctrl-C pause"));
    pty.hang_up();
    assert_eq!(fs::read_to_string(written).unwrap(), "Err(Interrupted(Hup))");
}

#[test]
fn only_the_exact_text_is_the_text() {
    let mut pty = Pty::start("typed");
    pty.at("operator?", "\r");
    pty.unanswered("Enter alone confirms nothing");
    pty.keys("v1.2.3\r");
    pty.unanswered("\"v1.2.3\" is not \"v1.2.4\"");
    pty.keys("v1.2.4 \r");
    pty.unanswered("\"v1.2.4 \" is not \"v1.2.4\"");
    pty.keys("v1.2.4\r");
    pty.answers("Ok(Text(\"v1.2.4\"))");
}

#[test]
fn a_text_that_was_typed_at_an_earlier_showing_is_not_sent_by_enter_alone() {
    let mut pty = Pty::start("typed-again");
    pty.at("operator?", "v1.2.4");
    pty.until("> v1.2.4");
    pty.signal();
    pty.until("TAKEN");
    pty.signal();
    pty.at("> v1.2.4", "\r");
    pty.unanswered("This was typed before");
    pty.keys("v1.2.4\r");
    pty.answers("Ok(Text(\"v1.2.4\"))");
}

#[test]
fn a_choice_has_none_chosen_at_first() {
    let mut pty = Pty::start("choice");
    pty.at("operator?", "\r");
    pty.unanswered("Nothing is chosen yet");
    assert!(!pty.seen().contains(">  "), "{}", pty.seen());
    pty.keys("2");
    pty.unanswered(">  2. SEV2");
    pty.keys("\x1b[B\r");
    pty.answers("Ok(Text(\"SEV3\"))");
}

#[test]
fn a_checklist_takes_every_item_that_is_not_optional() {
    let mut pty = Pty::start("checklist");
    pty.at("operator?", "\r");
    pty.unanswered("Still open: tests; review");
    pty.keys(" jj \r");
    pty.answers("Ok(Checked([\"tests\", \"review\"]))");
}

#[test]
fn a_checklist_that_is_all_optional_is_not_finished_by_enter_alone() {
    let mut pty = Pty::start("optional");
    pty.at("operator?", "\r");
    pty.unanswered("Enter alone finishes nothing");
    pty.keys("jjj\r");
    pty.answers("Ok(Checked([]))");
}

#[test]
fn a_question_that_is_taken_back_keeps_what_was_typed() {
    let mut pty = Pty::start("again");
    pty.at("operator?", "half a tex");
    pty.until("> half a tex");
    pty.signal();
    pty.until("TAKEN");
    let seen = pty.seen();
    assert!(!seen.contains("half") && !seen.contains("operator?"), "{seen}");
    // The terminal echoes again, and what it echoes is no part of an answer.
    pty.keys("echoed");
    pty.until("echoed");
    pty.signal();
    pty.listens("> half a tex");
    pty.keys("t\r");
    pty.answers("Ok(Text(\"half a text\"))");
}
