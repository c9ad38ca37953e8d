//! Where a file of a known name states its version.

use std::ops::Range;

/// Where versions belong in the file `name`, in words, and every place in `text` that has one; `None` for an unknown name.
pub(super) fn places(name: &str, text: &str) -> Option<(&'static str, Vec<Range<usize>>)> {
    Some(match name {
        "VERSION" => ("its only line", whole(text)),
        "package.json" => ("the top-level key \"version\"", json(text)),
        "Cargo.toml" => ("`version` in [package]", toml(text, &["package", "workspace.package"])),
        "pyproject.toml" => ("`version` in [project]", toml(text, &["project", "tool.poetry"])),
        "Chart.yaml" => ("the top-level key `version`", lines(text, ':', Quotes::Removed)),
        "gradle.properties" => ("the key `version`", lines(text, '=', Quotes::Kept)),
        "pom.xml" => ("<project><version>", xml(text)),
        _ => return None,
    })
}

/// Whether quotes around a value belong to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    Kept,
    Removed,
}

/// The part of `text` at `range` without the white space around it; nothing where nothing is left.
fn trimmed(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    let end = start + part.trim().len();
    (start < end).then_some(start..end)
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

/// The values of `version` at the start of a line, after `sign`.
fn lines(text: &str, sign: char, quotes: Quotes) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (start, line) in numbered(text) {
        let Some(value) = line.strip_prefix("version").map(str::trim_start).and_then(|rest| rest.strip_prefix(sign))
        else {
            continue;
        };
        let from = start + line.len() - value.len();
        found.extend(match quotes {
            Quotes::Kept => trimmed(text, from..start + line.len()),
            Quotes::Removed => unquoted(text, from, value),
        });
    }
    found
}

/// The value at the start of `value`, which stands at `from`: without its quotes, or up to a comment.
fn unquoted(text: &str, from: usize, value: &str) -> Option<Range<usize>> {
    let body = value.trim_start();
    let start = from + value.len() - body.len();
    match body.chars().next()? {
        quote @ ('"' | '\'') => {
            let length = body[1..].find(quote)?;
            (length > 0 && !body.starts_with("\"\"\"")).then_some(start + 1..start + 1 + length)
        }
        _ => trimmed(text, start..start + body.find(" #").unwrap_or(body.len())),
    }
}

/// The strings at `version` in the tables `tables`. Text inside multi-line strings is passed over.
fn toml(text: &str, tables: &[&str]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut inside = false;
    let mut string: Option<&str> = None;
    for (start, line) in numbered(text) {
        if let Some(mark) = string {
            if line.contains(mark) {
                string = None;
            }
            continue;
        }
        string = ["\"\"\"", "'''"].into_iter().find(|mark| line.matches(mark).count() % 2 == 1);
        let bare = line.trim();
        if let Some(header) = bare.strip_prefix('[') {
            let header = header.split(']').next().unwrap_or_default().trim();
            inside = tables.contains(&header);
        } else if inside
            && let Some(rest) = bare.strip_prefix("version")
            && let Some(value) = rest.trim_start().strip_prefix('=')
            && value.trim_start().starts_with(['"', '\''])
        {
            let from = start + line.trim_end().len() - value.len();
            found.extend(unquoted(text, from, value));
        }
    }
    found
}

/// The strings at the key `version` of the outermost object.
fn json(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut depth, mut at) = (0_usize, 0);
    let mut key: Option<Range<usize>> = None;
    let mut value_next = false;
    while let Some(&byte) = text.as_bytes().get(at) {
        match byte {
            b'"' => {
                let end = json_string_end(text, at + 1);
                let string = at + 1..end;
                if value_next && depth == 1 && key.as_ref().is_some_and(|key| &text[key.clone()] == "version") {
                    found.push(string);
                } else if !value_next {
                    key = Some(string);
                }
                at = end;
            }
            b'{' | b'[' => {
                depth += 1;
                value_next = byte == b'[';
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b':' => value_next = true,
            b',' => value_next = false,
            _ => {}
        }
        at += 1;
    }
    found
}

/// Where the string that starts at `at` ends: at its closing quote, or at the end of the text.
fn json_string_end(text: &str, mut at: usize) -> usize {
    let bytes = text.as_bytes();
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The texts of `<version>` directly inside the outermost `<project>`.
fn xml(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut path: Vec<&str> = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find('<').map(|offset| at + offset) {
        let rest = &text[open..];
        let skipped = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"), ("<!", ">")]
            .into_iter()
            .find(|(start, _)| rest.starts_with(start));
        let end = skipped.map_or(">", |(_, end)| end);
        let Some(close) = rest.find(end).map(|offset| open + offset + end.len()) else { return found };
        let tag = &text[open + 1..close - 1];
        if skipped.is_some() {
        } else if tag.starts_with('/') {
            if path == ["project", "version"] {
                found.extend(trimmed(text, at..open));
            }
            path.pop();
        } else if !tag.ends_with('/') {
            path.push(tag.split_whitespace().next().unwrap_or_default());
        }
        at = close;
    }
    found
}
