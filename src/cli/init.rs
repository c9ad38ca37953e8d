//! `hotfix init`.

use std::fs;
use std::io::{self, Write as _};

use clap::Args;

use super::console::{Lang, Look};
use super::{Exit, Trouble, work_tree};
use crate::runbook::{BUILTIN_EN, BUILTIN_ZH, EXTENDING};
use crate::vars::Environment;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Write a small runbook that extends the built-in one, with examples in comments
    #[arg(long)]
    extend: bool,
}

pub(super) fn run(arguments: &Arguments, look: &Look) -> Result<Exit, Trouble> {
    let text = match look.language(&Environment::of_process()) {
        _ if arguments.extend => EXTENDING,
        Lang::En => BUILTIN_EN.text,
        Lang::Zh => BUILTIN_ZH.text,
    };
    let dir = work_tree()?.join(".hotfix");
    let path = dir.join("runbook.yaml");
    fs::create_dir_all(&dir)?;
    let file = fs::OpenOptions::new().write(true).create_new(true).open(&path);
    let mut file = file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            let message =
                format!("{} is already there and was left as it is: move it away to begin afresh", path.display());
            Trouble::new(Exit::Usage, message)
        }
        _ => Trouble::new(Exit::Error, format!("{}: {error}", path.display())),
    })?;
    file.write_all(text.as_bytes())?;
    writeln!(super::said::stderr(), "Wrote {}. Edit it and commit it.", path.display())?;
    Ok(Exit::Success)
}
