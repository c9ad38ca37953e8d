//! Each form of a question, and the prompts that it takes.

use std::path::Path;
use std::time::Duration;

use super::hand_over::Program;
use super::line::{Line, Untouched};
use super::list::List;
use super::prompt::{Armed, Head, Leave, Prompt, Session};
use super::sanitize::clean;
use super::text::{Text, fill};
use super::ticks::Ticks;
use crate::clock::{Timestamp, brief};
use crate::operator::{Answer, Due, Falling, Form, Item, Question};

/// What is late by less is due now.
const MINUTE: Duration = Duration::from_secs(60);
/// What is typed where nobody can approve.
const NOBODY: &str = "nobody";
/// What is typed when work is done.
const DONE: &str = "done";
/// What is typed for another shell.
const AGAIN: &str = "again";

impl Session<'_> {
    /// Asks `question` until it is answered or left.
    pub(super) async fn answer(&mut self, question: &Question) -> Result<Answer, Leave> {
        let text = self.text();
        match &question.form {
            Form::Confirm => {
                let hint = text.confirm_hint;
                let mut line = Line::new(text.confirm, Untouched::Refused, move |typed| {
                    match typed.trim().to_lowercase().as_str() {
                        "y" | "yes" => Ok(Answer::Yes),
                        "n" | "no" => Ok(Answer::No),
                        _ => Err(hint.to_owned()),
                    }
                });
                self.put(&head(question, "answer", text.keys_line), &mut line).await
            }
            Form::Typed { expected } => {
                let mut line = exactly(fill(text.typed, &[expected]), expected, self);
                let typed = self.put(&head(question, "answer", text.keys_line), &mut line).await?;
                Ok(Answer::Text(typed))
            }
            Form::Text => self.text_line(question, "answer", &question.prompt, "").await.map(Answer::Text),
            Form::Number => {
                let mut line = Line::new(text.number, Untouched::Sends, move |typed| {
                    let number = typed.trim().parse().ok().filter(|number: &f64| number.is_finite());
                    number.map(Answer::Number).ok_or_else(|| fill(text.number_hint, &[typed.trim()]))
                });
                self.put(&head(question, "answer", text.keys_line), &mut line).await
            }
            Form::Editor { initial } => self.editor(question, initial).await.map(Answer::Text),
            Form::Choice(choices) => {
                let mut list = List::new(choices.iter().cloned());
                let chosen = self.put(&head(question, "answer", text.keys_list), &mut list).await?;
                Ok(Answer::Text(choices.get(chosen).cloned().unwrap_or_default()))
            }
            Form::Choices(choices) => {
                let mut ticks = Ticks::new(choices.iter().cloned(), move |ticked| {
                    let picked: Vec<_> = ticked.iter().filter_map(|&row| choices.get(row).cloned()).collect();
                    if picked.is_empty() { Err(text.tick_one.to_owned()) } else { Ok(Answer::Choices(picked)) }
                });
                self.put(&head(question, "answer", text.keys_ticks), &mut ticks).await
            }
            Form::Checklist(items) => {
                let mut ticks = self.checklist(items);
                self.put(&head(question, "answer", text.keys_ticks), &mut ticks).await
            }
            Form::Approve { not } => self.approve(question, not).await,
            Form::Hand => {
                let mut line = Line::new(text.hand, Untouched::Refused, move |typed| {
                    if typed.trim().eq_ignore_ascii_case(DONE) { Ok(()) } else { Err(text.hand_hint.to_owned()) }
                });
                self.put(&head(question, "answer", text.keys_line), &mut line).await?;
                Ok(Answer::Done { note: self.done_note(question).await? })
            }
            Form::Shell { dir, env } => self.shell(question, dir, env).await,
            Form::Way(ways) => self.way(question, ways).await,
            Form::Due(due) => self.way(question, &due.ways).await,
        }
    }

    /// A line of text that is not empty.
    pub(super) async fn text_line(
        &mut self,
        question: &Question,
        slot: &'static str,
        prompt: &str,
        above: &str,
    ) -> Result<String, Leave> {
        let text = self.text();
        let mut line = Line::new(above, Untouched::Sends, move |typed| {
            let typed = typed.trim();
            if typed.is_empty() { Err(text.empty.to_owned()) } else { Ok(typed.to_owned()) }
        });
        let keys = if slot == "answer" { text.keys_line } else { text.keys_back };
        self.put(&Head { prompt, ..head(question, slot, keys) }, &mut line).await
    }

    /// What was done, if there is anything to say to it.
    pub(super) async fn done_note(&mut self, question: &Question) -> Result<Option<String>, Leave> {
        self.optional_note(question, self.text().done_note).await
    }

    /// What there is to say, if anything; `above` asks for it.
    pub(super) async fn optional_note(
        &mut self,
        question: &Question,
        above: &'static str,
    ) -> Result<Option<String>, Leave> {
        let text = self.text();
        let mut line = Line::new(above, Untouched::Sends, |typed| {
            let typed = typed.trim();
            Ok((!typed.is_empty()).then(|| typed.to_owned()))
        });
        self.put(&head(question, "done", text.keys_back), &mut line).await
    }

    fn checklist<'a>(&self, items: &'a [Item]) -> impl Prompt<Given = Answer> + use<'a> {
        let text = self.text();
        let row = |item: &Item| {
            if item.optional { format!("{} ({})", item.text, text.optional) } else { item.text.clone() }
        };
        Ticks::new(items.iter().map(row), move |ticked| {
            let open = items.iter().enumerate().filter(|(row, item)| !item.optional && !ticked.contains(row));
            let open: Vec<_> = open.map(|(_, item)| item.text.as_str()).collect();
            if open.is_empty() {
                Ok(Answer::Checked(ticked.iter().filter_map(|&row| Some(items.get(row)?.text.clone())).collect()))
            } else {
                Err(fill(text.open_items, &[&open.join("; ")]))
            }
        })
    }

    async fn approve(&mut self, question: &Question, not: &str) -> Result<Answer, Leave> {
        let text = self.text();
        let not = not.trim().to_lowercase();
        let mut line = Line::new(text.approver, Untouched::Sends, move |typed| {
            let name = typed.trim();
            if name.is_empty() {
                Err(text.empty.to_owned())
            } else if name.to_lowercase() == not {
                Err(fill(text.approver_self, &[name]))
            } else {
                Ok(name.to_owned())
            }
        });
        let name = self.put(&head(question, "answer", text.keys_line), &mut line).await?;
        if name.eq_ignore_ascii_case(NOBODY) {
            let reason = self.text_line(question, "nobody", &question.prompt, text.why_nobody).await?;
            return Ok(Answer::NotApproved { reason });
        }
        // Where something breaks in on the note, the name stands there again.
        self.terminal.drafts.borrow_mut().insert("answer", name.clone());
        let above = fill(text.approver_note, &[&name]);
        let note = self.text_line(question, "approval", &question.prompt, &above).await?;
        Ok(Answer::Approved { name, note })
    }

    async fn shell(&mut self, question: &Question, dir: &Path, env: &[(String, String)]) -> Result<Answer, Leave> {
        let text = self.text();
        let mut above = fill(text.shell, &[&dir.display().to_string()]);
        if !env.is_empty() {
            above.push('\n');
            above.push_str(text.shell_env);
        }
        loop {
            let mut line = Line::new(above.clone(), Untouched::Sends, move |typed| match typed.trim() {
                "" => Ok(()),
                _ => Err(text.shell_open.to_owned()),
            });
            self.put(&head(question, "open", text.keys_line), &mut line).await?;
            let above = match self.subshell(Some(dir), env).await {
                Ok(()) => text.shell_back.to_owned(),
                Err(error) => fill(text.shell_failed, &[&error.to_string()]),
            };
            let mut line =
                Line::new(above, Untouched::Refused, move |typed| match typed.trim().to_lowercase().as_str() {
                    DONE => Ok(Next::Done),
                    AGAIN => Ok(Next::Again),
                    _ => Err(text.shell_hint.to_owned()),
                });
            match self.put(&head(question, "answer", text.keys_line), &mut line).await? {
                Next::Done => return Ok(Answer::Done { note: self.done_note(question).await? }),
                Next::Again => {}
            }
        }
    }

    /// A shell, until the operator leaves it.
    pub(super) async fn subshell(&mut self, dir: Option<&Path>, env: &[(String, String)]) -> std::io::Result<()> {
        let place = dir.map_or_else(std::env::current_dir, |dir| Ok(dir.to_owned()))?;
        let said = fill(self.text().in_shell, &[&place.display().to_string()]);
        self.terminal.canvas.clear();
        self.terminal.canvas.print(&[said]);
        let mut env = env.to_vec();
        env.push(("PS1".to_owned(), "(hotfix) $ ".to_owned()));
        // How it ends says nothing: a shell ends with the code of its last command.
        let program = Program { script: r#""${SHELL:-/bin/sh}""#, args: &[], dir: Some(&place), env: &env };
        self.hand_over(&program).await.map(drop)
    }
}

/// What comes after a shell.
#[derive(Clone, Copy)]
enum Next {
    Done,
    Again,
}

/// What the clock of the incident asks, with what is to be said below it.
pub(super) fn due_prompt(due: &Due, draft: &str, text: &Text, now: Timestamp) -> String {
    let late = now.since(due.at);
    let late = if late < MINUTE { text.on_time.to_owned() } else { fill(text.late, &[&brief(late)]) };
    let head = match &due.what {
        Falling::Call { whom, after } => fill(text.call_now, &[&clean(whom), &brief(*after), &late]),
        Falling::Update { every, channels } => {
            let to = if channels.is_empty() { text.no_channel.to_owned() } else { channels.join(", ") };
            fill(text.update_now, &[&brief(*every), &late, &clean(&to)])
        }
    };
    head + draft
}

/// The head of `question`'s own prompts.
pub(super) fn head<'a>(question: &'a Question, slot: &'static str, keys: &'static str) -> Head<'a> {
    Head { slot, step: &question.step, prompt: &question.prompt, keys, armed: Armed::Not }
}

/// A line that takes nothing but `expected`.
pub(super) fn exactly<'a>(above: String, expected: &'a str, session: &Session<'_>) -> Line<'a, String> {
    let text = session.text();
    Line::new(above, Untouched::Refused, move |typed| {
        if typed == expected {
            Ok(typed.to_owned())
        } else if typed.is_empty() {
            Err(fill(text.typed_empty, &[expected]))
        } else {
            Err(fill(text.typed_hint, &[typed, expected]))
        }
    })
}
