//! A text of several lines: in the operator's editor, or line by line where none can be started.

use std::fs;
use std::io::{self, Write};

use super::ask::head;
use super::hand_over::Program;
use super::line::{Line, Untouched};
use super::prompt::{Armed, Head, Leave, Session};
use super::text::fill;
use crate::operator::Question;
use crate::vars::Environment;

/// What a shell ends with where it cannot start a program.
const NOT_STARTED: [i32; 2] = [126, 127];
/// The line that ends a text.
const END: &str = ".";
/// What a text is kept under between two showings of its question.
const SLOT: &str = "text";

impl Session<'_> {
    /// Has a text written; begins with `initial`, or with what had been written before, and behind it what was typed ahead of
    /// the editor.
    pub(super) async fn editor(&mut self, question: &Question, initial: &str) -> Result<String, Leave> {
        let text = self.text();
        let env = Environment::of_process();
        let editor = env.get("VISUAL").or_else(|| env.get("EDITOR")).unwrap_or("vi");
        let mut above = fill(text.editor, &[editor]);
        loop {
            let mut line = Line::new(above, Untouched::Sends, |typed| Ok(typed.to_owned()));
            let typed = self.put(&head(question, "editor", text.keys_editor), &mut line).await?;
            let kept = self.terminal.drafts.borrow().get(SLOT).cloned();
            let mut begun = kept.unwrap_or_else(|| initial.to_owned());
            if !typed.trim().is_empty() {
                add_line(&mut begun, &typed);
                self.terminal.drafts.borrow_mut().insert(SLOT, begun.clone());
            }
            let (code, written) = self.written(editor, &begun).await.unwrap_or_default();
            if code.is_none_or(|code| NOT_STARTED.contains(&code)) {
                return self.line_by_line(question, initial).await;
            }
            self.terminal.drafts.borrow_mut().insert(SLOT, written.clone());
            let code = code.unwrap_or_default();
            above = if code != 0 {
                fill(text.editor_failed, &[&code.to_string()])
            } else if written.trim().is_empty() {
                text.editor_empty.to_owned()
            } else {
                return Ok(written);
            };
        }
    }

    /// What `editor` leaves in a file that begins with `initial`, and how it ended.
    async fn written(&mut self, editor: &str, initial: &str) -> io::Result<(Option<i32>, String)> {
        // A temporary file is for its owner alone.
        let mut file = tempfile::Builder::new().prefix("hotfix-").suffix(".md").tempfile()?;
        file.write_all(initial.as_bytes())?;
        file.flush()?;
        let script = format!("{editor} \"$@\"");
        let program = Program { script: &script, args: &[file.path().as_os_str()], dir: None, env: &[] };
        let ended = self.hand_over(&program).await?;
        let written = String::from_utf8_lossy(&fs::read(file.path())?).into_owned();
        Ok((ended.code(), written))
    }

    async fn line_by_line(&mut self, question: &Question, initial: &str) -> Result<String, Leave> {
        let text = self.text();
        let kept = self.terminal.drafts.borrow().get(SLOT).cloned().unwrap_or_else(|| initial.to_owned());
        let mut written: Vec<String> = kept.lines().map(str::to_owned).collect();
        let mut said = text.no_editor;
        loop {
            let above = format!("{said}\n{}", written.join("\n"));
            let mut line = Line::new(above.trim_end(), Untouched::Sends, |typed| Ok(typed.to_owned()));
            let armed = if written.is_empty() { Armed::Not } else { Armed::Listens };
            let head = Head { armed, ..head(question, "line", text.keys_line) };
            let typed = self.put(&head, &mut line).await?;
            if typed == END && written.iter().any(|line| !line.trim().is_empty()) {
                return Ok(written.join("\n"));
            }
            said = if typed == END { text.empty } else { text.lines };
            if typed != END {
                written.push(typed);
                self.terminal.drafts.borrow_mut().insert(SLOT, written.join("\n"));
            }
        }
    }
}

/// Puts `line` behind `text`, as a line of its own.
fn add_line(text: &mut String, line: &str) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(line);
    text.push('\n');
}
