//! What is watched, on the screen.

use super::pty::Pty;

#[test]
fn every_probe_has_its_line_and_a_log_its_latest_ones() {
    let mut pty = Pty::start("watch");
    pty.until("n note");
    let seen = pty.seen();
    let from = seen.find("Watching for").unwrap();
    let lines: Vec<_> = seen[from..].lines().collect();
    let expected = [
        "ok       fine-1         1  █▁█           bears 2 · status == 200",
        "ok       fine-2         2  █▁█           bears 2 · status == 200",
        "ok       fine-3         3  █▁█           bears 2 · status == 200",
        "ok       fine-4         4  █▁█           bears 2 · status == 200",
        "ok       fine-5         5  █▁█           bears 2 · status == 200",
        "ok       fine-6         6  █▁█           bears 2 · status == 200",
        "FAILS    health       503  ▁▁█           1 of 2 · status == 200",
        "ERROR    error-rate     -  ▁█            2 of 4 · nobody answers at the port",
        "ok       log         1.2k  ▁█            1 of 2 · status == 200",
    ];
    assert!(lines[0].ends_with(" of 10m00s, 10m00s left") || lines[0].ends_with(" of 10m00s, 9m59s left"), "{seen}");
    assert_eq!(lines[1..10], expected, "{seen}");
    for (line, number) in lines[10..13].iter().zip(3..) {
        assert!(line.starts_with(&format!("log: ERROR {number} xxx")) && line.ends_with('…'), "{seen}");
    }
    assert_eq!(lines[13..], ["n note · r roll back · Esc menu"], "{seen}");
    pty.keys("n");
    pty.answers("Note");
    // A line a probe is left, and nothing of the rest.
    let seen = pty.seen();
    assert!(seen.contains("  FAILS    health       503  ▁▁█           1 of 2"), "{seen}");
    assert!(!seen.contains("Watching for") && !seen.contains("Esc menu") && !seen.contains("xxx"), "{seen}");
    assert_eq!(seen.matches("fine-3").count(), 1, "{seen}");
}

#[test]
fn a_small_screen_has_the_worst_and_says_how_many_more_there_are() {
    let mut pty = Pty::start("watch");
    pty.until("n note");
    pty.resize(10, 40);
    pty.until("and 3 more");
    let seen = pty.seen();
    let from = seen.rfind("Watching for").unwrap();
    let lines: Vec<_> = seen[from..].lines().collect();
    let expected = [
        "FAILS    health       503  1 of 2 · st…",
        "ERROR    error-rate     -  2 of 4 · no…",
        "ok       log         1.2k  1 of 2 · st…",
    ];
    assert_eq!(lines[1..4], expected, "{seen}");
    assert!(lines.len() < 10 && lines.iter().all(|line| line.chars().count() < 40), "{seen}");
    pty.keys("r");
    pty.answers("Menu");
}

#[test]
fn what_stays_the_same_is_not_drawn_again() {
    let mut pty = Pty::start("watch");
    pty.until("n note");
    for times in 1..=20 {
        let before = pty.raw().len();
        pty.signal();
        pty.until(&format!("told {times}\n"));
        // What is written is the line that stays and the view once below it, though 1800 readings came: and where a second
        // goes by, the view again.
        let written = pty.raw().len() - before;
        assert!(written < 4 * 1400, "{written} bytes");
    }
    let raw = String::from_utf8_lossy(pty.raw()).into_owned();
    // It is drawn over in place: the whole screen is never taken away.
    assert!(!raw.contains("\x1b[2J") && !raw.contains("\x1b[H"), "{raw:?}");
    let seen = pty.seen();
    assert_eq!(seen.matches("Watching for").count(), 1, "{seen}");
    pty.keys("\u{3}");
    pty.answers("Interrupt");
}
