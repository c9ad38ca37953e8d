//! Files that state a version, edited in place: the version's own bytes change and no other.
//!
//! A parser that writes a file back loses its comments, its line ends or its byte order mark. So each format has a parser here
//! that says where the value stands, and nothing more; a file that it cannot be sure of is refused. The lock files that state
//! the same version go with their manifests. All files are read and checked before the first is written.

use std::fs;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use find::places;
use locks::Question;

mod find;
mod locks;

/// What an edit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// The file stated the old version and now states the new one.
    Changed,
    /// The file stated the new version already.
    Already,
}

/// Why a file was left as it is.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name is none of the known ones.
    #[error("`{0}` is no version file that is known; known are {known}", known = KNOWN.join(", "))]
    Unknown(String),
    /// There is no version where one belongs.
    #[error("`{file}` states no version at {place}; edit it by hand, or take it out of version_files")]
    NotFound {
        /// The file's name.
        file: String,
        /// Where it was looked for.
        place: &'static str,
    },
    /// There is more than one.
    #[error("`{file}` states a version {count} times at {place}; leave one, or edit it by hand")]
    Ambiguous {
        /// The file's name.
        file: String,
        /// Where they were found.
        place: &'static str,
        /// How many there are.
        count: usize,
    },
    /// The version found is neither the old one nor the new one.
    #[error("`{file}` states version `{found}` at {place}, not `{old}`; set it to `{old}` or `{new}` by hand")]
    OtherVersion {
        /// The file's name.
        file: String,
        /// Where it states it.
        place: String,
        /// What it states.
        found: String,
        /// What was expected.
        old: String,
        /// What it was to become.
        new: String,
    },
    /// The file is not of its format, or leaves it open what would have to change.
    #[error("`{file}` cannot be edited safely: {why}; mend it, or set the version by hand")]
    Unsure {
        /// The file's name.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// The file cannot be read or written.
    #[error("`{}` cannot be read or written as UTF-8 text", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The names of the files that can be edited.
pub const KNOWN: [&str; 7] =
    ["VERSION", "package.json", "Cargo.toml", "pyproject.toml", "Chart.yaml", "gradle.properties", "pom.xml"];

/// One place of a file where the version stands.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Slot {
    /// Which one it is, in words.
    place: String,
    /// Its bytes.
    at: Range<usize>,
}

/// A file that is to state the new version.
#[derive(Debug)]
pub struct Planned {
    /// Its path from the top of the work tree.
    pub name: String,
    /// Where it is, without symbolic links.
    real: PathBuf,
    /// What it is to hold; nothing where it states the new version already.
    edited: Option<String>,
}

impl Planned {
    /// Writes the file, as a new one that takes its place whole. One that states the new version already is left alone, so that
    /// a repeated step changes nothing.
    ///
    /// # Why
    /// The new file has a name of its own while it is written. Whoever is killed then leaves it behind, and does away with it
    /// when the step is repeated, so that no commit asks about it.
    ///
    /// # Errors
    /// [`Error::Io`]; the file is then as it was.
    pub fn write(&self) -> Result<Edit, Error> {
        let failed = |source| Error::Io { path: self.real.clone(), source };
        let Some(edited) = &self.edited else { return Ok(Edit::Already) };
        let directory = self.real.parent().unwrap_or(Path::new("."));
        let name = format!(".{}.hotfix", self.real.file_name().unwrap_or_default().to_string_lossy());
        match fs::remove_file(directory.join(&name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let mut file = tempfile::Builder::new().prefix(&name).rand_bytes(0).tempfile_in(directory).map_err(failed)?;
        file.write_all(edited.as_bytes()).map_err(failed)?;
        let permissions = fs::metadata(&self.real).map_err(failed)?.permissions();
        file.as_file().set_permissions(permissions).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&self.real).map_err(|error| failed(error.error))?;
        Ok(Edit::Changed)
    }
}

/// Everything that takes the version from `old` to `new` in the files `names`, paths from `top`, and in the lock files that
/// belong to them. Nothing is written.
///
/// # Errors
/// Each case of [`Error`], for the first file that has one.
pub fn plan(top: &Path, names: &[String], old: &str, new: &str) -> Result<Vec<Planned>, Error> {
    let top = canonical(top)?;
    let mut sheets: Vec<Sheet> = Vec::new();
    for name in names {
        let path = top.join(name);
        let real = canonical(&path)?;
        let text = read(&real).map_err(|source| Error::Io { path: real.clone(), source })?;
        let kind = path.file_name().unwrap_or_default().to_string_lossy();
        let slot = slot(&kind, name, &text)?;
        let directory = canonical(path.parent().unwrap_or(&top))?;
        let locks = Question { directory: &directory, text: &text, top: &top, old, new }.locks(&kind)?;
        add(&mut sheets, Sheet { name: name.clone(), real, text, slots: vec![slot] });
        for lock in locks {
            let real = canonical(&lock.path)?;
            add(&mut sheets, Sheet { name: named(&lock.path, &top), real, text: lock.text, slots: lock.slots });
        }
    }
    sheets.into_iter().map(|sheet| sheet.planned(old, new)).collect()
}

/// A file with all places where the version stands.
struct Sheet {
    name: String,
    real: PathBuf,
    text: String,
    slots: Vec<Slot>,
}

/// Puts a file to the others, or its places to those that are known of it.
fn add(sheets: &mut Vec<Sheet>, sheet: Sheet) {
    match sheets.iter_mut().find(|known| known.real == sheet.real) {
        Some(known) => known.slots.extend(sheet.slots),
        None => sheets.push(sheet),
    }
}

impl Sheet {
    fn planned(self, old: &str, new: &str) -> Result<Planned, Error> {
        let edited = edited(&self.name, &self.text, self.slots, (old, new))?;
        Ok(Planned { name: self.name, real: self.real, edited })
    }
}

/// `text` with the version in each of `slots`; `None` where each has it already.
fn edited(name: &str, text: &str, mut slots: Vec<Slot>, (old, new): (&str, &str)) -> Result<Option<String>, Error> {
    slots.sort_by_key(|slot| slot.at.start);
    slots.dedup_by_key(|slot| slot.at.start);
    let (mut edited, mut done) = (String::with_capacity(text.len()), 0);
    for Slot { place, at } in slots {
        let found = &text[at.clone()];
        if found != old && found != new {
            let [file, found, old, new] = [name, found, old, new].map(str::to_owned);
            return Err(Error::OtherVersion { file, place, found, old, new });
        }
        edited += &text[done..at.start];
        edited += new;
        done = at.end;
    }
    edited += &text[done..];
    Ok((edited != text).then_some(edited))
}

/// Where the one version of the file `name`, of this kind, stands in its `text`.
fn slot(kind: &str, name: &str, text: &str) -> Result<Slot, Error> {
    let file = name.to_owned();
    let Some(places) = places(kind, text) else { return Err(Error::Unknown(file)) };
    let (place, mut found) = places.map_err(|why| Error::Unsure { file: file.clone(), why })?;
    match (found.pop(), found.len()) {
        (Some(at), 0) => Ok(Slot { place: place.to_owned(), at }),
        (None, _) => Err(Error::NotFound { file, place }),
        (Some(_), more) => Err(Error::Ambiguous { file, place, count: more + 1 }),
    }
}

/// The path from `top`, or the whole one where it is not below.
fn named(path: &Path, top: &Path) -> String {
    path.strip_prefix(top).unwrap_or(path).display().to_string()
}

fn read(path: &Path) -> io::Result<String> {
    fs::read_to_string(path)
}

fn canonical(path: &Path) -> Result<PathBuf, Error> {
    fs::canonicalize(path).map_err(|source| Error::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use std::path::Path;

    use super::{Edit, Error, edited, plan, slot};

    /// The text of the file `name` with `new` in the place of `old`; `None` where it has `new` already.
    fn replaced(name: &str, text: &str, old: &str, new: &str) -> Result<Option<String>, Error> {
        edited(name, text, vec![slot(name, name, text)?], (old, new))
    }

    fn set(path: &Path, old: &str, new: &str) -> Result<Edit, Error> {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        plan(path.parent().unwrap(), &[name], old, new)?.remove(0).write()
    }

    const SAMPLES: [(&str, &str); 25] = [
        ("VERSION", "\u{feff}1.2.3"),
        ("VERSION", "v1.2.3\r\n"),
        (
            "package.json",
            "{\"a\": {\"version\": \"1.2.3\"},\r\n\t\"b\": [\"version\", \"1.2.3\"], \"version\" : \"1.2.3\"}",
        ),
        ("package.json", "\u{feff}{\"name\":\"version\",\"v\\\"ersion\":\"1.2.3\",\"version\":\"1.2.3\"}\n"),
        ("Cargo.toml", "[dependencies]\nversion = \"1.2.3\"\n[package] # 1.2.3\r\nversion= '1.2.3' # 1.2.3\r\n"),
        ("Cargo.toml", "[package]\ndescription = \"\"\"\nversion = \"9.9.9\"\n\"\"\"\nversion=\"1.2.3\""),
        ("pyproject.toml", "[project]\nname = \"1.2.3\"\nversion = \"1.2.3\"\n[tool.x]\nversion = \"1.2.3\"\n"),
        ("Chart.yaml", "apiVersion: v2\nversion: 1.2.3 # 1.2.3\nappVersion: 1.2.3\ndeps:\n  - version: 1.2.3\n"),
        ("Chart.yaml", "version: \"1.2.3\"\r\n"),
        ("gradle.properties", "org.version=1.2.3\nversion = 1.2.3\nversionCode=1.2.3"),
        (
            "pom.xml",
            "<?xml version=\"1.0\"?>\n<project x=\"y\"><parent><version>1.2.3</version></parent>\n<version>1.2.3</version></project>",
        ),
        ("pom.xml", "<project><!-- <version>1.2.3</version> --><a/><version> 1.2.3\r\n</version></project>"),
        ("package.json", "{\"versio\\u006e\": \"1.2.3\", \"é\": {\"version\": \"1.2.3\"}}"),
        ("Cargo.toml", "\u{feff}# é\r\npackage.version = \"1.2.3\"\r\npackage.name = \"1.2.3\""),
        ("Cargo.toml", "package = { name = 'é', version = '''1.2.3''' }\n"),
        ("Cargo.toml", "[ workspace . \"package\" ]\nversion = \"1.2.3\"\n[package]\nversion.workspace = true\n"),
        ("pyproject.toml", "[project]\ndynamic = [\"version\"]\n[tool.poetry]\n\"version\" = \"1.2.3\"\n"),
        ("Chart.yaml", "\u{feff}# é\r\nname: é\r\nversion:   '1.2.3'   # é\r\n"),
        ("Chart.yaml", "{name: \"é\", version: 1.2.3, appVersion: 1.2.3}"),
        ("Chart.yaml", "description: |\n  version: 9.9.9\nversion:\n  1.2.3\n"),
        ("gradle.properties", "\u{feff}version:1.2.3\r\n# version=9.9.9\\\r\n! version=9.9.9"),
        ("gradle.properties", "a=b\\\nversion=9.9.9\n\\\\=\\\\\n  version 1.2.3 \n#version=9"),
        (
            "pom.xml",
            "\u{feff}<!DOCTYPE project [<!ENTITY e 'é'>]>\r\n<project xmlns=\"x\"><name>&e; é</name><version a='>'>1.2.3</version ></project>",
        ),
        (
            "pom.xml",
            "<project><a><![CDATA[<version>1.2.3</version>]]></a><version>\n<!-- 1.2 -->1.2.3</version></project>",
        ),
        ("pom.xml", "<project><version/><version>1.2.3</version><a b=\"&lt;version>1.2.3&lt;/version>\"/></project>"),
    ];

    #[test]
    fn the_version_changes_and_no_other_byte() {
        for (name, text) in SAMPLES {
            let edited = replaced(name, text, "1.2.3", "1.2.40").unwrap().unwrap();
            assert_eq!(edited.len(), text.len() + 1, "{name}: {edited}");
            assert_eq!(edited.matches("1.2.40").count(), 1, "{name}: {edited}");
            assert_eq!(edited.replacen("1.2.40", "1.2.3", 1), text);
            assert_eq!(replaced(name, &edited, "1.2.3", "1.2.40").unwrap(), None, "{name} twice");
            assert_eq!(replaced(name, &edited, "1.2.40", "1.2.3").unwrap().unwrap(), text);
        }
    }

    #[test]
    fn the_right_one_of_several_is_taken() {
        let chart = replaced("Chart.yaml", SAMPLES[7].1, "1.2.3", "1.2.4").unwrap().unwrap();
        assert!(chart.starts_with("apiVersion: v2\nversion: 1.2.4 # 1.2.3\nappVersion: 1.2.3"));
        let pom = replaced("pom.xml", SAMPLES[10].1, "1.2.3", "1.2.4").unwrap().unwrap();
        assert!(pom.ends_with("\n<version>1.2.4</version></project>"));
        let package = replaced("package.json", SAMPLES[2].1, "1.2.3", "1.2.4").unwrap().unwrap();
        assert!(package.ends_with("\"version\" : \"1.2.4\"}"));
    }

    #[test]
    fn what_is_missing_doubled_or_different_is_refused() {
        let refused = |name: &str, text: &str| replaced(name, text, "1.2.3", "1.2.4").unwrap_err();
        assert!(matches!(refused("VERSION", "\n"), Error::NotFound { .. }));
        assert!(matches!(refused("VERSION", "1.2.3\n1.2.3\n"), Error::Ambiguous { count: 2, .. }));
        assert!(matches!(refused("Cargo.toml", "[package]\nversion.workspace = true\n"), Error::NotFound { .. }));
        assert!(matches!(refused("package.json", "{\"version\": 1}"), Error::NotFound { .. }));
        assert!(matches!(refused("pom.xml", "<project><version>${v}</version></project>"), Error::OtherVersion { .. }));
        assert!(matches!(refused("setup.py", "1.2.3"), Error::Unknown(_)));
        assert!(matches!(refused("Chart.yaml", "a: &v 1.2.3\nversion: *v\n"), Error::OtherVersion { .. }));
        assert!(matches!(refused("Cargo.toml", "[package]\nversion = \"1\\u002e2.3\""), Error::OtherVersion { .. }));
        let entity = "<!DOCTYPE project [<!ENTITY v '1.2.3'>]><project><version>&v;</version></project>";
        assert!(matches!(refused("pom.xml", entity), Error::NotFound { .. }));
        let twice = "[project]\nversion = \"1.2.3\"\n[tool.poetry]\nversion = \"1.2.3\"\n";
        assert!(matches!(refused("pyproject.toml", twice), Error::Ambiguous { .. }));
    }

    #[test]
    fn what_is_not_of_its_format_is_refused_with_the_place() {
        let broken = [
            ("package.json", "{\"version\": \"1.2.3\",}", "line 1 column 21"),
            ("package.json", "{\"version\": \"1.2.3\",\n\"version\": \"1.2.3\"}", "duplicate field `version`"),
            ("Cargo.toml", "[package]\nversion = \"1.2.3\"\n[package]\n", "line 3"),
            ("pyproject.toml", "[project]\n\nversion = 1.2.3\n", "line 3"),
            ("Chart.yaml", "a: b\nversion: 1.2.3\n\tc: d\n", "line 2"),
            ("Chart.yaml", "version: 1.2.3\nversion: 1.2.3\n", "duplicate"),
            ("pom.xml", "<project>\n<version>1.2.3</version>", "never closed"),
            ("pom.xml", "<project><version>1.2.3</version></project><project/>", "1:"),
        ];
        for (name, text, part) in broken {
            let error = replaced(name, text, "1.2.3", "1.2.4").unwrap_err();
            assert!(matches!(error, Error::Unsure { .. }), "{name}: {error}");
            assert!(error.to_string().contains(part), "{name}: {error}");
        }
    }

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_permissions() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("VERSION");
        std::fs::write(&path, "1.2.3\r\n").unwrap();
        let before = std::fs::metadata(&path).unwrap().permissions();
        assert_eq!(set(&path, "1.2.3", "1.2.4").unwrap(), Edit::Changed);
        assert_eq!(set(&path, "1.2.3", "1.2.4").unwrap(), Edit::Already);
        assert_eq!(std::fs::read(&path).unwrap(), b"1.2.4\r\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions(), before);
        std::fs::write(&path, b"1.2.3\xff").unwrap();
        assert!(matches!(set(&path, "1.2.3", "1.2.4").unwrap_err(), Error::Io { .. }));
    }
}
