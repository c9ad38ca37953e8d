//! Who is at the keyboard.

use crate::git::Repository;
use crate::vars::Environment;

/// The operator's name and this machine's. The name is `$HOTFIX_OPERATOR`, else the one that git commits under, else that of the
/// login.
pub(super) fn author(repository: &Repository, environment: &Environment) -> (String, String) {
    let set = |name: &str| environment.get(name).map(str::to_owned);
    let committer = || repository.identity().ok().flatten().map(|identity| identity.name);
    let name = set("HOTFIX_OPERATOR").or_else(committer).or_else(|| set("USER")).or_else(|| set("LOGNAME"));
    (name.unwrap_or_else(|| "unknown".to_owned()), host())
}

/// The name of this machine.
pub(super) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
