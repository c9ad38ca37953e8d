//! What no single field shows: rules between fields, steps and stages.

use super::check::{Finding, Seen, twice};
use super::grammar::ACTIONS;
use super::problem::nearest;
use super::tree::{Node, Tree};
use crate::template::Length;
use crate::vars::Values;

/// Adds what is wrong between the parts of `root` to `findings`.
pub(super) fn check(root: &Node, seen: Seen, findings: &mut Vec<Finding>) {
    let mut rules = Rules { root, seen, findings, production: false };
    rules.runbook();
}

struct Rules<'a> {
    root: &'a Node,
    seen: Seen,
    findings: &'a mut Vec<Finding>,
    /// Whether a step that affects production has come by.
    production: bool,
}

/// Whether what stands around a step affects production.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    Nothing,
    Production,
}

impl<'a> Rules<'a> {
    fn find(&mut self, node: &Node, message: impl Into<String>, help: Option<&str>) {
        self.findings.push((node.place, message.into(), help.map(str::to_owned)));
    }

    fn runbook(&mut self) {
        let root = self.root;
        if let Some(version) = root.get("version").filter(|version| matches!(version.tree, Tree::Number(_)))
            && version.json().as_u64() != Some(1)
        {
            self.find(version, "this version of the language is not known", Some("version: 1"));
        }
        for rung in root.get("escalation").map(Node::items).unwrap_or_default() {
            self.known(rung.get("contact"), "contacts");
        }
        if let Some(updates) = root.get("updates") {
            for channel in updates.get("channels").map(Node::items).unwrap_or_default() {
                self.known(Some(channel), "channels");
            }
            let never = |every: &&Node| {
                let length = every.text().and_then(|text| Length::new(text).resolve(&Values::default()).ok());
                length.is_some_and(|length| length.is_zero())
            };
            if let Some(every) = updates.get("every").filter(never) {
                self.find(every, "updates that are always due help nobody", Some("every: 20m"));
            }
        }
        let stages = root.get("stages").map(Node::items).unwrap_or_default();
        self.unique(stages, "id");
        let mut triggered = stages.iter().filter_map(|stage| stage.get("trigger")).skip(1);
        if let Some(second) = triggered.next() {
            self.find(second, "there is already a stage that a rollback ends in", None);
        }
        for stage in stages {
            self.steps(stage.get("steps"), Around::Nothing);
        }
    }

    fn unique(&mut self, items: &[Node], field: &str) {
        let names = items.iter().filter_map(|item| item.get(field)).filter_map(|node| Some((node.place, node.text()?)));
        for (place, name, first) in twice(names) {
            self.findings.push((place, format!("`{name}` is already the {field} on line {}", first.line), None));
        }
    }

    /// That what `node` names is in the mapping `table` of the runbook.
    fn known(&mut self, node: Option<&Node>, table: &str) {
        let Some((node, name)) = node.and_then(|node| Some((node, node.text()?))) else { return };
        let entries = self.root.get(table).map(Node::entries).unwrap_or_default();
        if self.seen == Seen::All && !entries.iter().any(|(key, _)| key.name == name) {
            let help = nearest(name, entries.iter().map(|(key, _)| key.name.as_str()));
            self.findings.push((node.place, format!("`{name}` is not among the {table}"), help));
        }
    }

    fn steps(&mut self, list: Option<&'a Node>, around: Around) {
        let items = list.map(Node::items).unwrap_or_default();
        self.unique(items, "id");
        for step in items {
            self.step(step, around);
        }
    }

    fn step(&mut self, step: &'a Node, around: Around) {
        let own = step.get("affects").is_some();
        let around = if own { Around::Production } else { around };
        self.production |= around == Around::Production;
        let retries = step.get("retries").filter(|retries| retries.json().as_u64() != Some(0));
        if let Some(retries) = retries.filter(|_| around == Around::Production)
            && step.get("done_if").is_none()
            && step.get("retry_on").is_none()
        {
            let help = "say with `done_if` how to tell that it has happened, or with `retry_on` when it surely has not";
            self.find(retries, "a step that affects production is not retried blindly", Some(help));
        }
        if let Some(codes) = step.get("success_exit") {
            if step.get("run").is_none() {
                self.find(codes, "`success_exit` goes with `run` alone", None);
            }
            let odd = |code: &&Node| code.json().as_u64().is_some_and(|code| code == 0 || code > 125);
            if let Some(code) = codes.items().iter().find(odd) {
                let help = Some("0 is a success anyway, and 126 and above are the shell's own");
                self.find(code, "an exit code here is 1 to 125", help);
            }
        }
        let captures = step.get("capture").map(Node::entries).unwrap_or_default();
        if step.get("interactive").is_some_and(Node::is_true)
            && let Some((_, stdout)) = captures.iter().find(|(_, from)| from.text() == Some("stdout"))
        {
            let help = Some("`output`, with what is wanted written to $HOTFIX_OUTPUT");
            self.find(stdout, "an interactive command writes to the terminal, where nothing can be captured", help);
        }
        self.action(step);
        for inner in [step.get("undo"), step.get("verify")].into_iter().flatten() {
            self.action(inner);
            let probes = inner.get("monitor").and_then(|monitor| monitor.get("probes")).map(Node::items);
            for capture in probes.unwrap_or_default().iter().filter_map(|probe| probe.get("capture")) {
                self.find(capture, "a probe captures only in a step of its own, not in `undo` or `verify`", None);
            }
        }
        if let Some(group) = step.get("group") {
            self.steps(group.get("steps"), around);
        }
    }

    fn action(&mut self, of: &Node) {
        for (key, node) in of.entries().iter().filter(|(key, _)| ACTIONS.contains(&key.name.as_str())) {
            match key.name.as_str() {
                "ask" => self.ask(node),
                "confirm" => self.confirm(node),
                "git" => self.git(node),
                "http" => self.http(node),
                "monitor" => self.monitor(node),
                "notify" => {
                    let channels = node.get("channels").map(Node::items).unwrap_or_default();
                    for channel in channels {
                        self.known(Some(channel), "channels");
                    }
                }
                _ => {}
            }
        }
    }

    fn ask(&mut self, node: &Node) {
        let kinds = ["choice", "choices", "number", "editor"];
        let mut given = node.entries().iter().filter(|(key, _)| kinds.contains(&key.name.as_str()));
        if let Some((key, _)) = given.nth(1) {
            self.findings.push((key.place, "a question has one kind of answer".to_owned(), None));
        }
    }

    fn confirm(&mut self, node: &Node) {
        if let Some(no) = node.get("no").filter(|no| self.production && no.text() == Some("decline")) {
            let help = Some("`no: rollback` or `no: pause`");
            self.find(no, "once production may have been touched, a run cannot be declined", help);
        }
    }

    fn git(&mut self, node: &Node) {
        let partners: &[(&str, &[&str])] = &[
            ("from", &["branch"]),
            ("message", &["tag"]),
            ("tested", &["tag"]),
            ("warn_above", &["commit"]),
            ("edit", &["commit"]),
            ("into", &["merge"]),
            ("also", &["merge"]),
            ("taken", &["cherry_pick"]),
        ];
        for (name, with) in partners {
            if let Some(extra) = node.get(name).filter(|_| !with.iter().any(|with| node.get(with).is_some())) {
                self.find(extra, format!("`{name}` goes with `{}` alone", with.join("` or `")), None);
            }
        }
        let stages = self.root.get("stages").map(Node::items).unwrap_or_default();
        let ids: Vec<&str> = stages.iter().filter_map(|stage| stage.get("id")?.text()).collect();
        if let Some((tested, stage)) = node.get("tested").and_then(|tested| Some((tested, tested.text()?)))
            && self.seen == Seen::All
            && !ids.contains(&stage)
        {
            let help = nearest(stage, ids.iter().copied());
            self.findings.push((tested.place, format!("`{stage}` is not among the stages"), help));
        }
        for (name, needs) in [("branch", "from"), ("merge", "into")] {
            if let Some(operation) = node.get(name).filter(|_| node.get(needs).is_none()) {
                self.find(operation, format!("`{name}` needs `{needs}`"), None);
            }
        }
    }

    fn http(&mut self, node: &Node) {
        if let (Some(_), Some(body)) = (node.get("json"), node.get("body")) {
            self.find(body, "a request has `json` or `body`, not both", None);
        }
    }

    fn monitor(&mut self, node: &Node) {
        let probes = node.get("probes").map(Node::items).unwrap_or_default();
        self.unique(probes, "name");
        if let (Some(then), true) = (node.get("then"), node.get("background").is_some_and(Node::is_true)) {
            self.find(
                then,
                "`then` is for a monitor that is waited for: in the background it lasts as long as `for` says",
                None,
            );
        }
        let lasts = node.get("for").is_some() || node.get("background").is_some_and(Node::is_true);
        let behind = node.get("background").is_some_and(Node::is_true);
        for probe in probes {
            if let Some(capture) = probe.get("capture").filter(|_| behind) {
                let help = Some("measure it in a step of its own, which is waited for");
                self.find(capture, "what goes on behind later steps has nothing to give them", help);
            }
            if let Some(http) = probe.get("http") {
                self.http(http);
            }
            if let Some(step) =
                probe.get("prometheus").filter(|of| of.get("range").is_none()).and_then(|of| of.get("step"))
            {
                self.find(step, "`step` goes with `range` alone", None);
            }
            let (interval, count) = (probe.get("interval"), probe.get("count"));
            if let (Some(log), None) = (probe.get("log"), interval) {
                let help = Some("the lines of an interval are counted: add `interval: 30s`");
                self.find(log, "a log probe needs an `interval`", help);
            }
            match (interval, count) {
                (None, Some(count)) if count.json().as_u64().is_some_and(|count| count > 1) => {
                    self.find(count, "a `count` above 1 needs an `interval`", Some("interval: 30s"));
                }
                (Some(interval), None) if !lasts => {
                    let help = Some("give the probe a `count`, or the monitor `for` or `background: true`");
                    self.find(interval, "an `interval` without `count` never ends", help);
                }
                (_, Some(count)) if count.json().as_u64() == Some(0) => {
                    self.find(count, "a `count` of 0 measures nothing", None);
                }
                _ => {}
            }
        }
    }
}
