//! The hooks of the repository, where git itself does not come to run them.

use super::program::Program;
use super::{Error, Repository};

impl Repository {
    /// Runs a hook, where there is one.
    ///
    /// # Errors
    /// [`Error::Hook`] where it refuses.
    pub(super) fn hook(&self, name: &'static str, args: &[&str]) -> Result<(), Error> {
        if !self.may_have_hook(name)? {
            return Ok(());
        }
        run(&self.program, name, args)
    }

    /// Whether there may be a hook of this name: a file, or, since git 2.54, a command of the configuration. Where there is none
    /// no process is needed to run it.
    pub(super) fn may_have_hook(&self, name: &str) -> Result<bool, Error> {
        if self.settings()?.keys().any(|key| key.starts_with("hook.")) {
            return Ok(true);
        }
        let file = if self.setting("core.hooksPath")?.is_none() {
            self.common_dir().join("hooks").join(name)
        } else {
            let path = self.program.text(&["rev-parse", "--git-path", &format!("hooks/{name}")])?;
            self.work_tree().join(path.trim_end_matches('\n'))
        };
        Ok(file.exists())
    }
}

/// Runs a hook where `program` is, where there is one.
pub(super) fn run(program: &Program, name: &'static str, args: &[&str]) -> Result<(), Error> {
    let all = [&["hook", "run", "--ignore-missing", name, "--"], args].concat();
    let said = program.git(&all)?;
    match said.code {
        0 => Ok(()),
        _ => Err(Error::Hook { hook: name, output: format!("{}{}", said.stdout, said.stderr).trim_end().to_owned() }),
    }
}
