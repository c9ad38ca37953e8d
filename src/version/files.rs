//! Files that state a version, edited in place: the version's own bytes change and no other.
//!
//! A parser that writes a file back loses its comments, its line ends or its byte order mark. So each format has only a
//! finder here, which says where the value stands; a file that it cannot be sure of is refused.

use std::fs;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use find::places;

mod find;

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
    #[error("`{file}` states version `{found}`, not `{old}`; set it to `{old}` or `{new}` by hand")]
    OtherVersion {
        /// The file's name.
        file: String,
        /// What it states.
        found: String,
        /// What was expected.
        old: String,
        /// What it was to become.
        new: String,
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

/// Sets the version in the file at `path` from `old` to `new`, through a new file that takes its place whole.
///
/// A file that states `new` already is left alone, so that a repeated step changes nothing.
///
/// # Errors
/// Each case of [`Error`]; the file is then as it was.
pub fn set(path: &Path, old: &str, new: &str) -> Result<Edit, Error> {
    let failed = |source| Error::Io { path: path.to_owned(), source };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let real = fs::canonicalize(path).map_err(failed)?;
    let text = fs::read_to_string(&real).map_err(failed)?;
    let Some(edited) = replaced(&name, &text, old, new)? else { return Ok(Edit::Already) };
    let mut file = tempfile::NamedTempFile::new_in(real.parent().unwrap_or(Path::new("."))).map_err(failed)?;
    file.write_all(edited.as_bytes()).map_err(failed)?;
    let permissions = fs::metadata(&real).map_err(failed)?.permissions();
    file.as_file().set_permissions(permissions).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(&real).map_err(|error| failed(error.error))?;
    Ok(Edit::Changed)
}

/// The text of the file `name` with `new` in the place of `old`; `None` where it has `new` already.
///
/// # Errors
/// As [`set`], but for reading and writing.
pub fn replaced(name: &str, text: &str, old: &str, new: &str) -> Result<Option<String>, Error> {
    let Range { start, end } = place(name, text)?;
    let found = &text[start..end];
    if found == new {
        Ok(None)
    } else if found == old {
        Ok(Some(format!("{}{new}{}", &text[..start], &text[end..])))
    } else {
        let [file, found, old, new] = [name, found, old, new].map(str::to_owned);
        Err(Error::OtherVersion { file, found, old, new })
    }
}

/// Where the one version of the file `name` stands in its `text`.
fn place(name: &str, text: &str) -> Result<Range<usize>, Error> {
    let file = name.to_owned();
    let Some((place, mut found)) = places(name, text) else { return Err(Error::Unknown(file)) };
    match (found.pop(), found.len()) {
        (Some(only), 0) => Ok(only),
        (None, _) => Err(Error::NotFound { file, place }),
        (Some(_), more) => Err(Error::Ambiguous { file, place, count: more + 1 }),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::{Edit, Error, replaced, set};

    const SAMPLES: [(&str, &str); 12] = [
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
        let twice = "[project]\nversion = \"1.2.3\"\n[tool.poetry]\nversion = \"1.2.3\"\n";
        assert!(matches!(refused("pyproject.toml", twice), Error::Ambiguous { .. }));
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
