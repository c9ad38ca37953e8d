//! The incident report as Markdown.

use std::fmt::Write as _;
use std::time::Duration;

use super::Source;
use super::incident::{Incident, Moment};
use super::text::one_line;
use crate::clock::{Timestamp, brief};

/// The incident report as Markdown. Times are UTC. Whatever people and programs wrote is text in it and never markup.
#[must_use]
pub fn markdown(source: &Source<'_>) -> String {
    let incident = Incident::of(source);
    let mut page = Page(String::new());
    page.line(&heading(&incident));
    summary(&mut page, &incident);
    page.heading("What to know first");
    if incident.attention.is_empty() {
        page.line("Nothing out of the ordinary is on record.");
    }
    page.list(incident.attention.iter().map(|one| format!("**{}**: {}", one.what, escape(&one.text))));
    page.heading("Timeline (UTC)");
    page.moments(&incident.timeline);
    decisions(&mut page, &incident);
    stages(&mut page, &incident);
    let sections = [
        ("Failures and retries", &incident.failures),
        ("Skips", &incident.skips),
        ("Escalations", &incident.escalations),
        ("Messages and updates", &incident.updates),
        ("Gates", &incident.gates),
    ];
    for (title, moments) in sections {
        if !moments.is_empty() {
            page.heading(title);
            page.moments(moments);
        }
    }
    probes(&mut page, &incident);
    people(&mut page, &incident);
    asked(&mut page, &incident);
    if !incident.notes.is_empty() {
        page.heading("Notes");
        for note in &incident.notes {
            page.line(&format!("{}, {}:", note.at.date_time(), escape(&note.by)));
            page.quote(&note.text);
        }
    }
    audit(&mut page, &incident);
    page.0
}

fn heading(incident: &Incident) -> String {
    let Incident { tag, new_tag, issue, run, .. } = incident;
    if tag.is_empty() {
        return format!("# Incident report: run {}", escape(run));
    }
    format!("# Incident report: {} to {}, issue {}", escape(tag), escape(new_tag), escape(issue))
}

fn summary(page: &mut Page, incident: &Incident) {
    let moment = |at: Option<Timestamp>| at.map(|at| format!("{} UTC", at.date_time()));
    let length = |seconds: Option<u64>| seconds.map(|seconds| brief(Duration::from_secs(seconds)));
    let drivers = incident.people.iter().filter(|person| person.drove);
    let drivers: Vec<_> = drivers
        .map(|person| format!("{} on {}", person.name, person.hosts.iter().cloned().collect::<Vec<_>>().join(", ")))
        .collect();
    let by = incident.rolled_back_to.as_ref().map(|to| format!(", by the rollback to {to}")).unwrap_or_default();
    let never = if incident.ended.is_some() { "not mitigated by this run" } else { "not yet mitigated" };
    let so_far = if incident.ended.is_some() { "Duration" } else { "Duration so far" };
    let rows = [
        ("Run", Some(incident.run.clone())),
        ("Status", Some(incident.status.clone())),
        ("Production", Some(incident.production.words(|at| format!("{} UTC", at.date_time())))),
        ("Incident began", moment(incident.since)),
        ("Run began", moment(incident.began)),
        ("Ended", Some(moment(incident.ended).unwrap_or_else(|| "not yet".to_owned()))),
        (so_far, length(incident.seconds)),
        ("Mitigated", moment(incident.mitigated).map(|at| at + &by)),
        ("Time to mitigate", Some(length(incident.seconds_to_mitigate).unwrap_or_else(|| never.to_owned()))),
        ("Driven by", Some(drivers.join("; "))),
    ];
    page.heading("Summary");
    let rows = rows.into_iter().filter_map(|(name, value)| Some(vec![name.to_owned(), value?]));
    page.table(&["What", "Value"], rows);
}

fn decisions(page: &mut Page, incident: &Incident) {
    let rows = incident.decisions.iter().map(|one| {
        vec![one.at.date_time(), one.by.clone(), one.step.clone(), one.question.clone(), one.answer.clone()]
    });
    page.section("Decisions", &["Time (UTC)", "Who", "Step", "Question", "Answer"], rows.collect());
}

fn stages(page: &mut Page, incident: &Incident) {
    let length = |seconds: Option<u64>| seconds.map(|seconds| brief(Duration::from_secs(seconds)));
    let rows = incident.stages.iter().map(|time| {
        let over = length(time.over_seconds).map(|over| format!("OVER by {over}")).unwrap_or_default();
        let took = length(time.seconds).unwrap_or_else(|| "not finished".to_owned());
        let budget = length(time.budget_seconds).unwrap_or_default();
        vec![time.title.clone(), time.began.date_time(), took, budget, over]
    });
    page.section("Stages", &["Stage", "Began (UTC)", "Took", "Budget", "Over budget"], rows.collect());
}

fn probes(page: &mut Page, incident: &Incident) {
    let rows = incident.probes.iter().map(|probe| {
        let outcomes: Vec<_> = probe.outcomes.iter().map(|(outcome, times)| format!("{times} {outcome}")).collect();
        let range = match (probe.lowest, probe.highest) {
            (Some(lowest), Some(highest)) => format!("{lowest} to {highest}"),
            _ => String::new(),
        };
        vec![probe.step.clone(), probe.probe.clone(), outcomes.join(", "), range, probe.last.clone()]
    });
    let taken = incident.compared.iter();
    let taken = taken.map(|one| vec![one.probe.clone(), one.measured.clone(), one.values(), one.steps()]);
    page.section("Before and after", &["Probe", "Measured", "Median", "Steps"], taken.collect());
    page.section("Measurements", &["Step", "Probe", "Outcomes", "Range", "Last"], rows.collect());
}

fn people(page: &mut Page, incident: &Incident) {
    let rows = incident.people.iter().map(|person| {
        let hosts: Vec<_> = person.hosts.iter().cloned().collect();
        vec![person.name.clone(), hosts.join(", "), person.answered.join(", "), person.approved.join(", ")]
    });
    page.section("People", &["Who", "Where", "Answered", "Approved"], rows.collect());
}

fn asked(page: &mut Page, incident: &Incident) {
    let rows = incident.follow_up.iter().map(|one| vec![one.item.clone(), one.owner.clone(), one.date.clone()]);
    page.section("Follow-up", &["What", "Owner", "Date"], rows.collect());
    let in_follow_up =
        |name: &str| incident.follow_up.iter().len() > 0 && (name.ends_with("_owner") || name.ends_with("_date"));
    let values = incident.values.iter().filter(|value| !value.name.as_deref().is_some_and(in_follow_up));
    let (short, long): (Vec<_>, Vec<_>) = values.partition(|value| !value.value.trim().contains('\n'));
    let rows = short.iter().map(|value| vec![value.title.clone(), value.value.clone(), value.step.clone()]);
    page.section("Answers", &["What", "Answer", "Step"], rows.collect());
    for value in long {
        page.heading(&escape(&value.title));
        page.quote(&value.value);
    }
}

fn audit(page: &mut Page, incident: &Incident) {
    let Some(audit) = &incident.audit else { return };
    let run = &incident.run;
    page.heading("Audit");
    page.line("This report was made from the run's audit log, whose head was then:");
    page.code(&[&audit.trailer]);
    page.line("The messages of the release's tag and of the merge carry such a line too, of an earlier head. To check the chain, and this head in it:");
    let file = format!("\"$(git rev-parse --git-common-dir)/hotfix/runs/{run}/journal.jsonl\"");
    let head = format!("sed -n {}p {file} | tr -d '\\n' | sha256sum", audit.seq + 1);
    page.code(&[&format!("hotfix verify {run}"), &head]);
}

/// A page of Markdown. What is not called text is Markdown already.
struct Page(String);

impl Page {
    fn line(&mut self, markdown: &str) {
        let _ = writeln!(self.0, "{markdown}\n");
    }

    fn heading(&mut self, markdown: &str) {
        self.line(&format!("## {markdown}"));
    }

    fn list(&mut self, items: impl Iterator<Item = String>) {
        let before = self.0.len();
        items.for_each(|item| _ = writeln!(self.0, "- {item}"));
        if self.0.len() > before {
            self.0.push('\n');
        }
    }

    fn moments(&mut self, moments: &[Moment]) {
        self.list(moments.iter().map(|moment| format!("{} {}", moment.at.date_time(), escape(&moment.text))));
    }

    /// A heading and a table of texts, where there are any.
    fn section(&mut self, title: &str, columns: &[&str], rows: Vec<Vec<String>>) {
        if !rows.is_empty() {
            self.heading(title);
            self.table(columns, rows.into_iter());
        }
    }

    /// A table of texts.
    fn table(&mut self, columns: &[&str], rows: impl Iterator<Item = Vec<String>>) {
        let _ = writeln!(self.0, "| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()));
        for row in rows {
            let cells: Vec<_> = row.iter().map(|text| escape(text)).collect();
            let _ = writeln!(self.0, "| {} |", cells.join(" | "));
        }
        self.0.push('\n');
    }

    /// A text of several lines, as a quotation.
    fn quote(&mut self, text: &str) {
        for line in text.trim_end().lines() {
            let _ = writeln!(self.0, "> {}  ", escape_start(&escape(line)));
        }
        self.0.push('\n');
    }

    /// Lines of this program's own, word for word.
    fn code(&mut self, lines: &[&str]) {
        for line in lines {
            let _ = writeln!(self.0, "    {}", one_line(line));
        }
        self.0.push('\n');
    }
}

/// `text` in one line, with everything that Markdown or HTML would take for markup as itself.
fn escape(text: &str) -> String {
    one_line(text).chars().fold(String::new(), |mut out, letter| {
        if matches!(letter, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '$') {
            out.push('\\');
        }
        out.push(letter);
        out
    })
}

/// A line that is escaped, with nothing at its start that would make it a heading, a list or a rule.
fn escape_start(line: &str) -> String {
    let digits = line.chars().take_while(char::is_ascii_digit).count();
    match line.chars().nth(digits) {
        Some('#' | '-' | '+' | '=') if digits == 0 => format!("\\{line}"),
        Some(end @ ('.' | ')')) if digits > 0 => format!("{}\\{end}{}", &line[..digits], &line[digits + 1..]),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{escape, escape_start};

    #[test]
    fn markup_becomes_text() {
        assert_eq!(escape("a | `b` <script> [x](y)\nc"), r"a \| \`b\` \<script\> \[x\](y) ⏎ c");
        assert_eq!(["# a", "- b", "12. c", "d"].map(escape_start), [r"\# a", r"\- b", r"12\. c", "d"]);
    }
}
