//! What is wrong with a runbook, said so that it can be mended.

use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// The line itself.
    pub text: String,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.message)?;
        if self.line == 0 {
            writeln!(f, "  --> {}", self.file)?;
        } else {
            let gutter = " ".repeat(self.line.to_string().len());
            // Tabs stay tabs, so that the caret stands below its character.
            let before = self.text.chars().take(self.column.saturating_sub(1));
            let indent: String = before.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            writeln!(f, "{gutter}--> {}:{}:{}", self.file, self.line, self.column)?;
            writeln!(f, "{gutter} |\n{} | {}\n{gutter} | {indent}^", self.line, self.text)?;
        }
        self.help.iter().try_for_each(|help| writeln!(f, "  help: {help}"))
    }
}

/// Everything that is wrong with a runbook; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|problem| writeln!(f, "{problem}"))?;
        match self.0.len() {
            1 => f.write_str("1 problem; nothing was started"),
            many => write!(f, "{many} problems; nothing was started"),
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
