//! `extends`: one tree laid over another.
//!
//! # Why
//! It happens on trees, before anything is checked, so that a problem in what was merged is shown where it was written.

use super::check::Finding;
use super::grammar::ACTIONS;
use super::problem::nearest;
use super::tree::{Key, Node, Tree};

/// `over` laid over `base`: mappings by key, stages and steps by id, anything else replaced. What cannot be laid is left out, and
/// why is said beside it.
pub(super) fn merge(mut base: Node, over: Node) -> (Node, Vec<Finding>) {
    let mut findings = Vec::new();
    let kind = over.kind();
    let Tree::Map(entries) = over.tree else {
        return (base, vec![(over.place, format!("a runbook is a mapping, not {kind}"), None)]);
    };
    for (key, value) in entries {
        match key.name.as_str() {
            "extends" => {}
            "stages" => lay_items(&mut base, key, value, Level::Stage, &mut findings),
            _ => lay(&mut base, key, value),
        }
    }
    (base, findings)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Stage,
    Step,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Stage => "stage",
            Self::Step => "step",
        }
    }
}

/// Puts `value` at `key`: a mapping over a mapping by key, anything else in its place.
fn lay(onto: &mut Node, key: Key, value: Node) {
    let Tree::Map(entries) = &mut onto.tree else { return };
    match entries.iter_mut().find(|(old, _)| old.name == key.name) {
        Some((_, old)) => match (&old.tree, value.tree) {
            (Tree::Map(_), Tree::Map(new)) => new.into_iter().for_each(|(key, value)| lay(old, key, value)),
            (_, tree) => *old = Node { place: value.place, tree },
        },
        None => entries.push((key, value)),
    }
}

fn lay_items(onto: &mut Node, key: Key, value: Node, level: Level, findings: &mut Vec<Finding>) {
    let Tree::Map(entries) = &mut onto.tree else { return };
    let Some((_, old)) = entries.iter_mut().find(|(old, _)| old.name == key.name) else {
        return entries.push((key, value));
    };
    let (Tree::List(items), Tree::List(new)) = (&mut old.tree, value.tree.clone()) else {
        *old = value;
        return;
    };
    for item in new {
        lay_item(items, item, level, findings);
    }
}

fn lay_item(items: &mut Vec<Node>, mut item: Node, level: Level, findings: &mut Vec<Finding>) {
    let Some((place, id)) = item.get("id").and_then(|id| Some((id.place, id.text()?.to_owned()))) else {
        return findings.push((item.place, format!("this {} lacks `id`", level.name()), None));
    };
    let (remove, after, before) = (take(&mut item, "remove"), take(&mut item, "after"), take(&mut item, "before"));
    let at = position(items, &id);
    if let Some(remove) = remove {
        let refused = match at {
            None => Some(format!("there is no {} `{id}` to remove", level.name())),
            Some(_) if level == Level::Stage => {
                Some("a stage is not removed; remove its steps, or give it a `when`".to_owned())
            }
            Some(at) if items[at].get("required").is_some_and(Node::is_true) => {
                Some(format!("`{id}` is required and cannot be removed"))
            }
            Some(_) if !remove.is_true() => Some("`remove` is `true` or is not there".to_owned()),
            Some(_) => None,
        };
        match (refused, at) {
            (None, Some(at)) => drop(items.remove(at)),
            (message, _) => findings.push((remove.place, message.unwrap_or_default(), None)),
        }
        return;
    }
    let anchor = after.as_ref().map(|node| (node, 1)).or(before.as_ref().map(|node| (node, 0)));
    match (at, anchor) {
        (Some(at), None) => lay_over(&mut items[at], item, level, findings),
        (Some(_), Some((node, _))) => {
            findings.push((node.place, format!("`{id}` is in the base already and stays in its place"), None));
        }
        (None, None) => {
            let ids: Vec<&str> = items.iter().filter_map(|item| item.get("id")?.text()).collect();
            let help = nearest(&id, ids).unwrap_or_default();
            let help = format!("{help} a new {} says where it goes: `after: ID` or `before: ID`", level.name());
            findings.push((place, format!("the base has no {} `{id}`", level.name()), Some(help.trim().to_owned())));
        }
        (None, Some((node, offset))) => {
            let anchor = node.text().unwrap_or_default();
            if let Some(at) = position(items, anchor) {
                items.insert(at + offset, item);
            } else {
                let help = nearest(anchor, items.iter().filter_map(|item| item.get("id")?.text()));
                findings.push((node.place, format!("there is no {} of that id", level.name()), help));
            }
        }
    }
}

fn lay_over(old: &mut Node, new: Node, level: Level, findings: &mut Vec<Finding>) {
    let Tree::Map(entries) = new.tree else { return };
    let is_action = |key: &Key| ACTIONS.contains(&key.name.as_str());
    // A group over a group: its steps are found by their ids, too.
    let both = entries.iter().any(|(key, value)| key.name == "group" && matches!(value.tree, Tree::Map(_)));
    let mut group = if both { take(old, "group").filter(|old| matches!(old.tree, Tree::Map(_))) } else { None };
    if level == Level::Step
        && entries.iter().any(|(key, _)| is_action(key))
        && let Tree::Map(entries) = &mut old.tree
    {
        entries.retain(|(key, _)| !is_action(key));
    }
    for (key, value) in entries {
        match key.name.as_str() {
            "group" if group.is_some() => {
                let mut group = group.take().unwrap_or_else(|| value.clone());
                lay_group(&mut group, value, findings);
                lay(old, key, group);
            }
            "steps" if level == Level::Stage => lay_items(old, key, value, Level::Step, findings),
            // An undo is an action: a new one takes the place of the old.
            "undo" | "verify" => {
                take(old, &key.name);
                lay(old, key, value);
            }
            _ => lay(old, key, value),
        }
    }
}

fn lay_group(onto: &mut Node, new: Node, findings: &mut Vec<Finding>) {
    let Tree::Map(entries) = new.tree else { return };
    for (key, value) in entries {
        match key.name.as_str() {
            "steps" => lay_items(onto, key, value, Level::Step, findings),
            _ => lay(onto, key, value),
        }
    }
}

fn position(items: &[Node], id: &str) -> Option<usize> {
    items.iter().position(|item| item.get("id").and_then(Node::text) == Some(id))
}

fn take(node: &mut Node, name: &str) -> Option<Node> {
    let Tree::Map(entries) = &mut node.tree else { return None };
    let at = entries.iter().position(|(key, _)| key.name == name)?;
    Some(entries.remove(at).1)
}
