//! `hotfix log`.

use std::fs;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::printed::{Printed, Raw, Stamps};
use super::select::{Otherwise, Selected, select};
use super::{Exit, Trouble, data, store};
use crate::clock::{Clock as _, SystemClock};
use crate::event::{Event, Record};
use crate::process::{self, Reader, Times};
use crate::report;
use crate::run::{Phase, plain};

/// How long a new record may go unseen.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run, by its id or the beginning or end of it; by default the active one, else the latest
    run: Option<String>,
    /// Print the records as they are in the file, one JSON object a line
    #[arg(long)]
    json: bool,
    /// Print new records as they come, until the run is over
    #[arg(long, short)]
    follow: bool,
    /// Print what the step's last attempt wrote
    #[arg(long, value_name = "STAGE/STEP", conflicts_with_all = ["json", "follow"])]
    output: Option<String>,
    /// With `--output`, begin each line with the local time it came at
    #[arg(long, short, requires = "output")]
    timestamps: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Trouble> {
    let run = select(&store()?, arguments.run.as_deref(), Otherwise::Latest)?;
    if let Some(step) = &arguments.output {
        let stamps = if arguments.timestamps { Stamps::Shown } else { Stamps::None };
        return output(&run, step, stamps);
    }
    let mut printer = Printer {
        form: if arguments.json { Form::Json } else { Form::Lines },
        printed: 0,
        bytes: 0,
        date: String::new(),
    };
    if arguments.follow {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        return runtime.block_on(follow(run, printer));
    }
    printer.print(&run)?;
    run.shown()
}

async fn follow(mut run: Selected, mut printer: Printer) -> Result<Exit, Trouble> {
    loop {
        let reader = printer.print(&run)?;
        let over = matches!(run.phase(), Phase::Finished | Phase::Declined | Phase::Aborted);
        if run.damage.is_some() || over || reader == data::Reader::Gone {
            return run.shown();
        }
        let size = |run: &Selected| fs::metadata(&run.paths.journal).map_or(0, |file| file.len());
        let seen = run.contents.whole + run.contents.torn;
        while size(&run) == seen {
            SystemClock.sleep(LOOK).await;
        }
        run = Selected::open(run.paths);
    }
}

enum Form {
    Lines,
    Json,
}

/// Prints the records of one run that it has not printed yet.
struct Printer {
    form: Form,
    printed: usize,
    bytes: usize,
    date: String,
}

impl Printer {
    fn print(&mut self, run: &Selected) -> Result<data::Reader, Trouble> {
        match self.form {
            Form::Lines => data(|out| self.lines(run, out)),
            Form::Json => {
                let bytes = if run.contents.whole == 0 { Vec::new() } else { fs::read(&run.paths.journal)? };
                let whole = usize::try_from(run.contents.whole).unwrap_or(usize::MAX).min(bytes.len());
                let from = std::mem::replace(&mut self.bytes, whole);
                data(|out| out.write_all(bytes.get(from..whole).unwrap_or_default()))
            }
        }
    }

    /// The lines carry the time of day, so each day is headed by its date.
    fn lines(&mut self, run: &Selected, out: &mut dyn Write) -> io::Result<()> {
        for record in run.contents.records.iter().skip(self.printed) {
            let date = record.at.local_date();
            if date != self.date {
                writeln!(out, "-- {date}")?;
                self.date = date;
            }
            writeln!(out, "{}", report::line(record))?;
            self.printed += 1;
        }
        Ok(())
    }
}

/// What the last attempt of `step` wrote. To a terminal goes only what does not control it.
fn output(run: &Selected, step: &str, stamps: Stamps) -> Result<Exit, Trouble> {
    let path = output_path(run, step).filter(|path| path.exists()).ok_or_else(|| {
        let mut names: Vec<String> = Vec::new();
        for entry in fs::read_dir(&run.paths.output).into_iter().flatten().flatten() {
            let name = PathBuf::from(entry.file_name());
            names.extend(name.to_str().filter(|_| name.extension().is_some_and(|end| end == "log")).map(str::to_owned));
        }
        names.sort();
        let there = if names.is_empty() { "no step wrote any".to_owned() } else { names.join(", ") };
        let message = format!("there is no output of a step {step} in run {}; there is: {there}", run.paths.id);
        Trouble::new(Exit::Nothing, message)
    })?;
    let times = if stamps == Stamps::Shown { Some(times(run, &path, step)?) } else { None };
    let form = if io::stdout().is_terminal() { Raw::No } else { Raw::Yes };
    data(|out| Printed::new(form, times).all(Reader::open(&path, 0), out))?;
    run.shown()
}

/// When the bytes of the output at `path` came.
fn times(run: &Selected, path: &Path, step: &str) -> Result<Times, Trouble> {
    let missing =
        |why: String| Trouble::new(Exit::Nothing, format!("it was not kept when the output of {step} came: {why}"));
    let status = path.with_extension("status");
    let began = if status.exists() {
        process::began(&status).map_err(|error| missing(super::whole(&error)))?
    } else {
        // One that had the operator's terminal began with its step.
        let began = |record: &&Record| matches!(&record.event, Event::StepStarted { step: key, .. } if key == step || plain(key) == step);
        run.contents.records.iter().rev().find(began).map(|record| record.at)
    };
    let began = began.ok_or_else(|| missing("it was never begun".to_owned()))?;
    Times::open(path, began).map_err(|error| missing(error.to_string()))
}

/// The file of the step `step`, or of its last repetition.
pub(super) fn output_path(run: &Selected, step: &str) -> Option<PathBuf> {
    let state = run.run(None);
    let began = state.steps().iter().filter(|(_, state)| state.attempts > 0);
    let fits = began.filter(|(key, _)| *key == step || plain(key) == step);
    let (key, state) = fits.max_by_key(|(key, state)| (*key == step, state.began))?;
    Some(run.paths.output.join(format!("{}.{}.log", key.replace('/', "."), state.attempts)))
}
