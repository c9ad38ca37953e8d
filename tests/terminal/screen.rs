//! What is shown, on a screen and without one.

use super::pty::Pty;

/// Whether `bytes` hold a sequence that colours.
fn coloured(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.split("\x1b[")
        .skip(1)
        .any(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'))
}

fn shown(scenario: &str) -> Pty {
    let mut pty = Pty::start(scenario);
    pty.resize(60, 80);
    pty.until("END");
    pty
}

/// Whether `lines` stand in `seen` in this order.
fn in_order(seen: &str, lines: &[&str]) {
    let mut rest = seen;
    for line in lines {
        let Some(at) = rest.find(line) else { panic!("no {line:?} in its place:\n{seen}") };
        rest = &rest[at + line.len()..];
    }
}

const ALL: [&str; 24] = [
    "v1.2.3 → v1.2.4 · #1234 · stage 8/18 Staging · 12m",
    "ought to take 20m00s",
    "Take care",
    "▶ staging/deploy  Deploy",
    "• one",
    "$ ./deploy.sh \\",
    "  \"$HOTFIX_NEW_TAG\"",
    "  HOTFIX_NEW_TAG=v1.2.4",
    "  at most 10m00s",
    "  first line\n",
    "  red text\n",
    "  half\n",
    "│ quoted",
    "✓ staging/deploy  done  4s",
    "✗ staging/deploy  FAILED: it ended with 1\n    see above",
    "- staging/deploy  skipped: not today",
    "✓ staging/deploy  watches from now on, until 05:19\n✓ staging/deploy  watches from now on\n",
    "✓ staging/deploy  done by hand\nnote: known\nWARNING: beware",
    "ROLLING BACK · v1.2.3 · #1234 · stage 8/18 Staging · 12m",
    "note: back",
    "ROLLED BACK TO v1.2.3 · #1234 · stage 8/18 S",
    "note: behind it",
    "PRODUCTION STAYED ON v1.2.3 · #1234 · stage 8/18 S",
    "note: never there",
];

#[test]
fn everything_is_shown_in_its_place() {
    let pty = shown("show");
    in_order(&pty.seen(), &ALL);
    assert!(!coloured(pty.raw()), "colour where none is wanted");
    // What does not fit is left out from the end.
    in_order(&pty.seen(), &["Staging · 12m", "s · escalate in 2m"]);
    assert!(!pty.seen().contains("senior"), "{}", pty.seen());
    assert!(coloured(shown("show-colour").raw()));
}

#[test]
fn without_a_terminal_there_are_only_lines() {
    let pty = shown("show-plain");
    in_order(&pty.seen(), &ALL);
    in_order(
        &pty.seen(),
        &[
            "stage 8/18 Staging · 12m",
            "escalate in 2m5",
            "  health  503  FAILS  1 of 2 · status == 200\n",
            "  FAILS    health  503",
        ],
    );
    assert!(!pty.raw().contains(&0x1b), "{}", pty.seen());
}

#[test]
fn quiet_shows_commands_failures_and_warnings() {
    let pty = shown("show-quiet");
    in_order(&pty.seen(), &["$ ./deploy.sh", "FAILED: it ended with 1", "WARNING: beware"]);
    for text in ["Staging", "first line", "known", "done", "skipped", "quoted"] {
        assert!(!pty.seen().contains(text), "{text}:\n{}", pty.seen());
    }
}

#[test]
fn it_speaks_chinese() {
    let pty = shown("show-chinese");
    in_order(
        &pty.seen(),
        &["阶段 8/18 Staging", "预计用时 20m00s", "失败: it ended", "从现在起持续监控，直到 05:19", "警告: beware"],
    );
    in_order(&pty.seen(), &["正在回滚", "已回滚至 v1.2.3 · #1234", "生产环境未变更，仍为 v1.2.3 · #1234"]);
    let mut pty = Pty::start("chinese");
    pty.until("Ctrl-C 暂停");
    pty.keys("\r");
    pty.unanswered("尚未确认任何内容");
    pty.keys("yes\r");
    pty.answers("Ok(Yes)");
}

#[test]
fn a_question_has_colour_only_where_that_is_wanted() {
    let mut pty = Pty::start("colour");
    pty.at("operator?", "1\r");
    pty.answers("Ok(Text(\"SEV1\"))");
    assert!(coloured(pty.raw()));
    let mut pty = Pty::start("choice");
    pty.at("operator?", "1\r");
    pty.answers("Ok(Text(\"SEV1\"))");
    assert!(!coloured(pty.raw()));
}

#[test]
fn a_question_follows_the_size_of_the_screen() {
    let mut pty = Pty::start("long");
    pty.at("room, else two.", "typed");
    pty.until("> typed");
    pty.resize(24, 40);
    pty.until("it takes one\n  line where there is room, else two.");
    pty.at("> typed", " on\r");
    pty.answers("Ok(Text(\"typed on\"))");
}

#[test]
fn a_prompt_moves_no_cursor_by_what_it_says() {
    let mut pty = Pty::start("confirm");
    pty.listens("What now, operator?");
    pty.keys("n\r");
    pty.answers("Ok(No)");
    in_order(&pty.seen(), &["? stage/step\n  What now, operator?\n  → no"]);
}
