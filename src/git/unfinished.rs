//! Hotfixes that nobody finished: branches that are still there, tags that never came back into main.

use super::{Error, Kind, RemoteRef, Repository};

/// Where the branches of hotfixes are.
const BRANCHES: &str = "refs/heads/hotfix/";
/// The line in a tag's message that says that this program made it.
const TRAILER: &str = "Hotfix-Audit";
/// How many are named.
const NAMED: usize = 5;

impl Repository {
    /// What there is to be said of other hotfixes than the one on the branch `own`: what `main`, a commit, does not have of
    /// them. `refs` are those of the remote `remote`, where it was asked.
    ///
    /// # Errors
    /// Where `git` refuses.
    pub(super) fn unfinished(
        &self,
        main: &str,
        own: &str,
        (remote, refs): (&str, &[RemoteRef]),
    ) -> Result<Vec<String>, Error> {
        let format = format!("--format=%(refname)%09%(contents:trailers:key={TRAILER},separator=%x20)");
        let no_merged = format!("--no-merged={main}");
        let said = self.program.text(&["for-each-ref", &no_merged, &format, BRANCHES, "refs/tags/"])?;
        let (mut branches, mut tags) = (Vec::new(), Vec::new());
        for (name, trailer) in said.lines().filter_map(|line| line.split_once('\t')) {
            match (name.strip_prefix("refs/heads/"), name.strip_prefix("refs/tags/")) {
                (Some(branch), _) => branches.push((branch.to_owned(), "here".to_owned())),
                (_, Some(tag)) if tag.contains("hotfix") || !trailer.is_empty() => tags.push(tag.to_owned()),
                _ => {}
            }
        }
        for other in refs.iter().filter(|other| other.name.starts_with(BRANCHES)) {
            let name = other.name.trim_start_matches("refs/heads/");
            // What is not here was not merged here.
            let merged = self.commit_of(&other.commit)?.is_some() && self.is_ancestor(&other.commit, main)?;
            match branches.iter_mut().find(|(branch, _)| branch == name) {
                Some((_, place)) => *place = format!("here and on {remote}"),
                None if merged => {}
                None => branches.push((name.to_owned(), format!("on {remote}"))),
            }
        }
        branches.retain(|(branch, _)| Kind::Branch.full(branch) != Kind::Branch.full(own));
        let mut found = Vec::new();
        if !branches.is_empty() {
            let names = branches.into_iter().map(|(branch, place)| format!("{branch} ({place})")).collect();
            found.push(format!("unfinished hotfixes: {}", some(names)));
        }
        if !tags.is_empty() {
            found.push(format!(
                "never merged back into the main branch, so that the next release may lack them: {}",
                some(tags)
            ));
        }
        Ok(found)
    }
}

/// The first of `names`, and how many more there are.
fn some(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    names.join(", ") + &more
}
