//! The menu behind Esc, and the ways on.

use std::io;
use std::path::Path;

use super::ask::head;
use super::canvas::Canvas;
use super::hand_over::Program;
use super::list::List;
use super::prompt::{Head, Leave, Session};
use super::sanitize::{Sanitizer, clean};
use super::text::fill;
use super::wrap::wrap_text;
use crate::operator::{Answer, Question, Unanswered, Way};
use crate::process::{self, Piece, Reader};

/// What is written to the log of a shell that was opened from the menu.
const OPENED: &str = "opened a shell";
/// Shows `$1` page by page; ends with 127 where nothing can. What follows is in `$3` and so on, behind the line `$2`.
const PAGER: &str = r#"
page() {
    if [ -n "$PAGER" ]; then eval "$PAGER \"\$@\""; elif command -v less >/dev/null; then less -R "$@"; else (exit 127); fi
}
if [ "$#" -le 2 ]; then page "$1"; else { cat "$1"; [ -z "$2" ] || printf '\n%s\n' "$2"; shift 2; cat "$@"; } | page; fi
"#;
/// How many of the last lines are shown where there is no pager.
const TAIL: usize = 40;
/// How much of the end of the output is looked through for them, in bytes.
const END: u64 = 256 * 1024;

/// A row of the menu.
#[derive(Clone, Copy)]
enum Entry {
    Way(Way),
    Note,
    Shell,
    Output,
    Measured,
    Back,
}

impl Session<'_> {
    /// The menu. `None` leads back to the question.
    pub(super) async fn menu(&mut self, question: &Question) -> Result<Option<Unanswered>, Leave> {
        let text = self.text();
        let mut entries: Vec<_> =
            question.menu.iter().filter(|way| **way != Way::Retry).map(|way| Entry::Way(*way)).collect();
        entries.extend([Entry::Note, Entry::Shell]);
        entries.extend((!question.measured.is_empty()).then_some(Entry::Measured));
        entries.extend(question.output.as_ref().map(|_| Entry::Output));
        entries.push(Entry::Back);
        let label = |entry: &Entry| match entry {
            Entry::Way(way) => text.way(*way),
            Entry::Note => text.menu_note,
            Entry::Shell => text.menu_shell,
            Entry::Output => text.menu_output,
            Entry::Measured => text.menu_measured,
            Entry::Back => text.menu_back,
        };
        loop {
            let mut list = List::new(entries.iter().map(|entry| label(entry).to_owned()));
            let head = Head { prompt: text.menu, ..head(question, "menu", text.keys_menu) };
            let chosen = match self.put(&head, &mut list).await {
                Err(Leave::Esc) => {
                    self.terminal.drafts.borrow_mut().remove("menu");
                    return Ok(None);
                }
                chosen => chosen?,
            };
            match self.chosen(question, entries.get(chosen).copied().unwrap_or(Entry::Back)).await {
                // Esc in what an entry asks leads back to the menu.
                Err(Leave::Esc) => {}
                ended => return ended,
            }
        }
    }

    async fn chosen(&mut self, question: &Question, entry: Entry) -> Result<Option<Unanswered>, Leave> {
        match entry {
            Entry::Way(way) => {
                let reason = self.reason(question, way).await?;
                Ok(Some(Unanswered::Menu { way, reason }))
            }
            Entry::Note => {
                let note = self.text_line(question, "note", self.text().note, "").await?;
                Ok(Some(Unanswered::Note(note)))
            }
            Entry::Shell => match self.subshell(None, &[]).await {
                Ok(()) => Ok(Some(Unanswered::Note(OPENED.to_owned()))),
                Err(error) => {
                    let said = fill(self.text().shell_failed, &[&error.to_string()]);
                    self.terminal.canvas.print(&[said]);
                    Ok(None)
                }
            },
            Entry::Output => {
                if let Some(path) = &question.output {
                    self.page(path).await;
                }
                Ok(None)
            }
            Entry::Measured => {
                self.show_measured(question);
                Ok(None)
            }
            Entry::Back => Ok(None),
        }
    }

    fn show_measured(&self, question: &Question) {
        let room = Canvas::size().1.saturating_sub(3);
        let lines = question.measured.iter().flat_map(|line| wrap_text(&clean(line), room));
        // The question comes back below them.
        self.terminal.canvas.clear();
        self.terminal.canvas.print(&lines.map(|line| format!("  {line}")).collect::<Vec<_>>());
    }

    /// Asks which of `ways` to go.
    pub(super) async fn way(&mut self, question: &Question, ways: &[Way]) -> Result<Answer, Leave> {
        let text = self.text();
        loop {
            let mut rows: Vec<_> = ways.iter().map(|way| text.way(*way).to_owned()).collect();
            if !question.measured.is_empty() {
                rows.extend([text.menu_measured.to_owned(), text.menu_note.to_owned()]);
            }
            let mut list = List::new(rows);
            let chosen = self.put(&head(question, "answer", text.keys_list), &mut list).await?;
            let Some(&way) = ways.get(chosen) else {
                if chosen == ways.len() {
                    self.show_measured(question);
                    continue;
                }
                match self.text_line(question, "note", text.note, "").await {
                    Err(Leave::Esc) => continue,
                    note => return Err(Leave::Note(note?)),
                }
            };
            match self.reason(question, way).await {
                // Esc in what a way asks leads back to the ways.
                Err(Leave::Esc) => {}
                reason => return Ok(Answer::Way { way, reason: reason? }),
            }
        }
    }

    /// What `way` takes beside being chosen.
    async fn reason(&mut self, question: &Question, way: Way) -> Result<Option<String>, Leave> {
        let text = self.text();
        match way {
            Way::Skip => self.text_line(question, "reason", text.reason, "").await.map(Some),
            Way::Decline => self.text_line(question, "reason", text.why_not_called, "").await.map(Some),
            Way::Called | Way::Acknowledged => self.optional_note(question, text.call_note).await,
            Way::Done => self.done_note(question).await,
            // A rollback is only chosen here: whoever begins it shows its plan and asks.
            _ => Ok(None),
        }
    }

    /// Shows the output at `path`, by a pager or its end.
    async fn page(&mut self, path: &Path) {
        let (files, dropped) = process::files(path).unwrap_or_else(|_| (vec![path.to_owned()], 0));
        let gap = if dropped > 0 { process::not_kept(dropped) } else { String::new() };
        let mut args: Vec<_> = files.iter().map(|file| file.as_os_str()).collect();
        args.insert(1, gap.as_ref());
        let program = Program { script: PAGER, args: &args, dir: None, env: &[] };
        let shown = self.hand_over(&program).await.is_ok_and(|ended| ended.success());
        if !shown {
            let lines = tail(path).unwrap_or_else(|error| vec![fill(self.text().output_gone, &[&error.to_string()])]);
            self.terminal.canvas.print(&lines);
        }
    }
}

/// The last lines of the output at `path`.
fn tail(path: &Path) -> io::Result<Vec<String>> {
    let mut reader = Reader::open(path, 0);
    reader.seek(reader.end()?.saturating_sub(END));
    let (mut sanitizer, mut lines, mut bytes) = (Sanitizer::default(), Vec::new(), [0; 8192]);
    loop {
        match reader.read(&mut bytes)? {
            Piece::Bytes(n) => lines.extend(sanitizer.push(&bytes[..n])),
            Piece::Dropped(gap) => lines.push(process::not_kept(gap)),
            Piece::End => break,
        }
        lines.drain(..lines.len().saturating_sub(TAIL));
    }
    lines.extend(sanitizer.finish());
    Ok(lines.split_off(lines.len().saturating_sub(TAIL)))
}
