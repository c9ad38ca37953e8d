//! The model of a runbook, and the way from its text to it.

mod model;

pub use model::{
    Affects, Body, Capture, Channel, ChannelKind, Contact, Escalation, Group, Repeat, Runbook, Stage, Step, Trigger,
};
