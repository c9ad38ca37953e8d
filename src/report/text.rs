//! Texts of unknown origin, made harmless.

use crate::operator::{Answer, Way};

/// `text` with its lines and tabs, and nothing else that would control a terminal: an escape character is shown as `\u{1b}`.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, letter| {
        if is_harmless(letter) || matches!(letter, '\n' | '\t') {
            out.push(letter);
        } else {
            out.extend(letter.escape_unicode());
        }
        out
    })
}

/// `text` in one line, and nothing in it that would control a terminal.
pub(super) fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    printable(&lines.join(" ⏎ ")).replace(['\t', '\n'], " ")
}

/// Whether `letter` neither controls a terminal nor turns the direction of writing.
fn is_harmless(letter: char) -> bool {
    let turns =
        matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    !letter.is_control() && !turns
}

/// An answer in words.
pub(super) fn answer(answer: &Answer) -> String {
    let with = |what: &str, more: &Option<String>| match more {
        Some(more) => format!("{what}: {more}"),
        None => what.to_owned(),
    };
    match answer {
        Answer::Yes => "yes".to_owned(),
        Answer::No => "no".to_owned(),
        Answer::Text(text) => text.clone(),
        Answer::Number(number) => number.to_string(),
        Answer::Choices(picked) => picked.join(", "),
        Answer::Checked(ticked) => format!("{} ticked: {}", ticked.len(), ticked.join("; ")),
        Answer::Approved { name, note } => format!("approved by {name}: {note}"),
        Answer::NotApproved { reason } => format!("not approved: {reason}"),
        Answer::Done { note } => with("done", note),
        Answer::Command(command) => format!("command: {command}"),
        Answer::Way { way: chosen, reason } => with(way(*chosen), reason),
    }
}

fn way(way: Way) -> &'static str {
    match way {
        Way::Retry => "retry",
        Way::Again => "run again",
        Way::Done => "done by hand",
        Way::Skip => "skip",
        Way::Rollback => "roll back",
        Way::Return => "no rollback",
        Way::Leave => "leave as it is",
        Way::Pause => "pause",
        Way::Stop => "stop the command",
        Way::Detach => "leave the command running",
        Way::Wait => "wait",
        Way::Called => "called",
        Way::Acknowledged => "acknowledged",
        Way::Decline => "not called",
        Way::Later => "later",
        Way::Send => "send",
        Way::Edit => "edit",
    }
}

#[cfg(test)]
mod tests {
    use super::{one_line, printable};

    #[test]
    fn nothing_that_controls_a_terminal_passes_and_all_else_does() {
        let hostile = "a\u{1b}[31mb\u{7}\u{9b}2J\r\u{202e}c\u{0}";
        assert_eq!(printable(hostile), r"a\u{1b}[31mb\u{7}\u{9b}2J\u{d}\u{202e}c\u{0}");
        assert_eq!(printable("前\tz\nä"), "前\tz\nä");
        assert_eq!(one_line("a\n\n  b\tc\r\n"), "a ⏎ b c");
    }
}
