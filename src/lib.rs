//! `hotfix`: an interactive runbook executor for emergency production fixes.
//!
//! The journal is the state: a run is the fold of its records, and everything the program does next follows from them.
//! The order of the modules below is the layering. A module may use those listed before it; a test holds it to that.

pub mod clock;
pub mod digest;
pub mod vars;
pub mod template;
pub mod since;
pub mod mask;
pub mod process;
pub mod version;
pub mod git;
pub mod http;
pub mod gate;
pub mod samples;
pub mod operator;
pub mod action;
pub mod runbook;
pub mod event;
pub mod run;
pub mod schedule;
pub mod journal;
pub mod report;
pub mod store;
pub mod preflight;
pub mod engine;
pub mod plan;
pub mod terminal;
pub mod drill;
pub mod cli;
