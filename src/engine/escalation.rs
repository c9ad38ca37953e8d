//! The clock of the incident: whom to call, and when. It asks, and never holds a rollback up.
//!
//! # Why
//! A question of the clock comes between a person and their work, so there is one at a time, it waits until a hand is off the keys,
//! and what was typed is there again afterwards. What it asks about is on record before it asks, and is asked again until a
//! person has answered it: Enter, Esc, Ctrl-C and a crash answer nothing.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::Engine;
use super::trouble::{POLL, Trouble};
use crate::action::Stop;
use crate::clock::{Clock as _, SystemClock, Timestamp, brief};
use crate::event::Event;
use crate::operator::{Answer, Busy, Due, Falling, Form, Presence, Purpose, Question, Show, Unanswered, Way};
use crate::run::{Next, Phase, Run, Status};
use crate::runbook::{Body, Step};
use crate::schedule::{self, Rung, Stands, Update};
use crate::template::Template;
use crate::vars::Values;

/// How long a person who types is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the incident's clock is looked at while something is waited for.
const GLANCE: Duration = Duration::from_secs(1);
/// What is over sooner is not worth an interruption.
const MOMENT: Duration = Duration::from_millis(300);
/// What is said in a call where the runbook does not say it.
const SAY: &str = "Issue {{ issue }} in production ({{ tag }}) has lasted {{ lasting }}; the fix is {{ new_tag }}. \
                   We are at {{ standing }}{% if failed %}. FAILED: {{ failed }}\
                   {% elif waits_for %}, waiting for: {{ waits_for }}\
                   {% elif under_way %}, under way: {{ under_way }}{% endif %}.";
/// How much of the message of a failure is said, in letters.
const TOLD: usize = 160;

/// What the clock of the incident keeps while a process drives the run. All of it but an edited draft is on record.
#[derive(Debug, Default)]
pub(super) struct Incident {
    /// Whether a question of the clock is up.
    asks: Cell<bool>,
    /// Whether nobody is there after all.
    nobody: Cell<bool>,
    /// The stage that was said to take too long.
    over: RefCell<Option<String>>,
    /// When it was said last that an update is due, where nobody can be asked.
    pub(super) said: Cell<Option<Timestamp>>,
    /// When the clock was looked at.
    glance: Glance,
    /// The draft of an update as the operator has changed it. It ends with the process.
    pub(super) draft: RefCell<Option<String>>,
    /// The step that is asked about because nobody knows how it ended.
    pub(super) lost: RefCell<Option<String>>,
}

/// When the incident's clock was looked at last: by this machine's clock, and by itself.
#[derive(Debug, Default)]
struct Glance(Cell<Option<(Timestamp, Timestamp)>>);

impl Glance {
    /// Whether it is time to look again at `now`, which is on record as the last time then.
    fn is_due(&self, now: Timestamp) -> bool {
        let moments = (SystemClock.now(), now);
        let over = |before, now: Timestamp| now < before || now.since(before) >= GLANCE;
        let due = self.0.get().is_none_or(|before| over(before.0, moments.0) || over(before.1, moments.1));
        if due {
            self.0.set(Some(moments));
        }
        due
    }
}

/// What is to be asked.
#[derive(Debug)]
pub(super) enum Falls {
    Call(Rung),
    Update(Update),
}

/// A question of the clock is up, as long as this is kept.
struct Asks<'a>(&'a Cell<bool>);

impl Drop for Asks<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl Engine {
    /// Every rung of the escalation, the earliest first.
    pub(super) fn rungs(&self) -> Vec<Rung> {
        if self.runbook.escalation.is_empty() {
            return Vec::new();
        }
        let values = self.values("", 0);
        self.run(|run| schedule::rungs(run, &self.runbook, &values))
    }

    /// [`Self::escalate`], as often as it is worth it while something is waited for.
    pub(super) fn escalate_again(&self) -> Result<(), Stop> {
        if self.incident.glance.is_due(self.now()) { self.escalate() } else { Ok(()) }
    }

    /// Writes down, and says, that somebody is to be called, and says that a stage takes longer than it ought to.
    pub(super) fn escalate(&self) -> Result<(), Stop> {
        self.warn_of_budget();
        self.warn_of_update();
        if !self.run(Run::escalates) {
            return Ok(());
        }
        let (now, mut news) = (self.now(), false);
        for Rung { contact, turn, at, .. } in self.rungs().into_iter().filter(|rung| rung.call.is_none()) {
            if at <= now {
                news = true;
                self.commit(Event::EscalationDue { contact: contact.clone(), turn })?;
                let whom = self.contact(&contact);
                let alone = self.operator.presence() == Presence::File;
                let next = if alone { " `hotfix note` records what was said." } else { "" };
                self.show(Show::Warning(&format!("It is time to call {whom}.{next}")));
            }
        }
        if news {
            self.show_run();
        }
        Ok(())
    }

    fn warn_of_budget(&self) {
        let Some((id, began)) = self.run(Run::open_stage).zip(self.run(Run::stage_began)) else { return };
        if self.incident.over.borrow().as_ref() == Some(&id) {
            return;
        }
        let Some((_, stage)) = self.stage(&id) else { return };
        let Some(budget) = &stage.budget else { return };
        let values = self.values(&id, 0);
        let Ok(budget) = budget.resolve(&values) else { return };
        if self.now().since(began) > budget {
            let title = Self::shown(stage.title.as_ref(), &values).unwrap_or_else(|| id.clone());
            self.show(Show::Warning(&format!("{title} takes longer than the {} it ought to take.", brief(budget))));
            self.incident.over.replace(Some(id));
        }
    }

    /// What is to be asked now: the earliest call, else an update. Nothing while a question of the clock is up, while production
    /// is taken back, or where nobody can be asked.
    pub(super) fn falls(&self) -> Option<Falls> {
        let nobody = self.incident.nobody.get() || self.operator.presence() != Presence::Person;
        if nobody || self.incident.asks.get() || self.phase() == Phase::Back {
            return None;
        }
        let now = self.now();
        let calls = if self.run(Run::escalates) { self.rungs() } else { Vec::new() };
        let call = calls.into_iter().find(|rung| rung.stands(now) == Stands::Due);
        call.map(Falls::Call).or_else(|| self.update().filter(|update| update.is_due(now)).map(Falls::Update))
    }

    /// Ends when something is to be asked and the operator can be interrupted.
    pub(super) async fn falls_due(&self) -> Falls {
        SystemClock.sleep(MOMENT).await;
        let (mut since, mut falls, glance) = (None, false, Glance::default());
        loop {
            if glance.is_due(self.now()) {
                falls = self.falls().is_some();
            }
            if falls {
                let now = SystemClock.now();
                let waited = now.since(*since.get_or_insert(now));
                match self.operator.busy() {
                    Busy::Elsewhere => {}
                    Busy::Typing if waited < PATIENCE => {}
                    // It may have been asked elsewhere since it was looked at.
                    _ => match self.falls() {
                        Some(falls) => return falls,
                        None => falls = false,
                    },
                }
            }
            SystemClock.sleep(POLL).await;
        }
    }

    /// Between two steps: asks all that is due, the earliest first.
    pub(super) async fn attend_all(self: &Rc<Self>) -> Result<(), Stop> {
        while let Some(falls) = self.falls() {
            match self.attend(falls, &[Way::Rollback, Way::Pause]).await {
                Err(stop @ (Stop::Way { way: Way::Rollback, .. } | Stop::Retreat(_))) => {
                    return self.settle("", stop).await;
                }
                attended => attended?,
            }
        }
        Ok(())
    }

    /// Asks one thing. `menu` is what the question offers that it comes before.
    pub(super) async fn attend(&self, falls: Falls, menu: &[Way]) -> Result<(), Stop> {
        self.incident.asks.set(true);
        let _asks = Asks(&self.incident.asks);
        match falls {
            Falls::Call(rung) => self.attend_call(&rung, menu).await,
            Falls::Update(update) => self.attend_update(&update, menu).await,
        }
    }

    async fn attend_call(&self, rung: &Rung, menu: &[Way]) -> Result<(), Stop> {
        let say = self.runbook.escalation.get(rung.place).and_then(|written| written.say.as_ref());
        let due = Due {
            what: Falling::Call { whom: self.world.masker.text(&self.contact(&rung.contact)), after: rung.after },
            at: rung.at,
            ways: vec![Way::Called, Way::Acknowledged, Way::Decline, Way::Later],
        };
        let asked = (rung.step(), Purpose::Escalation, self.drafted(say, SAY), Form::Due(Box::new(due)));
        let Some((question, answer)) = self.ask_due(asked, menu).await? else { return Ok(()) };
        let Answer::Way { way, reason } = &answer else { return Ok(()) };
        let (contact, turn) = (rung.contact.clone(), rung.turn);
        let event = match way {
            Way::Called | Way::Acknowledged => {
                let (acknowledged, note) = (*way == Way::Acknowledged, reason.clone());
                Event::EscalationMade { contact, turn, acknowledged, note }
            }
            Way::Decline => Event::EscalationDeclined { contact, turn, reason: reason.clone().unwrap_or_default() },
            _ => answered(question, answer),
        };
        self.commit(event)?;
        self.show_run();
        Ok(())
    }

    /// Asks until there is an answer; `None` where nobody is there. Breaches come first.
    pub(super) async fn ask_due(
        &self,
        (step, purpose, prompt, form): (String, Purpose, String, Form),
        menu: &[Way],
    ) -> Result<Option<(Question, Answer)>, Stop> {
        let menu: Vec<_> = menu.iter().copied().filter(|way| matches!(way, Way::Rollback | Way::Pause)).collect();
        let prompt = self.world.masker.text(&prompt);
        let question = Question { step, purpose, prompt, form, menu, output: None, measured: Vec::new() };
        loop {
            let answered = tokio::select! {
                biased;
                answer = self.operator.ask(&question) => answer,
                trouble = self.trouble() => match trouble {
                    Trouble::Stop(stop) => return Err(stop),
                    Trouble::Breach(key, stop) => {
                        self.breached(&key, stop).await?;
                        continue;
                    }
                },
            };
            match answered {
                Ok(answer) => return Ok(Some((question, answer))),
                Err(Unanswered::Missing) => {
                    self.incident.nobody.set(true);
                    return Ok(None);
                }
                Err(Unanswered::Menu { way, reason }) => return Err(Stop::Way { way, reason }),
                Err(Unanswered::Note(text)) => self.commit(Event::NoteAdded { text })?,
                Err(Unanswered::Interrupted(signal)) => return Err(Stop::Signal(signal)),
            }
        }
    }

    /// `template`, or `otherwise`, filled in from the run. What cannot be worked out is shown as it was written.
    pub(super) fn drafted(&self, template: Option<&Template>, otherwise: &str) -> String {
        let otherwise = Template::new(otherwise);
        let template = template.unwrap_or(&otherwise);
        template.render(&self.draft_values()).unwrap_or_else(|why| format!("{}\n({why})", template.text()))
    }

    /// How it is with `step`, which is the step `key` or the first of the stage `key`.
    fn stands(&self, key: &str, step: &Step) -> Stand {
        let state = self.run(|run| run.step(key));
        if self.incident.lost.borrow().as_deref() == Some(key) {
            return Stand::Failed("nobody knows how it ended".to_owned());
        }
        if let Some(failure) = state.failure.filter(|_| state.status == Status::Failed) {
            let line = failure.message.lines().next().unwrap_or_default();
            let end = line.char_indices().nth(TOLD).map(|(at, _)| at);
            return Stand::Failed(end.map_or_else(|| line.to_owned(), |end| format!("{}…", line[..end].trim_end())));
        }
        let asks = match &step.body {
            Body::Action(action) => action.kind().form(&self.values(key, 0)).is_ok_and(|form| form.is_some()),
            Body::Group(_) => false,
        };
        // Before it touches production somebody types that it may.
        let release = step.affects.is_some() && state.status == Status::Pending;
        if asks || release { Stand::Waits } else { Stand::UnderWay }
    }

    /// What a draft sees: the variables, and [`crate::runbook::DRAFTED`].
    fn draft_values(&self) -> Values {
        let key = match self.next() {
            Next::Step(key) | Next::Decide(key) | Next::Unknown(key) | Next::Undo(key) | Next::UndoUnknown(key) => key,
            Next::Turn { group, .. } => group,
            Next::OpenStage(stage) | Next::CloseStage(stage) => stage,
            _ => String::new(),
        };
        let mut values = self.values(&key, 0);
        let began = self.run(Run::incident_began).unwrap_or(Timestamp::from_millis(0));
        let stage = key.split('/').next().and_then(|id| self.stage(id));
        let title = |title: Option<&Template>, id: &str| Self::shown(title, &values).unwrap_or_else(|| id.to_owned());
        let standing = stage.map(|(place, stage)| {
            format!("{}/{} {}", place + 1, self.runbook.stages.len(), title(stage.title.as_ref(), &stage.id))
        });
        let first = stage.and_then(|(_, stage)| stage.steps.first()).filter(|_| !self.run(|run| run.is_open(&key)));
        let step = self.find(&key).ok().map(|(_, step)| step).or(first);
        let (mut failed, mut waits_for, mut under_way) = <(String, String, String)>::default();
        if let Some(step) = step {
            let step_title = title(step.title.as_ref(), &step.id);
            match self.stands(&key, step) {
                Stand::Failed(why) => failed = format!("{step_title}: {why}"),
                Stand::Waits => waits_for = step_title,
                Stand::UnderWay => under_way = step_title,
            }
        }
        let needs = [&failed, &waits_for, &under_way].into_iter().find(|text| !text.is_empty()).cloned();
        let so_far = self.runbook.stages.iter().filter(|stage| self.run(|run| run.is_closed(&stage.id)));
        let so_far: Vec<_> = so_far.map(|stage| title(stage.title.as_ref(), &stage.id)).collect();
        let every = self.runbook.updates.as_ref().and_then(|updates| updates.every.resolve(&values).ok());
        let every = every.map_or_else(|| "–".to_owned(), rounded);
        let given = [
            ("update_every", every),
            ("lasting", brief(self.now().since(began))),
            ("standing", standing.unwrap_or_default()),
            ("so_far", if so_far.is_empty() { "–".to_owned() } else { so_far.join(", ") }),
            ("needs", needs.unwrap_or_default()),
            ("failed", failed),
            ("waits_for", waits_for),
            ("under_way", under_way),
        ];
        given.into_iter().for_each(|(name, value)| values.set(name, value));
        values
    }
}

/// How it is with the step that a run is at.
enum Stand {
    /// It failed, or nobody knows how it ended: why.
    Failed(String),
    /// A person is asked for something.
    Waits,
    /// It runs, or is about to.
    UnderWay,
}

/// That a question of the clock was answered.
pub(super) fn answered(question: Question, answer: Answer) -> Event {
    Event::PromptAnswered { step: question.step, purpose: question.purpose, question: question.prompt, answer }
}

/// A length of time without the parts that are nothing.
fn rounded(length: Duration) -> String {
    let text = brief(length);
    let short = text.strip_suffix("m00s").map(|minutes| format!("{minutes}m"));
    short.or_else(|| text.strip_suffix("h00m").map(|hours| format!("{hours}h"))).unwrap_or(text)
}
