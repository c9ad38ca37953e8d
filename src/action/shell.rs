//! A subshell for the operator.

use serde::{Deserialize, Serialize};

use super::command::Command;
use super::context::render;
use super::{Asked, Context, Done, Kind, Repetition, Stop};
use crate::clock::LocalFuture;
use crate::operator::{Answer, Form};
use crate::template::Template;
use crate::vars::Values;

/// What a `shell` step asks the operator to do there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shell {
    /// What there is to do.
    pub prompt: Template,
}

impl Kind for Shell {
    fn describe(&self, values: &Values) -> Result<String, String> {
        Ok(format!("a shell for you to work in: {}", self.prompt.render(values)?))
    }

    fn perform<'a>(&'a self, ctx: &'a Context<'a>) -> LocalFuture<'a, Result<Done, Stop>> {
        Box::pin(async {
            let env = super::run::given(ctx);
            let form = Form::Shell { dir: ctx.place.dir.clone(), env };
            match ctx.desk.ask(Asked::own(render(&self.prompt, ctx.values)?, form)).await? {
                Answer::Command(text) => super::run::perform(&Command::Text(text), ctx).await,
                Answer::Done { note: Some(note) } => Ok(Done::with("note", note)),
                _ => Ok(Done::default()),
            }
        })
    }

    /// Cut off, it asks its own question again, which is the question whether the work is done.
    fn repetition(&self) -> Repetition {
        Repetition::Supervised
    }

    fn form(&self, _values: &Values) -> Result<Option<Form>, String> {
        Ok(Some(Form::Shell { dir: std::path::PathBuf::new(), env: Vec::new() }))
    }
}
