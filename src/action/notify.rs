//! A message to channels.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::command::Command;
use super::context::{WORK, render, watched};
use super::{Context, Done, Finding, Kind, Repetition, Stop};
use crate::clock::LocalFuture;
use crate::http::Request;
use crate::operator::Show;
use crate::template::Template;
use crate::vars::Values;

/// What a `notify` step sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// The message.
    pub text: Template,
    /// To which channels; all where none is named.
    #[serde(default)]
    pub channels: Vec<String>,
}

/// Where messages go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// In which form.
    #[serde(rename = "type")]
    pub kind: ChannelKind,
    /// The environment variable with its address, which is a secret.
    #[serde(default)]
    pub url_env: Option<String>,
    /// The command that gets the message as `$HOTFIX_MESSAGE`.
    #[serde(default)]
    pub run: Option<Command>,
}

/// The form of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// An incoming webhook of Slack.
    Slack,
    /// A POST with the message in JSON.
    Webhook,
    /// A command.
    Command,
}

impl Kind for Notify {
    fn describe(&self, values: &Values) -> Result<String, String> {
        let to = if self.channels.is_empty() { "every channel".to_owned() } else { self.channels.join(", ") };
        Ok(format!("to {to}: {}", self.text.render(values)?))
    }

    fn perform<'a>(&'a self, ctx: &'a Context<'a>) -> LocalFuture<'a, Result<Done, Stop>> {
        Box::pin(async {
            let text = ctx.world.masker.text(&render(&self.text, ctx.values)?);
            ctx.desk.show(Show::Info(&format!("the message: {text}")));
            self.send(&text, ctx).await
        })
    }

    fn repetition(&self) -> Repetition {
        Repetition::Asked
    }
}

impl Notify {
    /// Sends `text` to each channel in turn. One that cannot be reached is a warning: a chat that is down stops no fix.
    ///
    /// # Errors
    /// What breaks in on it.
    pub(crate) async fn send(&self, text: &str, ctx: &Context<'_>) -> Result<Done, Stop> {
        let chosen = |name: &String| self.channels.is_empty() || self.channels.contains(name);
        let (mut sent, mut failed) = (Vec::new(), Vec::new());
        for (name, channel) in ctx.world.channels.iter().filter(|(name, _)| chosen(name)) {
            let result = watched(ctx, WORK, async { Ok(channel.send(text, ctx).await) }).await?;
            match result {
                Ok(()) => {
                    ctx.desk.record(Finding::Sent { channel: name.clone(), text: text.to_owned() })?;
                    sent.push(name.clone());
                }
                Err(why) => {
                    ctx.desk
                        .show(Show::Warning(&format!("{name} did not get the message: {why}; pass it on yourself")));
                    ctx.desk.record(Finding::NotSent { channel: name.clone(), reason: why })?;
                    failed.push(name.clone());
                }
            }
        }
        let mut done = Done::with("sent", sent);
        if !failed.is_empty() {
            let warning = format!("NOT delivered to {}: pass it on yourself", failed.join(", "));
            done.result.insert("not_sent".to_owned(), failed.into());
            done.result.insert("warning".to_owned(), warning.into());
        }
        Ok(done)
    }
}

impl Channel {
    async fn send(&self, text: &str, ctx: &Context<'_>) -> Result<(), String> {
        if let Some(command) = &self.run {
            let mut values = ctx.values.clone();
            values.set("message", text);
            let ctx = Context { values: &values, ..*ctx };
            let captured = super::run::ask_command(command, &ctx).await.map_err(|stop| format!("{stop:?}"))?;
            let said = String::from_utf8_lossy(&captured.stderr).trim().to_owned();
            return if captured.how.succeeded() { Ok(()) } else { Err(format!("{:?} {said}", captured.how)) };
        }
        let name = self.url_env.as_deref().unwrap_or_default();
        let url = ctx.world.environment.get(name).ok_or_else(|| format!("{name} is not set"))?;
        let json = match self.kind {
            ChannelKind::Slack => json!({ "text": text }),
            _ => json!({ "text": text, "run": ctx.values.text("run_id"), "issue": ctx.values.text("issue") }),
        };
        let request = Request { method: "POST".to_owned(), json: Some(json), ..Request::get(url) };
        let response = ctx.world.http.send(&request).await.map_err(|failure| failure.to_string())?;
        let good = (200..300).contains(&response.status);
        if good { Ok(()) } else { Err(format!("it answered {}", response.status)) }
    }
}
