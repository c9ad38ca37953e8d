//! The grammar: which fields there are and what may stand in them. The check and the JSON Schema both read it.

/// What may stand at a place.
pub(super) enum Shape {
    /// A text that is taken as it is.
    Text,
    /// `[a-z0-9][a-z0-9-]*`.
    Id,
    /// The name of a variable that is given here.
    Gives,
    /// A template.
    Template,
    /// A template of what is said while an incident lasts: it sees every variable, and [`super::model::DRAFTED`].
    Draft,
    /// A text for a shell, in which `{{ }}` is refused.
    Script,
    /// A condition, and the names it may read beside the variables.
    Condition(&'static [&'static str]),
    /// A condition of a probe, which may read what its source measures: [`MEASURED`].
    Measured,
    /// One of the numbers that the probe's source measures.
    Fact,
    /// A length of time.
    Length,
    /// How much of an output is kept.
    Size,
    /// `true` or `false`.
    Flag,
    /// A whole number, not negative.
    Count,
    /// Any number.
    Number,
    /// Anything; texts in it are templates.
    Any,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list that is not empty.
    List(&'static Shape),
    /// A mapping from any name.
    Dict(&'static Shape),
    /// A mapping from names of variables that are given here.
    GivesEach(&'static Shape),
    /// A mapping with these fields.
    Record(&'static Record),
    /// A text or a list or a mapping: the one whose kind fits.
    Either(&'static [Shape]),
}

/// A mapping with known fields, which are checked in this order.
pub(super) struct Record {
    pub(super) name: &'static str,
    pub(super) fields: &'static [Field],
    /// Exactly one of these must be there; none is asked for where this is empty.
    pub(super) one_of: &'static [&'static str],
}

pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) need: Need,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Required,
    Optional,
}

const fn must(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, need: Need::Required }
}

const fn may(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, need: Need::Optional }
}

const fn record(name: &'static str, fields: &'static [Field]) -> Record {
    Record { name, fields, one_of: &[] }
}

use Shape::{
    Any, Condition, Count, Dict, Draft, Either, Flag, Gives, GivesEach, Id, Length, List, Number, Script, Size,
    Template, Text, Word,
};

/// The kinds of action, with `group`.
pub(super) static ACTIONS: &[&str] =
    &["note", "ask", "confirm", "checklist", "approve", "run", "git", "http", "monitor", "notify", "shell", "group"];

const RESPONSE: &[&str] = &["status", "elapsed_ms", "body", "json", "headers"];
/// What each source of a probe measures.
pub(super) const MEASURED: &[(&str, &[&str])] = &[
    ("http", &["status", "elapsed_ms", "p50", "p95", "p99", "body", "json", "headers"]),
    ("run", &["exit_code", "result", "increase", "stdout"]),
    ("prometheus", &["result", "increase", "results"]),
    ("log", &["count"]),
    ("system", &["load1", "cpu_percent", "memory_percent", "disk_percent"]),
];
/// What of that is no number.
pub(super) const NO_NUMBER: &[&str] = &["body", "json", "headers", "stdout", "results"];
const ATTEMPTED: &[&str] = &["exit_code", "timed_out", "output"];
const COMMAND: Shape = Either(&[Script, List(&Template)]);

pub(super) static RUNBOOK: Record = record(
    "runbook",
    &[
        must("name", Text),
        must("version", Count),
        may("extends", Text),
        may("vars", GivesEach(&Any)),
        may("environment", List(&Text)),
        may("secrets", List(&Text)),
        may("output_limit", Size),
        may("version_files", List(&Template)),
        may("contacts", Dict(&Shape::Record(&CONTACT))),
        may("escalation", List(&Shape::Record(&ESCALATION))),
        may("channels", Dict(&Shape::Record(&CHANNEL))),
        may("updates", Shape::Record(&UPDATES)),
        must("stages", List(&Shape::Record(&STAGE))),
    ],
);
static CONTACT: Record = record("contact", &[must("name", Template), may("phone", Template), may("email", Template)]);
static ESCALATION: Record = record("escalation", &[must("after", Length), must("contact", Text), may("say", Draft)]);
static UPDATES: Record = record("updates", &[must("every", Length), may("channels", List(&Text)), may("text", Draft)]);
static CHANNEL: Record = record(
    "channel",
    &[must("type", Word(&["slack", "webhook", "command"])), may("url_env", Text), may("run", COMMAND)],
);
pub(super) static STAGE: Record = record(
    "stage",
    &[
        must("id", Id),
        may("title", Template),
        may("guide", Template),
        may("when", Condition(&[])),
        may("budget", Length),
        may("trigger", Word(&["rollback"])),
        must("steps", List(&Shape::Record(&STEP))),
    ],
);
pub(super) static STEP: Record = Record {
    name: "step",
    one_of: ACTIONS,
    fields: &[
        must("id", Id),
        may("title", Template),
        may("when", Condition(&[])),
        may("guide", Template),
        may("affects", Word(&["production", "standby"])),
        may("timeout", Length),
        may("inactivity_timeout", Length),
        may("retries", Count),
        may("retry_on", Condition(ATTEMPTED)),
        may("delay", Length),
        may("backoff", Number),
        may("kill_grace", Length),
        may("required", Flag),
        may("done_if", COMMAND),
        may("env", Dict(&Template)),
        may("dir", Template),
        may("interactive", Flag),
        may("tty", Flag),
        may("always", Flag),
        may("note", NOTE),
        may("ask", ASK),
        may("confirm", CONFIRM),
        may("checklist", CHECKLIST),
        may("approve", APPROVE),
        may("run", COMMAND),
        may("git", GIT),
        may("http", HTTP),
        may("monitor", Shape::Record(&MONITOR)),
        may("notify", NOTIFY),
        may("shell", SHELL),
        may("group", Shape::Record(&GROUP)),
        may("capture", GivesEach(&Word(&["stdout", "output", "exit_code"]))),
        may("success_exit", List(&Count)),
        may("verify", Shape::Record(&ACTION)),
        may("undo", Shape::Record(&ACTION)),
    ],
};
static ACTION: Record = Record {
    name: "action",
    one_of: ACTIONS,
    fields: &[
        may("note", NOTE),
        may("ask", ASK),
        may("confirm", CONFIRM),
        may("checklist", CHECKLIST),
        may("approve", APPROVE),
        may("run", COMMAND),
        may("git", GIT),
        may("http", HTTP),
        may("monitor", Shape::Record(&MONITOR)),
        may("notify", NOTIFY),
        may("shell", SHELL),
    ],
};
const NOTE: Shape = Either(&[Template, Shape::Record(&NOTE_LONG)]);
static NOTE_LONG: Record = record("note", &[must("text", Template)]);
const ASK: Shape = Either(&[Template, Shape::Record(&ASK_LONG)]);
static ASK_LONG: Record = record(
    "ask",
    &[
        must("prompt", Template),
        may("choice", List(&Template)),
        may("choices", List(&Template)),
        may("number", Flag),
        may("editor", Flag),
        may("into", Gives),
    ],
);
const CONFIRM: Shape = Either(&[Template, Shape::Record(&CONFIRM_LONG)]);
static CONFIRM_LONG: Record = record(
    "confirm",
    &[
        must("prompt", Template),
        may("type", Template),
        may("into", Gives),
        may("no", Word(&["pause", "decline", "rollback", "continue"])),
    ],
);
const CHECKLIST: Shape = Either(&[ITEMS, Shape::Record(&CHECKLIST_LONG)]);
const ITEMS: Shape = List(&Either(&[Template, Shape::Record(&ITEM)]));
static CHECKLIST_LONG: Record = record("checklist", &[must("items", ITEMS)]);
static ITEM: Record = record("item", &[must("item", Template), may("optional", Flag)]);
const APPROVE: Shape = Either(&[Template, Shape::Record(&APPROVE_LONG)]);
static APPROVE_LONG: Record = record("approve", &[must("prompt", Template), may("optional", Flag)]);
static LIMITS: Record = record("limits", &[may("files", Count), may("lines", Count)]);
const GIT: Shape = Either(&[Word(&["fetch"]), Shape::Record(&GIT_LONG)]);
static GIT_LONG: Record = Record {
    name: "git",
    one_of: &["branch", "bump", "commit", "tag", "push", "merge", "cherry_pick", "delete_branch"],
    fields: &[
        may("branch", Template),
        may("from", Template),
        may("bump", Template),
        may("commit", Template),
        may("edit", Flag),
        may("warn_above", Shape::Record(&LIMITS)),
        may("tag", Template),
        may("message", Template),
        may("tested", Text),
        may("push", List(&Template)),
        may("merge", Template),
        may("into", Template),
        may("also", List(&Template)),
        may("cherry_pick", Template),
        may("taken", Gives),
        may("delete_branch", Template),
    ],
};
const HTTP: Shape = Either(&[Template, Shape::Record(&HTTP_LONG)]);
static HTTP_LONG: Record = record(
    "http",
    &[
        may("method", Template),
        must("url", Template),
        may("headers", Dict(&Template)),
        may("json", Any),
        may("body", Template),
        may("redirects", Count),
        may("expect", Condition(RESPONSE)),
    ],
);
static MONITOR: Record = record(
    "monitor",
    &[
        may("for", Length),
        may("background", Flag),
        may("from", Word(&["production"])),
        may("then", Word(&["behind", "end"])),
        may("on_breach", Word(&["ask", "rollback", "continue"])),
        must("probes", List(&Shape::Record(&PROBE))),
    ],
);
/// Where a probe measures.
pub(super) static SOURCES: &[&str] = &["http", "run", "prometheus", "log", "system"];
static PROBE: Record = Record {
    name: "probe",
    one_of: SOURCES,
    fields: &[
        must("name", Text),
        may("http", HTTP),
        may("run", COMMAND),
        may("prometheus", Shape::Record(&PROMETHEUS)),
        may("log", Shape::Record(&LOG)),
        may("system", Shape::Record(&SYSTEM)),
        may("interval", Length),
        may("timeout", Length),
        may("initial_delay", Length),
        may("count", Count),
        may("success_condition", Shape::Measured),
        may("failure_condition", Shape::Measured),
        may("failure_limit", Count),
        may("inconclusive_limit", Count),
        may("consecutive_error_limit", Count),
        may("capture", GivesEach(&Shape::Fact)),
    ],
};
static PROMETHEUS: Record = record(
    "prometheus",
    &[
        must("url", Template),
        must("query", Template),
        may("headers", Dict(&Template)),
        may("range", Length),
        may("step", Length),
    ],
);
static LOG: Record = Record {
    name: "log",
    one_of: &["path", "run"],
    fields: &[may("path", Template), may("run", COMMAND), must("contains", Template)],
};
static SYSTEM: Record = record("system", &[may("path", Template)]);
const NOTIFY: Shape = Either(&[Template, Shape::Record(&NOTIFY_LONG)]);
static NOTIFY_LONG: Record = record("notify", &[must("text", Template), may("channels", List(&Text))]);
const SHELL: Shape = Either(&[Template, Shape::Record(&SHELL_LONG)]);
static SHELL_LONG: Record = record("shell", &[must("prompt", Template)]);
static GROUP: Record =
    record("group", &[must("steps", List(&Shape::Record(&STEP))), may("repeat", Shape::Record(&REPEAT))]);
static REPEAT: Record = record("repeat", &[may("until", Condition(&[])), may("means", Template), must("max", Count)]);
