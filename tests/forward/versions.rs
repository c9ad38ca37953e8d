//! The version in every file that states it, the lock files of cargo and npm included, held against those two themselves.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use hotfix::event::Event;
use serde_json::{Value, json};

use super::fixture::{Project, Setup, steps};

const BUMP: &str = "{id: bump, git: {bump: '{{ version }}'}}";
const AGAIN: &str = "{id: again, git: {bump: '{{ version }}'}}";

/// A project whose two steps set the version in these files, some of which it has.
fn project(version_files: &str, files: &[(&str, &str)]) -> Setup {
    let project = steps(&[BUMP, AGAIN]).top(&format!("version_files: [{version_files}]"));
    files.iter().fold(project, |project, (name, text)| project.file(name, text))
}

/// What the step `key` recorded.
#[track_caller]
fn recorded(project: &Project, key: &str) -> Value {
    let of = |event| match event {
        Event::StepDone { step, result, .. } if step == key => Some(result),
        _ => None,
    };
    project.events().into_iter().find_map(of).unwrap().into()
}

fn text(project: &Project, name: &str) -> String {
    fs::read_to_string(project.path("work").join(name)).unwrap()
}

/// The files that differ from the last commit, with a line added and removed for each place.
fn changed(project: &Project) -> String {
    project.git("work", "diff --numstat").replace('\t', " ")
}

/// What the cargo that built this says in `dir`, which it must be content with.
#[track_caller]
fn cargo(project: &Project, dir: &str, words: &str) -> String {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(project.path("work").join(dir)).args(words.split(' ')).stdin(Stdio::null());
    let ended = command.env_remove("CARGO_TARGET_DIR").output().unwrap();
    assert!(ended.status.success(), "cargo {words}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap()
}

/// A repository with these crates and the lock file that cargo makes for them in each of `roots`.
fn crates(version_files: &str, files: &[(&str, &str)], roots: &[&str]) -> Project {
    let project = project(version_files, files).open();
    for (name, _) in files {
        let sources = project.path("work").join(name).parent().unwrap().join("src");
        fs::create_dir_all(&sources).unwrap();
        fs::write(sources.join("lib.rs"), "").unwrap();
    }
    roots.iter().for_each(|root| drop(cargo(&project, root, "generate-lockfile --offline")));
    tagged(project)
}

/// With all that is in the work tree committed, under the tag.
fn tagged(project: Project) -> Project {
    for words in ["add .", "commit -q -m lock", "tag -f -a -m release v1.2.3", "push -q -f origin main v1.2.3"] {
        project.git("work", words);
    }
    project
}

/// That cargo takes the lock file in `root` as it is, and would make the same again.
#[track_caller]
fn locked(project: &Project, root: &str) {
    cargo(project, root, "metadata --locked --offline --format-version 1");
    let lock = Path::new(root).join("Cargo.lock").display().to_string();
    let left = text(project, &lock);
    cargo(project, root, "generate-lockfile --offline");
    assert_eq!(text(project, &lock), left);
}

/// Sets the version, which must change `files` and, when done again, none.
#[track_caller]
fn bump(project: &Project, files: &[&str]) {
    let said = project.start("").exits(0).said;
    for ending in ["", " already"] {
        for file in files {
            assert!(said.contains(&format!("{file}: 1.2.4{ending}\n")), "{file}{ending}: {said}");
        }
    }
    for step in ["s/bump", "s/again"] {
        assert_eq!(recorded(project, step), json!({ "files": files }));
    }
}

#[test]
fn a_crate_and_its_entry_in_the_lock_file_go_together() {
    let files = [
        (
            "Cargo.toml",
            "[package]\nname = \"app\"\nversion = \"1.2.3\"\n[workspace]\nexclude = [\"old\"]\n[dependencies]\nold = { package = \"app\", path = \"old\" }\nz = { path = \"z\" }\n",
        ),
        ("old/Cargo.toml", "[package]\nname = \"app\"\nversion = \"0.9.0\"\n"),
        ("z/Cargo.toml", "[package]\nname = \"z\"\nversion = \"1.2.3\"\n[dev-dependencies]\napp = { path = \"..\" }\n"),
    ];
    let project = crates("Cargo.toml", &files, &["."]);
    let lock = text(&project, "Cargo.lock");
    assert!(lock.contains("\"app 1.2.3\""), "a name that two packages have takes the version: {lock}");
    bump(&project, &["Cargo.toml", "Cargo.lock"]);
    assert_eq!(changed(&project), "2 2 Cargo.lock\n1 1 Cargo.toml");
    locked(&project, ".");
}

#[test]
fn whoever_inherits_the_version_of_the_workspace_follows_in_its_lock_file() {
    let inherits = |name: &str| format!("[package]\nname = \"{name}\"\nversion.workspace = true\n");
    let states = |name: &str| format!("[package]\nname = \"{name}\"\nversion = \"1.2.3\"\n");
    let root =
        "[workspace]\nmembers = [\"crates/*\"]\nexclude = [\"apart\"]\n[workspace.package]\nversion = \"1.2.3\"\n";
    let apart = format!("{}[workspace]\npackage.version = \"1.2.3\"\n", inherits("own"));
    let files = [
        ("Cargo.toml", root.to_owned() + &inherits("root") + "[dependencies]\ndeep.path = \"deep/er\"\n"),
        ("crates/a/Cargo.toml", inherits("a") + "[dependencies]\nb.path = \"../b\"\n"),
        ("crates/b/Cargo.toml", inherits("b")),
        ("crates/own/Cargo.toml", states("own")),
        ("deep/er/Cargo.toml", inherits("deep")),
        ("apart/Cargo.toml", apart),
        ("crates/a/tests/broken/Cargo.toml", "<<<<<<< HEAD\n".to_owned()),
    ];
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let project = crates("Cargo.toml", &files, &[".", "apart"]);
    bump(&project, &["Cargo.toml", "Cargo.lock"]);
    assert_eq!(changed(&project), "4 4 Cargo.lock\n1 1 Cargo.toml", "root, a, b and deep, and not own");
    locked(&project, ".");
    locked(&project, "apart");
}

#[test]
fn members_of_a_workspace_share_the_lock_file_above_and_others_have_their_own() {
    let states = |name: &str| format!("[package]\nname = \"{name}\"\nversion = \"1.2.3\"\n");
    let [a, b, apart] = ["a", "b", "apart"].map(states);
    let root = "[workspace]\nmembers = [\"a\", \"b\"]\nexclude = [\"apart\"]\n";
    let files = [("Cargo.toml", root), ("a/Cargo.toml", &a), ("b/Cargo.toml", &b), ("apart/Cargo.toml", &apart)];
    let project = crates("a/Cargo.toml, apart/Cargo.toml, b/Cargo.toml", &files, &[".", "apart"]);
    let all = ["a/Cargo.toml", "Cargo.lock", "apart/Cargo.toml", "apart/Cargo.lock", "b/Cargo.toml"];
    bump(&project, &all);
    assert_eq!(
        changed(&project),
        "2 2 Cargo.lock\n1 1 a/Cargo.toml\n1 1 apart/Cargo.lock\n1 1 apart/Cargo.toml\n1 1 b/Cargo.toml"
    );
    locked(&project, ".");
    locked(&project, "apart");
}

#[test]
fn a_lock_file_that_leaves_it_open_or_states_another_version_is_refused_before_anything_is_written() {
    let manifest = "[package]\nname = \"app\"\nversion = \"1.2.3\"\n";
    let entry = |version: &str, more: &str| format!("[[package]]\nname = \"app\"\nversion = \"{version}\"\n{more}\n");
    let registry = |version: &str| entry(version, "source = \"registry+https://example.com\"");
    let package = "{\"version\": \"1.2.3\"}";
    let cases = [
        ("Cargo.lock", entry("1.2.2", ""), "`Cargo.lock` states version `1.2.2` at the package `app`, not `1.2.3`"),
        (
            "Cargo.lock",
            entry("1.2.3", "") + &registry("1.2.4"),
            "`Cargo.lock` cannot be edited safely: it has another package `app`",
        ),
        (
            "Cargo.lock",
            entry("1.2.2", "") + &registry("1.2.3"),
            "`Cargo.lock` cannot be edited safely: it has another package `app`",
        ),
        ("Cargo.lock", "<<<<<<< HEAD\n".to_owned(), "`Cargo.lock` cannot be edited safely"),
        ("package-lock.json", "{\"version\": \"1.0.0\"}".to_owned(), "`package-lock.json` states version `1.0.0`"),
        (
            "npm-shrinkwrap.json",
            "{\"version\": \"1.2.3\", \"packages\": {\"\": {\"version\": \"1.2.2\"}}}".to_owned(),
            "`npm-shrinkwrap.json` states version `1.2.2` at packages[\"\"], not `1.2.3`",
        ),
        ("package-lock.json", "{".to_owned(), "`package-lock.json` cannot be edited safely"),
    ];
    for (name, lock, message) in cases {
        let files =
            [("VERSION", "1.2.3\n"), ("Cargo.toml", manifest), ("package.json", package), (name, lock.as_str())];
        let project = project("VERSION, Cargo.toml, package.json", &files).open();
        project.start("").exits(5).says(&[message]);
        project.tells("s/bump", &["started", "failed version"]);
        assert_eq!(project.git("work", "status --porcelain"), "", "{message}");
    }
}

#[test]
fn a_bump_that_was_cut_between_two_files_is_completed() {
    let lock = "{\n  \"version\": \"1.2.3\",\n  \"packages\": {\"\": {\"version\": \"1.2.3\"}, \"node_modules/x\": {\"version\": \"1.2.3\"}}\n}\n";
    let files = [("VERSION", "v1.2.3\r\n"), ("package.json", "{\"version\": \"1.2.3\"}"), ("package-lock.json", lock)];
    let cut = "{id: cut, run: 'echo v1.2.4 > VERSION; echo {\\\"version\\\":\\\"1.2.4\\\"} > package.json; \
               echo half > .package-lock.json.hotfix'}";
    let setup = steps(&[cut, BUMP]).top("version_files: [VERSION, VERSION, package.json]");
    let project = files.iter().fold(setup, |setup, (name, text)| setup.file(name, text)).open();
    let said = ["VERSION: 1.2.4 already", "package.json: 1.2.4 already", "package-lock.json: 1.2.4\n"];
    project.start("").exits(0).says(&said);
    assert_eq!(recorded(&project, "s/bump"), json!({"files": ["VERSION", "package.json", "package-lock.json"]}));
    assert_eq!(text(&project, "package-lock.json"), lock.replacen("1.2.3", "1.2.4", 2));
    let status = project.git("work", "status --porcelain");
    assert!(!status.contains("??"), "what a process left that was killed while it wrote is gone: {status}");
}

/// What npm does in `dir`, without asking anybody.
#[track_caller]
fn npm(project: &Project, dir: &Path, words: &str) {
    let mut command = project.command("npm", ".");
    command.current_dir(dir).args(words.split(' ')).args(["--offline", "--ignore-scripts", "--no-update-notifier"]);
    let ended = command.output().unwrap();
    assert!(ended.status.success(), "npm {words}: {}", String::from_utf8_lossy(&ended.stderr));
}

/// That the version is set in `version_file` and `lock`, and that `words` have npm write the same bytes.
fn as_npm(files: &[(&str, &str)], version_file: &str, lock: &str, format: u8, words: &str) {
    let project = project(version_file, files).open();
    npm(&project, &project.path("work"), &format!("install --package-lock-only --lockfile-version {format}"));
    if lock != "package-lock.json" {
        fs::rename(project.path("work/package-lock.json"), project.path("work").join(lock)).unwrap();
    }
    let project = tagged(project);
    project.git(".", "clone -q remote.git npm");
    npm(&project, &project.path("npm"), words);
    bump(&project, &[version_file, lock]);
    for name in files.iter().map(|(name, _)| *name).chain([lock]) {
        let theirs = fs::read_to_string(project.path("npm").join(name)).unwrap();
        assert_eq!(text(&project, name), theirs, "{name}, format {format}");
    }
}

#[test]
fn the_files_are_those_that_npm_would_have_written() {
    if Command::new("npm").arg("--version").output().is_err() {
        writeln!(io::stderr(), "\n!!!!!!!! SKIPPED: npm is not there to compare with !!!!!!!!").unwrap();
        return;
    }
    let version = "version 1.2.4 --no-git-tag-version";
    let alone = [("package.json", "{\n  \"name\": \"app\",\n  \"version\": \"1.2.3\"\n}\n")];
    for format in [1, 2, 3] {
        as_npm(&alone, "package.json", "package-lock.json", format, version);
    }
    as_npm(&alone, "package.json", "npm-shrinkwrap.json", 2, version);
    let root = "{\n  \"name\": \"app\",\n  \"version\": \"1.2.3\",\n  \"workspaces\": [\n    \"packages/*\"\n  ]\n}\n";
    let member = "{\n  \"name\": \"a\",\n  \"version\": \"1.2.3\"\n}\n";
    let files = [("package.json", root), ("packages/a/package.json", member)];
    as_npm(&files, "packages/a/package.json", "package-lock.json", 3, &format!("{version} --workspace a"));
}
