//! A second person's approval.

use serde::{Deserialize, Serialize};

use super::context::render;
use super::{Asked, Context, Done, Finding, Kind, Repetition, Stop};
use crate::clock::LocalFuture;
use crate::operator::{Answer, Form, Way};
use crate::template::Template;
use crate::vars::Values;

/// What an `approve` step asks a second person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// What is to be approved.
    pub prompt: Template,
    /// Whether the step may go without, with a reason.
    #[serde(default)]
    pub optional: bool,
}

impl Kind for Approve {
    fn describe(&self, values: &Values) -> Result<String, String> {
        let prompt = self.prompt.render(values)?;
        Ok(if self.optional { format!("{prompt} (may be skipped with a reason)") } else { prompt })
    }

    fn perform<'a>(&'a self, ctx: &'a Context<'a>) -> LocalFuture<'a, Result<Done, Stop>> {
        Box::pin(async {
            let prompt = render(&self.prompt, ctx.values)?;
            loop {
                let form = Form::Approve { not: ctx.world.operator.clone() };
                match ctx.desk.ask(Asked::own(prompt.clone(), form)).await? {
                    Answer::Approved { name, note } => {
                        ctx.desk.record(Finding::Approved { approver: name.clone(), note })?;
                        return Ok(Done::with("approver", name));
                    }
                    Answer::NotApproved { reason } if self.optional => {
                        return Err(Stop::Way { way: Way::Skip, reason: Some(reason) });
                    }
                    Answer::NotApproved { .. } => {
                        return Err(Stop::failed("not_approved", "a second person has to approve, and nobody has"));
                    }
                    _ => {}
                }
            }
        })
    }

    fn repetition(&self) -> Repetition {
        Repetition::Question
    }

    fn form(&self, values: &Values) -> Result<Option<Form>, String> {
        Ok(Some(Form::Approve { not: values.text("operator") }))
    }
}
