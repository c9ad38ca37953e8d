//! Guidance for the operator.

use serde::{Deserialize, Serialize};

use super::context::render;
use super::{Asked, ByHand, Context, Done, Kind, Repetition, Stop};
use crate::clock::LocalFuture;
use crate::operator::{Answer, Form, Show};
use crate::template::Template;
use crate::vars::Values;

/// What a `note` step shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The text, in Markdown.
    pub text: Template,
}

impl Kind for Note {
    fn describe(&self, values: &Values) -> Result<String, String> {
        self.text.render(values)
    }

    fn perform<'a>(&'a self, ctx: &'a Context<'a>) -> LocalFuture<'a, Result<Done, Stop>> {
        Box::pin(async {
            ctx.desk.show(Show::Guidance(&render(&self.text, ctx.values)?));
            let answer =
                ctx.desk.ask(Asked::own("Read, and done where there was something to do?", Form::Hand)).await?;
            let note = if let Answer::Done { note } = answer { note } else { None };
            Ok(Done { by_hand: note.map(|note| ByHand { note: Some(note) }), ..Done::default() })
        })
    }

    fn repetition(&self) -> Repetition {
        Repetition::Question
    }

    fn form(&self, _values: &Values) -> Result<Option<Form>, String> {
        Ok(Some(Form::Hand))
    }
}
