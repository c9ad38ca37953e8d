//! A yes or no, or a text to be typed.

use serde::{Deserialize, Serialize};

use super::{Asked, Context, Done, Kind, Repetition, Stop};
use crate::clock::LocalFuture;
use crate::operator::{Answer, Form};
use crate::template::Template;
use crate::vars::Values;

/// What a `confirm` step asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// The question.
    pub prompt: Template,
    /// The text that has to be typed, where a yes is not enough.
    #[serde(default, rename = "type")]
    pub typed: Option<Template>,
    /// The variable that gets the answer.
    #[serde(default)]
    pub into: Option<String>,
    /// What a no does.
    #[serde(default)]
    pub no: OnNo,
}

/// What a no does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnNo {
    /// The run pauses here.
    #[default]
    Pause,
    /// The run is over: not worth a hotfix.
    Decline,
    /// Production is taken back.
    Rollback,
    /// The run goes on, and knows the answer.
    Continue,
}

impl Confirm {
    fn question(&self, values: &Values) -> Result<(String, Form), String> {
        Ok((self.prompt.render(values)?, self.answer(values)?))
    }

    fn answer(&self, values: &Values) -> Result<Form, String> {
        Ok(match &self.typed {
            Some(text) => Form::Typed { expected: text.render(values)? },
            None => Form::Confirm,
        })
    }
}

impl Kind for Confirm {
    fn describe(&self, values: &Values) -> Result<String, String> {
        Ok(match self.question(values)? {
            (prompt, Form::Typed { expected }) => format!("{prompt} (type {expected})"),
            (prompt, _) => format!("{prompt} (yes | no: {})", self.no.word()),
        })
    }

    fn perform<'a>(&'a self, ctx: &'a Context<'a>) -> LocalFuture<'a, Result<Done, Stop>> {
        Box::pin(async {
            let (prompt, form) = self.question(ctx.values).map_err(|why| Stop::failed("template", why))?;
            match ctx.desk.ask(Asked::own(prompt.clone(), form)).await? {
                Answer::No if self.no == OnNo::Continue => Ok(Done::giving(self.into.as_ref(), false)),
                Answer::No => Err(Stop::No { does: self.no, prompt }),
                _ => Ok(Done::giving(self.into.as_ref(), true)),
            }
        })
    }

    fn repetition(&self) -> Repetition {
        Repetition::Question
    }

    fn gives(&self) -> Vec<&str> {
        self.into.as_deref().into_iter().collect()
    }

    fn form(&self, values: &Values) -> Result<Option<Form>, String> {
        self.answer(values).map(Some)
    }
}

impl OnNo {
    /// The word that a runbook has for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Decline => "decline",
            Self::Rollback => "rollback",
            Self::Continue => "continue",
        }
    }
}
