//! Lines no wider than they may be.
//!
//! # Why
//! Chinese has no spaces: a line may end between any two wide characters, but no line begins with a closing mark. A terminal
//! breaks anywhere, and then miscounts the rows that a prompt takes.

use super::paint::{Paint, Tone, letter_width};

/// A piece of text in one tone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) text: String,
    pub(super) tone: Tone,
}

/// The narrowest that anything is wrapped to, in columns: below that nothing can be read anyway.
const NARROWEST: usize = 8;
/// What no line begins with.
const CLOSING: &str = "，。、；：！？）」』】》〉”’…,.;:!?)]}%";
/// What no line ends with.
const OPENING: &str = "（「『【《〈“‘([{";

type Letter = (char, Tone);

/// What is never broken, as long as a line can hold it.
enum Atom {
    Word(Vec<Letter>),
    Space(Tone),
    Break,
}

/// `spans` as lines of at most `width` columns, painted.
pub(super) fn wrap(spans: &[Span], width: usize, paint: Paint) -> Vec<String> {
    let width = width.max(NARROWEST);
    let (mut lines, mut line, mut used) = (Vec::new(), Vec::new(), 0);
    let mut space: Option<Tone> = None;
    for atom in atoms(spans) {
        match atom {
            Atom::Break => {
                lines.push(std::mem::take(&mut line));
                (used, space) = (0, None);
            }
            Atom::Space(tone) => space = Some(tone),
            Atom::Word(word) => {
                let wide: usize = word.iter().map(|(letter, _)| letter_width(*letter)).sum();
                let gap = usize::from(space.is_some() && used > 0);
                if used > 0 && used + gap + wide > width {
                    lines.push(std::mem::take(&mut line));
                    used = 0;
                } else if gap == 1 {
                    line.push((' ', space.unwrap_or_default()));
                    used += 1;
                }
                space = None;
                for (letter, tone) in word {
                    let wide = letter_width(letter);
                    if used + wide > width {
                        lines.push(std::mem::take(&mut line));
                        used = 0;
                    }
                    line.push((letter, tone));
                    used += wide;
                }
            }
        }
    }
    lines.push(line);
    lines.iter().map(|line| painted(line, paint)).collect()
}

/// `text`, which may have several lines, as lines of at most `width` columns. What a line is indented by is kept.
pub(super) fn wrap_text(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.trim_end_matches('\n').split('\n') {
        let indent = line.chars().take_while(|letter| *letter == ' ').count().min(width / 2);
        let span = Span { text: line.trim_start().to_owned(), tone: Tone::Plain };
        let wrapped = wrap(&[span], width.saturating_sub(indent), Paint::Bare);
        lines.extend(wrapped.iter().map(|part| format!("{:indent$}{part}", "").trim_end().to_owned()));
    }
    lines
}

/// `text` as lines of at most `columns` columns, each with its end. What follows the first of a line goes on as far in as that
/// began, or `hanging` columns in where that is more.
pub fn fitted(text: &str, columns: usize, hanging: usize) -> String {
    let mut fitted = String::new();
    for line in text.split_inclusive('\n') {
        let (body, end) = line.strip_suffix('\n').map_or((line, ""), |body| (body, "\n"));
        if body.chars().map(letter_width).sum::<usize>() <= columns {
            fitted.push_str(line);
            continue;
        }
        let indent = body.chars().take_while(|letter| *letter == ' ').count().max(hanging).min(columns / 2);
        // What stands in the margin stays there.
        let at = body.char_indices().nth(indent).map_or(body.len(), |(at, _)| at);
        let (margin, rest) = body.split_at(at);
        let span = Span { text: rest.to_owned(), tone: Tone::Plain };
        for (nth, part) in wrap(&[span], columns.saturating_sub(indent), Paint::Bare).iter().enumerate() {
            let before = if nth == 0 { margin.to_owned() } else { format!("\n{:indent$}", "") };
            fitted.push_str(&before);
            fitted.push_str(part);
        }
        fitted.push_str(end);
    }
    fitted
}

fn atoms(spans: &[Span]) -> Vec<Atom> {
    let letters = spans.iter().flat_map(|span| span.text.chars().map(|letter| (letter, span.tone)));
    let (mut atoms, mut word): (Vec<Atom>, Vec<Letter>) = (Vec::new(), Vec::new());
    let mut flush = |word: &mut Vec<Letter>, next: Option<Atom>| {
        if !word.is_empty() {
            atoms.push(Atom::Word(std::mem::take(word)));
        }
        atoms.extend(next);
    };
    for (letter, tone) in letters {
        if letter == '\n' {
            flush(&mut word, Some(Atom::Break));
        } else if letter.is_whitespace() {
            flush(&mut word, Some(Atom::Space(tone)));
        } else {
            if word.last().is_some_and(|(last, _)| may_break(*last, letter)) {
                flush(&mut word, None);
            }
            word.push((letter, tone));
        }
    }
    flush(&mut word, None);
    atoms
}

fn may_break(before: char, after: char) -> bool {
    let wide = letter_width(before) == 2 || letter_width(after) == 2;
    wide && letter_width(after) > 0 && !CLOSING.contains(after) && !OPENING.contains(before)
}

fn painted(line: &[Letter], paint: Paint) -> String {
    let mut text = String::new();
    for piece in line.chunk_by(|one, other| one.1 == other.1) {
        let letters: String = piece.iter().map(|(letter, _)| *letter).collect();
        text.push_str(&paint.tone(piece.first().map_or(Tone::Plain, |(_, tone)| *tone), &letters));
    }
    text
}
