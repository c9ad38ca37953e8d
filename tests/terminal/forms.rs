//! Each form of a question, answered.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::pty::Pty;

fn script(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("editor.sh");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_line_can_be_edited() {
    let mut pty = Pty::start("text");
    pty.at("operator?", "one two 三四\x7f\x17\x1b[D\x1b[D3\x1b[H\x1b[3~\x1b[Fx\r");
    pty.answers("Ok(Text(\"ne tw3o x\"))");
    let mut pty = Pty::start("text");
    pty.at("operator?", "wrong\x15   \r");
    pty.unanswered("Nothing is typed yet");
    pty.keys("right\r");
    pty.answers("Ok(Text(\"right\"))");
}

#[test]
fn a_long_line_moves_aside() {
    let mut pty = Pty::start("text");
    pty.at("operator?", &("好".repeat(60) + "end"));
    pty.until("好end\n  Enter send");
    let seen = pty.seen();
    assert!(seen.contains("? stage/step\n  What now, operator?\n  > 好"), "{seen}");
    pty.keys("\r");
    pty.answers("Ok(Text(\"好");
}

#[test]
fn a_number_is_a_number() {
    let mut pty = Pty::start("number");
    pty.at("operator?", "many\r");
    pty.unanswered("\"many\" is not a number");
    pty.keys("\x15NaN\r");
    pty.unanswered("\"NaN\" is not a number");
    pty.keys("\x152.5\r");
    pty.answers("Ok(Number(2.5))");
}

#[test]
fn several_are_ticked() {
    let mut pty = Pty::start("choices");
    pty.at("operator?", "j\r");
    pty.unanswered("Nothing is ticked");
    pty.keys(" \r");
    pty.answers("Ok(Choices([\"api\"]))");
}

#[test]
fn a_second_person_approves_and_not_the_operator() {
    let mut pty = Pty::start("approve");
    pty.at("operator?", "aNN\r");
    pty.unanswered("\"aNN\" is the operator");
    pty.keys("\x15Bob\r");
    pty.at("What Bob says to it:", "\r");
    pty.unanswered("Nothing is typed yet");
    pty.keys("go\r");
    pty.answers("Ok(Approved { name: \"Bob\", note: \"go\" })");
    let mut pty = Pty::start("approve");
    pty.at("operator?", "nobody\r");
    pty.at("Why nobody approves:", "3 am\r");
    pty.answers("Ok(NotApproved { reason: \"3 am\" })");
}

#[test]
fn a_shell_is_opened_and_the_work_is_done_only_when_that_is_typed() {
    let mut pty = Pty::start("shell");
    pty.at("HOTFIX_TAG, HOTFIX_NEW_TAG", "done\r");
    pty.unanswered("Press Enter to open the shell");
    pty.keys("\x15\r");
    pty.until("(hotfix) $");
    pty.keys("echo tag=$HOTFIX_TAG dir=$PWD\r");
    pty.until("tag=v1.2.3 dir=/");
    pty.prompts(2);
    pty.keys("exit\r");
    pty.at("Back from the shell", "\r");
    pty.unanswered("Not done yet: type done or again");
    pty.keys("done\r");
    pty.at("What was done", "\r");
    pty.answers("Ok(Done { note: None })");
}

#[test]
fn a_text_is_written_in_the_editor() {
    let dir = tempfile::tempdir().unwrap();
    let mode = dir.path().join("mode");
    let text = format!("ls -l \"$1\" > '{}'\nprintf 'it broke\\nat noon\\n' > \"$1\"", mode.display());
    let editor = script(dir.path(), &text);
    let mut pty = Pty::start_with("editor", &[("EDITOR", &editor)], None);
    pty.at("Enter opens the editor", "\r");
    pty.answers("Ok(Text(\"it broke\\nat noon\\n\"))");
    assert!(fs::read_to_string(mode).unwrap().starts_with("-rw-------"));
}

#[test]
fn what_is_typed_before_the_editor_opens_stands_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let editor = script(dir.path(), "echo more >> \"$1\"");
    let mut pty = Pty::start_with("begun", &[("EDITOR", &editor)], None);
    pty.at("Enter opens the editor · Esc menu", "it broke\r");
    pty.answers("Ok(Text(\"Draft:\\nit broke\\nmore\\n\"))");
    let mut pty = Pty::start_with("begun", &[("EDITOR", Path::new("/no/such/editor"))], None);
    pty.at("Enter opens the editor · Esc menu", "it broke\r");
    pty.at("No editor can be started", ".\r");
    pty.answers("Ok(Text(\"Draft:\\nit broke\"))");
}

#[test]
fn an_empty_text_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let tried = dir.path().join("tried");
    let text = format!("if [ -e '{0}' ]; then echo second > \"$1\"; fi; touch '{0}'", tried.display());
    let editor = script(dir.path(), &text);
    let mut pty = Pty::start_with("editor", &[("EDITOR", &editor)], None);
    pty.at("Enter opens the editor", "\r");
    pty.at("The text is empty", "\r");
    pty.answers("Ok(Text(\"second\\n\"))");
}

#[test]
fn without_an_editor_a_text_is_typed_line_by_line() {
    let mut pty = Pty::start_with("editor", &[("EDITOR", Path::new("/no/such/editor"))], None);
    pty.at("Enter opens the editor", "\r");
    pty.at("No editor can be started", ".\r");
    pty.at("Nothing is typed yet", "first\r");
    pty.at("first", "second\r");
    pty.at("second", ".\r");
    pty.answers("Ok(Text(\"first\\nsecond\"))");
}
