//! What is wrong with a runbook, said so that it can be mended.

use std::fmt;

/// How many characters are shown of a line that has more bytes than that.
const LONGEST: usize = 400;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// The line itself; of a very long one, what stands around the column.
    pub text: String,
    /// How many characters of `text` stand before the column.
    pub caret: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

/// What is shown of `line`, and how many characters of that stand before `column`.
pub(super) fn excerpt(line: &str, column: usize) -> (String, usize) {
    let before = column.saturating_sub(1);
    if line.len() <= LONGEST {
        return (line.to_owned(), before);
    }
    let skipped = before.saturating_sub(LONGEST / 2);
    let shown = line.chars().skip(skipped).take(LONGEST).collect();
    (shown, before - skipped)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.message)?;
        if self.line == 0 {
            writeln!(f, "  --> {}", self.file)?;
        } else {
            let gutter = " ".repeat(self.line.to_string().len());
            // Tabs stay tabs, so that the caret stands below its character.
            let before = self.text.chars().take(self.caret);
            let indent: String = before.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            writeln!(f, "{gutter}--> {}:{}:{}", self.file, self.line, self.column)?;
            writeln!(f, "{gutter} |\n{} | {}\n{gutter} | {indent}^", self.line, self.text)?;
        }
        self.help.iter().try_for_each(|help| writeln!(f, "  help: {help}"))
    }
}

/// Everything that is wrong with a runbook; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    /// The first of them in the order of their places, and what ended the reading of a file.
    pub listed: Vec<Problem>,
    /// How many more there are.
    pub more: usize,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.listed.iter().try_for_each(|problem| writeln!(f, "{problem}"))?;
        match (self.listed.len(), self.more) {
            (1, 0) => f.write_str("1 problem; nothing was started"),
            (many, 0) => write!(f, "{many} problems; nothing was started"),
            (shown, more) => write!(f, "{} problems, of which {shown} are shown; nothing was started", shown + more),
        }
    }
}

impl std::error::Error for Problems {}

/// The name of `valid` that is nearest to `name`, as a line of advice; all of them where none is near.
pub(super) fn nearest<'a>(name: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let valid: Vec<&str> = valid.into_iter().collect();
    let ranked = valid.iter().map(|one| (strsim::damerau_levenshtein(name, one), *one)).min();
    match ranked {
        Some((distance, one)) if distance <= 1 + name.chars().count() / 3 => Some(format!("did you mean `{one}`?")),
        _ if valid.is_empty() || valid.len() > 40 => None,
        _ => Some(format!("valid here: {}", valid.join(", "))),
    }
}
