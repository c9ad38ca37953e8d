//! The version in the lock file of uv, held against uv itself where it is there.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use super::fixture::{Project, steps};

const BUMP: &str = "{id: bump, git: {bump: '{{ version }}'}}";
const ROOT: &str = "[project]\nname = \"My_App\"\nversion = \"1.2.3\"\nrequires-python = \">=3.9\"\ndependencies = [\"a\", \"other\"]\n\
                    [tool.uv.sources]\na = { workspace = true }\nother = { path = \"other\" }\n[tool.uv.workspace]\nmembers = [\"packages/*\"]\n";
const LOCK: &str = r#"version = 1
revision = 3
requires-python = ">=3.9"

[manifest]
members = [
    "a",
    "my-app",
]

[[package]]
name = "a"
version = "1.2.3"
source = { editable = "packages/a" }

[[package]]
name = "a"
version = "1.2.3"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "my-app"
version = "1.2.3"
source = { virtual = "." }
dependencies = [
    { name = "a", version = "1.2.3", source = { editable = "packages/a" } },
    { name = "other" },
]

[package.optional-dependencies]
more = [
    { name = "a", version = "1.2.3", source = { registry = "https://pypi.org/simple" } },
]

[package.dev-dependencies]
dev = [
    { name = "a", version = "1.2.3", source = { editable = "packages/a" } },
]

[package.metadata]
requires-dist = [
    { name = "a", editable = "packages/a" },
    { name = "other", directory = "other" },
]

[[package]]
name = "other"
version = "1.2.3"
source = { directory = "other" }
"#;

fn member(name: &str) -> String {
    format!(
        "[project]\nname = \"{name}\"\nversion = \"1.2.3\"\nrequires-python = \">=3.9\"\n\
         [build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n"
    )
}

/// A workspace of two and a package beside it, of which these set their version.
fn project(version_files: &str, lock: &str) -> Project {
    let project = steps(&[BUMP]).top(&format!("version_files: [{version_files}]")).file("pyproject.toml", ROOT);
    let project = project.file("packages/a/pyproject.toml", &member("a"));
    project.file("other/pyproject.toml", &member("other")).file("uv.lock", lock).open()
}

fn lock(project: &Project) -> String {
    fs::read_to_string(project.path("work/uv.lock")).unwrap()
}

#[test]
fn the_entry_of_the_manifest_s_own_directory_goes_with_it_and_no_other() {
    let own = project("pyproject.toml", LOCK);
    own.start("").exits(0).says(&["pyproject.toml: 1.2.4\n", "uv.lock: 1.2.4\n"]);
    let entry = |version: &str| format!("name = \"my-app\"\nversion = \"{version}\"");
    assert_eq!(lock(&own), LOCK.replace(&entry("1.2.3"), &entry("1.2.4")));
    let member = project("packages/a/pyproject.toml", LOCK);
    member.start("").exits(0).says(&["packages/a/pyproject.toml: 1.2.4\n", "uv.lock: 1.2.4\n"]);
    let expected = LOCK
        .replace("version = \"1.2.3\"\nsource = { editable", "version = \"1.2.4\"\nsource = { editable")
        .replace("version = \"1.2.3\", source = { editable", "version = \"1.2.4\", source = { editable");
    assert_eq!(expected.matches("1.2.4").count(), 3);
    assert_eq!(lock(&member), expected);
}

#[test]
fn one_that_states_another_version_or_is_no_toml_is_refused_and_one_without_the_package_is_left() {
    let entry = "name = \"my-app\"\nversion = \"1.2.3\"";
    for (text, said) in [
        (LOCK.replace(entry, "name = \"my-app\"\nversion = \"1.2.2\""), "`uv.lock` states version `1.2.2`"),
        (LOCK.replace(entry, "<<<<<<< HEAD"), "`uv.lock` cannot be edited safely"),
    ] {
        let project = project("pyproject.toml", &text);
        project.start("").exits(5).says(&[said]);
        assert_eq!(project.git("work", "status --porcelain"), "", "{said}");
    }
    for text in [LOCK.replace("virtual = \".\"", "virtual = \"elsewhere\""), LOCK.replace(entry, "name = \"my-app\"")] {
        let project = project("pyproject.toml", &text);
        project.start("").exits(0).keeps(&["uv.lock:"]);
        assert_eq!(lock(&project), text);
    }
}

/// What uv does to the lock file in `dir`; `None` where there is no uv.
fn uv(project: &Project, dir: &Path, more: &[&str]) -> Option<String> {
    let mut command = project.command("uv", ".");
    command.current_dir(dir).args(["lock", "--offline", "--quiet", "--no-config", "--no-python-downloads"]);
    let ended = command.args(more).output().ok()?;
    assert!(ended.status.success(), "uv lock: {}", String::from_utf8_lossy(&ended.stderr));
    Some(fs::read_to_string(dir.join("uv.lock")).unwrap())
}

#[test]
fn the_lock_file_is_the_one_that_uv_would_have_written() {
    let project = project("pyproject.toml, packages/a/pyproject.toml", "version = 1\nrequires-python = \">=3.9\"\n");
    let work = project.path("work");
    if uv(&project, &work, &[]).is_none() {
        writeln!(io::stderr(), "\n!!!!!!!! SKIPPED: uv is not there to compare with !!!!!!!!").unwrap();
        return;
    }
    for words in ["add .", "commit -q -m lock", "tag -f -a -m release v1.2.3", "push -q -f origin main v1.2.3"] {
        project.git("work", words);
    }
    project.start("").exits(0).says(&["uv.lock: 1.2.4\n"]);
    let ours = lock(&project);
    assert_eq!(ours.matches("1.2.4").count(), 2, "{ours}");
    uv(&project, &work, &["--check"]);
    fs::remove_file(work.join("uv.lock")).unwrap();
    assert_eq!(uv(&project, &work, &[]), Some(ours));
}
