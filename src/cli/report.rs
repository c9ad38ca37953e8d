//! `hotfix report`.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::select::{Otherwise, select};
use super::{Exit, Trouble, data, store};
use crate::report;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run, by its id or the beginning or end of it; by default the active one, else the latest
    run: Option<String>,
    /// Form of the report; by default that of FILE's name, else md
    #[arg(long)]
    format: Option<Format>,
    /// Write it to FILE and not to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Md,
    Html,
    Json,
}

impl Format {
    fn of_name(path: &Path) -> Option<Self> {
        match path.extension().and_then(OsStr::to_str)? {
            "md" => Some(Self::Md),
            "html" | "htm" => Some(Self::Html),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Trouble> {
    let run = select(&store()?, arguments.run.as_deref(), Otherwise::Latest)?;
    let runbook = run.runbook();
    let source = run.source(runbook.as_ref());
    let named = arguments.output.as_deref().and_then(Format::of_name);
    let text = match arguments.format.or(named).unwrap_or(Format::Md) {
        Format::Md => report::markdown(&source),
        Format::Html => report::html(&source),
        Format::Json => serde_json::to_string_pretty(&report::json(&source)).map_err(io::Error::from)? + "\n",
    };
    match &arguments.output {
        None => _ = data(|out| out.write_all(text.as_bytes()))?,
        Some(path) => {
            let failed = |error| Trouble::new(Exit::Error, format!("{} cannot be written: {error}", path.display()));
            fs::write(path, text).map_err(failed)?;
            writeln!(super::said::stderr(), "Wrote {}.", path.display())?;
        }
    }
    run.shown()
}
