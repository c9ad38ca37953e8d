//! The shape of the code: who may use whom, and what may be used where.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The longest file, in lines.
const LONGEST: usize = 400;

/// A source file: its path from the root of the repository, with `/`, and its text.
struct Source {
    path: String,
    text: String,
}

/// Every `.rs` file under the directories given.
fn sources(directories: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open: Vec<_> = directories.iter().map(|name| root.join(name)).filter(|path| path.is_dir()).collect();
    let mut found = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                found.push(Source { path, text });
            }
        }
    }
    found
}

/// `text` without comments and without what stands in quotes.
fn code(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let at = |i: usize| letters.get(i).copied().unwrap_or('\n');
    let (mut code, mut i) = (String::new(), 0);
    while i < letters.len() {
        let hashes = (i + 1..letters.len()).take_while(|&j| at(j) == '#').count();
        let starts_word = i == 0 || !(at(i - 1).is_alphanumeric() || at(i - 1) == '_') || at(i - 1) == 'b';
        if at(i) == '/' && at(i + 1) == '/' {
            while i < letters.len() && at(i) != '\n' {
                i += 1;
            }
        } else if at(i) == '/' && at(i + 1) == '*' {
            i += 2;
            while i < letters.len() && !(at(i) == '*' && at(i + 1) == '/') {
                i += 1;
            }
            i += 2;
        } else if at(i) == 'r' && starts_word && at(i + 1 + hashes) == '"' {
            i += 2 + hashes;
            while i < letters.len() && !(at(i) == '"' && (1..=hashes).all(|k| at(i + k) == '#')) {
                i += 1;
            }
            i += 1 + hashes;
        } else if at(i) == '"' {
            i += 1;
            while i < letters.len() && at(i) != '"' {
                i += if at(i) == '\\' { 2 } else { 1 };
            }
            i += 1;
        } else if at(i) == '\'' && at(i + 1) == '\\' {
            i += 3;
            while i < letters.len() && at(i) != '\'' {
                i += 1;
            }
            i += 1;
        } else if at(i) == '\'' && at(i + 2) == '\'' {
            i += 3;
        } else {
            code.push(at(i));
            i += 1;
        }
    }
    code
}

/// `code` up to its tests, which stand last.
fn without_tests(code: &str) -> &str {
    code.find("\n#[cfg(test)]\nmod ").map_or(code, |end| &code[..end])
}

/// Where `word` stands in `code` as a whole word: the text after each.
fn after<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    let inside = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    code.match_indices(word).filter_map(move |(start, _)| {
        let rest = &code[start + word.len()..];
        let whole = !inside(code[..start].chars().next_back()) && !inside(rest.chars().next());
        whole.then_some(rest)
    })
}

/// The modules that `rest`, what follows the name of the crate, begins with: one, or those between braces.
fn named(rest: &str) -> Vec<String> {
    let Some(rest) = rest.trim_start().strip_prefix("::") else { return Vec::new() };
    let word =
        |text: &str| -> String { text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let Some(group) = rest.trim_start().strip_prefix('{') else { return vec![word(rest)] };
    let (mut names, mut depth) = (vec![word(group)], 0);
    for (i, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(word(&group[i + 1..])),
            _ => {}
        }
    }
    names.into_iter().filter(|name| !name.is_empty()).collect()
}

/// The modules of `lib.rs` in their order.
fn layers(lib: &str) -> Vec<String> {
    let lib = code(lib);
    let names =
        lib.lines().filter_map(|line| line.trim().strip_prefix("pub mod ")?.strip_suffix(';').map(str::to_owned));
    names.collect()
}

/// The module that the file at `path` belongs to; `None` for `lib.rs`, `main.rs` and what is not in `src`.
fn module(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let name = inside.split('/').next()?.trim_end_matches(".rs");
    (name != "lib" && name != "main").then_some(name)
}

/// Every name that `source` uses from the root of the crate, its tests aside.
fn uses(source: &Source) -> BTreeSet<String> {
    let code = code(&source.text);
    let code = without_tests(&code);
    let mut names: BTreeSet<_> = after(code, "crate").flat_map(named).collect();
    // `super` leads out of a module that is one file or the head of one.
    if source.path.matches('/').count() == 1 || source.path.ends_with("/mod.rs") {
        names.extend(after(code, "super").flat_map(named));
    }
    names
}

/// What is wrong with `source` under `layers`.
fn faults(source: &Source, layers: &[String]) -> Vec<String> {
    let path = &source.path;
    let mut faults = Vec::new();
    let lines = source.text.lines().count();
    if lines > LONGEST {
        faults.push(format!("{path} has {lines} lines: split it, {LONGEST} are one sitting"));
    }
    let all = code(&source.text);
    if after(&all, "unsafe").next().is_some() {
        faults.push(format!("{path} has unsafe code"));
    }
    if !path.starts_with("src/") {
        return faults;
    }
    let own = module(path);
    for (name, home) in
        [("chrono", "clock"), ("console", "terminal"), ("dialoguer", "terminal"), ("indicatif", "terminal")]
    {
        // A module of ours may have the name of a crate.
        let declared =
            [format!("mod {name};"), format!("use super::{name}::{{self")].iter().any(|text| all.contains(text));
        let crates = all.replace(&format!("super::{name}"), "");
        if own != Some(home) && !declared && after(&crates, name).any(|rest| rest.trim_start().starts_with("::")) {
            faults.push(format!("{path} uses {name} outside {home}"));
        }
    }
    let ends = after(&all, "process").flat_map(named).any(|name| name == "exit" || name == "abort");
    if ends && path != "src/main.rs" {
        faults.push(format!("{path} ends the process: only main may"));
    }
    let Some(own) = own else { return faults };
    let place = |name: &str| layers.iter().position(|layer| layer == name);
    let Some(here) = place(own) else {
        faults.push(format!("{path} belongs to no module that lib.rs lists"));
        return faults;
    };
    for name in uses(source) {
        if place(&name).is_some_and(|there| there > here) {
            faults.push(format!("{path} uses {name}, which is listed after {own}"));
        }
    }
    faults
}

#[test]
fn the_code_keeps_its_shape() {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let (layers, sources) = (layers(&lib), sources(&["src", "tests", "benches"]));
    assert!(layers.len() > 10 && sources.len() > layers.len(), "found {layers:?}");
    let faults: Vec<_> = sources.iter().flat_map(|source| faults(source, &layers)).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The faults of one planted file.
fn planted(path: &str, text: &str) -> Vec<String> {
    let layers = layers("pub mod clock;\npub mod git;\npub mod run;\npub mod terminal;\n");
    faults(&Source { path: path.to_owned(), text: text.to_owned() }, &layers)
}

#[test]
fn a_planted_fault_is_found() {
    let bad = [
        ("src/git/mod.rs", "use crate::run::Run;"),
        ("src/git/refs.rs", "fn a(b: crate::run::Run) {}"),
        ("src/git/mod.rs", "use crate::{\n    clock::{Clock, Timestamp},\n    run::{self, Run},\n};"),
        ("src/git.rs", "use super::run;"),
        ("src/git/mod.rs", "const QUOTE: char = '\"'; use crate::run; // \""),
        ("src/orphan.rs", ""),
        ("src/run.rs", "use chrono::Utc;"),
        ("src/run.rs", "fn f() { chrono::Utc::now(); }"),
        ("src/run.rs", "use dialoguer::Confirm;"),
        ("src/run.rs", "use super::console::Look;\nuse console::Term;"),
        ("src/run.rs", "fn f() { console::Term::stderr(); }"),
        ("src/run.rs", "fn f() { std::process::exit(1) }"),
        ("src/lib.rs", "use std::process::{Command, exit};"),
        ("src/run.rs", "fn f() { unsafe {} }"),
        ("tests/a.rs", "unsafe fn f() {}"),
    ];
    for (path, text) in bad {
        assert_eq!(planted(path, text).len(), 1, "{path}: {text}");
    }
    assert_eq!(planted("tests/long.rs", &"\n".repeat(LONGEST + 1)).len(), 1);
}

#[test]
fn what_is_allowed_is_not_a_fault() {
    let good = [
        ("src/run.rs", "use crate::clock::Clock;\nuse crate::run::Run;"),
        (
            "src/git/mod.rs",
            "// crate::run\n/* crate::run */ const A: &str = \"crate::run unsafe\"; const B: &str = r#\"\"crate::run\"#;",
        ),
        ("src/git/mod.rs", "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    use crate::run::Run;\n}\n"),
        ("src/git/refs.rs", "use super::run;"),
        ("src/clock.rs", "use chrono::Utc;"),
        ("src/run/refs.rs", "use super::console::Look;"),
        ("src/run/mod.rs", "mod console;\nfn look(at: console::Look) {}"),
        ("src/terminal/prompt.rs", "use dialoguer::Confirm;"),
        ("src/main.rs", "fn main() { std::process::exit(1) }"),
        ("src/run.rs", "#![forbid(unsafe_code)]\nfn f<'a>(a: &'a str) -> char { 'a' }"),
    ];
    for (path, text) in good {
        assert_eq!(planted(path, text), Vec::<String>::new(), "{path}: {text}");
    }
    assert_eq!(planted("tests/long.rs", &"\n".repeat(LONGEST)).len(), 0);
}
