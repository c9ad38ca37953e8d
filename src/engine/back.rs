//! The way back: the plan, the undos, and what is left.

use std::path::PathBuf;
use std::rc::Rc;

use super::desk::StepDesk;
use super::place::Origin;
use super::retreat::{ROLLBACK, UndoText};
use super::{Ending, Engine};
use crate::action::{Action, Asked, Context, Desk as _, LOST, Repetition, Stop};
use crate::event::Event;
use crate::git;
use crate::operator::{Answer, Form, Outcome, Presence, Purpose, Show, Way};
use crate::process::{self, Found};
use crate::run::{Next, Run, Status, Trigger, UNKNOWN_END, UndoStatus};
use crate::runbook::{Body, Step};
use crate::template::Condition;

/// What looks at nothing, by the name of its action.
const TELLING: [&str; 2] = ["note", "notify"];

impl Engine {
    /// Undoes the step `key`.
    pub(super) async fn undo(&self, key: &str) -> Result<(), Stop> {
        let (step, what) = match self.undo_text(key, &self.var("rollback_to")) {
            Ok((step, Some(what))) => (step, what),
            Ok((_, None)) => return Ok(()),
            Err(Stop::Failed(failure)) => return self.undo_failed(key, failure.message),
            Err(stop) => return Err(stop),
        };
        let before = self.run(|run| run.undone_by(&what.identity).map(|(key, end)| (key.to_owned(), end)));
        match before {
            Some((other, UndoStatus::Done)) => {
                let event = Event::UndoDone { step: key.to_owned(), along_with: Some(other.clone()), by_hand: None };
                self.commit(event)?;
                self.outcome(key, Outcome::Done, &format!("undone along with {other}, by the same command"));
                return Ok(());
            }
            Some((other, _)) => return self.undo_failed(key, format!("the same command failed for {other}")),
            None => {}
        }
        self.begin_undo(key, step, what).await
    }

    async fn begin_undo(&self, key: &str, step: &Step, what: UndoText) -> Result<(), Stop> {
        let UndoText { what: text, identity, .. } = what.clone();
        self.commit(Event::UndoStarted { step: key.to_owned(), what: text, identity })?;
        self.show(Show::Step { key, title: &format!("Undo of {key}"), guide: None });
        self.carry_out(key, step, what).await
    }

    /// Performs the undo that has begun, and asks where it fails.
    async fn carry_out(&self, key: &str, step: &Step, what: UndoText) -> Result<(), Stop> {
        let Some(undo) = &step.undo else { return Ok(()) };
        let message = match self.perform_undo(key, step, undo).await {
            Ok(by_hand) => return self.undone(key, by_hand),
            Err(Stop::Failed(failure)) if failure.reason == LOST => {
                return self.ask_unknown_undo(key, step, what).await;
            }
            Err(Stop::Failed(failure)) => failure.message,
            Err(Stop::Missing(question)) => return self.undo_failed(key, question),
            Err(Stop::Way { way: Way::Done, reason }) => return self.undone(key, Some(reason.unwrap_or_default())),
            Err(stop) => return Err(stop),
        };
        self.outcome(key, Outcome::Failed, &message);
        self.ask_undo(key, step, (what, message)).await
    }

    /// Asks about an undo that began, and whose end nobody knows: it is not run again unasked.
    async fn ask_unknown_undo(&self, key: &str, step: &Step, what: UndoText) -> Result<(), Stop> {
        self.warn_of_unwatched();
        self.ask_undo(key, step, (what, UNKNOWN_END.to_owned())).await
    }

    async fn ask_undo(&self, key: &str, step: &Step, (what, message): (UndoText, String)) -> Result<(), Stop> {
        let ways = vec![Way::Retry, Way::Done, Way::Leave, Way::Pause];
        let prompt = format!("The undo of {key} failed: {message}");
        let desk =
            StepDesk::new(self, key, Vec::new()).of_undo().with_output(process::beside(&self.undo_files(key), ".log"));
        match desk.ask(Asked { purpose: Purpose::Undo, prompt, form: Form::Way(ways) }).await {
            Err(Stop::Missing(_)) | Ok(Answer::Way { way: Way::Leave, .. }) => self.undo_failed(key, message),
            Ok(Answer::Way { way: Way::Retry, .. }) => Box::pin(self.begin_undo(key, step, what)).await,
            Ok(Answer::Way { way: Way::Done, reason }) => self.undone(key, Some(reason.unwrap_or_default())),
            Ok(Answer::Way { way, reason }) => Err(Stop::Way { way, reason }),
            Ok(_) => Ok(()),
            Err(stop) => Err(stop),
        }
    }

    async fn perform_undo(&self, key: &str, step: &Step, undo: &Action) -> Result<Option<String>, Stop> {
        let mut values = self.values_back(key, &self.var("rollback_to"));
        values.set("attempt", self.run(|run| run.undo(key).attempts));
        let (settings, without) = Self::undo_settings(step, &values)?;
        if !without.is_empty() {
            self.show(Show::Warning(&format!("the undo of {key} is run without {}", without.join(", "))));
        }
        let place = self.place((step, undo.kind()), self.undo_files(key), Origin::Release, &values)?;
        let desk = StepDesk::new(self, key, vec![Way::Done, Way::Pause]).of_undo().with_output(place.file(".log"));
        let ctx = Context { values: &values, settings: &settings, place: &place, world: &self.world, desk: &desk };
        let done = undo.kind().perform(&ctx).await?;
        Ok(done.by_hand.map(|by_hand| by_hand.note.unwrap_or_default()))
    }

    fn undo_files(&self, key: &str) -> PathBuf {
        self.paths.undo_files(key, self.run(|run| run.undo(key).attempts))
    }

    fn undone(&self, key: &str, by_hand: Option<String>) -> Result<(), Stop> {
        let how = if by_hand.is_some() { Outcome::ByHand } else { Outcome::Done };
        self.commit(Event::UndoDone { step: key.to_owned(), along_with: None, by_hand })?;
        self.outcome(key, how, "undone");
        Ok(())
    }

    fn undo_failed(&self, key: &str, message: String) -> Result<(), Stop> {
        self.outcome(key, Outcome::Failed, &format!("not undone: {message}"));
        self.commit(Event::UndoFailed { step: key.to_owned(), message })
    }

    /// An undo began, and nobody saw its end.
    pub(super) async fn undo_unknown(&self, key: &str) -> Result<(), Stop> {
        let (step, Some(what)) = self.undo_text(key, &self.var("rollback_to"))? else { return Ok(()) };
        let Some(undo) = &step.undo else { return Ok(()) };
        let status = process::beside(&self.undo_files(key), ".status");
        let found = process::find(&status, 0).await.unwrap_or_else(|error| {
            self.show(Show::Warning(&format!("what became of the undo of {key} cannot be read: {error}")));
            Some(Found::Lost { pgid: None })
        });
        match (found, undo.kind().repetition()) {
            (Some(Found::Finished(_) | Found::Running(_)), _) => {
                self.show(Show::Info(&format!("the undo of {key} is taken up, not run again")));
                self.carry_out(key, step, what).await
            }
            (Some(Found::NeverBegan), _) | (None, Repetition::Question | Repetition::Unasked) => {
                self.begin_undo(key, step, what).await
            }
            // Of a command at the operator's terminal nobody keeps how it stands.
            (None, Repetition::Supervised) if !step.interactive => self.begin_undo(key, step, what).await,
            _ => self.ask_unknown_undo(key, step, what).await,
        }
    }

    /// Production is back: says so, and offers to do what is left.
    pub(super) async fn rolled_back(self: &Rc<Self>) -> Result<Option<Ending>, Stop> {
        let to = self.var("rollback_to");
        let touched = self.run(Run::touched_production);
        self.commit(Event::RunRolledBack { to: to.clone() })?;
        self.brought_back.set(true);
        self.remove_worktrees();
        if touched {
            let validated = match self.validated() {
                Some(true) => ", and validated.",
                Some(false) => ". What validates it was left out: look yourself.",
                None => ". Nothing in the runbook validates it: look yourself.",
            };
            self.show(Show::Info(&format!("Production is back on {to}{validated}")));
        } else {
            self.show(Show::Info("Production was never touched: nothing of it was run."));
        }
        for line in self.left_behind() {
            self.show(Show::Info(&line));
        }
        let left = self.left();
        if !left.is_empty() {
            return Ok(Some(Ending::Incomplete(left)));
        }
        if self.next() == Next::Finish {
            self.commit(Event::RunFinished {})?;
            return Ok(Some(Ending::RolledBack));
        }
        if self.operator.presence() == Presence::File {
            return Ok(Some(Ending::RolledBack));
        }
        self.show_run();
        let prompt = format!("{} Go on with that now?", self.aftermath());
        let asked = Asked { purpose: Purpose::Aftermath, prompt, form: Form::Confirm };
        let answer = StepDesk::new(self, ROLLBACK, vec![Way::Pause]).ask(asked).await;
        Ok((!matches!(answer, Ok(Answer::Yes))).then_some(Ending::RolledBack))
    }

    /// Where production is after a rollback, and which stages are left to do.
    pub(super) fn aftermath(&self) -> String {
        let to = self.var("rollback_to");
        let how = if self.run(Run::touched_production) { "was rolled back to" } else { "stayed on" };
        let left = self.run(|run| run.stages_left().into_iter().map(str::to_owned).collect::<Vec<_>>());
        let titles = left.iter().filter_map(|id| {
            let (_, stage) = self.stage(id)?;
            let values = self.values(id, 0);
            let open = |when: &Option<Condition>| when.as_ref().is_none_or(|when| when.holds(&values) != Ok(false));
            let ahead = open(&stage.when) && stage.steps.iter().any(|step| open(&step.when));
            ahead.then(|| Self::shown(stage.title.as_ref(), &values).unwrap_or_else(|| id.clone()))
        });
        let titles = titles.collect::<Vec<_>>().join("; ");
        let titles = if titles.is_empty() { "nothing".to_owned() } else { titles };
        format!("Production {how} {to}. Left to do: {titles}.")
    }

    /// Whether a step of the rollback's own stage has looked at production; `None` where there is no such step. One that brings
    /// production back or sends a message looks at nothing.
    fn validated(&self) -> Option<bool> {
        self.run(|run| {
            let own = run.outline().stages.iter().filter(|stage| stage.trigger == Trigger::Rollback);
            let ids: Vec<_> = own.map(|stage| stage.id.as_str()).collect();
            let of_stage = |key: &str| key.split('/').next().is_some_and(|id| ids.contains(&id));
            let tells = |step: &Step| matches!(&step.body, Body::Action(action) if TELLING.contains(&action.name()));
            let looks = |key: &str| {
                run.outline().step(key).is_some_and(|step| !step.reach.is_production())
                    && self.find(key).is_ok_and(|(_, step)| !tells(step))
            };
            let keys: Vec<_> = run.outline().keys().into_iter().filter(|key| of_stage(key) && looks(key)).collect();
            let done = |key: &String| matches!(run.step(key).status, Status::Done | Status::DoneByHand);
            (!keys.is_empty()).then(|| keys.iter().any(done))
        })
    }

    /// What of the rollback was left, with what would do it.
    pub(super) fn left(&self) -> Vec<String> {
        let left = self.run(|run| run.left().into_iter().map(str::to_owned).collect::<Vec<_>>());
        let to = self.var("rollback_to");
        let line = |key: String| match self.undo_text(&key, &to) {
            Ok((_, Some(UndoText { what, .. }))) => format!("{key}: {what}"),
            _ => key,
        };
        left.into_iter().map(line).collect()
    }

    /// What a rollback leaves in the repository, with the commands that would take it back.
    #[must_use]
    pub fn left_behind(&self) -> Vec<String> {
        let repository = &self.world.repository;
        let (tag, branch, remote) = (self.var("new_tag"), self.var("branch"), self.var("remote"));
        if tag == self.var("tag") {
            // Nothing was released: the only tag is the one to go back to.
            return Vec::new();
        }
        let remote_refs = repository.remote_refs(&remote).unwrap_or_default();
        let there = |kind: git::Kind, name: &str| remote_refs.iter().any(|other| other.name == kind.full(name));
        let mut lines = Vec::new();
        for (kind, noun, name, delete) in
            [(git::Kind::Tag, "tag", &tag, "git tag -d"), (git::Kind::Branch, "branch", &branch, "git branch -D")]
        {
            if matches!(repository.find(kind, name), Ok(Some(_))) {
                lines.push(format!("left: the {noun} {name} here; `{delete} {name}` would delete it"));
            }
            if there(kind, name) {
                lines.push(format!(
                    "left: the {noun} {name} on {remote}; `git push {remote} --delete {name}` would delete it"
                ));
            }
        }
        for name in git::requests(&branch, &remote_refs) {
            lines.push(format!(
                "left: the branch {name} on {remote}, a merge that waits; `git push {remote} --delete {name}` would delete it"
            ));
        }
        if let Ok(Some(commit)) = repository.picking() {
            let short: String = commit.chars().take(10).collect();
            lines.push(format!("left: {short} is being taken here; `git cherry-pick --abort` would end that"));
        }
        for at in repository.unsolved(&branch).unwrap_or_default() {
            let at = at.display();
            lines.push(format!(
                "left: the work tree {at}, where a merge was begun; `git worktree remove --force {at}` would delete it"
            ));
        }
        let main = self.var("main");
        if let (Ok(Some(fix)), Ok(Some(at))) =
            (repository.find(git::Kind::Tag, &tag), repository.find(git::Kind::Branch, &main))
            && repository.is_ancestor(&fix, &at).unwrap_or(false)
        {
            lines.push(format!("left: {main} has the fix; `git revert -m 1` of its merge would take it out"));
        }
        lines
    }
}
