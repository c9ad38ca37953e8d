//! Holds a tree against the grammar, and every name in it against the names that are given by then.

use std::collections::{BTreeMap, BTreeSet};

use super::grammar::{ACTIONS, Field, MEASURED, NO_NUMBER, Need, RUNBOOK, Record, Shape};
use super::model::DRAFTED;
use super::problem::nearest;
use super::rules;
use super::tree::{Node, Place, Tree};
use crate::process::Limit;
use crate::template::{Condition, Length, Template};

/// The names that are there without anybody giving them. `main` and `remote` are too, but `vars` may set them.
pub(super) const BUILT_IN: &[&str] = &[
    "tag",
    "new_tag",
    "version",
    "previous_version",
    "rollback_to",
    "issue",
    "slug",
    "branch",
    "run_id",
    "operator",
    "stage",
    "step",
    "attempt",
    "elapsed",
    "direction",
    "env",
    "output",
    "rollback",
    "drill",
];
/// Of those, what is only the environment of a script.
const SCRIPT_ONLY: &[&str] = &["output", "rollback", "drill"];
const SETTABLE: &[&str] = &["main", "remote"];
/// To how many problems a valid name is looked for; of more, few are listed.
const ADVISED: usize = 1000;

/// One thing that is wrong, before its file and line are looked up.
pub(super) type Finding = (Place, String, Option<String>);

/// How much of a runbook there is to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Seen {
    /// The whole.
    #[default]
    All,
    /// A part. What is there is complete, but what it names may stand in the rest, and so may more of the runbook and its stages.
    Part,
}

/// Everything that is wrong with `root`; of a part, what is wrong whatever the rest is.
pub(super) fn check(root: &Node, seen: Seen) -> Vec<Finding> {
    let mut checker = Checker { seen, ..Checker::default() };
    checker.record(&RUNBOOK, root);
    if seen == Seen::All {
        checker.resolve();
    }
    rules::check(root, seen, &mut checker.findings);
    checker.findings
}

/// Names that may be read at one place.
type Names = &'static [&'static str];

/// When a text is worked out.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum When {
    /// In its turn: it sees what was given before.
    #[default]
    InTurn,
    /// At the end or after: it sees everything.
    Late,
}

#[derive(Default)]
struct Checker {
    seen: Seen,
    findings: Vec<Finding>,
    /// Names by the place in the order of giving; a step's own count once it is over.
    given: BTreeSet<String>,
    pending: BTreeSet<String>,
    when: When,
    /// What the probe at hand measures.
    measured: Names,
    /// Names that nobody has given yet, and those that are there for them alone.
    unresolved: Vec<(Place, String, When, Names)>,
}

impl Checker {
    fn find(&mut self, place: Place, message: impl Into<String>, help: Option<String>) {
        self.findings.push((place, message.into(), help));
    }

    fn record(&mut self, record: &Record, node: &Node) {
        if !matches!(node.tree, Tree::Map(_)) {
            return self.find(node.place, format!("a {} is a mapping, not {}", record.name, node.kind()), None);
        }
        for (key, _) in node.entries() {
            if !record.fields.iter().any(|field| field.name == key.name) {
                let few = self.findings.len() < ADVISED;
                let help = few.then(|| nearest(&key.name, record.fields.iter().map(|field| field.name))).flatten();
                self.find(key.place, format!("a {} has no field `{}`", record.name, key.name), help);
            }
        }
        self.one_of(record, node);
        let outer = self.when;
        if node.get("trigger").is_some() {
            self.when = When::Late;
        }
        if record.name == "probe" {
            let source = MEASURED.iter().find(|(source, _)| node.get(source).is_some());
            self.measured = source.map_or(&[], |(_, names)| names);
        }
        for field in record.fields {
            match node.get(field.name) {
                Some(value) => self.field(record, field, value),
                None if field.need == Need::Required && !self.may_go_on(record) => {
                    self.find(node.place, format!("this {} lacks `{}`", record.name, field.name), None);
                }
                None => {}
            }
        }
        self.when = outer;
        if record.name == "step" {
            self.give();
        }
    }

    /// Whether more of what is a `record` may stand in what is not seen.
    fn may_go_on(&self, record: &Record) -> bool {
        self.seen == Seen::Part && ["runbook", "stage"].contains(&record.name)
    }

    fn field(&mut self, record: &Record, field: &Field, value: &Node) {
        let outer = self.when;
        if record.name == "step" && field.name == "undo" {
            self.when = When::Late;
        }
        if (record.name == "step" && field.name == "verify") || record.name == "runbook" {
            self.give();
        }
        self.shape(&field.shape, value);
        self.when = outer;
    }

    fn give(&mut self) {
        self.given.append(&mut self.pending);
    }

    fn one_of(&mut self, record: &Record, node: &Node) {
        let there: Vec<_> =
            node.entries().iter().filter(|(key, _)| record.one_of.contains(&key.name.as_str())).collect();
        match there.as_slice() {
            [] if !record.one_of.is_empty() => {
                let unknown = node.entries().iter().map(|(key, _)| key.name.as_str());
                let help =
                    unknown.filter(|name| !record.fields.iter().any(|field| field.name == *name)).find_map(|name| {
                        nearest(name, record.one_of.iter().copied()).filter(|help| help.starts_with("did"))
                    });
                let all = || Some(format!("one of {}", record.one_of.join(", ")));
                self.find(node.place, format!("this {} says nothing to do", record.name), help.or_else(all));
            }
            [_, (second, _), ..] => {
                let names: Vec<_> = there.iter().map(|(key, _)| format!("`{}`", key.name)).collect();
                let what = if record.one_of == ACTIONS { "action" } else { "of its kinds" };
                let message = format!("a {} has exactly one {what}, this one has {}", record.name, names.join(" and "));
                self.find(second.place, message, None);
            }
            _ => {}
        }
    }

    fn shape(&mut self, shape: &Shape, node: &Node) {
        match (shape, &node.tree) {
            (Shape::Text, Tree::Text(_)) | (Shape::Flag, Tree::Bool(_)) | (Shape::Number, Tree::Number(_)) => {}
            (Shape::Count, Tree::Number(number)) if number.as_u64().is_some_and(|n| u32::try_from(n).is_ok()) => {}
            (Shape::Id, Tree::Text(text)) => self.id(node.place, text),
            (Shape::Gives, Tree::Text(text)) => self.gives(node.place, text, BUILT_IN.iter().chain(SETTABLE)),
            (Shape::Template, Tree::Text(text)) => self.names(node.place, Template::new(text.as_str()).names(), &[]),
            (Shape::Draft, Tree::Text(text)) => {
                let outer = std::mem::replace(&mut self.when, When::Late);
                self.names(node.place, Template::new(text.as_str()).names(), DRAFTED);
                self.when = outer;
            }
            (Shape::Script, Tree::Text(text)) => self.script(node.place, text),
            (Shape::Condition(more), Tree::Text(text)) => {
                self.names(node.place, Condition::new(text.as_str()).names(), more);
            }
            (Shape::Measured, Tree::Text(text)) => {
                self.names(node.place, Condition::new(text.as_str()).names(), self.measured);
            }
            (Shape::Fact, Tree::Text(text)) => {
                let mut numbers = self.measured.iter().copied().filter(|name| !NO_NUMBER.contains(name));
                if !numbers.clone().any(|name| name == text) {
                    let all = numbers.clone().collect::<Vec<_>>().join(", ");
                    let help = nearest(text, numbers.by_ref()).or(Some(format!("one of {all}")));
                    self.find(node.place, format!("this probe measures no number `{text}`"), help);
                }
            }
            (Shape::Length, Tree::Text(text)) => self.names(node.place, Length::new(text.as_str()).names(), &[]),
            (Shape::Size, Tree::Text(text)) => self.size(node.place, Limit::parse(text)),
            (Shape::Size, Tree::Number(number)) if number.as_u64().is_some() => {
                self.size(node.place, Limit::of(number.as_u64().unwrap_or_default()));
            }
            (Shape::Any, _) => self.any(node),
            (Shape::Word(words), Tree::Text(text)) => {
                if !words.contains(&text.as_str()) {
                    self.find(node.place, format!("`{text}` is not valid here"), nearest(text, words.iter().copied()));
                }
            }
            (Shape::List(_), Tree::List(items)) if items.is_empty() => {
                self.find(node.place, "this list is empty", None);
            }
            (Shape::List(each), Tree::List(items)) => items.iter().for_each(|item| self.shape(each, item)),
            (Shape::Dict(each), Tree::Map(entries)) => entries.iter().for_each(|(_, value)| self.shape(each, value)),
            (Shape::GivesEach(each), Tree::Map(entries)) => {
                for (key, value) in entries {
                    // What `vars` holds is worked out first of all, from built-in names alone.
                    self.shape(each, value);
                    let settable: &[&str] = if matches!(each, Shape::Any) { &[] } else { SETTABLE };
                    self.gives(key.place, &key.name, BUILT_IN.iter().chain(settable));
                }
            }
            (Shape::Record(record), _) => self.record(record, node),
            (Shape::Either(shapes), _) => match shapes.iter().find(|one| fits(one, node)) {
                Some(one) => self.shape(one, node),
                None => self.mismatch(shape, node),
            },
            _ => self.mismatch(shape, node),
        }
    }

    fn mismatch(&mut self, shape: &Shape, node: &Node) {
        let help = matches!(node.tree, Tree::Number(_) | Tree::Bool(_))
            .then(|| "put it in quotes to make it a text".to_owned())
            .filter(|_| expected(shape).contains("text"));
        self.find(node.place, format!("expected {}, found {}", expected(shape), node.kind()), help);
    }

    fn id(&mut self, place: Place, id: &str) {
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if id.is_empty() || id.starts_with('-') || !id.chars().all(fine) {
            let help = Some("an id is made of a-z, 0-9 and -, and does not start with -".to_owned());
            self.find(place, format!("`{id}` is not an id"), help);
        }
    }

    fn size(&mut self, place: Place, size: Result<Limit, String>) {
        if let Err(why) = size {
            self.find(place, why, None);
        }
    }

    fn gives<'a>(&mut self, place: Place, name: &str, mut taken: impl Iterator<Item = &'a &'a str>) {
        let first = name.chars().next().is_some_and(|c| c.is_ascii_lowercase() || c == '_');
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !first || !name.chars().all(fine) {
            let help = Some("a variable is made of a-z, 0-9 and _, and does not start with a digit".to_owned());
            self.find(place, format!("`{name}` is not the name of a variable"), help);
        } else if taken.any(|one| *one == name) {
            self.find(place, format!("`{name}` shadows a built-in name"), Some("choose another name".to_owned()));
        }
        self.pending.insert(name.to_owned());
    }

    fn script(&mut self, place: Place, text: &str) {
        if text.contains("{{") || text.contains("{%") {
            let help = "values reach a shell as environment variables: write \"$HOTFIX_NEW_TAG\" for {{ new_tag }}, or \
                        give a list, which is run without a shell";
            self.find(place, "a `run` text is not a template", Some(help.to_owned()));
        }
        if text.trim().is_empty() {
            self.find(place, "this command is empty", None);
        }
    }

    fn any(&mut self, node: &Node) {
        if let Tree::Text(text) = &node.tree {
            self.names(node.place, Template::new(text.as_str()).names(), &[]);
        }
        node.items().iter().for_each(|item| self.any(item));
        node.entries().iter().for_each(|(_, value)| self.any(value));
    }

    fn names(&mut self, place: Place, names: Result<BTreeSet<String>, String>, more: Names) {
        match names {
            Err(problem) => self.find(place, problem, None),
            Ok(names) => {
                let given = |name: &str| is_built_in(name) || more.contains(&name) || self.given.contains(name);
                let open: Vec<_> = names.into_iter().filter(|name| !given(name)).collect();
                let when = self.when;
                self.unresolved.extend(open.into_iter().map(|name| (place, name, when, more)));
            }
        }
    }

    /// What was not given in its turn is given later, or never.
    fn resolve(&mut self) {
        self.give();
        for (place, name, when, more) in std::mem::take(&mut self.unresolved) {
            let known = self.given.contains(&name);
            if known && when == When::InTurn {
                self.find(place, format!("`{name}` is used before it is given"), None);
            } else if !known {
                let names = BUILT_IN.iter().chain(SETTABLE).copied().filter(|name| !SCRIPT_ONLY.contains(name));
                let names = more.iter().copied().chain(names);
                let valid: Vec<String> = names.map(str::to_owned).chain(self.given.iter().cloned()).collect();
                let help = nearest(&name, valid.iter().map(String::as_str));
                self.find(place, format!("there is no variable `{name}`"), help);
            }
        }
    }
}

fn is_built_in(name: &str) -> bool {
    SETTABLE.contains(&name) || BUILT_IN.contains(&name) && !SCRIPT_ONLY.contains(&name)
}

fn fits(shape: &Shape, node: &Node) -> bool {
    match shape {
        Shape::List(_) => matches!(node.tree, Tree::List(_)),
        Shape::Record(_) | Shape::Dict(_) | Shape::GivesEach(_) => matches!(node.tree, Tree::Map(_)),
        _ => matches!(node.tree, Tree::Text(_)),
    }
}

fn expected(shape: &Shape) -> String {
    match shape {
        Shape::Flag => "true or false".to_owned(),
        Shape::Count => "a whole number, not negative".to_owned(),
        Shape::Number => "a number".to_owned(),
        Shape::Length => "a length of time such as 15m".to_owned(),
        Shape::Size => "a size such as 64MiB".to_owned(),
        Shape::List(_) => "a list".to_owned(),
        Shape::Dict(_) | Shape::GivesEach(_) | Shape::Record(_) => "a mapping".to_owned(),
        Shape::Either(shapes) => shapes.iter().map(expected).collect::<Vec<_>>().join(" or "),
        _ => "a text".to_owned(),
    }
}

/// The second of two equal names in a list, each with its place.
pub(super) fn twice<'a>(names: impl Iterator<Item = (Place, &'a str)>) -> Vec<(Place, &'a str, Place)> {
    let mut seen = BTreeMap::new();
    names.filter_map(|(place, name)| seen.insert(name, place).map(|first| (place, name, first))).collect()
}
