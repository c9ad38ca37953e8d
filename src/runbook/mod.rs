//! The model of a runbook, and the way from its text to it.
//!
//! # Why
//! A text becomes a tree that knows where each value stands; `extends` is merged on trees; one grammar checks a tree and gives
//! the JSON Schema, so that the two cannot disagree; only a tree without a problem is decoded.

mod check;
mod decode;
mod grammar;
mod load;
mod merge;
mod model;
mod problem;
mod rules;
mod schema;
mod tree;
mod yaml;

pub use load::{BUILTIN_EN, BUILTIN_ZH, Builtin, EXTENDING, Loaded, Source, load, read};
pub use model::{Affects, Body, Contact, DRAFTED, Escalation, Group, Repeat, Runbook, Stage, Step, Trigger, Updates};
pub use problem::{Problem, Problems};
pub use schema::schema;
