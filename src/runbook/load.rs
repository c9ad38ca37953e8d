//! From a file to a checked runbook.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::check::{Finding, check};
use super::decode::decode;
use super::merge::merge;
use super::model::Runbook;
use super::problem::{Problem, Problems};
use super::tree::{Node, Place, parse};

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
    let mut files = Files::default();
    let finish =
        |files: &Files, findings: Vec<Finding>| Problems(findings.into_iter().map(|one| files.problem(one)).collect());
    if *source == Source::Builtin
        && let Ok(runbook) = serde_json::from_str(builtin.tree).and_then(decode)
    {
        return Ok(Loaded { runbook, root: Root::Builtin(builtin.tree) });
    }
    let root = match tree(source, builtin, &mut files) {
        Ok(root) => root,
        Err(findings) => return Err(finish(&files, findings)),
    };
    let findings = check(&root);
    if !findings.is_empty() {
        return Err(finish(&files, findings));
    }
    match decode(root.json()) {
        Ok(runbook) => Ok(Loaded { runbook, root: Root::Read(root) }),
        Err(error) => Err(finish(&files, vec![(root.place, error.to_string(), None)])),
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
#[derive(Default)]
struct Files(Vec<(String, String)>);

impl Files {
    fn add(&mut self, name: String, text: String) -> usize {
        self.0.push((name, text));
        self.0.len() - 1
    }

    fn problem(&self, (place, message, help): Finding) -> Problem {
        let (file, text) = self.0.get(place.file).cloned().unwrap_or_default();
        let line = place.line.checked_sub(1).and_then(|line| text.lines().nth(line)).unwrap_or_default();
        Problem { file, line: place.line, column: place.column, text: line.to_owned(), message, help }
    }
}

/// The tree of `source`, merged onto those it extends.
fn tree(source: &Source, builtin: &Builtin, files: &mut Files) -> Result<Node, Vec<Finding>> {
    let (name, text) = match source {
        Source::Text { name, text } => (name.clone(), Ok(text.clone())),
        Source::File(path) => (path.display().to_string(), read(path)),
        Source::Builtin => ("builtin".to_owned(), Ok(builtin.text.to_owned())),
    };
    let (text, refused) = match text {
        Ok(text) => (text, None),
        Err(refused) => (String::new(), Some(refused)),
    };
    let file = files.add(name, text.clone());
    let nowhere = Place { file, line: 0, column: 0 };
    if let Some(refused) = refused {
        return Err(vec![(nowhere, format!("the file {refused}"), None)]);
    }
    let root = parse(&text, file).map_err(|(place, message)| vec![(place, message, None)])?;
    let Some((place, named)) = root.get("extends").and_then(|node| Some((node.place, node.text()?.to_owned()))) else {
        return Ok(root);
    };
    if files.0.len() >= DEEPEST {
        return Err(vec![(place, "runbooks extend each other in a circle, or too deep".to_owned(), None)]);
    }
    let base = match (named.as_str(), source) {
        ("builtin", _) => Source::Builtin,
        (path, Source::File(from)) => Source::File(from.parent().unwrap_or(Path::new("")).join(path)),
        (path, Source::Text { .. } | Source::Builtin) => Source::File(PathBuf::from(path)),
    };
    let base = tree(&base, builtin, files).map_err(|mut findings| {
        if let Some((at, ..)) = findings.first().filter(|(at, ..)| at.line == 0) {
            let message = findings[0].1.clone();
            findings = vec![(place, format!("{}: {message}", files.0[at.file].0), None)];
        }
        findings
    })?;
    merge(base, root)
}

/// The tree as YAML; as JSON, which is YAML too, where a value does not survive being written.
fn freeze(value: &serde_json::Value) -> String {
    serde_saphyr::to_string(value)
        .ok()
        .filter(|text| parse(text, 0).is_ok_and(|again| again.json() == *value))
        .unwrap_or_else(|| value.to_string())
}
