//! From a file to a checked runbook.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::check::{Finding, Seen, check};
use super::decode::decode;
use super::merge::merge;
use super::model::Runbook;
use super::problem::{Problem, Problems, excerpt};
use super::tree::{Node, Place};
use super::yaml::read as read_yaml;

/// A runbook that is built in.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// Its text, as `hotfix init` writes it.
    pub text: &'static str,
    /// What the text says, as JSON: read when the program was built, because reading YAML takes longer than all else that
    /// `hotfix plan` does.
    pub tree: &'static str,
}

/// The runbook that is built in.
pub const BUILTIN_EN: Builtin = Builtin {
    text: include_str!("../../runbooks/hotfix.yaml"),
    tree: include_str!(concat!(env!("OUT_DIR"), "/hotfix.json")),
};
/// The runbook that is built in, in Chinese.
pub const BUILTIN_ZH: Builtin = Builtin {
    text: include_str!("../../runbooks/hotfix.zh-CN.yaml"),
    tree: include_str!(concat!(env!("OUT_DIR"), "/hotfix.zh-CN.json")),
};
/// A small runbook that extends the built-in one, with examples in comments.
pub const EXTENDING: &str = include_str!("../../runbooks/extend.yaml");

const LARGEST: u64 = 1024 * 1024;
const DEEPEST: usize = 8;
/// How many problems are listed; of more than that, how many they are is said.
const MOST: usize = 100;

/// Where a runbook comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The text that is built in, as it is. It is not checked again: a test does so once for all.
    Builtin,
    /// A file.
    File(PathBuf),
    /// A text, and what to call it in messages.
    Text {
        /// What to call it.
        name: String,
        /// The text.
        text: String,
    },
}

/// A runbook that was found right.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The runbook.
    pub runbook: Runbook,
    root: Root,
}

/// What it was made from.
#[derive(Clone, Debug)]
enum Root {
    Read(Node),
    /// JSON.
    Builtin(&'static str),
}

impl Loaded {
    /// A text without `extends` that loads to the same runbook.
    #[must_use]
    pub fn frozen(&self) -> String {
        match &self.root {
            Root::Read(root) => freeze(&root.json()),
            Root::Builtin(json) => serde_json::from_str(json).map_or_else(|_| (*json).to_owned(), |root| freeze(&root)),
        }
    }
}

/// Reads and checks a runbook. `builtin` is the one that `extends: builtin` names.
///
/// # Errors
/// Everything that is wrong with it, each with its file and line.
pub fn load(source: &Source, builtin: &Builtin) -> Result<Loaded, Problems> {
    if *source == Source::Builtin
        && let Ok(runbook) = serde_json::from_str(builtin.tree).and_then(decode)
    {
        return Ok(Loaded { runbook, root: Root::Builtin(builtin.tree) });
    }
    let mut files = Files { builtin, texts: Vec::new(), findings: Vec::new(), stops: Vec::new(), seen: Seen::All };
    let root = files.tree(source);
    if let Some(root) = &root {
        files.findings.extend(check(root, files.seen));
    }
    match root {
        Some(root) if files.findings.is_empty() && files.stops.is_empty() => match decode(root.json()) {
            Ok(runbook) => Ok(Loaded { runbook, root: Root::Read(root) }),
            Err(error) => {
                files.findings.push((root.place, error.to_string(), None));
                Err(files.problems())
            }
        },
        _ => Err(files.problems()),
    }
}

/// Reads a file that is a runbook, or belongs to one, within bounds.
///
/// # Errors
/// What is wrong with the file as such: unreadable, too large, not UTF-8, a NUL in it.
pub fn read(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| format!("cannot be opened: {error}"))?;
    let mut bounded = file.take(LARGEST + 1);
    bounded.read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > LARGEST {
        return Err("is larger than 1 MiB, which no runbook is".to_owned());
    }
    if bytes.contains(&0) {
        return Err("has a NUL byte in it, so it is not a text".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| format!("is not UTF-8 from byte {} on", error.utf8_error().valid_up_to()))
}

/// The files of one runbook: the one that was named, and those it extends.
struct Files<'a> {
    builtin: &'a Builtin,
    /// Their names and texts.
    texts: Vec<(String, String)>,
    findings: Vec<Finding>,
    /// What ended the reading of a file before its end.
    stops: Vec<Finding>,
    seen: Seen,
}

impl Files<'_> {
    /// The tree of `source`, merged onto those it extends; `None` where there is none to check.
    fn tree(&mut self, source: &Source) -> Option<Node> {
        let (name, text) = match source {
            Source::Text { name, text } => (name.clone(), Ok(text.clone())),
            Source::File(path) => (path.display().to_string(), read(path)),
            Source::Builtin => ("builtin".to_owned(), Ok(self.builtin.text.to_owned())),
        };
        let file = self.texts.len();
        let yaml = match text {
            Ok(text) => {
                let yaml = read_yaml(&text, file);
                self.texts.push((name, text));
                yaml
            }
            Err(refused) => {
                self.texts.push((name, String::new()));
                let nowhere = Place { file, line: 0, column: 0 };
                self.find(nowhere, format!("the file {refused}"));
                return None;
            }
        };
        for (place, (name, first)) in yaml.twice {
            self.find(place, format!("duplicate key: `{name}` is already on line {}", first.line));
        }
        if let Some((place, message)) = yaml.stopped {
            self.stops.push((place, format!("{message}; nothing behind this was read"), None));
            self.seen = Seen::Part;
        }
        let root = yaml.root?;
        let extends = root.get("extends").and_then(|node| Some((node.place, node.text()?.to_owned())));
        match extends {
            Some((place, base)) => self.extended(source, root, place, &base),
            None => Some(root),
        }
    }

    /// `root`, which is of `source` and names at `place` what it extends, merged onto that.
    fn extended(&mut self, source: &Source, root: Node, place: Place, base: &str) -> Option<Node> {
        if self.texts.len() >= DEEPEST {
            self.find(place, "runbooks extend each other in a circle, or too deep".to_owned());
            return None;
        }
        let base = match (base, source) {
            ("builtin", _) => Source::Builtin,
            (path, Source::File(from)) => Source::File(from.parent().unwrap_or(Path::new("")).join(path)),
            (path, Source::Text { .. } | Source::Builtin) => Source::File(PathBuf::from(path)),
        };
        let (found, seen) = (self.findings.len(), std::mem::take(&mut self.seen));
        let base = self.tree(&base);
        for (at, message, _) in self.findings[found..].iter_mut().filter(|(at, ..)| at.line == 0) {
            *message = format!("{}: {message}", self.texts[at.file].0);
            *at = place;
        }
        // What is laid over a part would be held against what is not there.
        if self.seen == Seen::Part {
            return base;
        }
        self.seen = seen;
        let (merged, refused) = merge(base?, root);
        if !refused.is_empty() {
            self.seen = Seen::Part;
        }
        self.findings.extend(refused);
        Some(merged)
    }

    fn find(&mut self, place: Place, message: String) {
        self.findings.push((place, message, None));
    }

    /// What was found, in the order of the places. What ended the reading is listed in any case.
    fn problems(mut self) -> Problems {
        self.findings.sort_by_key(|(place, ..)| *place);
        let more = self.findings.len().saturating_sub(MOST);
        self.findings.truncate(MOST);
        self.findings.append(&mut self.stops);
        self.findings.sort_by_key(|(place, ..)| *place);
        let lines: Vec<Vec<&str>> = self.texts.iter().map(|(_, text)| text.lines().collect()).collect();
        let problem = |(place, message, help): Finding| {
            let file = self.texts.get(place.file).map(|(name, _)| name.clone()).unwrap_or_default();
            let line = place.line.checked_sub(1).and_then(|line| lines.get(place.file)?.get(line));
            let (text, caret) = excerpt(line.copied().unwrap_or_default(), place.column);
            Problem { file, line: place.line, column: place.column, text, caret, message, help }
        };
        Problems { listed: self.findings.into_iter().map(problem).collect(), more }
    }
}

/// The tree as YAML; as JSON, which is YAML too, where a value does not survive being written.
fn freeze(value: &serde_json::Value) -> String {
    serde_saphyr::to_string(value)
        .ok()
        .filter(|text| {
            let again = read_yaml(text, 0);
            again.stopped.is_none() && again.root.is_some_and(|again| again.json() == *value)
        })
        .unwrap_or_else(|| value.to_string())
}
