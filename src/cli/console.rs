//! Who answers and where things are shown: a person at the terminal, or a file of answers and plain lines.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::rc::Rc;

use clap::{Args, ValueEnum};

use super::{Exit, Trouble};
use crate::mask::Masker;
use crate::operator::scripted::Scripted;
use crate::operator::{Operator, Screen};
use crate::terminal::{Language, Plain, Settings, Terminal};
use crate::vars::Environment;

/// How the program looks and sounds.
#[derive(Clone, Debug, Args)]
pub(super) struct Look {
    /// Whether to colour what is shown
    #[arg(long, global = true, value_enum, default_value_t = When::Auto)]
    pub(super) color: When,
    /// Show only questions, commands, failures and warnings
    #[arg(long, short, global = true)]
    pub(super) quiet: bool,
    /// The language; by default that of LANG
    #[arg(long, global = true, value_enum)]
    pub(super) lang: Option<Lang>,
}

/// When something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    Auto,
    Always,
    Never,
}

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Lang {
    En,
    #[value(name = "zh-CN")]
    Zh,
}

impl Look {
    /// The language that is asked for, or that the environment has.
    pub(super) fn language(&self, environment: &Environment) -> Lang {
        let of = |name| environment.get(name);
        let set = of("LC_ALL").or_else(|| of("LC_MESSAGES")).or_else(|| of("LANG")).unwrap_or_default();
        self.lang.unwrap_or(if set.starts_with("zh") { Lang::Zh } else { Lang::En })
    }

    /// `words` with what has another process look the same.
    pub(super) fn arguments<'a>(&self, words: &[&'a str]) -> Vec<&'a str> {
        let mut words = words.to_vec();
        words.extend(self.quiet.then_some("--quiet"));
        words.extend(self.lang.map(|lang| if lang == Lang::En { "--lang=en" } else { "--lang=zh-CN" }));
        words
    }

    /// The same for a terminal.
    pub(super) fn settings(&self, environment: &Environment) -> Settings {
        let color = match self.color {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                let dumb = environment.get("TERM").is_none_or(|term| term == "dumb");
                std::io::stderr().is_terminal() && environment.get("NO_COLOR").is_none() && !dumb
            }
        };
        let language = match self.language(environment) {
            Lang::En => Language::English,
            Lang::Zh => Language::Chinese,
        };
        Settings { color, quiet: self.quiet, language }
    }
}

/// Whose answers count, and the screen.
pub(super) type Console = (Rc<dyn Operator>, Rc<dyn Screen>);

/// The console where nobody answers, and somebody may come.
pub(super) fn away(look: &Look, environment: &Environment) -> Console {
    (Rc::new(Scripted::away()), Rc::new(Plain::new(look.settings(environment))))
}

/// Opens the console. `known` are the steps that answers may be for, `used` how many each has used,
/// `masker` what an answer is shown without.
pub(super) fn open(
    look: &Look,
    environment: &Environment,
    answers: Option<&PathBuf>,
    (known, used): (&[String], BTreeMap<String, usize>),
    masker: &Masker,
) -> Result<Console, Trouble> {
    let settings = look.settings(environment);
    let person = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if answers.is_none() && person {
        let terminal = Rc::new(Terminal::open(settings)?.masked(masker.clone()));
        return Ok((Rc::clone(&terminal) as Rc<dyn Operator>, terminal));
    }
    let text = match answers {
        Some(path) => std::fs::read_to_string(path).map_err(|error| {
            let message = format!("{}: {error}; give a file of answers that can be read", path.display());
            Trouble::new(Exit::Usage, message)
        })?,
        None => String::new(),
    };
    let name = answers.map(|path| path.display().to_string()).unwrap_or_default();
    let scripted = Scripted::parse(&text, used);
    let scripted = scripted.map_err(|error| Trouble::new(Exit::Usage, format!("{name}: {error}")))?;
    let unknown = scripted.check_known(known);
    if !unknown.is_empty() {
        let lines: Vec<_> = unknown.iter().map(|key| format!("{name}: {key}")).collect();
        return Err(Trouble::new(Exit::Usage, lines.join("\n")));
    }
    Ok((Rc::new(scripted), Rc::new(Plain::new(settings))))
}
