//! What `git` is asked once: who commits, and what is configured. Neither changes while an operation goes on.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::{Error, Repository};

/// Who commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
}

/// What tells all of the configuration.
const LIST: [&str; 3] = ["config", "--list", "-z"];

/// What `git` was asked and has answered.
#[derive(Debug, Default)]
pub(super) struct Asked {
    identity: OnceLock<Option<Identity>>,
    settings: OnceLock<BTreeMap<String, Option<String>>>,
}

impl Repository {
    /// All of the configuration; `None` where a name stands without a value. It is asked once.
    pub(super) fn settings(&self) -> Result<&BTreeMap<String, Option<String>>, Error> {
        if let Some(known) = self.asked.settings.get() {
            return Ok(known);
        }
        let said = self.program.text(&LIST)?;
        Ok(self.keep(&said))
    }

    fn keep(&self, said: &str) -> &BTreeMap<String, Option<String>> {
        let pair = |record: &str| match record.split_once('\n') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (record.to_owned(), None),
        };
        // Of several the last one holds.
        let all = said.split('\0').filter(|record| !record.is_empty()).map(pair).collect();
        self.asked.settings.get_or_init(|| all)
    }

    /// The version of `git`, in its words. It is asked along with the configuration.
    pub(super) fn version(&self) -> Result<String, Error> {
        let [version, said] = self.program.each([&["version"], &LIST])?;
        self.keep(&said);
        Ok(version)
    }

    /// What the configuration has for `name`; `None` inside where it stands without a value.
    pub(super) fn setting(&self, name: &str) -> Result<Option<&Option<String>>, Error> {
        // The first and the last part are told in small letters, whatever is between as it is.
        let (first, last) = (name.find('.').unwrap_or(0), name.rfind('.').unwrap_or(0));
        let name =
            [&name[..first].to_ascii_lowercase(), &name[first..last], &name[last..].to_ascii_lowercase()].concat();
        Ok(self.settings()?.get(&name))
    }

    /// Whether a setting of the configuration is true.
    pub(super) fn is_set(&self, name: &str) -> Result<bool, Error> {
        Ok(self.setting(name)?.is_some_and(|value| value.as_deref().is_none_or(is_true)))
    }

    /// Who commits; `None` where nobody is configured and git would have to guess. It is asked once.
    ///
    /// # Errors
    /// Where `git` cannot be started.
    pub fn identity(&self) -> Result<Option<Identity>, Error> {
        if let Some(known) = self.asked.identity.get() {
            return Ok(known.clone());
        }
        let identity = self.ask_identity()?;
        Ok(self.asked.identity.get_or_init(|| identity).clone())
    }

    fn ask_identity(&self) -> Result<Option<Identity>, Error> {
        let ask = |who| ["-c", "user.useConfigOnly=true", "var", who];
        let said = match self.program.each([&ask("GIT_AUTHOR_IDENT"), &ask("GIT_COMMITTER_IDENT")]) {
            Ok([_, said]) => said,
            Err(Error::Refused { .. } | Error::Untrusted(_) | Error::Locked { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(said.split_once(" <").and_then(|(name, rest)| {
            Some(Identity { name: name.to_owned(), email: rest.split_once('>')?.0.to_owned() })
        }))
    }
}

/// Whether a value means yes, as git reads it.
fn is_true(value: &str) -> bool {
    let number = value.trim_end_matches(['k', 'K', 'm', 'M', 'g', 'G']).parse::<i64>();
    ["true", "yes", "on"].iter().any(|word| value.eq_ignore_ascii_case(word)) || number.is_ok_and(|number| number != 0)
}

#[cfg(test)]
mod tests {
    use super::is_true;

    #[test]
    fn a_setting_is_true_where_git_says_so() {
        for (value, expected) in [("true", true), ("Yes", true), ("ON", true), ("1", true), ("-1", true), ("2k", true)]
            .into_iter()
            .chain([("", false), ("false", false), ("no", false), ("off", false), ("0", false), ("maybe", false)])
        {
            assert_eq!(is_true(value), expected, "{value}");
        }
    }
}
