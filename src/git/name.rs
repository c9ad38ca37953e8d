//! Names of branches, tags and remotes.

use super::Error;

/// Refuses a name that git would not take, or that looks like an option.
///
/// The rules are those of `git check-ref-format --branch`, <https://git-scm.com/docs/git-check-ref-format>.
///
/// # Errors
/// [`Error::BadName`], with the rule that is broken.
pub fn check_name(name: &str) -> Result<(), Error> {
    let why = if name.is_empty() {
        "it is empty"
    } else if name.starts_with('-') {
        "it starts with `-`"
    } else if name == "@" || name == "HEAD" {
        "it means something else to git"
    } else if name.contains("..") || name.contains("@{") {
        "it contains `..` or `@{`"
    } else if name.contains(|c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c)) {
        "it contains a space, a control character or one of ~^:?*[\\"
    } else if name.ends_with('.') || name.split('/').any(str::is_empty) {
        "it ends with `.`, or has an empty part"
    } else if name.split('/').any(|part| part.starts_with('.') || part.strip_suffix(".lock").is_some()) {
        "a part of it starts with `.` or ends with `.lock`"
    } else {
        return Ok(());
    };
    Err(Error::BadName { name: name.to_owned(), why })
}
