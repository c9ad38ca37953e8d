//! The lock files that state the version of a manifest's package as well: Cargo's, npm's two, and uv's.
//!
//! # Why
//! `cargo build --locked` and `uv sync --locked` refuse a lock file that states the old version, and npm puts the new one there
//! at its next run: a change that nobody asked for, in the middle of an incident.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use semver::Version;
use toml_edit::{Document, Item, TableLike};

use super::find::{document, package_lock, string, unquoted};
use super::{Error, Slot, named, read};

/// A lock file and where it states the version.
pub(super) struct Lock {
    /// Where it is.
    pub(super) path: PathBuf,
    /// What it holds.
    pub(super) text: String,
    /// The places, at least one.
    pub(super) slots: Vec<Slot>,
}

/// What is asked of the lock files of one manifest.
pub(super) struct Question<'a> {
    /// The directory of the manifest, without symbolic links.
    pub(super) directory: &'a Path,
    /// What the manifest holds.
    pub(super) text: &'a str,
    /// The top of the work tree, without symbolic links; nothing above it is looked at.
    pub(super) top: &'a Path,
    /// The version before.
    pub(super) old: &'a str,
    /// The version to come.
    pub(super) new: &'a str,
}

impl Question<'_> {
    /// The lock files of the manifest `name`. One that is not there, or knows nothing of the package, is nothing to say.
    ///
    /// # Errors
    /// A lock file that cannot be read, and one that leaves it open which version is meant.
    pub(super) fn locks(&self, name: &str) -> Result<Vec<Lock>, Error> {
        match name {
            "package.json" => self.npm(),
            "Cargo.toml" => Ok(self.cargo()?.into_iter().collect()),
            "pyproject.toml" => self.uv(),
            _ => Ok(Vec::new()),
        }
    }

    /// The manifest's directory and those above it, up to the top of the work tree.
    fn upwards(&self) -> impl Iterator<Item = &Path> {
        upwards(self.directory, self.top)
    }

    /// Those beside the manifest, and those of a workspace above that have an entry for its directory.
    fn npm(&self) -> Result<Vec<Lock>, Error> {
        let mut locks = Vec::new();
        for above in self.upwards() {
            let parts = self.directory.strip_prefix(above).unwrap_or(self.directory);
            let directory = parts.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
            for name in ["package-lock.json", "npm-shrinkwrap.json"] {
                let path = above.join(name);
                let Some(text) = there(&path)? else { continue };
                let found = package_lock(&text, &directory).map_err(|why| self.unsure(&path, why))?;
                if !found.is_empty() {
                    let slots = found.into_iter().map(|(place, at)| Slot { place, at }).collect();
                    locks.push(Lock { path, text, slots });
                }
            }
        }
        Ok(locks)
    }

    /// That beside the manifest, and those above that have an entry for its directory, as a workspace's has. A package whose
    /// version is worked out elsewhere has none there.
    fn uv(&self) -> Result<Vec<Lock>, Error> {
        let mut locks = Vec::new();
        for above in self.upwards() {
            let path = above.join("uv.lock");
            let Some(text) = there(&path)? else { continue };
            let lock = document(&text).map_err(|why| self.unsure(&path, why))?;
            let slots = self.uv_slots(&text, &lock, above);
            if !slots.is_empty() {
                locks.push(Lock { path, text, slots });
            }
        }
        Ok(locks)
    }

    /// Where the `lock` in the directory `above` states the version of the manifest's package: in its own entry, and where others
    /// name it with its version because there is more than one of that name.
    fn uv_slots(&self, text: &str, lock: &Document<&str>, above: &Path) -> Vec<Slot> {
        let is_here = |entry: &dyn TableLike| {
            let Some(source) = table_at(entry, "source") else { return false };
            let directory = ["editable", "virtual", "directory"].iter().find_map(|kind| text_at(source, kind));
            directory.is_some_and(|directory| is_same(&above.join(directory), self.directory))
        };
        let all: Vec<&dyn TableLike> = lock.get("package").map(tables).unwrap_or_default();
        let Some(own) = all.iter().find(|entry| is_here(**entry)) else { return Vec::new() };
        let Some(package) = text_at(*own, "name") else { return Vec::new() };
        let stated = string(text, *own, "version").map(|at| Slot { place: format!("the package `{package}`"), at });
        let named = all.iter().flat_map(|entry| named_in(*entry)).filter(|named| is_here(*named));
        let named = named.filter_map(|named| string(text, named, "version"));
        let named = named.map(|at| Slot { place: format!("a dependency on `{package}`"), at });
        stated.into_iter().chain(named).collect()
    }

    /// That of the manifest's workspace.
    fn cargo(&self) -> Result<Option<Lock>, Error> {
        let unsure = |path: &Path| {
            let path = path.to_owned();
            move |why| self.unsure(&path, why)
        };
        let manifest = document(self.text).map_err(unsure(&self.directory.join("Cargo.toml")))?;
        let root = root(self.directory, &manifest, self.top).map_err(|(path, why)| self.unsure(&path, why))?;
        let path = root.join("Cargo.lock");
        let Some(text) = there(&path)? else { return Ok(None) };
        let lock = document(&text).map_err(unsure(&path))?;
        let own = table(manifest.as_item(), &["package"]).filter(|package| text_at(*package, "version").is_some());
        let packages = match own {
            Some(package) => text_at(package, "name").map(str::to_owned).into_iter().collect(),
            None => heirs(&root, self.top).map_err(|source| Error::Io { path: root.clone(), source })?,
        };
        let mut slots = Vec::new();
        for package in packages {
            slots.extend(self.entries(&text, &lock, &package).map_err(unsure(&path))?);
        }
        Ok((!slots.is_empty()).then_some(Lock { path, text, slots }))
    }

    /// Where `lock` states the version of `package`, which is no registry's: in its own entry, and where others name it with its
    /// version because there is more than one of that name.
    fn entries(&self, text: &str, lock: &Document<&str>, package: &str) -> Result<Vec<Slot>, String> {
        let all: Vec<&dyn TableLike> = lock.get("package").map(tables).unwrap_or_default();
        let (own, others): (Vec<_>, Vec<_>) = all
            .iter()
            .filter(|entry| text_at(**entry, "name") == Some(package))
            .filter_map(|entry| Some((text_at(*entry, "version")?, *entry)))
            .partition(|(_, entry)| entry.get("source").is_none());
        let ours = |version: &str| version == self.old || version == self.new;
        let stated = own.iter().filter(|(version, _)| own.len() == 1 || ours(version));
        let found: Vec<_> = stated.filter_map(|(_, entry)| string(text, *entry, "version")).collect();
        if found.is_empty() {
            return Ok(Vec::new());
        }
        // Packages are sorted by name and version, and named with a version only where it takes one.
        if found.len() > 1 || others.iter().any(|(version, _)| self.between(version)) {
            return Err(format!("it has another package `{package}` of a version from {} to {}", self.old, self.new));
        }
        let mut slots: Vec<_> =
            found.into_iter().map(|at| Slot { place: format!("the package `{package}`"), at }).collect();
        for item in all.iter().filter_map(|entry| entry.get("dependencies")?.as_array()).flatten() {
            let Some((name, version)) = item.as_str().and_then(|named| named.split_once(' ')) else { continue };
            if name == package
                && ours(version)
                && let Some(at) = item.span().and_then(|at| unquoted(text, at))
            {
                let at = at.end - version.len()..at.end;
                slots.push(Slot { place: format!("a dependency on `{package}`"), at });
            }
        }
        Ok(slots)
    }

    /// Whether `version` stands from the old to the new one, both included.
    fn between(&self, version: &str) -> bool {
        match [self.old, version, self.new].map(Version::parse) {
            [Ok(old), Ok(version), Ok(new)] => (old.clone().min(new.clone())..=old.max(new)).contains(&version),
            _ => version == self.old || version == self.new,
        }
    }

    fn unsure(&self, path: &Path, why: String) -> Error {
        Error::Unsure { file: named(path, self.top), why }
    }
}

/// `directory` and those above it, up to `top`.
fn upwards<'a>(directory: &'a Path, top: &'a Path) -> impl Iterator<Item = &'a Path> {
    directory
        .ancestors()
        .enumerate()
        .take_while(move |(far, above)| *far == 0 || above.starts_with(top))
        .map(|(_, it)| it)
}

/// What the file at `path` holds; `None` where there is none.
fn there(path: &Path) -> Result<Option<String>, Error> {
    match read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Io { path: path.to_owned(), source }),
    }
}

/// The table at a path of keys.
fn table<'a>(item: &'a Item, path: &[&str]) -> Option<&'a dyn TableLike> {
    path.iter().try_fold(item, |item, key| item.as_table_like()?.get(key))?.as_table_like()
}

/// The tables of an array of them.
fn tables(item: &Item) -> Vec<&dyn TableLike> {
    item.as_array_of_tables().into_iter().flatten().map(|table| table as &dyn TableLike).collect()
}

/// The table at `key`.
fn table_at<'a>(table: &'a dyn TableLike, key: &str) -> Option<&'a dyn TableLike> {
    table.get(key)?.as_table_like()
}

/// What an entry of uv's lock file needs: always, by an extra, and for development.
fn named_in(entry: &dyn TableLike) -> Vec<&dyn TableLike> {
    let lists = |key: &str| {
        let groups = table_at(entry, key).into_iter().flat_map(TableLike::iter);
        groups.filter_map(|(_, list)| list.as_array()).collect::<Vec<_>>()
    };
    let own = entry.get("dependencies").and_then(Item::as_array);
    let all = own.into_iter().chain(lists("optional-dependencies")).chain(lists("dev-dependencies"));
    all.flatten().filter_map(|named| Some(named.as_inline_table()? as &dyn TableLike)).collect()
}

/// Whether `path` leads to `directory`, which has no symbolic links.
fn is_same(path: &Path, directory: &Path) -> bool {
    fs::canonicalize(path).is_ok_and(|path| path == directory)
}

/// The string at `key`.
fn text_at<'a>(table: &'a dyn TableLike, key: &str) -> Option<&'a str> {
    table.get(key)?.as_str()
}

/// The directory of the workspace that the manifest in `directory` belongs to, as cargo finds it: its own where it is a root or
/// belongs to none.
///
/// # Errors
/// A manifest above that is no TOML, and what is wrong with it.
fn root(directory: &Path, manifest: &Document<&str>, top: &Path) -> Result<PathBuf, (PathBuf, String)> {
    if table(manifest.as_item(), &["workspace"]).is_some() {
        return Ok(directory.to_owned());
    }
    if let Some(named) = pointed(directory, manifest) {
        return Ok(named);
    }
    for above in upwards(directory, top).skip(1) {
        let path = above.join("Cargo.toml");
        let Ok(text) = read(&path) else { continue };
        let manifest = document(&text).map_err(|why| (path, why))?;
        match table(manifest.as_item(), &["workspace"]) {
            Some(workspace) if !excluded(directory, above, workspace) => return Ok(above.to_owned()),
            Some(_) => {}
            None => {
                if let Some(named) = pointed(above, &manifest) {
                    return Ok(named);
                }
            }
        }
    }
    Ok(directory.to_owned())
}

/// The root that a manifest in `directory` names.
fn pointed(directory: &Path, manifest: &Document<&str>) -> Option<PathBuf> {
    let named = text_at(table(manifest.as_item(), &["package"])?, "workspace")?;
    fs::canonicalize(directory.join(named)).ok()
}

/// Whether the workspace at `root` leaves `directory` out: `exclude` does, unless `members` names it.
fn excluded(directory: &Path, root: &Path, workspace: &dyn TableLike) -> bool {
    let names = |key: &str| {
        let listed = workspace.get(key).and_then(Item::as_array).into_iter().flatten();
        listed.filter_map(|item| item.as_str()).any(|path| directory.starts_with(root.join(path)))
    };
    names("exclude") && !names("members")
}

/// The packages that inherit the version of the workspace at `root`, wherever they are in the work tree.
///
/// # Why
/// Members are named by globs and by the paths of dependencies; so every manifest is asked for its root instead, as cargo does
/// when it is called there. A manifest that is no TOML is no member of a workspace that builds, but often a test's.
///
/// # Errors
/// A directory that cannot be read.
fn heirs(root: &Path, top: &Path) -> io::Result<Vec<String>> {
    let mut heirs = Vec::new();
    let mut open = vec![if root.starts_with(top) { top } else { root }.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
                open.push(entry.path());
            }
        }
        heirs.extend(read(&directory.join("Cargo.toml")).ok().and_then(|text| heir(&directory, &text, root, top)));
    }
    heirs.sort();
    Ok(heirs)
}

/// The name of the package in `directory`, if it inherits its version from the workspace at `root`.
fn heir(directory: &Path, text: &str, root: &Path, top: &Path) -> Option<String> {
    let manifest = document(text).ok()?;
    let package = table(manifest.as_item(), &["package"])?;
    let inherits = package.get("version")?.as_table_like()?.get("workspace")?.as_bool()?;
    let same = inherits && self::root(directory, &manifest, top).is_ok_and(|found| found == root);
    same.then(|| text_at(package, "name").map(str::to_owned)).flatten()
}
