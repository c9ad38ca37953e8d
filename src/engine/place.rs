//! Where a step works: its directory, its files, and the tree its script comes from.

use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value};

use super::Engine;
use crate::action::{Kind, Place, Stop, Test};
use crate::digest::sha256;
use crate::git::{self, Snapshot};
use crate::operator::Show;
use crate::run::{Files, Status};
use crate::runbook::{Body, Step};
use crate::vars::Values;

/// How many symbolic links are followed to a script.
const LINKS: usize = 8;

/// Whether a script has to be that of the release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// As it is in the work tree.
    WorkTree,
    /// As the release has it.
    Release,
}

impl Engine {
    /// What the files of an attempt are called, up to their endings.
    pub(super) fn files(&self, key: &str, attempt: u32) -> PathBuf {
        self.paths.files(key, attempt)
    }

    /// Where the action of `step` works. A script that touches production and is not as the release has it is taken from a
    /// linked worktree of the release's commit, and this is said.
    pub(super) fn place(
        &self,
        (step, kind): (&Step, &dyn Kind),
        files: PathBuf,
        origin: Origin,
        values: &Values,
    ) -> Result<Place, Stop> {
        let inner = Self::inner_dir(step, values)?;
        let mut base = self.world.repository.work_tree().to_owned();
        if let Some(script) = kind.script().filter(|_| origin == Origin::Release) {
            let script = inner.join(script);
            match self.released(&script.to_string_lossy()) {
                Ok(Some(tree)) => base = tree,
                Ok(None) => {}
                Err(error) if values.text("direction") == "back" && base.join(&script).exists() => {
                    let script = script.display();
                    let said = format!(
                        "{error}; ./{script} is taken from the work tree, which may not be as the release has it"
                    );
                    self.show(Show::Warning(&said));
                }
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(Place { dir: base.join(inner), files })
    }

    /// The linked worktree that has the script as the release has it, where the work tree has not. One that was cut off while
    /// it was made is made again.
    fn released(&self, script: &str) -> Result<Option<PathBuf>, git::Error> {
        let repository = &self.world.repository;
        let commit = self.release_commit()?;
        if self.is_of(&commit, repository.work_tree(), script)? {
            return Ok(None);
        }
        let short: String = commit.chars().take(12).collect();
        let tree = self.paths.dir.join("worktrees").join(&short);
        repository.add_worktree(&tree, &commit)?;
        if !self.is_of(&commit, &tree, script)? {
            repository.remove_worktree(&tree)?;
            repository.add_worktree(&tree, &commit)?;
        }
        let said = format!("./{script} is not as the release has it here; it is taken from commit {short}");
        self.show(Show::Warning(&said));
        Ok(Some(tree))
    }

    /// Whether `script` below `root` is what `commit` has, and where it is a symbolic link, what it leads to as well.
    fn is_of(&self, commit: &str, root: &Path, script: &str) -> Result<bool, git::Error> {
        let mut script = PathBuf::from(script.trim_start_matches("./"));
        for _ in 0..LINKS {
            let there = self.world.repository.file_sha256(commit, &script.to_string_lossy())?;
            let Ok(target) = std::fs::read_link(root.join(&script)) else {
                return Ok(there == sha256_of(&root.join(&script)));
            };
            if there != Some(sha256(target.as_os_str().as_encoded_bytes())) {
                return Ok(false);
            }
            match inside(script.parent().unwrap_or(Path::new("")), &target) {
                Some(next) => script = next,
                // What is not in the repository is as nobody has released it.
                None => return Ok(true),
            }
        }
        Ok(false)
    }

    fn inner_dir(step: &Step, values: &Values) -> Result<PathBuf, Stop> {
        let dir = step.dir.as_ref().map(|dir| dir.render(values)).transpose();
        Ok(dir.map_err(|why| Stop::failed("template", format!("dir: {why}")))?.map_or_else(PathBuf::new, PathBuf::from))
    }

    /// The commit that is released: the new tag's, and before there is one the old tag's.
    fn release_commit(&self) -> Result<String, git::Error> {
        let new = self.world.repository.find(git::Kind::Tag, &self.var("new_tag"));
        match new {
            Ok(Some(commit)) => Ok(commit),
            _ => self.world.repository.get(git::Kind::Tag, &self.var("tag")),
        }
    }

    /// What can be said of the circumstances: HEAD, the script's hash, the values that the text names.
    pub(super) fn evidence(&self, kind: &dyn Kind, place: &Place, named: Vec<(String, String)>) -> Map<String, Value> {
        let mut evidence = Map::new();
        if let Ok(Some(head)) = self.world.repository.head() {
            evidence.insert("head".to_owned(), head.into());
        }
        if let Some(hash) = kind.script().and_then(|script| sha256_of(&place.dir.join(script))) {
            evidence.insert("script_sha256".to_owned(), hash.into());
        }
        if place.dir.starts_with(self.paths.dir.join("worktrees")) {
            evidence.insert("dir".to_owned(), place.dir.display().to_string().into());
        }
        if !named.is_empty() {
            let named: Map<String, Value> = named.into_iter().map(|(name, value)| (name, value.into())).collect();
            evidence.insert("values".to_owned(), named.into());
        }
        evidence
    }

    /// Adds to the evidence what is in the work tree, where what is released is held against that later.
    pub(super) fn add_tree(&self, key: &str, kind: &dyn Kind, evidence: &mut Map<String, Value>) {
        let stage = key.split('/').next().unwrap_or_default();
        if !kind.tests() || !self.runbook.stages.iter().any(|one| one.steps.iter().any(|step| asks_for(step, stage))) {
            return;
        }
        match self.world.repository.snapshot() {
            Ok(Snapshot { tree, large }) => {
                evidence.insert("tree".to_owned(), tree.into());
                if !large.is_empty() {
                    let named: Vec<String> =
                        large.iter().map(|(path, size)| format!("{path} ({size} bytes)")).collect();
                    let text =
                        format!("not on record as tested, larger than 1 MiB and unknown to git: {}", named.join(", "));
                    self.show(Show::Warning(&text));
                    let sizes: Map<String, Value> = large.into_iter().map(|(path, size)| (path, size.into())).collect();
                    evidence.insert("large".to_owned(), sizes.into());
                }
            }
            Err(error) => self.show(Show::Warning(&format!("it is not on record what is tested here: {error}"))),
        }
    }

    /// The tests of the stage `stage` that are done, and on record with their files.
    pub(super) fn tests_of(&self, stage: &str) -> Vec<Test> {
        let inside = format!("{stage}/");
        let done = self.run(|run| {
            let of = run.steps().iter().filter(|(key, _)| key.starts_with(&inside));
            let done = of.filter(|(_, state)| matches!(state.status, Status::Done | Status::DoneByHand));
            done.filter_map(|(key, state)| Some((key.clone(), state.attempts, state.files.clone()?)))
                .collect::<Vec<_>>()
        });
        let what = |key: &str, attempt| {
            let (_, step) = self.find(key).ok()?;
            let Body::Action(action) = &step.body else { return None };
            let text = action.kind().describe(&self.values(key, attempt)).ok()?;
            Some(text.lines().next().unwrap_or_default().to_owned())
        };
        let test = |(step, attempt, files): (String, u32, Files)| {
            let what = what(&step, attempt).unwrap_or_default();
            Test { what, step, head: files.head, tree: files.tree }
        };
        done.into_iter().map(test).collect()
    }

    /// Takes away the linked worktrees of the run, where it is over.
    pub(super) fn remove_worktrees(&self) {
        let Ok(entries) = std::fs::read_dir(self.paths.dir.join("worktrees")) else { return };
        for entry in entries.flatten() {
            // One that cannot be removed is in nobody's way.
            let _ = self.world.repository.remove_worktree(&entry.path());
        }
    }
}

/// Whether `step`, or one inside it, releases what the stage `stage` has tested.
fn asks_for(step: &Step, stage: &str) -> bool {
    match &step.body {
        Body::Action(action) => action.kind().tested() == Some(stage),
        Body::Group(group) => group.steps.iter().any(|step| asks_for(step, stage)),
    }
}

/// Where `target`, as a link in `dir` has it, leads; `None` where that is outside of the repository.
fn inside(dir: &Path, target: &Path) -> Option<PathBuf> {
    let mut path = dir.to_owned();
    for part in target.components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir if path.pop() => {}
            _ => return None,
        }
    }
    Some(path)
}

fn sha256_of(path: &Path) -> Option<String> {
    std::fs::read(path).ok().map(|bytes| sha256(&bytes))
}

#[expect(clippy::needless_pass_by_value, reason = "it stands behind `map_err`")]
fn failed(error: git::Error) -> Stop {
    Stop::failed("git", error.to_string())
}
