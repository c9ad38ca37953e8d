//! One HTTP request and what is expected of its response.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::template::{Condition, Template};

/// What an `http` step sends and expects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The method.
    #[serde(default = "get")]
    pub method: Template,
    /// Where to.
    pub url: Template,
    /// Headers by name.
    #[serde(default)]
    pub headers: BTreeMap<String, Template>,
    /// A body in JSON; each text in it is a template.
    #[serde(default)]
    pub json: Option<serde_json::Value>,
    /// A body as it is.
    #[serde(default)]
    pub body: Option<Template>,
    /// Holds where the response is as it should be; reads `status`, `elapsed_ms`, `body`, `json` and `headers`.
    #[serde(default = "success")]
    pub expect: Condition,
}

fn get() -> Template {
    Template::new("GET")
}

fn success() -> Condition {
    Condition::new("200 <= status and status < 300")
}
