//! The variables that a command gives.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use serde_json::Value;

use super::command::Capture;
use super::{Context, Stop};

/// The most that is taken for a variable, in bytes.
const LARGEST: usize = 1024 * 1024;

/// The variables that the command gave.
pub(super) fn captured(ctx: &Context<'_>, exit_code: i32) -> Result<std::collections::BTreeMap<String, Value>, Stop> {
    let mut set = std::collections::BTreeMap::new();
    if ctx.settings.capture.is_empty() {
        return Ok(set);
    }
    let written = bounded(&ctx.place.file(".values")).and_then(|text| pairs(&text));
    let written = written.map_err(|why| Stop::failed("output", format!("$HOTFIX_OUTPUT: {why}")))?;
    for (name, from) in &ctx.settings.capture {
        let value = match from {
            Capture::Stdout => {
                let text = bounded(&ctx.place.file(".stdout"));
                let text = text.map_err(|why| Stop::failed("output", format!("standard output: {why}")))?;
                Value::from(text.trim_end_matches(['\n', '\r']))
            }
            Capture::ExitCode => exit_code.into(),
            Capture::Output => written.get(name).map_or(Value::Null, |text| text.clone().into()),
        };
        set.insert(name.clone(), value);
    }
    Ok(set)
}

/// What a command that did not succeed had given by then, of what the step captures. It becomes no variable: it tells people, and
/// the step's own undo, how far it came. A last line without an end is left out: it may be half of one.
#[must_use]
pub fn given_so_far(
    files: &Path,
    capture: &std::collections::BTreeMap<String, Capture>,
) -> std::collections::BTreeMap<String, String> {
    let text = bounded(&crate::process::beside(files, super::run::VALUES)).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    let mut given = pairs(whole).unwrap_or_default();
    given.retain(|name, value| capture.get(name) == Some(&Capture::Output) && !value.is_empty());
    given
}

/// What was given, in words; nothing where nothing was.
pub fn in_words<'a>(given: impl IntoIterator<Item = (&'a String, String)>) -> String {
    given.into_iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(", ")
}

fn bounded(path: &Path) -> Result<String, String> {
    let bytes = read(path).map_err(|error| error.to_string())?;
    if bytes.len() > LARGEST {
        return Err("it is more than the 1 MiB that a variable may have".to_owned());
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads lines of `KEY=VALUE`, and `KEY<<EOF` with the value on the lines up to `EOF`. The form is that of the file behind
/// [`$GITHUB_OUTPUT`](https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands).
fn pairs(text: &str) -> Result<std::collections::BTreeMap<String, String>, String> {
    let mut found = std::collections::BTreeMap::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let here = |what: &str| format!("line {}: {what}", number + 1);
        if line.trim().is_empty() {
            continue;
        }
        let (equals, heredoc) = (line.find('='), line.find("<<"));
        match (equals, heredoc) {
            (equals, Some(at)) if equals.is_none_or(|equals| at < equals) => {
                let (name, end) = (line[..at].trim(), line[at + 2..].trim());
                let mut value = Vec::new();
                loop {
                    match lines.next() {
                        Some((_, line)) if line == end => break,
                        Some((_, line)) => value.push(line),
                        None => return Err(here(&format!("there is no line `{end}` behind it"))),
                    }
                }
                found.insert(name.to_owned(), value.join("\n"));
            }
            (Some(at), _) => _ = found.insert(line[..at].trim().to_owned(), line[at + 1..].to_owned()),
            (None, _) => return Err(here("it is neither KEY=VALUE nor KEY<<EOF")),
        }
    }
    Ok(found)
}

/// Takes the secrets out of what the command wrote by itself, where no supervisor stood between.
///
/// Of what is too much for a variable only so much is kept that it stays too much.
pub(super) fn conceal(ctx: &Context<'_>) -> io::Result<()> {
    let path = ctx.place.file(".values");
    let written = match read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        written => written?,
    };
    let masked = if written.len() > LARGEST {
        // A secret that is cut off by the end is not a whole one: it is held back, and never asked for.
        let mut masked = ctx.world.masker.stream().push(&written);
        masked.resize(LARGEST + 1, b'\n');
        masked
    } else {
        ctx.world.masker.bytes(&written)
    };
    if masked == written {
        return Ok(());
    }
    fs::write(&path, masked)
}

/// The beginning of the file at `path`: all of it, or more than [`LARGEST`].
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(LARGEST as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::pairs;

    #[test]
    fn output_files_have_lines_and_blocks() {
        let read = pairs("a=1\n\nb<<END\nx=y\nz\nEND\nc=p<<q\n");
        let read = read.unwrap_or_default();
        let of = |name: &str| read.get(name).map(String::as_str);
        assert_eq!((of("a"), of("b"), of("c")), (Some("1"), Some("x=y\nz"), Some("p<<q")));
        assert!(pairs("b<<END\nx\n").is_err_and(|why| why.contains("line 1")));
        assert!(pairs("a=1\nnonsense\n").is_err_and(|why| why.contains("line 2")));
    }
}
