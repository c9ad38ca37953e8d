//! Where a file of a known name states its version.
//!
//! # Why
//! Each format is read whole by a parser of its own that tells where a value stands in the text: `toml_edit` (a document that
//! is never changed keeps its spans), `serde_json` (a raw value is a part of the text), `serde-saphyr` (spans) and `roxmltree`
//! (ranges). None of them is asked to write. `roxmltree` was taken over `quick-xml` because it holds a text to the rules of XML
//! as a whole, its one root and its pairs of tags. The one line of VERSION and Java's properties are read here: no crate for the
//! latter tells where a value stands.

use std::ops::Range;

use roxmltree::ParsingOptions;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_saphyr::Spanned;
use toml_edit::{Document, TableLike};

/// Where versions belong in a file, in words, and every place that has one.
pub(super) type Places = (&'static str, Vec<Range<usize>>);

/// Where the file `name` has versions in its `text`; `None` for an unknown name.
///
/// # Errors
/// What is wrong with the text, in words, where it is not of its format.
pub(super) fn places(name: &str, text: &str) -> Option<Result<Places, String>> {
    Some(match name {
        "VERSION" => Ok(("its only line", whole(text))),
        "package.json" => json(text).map(|found| ("the top-level key \"version\"", found)),
        "Cargo.toml" => {
            toml(text, &[&["package"], &["workspace", "package"]]).map(|found| ("`version` in [package]", found))
        }
        "pyproject.toml" => {
            toml(text, &[&["project"], &["tool", "poetry"]]).map(|found| ("`version` in [project]", found))
        }
        "Chart.yaml" => yaml(text).map(|found| ("the top-level key `version`", found)),
        "gradle.properties" => Ok(("the key `version`", properties(text))),
        "pom.xml" => xml(text).map(|found| ("<project><version>", found)),
        _ => return None,
    })
}

/// The part of `text` at `range` without the white space around it; nothing where nothing is left.
fn trimmed(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    let end = start + part.trim().len();
    (start < end).then_some(start..end)
}

/// The part of `text` at `range` without the quotes around it, of which TOML has more than others; nothing where nothing is left.
pub(super) fn unquoted(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let part = text.get(range.clone())?;
    let quotes = ["\"\"\"", "'''", "\"", "'"];
    let quote = quotes.into_iter().find(|quote| part.len() >= 2 * quote.len() && part.starts_with(quote))?;
    (part.ends_with(quote) && part.len() > 2 * quote.len()).then(|| range.start + quote.len()..range.end - quote.len())
}

/// Where `part`, which was borrowed from `text`, stands in it; nothing where it was not.
fn within(text: &str, part: &str) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let range = start..start + part.len();
    (text.get(range.clone()) == Some(part)).then_some(range)
}

/// Each line with the place where it starts, past a byte order mark.
fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        let mark = if line.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        (start + mark, &line[mark..])
    })
}

/// The only line that is not empty, without a leading `v`.
fn whole(text: &str) -> Vec<Range<usize>> {
    let found = numbered(text).filter_map(|(start, line)| trimmed(text, start..start + line.len()));
    found.map(|r| if text[r.clone()].starts_with('v') { r.start + 1..r.end } else { r }).collect()
}

/// The values of the key `version` among Java's properties: after `=`, `:` or a space, in a line that continues no other.
fn properties(text: &str) -> Vec<Range<usize>> {
    let blank = [' ', '\t', '\u{c}'];
    let mut found = Vec::new();
    let mut continued = false;
    for (start, line) in numbered(text) {
        let end = start + line.len();
        let key = line.trim_start_matches(blank);
        let comment = !continued && key.starts_with(['#', '!']);
        if !continued
            && let Some(rest) = key.strip_prefix("version")
            && let value = rest.trim_start_matches(blank)
            && let value = value.strip_prefix(['=', ':']).unwrap_or(value)
            && value.len() < rest.len()
        {
            found.extend(trimmed(text, end - value.len()..end));
        }
        let bare = line.trim_end_matches(['\r', '\n']);
        continued = !comment && (bare.len() - bare.trim_end_matches('\\').len()) % 2 == 1;
    }
    found
}

/// The strings at `version` in the tables `tables`, each named by its path.
fn toml(text: &str, tables: &[&[&str]]) -> Result<Vec<Range<usize>>, String> {
    let document = document(text)?;
    let found = tables.iter().filter_map(|path| {
        let table = path.iter().try_fold(document.as_item(), |item, key| item.as_table_like()?.get(key))?;
        string(text, table.as_table_like()?, "version")
    });
    Ok(found.collect())
}

/// Reads TOML.
///
/// # Errors
/// What is wrong with it and in which line.
pub(super) fn document(text: &str) -> Result<Document<&str>, String> {
    Document::parse(text).map_err(|error| {
        let before = error.span().and_then(|at| text.get(..at.start)).unwrap_or_default();
        format!("{} at line {}", error.message().replace('\n', ", "), before.matches('\n').count() + 1)
    })
}

/// Where the string at `key` of a table stands in `text`, without its quotes.
pub(super) fn string(text: &str, table: &dyn TableLike, key: &str) -> Option<Range<usize>> {
    let item = table.get(key).filter(|item| item.is_str())?;
    unquoted(text, item.span()?)
}

/// What states a version in JSON.
#[derive(Deserialize)]
struct Stated<'a> {
    #[serde(borrow)]
    version: Option<&'a RawValue>,
}

/// The same in the lock file of npm, of which each package is another.
#[derive(Deserialize)]
struct PackageLock<'a> {
    #[serde(borrow)]
    version: Option<&'a RawValue>,
    /// By their directories, from that of the lock file; not there before the second version of the format.
    #[serde(borrow, default)]
    packages: std::collections::BTreeMap<String, Stated<'a>>,
}

/// The string at the key `version` of the outermost object.
fn json(text: &str) -> Result<Vec<Range<usize>>, String> {
    let stated: Stated<'_> = read(text)?;
    Ok(raw(text, stated.version).into_iter().collect())
}

/// Where a lock file of npm states the version of the package in `directory`, and where that is, in words.
///
/// # Errors
/// What is wrong with the text, in words.
pub(super) fn package_lock(text: &str, directory: &str) -> Result<Vec<(String, Range<usize>)>, String> {
    let lock: PackageLock<'_> = read(text)?;
    let own = directory.is_empty().then(|| raw(text, lock.version)).flatten();
    let entry = lock.packages.get(directory).and_then(|stated| raw(text, stated.version));
    let own = own.map(|at| ("the top-level key \"version\"".to_owned(), at));
    Ok(own.into_iter().chain(entry.map(|at| (format!("packages[\"{directory}\"]"), at))).collect())
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| error.to_string())
}

/// Where a value of JSON stands in `text`, if it is a string, without its quotes.
fn raw(text: &str, value: Option<&RawValue>) -> Option<Range<usize>> {
    unquoted(text, within(text, value?.get())?)
}

/// What states a version in YAML.
#[derive(Deserialize)]
struct Chart {
    version: Option<Spanned<String>>,
}

/// The scalar at the key `version` of the outermost mapping.
fn yaml(text: &str) -> Result<Vec<Range<usize>>, String> {
    let options = serde_saphyr::options! { with_snippet: false };
    let chart: Chart = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let said = error.to_string();
        said.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
    })?;
    let found = chart.version.and_then(|version| {
        let span = version.referenced.span();
        let start = usize::try_from(span.byte_offset()?).ok()?;
        let range = start..start + usize::try_from(span.byte_len()?).ok()?;
        text.get(range.clone())?;
        unquoted(text, range.clone()).or_else(|| trimmed(text, range))
    });
    Ok(found.into_iter().collect())
}

/// The texts of `<version>` directly inside the outermost `<project>`.
fn xml(text: &str) -> Result<Vec<Range<usize>>, String> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = roxmltree::Document::parse_with_options(text, options).map_err(|error| error.to_string())?;
    let project = document.root_element();
    let named = |node: &roxmltree::Node<'_, '_>, name| node.tag_name().name() == name;
    let versions = project.children().filter(|node| named(&project, "project") && named(node, "version"));
    let texts = versions.flat_map(|version| {
        // The text of an entity stands where the entity was declared.
        let inside = move |at: &Range<usize>| version.range().start < at.start && at.end < version.range().end;
        version.children().filter(roxmltree::Node::is_text).map(|node| node.range()).filter(inside)
    });
    Ok(texts.filter_map(|at| trimmed(text, at)).collect())
}
