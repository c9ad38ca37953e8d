//! A merge that nobody may push: it is pushed as a branch of its own, and a person has it merged there.

use std::fmt;

use super::back::Back;
use super::push::{Rejection, Why};
use super::{Error, Kind, RemoteRef, Repository};

/// A merge that waits on the remote for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The remote.
    pub remote: String,
    /// The branch that nobody may push to.
    pub into: String,
    /// The branch that has the merge.
    pub request: String,
    /// Where a pull or merge request can be opened, where the remote's URL tells.
    pub url: Option<String>,
    /// What the remote said against the push.
    pub refused: Rejection,
    /// What it said when it got the merge as a branch; hosts tell the page of a request so.
    pub said: String,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { remote, into, request, url, refused, said } = self;
        let reason = refused.refs.first().map_or("", |refusal| refusal.reason.as_str());
        writeln!(f, "`{remote}` lets nobody push to `{into}` ({reason}).")?;
        writeln!(f, "The merge is on `{remote}` as the branch `{request}`, and waits for a person:")?;
        match url {
            Some(url) => writeln!(f, "  {url}")?,
            None => writeln!(f, "  open a pull or merge request there, from `{request}` into `{into}`")?,
        }
        for (when, words) in [("against the push", &refused.said), ("to the branch", said)] {
            if !words.is_empty() {
                writeln!(f, "it says {when}:")?;
                words.lines().try_for_each(|line| writeln!(f, "  {line}"))?;
            }
        }
        writeln!(f, "Have it merged by a merge commit, neither squashed nor rebased.")?;
        write!(f, "then try again: it is done once `{remote}/{into}` has it, and nothing is deleted before")
    }
}

impl std::error::Error for Waiting {}

/// The merges of the branch `branch` that were requested and are still among the refs of a remote: the names of their branches.
#[must_use]
pub fn requests(branch: &str, refs: &[RemoteRef]) -> Vec<String> {
    let prefix = name(branch, "");
    let names = refs.iter().filter_map(|other| other.name.strip_prefix("refs/heads/"));
    names.filter(|name| name.starts_with(&prefix)).map(str::to_owned).collect()
}

impl Repository {
    /// The merge that was requested before, as this repository remembers it, where `ours` is still what it was made of.
    pub(super) fn requested(&self, back: Back<'_>, ours: &str) -> Result<Option<String>, Error> {
        let Some(remote) = back.remote else { return Ok(None) };
        let Some(known) = self.commit_of(&format!("refs/remotes/{remote}/{}", name(back.branch, back.into)))? else {
            return Ok(None);
        };
        Ok((self.parents(&known)? == [ours, back.theirs]).then_some(known))
    }

    /// Pushes the merge `commit` as a branch of its own, as the remote has `refused` it on `into`, which is at `ours` there. One
    /// that is there and has what is merged stays as it is, for it may have been worked on; only one that nobody has worked on
    /// makes room for what a person has `solved`.
    pub(super) fn request(
        &self,
        back: Back<'_>,
        remote: &str,
        (commit, ours, solved): (&str, &str, bool),
        refused: Rejection,
    ) -> Result<Waiting, Error> {
        let request = name(back.branch, back.into);
        let full = Kind::Branch.full(&request);
        let there = self.remote_refs(remote)?.into_iter().find(|other| other.name == full).map(|other| other.commit);
        let (mut stands, mut lease) = (false, Some(String::new()));
        if let Some(at) = &there {
            let at = &self.fetch_branch(remote, &request).map(|_| at.clone())?;
            let own = match &self.parents(at)?[..] {
                [first, second] => self.is_ancestor(first, ours)? && self.is_ancestor(second, commit)?,
                _ => false,
            };
            stands = at == commit || (self.is_ancestor(back.theirs, at)? && !(solved && own));
            lease = own.then(|| at.clone());
        }
        let mut said = String::new();
        if !stands {
            let lease = lease.map(|at| format!("--force-with-lease={full}:{at}"));
            let options: Vec<&str> = lease.iter().map(String::as_str).collect();
            said = match self.pushed(remote, &[format!("{commit}:{full}")], &options) {
                // It takes nothing at all, so what it says of `into` is what counts.
                Err(Error::Rejected(other)) if other.is(Why::Forbidden) => return Err(Error::Rejected(refused)),
                pushed => pushed?.1,
            };
        }
        let url = self.remote_url(remote)?.and_then(|url| page(&url, &request, back.into));
        let [remote, into] = [remote, back.into].map(str::to_owned);
        Ok(Waiting { remote, into, request, url, refused, said })
    }

    /// The requests of the branch `branch` among the refs of a remote that were merged: of each the full name and the commit.
    pub(super) fn merged_requests(
        &self,
        remote: &str,
        (branch, tip): (&str, &str),
        refs: &[RemoteRef],
    ) -> Result<Vec<(String, String)>, Error> {
        let prefix = Kind::Branch.full(&name(branch, ""));
        let mut merged = Vec::new();
        for other in refs {
            let Some(into) = other.name.strip_prefix(&prefix) else { continue };
            let full = Kind::Branch.full(into);
            if self.commit_of(&other.commit)?.is_none() || !refs.iter().any(|other| other.name == full) {
                continue;
            }
            let at = self.fetch_branch(remote, into)?;
            // Nothing is lost with a merge of what is there.
            let parents = self.parents(&other.commit)?;
            let has = |commit: &str| self.is_ancestor(commit, &at);
            let held =
                has(&other.commit)? || (parents.len() == 2 && has(&parents[0])? && has(&parents[1])? && has(tip)?);
            if held && self.is_ancestor(tip, &other.commit)? {
                merged.push((other.name.clone(), other.commit.clone()));
            }
        }
        Ok(merged)
    }

    fn parents(&self, commit: &str) -> Result<Vec<String>, Error> {
        let said = self.program.text(&["rev-parse", "--end-of-options", &format!("{commit}^@")])?;
        Ok(said.lines().filter(|line| !line.starts_with('-')).map(str::to_owned).collect())
    }
}

/// The branch that has the merge of `branch` into `into`.
fn name(branch: &str, into: &str) -> String {
    format!("{branch}-merge-{into}")
}

/// Where a host of a known kind has a request from `branch` into `into` opened. Nothing of who is in the URL is in it.
fn page(url: &str, branch: &str, into: &str) -> Option<String> {
    let (ssh, rest) = match url.split_once("://") {
        Some(("https", rest)) => (false, rest),
        Some(("ssh" | "git+ssh", rest)) => (true, rest),
        Some(_) => return None,
        // As `git@host:path`; a path here has no colon before its first slash.
        None => {
            let (host, path) = url.split_once(':').filter(|(host, _)| !host.contains('/'))?;
            return page(&format!("ssh://{host}/{}", path.trim_start_matches('/')), branch, into);
        }
    };
    let (host, path) = rest.split_once('/')?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = if ssh { host.split(':').next().unwrap_or(host) } else { host };
    let host = match host {
        "ssh.github.com" => "github.com",
        "altssh.gitlab.com" => "gitlab.com",
        "altssh.bitbucket.org" => "bitbucket.org",
        host => host,
    };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let [branch, into] = [branch, into].map(encoded);
    let is = |kind: &str| host.split(['.', ':', '-']).any(|part| part == kind);
    if is("github") {
        let [branch, into] = [branch, into].map(|name| name.replace("%2F", "/"));
        Some(format!("https://{host}/{path}/compare/{into}...{branch}?expand=1"))
    } else if is("gitlab") {
        let of = |what: &str, name: &str| format!("merge_request%5B{what}_branch%5D={name}");
        Some(format!("https://{host}/{path}/-/merge_requests/new?{}&{}", of("source", &branch), of("target", &into)))
    } else if host == "bitbucket.org" {
        Some(format!("https://{host}/{path}/pull-requests/new?source={branch}&dest={into}"))
    } else {
        None
    }
}

fn encoded(name: &str) -> String {
    name.bytes().fold(String::new(), |text, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text + &char::from(byte).to_string(),
        byte => text + &format!("%{byte:02X}"),
    })
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn the_page_of_a_request_is_told_of_known_hosts_without_who_is_in_the_url() {
        let of = |url| page(url, "hotfix/1-merge-main", "main");
        let github = "https://github.com/acme/app/compare/main...hotfix/1-merge-main?expand=1";
        for url in [
            "git@github.com:acme/app.git",
            "https://ada:secret@github.com/acme/app",
            "ssh://git@ssh.github.com:443/acme/app.git",
        ] {
            assert_eq!(of(url).as_deref(), Some(github), "{url}");
        }
        let gitlab = "https://gitlab.acme.io:8443/a/b/app/-/merge_requests/new?merge_request%5Bsource_branch%5D=hotfix%2F1-merge-main&merge_request%5Btarget_branch%5D=main";
        assert_eq!(of("https://gitlab.acme.io:8443/a/b/app.git/").as_deref(), Some(gitlab));
        let bitbucket = "https://bitbucket.org/acme/app/pull-requests/new?source=hotfix%2F1-merge-main&dest=main";
        assert_eq!(of("git@bitbucket.org:acme/app.git").as_deref(), Some(bitbucket));
        for url in ["../remote.git", "/srv/github/app.git", "file:///srv/github.git", "git@git.acme.io:app", "C:x", ""]
        {
            assert_eq!(of(url), None, "{url}");
        }
    }
}
