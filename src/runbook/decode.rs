//! From a tree that was found right to the model: long forms for short ones, then serde.

use serde_json::{Map, Value, json};

use super::grammar::{ACTIONS, SOURCES};
use super::model::Runbook;
use super::tree::{Node, Tree};

/// The model of `root`, which the check has passed.
pub(super) fn decode(root: &Node) -> Result<Runbook, String> {
    let mut value = fields(root, |name, node| match name {
        "extends" => None,
        "stages" => Some(list(node, stage)),
        "channels" => Some(fields(node, |_, channel| {
            Some(fields(channel, |name, node| Some(if name == "run" { command(node) } else { node.json() })))
        })),
        _ => Some(node.json()),
    });
    // A mapping without entries is written as nothing at all.
    if let Value::Object(map) = &mut value {
        map.retain(|_, value| !value.is_null());
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

fn fields(node: &Node, each: impl Fn(&str, &Node) -> Option<Value>) -> Value {
    let entries = node.entries().iter();
    Value::Object(entries.filter_map(|(key, node)| Some((key.name.clone(), each(&key.name, node)?))).collect())
}

fn list(node: &Node, each: impl Fn(&Node) -> Value) -> Value {
    Value::Array(node.items().iter().map(each).collect())
}

fn stage(node: &Node) -> Value {
    fields(node, |name, node| Some(if name == "steps" { list(node, step) } else { node.json() }))
}

fn step(node: &Node) -> Value {
    let mut value = fields(node, |name, node| match name {
        name if ACTIONS.contains(&name) => None,
        "undo" | "verify" => Some(action(node)),
        "done_if" => Some(command(node)),
        _ => Some(node.json()),
    });
    let body = match node.get("group") {
        Some(group) => json!({ "group": fields(group, |name, node| {
            Some(if name == "steps" { list(node, step) } else { node.json() })
        }) }),
        None => json!({ "action": action(node) }),
    };
    if let Value::Object(map) = &mut value {
        map.insert("body".to_owned(), body);
    }
    value
}

/// The one action among the fields of `node`, in its long form.
fn action(node: &Node) -> Value {
    let Some((key, node)) = node.entries().iter().find(|(key, _)| ACTIONS.contains(&key.name.as_str())) else {
        return Value::Null;
    };
    let long = match (key.name.as_str(), &node.tree) {
        ("run", _) => command(node),
        ("git", _) => git(node),
        ("monitor", _) => monitor(node),
        ("note" | "notify", Tree::Text(_)) => json!({ "text": node.json() }),
        ("http", Tree::Text(_)) => json!({ "url": node.json() }),
        (_, Tree::Text(_)) => json!({ "prompt": node.json() }),
        ("checklist", Tree::List(_)) => json!({ "items": list(node, item) }),
        ("checklist", _) => fields(node, |_, items| Some(list(items, item))),
        _ => node.json(),
    };
    json!({ &key.name: long })
}

fn item(node: &Node) -> Value {
    if node.text().is_some() { json!({ "item": node.json() }) } else { node.json() }
}

fn command(node: &Node) -> Value {
    if node.text().is_some() { json!({ "text": node.json() }) } else { json!({ "list": node.json() }) }
}

fn git(node: &Node) -> Value {
    let of = |name: &str| node.get(name).map(Node::json);
    if let Some(name) = of("branch") {
        return json!({ "branch": { "name": name, "from": of("from") } });
    }
    if let Some(name) = of("tag") {
        return json!({ "tag": { "name": name, "message": of("message") } });
    }
    match of("merge") {
        Some(branch) => json!({ "merge": { "branch": branch, "into": of("into") } }),
        None => node.json(),
    }
}

fn monitor(node: &Node) -> Value {
    fields(node, |name, node| Some(if name == "probes" { list(node, probe) } else { node.json() }))
}

fn probe(node: &Node) -> Value {
    let mut map = Map::new();
    for (key, node) in node.entries() {
        if !SOURCES.contains(&key.name.as_str()) {
            map.insert(key.name.clone(), node.json());
            continue;
        }
        let long = match (key.name.as_str(), &node.tree) {
            ("run", _) => command(node),
            ("http", Tree::Text(_)) => json!({ "url": node.json() }),
            _ => node.json(),
        };
        map.insert("source".to_owned(), json!({ &key.name: long }));
    }
    Value::Object(map)
}
