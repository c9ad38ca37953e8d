//! Markdown on a terminal.
//!
//! # Why
//! Guidance is read in a hurry on a narrow screen: what matters is where a line ends and what is a command. Raw HTML is text
//! here, never markup.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::Settings;
use super::paint::{Paint, Tone, width};
use super::sanitize::clean;
use super::wrap::{Span, wrap};

/// `markdown` as lines of at most `columns` columns. The lines of a code block are never wrapped: they are to be copied.
#[must_use]
pub fn render(markdown: &str, columns: usize, settings: Settings) -> Vec<String> {
    let mut page = Page { columns, paint: settings.paint(), ..Page::default() };
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    for event in Parser::new_ext(&clean(markdown), options) {
        page.take(event);
    }
    page.flush();
    page.lines
}

/// What stands left of the text of a list item or a quotation.
struct Margin {
    first: String,
    rest: String,
}

struct Page {
    columns: usize,
    paint: Paint,
    lines: Vec<String>,
    spans: Vec<Span>,
    tones: Vec<Tone>,
    margins: Vec<Margin>,
    lists: Vec<Option<u64>>,
    links: Vec<String>,
    code: Option<String>,
    cells: usize,
    /// Whether an empty line is due before the next text.
    gap: bool,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            columns: 0,
            paint: Paint::Bare,
            lines: Vec::new(),
            spans: Vec::new(),
            tones: Vec::new(),
            margins: Vec::new(),
            lists: Vec::new(),
            links: Vec::new(),
            code: None,
            cells: 0,
            gap: false,
        }
    }
}

impl Page {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some(code) => code.push_str(&text),
                None => self.push(&text),
            },
            Event::Code(code) => {
                let text = if self.paint == Paint::Bare { format!("`{code}`") } else { code.to_string() };
                self.spans.push(Span { text, tone: Tone::Code });
            }
            Event::Html(text)
            | Event::InlineHtml(text)
            | Event::InlineMath(text)
            | Event::DisplayMath(text)
            | Event::FootnoteReference(text) => self.push(&text),
            Event::SoftBreak => {
                let last = self.spans.last().and_then(|span| span.text.chars().last());
                if last.is_some_and(|last| width(&last.to_string()) < 2) {
                    self.push(" ");
                }
            }
            Event::HardBreak => self.push("\n"),
            Event::Rule => {
                self.push(&"─".repeat(self.room()));
                self.flush();
                self.gap = true;
            }
            Event::TaskListMarker(ticked) => self.push(if ticked { "[x] " } else { "[ ] " }),
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { .. } => {
                self.flush();
                self.gap = true;
                self.tones.push(Tone::Heading);
            }
            Tag::BlockQuote(_) => {
                self.flush();
                self.margins.push(Margin { first: "│ ".into(), rest: "│ ".into() });
            }
            Tag::CodeBlock(kind) => {
                self.flush();
                self.code = Some(String::new());
                self.gap |= matches!(kind, CodeBlockKind::Fenced(_)) && self.margins.is_empty();
            }
            Tag::List(start) => {
                self.flush();
                self.lists.push(start);
            }
            Tag::Item => {
                self.flush();
                let first = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    _ => "• ".to_owned(),
                };
                let rest = " ".repeat(width(&first));
                self.margins.push(Margin { first, rest });
            }
            Tag::TableHead | Tag::TableRow => self.cells = 0,
            Tag::TableCell => {
                if self.cells > 0 {
                    self.push(" │ ");
                }
                self.cells += 1;
            }
            Tag::Strong => self.tones.push(Tone::Strong),
            Tag::Emphasis => self.tones.push(Tone::Emphasis),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => self.links.push(dest_url.to_string()),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => self.end_heading(level),
            TagEnd::Paragraph | TagEnd::Table | TagEnd::HtmlBlock => {
                self.flush();
                self.gap = true;
            }
            TagEnd::BlockQuote(_) => {
                self.flush();
                self.margins.pop();
                self.gap = true;
            }
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::List(_) => {
                self.flush();
                self.lists.pop();
                self.gap |= self.lists.is_empty();
            }
            TagEnd::Item => {
                // An item without any text still has its mark.
                if self.margins.last().is_some_and(|margin| margin.first != margin.rest) && self.spans.is_empty() {
                    self.push(" ");
                }
                self.flush();
                self.margins.pop();
            }
            TagEnd::TableHead | TagEnd::TableRow => self.flush(),
            TagEnd::Strong | TagEnd::Emphasis => {
                self.tones.pop();
            }
            TagEnd::Link | TagEnd::Image => {
                let target = self.links.pop().unwrap_or_default();
                let said = self.spans.iter().any(|span| span.text.contains(&target));
                if !said {
                    self.push(&format!(" ({target})"));
                }
            }
            _ => {}
        }
    }

    fn end_heading(&mut self, level: HeadingLevel) {
        let text: String = self.spans.iter().map(|span| span.text.as_str()).collect();
        self.flush();
        self.tones.pop();
        if level <= HeadingLevel::H2 {
            self.push(&"─".repeat(width(&text).min(self.room())));
            self.flush();
        }
        self.gap = true;
    }

    fn end_code(&mut self) {
        let code = self.code.take().unwrap_or_default();
        self.open_gap();
        for line in code.trim_end_matches('\n').split('\n') {
            let text = format!("{}    {}", self.margin(), self.paint.tone(Tone::Code, line));
            self.lines.push(text.trim_end().to_owned());
        }
        self.gap = true;
    }

    fn push(&mut self, text: &str) {
        let tone = self.tones.last().copied().unwrap_or_default();
        self.spans.push(Span { text: text.to_owned(), tone });
    }

    /// How many columns are left beside the margins.
    fn room(&self) -> usize {
        self.columns.saturating_sub(self.margins.iter().map(|margin| width(&margin.rest)).sum())
    }

    /// The margin of the next line; the mark of an item stands once.
    fn margin(&mut self) -> String {
        let mut text = String::new();
        for margin in &mut self.margins {
            text.push_str(&std::mem::replace(&mut margin.first, margin.rest.clone()));
        }
        text
    }

    fn open_gap(&mut self) {
        if std::mem::take(&mut self.gap) && !self.lines.is_empty() {
            let rest: String = self.margins.iter().map(|margin| margin.rest.as_str()).collect();
            self.lines.push(rest.trim_end().to_owned());
        }
    }

    /// Ends the block that is open, if any is.
    fn flush(&mut self) {
        let spans = std::mem::take(&mut self.spans);
        if spans.is_empty() {
            return;
        }
        self.open_gap();
        for line in wrap(&spans, self.room(), self.paint) {
            let text = self.margin() + &line;
            self.lines.push(text.trim_end().to_owned());
        }
    }
}
