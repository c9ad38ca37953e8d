//! Versions: the next one after a tag, tags close to a misspelt one, and the files that state a version.

use std::cmp::Reverse;
use std::fmt;

use semver::{BuildMetadata, Prerelease, Version};

pub mod files;

/// How the next version is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Bump {
    /// `v1.2.3` becomes `v1.2.4`.
    #[default]
    Patch,
    /// `v1.2.3` becomes `v1.2.3-hotfix.1`.
    Hotfix,
}

/// Why there is no next version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The tag does not name a version.
    #[error("the tag `{0}` is no version such as v1.2.3; name the new tag yourself with --new-tag TAG")]
    NotAVersion(String),
    /// Counting on would overflow.
    #[error("there is no free version after `{0}`; name the new tag yourself with --new-tag TAG")]
    NoneLeft(String),
}

/// A tag that names a version: a prefix such as `v`, and the version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionTag {
    /// What stands before the version, as it was found.
    pub prefix: String,
    /// The version.
    pub version: Version,
}

impl VersionTag {
    /// Reads a tag. The prefix is all that stands before the first digit.
    ///
    /// # Errors
    /// [`Error::NotAVersion`] where the rest is not a version by <https://semver.org>.
    pub fn parse(tag: &str) -> Result<Self, Error> {
        let refused = || Error::NotAVersion(tag.to_owned());
        let start = tag.find(|c: char| c.is_ascii_digit()).ok_or_else(refused)?;
        let (prefix, rest) = tag.split_at(start);
        let version = Version::parse(rest).map_err(|_| refused())?;
        Ok(Self { prefix: prefix.to_owned(), version })
    }
}

/// The tag as it is written.
impl fmt::Display for VersionTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.prefix, self.version)
    }
}

/// The next version, and what should be known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// The new tag.
    pub tag: VersionTag,
    /// What the operator should know before taking it.
    pub warning: Option<String>,
}

/// The first version after `tag` that none of `existing` has, with the prefix of `tag`.
///
/// A pre-release such as `1.2.3-rc.1` gets `1.2.3-rc.1.hotfix.1`, which sorts after it by rule 11 of
/// <https://semver.org>; only a hotfix number on a plain version sorts before what it fixes.
///
/// # Errors
/// Where `tag` names no version, or no number is left.
pub fn next<S: AsRef<str>>(tag: &str, bump: Bump, existing: &[S]) -> Result<Next, Error> {
    let none_left = || Error::NoneLeft(tag.to_owned());
    let old = VersionTag::parse(tag)?;
    let mut version = Version { build: BuildMetadata::EMPTY, ..old.version.clone() };
    loop {
        version = match bump {
            Bump::Patch => {
                let patch = version.patch.checked_add(1).ok_or_else(none_left)?;
                Version::new(version.major, version.minor, patch)
            }
            Bump::Hotfix => Version { pre: next_hotfix(&version.pre).ok_or_else(none_left)?, ..version },
        };
        let tag = VersionTag { prefix: old.prefix.clone(), version: version.clone() };
        let written = tag.to_string();
        if !existing.iter().any(|other| other.as_ref() == written) {
            let warning = (version < old.version).then(|| {
                format!("{written} sorts before {old}: tools that take the highest version go on taking {old}")
            });
            return Ok(Next { tag, warning });
        }
    }
}

/// `hotfix.1` after nothing, `hotfix.3` after `hotfix.2`, `rc.1.hotfix.1` after `rc.1`.
fn next_hotfix(pre: &Prerelease) -> Option<Prerelease> {
    let text = match pre.as_str().rsplit_once("hotfix.") {
        Some((before, number)) if number.parse::<u64>().is_ok() => {
            format!("{before}hotfix.{}", number.parse::<u64>().ok()?.checked_add(1)?)
        }
        _ if pre.is_empty() => "hotfix.1".to_owned(),
        _ => format!("{pre}.hotfix.1"),
    };
    Prerelease::new(&text).ok()
}

/// Up to three of `tags` that somebody who wrote `wanted` may have meant, the nearest first, of equals the highest.
#[must_use]
pub fn nearest<S: AsRef<str>>(wanted: &str, tags: &[S]) -> Vec<String> {
    let limit = (wanted.chars().count() / 2).max(2);
    let mut near: Vec<_> = tags
        .iter()
        .map(|tag| (strsim::damerau_levenshtein(wanted, tag.as_ref()), tag.as_ref()))
        .filter(|(distance, _)| *distance <= limit)
        .map(|(distance, tag)| (distance, Reverse(VersionTag::parse(tag).ok().map(|tag| tag.version)), tag))
        .collect();
    near.sort();
    near.into_iter().take(3).map(|(_, _, tag)| tag.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::{Bump, Error, nearest, next};

    #[test]
    fn the_next_patch_is_the_first_that_is_free() {
        let found = next("v1.2.3", Bump::Patch, &["v1.2.4", "v1.2.5", "1.2.6"]).unwrap();
        assert_eq!((found.tag.to_string().as_str(), found.warning), ("v1.2.6", None));
        assert_eq!(next("1.2.3", Bump::Patch, &["v1.2.4"]).unwrap().tag.to_string(), "1.2.4");
    }

    #[test]
    fn a_hotfix_number_is_free_and_warns_that_it_sorts_before() {
        let found = next("v1.2.3", Bump::Hotfix, &["v1.2.3-hotfix.1"]).unwrap();
        assert_eq!(found.tag.to_string(), "v1.2.3-hotfix.2");
        assert!(found.warning.unwrap().contains("sorts before v1.2.3"));
        let again = next("v1.2.3-hotfix.2", Bump::Hotfix, &["v1.2.3"]).unwrap();
        assert_eq!((again.tag.to_string().as_str(), again.warning), ("v1.2.3-hotfix.3", None));
        let of_rc = next("v1.2.3-rc.1", Bump::Hotfix, &[""; 0]).unwrap();
        assert_eq!((of_rc.tag.to_string().as_str(), of_rc.warning), ("v1.2.3-rc.1.hotfix.1", None));
    }

    #[test]
    fn a_tag_that_is_no_version_or_the_last_one_is_an_error() {
        for tag in ["production", "v1.2", "", "v1.02.3", "v99999999999999999999.0.0"] {
            assert_eq!(next(tag, Bump::Patch, &[""; 0]).unwrap_err(), Error::NotAVersion(tag.to_owned()));
        }
        let last = format!("v1.2.{}", u64::MAX);
        assert_eq!(next(&last, Bump::Patch, &[""; 0]).unwrap_err(), Error::NoneLeft(last));
    }

    #[test]
    fn nearest_tags_come_nearest_first() {
        let tags = ["v1.2.2", "v1.2.3", "v1.2.30", "v9.0.0", "production"];
        assert_eq!(nearest("1.2.3", &tags)[0], "v1.2.3");
        assert_eq!(nearest("v1.2.33", &tags)[0], "v1.2.30");
        assert!(nearest("something-else", &tags).is_empty());
    }
}
