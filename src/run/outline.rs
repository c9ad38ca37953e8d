//! What of a runbook decides the order of things, and nothing else of it.

/// What of a runbook decides the order of things.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The stages in order.
    pub stages: Vec<StageOutline>,
}

/// A stage of an [`Outline`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageOutline {
    /// Its id.
    pub id: String,
    /// Whether the way back ends in it.
    pub trigger: Trigger,
    /// Its steps in order.
    pub steps: Vec<StepOutline>,
}

/// What a stage is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A part of the way forward.
    Forward,
    /// The stage that a rollback ends in.
    Rollback,
}

/// A step of an [`Outline`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepOutline {
    /// `stage/step`.
    pub key: String,
    /// What it touches.
    pub reach: Reach,
    /// Whether it has an undo.
    pub undo: Undo,
    /// Whether it runs again on every resume.
    pub repeat: Repeat,
}

/// What a step touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Anything but production.
    Elsewhere,
    /// Production.
    Production,
}

/// Whether a step can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// The runbook gives no undo.
    None,
    /// The runbook gives one.
    Given,
}

/// How often a step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Once it is done it stays done.
    Once,
    /// Again on every resume (`always`).
    EveryResume,
}
