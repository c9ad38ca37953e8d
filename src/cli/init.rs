//! `hotfix init`.

use std::fs;
use std::io::{self, Write as _};

use clap::Args;

use super::{Exit, Trouble, work_tree};
use crate::runbook::{BUILTIN_EN, BUILTIN_ZH};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Language of the runbook; by default that of `LANG`
    #[arg(long)]
    lang: Option<Language>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Language {
    #[value(name = "en")]
    English,
    #[value(name = "zh-CN")]
    Chinese,
}

impl Language {
    fn of_environment() -> Self {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let name = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set).unwrap_or_default();
        if name.starts_with("zh") { Self::Chinese } else { Self::English }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Trouble> {
    let text = match arguments.lang.unwrap_or_else(Language::of_environment) {
        Language::English => BUILTIN_EN,
        Language::Chinese => BUILTIN_ZH,
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
    writeln!(io::stderr(), "Wrote {}. Edit it and commit it.", path.display())?;
    Ok(Exit::Success)
}
