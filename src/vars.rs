//! The values of a run: variables by name, and the environment the program was started in.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

/// The environment the program was started in. A snapshot, so that a run sees one environment and a test sees its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(Arc<BTreeMap<String, String>>);

impl Environment {
    /// The environment of this process. A value that is not UTF-8 is left out.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of `name`, where it is set and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Every name with its value, in order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(Arc::new(pairs.into_iter().collect()))
    }
}

/// The variables that templates and conditions see, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    vars: BTreeMap<String, Value>,
    env: Environment,
}

impl Values {
    /// No variables yet, over the environment `env`.
    #[must_use]
    pub fn new(env: Environment) -> Self {
        Self { vars: BTreeMap::new(), env }
    }

    /// Gives `name` the value `value`, in place of any it had.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.vars.insert(name.into(), value.into());
    }

    /// The value of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.vars.get(name)
    }

    /// The value of `name` as text: a string as it is, anything else as JSON; empty where there is none.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        self.vars.get(name).map(text_of).unwrap_or_default()
    }

    /// Every variable in order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.vars.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The environment that `env.NAME` reads.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.env
    }

    /// What a script gets: `HOTFIX_` and the name in capitals, `-` and `.` as `_`. Variables that are null are left out.
    #[must_use]
    pub fn for_script(&self) -> Vec<(String, String)> {
        let named = self.vars.iter().filter(|(_, value)| !value.is_null());
        named.map(|(name, value)| (script_name(name), text_of(value))).collect()
    }
}

/// The environment variable that carries the variable `name` to a script.
#[must_use]
pub fn script_name(name: &str) -> String {
    format!("HOTFIX_{}", name.to_uppercase().replace(['-', '.'], "_"))
}

/// A value as text: a string as it is, null as nothing, anything else as JSON.
#[must_use]
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
