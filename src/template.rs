//! Templates, conditions and lengths of time: the texts of a runbook that are worked out when a step starts.
//!
//! # Why
//! All three are one language (minijinja), strict: a name that nobody gave is an error and never an empty text. Fuel bounds
//! what an expression may cost, so that no runbook can hang the program.

mod measured;
mod order;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};
use serde::{Deserialize, Serialize};

use crate::vars::Values;

const FUEL: u64 = 100_000;

/// A text with `{{ }}` in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(String);

impl Template {
    /// The template `text`, not yet checked.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The text with its values in place.
    ///
    /// # Errors
    /// What is wrong with it: a name nobody gave, a filter that fails, too much work.
    pub fn render(&self, values: &Values) -> Result<String, String> {
        if self.is_plain() {
            return Ok(self.0.clone());
        }
        let rendered = with_engine(|env| {
            let template = env.template_from_str(&self.0)?;
            template.render(context(values, &template.undeclared_variables(false)))
        });
        let mut text = rendered.map_err(|error| explain(&error))?;
        // The library drops one line end at the end; a script's last line keeps its own.
        if self.0.ends_with('\n') {
            text.push('\n');
        }
        Ok(text)
    }

    /// The names it reads that it does not define itself.
    ///
    /// # Errors
    /// Why it does not compile, or which filter or test it names that does not exist.
    pub fn names(&self) -> Result<BTreeSet<String>, String> {
        if self.is_plain() {
            return Ok(BTreeSet::new());
        }
        with_engine(|env| {
            let template = env.template_from_str(&self.0).map_err(|error| explain(&error))?;
            for code in expressions(&self.0) {
                known_filters(env, code)?;
            }
            Ok(template.undeclared_variables(false).into_iter().filter(|name| !is_global(env, name)).collect())
        })
    }

    /// Whether there is nothing to work out in it.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !["{{", "{%", "{#"].iter().any(|open| self.0.contains(open))
    }
}

/// An expression that is true or false.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Condition(String);

impl Condition {
    /// The condition `text`, not yet checked.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// What is wrong with it. A value that is neither true nor false is an error: `status` alone decides nothing. So is the
    /// order of what has none: `none < 5` is neither.
    pub fn holds(&self, values: &Values) -> Result<bool, String> {
        let value = with_engine(|env| {
            let code = env.compile_expression(&self.0).map_err(|error| explain(&error))?;
            let context = context(values, &code.undeclared_variables(false));
            let value = code.eval(context.clone()).map_err(|error| explain(&error))?;
            order::check(env, &self.0, &context)?;
            Ok::<_, String>(value)
        })?;
        bool::try_from(value.clone())
            .ok()
            .filter(|_| value.kind() == minijinja::value::ValueKind::Bool)
            .ok_or_else(|| format!("`{}` is `{value}`, which is neither true nor false", self.0))
    }

    /// The first number that it compares with anything and that follows from `facts` alone; `None` where it compares none.
    #[must_use]
    pub fn measured(&self, facts: &[(&'static str, serde_json::Value)]) -> Option<serde_json::Value> {
        let facts = Value::from_pairs(facts.iter().map(|(name, value)| (*name, Value::from(Serde(value)))));
        let number = with_engine(|env| measured::measured(env, &self.0, &facts))?;
        serde_json::to_value(&number).ok()
    }

    /// The names it reads.
    ///
    /// # Errors
    /// Why it does not compile, or which filter or test it names that does not exist.
    pub fn names(&self) -> Result<BTreeSet<String>, String> {
        with_engine(|env| {
            let code = env.compile_expression(&self.0).map_err(|error| explain(&error))?;
            known_filters(env, &self.0)?;
            Ok(code.undeclared_variables(false).into_iter().filter(|name| !is_global(env, name)).collect())
        })
    }
}

/// A length of time: `90s`, `15m`, `2h`, or a template that gives one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Length(Template);

impl Length {
    /// The length `text`, not yet checked.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Template::new(text))
    }

    /// The text as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.text()
    }

    /// How long it is.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn resolve(&self, values: &Values) -> Result<Duration, String> {
        read_length(&self.0.render(values)?)
    }

    /// The names it reads. A length without `{{ }}` is read at once.
    ///
    /// # Errors
    /// What is wrong with it, as far as that shows before there are values.
    pub fn names(&self) -> Result<BTreeSet<String>, String> {
        if self.0.is_plain() {
            return read_length(self.text()).map(|_| BTreeSet::new());
        }
        self.0.names()
    }
}

/// Reads `90s`, `15m`, `2h`, `1h30m`. `M` is refused: to the library it is a month, to whoever wrote it a minute.
fn read_length(text: &str) -> Result<Duration, String> {
    if text.contains('M') {
        return Err(format!("`{text}`: a capital `M` is not a unit here, write `m` for minutes"));
    }
    humantime::parse_duration(text.trim())
        .map_err(|_| format!("`{text}` is not a length of time such as 90s, 15m or 2h"))
}

fn engine() -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    order::add_tests(&mut env);
    env
}

/// Does something with the one engine of this thread: to make it costs more than most templates.
fn with_engine<T>(act: impl FnOnce(&Environment<'static>) -> T) -> T {
    thread_local! {
        static ENGINE: Environment<'static> = engine();
    }
    ENGINE.with(act)
}

/// Those of `values` that are read.
fn context(values: &Values, read: &HashSet<String>) -> Value {
    let mut all: BTreeMap<&str, Value> =
        read.iter().filter_map(|name| Some((name.as_str(), Value::from(Serde(values.get(name)?))))).collect();
    if read.contains("env") {
        let env: BTreeMap<&str, &str> = values.environment().iter().filter(|(_, value)| !value.is_empty()).collect();
        all.insert("env", Value::from(Serde(&env)));
    }
    Value::from_pairs(all)
}

fn explain(error: &minijinja::Error) -> String {
    let what = match error.kind() {
        ErrorKind::UndefinedError => "a name in it is not set",
        ErrorKind::OutOfFuel => "it asks for more work than a template may do",
        _ => "",
    };
    match (what, error.detail()) {
        ("", Some(detail)) => format!("{}: {detail}", error.kind()),
        ("", None) => error.kind().to_string(),
        (what, Some(detail)) => format!("{what}: {detail}"),
        (what, None) => what.to_owned(),
    }
}

fn is_global(env: &Environment<'_>, name: &str) -> bool {
    env.globals().any(|(global, _)| global == name) || matches!(name, "loop" | "self")
}

/// What stands between `{{ }}` and `{% %}`.
fn expressions(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (at, close) = [("{{", "}}"), ("{%", "%}")]
            .iter()
            .filter_map(|(open, close)| rest.find(open).map(|at| (at, *close)))
            .min_by_key(|(at, _)| *at)?;
        let body = &rest[at + 2..];
        let end = body.find(close).unwrap_or(body.len());
        rest = body.get(end + 2..).unwrap_or("");
        Some(&body[..end])
    })
}

/// The library learns of an unknown filter only when it runs; a runbook is checked before anything does.
fn known_filters(env: &Environment<'_>, code: &str) -> Result<(), String> {
    let mut quote = None;
    let mut chars = code.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => {
                chars.next();
            }
            (Some(open), _) if open == c => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '|') => {
                let name = word(&code[at + 1..]);
                if refused(env, &format!("none|{name}"), ErrorKind::UnknownFilter) {
                    return Err(format!("there is no filter `{name}`"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn word(text: &str) -> &str {
    let text = text.trim_start();
    &text[..text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())]
}

fn refused(env: &Environment<'_>, probe: &str, kind: ErrorKind) -> bool {
    env.compile_expression(probe).and_then(|code| code.eval(())).is_err_and(|error| error.kind() == kind)
}

#[cfg(test)]
mod tests {
    use super::{Condition, Length, Template};
    use crate::vars::{Environment, Values};
    use std::time::Duration;

    fn values() -> Values {
        let mut values = Values::new(Environment::from_iter([("USER".to_owned(), "ann".to_owned())]));
        values.set("tag", "v1.2.3");
        values.set("status", 200);
        values
    }

    #[test]
    fn a_template_reads_variables_and_the_environment_and_nothing_else() {
        let render = |text: &str| Template::new(text).render(&values());
        assert_eq!(render("{{ tag }} {{ env.USER }}\n"), Ok("v1.2.3 ann\n".to_owned()));
        assert!(render("{{ nobody }}").is_err());
        assert!(render("{{ env.NOBODY }}").is_err());
        assert!(render("{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}").is_err());
    }

    #[test]
    fn a_condition_is_true_or_false_or_wrong() {
        let holds = |text: &str| Condition::new(text).holds(&values());
        assert_eq!(holds("200 <= status and status < 300"), Ok(true));
        assert_eq!(holds("tag == 'v9'"), Ok(false));
        assert!(holds("status").is_err());
        assert!(holds("nobody == 1").is_err());
    }

    #[test]
    fn what_has_no_order_is_neither_less_nor_greater() {
        let mut values = values();
        values.set("gone", serde_json::Value::Null);
        values.set("json", serde_json::json!({"errors": null, "list": [7], "ratio": 0.5}));
        let holds = |text: &str| Condition::new(text).holds(&values);
        for wrong in [
            "gone < 5",
            "none < 5",
            "'7' > 5",
            "tag >= 2",
            "json.errors < 5",
            "(json.errors) + 0 < 5 or true",
            "0 <= gone < 5",
            "not (gone > 5)",
            "status > 100 and gone < 5",
            "[gone < 5][0]",
            "(gone < 5)|string == 'true'",
            "gone is lt(5)",
            "json.list > 5",
            "true > 0",
            "(1 > 0) if gone < 5 else false",
        ] {
            assert!(holds(wrong).is_err(), "{wrong}: {:?}", holds(wrong));
        }
        assert_eq!(holds("'7' > 5"), Err("it compares a text with a number".to_owned()));
        for right in [
            "status < 300",
            "100 <= status < 300",
            "tag > 'v1'",
            "json.ratio < 1",
            "json.list[0] > status / 100",
            "gone is none or gone < 5",
            "not (gone is not none and gone < 5)",
            "true if gone is none else gone < 5",
            "status is ge(200)",
            "gone != 5 and '7' != 7",
            "json.list|length < 5",
        ] {
            assert_eq!(holds(right), Ok(true), "{right}");
        }
    }

    #[test]
    fn names_are_those_it_reads_and_a_filter_must_exist() {
        let names = Template::new("{{ a|upper }}{% for x in b %}{{ x }}{{ range(3) }}{% endfor %}").names();
        assert_eq!(names, Ok(["a", "b"].map(str::to_owned).into()));
        assert_eq!(Template::new("{{ a|uper }}").names(), Err("there is no filter `uper`".to_owned()));
        assert!(Condition::new("a == 'x|y'").names().is_ok());
        assert!(Condition::new("a ==").names().is_err());
    }

    #[test]
    fn a_length_has_a_unit_and_a_capital_m_is_refused() {
        let resolve = |text: &str| Length::new(text).resolve(&values());
        assert_eq!(resolve("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(resolve("{{ status }}s"), Ok(Duration::from_secs(200)));
        assert!(resolve("15M").is_err());
        assert!(resolve("90").is_err());
        assert!(Length::new("soon").names().is_err());
    }
}
