//! The incident report as a page that needs nothing else.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{Source, markdown};

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Incident report</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { border: 1px solid #ccc; padding: .3rem .5rem; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
code, pre { font-family: ui-monospace, monospace; font-size: .85rem; overflow-wrap: anywhere; white-space: pre-wrap; }
blockquote { border-left: 4px solid #ccc; margin-left: 0; padding-left: 1rem; }
h2 { border-bottom: 1px solid #ccc; }
</style>
</head>
<body>
"#;

/// The incident report as one HTML page with its style inside and no scripts. It is made from the [`markdown`]; markup in a
/// record stays text.
#[must_use]
pub fn html(source: &Source<'_>) -> String {
    let text = markdown(source);
    let events = Parser::new_ext(&text, Options::ENABLE_TABLES).filter_map(without_markup);
    let mut page = HEAD.to_owned();
    pulldown_cmark::html::push_html(&mut page, events);
    page.push_str("</body>\n</html>\n");
    page
}

/// The Markdown is this program's and has no raw HTML and no links; were any to slip in, they would be shown as text.
fn without_markup(event: Event<'_>) -> Option<Event<'_>> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        Event::Start(Tag::Link { .. } | Tag::Image { .. }) | Event::End(TagEnd::Link | TagEnd::Image) => None,
        event => Some(event),
    }
}
