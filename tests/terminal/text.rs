//! Markdown and the output of programs, as lines.

use hotfix::terminal::Settings;
use hotfix::terminal::markdown::render;
use hotfix::terminal::sanitize::{Sanitizer, clean};

use super::child::PLAIN;

fn lines(markdown: &str, columns: usize) -> String {
    render(markdown, columns, PLAIN).join("\n")
}

#[test]
fn markdown_is_set_for_a_terminal() {
    let cases = [
        ("# Head\ntext\nmore", "Head\n────\n\ntext more"),
        ("### Small\n\ntext", "Small\n\ntext"),
        ("- one\n- two\n  - deep\n- three", "• one\n• two\n  • deep\n• three"),
        ("2. two\n3. three", "2. two\n3. three"),
        ("- [x] a\n- [ ] b", "• [x] a\n• [ ] b"),
        ("a **b** `c` [d](http://e) <http://f>", "a b `c` d (http://e) http://f"),
        ("> quote\n> more\n\nend", "│ quote more\n\nend"),
        ("run:\n```sh\nmake  all\n  -j\n```\nthen", "run:\n\n    make  all\n      -j\n\nthen"),
        ("- do\n\n      code\n\n  then", "• do\n\n      code\n\n  then"),
        ("<b>x</b>\u{1b}[2J", "<b>x</b>"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a │ b\n1 │ 2"),
        ("", ""),
    ];
    for (markdown, expected) in cases {
        assert_eq!(lines(markdown, 40), expected, "{markdown}");
    }
}

#[test]
fn lines_are_no_wider_than_they_may_be() {
    assert_eq!(lines("aaa bbb ccc", 8), "aaa bbb\nccc");
    assert_eq!(lines("- aaa bbb ccc ddd", 11), "• aaa bbb\n  ccc ddd");
    assert_eq!(lines("abcdefghijkl", 8), "abcdefgh\nijkl");
    // Wide characters take two columns, and no line begins with a closing mark.
    assert_eq!(lines("先检查生产环境", 8), "先检查生\n产环境");
    assert_eq!(lines("先检查生，再部署", 8), "先检查\n生，再部\n署");
    assert_eq!(lines("先检\n查v1.2.4", 12), "先检查v1.2.4");
}

#[test]
fn colour_takes_no_room() {
    let colour = Settings { color: true, ..PLAIN };
    let lines = render("**aaa** bbb `ccc`", 8, colour);
    assert_eq!(lines, ["\u{1b}[1maaa\u{1b}[0m bbb", "\u{1b}[36mccc\u{1b}[0m"]);
}

#[test]
fn what_a_program_writes_is_text_and_nothing_else() {
    let cases: [(&[u8], &[&str], &str); 14] = [
        (b"one\ntwo", &["one"], "two"),
        (b"one\r\ntwo\r\n", &["one", "two"], ""),
        (b"10%\r20%\r", &[], "20%"),
        (b"10%\r20%\rdone\n", &["done"], ""),
        (b"\x1b[1;31mred\x1b[0m\n", &["red"], ""),
        (b"a\x1b[2J\x1b[H\x1b[3Ab\n", &["ab"], ""),
        (b"\x1b]0;title\x07a\x1b]52;c;eA==\x1b\\b\n", &["ab"], ""),
        (b"\x1bP1$q\x1b\\a\x1b(Bb\x1b7c\n", &["abc"], ""),
        (b"\x1b]never closed\nnext\n", &["", "next"], ""),
        (b"ab\x08c\x07\x00\x7f\n", &["ac"], ""),
        (b"a\tb\n", &["a       b"], ""),
        (b"\xffa\xe4\xbdb\n", &["\u{fffd}a\u{fffd}b"], ""),
        ("\u{9b}31m\u{202e}abc\u{2066}\n".as_bytes(), &["31mabc"], ""),
        ("部署\n".as_bytes(), &["部署"], ""),
    ];
    for (bytes, expected, partial) in cases {
        let mut whole = Sanitizer::default();
        assert_eq!(whole.push(bytes), expected, "{bytes:?}");
        assert_eq!(whole.partial(), partial, "{bytes:?}");
        // Cut anywhere, it is the same.
        let mut cut = Sanitizer::default();
        let lines: Vec<_> = bytes.iter().flat_map(|byte| cut.push(&[*byte])).collect();
        assert_eq!((lines, cut.finish()), (whole_lines(expected), whole.finish()), "{bytes:?}");
    }
    assert_eq!(clean("a\u{1b}[2J\nb\r\n"), "a\nb\n");
    let long = vec![b'x'; 100_000];
    assert!(Sanitizer::default().push(&long).len() > 1, "a line without an end is held back for ever");
}

fn whole_lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|&line| line.to_owned()).collect()
}
