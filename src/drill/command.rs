//! The subcommands that only the drill itself calls: `drill-run`, `drill-service`, `drill-front`, `drill-get` and `drill-post`.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use super::client::{self, Call};
use super::service::{self, Role};
use super::wire::Message;

/// Runs `args` (without the program's name) if its first is one of the drill's own subcommands; `None` if it is not.
#[must_use]
pub fn run(args: &[OsString]) -> Option<ExitCode> {
    let (first, rest) = args.split_first()?;
    let outcome = match first.to_str()? {
        "drill-run" => become_run(rest),
        "drill-service" => serve(Role::Service, rest),
        "drill-front" => serve(Role::Front, rest),
        "drill-get" => request("GET", rest),
        "drill-post" => request("POST", rest),
        _ => return None,
    };
    Some(outcome.unwrap_or_else(|error| {
        // Where stderr is closed nobody can be told; the exit code still says it.
        drop(writeln!(io::stderr().lock(), "{}: {error}", first.display()));
        ExitCode::FAILURE
    }))
}

/// Becomes this program with `args`, so that it is told to end where the drill that started it dies, as it cannot tell it
/// itself then. Only Linux has that; elsewhere the run pauses at its next question.
fn become_run(args: &[OsString]) -> io::Result<ExitCode> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    Err(Command::new(std::env::current_exe()?).args(args).exec())
}

/// `DIR NAME`
fn serve(role: Role, args: &[OsString]) -> io::Result<ExitCode> {
    let [dir, name] = args else { return Err(usage("DIR NAME")) };
    let name = name.to_str().ok_or_else(|| usage("DIR NAME"))?;
    service::serve(role, Path::new(dir), name).map(|()| ExitCode::SUCCESS)
}

/// What is printed of an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Show {
    Body,
    Status,
}

/// `[--status] [--wait SECONDS] URL [BODY]`: prints the body and succeeds on a 2xx; with `--status` prints the status and
/// succeeds on any answer.
fn request(method: &str, args: &[OsString]) -> io::Result<ExitCode> {
    let help = || usage("[--status] [--wait SECONDS] http://127.0.0.1:PORT/PATH [BODY]");
    let (mut show, mut wait, mut plain) = (Show::Body, Duration::ZERO, Vec::new());
    let mut args = args.iter().map(|arg| arg.to_str());
    while let Some(arg) = args.next() {
        match arg.ok_or_else(help)? {
            "--status" => show = Show::Status,
            "--wait" => {
                let seconds = args.next().flatten().and_then(|text| text.parse().ok());
                wait = Duration::from_secs(seconds.ok_or_else(help)?);
            }
            other => plain.push(other),
        }
    }
    let (url, body) = match plain[..] {
        [url] => (url, ""),
        [url, body] => (url, body),
        _ => return Err(help()),
    };
    let (port, path) = client::locate(url).ok_or_else(help)?;
    let call = Call { port, request: Message::request(method, &path, body), wait };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(client::call(&call))?;
    let mut out = io::stdout().lock();
    if show == Show::Status {
        writeln!(out, "{}", answer.status().unwrap_or_default())?;
        return Ok(ExitCode::SUCCESS);
    }
    out.write_all(&answer.body)?;
    if !answer.body.ends_with(b"\n") {
        writeln!(out)?;
    }
    if client::succeeded(&answer) {
        return Ok(ExitCode::SUCCESS);
    }
    Err(io::Error::other(format!("{url} answered {}", answer.status().unwrap_or_default())))
}

fn usage(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("usage: {text}"))
}
