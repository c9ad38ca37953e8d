//! From a YAML text to its tree, with all that is wrong with it as YAML.
//!
//! # Why
//! A key that stands twice is one problem among others: the reader hands both of them on, the first counts, and the rest is read
//! as usual. What is no YAML ends the reading; then a text that ends before it is read, so that what is surely wrong in there is
//! said too. Such a text is cut between two lines: only what comes last in it can be other than it is in the whole.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, Location, Spanned};

use super::tree::{Key, Node, Place, Tree};

/// How many shorter texts are tried to find one that is YAML.
const TRIES: usize = 12;
/// How many bytes these have together at most.
const TRIED: usize = 512 * 1024;
/// The most keys and values of a runbook, which is sixty times what the built-in one has.
const MOST_NODES: usize = 100_000;

/// What was read of a text.
pub(super) struct Read {
    /// The tree. Of a text that was not read to its end: what is complete; `None` where nothing is.
    pub(super) root: Option<Node>,
    /// The second key of each pair of equal ones in a mapping, and where the first is.
    pub(super) twice: BTreeMap<Place, (String, Place)>,
    /// Where and why the reading ended before the text did.
    pub(super) stopped: Option<(Place, String)>,
}

/// Reads `text`, which is file number `file`.
pub(super) fn read(text: &str, file: usize) -> Read {
    let mut reader = Reader { file, twice: BTreeMap::new() };
    let (root, stopped) = match raw(text, file) {
        Ok(raw) => (Some(reader.node(raw)), None),
        Err(Stop { place, message, too_much }) => {
            let before = if too_much { None } else { before(text, file, place.line) };
            let root = before.map(|raw| reader.node(raw)).and_then(|root| complete(root, text));
            (root, Some((place, message)))
        }
    };
    Read { root, twice: reader.twice, stopped }
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Merge,
        budget: serde_saphyr::budget! { max_depth: 32, max_nodes: MOST_NODES },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 20_000 },
    }
}

/// Where a text ends being YAML within bounds, and why.
struct Stop {
    place: Place,
    message: String,
    /// Whether there is nothing wrong there, but too much before it.
    too_much: bool,
}

/// Reads `text`, with every key of its mappings, also those that stand twice.
fn raw(text: &str, file: usize) -> Result<Spanned<Raw>, Stop> {
    let mut options = options();
    options.duplicate_keys = serde_saphyr::DuplicateKeyPolicy::PassThrough;
    serde_saphyr::from_str_with_options(text, options).map_err(|error: Error| {
        let place = error.location().map_or(Place { file, line: 1, column: 1 }, |at| place(at, file));
        if let Error::Budget { breach: BudgetBreach::Nodes { .. }, .. } = error {
            let message = format!("a runbook has at most {MOST_NODES} keys and values, this has more");
            return Stop { place, message, too_much: true };
        }
        let said = error.to_string();
        let first = said.lines().next().unwrap_or_default().trim_start_matches("error: ");
        let at = format!(" at line {}, column {}", place.line, place.column);
        Stop { place, message: first.strip_suffix(&at).unwrap_or(first).to_owned(), too_much: false }
    })
}

/// The longest text found that ends before line `stop` of `text` and is YAML.
///
/// Where the lines up to there are none, something was opened before that does not end: the cut moves up, first to what stands
/// beside it, then to what stands around it.
fn before(text: &str, file: usize, stop: usize) -> Option<Spanned<Raw>> {
    let mut starts = vec![0];
    starts.extend(text.match_indices('\n').map(|(at, _)| at + 1));
    let indent = |line: usize| {
        let rest = text[starts[line]..].lines().next().unwrap_or_default();
        let words = rest.trim_start_matches(' ');
        (!words.is_empty() && !words.starts_with('#')).then_some(rest.len() - words.len())
    };
    let mut end = stop.saturating_sub(1).min(starts.len() - 1);
    let mut left = TRIED;
    for outwards in (0..TRIES).map(|tried| tried > TRIES / 2) {
        left = left.checked_sub(starts[end]).filter(|_| end > 0)?;
        let failed = match raw(&text[..starts[end]], file) {
            Ok(raw) => return Some(raw),
            Err(stop) => stop.place.line.saturating_sub(1),
        };
        let own = indent(end).unwrap_or(usize::MAX);
        let above = |line: &usize| indent(*line).is_some_and(|one| one < own || one == own && !outwards);
        end = (0..end).rev().find(above).unwrap_or(end / 2).min(failed);
    }
    None
}

/// What is complete of `root`, the tree of the beginning of `text`: all but the last entry of the runbook, of its last stage, and
/// the last step of that. Nothing where `extends` may stand in what was not read, since then all of it means something else.
fn complete(mut root: Node, text: &str) -> Option<Node> {
    let (key, mut stages) = pop(&mut root)?;
    let extends = root.get("extends").is_some();
    if !extends && text.contains("extends") {
        return None;
    }
    let (Tree::Map(entries), Tree::List(items)) = (&mut root.tree, &mut stages.tree) else { return Some(root) };
    if key.name == "stages" {
        // What is laid over another is laid as a whole.
        let last = items.pop().filter(|_| !extends).and_then(complete_stage);
        items.extend(last);
        if !items.is_empty() {
            entries.push((key, stages));
        }
    }
    Some(root)
}

fn complete_stage(mut stage: Node) -> Option<Node> {
    let (key, mut steps) = pop(&mut stage)?;
    if let (Tree::Map(entries), Tree::List(items), "steps") = (&mut stage.tree, &mut steps.tree, key.name.as_str()) {
        items.pop();
        if !items.is_empty() {
            entries.push((key, steps));
        }
    }
    Some(stage)
}

/// Takes the entry out of `map` that stands last in the text; what `<<` merges stands last in the tree.
fn pop(map: &mut Node) -> Option<(Key, Node)> {
    let Tree::Map(entries) = &mut map.tree else { return None };
    let last = entries.iter().enumerate().max_by_key(|(_, (key, _))| key.place)?.0;
    Some(entries.remove(last))
}

enum Raw {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn place(at: Location, file: usize) -> Place {
    let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    Place { file, line: count(at.line()), column: count(at.column()) }
}

/// Makes nodes of what was read, and keeps what stands twice.
struct Reader {
    file: usize,
    twice: BTreeMap<Place, (String, Place)>,
}

impl Reader {
    fn node(&mut self, raw: Spanned<Raw>) -> Node {
        let tree = match raw.value {
            Raw::Null => Tree::Null,
            Raw::Bool(value) => Tree::Bool(value),
            Raw::Number(number) => Tree::Number(number),
            Raw::Text(text) => Tree::Text(text),
            Raw::List(items) => Tree::List(items.into_iter().map(|item| self.node(item)).collect()),
            Raw::Map(entries) => self.map(entries),
        };
        Node { place: place(raw.referenced, self.file), tree }
    }

    /// A mapping of the first of each key. What belongs to the others is looked through too.
    fn map(&mut self, entries: Vec<(Spanned<String>, Spanned<Raw>)>) -> Tree {
        let mut firsts = BTreeMap::new();
        // An alias shows what is defined elsewhere: there it stands twice, and once for all.
        let mut first = |key: &Spanned<String>| {
            let own = place(key.defined, self.file);
            let first = *firsts.entry(key.value.clone()).or_insert(own);
            (first != own).then_some((own, first))
        };
        let again: Vec<_> = entries.iter().map(|(key, _)| first(key)).collect();
        let mut kept = Vec::with_capacity(entries.len());
        for ((key, value), again) in entries.into_iter().zip(again) {
            let value = self.node(value);
            if let Some((own, first)) = again {
                self.twice.entry(own).or_insert((key.value, first));
            } else {
                kept.push((Key { place: place(key.referenced, self.file), name: key.value }, value));
            }
        }
        Tree::Map(kept)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Raw, E> {
        Number::from_f64(value).map(Raw::Number).ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}
