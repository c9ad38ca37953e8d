//! One HTTP request and what is expected of its response.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::context::{WORK, render, watched};
use super::{Context, Done, Failure, Kind, Repetition, Stop};
use crate::clock::LocalFuture;
use crate::http::{self, DEFAULT_TIMEOUT, Request, Response};
use crate::operator::Show;
use crate::template::{Condition, Template};
use crate::vars::Values;

/// What an `http` step sends and expects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The method.
    #[serde(default = "get")]
    pub method: Template,
    /// Where to.
    pub url: Template,
    /// Headers by name.
    #[serde(default)]
    pub headers: BTreeMap<String, Template>,
    /// A body in JSON; each text in it is a template.
    #[serde(default)]
    pub json: Option<serde_json::Value>,
    /// A body as it is.
    #[serde(default)]
    pub body: Option<Template>,
    /// How many redirects are followed; none where it does not say.
    #[serde(default)]
    pub redirects: u32,
    /// Holds where the response is as it should be; reads `status`, `elapsed_ms`, `body`, `json` and `headers`.
    #[serde(default = "success")]
    pub expect: Condition,
}

fn get() -> Template {
    Template::new("GET")
}

fn success() -> Condition {
    Condition::new("200 <= status and status < 300")
}

/// How much of a body a message shows, in characters.
const SHOWN: usize = 300;

impl Http {
    /// The request with its values.
    pub(super) fn request(&self, values: &Values) -> Result<Request, String> {
        let mut request = Request::get(self.url.render(values)?);
        request.method = self.method.render(values)?;
        for (name, value) in &self.headers {
            request.headers.push((name.clone(), value.render(values)?));
        }
        request.redirects = self.redirects;
        request.json = self.json.as_ref().map(|json| rendered(json, values)).transpose()?;
        request.body = self.body.as_ref().map(|body| body.render(values)).transpose()?;
        Ok(request)
    }
}

/// A value with every text in it rendered.
fn rendered(value: &Value, values: &Values) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => Template::new(text.clone()).render(values)?.into(),
        Value::Array(items) => Value::Array(items.iter().map(|item| rendered(item, values)).collect::<Result<_, _>>()?),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| Ok((name.clone(), rendered(value, values)?)));
            Value::Object(fields.collect::<Result<_, String>>()?)
        }
        other => other.clone(),
    })
}

/// A condition's view of a response.
pub(super) fn facts(response: &Response) -> Vec<(&'static str, Value)> {
    vec![
        ("status", response.status.into()),
        ("elapsed_ms", response.elapsed_ms.into()),
        ("body", response.body.clone().into()),
        ("json", response.json.clone().unwrap_or(Value::Null)),
        ("headers", response.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect()),
    ]
}

impl Kind for Http {
    fn describe(&self, values: &Values) -> Result<String, String> {
        Ok(format!("{} {}\nexpects {}", self.method.render(values)?, self.url.render(values)?, self.expect.text()))
    }

    fn perform<'a>(&'a self, ctx: &'a Context<'a>) -> LocalFuture<'a, Result<Done, Stop>> {
        Box::pin(async {
            let what = self.describe(ctx.values).map_err(|why| Stop::failed("template", why))?;
            ctx.desk.show(Show::Command { text: &what, values: &[], timeout: ctx.settings.timeout });
            let done = watched(ctx, WORK, self.send(ctx)).await;
            ctx.desk.show(Show::CommandEnded);
            done
        })
    }

    fn identity(&self, values: &Values) -> Result<String, String> {
        self.request(values).map(|request| format!("{request:?}"))
    }

    fn tests(&self) -> bool {
        true
    }

    fn repetition(&self) -> Repetition {
        if self.method.text().eq_ignore_ascii_case("GET") { Repetition::Unasked } else { Repetition::Asked }
    }
}

/// A request without an answer; one that took too long is told apart, as a command is.
#[expect(clippy::needless_pass_by_value, reason = "it stands behind `map_err`")]
fn no_answer(failure: http::Failure) -> Stop {
    let timed_out = matches!(failure, http::Failure::Timeout { .. });
    let reason = if timed_out { "timeout" } else { "request" };
    let facts = Map::from_iter([("timed_out".to_owned(), timed_out.into())]);
    Stop::Failed(Failure { reason, message: failure.to_string(), facts })
}

impl Http {
    async fn send(&self, ctx: &Context<'_>) -> Result<Done, Stop> {
        let mut request = self.request(ctx.values).map_err(|why| Stop::failed("template", why))?;
        request.timeout = ctx.settings.timeout.unwrap_or(DEFAULT_TIMEOUT);
        let response = ctx.world.http.send(&request).await;
        let response = response.map_err(no_answer)?;
        let mut values = ctx.values.clone();
        for (name, value) in facts(&response) {
            values.set(name, value);
        }
        let method = render(&self.method, ctx.values)?;
        let said = format!("{method} was answered with {} in {} ms", response.status, response.elapsed_ms);
        match self.expect.holds(&values) {
            Ok(true) => {
                ctx.desk.show(Show::Info(&said));
                let mut done = Done::with("status", response.status);
                done.result.insert("elapsed_ms".to_owned(), response.elapsed_ms.into());
                Ok(done)
            }
            Ok(false) => {
                let body: String = response.body.chars().take(SHOWN).collect();
                let body = if body.trim().is_empty() { String::new() } else { format!("\n    {}", body.trim()) };
                let message = format!("{said}; expected {}{body}", self.expect.text());
                Err(Stop::failed("expectation", message))
            }
            Err(why) => Err(Stop::failed("expectation", format!("{said}; `{}`: {why}", self.expect.text()))),
        }
    }
}
