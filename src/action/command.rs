//! A command.

use serde::{Deserialize, Serialize};

use super::{Context, Done, Kind, Repetition, Stop};
use crate::clock::LocalFuture;
use crate::process::Program;
use crate::template::Template;
use crate::vars::Values;

/// What a `run` step, a `done_if` or a probe runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// A text for a shell, never a template: values reach it as environment variables.
    Text(String),
    /// A program and its arguments, without a shell.
    List(Vec<Template>),
}

/// Where a captured value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capture {
    /// The command's standard output, without the line end.
    Stdout,
    /// What the command wrote under this name into `$HOTFIX_OUTPUT`.
    Output,
    /// The exit code that it ended with: 0, or one of `success_exit`.
    ExitCode,
}

impl Command {
    /// What is run with `values`.
    ///
    /// # Errors
    /// What cannot be worked out.
    pub fn program(&self, values: &Values) -> Result<Program, String> {
        Ok(match self {
            Self::Text(text) => Program::Shell(text.clone()),
            Self::List(words) => {
                Program::Direct(words.iter().map(|word| word.render(values)).collect::<Result<_, _>>()?)
            }
        })
    }
}

impl Kind for Command {
    fn describe(&self, values: &Values) -> Result<String, String> {
        Ok(match self.program(values)? {
            Program::Shell(text) => text.trim_end().to_owned(),
            Program::Direct(words) => {
                shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
            }
        })
    }

    fn perform<'a>(&'a self, ctx: &'a Context<'a>) -> LocalFuture<'a, Result<Done, Stop>> {
        Box::pin(super::run::perform(self, ctx))
    }

    fn tests(&self) -> bool {
        true
    }

    fn repetition(&self) -> Repetition {
        Repetition::Supervised
    }

    fn script(&self) -> Option<&str> {
        let first = match self {
            Self::Text(text) => text.split_whitespace().next()?,
            Self::List(words) => words.first()?.text(),
        };
        let path = first.strip_prefix("./")?;
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
        (!path.is_empty() && path.chars().all(plain)).then_some(path)
    }

    fn named(&self, given: &[(String, String)]) -> Vec<(String, String)> {
        let Self::Text(text) = self else { return Vec::new() };
        let named = |name: &str| {
            text.match_indices(name).any(|(at, _)| {
                let before = text[..at].chars().next_back();
                let after = text[at + name.len()..].chars().next();
                matches!(before, Some('$' | '{')) && !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
            })
        };
        given.iter().filter(|(name, _)| named(name)).cloned().collect()
    }
}
