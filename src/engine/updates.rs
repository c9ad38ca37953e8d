//! Updates to those who are concerned: when one is due, a person is given a draft. Nothing is ever sent unasked.

use super::Engine;
use super::desk::StepDesk;
use super::escalation::answered;
use crate::action::notify::Notify;
use crate::action::{Context, Place, Settings, Stop};
use crate::clock::brief;
use crate::operator::{Answer, Due, Falling, Form, Presence, Purpose, Show, Way};
use crate::run::Run;
use crate::schedule::{self, UPDATE, Update};
use crate::template::Template;

/// The draft where the runbook gives none.
const TEXT: &str = "#{{ issue }}: production {{ tag }} has been affected for {{ lasting }}. \
                    {% if direction == 'back' %}It was rolled back to {{ rollback_to }}. {% endif %}\
                    Done: {{ so_far }}. Now: {{ standing }}{% if failed %}. FAILED: {{ failed }}\
                    {% elif waits_for %}, waiting for: {{ waits_for }}\
                    {% elif under_way %}, under way: {{ under_way }}{% endif %}. Led by {{ operator }}.";

impl Engine {
    /// The next update, where there still is to be one.
    pub(super) fn update(&self) -> Option<Update> {
        if self.runbook.updates.is_none() || !self.run(Run::informs) {
            return None;
        }
        let values = self.values("", 0);
        self.run(|run| schedule::update(run, &self.runbook, &values))
    }

    /// Where nobody can be asked, it is said each time that an update is due.
    pub(super) fn warn_of_update(&self) {
        if self.operator.presence() == Presence::Person {
            return;
        }
        let Some(update) = self.update() else { return };
        let (now, said) = (self.now(), &self.incident.said);
        let last = said.get().filter(|at| *at <= now).unwrap_or(update.last).max(update.last);
        if (Update { last, ..update }).is_due(now) {
            said.set(Some(now));
            let every = brief(update.every);
            self.show(Show::Warning(&format!(
                "It is time for an update to those concerned (every {every}); nobody is there to send it."
            )));
        }
    }

    /// The channels of updates that something can be sent to: their address is set.
    fn open_channels(&self, chosen: &[String]) -> Vec<String> {
        let is_set = |name: &String| self.world.environment.get(name).is_some();
        let open = self.runbook.channels.iter().filter(|(name, channel)| {
            let wanted = chosen.is_empty() || chosen.contains(name);
            wanted && (channel.run.is_some() || channel.url_env.as_ref().is_some_and(is_set))
        });
        open.map(|(name, _)| name.clone()).collect()
    }

    /// `channels` as they are shown. Of one that may have got the message from a process that was killed it is said.
    fn with_doubt(&self, channels: &[String]) -> Vec<String> {
        let sending = self.run(|run| run.sending().cloned());
        let shown = channels.iter().map(|name| match &sending {
            Some((since, heard)) if !heard.contains(name) => {
                let began = since.local_time();
                format!("{name} (Sending began at {began} and nobody knows whether it went out: look first)")
            }
            _ => name.clone(),
        });
        shown.collect()
    }

    /// Shows the draft, and does with it what the operator says.
    pub(super) async fn attend_update(&self, update: &Update, menu: &[Way]) -> Result<(), Stop> {
        let Some(written) = &self.runbook.updates else { return Ok(()) };
        let channels = self.open_channels(&written.channels);
        let mut ways = vec![Way::Edit, Way::Done, Way::Skip, Way::Later];
        if !channels.is_empty() {
            ways.insert(0, Way::Send);
        }
        let draft = self.incident.draft.borrow().clone();
        let draft = draft.unwrap_or_else(|| self.drafted(written.text.as_ref(), TEXT));
        let what = Falling::Update { every: update.every, channels: self.with_doubt(&channels) };
        let form = Form::Due(Box::new(Due { what, at: update.at(), ways }));
        let asked = (UPDATE.to_owned(), Purpose::Update, draft, form);
        let Some((question, answer)) = self.ask_due(asked, menu).await? else { return Ok(()) };
        let Answer::Way { way, .. } = answer else { return Ok(()) };
        let text = question.prompt.clone();
        match way {
            Way::Edit => return self.edit_update(text, menu).await,
            // What was changed is kept for then.
            Way::Later => return self.commit(answered(question, answer)),
            _ => {}
        }
        self.commit(answered(question, answer))?;
        if way == Way::Send {
            return self.send_update(text, channels).await;
        }
        self.incident.draft.replace(None);
        Ok(())
    }

    /// Has the draft changed; what is to be done with it is asked again.
    async fn edit_update(&self, text: String, menu: &[Way]) -> Result<(), Stop> {
        let form = Form::Editor { initial: text };
        let asked =
            (UPDATE.to_owned(), Purpose::Update, "The update, to be sent or not once it is written:".to_owned(), form);
        if let Some((_, Answer::Text(text))) = self.ask_due(asked, menu).await? {
            self.incident.draft.replace(Some(text.trim_end().to_owned()));
        }
        Ok(())
    }

    /// Sends it as a step would. Where it reached nobody it stays due.
    async fn send_update(&self, text: String, channels: Vec<String>) -> Result<(), Stop> {
        let values = self.values(UPDATE, 0);
        let place = Place { dir: self.world.repository.work_tree().to_owned(), files: self.files(UPDATE, 0) };
        let (settings, desk) = (Settings::default(), StepDesk::new(self, UPDATE, Vec::new()));
        let ctx = Context { values: &values, settings: &settings, place: &place, world: &self.world, desk: &desk };
        self.incident.draft.replace(Some(text.clone()));
        let notify = Notify { text: Template::new(String::new()), channels };
        match notify.send(&text, &ctx).await {
            Ok(_) => {}
            Err(Stop::Failed(failure)) => self.show(Show::Warning(&failure.message)),
            Err(stop) => return Err(stop),
        }
        // A message that went out counts; one that did not is offered again.
        if self.update().is_none_or(|update| !update.is_due(self.now())) {
            self.incident.draft.replace(None);
        }
        Ok(())
    }
}
