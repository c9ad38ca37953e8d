//! Taking commits that another branch has already: the quick way to a fix.
//!
//! # Why
//! How far it has come is never taken from an answer, always from the repository; so a person is asked anew after an
//! interruption, with what has been taken told. A file of answers names the commits once, and those that are there are passed over.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::command::Command;
use super::commit::table;
use super::git::{refused, undisturbed};
use super::{Asked, Context, Done, Place, Stop};
use crate::git::{Candidate, Error, Kind, Picked, Repository, Source};
use crate::operator::{Answer, Form, Presence, Purpose, Show};
use crate::template::Template;

/// How many commits are offered.
const OFFERED: usize = 12;
/// How short an id in a file of answers may be, in characters.
const SHORTEST: usize = 7;
/// What is to be known of ids in a file of answers.
const QUOTES: &str = "has to be an id in quotes, of 7 characters at least";
/// How wide one of them may be, in characters.
const WIDTH: usize = 66;
/// What a person and a file answer where no commit is wanted, or no other.
const NONE: &str = "none";
/// What is chosen for a commit that is not offered.
const OTHER: &str = "another: its id";
/// The ways out of a conflict.
const WAYS: [&str; 3] = ["solve", "go on", "give up"];

/// From where commits are taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pick {
    /// The branch that has them.
    pub branch: Template,
    /// The variable that gets their ids, with spaces between.
    #[serde(default)]
    pub taken: Option<String>,
}

/// One performance of it.
struct Picking<'a> {
    ctx: &'a Context<'a>,
    repository: &'a Repository,
    branch: String,
    remote: Option<String>,
    /// The commits that are the tag's, not the fix's.
    without: Vec<String>,
    /// How many commands have been run to solve conflicts.
    commands: std::cell::Cell<usize>,
}

/// Takes commits of `branch` as the operator chooses.
pub(super) async fn pick(
    ctx: &Context<'_>,
    repository: &Repository,
    (branch, into): (String, Option<&String>),
) -> Result<Done, Stop> {
    let remote = ctx.values.text("remote");
    let remote = repository.has_remote(&remote).map_err(refused)?.then_some(remote);
    let tag = ctx.values.text("tag");
    let tag = if tag.is_empty() { None } else { repository.find(Kind::Tag, &tag).map_err(refused)? };
    let (without, commands) = (tag.into_iter().collect(), std::cell::Cell::default());
    let picking = Picking { ctx, repository, branch, remote, without, commands };
    match ctx.desk.presence() {
        Presence::File => picking.named().await?,
        Presence::Person | Presence::Away => picking.chosen().await?,
    }
    let taken = picking.taken()?;
    let mut done = Done::giving(into, taken.join(" "));
    done.result.insert("taken".to_owned(), json!(taken));
    if let Ok(Some(head)) = repository.head() {
        done.result.insert("commit".to_owned(), head.into());
    }
    Ok(done)
}

impl Picking<'_> {
    fn source(&self) -> Source<'_> {
        Source { branch: &self.branch, remote: self.remote.as_deref() }
    }

    fn taken(&self) -> Result<Vec<String>, Stop> {
        self.repository.taken(self.source(), &self.without).map_err(refused)
    }

    fn say(&self, text: &str) {
        self.ctx.desk.show(Show::Info(text));
    }

    fn warn(&self, text: &str) {
        self.ctx.desk.show(Show::Warning(text));
    }

    /// Takes those that a file names.
    async fn named(&self) -> Result<(), Stop> {
        let offered = self.offered()?;
        if offered.is_empty() {
            self.say(&format!("`{}` has no commit that is not here already", self.branch));
        } else {
            self.ctx.desk.show(Show::Guidance(&listed(&offered)));
        }
        let prompt = format!("Which commits of `{}` are taken? Their ids, the oldest first, or `{NONE}`.", self.branch);
        let Answer::Text(text) = self.ctx.desk.ask(Asked::own(prompt, Form::Text)).await? else { return Ok(()) };
        let ids = text.split(|letter: char| letter.is_whitespace() || letter == ',');
        let ids = ids.filter(|id| !id.is_empty() && *id != NONE);
        let found = |id: &str| match self.repository.candidate(self.source(), id) {
            // YAML makes numbers of `0123456` and `12e4567`, and neither is an id any more.
            _ if id.len() < SHORTEST => Err(Stop::failed("git", format!("`{id}` {QUOTES}"))),
            Err(error @ Error::NotTaken { .. }) => Err(Stop::failed("git", format!("{error}; `{id}` {QUOTES}"))),
            found => found.map_err(refused),
        };
        let wanted = ids.map(found).collect::<Result<Vec<_>, _>>()?;
        if self.repository.picking().map_err(refused)?.is_some() && self.under_way().await? == Course::GivenUp {
            return Ok(());
        }
        for commit in wanted {
            self.show(&commit)?;
            if self.take(&commit).await? == Course::GivenUp {
                break;
            }
        }
        Ok(())
    }

    /// Takes what a person chooses, one after the other.
    async fn chosen(&self) -> Result<(), Stop> {
        loop {
            if self.repository.picking().map_err(refused)?.is_some() {
                self.under_way().await?;
            }
            let Some(commit) = self.choice().await? else { return Ok(()) };
            self.show(&commit)?;
            let prompt = format!("Take {}, \"{}\"?", commit.short, clipped(&commit.subject, WIDTH));
            if self.ask(prompt, Form::Confirm).await? == Answer::Yes {
                self.take(&commit).await?;
            }
        }
    }

    /// Asks what the repository alone can tell: the answer is not kept for another time.
    async fn ask(&self, prompt: String, form: Form) -> Result<Answer, Stop> {
        self.ctx.desk.ask(Asked { purpose: Purpose::Command, prompt, form }).await
    }

    fn offered(&self) -> Result<Vec<Candidate>, Stop> {
        self.repository.candidates(self.source(), OFFERED).map_err(refused)
    }

    /// The commit that a person wants next; `None` where no other.
    async fn choice(&self) -> Result<Option<Candidate>, Stop> {
        loop {
            let (offered, taken) = (self.offered()?, self.taken()?);
            let rows: Vec<String> = offered.iter().map(row).collect();
            let enough =
                if taken.is_empty() { format!("{NONE}: write the fix instead") } else { format!("{NONE}: enough") };
            let mut prompt = match taken.len() {
                0 => format!("Which commit of `{}` is taken?", self.branch),
                _ => format!("Taken: {}. Another one of `{}`?", short(&taken), self.branch),
            };
            prompt += match offered.len() {
                0 => "\nIt has none that is not here already.",
                _ => "\nThe newest first; merges, and what is here already, are left out.",
            };
            let more = [OTHER.to_owned(), enough.clone()];
            let choices = rows.iter().cloned().chain(more).collect();
            let Answer::Text(text) = self.ask(prompt, Form::Choice(choices)).await? else { return Ok(None) };
            if text == enough {
                return Ok(None);
            }
            if let Some(at) = rows.iter().position(|row| *row == text) {
                return Ok(offered.into_iter().nth(at));
            }
            let prompt = "The id of the commit, or its first characters.".to_owned();
            let Answer::Text(id) = self.ask(prompt, Form::Text).await? else { return Ok(None) };
            match self.repository.candidate(self.source(), id.trim()) {
                Ok(commit) => return Ok(Some(commit)),
                Err(error @ Error::NotTaken { .. }) => self.warn(&error.to_string()),
                Err(error) => return Err(refused(error)),
            }
        }
    }

    /// Shows what the commit changes.
    fn show(&self, commit: &Candidate) -> Result<(), Stop> {
        let Candidate { id, short, author, date, subject, .. } = commit;
        self.say(&format!("{short}, {author}, {date}: {subject}"));
        let stats = self.repository.stat_between(&format!("{id}^"), id).map_err(refused)?;
        self.ctx.desk.show(Show::Guidance(&table(&stats)));
        if !self.repository.is_of(self.source(), id).map_err(refused)? {
            self.warn(&format!("{short} is not on `{}`: the next release will not have it by that", self.branch));
        }
        Ok(())
    }

    /// Takes the commit, and has its conflict solved where it has one.
    async fn take(&self, commit: &Candidate) -> Result<Course, Stop> {
        let (branch, remote, id) = (self.branch.clone(), self.remote.clone(), commit.id.clone());
        let picked = undisturbed(self.ctx, self.repository, move |it| {
            it.pick(Source { branch: &branch, remote: remote.as_deref() }, &id)
        });
        self.came_of(&commit.short, picked.await?).await
    }

    async fn came_of(&self, short: &str, picked: Picked) -> Result<Course, Stop> {
        match picked {
            Picked::Done => self.say(&format!("{short} is taken")),
            Picked::Already => self.say(&format!("{short} is here already")),
            Picked::Empty => self.warn(&format!("{short} is not taken: all that it changes is here already")),
            Picked::Open(_) => return Box::pin(self.under_way()).await,
        }
        Ok(Course::Over)
    }

    /// Brings what is under way to its end: what is solved is committed, and the rest is asked about.
    async fn under_way(&self) -> Result<Course, Stop> {
        let mut open = self.repository.open_files().map_err(refused)?;
        loop {
            let Some(id) = self.repository.picking().map_err(refused)? else { return Ok(Course::Over) };
            let short: String = id.chars().take(10).collect();
            if open.is_empty() {
                let (branch, remote) = (self.branch.clone(), self.remote.clone());
                let picked = undisturbed(self.ctx, self.repository, move |it| {
                    match it.go_on_picking(Source { branch: &branch, remote: remote.as_deref() }) {
                        Err(Error::Markers(lines)) => Ok(Err(Error::Markers(lines))),
                        picked => picked.map(Ok),
                    }
                });
                match picked.await? {
                    Ok(Picked::Open(files)) => open = files,
                    Ok(picked) => return self.came_of(&short, picked).await,
                    Err(markers) => self.warn(&markers.to_string()),
                }
            }
            self.ctx.desk.show(Show::Guidance(&conflict(&open)));
            let [solve, go_on, give_up] = WAYS;
            let prompt = format!(
                "{short} conflicts with what is here.\n{solve}: a shell in which you solve it\n{go_on}: it is solved, and told \
                 to git\n{give_up}: all is as before; write the fix, or take another"
            );
            let choices = WAYS.map(str::to_owned).to_vec();
            match self.ask(prompt, Form::Choice(choices)).await? {
                Answer::Text(text) if text == give_up => {
                    undisturbed(self.ctx, self.repository, Repository::leave_picking).await?;
                    self.say(&format!("{short} is given up, and nothing of it is left"));
                    return Ok(Course::GivenUp);
                }
                Answer::Text(text) if text == solve => self.solve(&open).await?,
                _ => {}
            }
            open = self.repository.open_files().map_err(refused)?;
        }
    }

    /// Lets the operator solve it, in a shell or by a command.
    async fn solve(&self, open: &[String]) -> Result<(), Stop> {
        let prompt = format!("Solve the conflict in {}, `git add` the files, and leave the shell.", open.join(", "));
        let dir = self.repository.work_tree().to_owned();
        let form = Form::Shell { dir: dir.clone(), env: super::run::given(self.ctx) };
        if let Answer::Command(text) = self.ask(prompt, form).await? {
            let number = self.commands.get() + 1;
            self.commands.set(number);
            let place = Place { dir, files: self.ctx.place.file(&format!(".solve{number}")) };
            let ctx = Context { place: &place, ..*self.ctx };
            super::run::perform(&Command::Text(text), &ctx).await?;
        }
        Ok(())
    }
}

/// How it went on with one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// It came to its end.
    Over,
    /// It was given up.
    GivenUp,
}

/// A commit in a line of its own.
fn row(commit: &Candidate) -> String {
    clipped(&format!("{}  {}  {}", commit.short, commit.date, commit.subject), WIDTH)
}

fn clipped(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Ids as short as they are still told apart by a person.
fn short(ids: &[String]) -> String {
    ids.iter().map(|id| id.chars().take(10).collect::<String>()).collect::<Vec<_>>().join(", ")
}

fn listed(offered: &[Candidate]) -> String {
    let mut text = "```\n".to_owned();
    for commit in offered {
        let _ = writeln!(text, "{}", row(commit));
    }
    text + "```"
}

/// What there is to be solved, and how.
fn conflict(open: &[String]) -> String {
    let mut text = "```\n".to_owned();
    for file in open {
        let _ = writeln!(text, "conflict  {file}");
    }
    let quoted = open.iter().map(|file| shlex::try_quote(file).map_or(file.clone(), std::borrow::Cow::into_owned));
    let quoted = quoted.collect::<Vec<_>>().join(" ");
    let _ = writeln!(text, "(edit these files)\ngit add -- {quoted}");
    text + "```"
}
