//! What is shown, as lines. Nothing here writes.

use std::time::Duration;

use super::Settings;
use super::gauges::Gauges;
use super::markdown::render;
use super::paint::{Paint, Tone, width};
use super::sanitize::{Sanitizer, clean};
use super::text::{Text, fill};
use super::wrap::wrap_text;
use crate::clock::{Timestamp, brief};
use crate::operator::{Course, Outcome, Show};

/// The widest that guidance is set, in columns: longer lines are hard to read.
const READABLE: usize = 100;
/// What stands before the output of a command.
const INDENT: &str = "  ";

/// Turns what is shown into lines, one thing after the other.
#[derive(Debug)]
pub(super) struct Lines {
    settings: Settings,
    paint: Paint,
    text: &'static Text,
    run: Option<Run>,
    stage: Option<Stage>,
    header: Header,
    output: Sanitizer,
    gauges: Gauges,
}

#[derive(Debug)]
struct Run {
    tags: String,
    issue: String,
    began: Timestamp,
    escalation: Vec<(Timestamp, String)>,
    way: Course,
}

#[derive(Debug)]
struct Stage {
    label: String,
    began: Timestamp,
    budget: Option<Duration>,
}

/// Whether the header on the screen still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    /// Something of it changed since.
    Stale,
    /// It was the last thing but guidance.
    Fresh,
    /// It was shown, and other things since.
    Shown,
}

impl Lines {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            paint: settings.paint(),
            text: Text::of(settings.language),
            run: None,
            stage: None,
            header: Header::Shown,
            output: Sanitizer::default(),
            gauges: Gauges::default(),
        }
    }

    /// What `what` is on a screen of `columns`, at `now`.
    pub(super) fn of(&mut self, what: &Show<'_>, now: Timestamp, columns: usize) -> Vec<String> {
        let mut lines = self.noted(what, now, columns);
        let quiet = self.settings.quiet;
        match what {
            Show::Stage { guide, budget, .. } if !quiet => {
                if let Some(budget) = budget {
                    let text = fill(self.text.budget, &[&brief(*budget)]);
                    lines.push(self.paint.tone(Tone::Dim, &text));
                }
                lines.extend(self.guide(guide.unwrap_or_default(), columns));
            }
            Show::Step { key, title, guide } if !quiet => {
                let title = clean(title).replace('\n', " ");
                lines.push(format!("▶ {}  {title}", self.paint.tone(Tone::Strong, &clean(key))));
                lines.extend(self.guide(guide.unwrap_or_default(), columns));
            }
            Show::Command { text, values, timeout } => lines.extend(self.command(text, values, *timeout)),
            Show::Output(bytes) => lines.extend(self.output(bytes)),
            Show::CommandEnded => {
                lines.extend(self.output_ended());
                lines.extend(self.watched(columns));
            }
            Show::Gauge { at, of, gauge } => self.gauges.note(*at, *of, gauge),
            Show::Guidance(guide) if !quiet => lines.extend(self.guide(guide, columns)),
            Show::Outcome { key, how, detail, took } if !quiet || *how == Outcome::Failed => {
                lines.extend(self.outcome(key, *how, detail, *took));
            }
            Show::Info(text) if !quiet => lines.extend(self.said(Tone::Plain, self.text.info, text, columns)),
            Show::Warning(text) => lines.extend(self.said(Tone::Warn, self.text.warning, text, columns)),
            _ => {}
        }
        lines
    }

    /// The line of output that is not complete yet.
    pub(super) fn partial(&self) -> &str {
        self.output.partial()
    }

    /// What was read last of the probe `at`, as a line of its own.
    pub(super) fn reading(&self, at: usize) -> Option<String> {
        let line = self.gauges.line(at, self.text).filter(|_| !self.settings.quiet)?;
        Some(format!("{INDENT}{line}"))
    }

    /// Whether anything is watched.
    pub(super) fn watches(&self) -> bool {
        !self.gauges.is_empty()
    }

    /// What is watched, on a screen of this size, since `spent` began.
    pub(super) fn panel(&self, spent: (Duration, Option<Duration>), size: (usize, usize)) -> Vec<String> {
        self.gauges.panel(spent, size, (self.text, self.paint))
    }

    /// What the watch leaves when it is over.
    fn watched(&mut self, columns: usize) -> Vec<String> {
        let gauges = std::mem::take(&mut self.gauges);
        let lines = gauges.outcome(columns - INDENT.len(), (self.text, self.paint), self.settings.quiet);
        lines.iter().map(|line| format!("{INDENT}{line}")).collect()
    }

    /// How long the stage has been going on, and how long it ought to.
    pub(super) fn budget(&self, now: Timestamp) -> Option<(Duration, Duration)> {
        let stage = self.stage.as_ref()?;
        Some((now.since(stage.began), stage.budget?))
    }

    /// The header, where it is due before a question.
    pub(super) fn due(&mut self, now: Timestamp, columns: usize) -> Vec<String> {
        if self.header != Header::Stale || self.settings.quiet {
            return Vec::new();
        }
        self.header = Header::Shown;
        self.header(now, columns).into_iter().flat_map(|header| [String::new(), header]).collect()
    }

    /// Takes note of what concerns the header, and gives it where it is due.
    fn noted(&mut self, what: &Show<'_>, now: Timestamp, columns: usize) -> Vec<String> {
        match what {
            Show::Run { tag, new_tag, issue, began, escalation, way, .. } => {
                let number = !issue.is_empty() && issue.chars().all(|letter| letter.is_ascii_digit());
                self.run = Some(Run {
                    tags: match way {
                        Course::Forward => format!("{tag} → {new_tag}"),
                        Course::Back => (*tag).to_owned(),
                        Course::RolledBack => fill(self.text.rolled_back, &[tag]),
                        Course::Stayed => fill(self.text.stayed, &[tag]),
                    },
                    issue: if number { format!("#{issue}") } else { (*issue).to_owned() },
                    began: *began,
                    escalation: escalation.to_vec(),
                    way: *way,
                });
                self.header = Header::Stale;
                Vec::new()
            }
            Show::Stage { number, of, title, budget, began, .. } => {
                let label = fill(self.text.stage, &[&number.to_string(), &of.to_string(), title]);
                self.stage = Some(Stage { label, began: *began, budget: *budget });
                self.header = Header::Stale;
                let due = self.due(now, columns);
                self.header = Header::Fresh;
                due
            }
            Show::Step { .. } => {
                if self.header == Header::Shown {
                    self.header = Header::Stale;
                }
                let due = self.due(now, columns);
                self.header = Header::Shown;
                due
            }
            Show::Gauge { .. } => Vec::new(),
            _ => self.due(now, columns),
        }
    }

    fn header(&self, now: Timestamp, columns: usize) -> Option<String> {
        let run = self.run.as_ref()?;
        let mut parts = vec![run.tags.clone(), run.issue.clone()];
        if run.way == Course::Back {
            parts.insert(0, self.text.rolling_back.to_owned());
        }
        parts.extend(self.stage.as_ref().map(|stage| stage.label.clone()));
        parts.push(brief(now.since(run.began)));
        if let Some((at, whom)) = run.escalation.first() {
            let due = *at <= now;
            let when = if due { self.text.escalate_now } else { self.text.escalate_in };
            parts.extend([fill(when, &[&brief(at.since(now))]), whom.clone()]);
        }
        parts.retain(|part| !part.is_empty());
        let joined = |parts: &[String]| clean(&parts.join(" · ")).replace('\n', " ");
        // Whom to call is said when it is time; then the title gives way, and what is left from its end.
        if !run.escalation.is_empty() && width(&joined(&parts)) > columns {
            parts.pop();
        }
        let over = width(&joined(&parts)).saturating_sub(columns);
        if let Some(stage) = self.stage.as_ref().filter(|_| over > 0)
            && let Some(part) = parts.iter_mut().find(|part| **part == stage.label)
        {
            *part = shortened(part, width(part).saturating_sub(over));
        }
        while parts.len() > 1 && width(&joined(&parts)) > columns {
            parts.pop();
        }
        let tone = if run.way == Course::Back { Tone::Bad } else { Tone::Heading };
        Some(self.paint.tone(tone, &joined(&parts)))
    }

    fn guide(&self, guide: &str, columns: usize) -> Vec<String> {
        if guide.trim().is_empty() {
            return Vec::new();
        }
        let mut lines = render(guide, columns.min(READABLE), self.settings);
        lines.insert(0, String::new());
        lines.push(String::new());
        lines
    }

    fn command(&self, text: &str, values: &[(String, String)], timeout: Option<Duration>) -> Vec<String> {
        let text = clean(text);
        let mut lines: Vec<_> = text
            .trim_end_matches('\n')
            .split('\n')
            .enumerate()
            .map(|(at, line)| {
                let mark = if at == 0 { "$ " } else { "  " };
                mark.to_owned() + &self.paint.tone(Tone::Strong, line)
            })
            .collect();
        let timeout = timeout.map(|timeout| fill(self.text.limit, &[&brief(timeout)]));
        let below = values.iter().map(|(name, value)| clean(&format!("{name}={value}")).replace('\n', "\n    "));
        lines.extend(below.chain(timeout).map(|line| format!("  {}", self.paint.tone(Tone::Dim, &line))));
        lines
    }

    fn output(&mut self, bytes: &[u8]) -> Vec<String> {
        let lines = self.output.push(bytes);
        if self.settings.quiet { Vec::new() } else { lines.iter().map(|line| format!("{INDENT}{line}")).collect() }
    }

    fn output_ended(&mut self) -> Option<String> {
        let last = self.output.finish()?;
        (!self.settings.quiet).then(|| format!("{INDENT}{last}"))
    }

    fn outcome(&self, key: &str, how: Outcome, detail: &str, took: Option<Duration>) -> Vec<String> {
        let (mark, word, tone) = match how {
            Outcome::Done => ("✓", self.text.done, Tone::Good),
            Outcome::ByHand => ("✓", self.text.by_hand, Tone::Good),
            Outcome::Failed => ("✗", self.text.failed, Tone::Bad),
            Outcome::Skipped => ("-", self.text.skipped, Tone::Warn),
            Outcome::Watches => ("✓", self.text.watches, Tone::Good),
        };
        let (mut detail, mut word) = (clean(detail), word.to_owned());
        if how == Outcome::Watches && !detail.is_empty() {
            word = fill(self.text.watches_until, &[&std::mem::take(&mut detail)]);
        }
        let mut detail = detail.trim_end_matches('\n').split('\n');
        let mut line = format!("{} {}  {}", self.paint.tone(tone, mark), clean(key), self.paint.tone(tone, &word));
        if let Some(first) = detail.next().filter(|first| !first.is_empty()) {
            line.push_str(": ");
            line.push_str(first);
        }
        if let Some(took) = took {
            line.push_str("  ");
            line.push_str(&self.paint.tone(Tone::Dim, &brief(took)));
        }
        let mut lines = vec![line];
        lines.extend(detail.map(|rest| format!("    {rest}")));
        lines
    }

    fn said(&self, tone: Tone, word: &str, text: &str, columns: usize) -> Vec<String> {
        let word = format!("{word}: ");
        let indent = width(&word);
        let wrapped = wrap_text(&clean(text), columns.saturating_sub(indent));
        let parts = wrapped.iter().enumerate().map(|(at, line)| {
            let before = if at == 0 { word.clone() } else { " ".repeat(indent) };
            self.paint.tone(tone, &(before + line))
        });
        parts.collect()
    }
}

/// A label of `columns` columns at most, cut with `…`; its first two words, `stage 8/18`, stay.
fn shortened(label: &str, columns: usize) -> String {
    let kept = label.match_indices(' ').nth(1).map_or(label.len(), |(at, _)| at);
    let mut text = label.to_owned();
    while text.len() > kept && width(&text) + 1 > columns {
        text.pop();
    }
    let text = text.trim_end();
    if text.len() == kept { text.to_owned() } else { format!("{text}…") }
}
