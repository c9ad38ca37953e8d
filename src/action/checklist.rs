//! Items to be ticked.

use serde::{Deserialize, Serialize};

use super::{Asked, Context, Done, Kind, Repetition, Stop};
use crate::clock::LocalFuture;
use crate::operator::{Answer, Form, Item};
use crate::template::Template;
use crate::vars::Values;

/// What a `checklist` step lists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checklist {
    /// The items, in order.
    pub items: Vec<ChecklistItem>,
}

/// One item of a checklist.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChecklistItem {
    /// The text.
    pub item: Template,
    /// Whether the checklist is complete without it.
    #[serde(default)]
    pub optional: bool,
}

impl Checklist {
    fn rendered(&self, values: &Values) -> Result<Vec<Item>, String> {
        let item = |item: &ChecklistItem| Ok(Item { text: item.item.render(values)?, optional: item.optional });
        self.items.iter().map(item).collect()
    }
}

impl Kind for Checklist {
    fn describe(&self, values: &Values) -> Result<String, String> {
        let line = |item: &Item| format!("[ ] {}{}", item.text, if item.optional { " (optional)" } else { "" });
        Ok(self.rendered(values)?.iter().map(line).collect::<Vec<_>>().join("\n"))
    }

    fn perform<'a>(&'a self, ctx: &'a Context<'a>) -> LocalFuture<'a, Result<Done, Stop>> {
        Box::pin(async {
            let items = self.rendered(ctx.values).map_err(|why| Stop::failed("template", why))?;
            let left: Vec<String> = items.iter().map(|item| item.text.clone()).collect();
            let answer = ctx.desk.ask(Asked::own("Tick what you have seen to", Form::Checklist(items))).await?;
            let Answer::Checked(ticked) = answer else { return Ok(Done::default()) };
            let left: Vec<String> = left.into_iter().filter(|text| !ticked.contains(text)).collect();
            Ok(if left.is_empty() { Done::default() } else { Done::with("left_out", left) })
        })
    }

    fn tests(&self) -> bool {
        true
    }

    fn repetition(&self) -> Repetition {
        Repetition::Question
    }

    fn form(&self, values: &Values) -> Result<Option<Form>, String> {
        self.rendered(values).map(|items| Some(Form::Checklist(items)))
    }
}
