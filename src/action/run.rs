//! How a command is run: under a supervisor that outlives this program, watched, and found again.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde_json::{Map, Value};

use super::command::{Capture, Command};
use super::output::{self, View};
use super::{Asked, ByHand, Context, Disturbance, Done, Failure, Kind as _, LOST, Stop, captured};
use crate::operator::{Answer, Form, Purpose, Show, Way};
use crate::process::{self, End, Found, How, Job, Left, Loan, Progress, Running, Spec};
use crate::vars::text_of;

/// How much of the end of an output is kept for conditions and messages, in bytes.
const TAIL: usize = 64 * 1024;
/// What the file is called that a command may give variables in, behind the name of its attempt.
pub(super) const VALUES: &str = ".values";
/// How many of its last lines a message has.
const LINES: usize = 5;

/// Runs `command`, or goes on watching it where it was begun by a program that is gone.
pub(super) async fn perform(command: &Command, ctx: &Context<'_>) -> Result<Done, Stop> {
    let status = ctx.place.file(".status");
    let found = process::find(&status, output::left_off(ctx)).await;
    match found {
        Ok(None | Some(Found::NeverBegan)) => {}
        // What has begun needs neither its script nor its values any more.
        Ok(Some(found)) => return taken_up(found, command, ctx).await,
        Err(error) if ctx.values.text("direction") != "back" => return Err(Stop::broken(error)),
        Err(_) => {}
    }
    if let Some(script) = command.script().filter(|script| !ctx.place.dir.join(script).exists()) {
        return by_hand(command, script, ctx).await;
    }
    let what = command.describe(ctx.values).map_err(|why| Stop::failed("template", why))?;
    let given = given(ctx);
    ctx.desk.show(Show::Command { text: &what, values: &command.named(&given), timeout: ctx.settings.timeout });
    if ctx.settings.interactive {
        let end = lent(command, ctx, given).await;
        ctx.desk.show(Show::CommandEnded);
        return came_of(&end?, ctx);
    }
    let end = match begun(command, ctx, given.clone()).await {
        Ok(mut running) => follow(&mut running, ctx).await,
        Err(Stop::Broken(error)) if ctx.values.text("direction") == "back" => {
            let said =
                format!("nothing can be kept of this command ({}); it is run all the same", whole(error.as_ref()));
            ctx.desk.show(Show::Warning(&said));
            unsupervised(command, ctx, given).await
        }
        Err(stop) => Err(stop),
    };
    ctx.desk.show(Show::CommandEnded);
    came_of(&end?, ctx)
}

/// Goes on with what a program that is gone has begun.
async fn taken_up(found: Found, command: &Command, ctx: &Context<'_>) -> Result<Done, Stop> {
    let what = command.describe(ctx.values).unwrap_or_else(|_| "the command, as it was begun".to_owned());
    let values = command.named(&given(ctx));
    ctx.desk.show(Show::Command { text: &what, values: &values, timeout: ctx.settings.timeout });
    let end = match found {
        Found::Finished(end) => {
            output::show_rest(ctx);
            Ok(end)
        }
        Found::Running(mut running) => follow(&mut running, ctx).await,
        Found::Lost { pgid } => Err(lost(pgid)),
        Found::NeverBegan => return Ok(Done::default()),
    };
    ctx.desk.show(Show::CommandEnded);
    came_of(&end?, ctx)
}

/// A script that is not there is a person's work.
async fn by_hand(command: &Command, script: &str, ctx: &Context<'_>) -> Result<Done, Stop> {
    let what = command.describe(ctx.values).map_err(|why| Stop::failed("template", why))?;
    let prompt = format!("./{script} is not there. Do by hand what it would do, and say when it is done:\n{what}");
    let answer = ctx.desk.ask(Asked::own(prompt, Form::Hand)).await?;
    let note = if let Answer::Done { note } = answer { note } else { None };
    Ok(Done { by_hand: Some(ByHand { note }), ..Done::default() })
}

/// What a command has in its environment beside the operator's own.
pub(super) fn given(ctx: &Context<'_>) -> Vec<(String, String)> {
    let mut given = ctx.values.for_script();
    given.push(("HOTFIX".to_owned(), "1".to_owned()));
    if ctx.values.text("direction") == "back" {
        given.push(("HOTFIX_ROLLBACK".to_owned(), "1".to_owned()));
    }
    given.push(("HOTFIX_OUTPUT".to_owned(), ctx.place.file(".values").display().to_string()));
    given.extend(ctx.settings.env.iter().cloned());
    given
}

/// The whole environment: the operator's without the secrets, and what is given.
fn environment(ctx: &Context<'_>, given: Vec<(String, String)>) -> Vec<(String, String)> {
    let own = ctx.world.environment.iter().filter(|(name, _)| !ctx.world.secrets.iter().any(|secret| secret == name));
    let mut all: std::collections::BTreeMap<String, String> =
        own.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    all.extend(given);
    all.into_iter().collect()
}

/// What is run, as a process.
pub(super) fn spec(command: &Command, ctx: &Context<'_>, given: Vec<(String, String)>) -> Result<Spec, Stop> {
    let program = command.program(ctx.values).map_err(|why| Stop::failed("template", why))?;
    let mut spec = Spec::new(program, &ctx.place.dir);
    spec.env = environment(ctx, given);
    spec.tty = ctx.settings.tty;
    spec.timeout = ctx.settings.timeout;
    spec.inactivity_timeout = ctx.settings.inactivity_timeout;
    spec.kill_grace = ctx.settings.kill_grace.unwrap_or(spec.kill_grace);
    Ok(spec)
}

/// The command, just begun.
async fn begun(command: &Command, ctx: &Context<'_>, given: Vec<(String, String)>) -> Result<Running, Stop> {
    let status = ctx.place.file(".status");
    // Its supervisor died before the command began.
    match fs::remove_file(&status) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Stop::broken(error)),
        _ => {}
    }
    make_values(&ctx.place.files).map_err(Stop::broken)?;
    let stdout = ctx.settings.capture.values().any(|from| *from == Capture::Stdout);
    let job = Job {
        spec: spec(command, ctx, given)?,
        secrets: ctx.world.secret_values(),
        output: ctx.place.file(".log"),
        limit: ctx.world.output_limit,
        stdout: stdout.then(|| ctx.place.file(".stdout")),
        status,
    };
    process::start(&job, &ctx.world.exe).await.map_err(Stop::broken)
}

/// Whether the files of the attempt `files` are there as they are from before it began. Where they are not, somebody has
/// removed them, and nothing is known of what became of it.
#[must_use]
pub fn was_announced(files: &Path) -> bool {
    process::beside(files, VALUES).exists()
}

/// Makes the empty file that the command of the attempt `files` may give variables in. It is there before the attempt is on
/// record.
///
/// # Errors
/// Where it cannot be made, with its name.
pub fn make_values(files: &Path) -> std::io::Result<()> {
    let path = process::beside(files, VALUES);
    let made = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
    made.map(drop).map_err(|error| std::io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// Lends the terminal to a command that talks to the operator, which cannot outlive it.
async fn lent(command: &Command, ctx: &Context<'_>, given: Vec<(String, String)>) -> Result<End, Stop> {
    match make_values(&ctx.place.files) {
        Err(error) if ctx.values.text("direction") != "back" => return Err(Stop::broken(error)),
        _ => {}
    }
    let started = ctx.world.clock.now();
    let loan = Loan {
        spec: spec(command, ctx, given)?,
        exe: ctx.world.exe.clone(),
        secrets: ctx.world.secret_values(),
        output: ctx.place.file(".log"),
        limit: ctx.world.output_limit,
    };
    let Left { how, output_lost, dropped } = ctx.desk.lend(&loan).await?;
    Ok(End { how, started, ended: ctx.world.clock.now(), output_lost, dropped })
}

/// Watches the command to its end. Whatever breaks in leaves it running, unless the operator wants it stopped.
async fn follow(running: &mut Running, ctx: &Context<'_>) -> Result<End, Stop> {
    let mut view = View::new(ctx, running.offset());
    // A question that comes up meanwhile is not put anew with each thing the command writes.
    let mut disturbance = ctx.desk.disturbance();
    let mut stopping = false;
    loop {
        tokio::select! {
            biased;
            progress = running.next() => match progress.map_err(Stop::broken)? {
                Progress::Output(bytes) => view.show(&bytes, running.offset()),
                Progress::Dropped(bytes) => view.dropped(bytes, running.offset()),
                Progress::Skipped(bytes) => view.skipped(bytes, running.offset()),
                Progress::Ended(end) => {
                    if stopping && !matches!(end.how, How::Stopped(_)) {
                        ended_before(&end, ctx).await?;
                    }
                    return Ok(end);
                }
                Progress::Lost { pgid } => return Err(lost(pgid)),
            },
            disturbed = &mut disturbance => {
                match disturbed {
                    Disturbance::Stop(stop) => return Err(stop),
                    Disturbance::Attention(_) => stopping |= attend(running, ctx).await?,
                }
                disturbance = ctx.desk.disturbance();
            }
        }
    }
}

/// Asks what is to become of a command that runs. Whether it was told to stop.
async fn attend(running: &Running, ctx: &Context<'_>) -> Result<bool, Stop> {
    let prompt = "The command is still running. Go on waiting, stop it, or leave it running and go?".to_owned();
    let form = Form::Way(vec![Way::Wait, Way::Stop, Way::Detach]);
    match ctx.desk.ask(Asked { purpose: Purpose::Command, prompt, form }).await? {
        Answer::Way { way: Way::Stop, .. } => running.stop(&ctx.world.operator).map_err(Stop::broken).map(|()| true),
        Answer::Way { way: Way::Detach, .. } => Err(Stop::Detached),
        _ => Ok(false),
    }
}

/// The command had ended by itself when it was to be stopped: whoever wanted that says whether the run goes on.
async fn ended_before(end: &End, ctx: &Context<'_>) -> Result<(), Stop> {
    let prompt = format!(
        "The command had ended by itself, before it could be stopped: {}. Go on from there, or pause?",
        end.how
    );
    let form = Form::Way(vec![Way::Wait, Way::Pause]);
    match ctx.desk.ask(Asked { purpose: Purpose::Command, prompt, form }).await? {
        Answer::Way { way: way @ Way::Pause, reason } => Err(Stop::Way { way, reason }),
        _ => Ok(()),
    }
}

fn lost(pgid: Option<i32>) -> Stop {
    let group = pgid.map(|pgid| format!("; its process group was {pgid}")).unwrap_or_default();
    Stop::failed(LOST, format!("nobody knows how the command ended, or whether it did: its supervisor is dead{group}"))
}

/// Runs a command of the way back where no file can be written: a full disk must not keep production broken.
async fn unsupervised(command: &Command, ctx: &Context<'_>, given: Vec<(String, String)>) -> Result<End, Stop> {
    let started = ctx.world.clock.now();
    let spec = spec(command, ctx, given)?;
    // As well as it can be done: without a line of it a program that takes this up would take it for never begun.
    let _ = process::begun_alone(&ctx.place.file(".status"), &ctx.place.file(".log"));
    let run = async { process::run_captured(&spec, TAIL).await.map_err(Stop::broken) };
    let captured = super::context::watched(ctx, super::context::WORK, run).await?;
    for bytes in [&captured.stdout, &captured.stderr] {
        ctx.desk.show(Show::Output(&ctx.world.masker.bytes(bytes)));
    }
    Ok(End { how: captured.how, started, ended: ctx.world.clock.now(), output_lost: None, dropped: 0 })
}

fn whole(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn said_dropped(bytes: u64) -> String {
    format!("{bytes} bytes from the middle of its output were not kept: it wrote more than `output_limit`")
}

/// What the end of a command means to its step.
fn came_of(end: &End, ctx: &Context<'_>) -> Result<Done, Stop> {
    if let Some(lost) = &end.output_lost {
        ctx.desk.show(Show::Warning(&format!("its output is not all there: {lost}")));
    }
    if end.dropped > 0 {
        ctx.desk.show(Show::Warning(&said_dropped(end.dropped)));
    }
    if let Err(error) = captured::conceal(ctx) {
        ctx.desk
            .show(Show::Warning(&format!("{}: {error}; a secret may be in it", ctx.place.file(".values").display())));
    }
    let took = i64::try_from(end.ended.since(end.started).as_millis()).unwrap_or(i64::MAX);
    let code = if let How::Exited(code) = end.how { Some(code) } else { None };
    if let Some(code) = code.filter(|code| *code == 0 || ctx.settings.success_exit.contains(code)) {
        let mut done = Done::with("exit_code", code);
        done.result.insert("took_ms".to_owned(), took.into());
        if end.dropped > 0 {
            done.result.insert("output_dropped".to_owned(), end.dropped.into());
        }
        done.set = captured::captured(ctx, code)?;
        return Ok(done);
    }
    let output = output::tail(&ctx.place.file(".log"), TAIL as u64);
    let given = captured::given_so_far(&ctx.place.files, &ctx.settings.capture);
    let (reason, said) = match &end.how {
        How::Exited(code) => ("exit", format!("it ended with exit code {code}")),
        How::Signalled(signal) => ("signal", format!("it was ended by signal {signal}")),
        How::TimedOut => ("timeout", "it took longer than its timeout and was stopped".to_owned()),
        How::Inactive => ("inactivity", "it was silent for longer than allowed and was stopped".to_owned()),
        How::Stopped(who) => ("stopped", format!("it was stopped by {who}")),
        How::NotStarted(why) => ("not_started", format!("it could not be started: {why}")),
    };
    let last: Vec<_> = output.lines().rev().filter(|line| !line.trim().is_empty()).take(LINES).collect();
    let dropped = if end.dropped > 0 { format!("; {}", said_dropped(end.dropped)) } else { String::new() };
    let last = last.into_iter().rev().fold(String::new(), |text, line| format!("{text}\n    {line}"));
    let code = code.map_or(Value::Null, Value::from);
    let timed_out = matches!(end.how, How::TimedOut | How::Inactive);
    let facts = [("exit_code", code), ("timed_out", timed_out.into()), ("output", output.into())];
    let facts = Map::from_iter(facts.map(|(name, value)| (name.to_owned(), value)));
    let given = captured::in_words(given.iter().map(|(name, value)| (name, value.clone())));
    let given = if given.is_empty() { given } else { format!("; it had given {given}") };
    Err(Stop::Failed(Failure { reason, message: format!("{said}{given}{dropped}{last}"), facts }))
}

/// What a small command prints and how it ended: probes and `done_if`.
pub(super) async fn ask_command(command: &Command, ctx: &Context<'_>) -> Result<process::Captured, Stop> {
    let mut spec = spec(command, ctx, given(ctx))?;
    spec.env.retain(|(name, _)| name != "HOTFIX_OUTPUT");
    spec.tty = false;
    process::run_captured(&spec, TAIL).await.map_err(Stop::broken)
}

/// Whether `done_if` says that the step has already happened.
pub(super) async fn has_happened(command: &Command, ctx: &Context<'_>) -> Result<bool, Stop> {
    let captured = super::context::watched(ctx, super::context::WORK, ask_command(command, ctx)).await?;
    Ok(captured.how.succeeded())
}

/// A condition's view of a command that ended.
pub(super) fn facts(captured: &process::Captured) -> Vec<(&'static str, Value)> {
    let stdout = String::from_utf8_lossy(&captured.stdout).into_owned();
    let number = stdout.trim().parse::<f64>().ok().map_or(Value::Null, Value::from);
    let code = match captured.how {
        How::Exited(code) => Value::from(code),
        // As a shell has it.
        How::Signalled(signal) => Value::from(128 + signal),
        _ => Value::Null,
    };
    vec![("exit_code", code), ("result", number), ("stdout", text_of(&stdout.into()).into())]
}
