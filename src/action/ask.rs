//! A question whose answer becomes a variable.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Asked, Context, Done, Kind, Repetition, Stop};
use crate::clock::LocalFuture;
use crate::operator::{Answer, Form};
use crate::template::Template;
use crate::vars::Values;

/// What an `ask` step asks. At most one of the kinds is given; a text is asked for where none is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The question.
    pub prompt: Template,
    /// One of these is the answer.
    #[serde(default)]
    pub choice: Option<Vec<Template>>,
    /// Some of these are the answer.
    #[serde(default)]
    pub choices: Option<Vec<Template>>,
    /// The answer is a number.
    #[serde(default)]
    pub number: bool,
    /// The answer is written in the operator's editor.
    #[serde(default)]
    pub editor: bool,
    /// The variable that gets the answer.
    #[serde(default)]
    pub into: Option<String>,
}

impl Ask {
    fn question(&self, values: &Values) -> Result<(String, Form), String> {
        Ok((self.prompt.render(values)?, self.answer(values)?))
    }

    fn answer(&self, values: &Values) -> Result<Form, String> {
        let render = |texts: &[Template]| texts.iter().map(|text| text.render(values)).collect::<Result<Vec<_>, _>>();
        Ok(match (&self.choice, &self.choices) {
            (Some(choice), _) => Form::Choice(render(choice)?),
            (_, Some(choices)) => Form::Choices(render(choices)?),
            _ if self.number => Form::Number,
            _ if self.editor => Form::Editor { initial: String::new() },
            _ => Form::Text,
        })
    }
}

impl Kind for Ask {
    fn describe(&self, values: &Values) -> Result<String, String> {
        let (prompt, form) = self.question(values)?;
        Ok(match form {
            Form::Choice(of) => format!("{prompt} ({})", of.join(" | ")),
            Form::Choices(of) => format!("{prompt} (some of {})", of.join(", ")),
            Form::Number => format!("{prompt} (a number)"),
            _ => prompt,
        })
    }

    fn perform<'a>(&'a self, ctx: &'a Context<'a>) -> LocalFuture<'a, Result<Done, Stop>> {
        Box::pin(async {
            let question = self.question(ctx.values).map_err(|why| Stop::failed("template", why))?;
            let value = match ctx.desk.ask(Asked::own(question.0, question.1)).await? {
                Answer::Number(number) => number_value(number),
                Answer::Choices(picked) => picked.into(),
                Answer::Text(text) => text.into(),
                _ => Value::Null,
            };
            Ok(Done::giving(self.into.as_ref(), value))
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

/// A whole number without a point, so that `3` reads as it was typed.
#[expect(clippy::cast_possible_truncation, reason = "only whole numbers well within the range are cast")]
fn number_value(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 1e15 { (number as i64).into() } else { number.into() }
}
