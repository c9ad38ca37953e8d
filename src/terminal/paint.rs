//! How text looks, and how wide it is.

use console::Style;

/// What a piece of text is, for the eye. Nothing is said by this alone: without colour the text still says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    Strong,
    Emphasis,
    Heading,
    Code,
    Dim,
    Good,
    Bad,
    Warn,
}

/// Puts tones on text, or leaves it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Colour,
    Bare,
}

impl Paint {
    /// `text` in this tone.
    pub(super) fn tone(self, tone: Tone, text: &str) -> String {
        if self == Self::Bare || tone == Tone::Plain || text.is_empty() {
            return text.to_owned();
        }
        let style = Style::new().force_styling(true);
        let style = match tone {
            Tone::Plain => style,
            Tone::Strong => style.bold(),
            Tone::Emphasis => style.underlined(),
            Tone::Heading => style.bold().cyan(),
            Tone::Code => style.cyan(),
            Tone::Dim => style.dim(),
            Tone::Good => style.green(),
            Tone::Bad => style.red().bold(),
            Tone::Warn => style.yellow(),
        };
        style.apply_to(text).to_string()
    }
}

/// How many columns `text` takes; what only colours it takes none.
pub(super) fn width(text: &str) -> usize {
    console::measure_text_width(text)
}

/// How many columns `letter` takes.
pub(super) fn letter_width(letter: char) -> usize {
    width(letter.encode_utf8(&mut [0; 4]))
}

/// `text` cut to `columns`, with `…` where something was cut off.
#[must_use]
pub fn cut(text: &str, columns: usize) -> String {
    console::truncate_str(text, columns, "…").into_owned()
}
