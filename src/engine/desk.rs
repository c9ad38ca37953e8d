//! The desk of one step: how its questions reach the operator, and its findings the journal.

use std::cell::RefCell;
use std::path::PathBuf;

use serde_json::Value;

use super::Engine;
use super::trouble::Trouble;
use crate::action::{Asked, Desk, Disturbance, Finding, Stop, Test};
use crate::clock::LocalFuture;
use crate::event::{Cut, Event};
use crate::gate::GAP;
use crate::operator::{
    Answer, Attention, Course, Form, Gauge, Presence, Purpose, Question, Show, Signal, Unanswered, Way,
};
use crate::process::{Left, Loan};

/// The desk of one step.
pub(super) struct StepDesk<'a> {
    engine: &'a Engine,
    key: String,
    /// What the menu offers.
    menu: Vec<Way>,
    /// What the step's own questions count as.
    purpose: Purpose,
    output: Option<PathBuf>,
    /// What was measured, where that is why it asks.
    measured: Vec<String>,
    /// Answers that were given before the step was cut off.
    given: RefCell<Vec<(String, Answer)>>,
}

impl<'a> StepDesk<'a> {
    /// The desk of the step `key`.
    pub(super) fn new(engine: &'a Engine, key: &str, menu: Vec<Way>) -> Self {
        let given = engine.run(|run| run.steps().get(key).map(|state| state.given.clone())).unwrap_or_default();
        let (purpose, given) = (Purpose::Step, RefCell::new(given));
        Self { engine, key: key.to_owned(), menu, purpose, output: None, measured: Vec::new(), given }
    }

    /// The same for the undo of a step.
    pub(super) fn of_undo(self) -> Self {
        Self { purpose: Purpose::Undo, given: RefCell::default(), ..self }
    }

    /// With every question asked anew.
    pub(super) fn anew(self) -> Self {
        Self { given: RefCell::default(), ..self }
    }

    /// With a file to be looked at.
    pub(super) fn with_output(self, output: PathBuf) -> Self {
        Self { output: Some(output), ..self }
    }

    /// With what was measured.
    pub(super) fn with_measured(self, lines: &[String]) -> Self {
        let masker = &self.engine.world.masker;
        Self { measured: lines.iter().map(|line| masker.text(line)).collect(), ..self }
    }

    async fn put(&self, asked: Asked) -> Result<Answer, Stop> {
        let purpose = if asked.purpose == Purpose::Step { self.purpose } else { asked.purpose };
        if let Some(answer) = self.given_before(&asked) {
            return Ok(answer);
        }
        let question = Question {
            step: self.key.clone(),
            purpose,
            prompt: self.engine.world.masker.text(&asked.prompt),
            form: asked.form,
            menu: self.menu.clone(),
            output: self.output.clone().filter(|path| path.exists()),
            measured: self.measured.clone(),
        };
        loop {
            match self.answered(&question).await? {
                Ok(answer) => {
                    let (step, question) = (self.key.clone(), question.prompt);
                    let event = Event::PromptAnswered { step, purpose, question, answer: answer.clone() };
                    self.engine.commit(event)?;
                    return Ok(answer);
                }
                Err(Unanswered::Missing) => return Err(Stop::Missing(missing(&question))),
                Err(Unanswered::Menu { way, reason }) => return Err(Stop::Way { way, reason }),
                Err(Unanswered::Note(text)) => self.engine.commit(Event::NoteAdded { text })?,
                Err(Unanswered::Interrupted(signal)) => return Err(Stop::Signal(signal)),
            }
        }
    }

    /// The operator's answer. Where nobody is there and somebody may come, that nobody answers is not said before nothing is
    /// watched any more.
    async fn answer(&self, question: &Question) -> Result<Answer, Unanswered> {
        let answer = self.engine.operator.ask(question).await;
        // What a gate came to is what somebody is to come for.
        if answer == Err(Unanswered::Missing) && question.purpose != Purpose::Command {
            self.engine.wait_for_watches().await;
        }
        answer
    }

    /// What comes of asking `question`, which is asked again after whatever broke in on it.
    async fn answered(&self, question: &Question) -> Result<Result<Answer, Unanswered>, Stop> {
        loop {
            tokio::select! {
                biased;
                answer = self.answer(question) => return Ok(answer),
                trouble = self.engine.trouble() => match trouble {
                    Trouble::Stop(stop) => return Err(stop),
                    Trouble::Breach(key, stop) => Box::pin(self.engine.breached(&key, stop)).await?,
                },
                falls = self.engine.falls_due(), if is_interrupted(question.purpose) => {
                    Box::pin(self.engine.attend(falls, &self.menu)).await?;
                }
            }
        }
    }

    async fn take_note(&self) -> Result<(), Stop> {
        let question = Question {
            step: self.key.clone(),
            purpose: Purpose::Reason,
            prompt: "A note for the log (the watch goes on meanwhile):".to_owned(),
            form: Form::Text,
            menu: vec![Way::Wait],
            output: None,
            measured: Vec::new(),
        };
        match self.answered(&question).await? {
            Ok(Answer::Text(text)) | Err(Unanswered::Note(text)) => self.engine.commit(Event::NoteAdded { text }),
            Ok(_) | Err(Unanswered::Missing | Unanswered::Menu { .. }) => Ok(()),
            Err(Unanswered::Interrupted(signal)) => Err(Stop::Signal(signal)),
        }
    }

    /// The answer to the same question, where it was given before the step was cut off.
    fn given_before(&self, asked: &Asked) -> Option<Answer> {
        let mut given = self.given.borrow_mut();
        let at = given.iter().position(|(question, answer)| {
            *question == self.engine.world.masker.text(&asked.prompt) && asked.form.accepts(answer)
        })?;
        Some(given.remove(at).1)
    }
}

/// Whether the clock of the incident may come before such a question. What is asked about a command that runs, about a breach or
/// before a rollback comes first.
fn is_interrupted(purpose: Purpose) -> bool {
    matches!(
        purpose,
        Purpose::Step
            | Purpose::Production
            | Purpose::Difference
            | Purpose::Failure
            | Purpose::Unknown
            | Purpose::Undo
            | Purpose::Aftermath
    )
}

fn missing(question: &Question) -> String {
    let fits = match &question.form {
        Form::Confirm => "yes or no".to_owned(),
        Form::Typed { expected } => format!("the text `{expected}`"),
        Form::Choice(of) => of.join(" | "),
        Form::Choices(of) => format!("some of {}", of.join(", ")),
        Form::Number => "a number".to_owned(),
        Form::Checklist(_) => "`all`, or the list of what is ticked".to_owned(),
        Form::Approve { .. } => "{approve: NAME, note: …}".to_owned(),
        Form::Hand => "done".to_owned(),
        Form::Shell { .. } => "a command, or done".to_owned(),
        Form::Way(ways) => ways.iter().map(|way| format!("{way:?}").to_lowercase()).collect::<Vec<_>>().join(" | "),
        Form::Due(_) => "at a terminal".to_owned(),
        Form::Text | Form::Editor { .. } => "a text".to_owned(),
    };
    format!("{}: {} ({fits})", question.step, question.prompt)
}

/// What gates in the background have to ask about, until it can be asked.
pub(super) struct Held<'a> {
    engine: &'a Engine,
    breaches: Vec<(String, Stop)>,
}

impl<'a> Held<'a> {
    pub(super) fn of(engine: &'a Engine) -> Self {
        Self { engine, breaches: Vec::new() }
    }

    pub(super) fn hold(&mut self, key: &str, stop: Stop) {
        self.breaches.push((key.to_owned(), stop));
    }

    /// It was asked.
    pub(super) fn let_go(&mut self) {
        self.breaches.clear();
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.engine.breaches.borrow_mut().extend(self.breaches.drain(..));
    }
}

impl StepDesk<'_> {
    /// Ends when the step is not to go on, and asks nothing.
    async fn stop(&self) -> Stop {
        let mut held = Held::of(self.engine);
        loop {
            match self.engine.trouble().await {
                Trouble::Stop(stop) => return stop,
                Trouble::Breach(key, stop @ Stop::Failed(_)) => held.hold(&key, stop),
                Trouble::Breach(key, stop) => {
                    if let Err(stop) = self.engine.breached(&key, stop).await {
                        return stop;
                    }
                }
            }
        }
    }

    /// What `stop` is to something that runs: a Ctrl-C of a person only asks for attention.
    fn heard(&self, stop: Stop) -> Disturbance {
        let person = self.engine.operator.presence() == Presence::Person;
        if person && matches!(stop, Stop::Signal(Signal::Int)) {
            self.engine.trouble.forget();
            return Disturbance::Attention(Attention::Interrupt);
        }
        Disturbance::Stop(stop)
    }

    /// Ends when nothing is watched any more that somebody could come for.
    async fn wait_for_somebody(&self) -> Result<(), Stop> {
        loop {
            tokio::select! {
                biased;
                trouble = self.engine.trouble() => match trouble {
                    Trouble::Stop(stop) => return Err(stop),
                    Trouble::Breach(key, stop) => self.engine.breached(&key, stop).await?,
                },
                () = self.engine.wait_for_watches() => return Ok(()),
            }
        }
    }

    async fn lent(&self, loan: &Loan) -> Result<Left, Stop> {
        let mut lent = self.engine.operator.lend(loan);
        let ended = tokio::select! {
            biased;
            ended = &mut lent => ended,
            stop = self.stop() => return Err(stop),
        };
        match ended {
            Ok(left) => Ok(left),
            Err(Unanswered::Missing) => {
                self.wait_for_somebody().await?;
                let step = self.key.clone();
                if self.purpose == Purpose::Step && self.engine.course() == Course::Forward {
                    // It has not begun, and nobody need be asked whether it has.
                    let attempt = self.engine.run(|run| run.step(&step).attempts);
                    let known = Some(Cut::NotBegun);
                    self.engine.commit(Event::StepInterrupted { step: step.clone(), attempt, known })?;
                }
                Err(Stop::Missing(format!("{step}: its command talks to the operator and needs a terminal")))
            }
            Err(Unanswered::Interrupted(signal)) => Err(Stop::Signal(signal)),
            Err(Unanswered::Menu { way, reason }) => Err(Stop::Way { way, reason }),
            Err(Unanswered::Note(text)) => Err(Stop::failed("terminal", text)),
        }
    }
}

impl Desk for StepDesk<'_> {
    fn lend<'a>(&'a self, loan: &'a Loan) -> LocalFuture<'a, Result<Left, Stop>> {
        Box::pin(self.lent(loan))
    }

    fn ask(&self, asked: Asked) -> LocalFuture<'_, Result<Answer, Stop>> {
        Box::pin(self.put(asked))
    }

    fn record(&self, finding: Finding) -> Result<(), Stop> {
        let step = self.key.clone();
        self.engine.commit(match finding {
            Finding::Approved { approver, note } => Event::ApprovalGiven { step, approver, note },
            Finding::Measured { probe, value, outcome } => {
                Event::GateMeasured { step, probe, value, outcome: outcome.to_owned() }
            }
            Finding::Unmeasured(gap) => {
                self.engine.show(Show::Warning(&format!("{step}: {}", gap.words())));
                let (probe, outcome, value) = (String::new(), GAP.to_owned(), serde_json::json!(gap));
                Event::GateMeasured { step, probe, value, outcome }
            }
            Finding::Decided { decision, reason } => {
                let samples = self.engine.seal_samples();
                Event::GateDecided { step, decision: decision.to_owned(), reason, samples }
            }
            Finding::Sent { channel, text } => Event::NoticeSent { channel, text },
            Finding::NotSent { channel, reason } => Event::NoticeFailed { channel, reason },
        })
    }

    fn sample(&self, probe: &str, value: &Value, outcome: &'static str) {
        self.engine.keep_sample((&self.key, probe), value, outcome);
    }

    fn show(&self, show: Show<'_>) {
        self.engine.show(show);
    }

    fn disturbance(&self) -> LocalFuture<'_, Disturbance> {
        Box::pin(async {
            loop {
                let trouble = tokio::select! {
                    biased;
                    trouble = self.engine.trouble() => trouble,
                    attention = self.engine.operator.attention() => return Disturbance::Attention(attention),
                    falls = self.engine.falls_due() => match self.engine.attend(falls, &self.menu).await {
                        Ok(()) => continue,
                        Err(stop) => return self.heard(stop),
                    },
                };
                match trouble {
                    // A Ctrl-C may be pressed in the moment before the keys are listened to.
                    Trouble::Stop(stop) => return self.heard(stop),
                    Trouble::Breach(key, stop) => {
                        if let Err(stop) = self.engine.breached(&key, stop).await {
                            return Disturbance::Stop(stop);
                        }
                    }
                }
            }
        })
    }

    fn interruption(&self) -> LocalFuture<'_, Disturbance> {
        Box::pin(async { self.heard(self.stop().await) })
    }

    fn note(&self) -> LocalFuture<'_, Result<(), Stop>> {
        Box::pin(self.take_note())
    }

    fn presence(&self) -> Presence {
        self.engine.operator.presence()
    }

    fn tested(&self, stage: &str) -> Vec<Test> {
        self.engine.tests_of(stage)
    }

    fn anchor(&self) -> String {
        let book = self.engine.book.borrow();
        let (seq, head) = book.anchor().unwrap_or_default();
        format!("{} {seq} {head}", self.engine.paths.id)
    }
}

impl Engine {
    /// Shows something, with every secret taken out of it. What a command printed was masked before.
    pub(super) fn show(&self, show: Show<'_>) {
        let mask = |text: &str| self.world.masker.text(text);
        match show {
            Show::Command { text, values, timeout } => {
                let values: Vec<_> = values.iter().map(|(name, value)| (name.clone(), mask(value))).collect();
                self.screen.show(Show::Command { text: &mask(text), values: &values, timeout });
            }
            Show::Stage { number, of, title, guide, budget, began } => {
                let (title, guide) = (mask(title), guide.map(mask));
                self.screen.show(Show::Stage { number, of, title: &title, guide: guide.as_deref(), budget, began });
            }
            Show::Step { key, title, guide } => {
                let (title, guide) = (mask(title), guide.map(mask));
                self.screen.show(Show::Step { key, title: &title, guide: guide.as_deref() });
            }
            Show::Guidance(text) => self.screen.show(Show::Guidance(&mask(text))),
            Show::Info(text) => self.screen.show(Show::Info(&mask(text))),
            Show::Warning(text) => self.screen.show(Show::Warning(&mask(text))),
            Show::Gauge { at, of, gauge } => {
                let matched = gauge.matched.iter().map(|line| mask(line)).collect();
                let gauge = Gauge { value: mask(&gauge.value), matched, ..gauge.clone() };
                self.screen.show(Show::Gauge { at, of, gauge: &gauge });
            }
            Show::Outcome { key, how, detail, took } => {
                self.screen.show(Show::Outcome { key, how, detail: &mask(detail), took });
            }
            other => self.screen.show(other),
        }
    }
}
