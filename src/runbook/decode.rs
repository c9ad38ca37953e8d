//! From a tree that was found right to the model: long forms for short ones, then serde.

use serde_json::{Map, Value, json};

use super::grammar::{ACTIONS, SOURCES};
use super::model::Runbook;

/// The model of `root`, which the check has passed.
pub(super) fn decode(root: Value) -> Result<Runbook, serde_json::Error> {
    let mut value = fields(root, |name, value| match name {
        "extends" => None,
        "stages" => Some(list(value, stage)),
        "channels" => Some(fields(value, |_, channel| {
            Some(fields(channel, |name, value| Some(if name == "run" { command(value) } else { value })))
        })),
        _ => Some(value),
    });
    // A mapping without entries is written as nothing at all.
    if let Value::Object(map) = &mut value {
        map.retain(|_, value| !value.is_null());
    }
    serde_json::from_value(value)
}

fn entries(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn fields(value: Value, each: impl Fn(&str, Value) -> Option<Value>) -> Value {
    let mut map = entries(value);
    map.retain(|name, value| each(name, value.take()).map(|changed| *value = changed).is_some());
    Value::Object(map)
}

fn list(value: Value, each: impl Fn(Value) -> Value) -> Value {
    match value {
        Value::Array(mut items) => {
            items.iter_mut().for_each(|item| *item = each(item.take()));
            Value::Array(items)
        }
        _ => Value::Array(Vec::new()),
    }
}

fn stage(value: Value) -> Value {
    fields(value, |name, value| Some(if name == "steps" { list(value, step) } else { value }))
}

fn step(value: Value) -> Value {
    let mut body = None;
    let mut map = Map::new();
    for (name, value) in entries(value) {
        match name.as_str() {
            "group" => {
                let steps = |name: &str, value| Some(if name == "steps" { list(value, step) } else { value });
                body = Some(json!({ "group": fields(value, steps) }));
            }
            action if ACTIONS.contains(&action) => body = Some(json!({ "action": long(&name, value) })),
            "undo" | "verify" => drop(map.insert(name, action(value))),
            "done_if" => drop(map.insert(name, command(value))),
            _ => drop(map.insert(name, value)),
        }
    }
    map.extend(body.map(|body| ("body".to_owned(), body)));
    Value::Object(map)
}

/// The one action among the fields of `value`, in its long form.
fn action(value: Value) -> Value {
    let found = entries(value).into_iter().find(|(name, _)| ACTIONS.contains(&name.as_str()));
    found.map_or(Value::Null, |(name, value)| long(&name, value))
}

/// The action `name` in its long form.
fn long(name: &str, value: Value) -> Value {
    let long = match (name, value) {
        ("run", value) => command(value),
        ("git", value) => git(value),
        ("monitor", value) => {
            fields(value, |name, value| Some(if name == "probes" { list(value, probe) } else { value }))
        }
        ("note" | "notify", text @ Value::String(_)) => named("text", text),
        ("http", url @ Value::String(_)) => named("url", url),
        (_, prompt @ Value::String(_)) => named("prompt", prompt),
        ("checklist", items @ Value::Array(_)) => named("items", list(items, item)),
        ("checklist", value) => fields(value, |_, items| Some(list(items, item))),
        (_, value) => value,
    };
    named(name, long)
}

fn named(name: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(name.to_owned(), value)]))
}

fn item(value: Value) -> Value {
    if value.is_string() { named("item", value) } else { value }
}

fn command(value: Value) -> Value {
    named(if value.is_string() { "text" } else { "list" }, value)
}

fn git(value: Value) -> Value {
    let Value::Object(mut map) = value else { return value };
    if let Some(name) = map.shift_remove("branch") {
        return json!({ "branch": { "name": name, "from": map.shift_remove("from") } });
    }
    if let Some(name) = map.shift_remove("tag") {
        return json!({ "tag": {
            "name": name, "message": map.shift_remove("message"), "tested": map.shift_remove("tested"),
        } });
    }
    if let Some(message) = map.shift_remove("commit") {
        map.insert("message".to_owned(), message);
        return json!({ "commit": map });
    }
    if let Some(branch) = map.shift_remove("merge") {
        map.insert("branch".to_owned(), branch);
        return json!({ "merge": map });
    }
    if let Some(branch) = map.shift_remove("cherry_pick") {
        map.insert("branch".to_owned(), branch);
        return json!({ "cherry_pick": map });
    }
    Value::Object(map)
}

fn probe(value: Value) -> Value {
    let mut map = Map::new();
    for (name, value) in entries(value) {
        if !SOURCES.contains(&name.as_str()) {
            map.insert(name, value);
            continue;
        }
        let long = match (name.as_str(), value) {
            ("run", value) => command(value),
            ("http", url @ Value::String(_)) => named("url", url),
            ("log", value) => fields(value, |name, value| Some(if name == "run" { command(value) } else { value })),
            (_, value) => value,
        };
        map.insert("source".to_owned(), named(&name, long));
    }
    Value::Object(map)
}
