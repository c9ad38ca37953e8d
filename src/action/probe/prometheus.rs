//! Queries to Prometheus.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::action::Context;
use crate::action::monitor::Prometheus;
use crate::clock::Timestamp;
use crate::gate::Facts;
use crate::http::{Request, Response};
use crate::vars::text_of;

/// The time between two points of a range where the runbook gives none: what Prometheus itself scrapes at by default is 15 s to
/// a minute.
const STEP: Duration = Duration::from_secs(15);

/// Asks, and takes the one number out of the answer; of a range, the newest and all of them.
pub(super) async fn ask(query: &Prometheus, ctx: &Context<'_>, patience: Duration) -> Result<Facts, String> {
    let values = ctx.values;
    let (base, text) = (query.url.render(values)?, query.query.render(values)?);
    let now = ctx.world.clock.now();
    let length = |length: &Option<crate::template::Length>| length.as_ref().map(|it| it.resolve(values)).transpose();
    let range = length(&query.range)?.map(|range| Ok::<_, String>((range, length(&query.step)?.unwrap_or(STEP))));
    let range = range.transpose()?;
    let mut request = Request { timeout: patience, ..Request::get(address(&base, &text, range, now)) };
    for (name, value) in &query.headers {
        request.headers.push((name.clone(), value.render(values)?));
    }
    let response = ctx.world.http.send(&request).await.map_err(|failure| failure.to_string())?;
    let data = data(&response)?;
    match range {
        None => Ok(vec![("result", newest(data)?.into())]),
        Some((_, step)) => {
            let (newest, all) = points(data, now, step)?;
            Ok(vec![("result", newest.into()), ("results", all.into())])
        }
    }
}

/// The address of a query, as
/// [the API](https://prometheus.io/docs/prometheus/latest/querying/api/#expression-queries) has it.
fn address(base: &str, query: &str, range: Option<(Duration, Duration)>, now: Timestamp) -> String {
    let base = base.trim_end_matches('/');
    let query = escaped(query);
    let Some((range, step)) = range else { return format!("{base}/api/v1/query?query={query}") };
    let begin = now.millis().saturating_sub(i64::try_from(range.as_millis()).unwrap_or(i64::MAX));
    let seconds = |ms: i64| format!("{}.{:03}", ms.div_euclid(1000), ms.rem_euclid(1000));
    let (start, end, step) = (seconds(begin), seconds(now.millis()), step.as_secs_f64());
    format!("{base}/api/v1/query_range?query={query}&start={start}&end={end}&step={step}")
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

/// What the query came to. A warning says that the answer may not be whole, so it is no answer; what is only for information
/// (`PromQL info`) is none.
fn data(response: &Response) -> Result<&Value, String> {
    let said = response.json.as_ref();
    let text = |name: &str| said.and_then(|said| said.get(name)).map(text_of);
    if response.status != 200 || text("status").as_deref() != Some("success") {
        let why = text("error").map(|why| format!(": {why}")).unwrap_or_default();
        return Err(format!("the server answered {}{why}", response.status));
    }
    let warnings = said.and_then(|said| said.get("warnings")).and_then(Value::as_array);
    let warning = warnings.into_iter().flatten().map(text_of).find(|warning| !warning.starts_with("PromQL info"));
    if let Some(warning) = warning {
        return Err(format!("the answer may not be whole: {warning}"));
    }
    said.and_then(|said| said.pointer("/data")).ok_or_else(|| "the answer has no data in it".to_owned())
}

/// The one series of a vector or a matrix.
fn series(result: &[Value]) -> Result<&Value, String> {
    match result {
        [] => Err("no data".to_owned()),
        [one] => Ok(one),
        many => Err(format!("{} series, where one is needed: aggregate them, as with sum()", many.len())),
    }
}

/// The number of an instant: a vector of one series, or a scalar.
fn newest(data: &Value) -> Result<f64, String> {
    let result = data.get("result").unwrap_or(&Value::Null);
    let sample = match (text_of(data.get("resultType").unwrap_or(&Value::Null)).as_str(), result) {
        ("vector", Value::Array(result)) => series(result)?.get("value"),
        ("scalar", sample) => Some(sample),
        ("matrix", _) => return Err("the query gives a range of values: give `range`, or take the newest".to_owned()),
        _ => None,
    };
    point(sample.ok_or("the result is no number")?).map(|(_, number)| number)
}

/// The newest number of a range and all of them, the oldest first. The newest has to be of now.
fn points(data: &Value, now: Timestamp, step: Duration) -> Result<(f64, Vec<f64>), String> {
    let result = data.get("result").and_then(Value::as_array).ok_or("the result is no range")?;
    let values = series(result)?.get("values").and_then(Value::as_array).ok_or("the result is no number")?;
    let points = values.iter().map(point).collect::<Result<Vec<_>, _>>()?;
    let (at, newest) = *points.last().ok_or("no data")?;
    if at.plus(step) < now {
        return Err(format!("no data since {at}"));
    }
    Ok((newest, points.into_iter().map(|(_, number)| number).collect()))
}

/// A time in seconds and a number as text. `NaN` and infinity are none.
fn point(sample: &Value) -> Result<(Timestamp, f64), String> {
    let at = sample.get(0).and_then(Value::as_f64).ok_or("the result is no number")?;
    let text = sample.get(1).and_then(Value::as_str).ok_or("the result is no number")?;
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    let number = number.ok_or_else(|| format!("the result is {text}, which is no number"))?;
    #[expect(clippy::cast_possible_truncation, reason = "a time in milliseconds fits")]
    Ok((Timestamp::from_millis((at * 1000.0).round() as i64), number))
}
