//! Logs that grow, are rotated and are cut while they are watched.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hotfix::clock::pause;

use super::fixture::{Project, steps};
use super::{decided, samples, watch};

/// A run that counts ERROR in a log, and ends with the line END.
struct Followed {
    project: Project,
    child: std::process::Child,
    log: PathBuf,
}

impl Followed {
    fn begin(source: &str) -> Self {
        let probe = |name: &str, text: &str, limit: u32| {
            format!(
                "{{name: {name}, log: {{{source}, contains: {text}}}, interval: 50ms, timeout: 20s, \
                 failure_condition: 'count > 0', failure_limit: {limit}}}"
            )
        };
        let project =
            steps(&[&watch("for: 1h,", &[&probe("errors", "ERROR", 1_000_000), &probe("end", "END", 0)])]).open();
        let log = project.path("app.log");
        append(&log, "ERROR from before\n");
        let child = project.begin();
        let followed = Self { project, child, log };
        followed.wait("it began", |it| it.project.runs().len() == 1 && samples(&it.project, "end").len() > 1);
        followed
    }

    #[track_caller]
    fn wait(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let until = Instant::now() + Duration::from_secs(60);
        while !done(self) {
            assert!(Instant::now() < until, "{what}: not within a minute; counted {}", self.counted());
            pause(Duration::from_millis(10));
        }
    }

    /// How many lines were counted so far.
    fn counted(&self) -> u64 {
        samples(&self.project, "errors").iter().filter_map(|sample| sample["value"].as_u64()).sum()
    }

    /// Waits until these were counted, and that no more are by the end.
    #[track_caller]
    fn counts(self, lines: u64, log: &Path) {
        self.wait("every line is counted", |it| it.counted() >= lines);
        append(log, "END\n");
        let Self { project, mut child, log } = self;
        assert_eq!(child.wait().unwrap().code(), Some(5));
        assert_eq!(decided(&project, "end").0, "fail");
        let it = Self { project, child, log };
        assert_eq!(it.counted(), lines);
    }
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn nothing_is_lost_where_a_log_is_renamed_and_made_anew() {
    let followed = Followed::begin("path: '{{ env.T }}/app.log'");
    let log = followed.log.clone();
    let mut lines = 0;
    for turn in 0..5_u64 {
        let mut writer = OpenOptions::new().append(true).create(true).open(&log).unwrap();
        for n in 0..100 {
            writeln!(writer, "{turn}.{n} ERROR in one, none in the next\nfine").unwrap();
        }
        // It notices late: what it has open is another's name by now, and a line was not finished.
        write!(writer, "ERROR that is ").unwrap();
        fs::rename(&log, log.with_extension(format!("log.{turn}"))).unwrap();
        append(&log, "ERROR of the new one\n");
        let before = lines + 101;
        followed.wait("the new file is found", |it| it.counted() >= before);
        writeln!(writer, "finished late\nERROR after all").unwrap();
        lines += 103;
    }
    followed.counts(lines, &log);
}

#[test]
fn nothing_is_lost_where_a_log_is_copied_and_cut() {
    let followed = Followed::begin("path: '{{ env.T }}/app.log'");
    let log = followed.log.clone();
    let mut lines = 0;
    for turn in 0..5_u64 {
        for n in 0..50 {
            append(&log, &format!("{turn}.{n} ERROR\n"));
        }
        lines += 50;
        followed.wait("they are counted", |it| it.counted() >= lines);
        // Between the last look and the cut: only the copy has these.
        append(&log, "ERROR in the copy alone\nERROR and again\n");
        fs::copy(&log, log.with_extension(format!("log.{turn}"))).unwrap();
        File::options().write(true).open(&log).unwrap().set_len(0).unwrap();
        // Longer than what was cut: by its length nobody would know.
        for n in 0..200 {
            append(&log, &format!("{turn}.{n} ERROR after the cut, in a longer file than before\n"));
        }
        lines += 202;
    }
    followed.counts(lines, &log);
}

#[test]
fn what_a_command_writes_is_counted_and_its_end_is_an_error_once() {
    let follow = "run: 'echo ERROR at the beginning; echo why >&2; for first in 1 2; do mkdir \"$T/$first\" 2>/dev/null && exit 3; done; tail -n 0 -f \"$T/app.log\"'";
    let followed = Followed::begin(follow);
    let log = followed.log.clone();
    // Of two probes; the first two that began ended at once.
    followed.wait("it is begun again", |it| {
        samples(&it.project, "errors").last().is_some_and(|sample| sample["outcome"] == "success")
    });
    let before = followed.counted();
    // `tail` may begin a little later: what it is to see comes again until it has.
    followed.wait("it is heard", |it| {
        append(&log, "an ERR");
        append(&log, "OR in two pieces\n");
        it.counted() > before
    });
    let Followed { project, mut child, .. } = followed;
    // As late may be the other.
    let until = Instant::now() + Duration::from_secs(60);
    let ended = loop {
        append(&log, "END\n");
        match child.try_wait().unwrap() {
            Some(ended) => break ended,
            None => pause(Duration::from_millis(10)),
        }
        assert!(Instant::now() < until, "the end is not heard");
    };
    assert_eq!(ended.code(), Some(5));
    let all = [samples(&project, "errors"), samples(&project, "end")].concat();
    let ends: Vec<_> = all.iter().filter(|sample| sample["outcome"] == "error").collect();
    assert_eq!(ends.len(), 2, "{ends:?}");
    assert!(ends.iter().all(|end| end["value"] == "what follows the log ended: exit code 3: why"), "{ends:?}");
}

#[test]
fn what_is_no_file_is_an_error_and_holds_up_nothing_that_comes_after_it() {
    let followed = Followed::begin("path: '{{ env.T }}/app.log'");
    let log = followed.log.clone();
    fs::rename(&log, log.with_extension("old")).unwrap();
    fs::create_dir(&log).unwrap();
    let value = |it: &Followed| samples(&it.project, "errors").last().unwrap()["value"].clone();
    followed.wait("it is an error", |it| value(it).as_str().is_some_and(|why| why.ends_with("app.log: it is no file")));
    fs::remove_dir(&log).unwrap();
    append(&log, "ERROR of the new one\n");
    followed.counts(1, &log);
}

#[test]
fn a_log_that_never_pauses_holds_up_nothing_beside_it() {
    let flood = "{name: flood, log: {run: 'yes ERROR | head -c 100000000; read x < \"$T/never\"', contains: ERROR}, interval: 500ms, \
                 failure_condition: 'count < 0'}";
    let beside = "{name: beside, run: 'true', interval: 100ms, success_condition: 'exit_code == 0'}";
    let project = steps(&[&watch("for: 4s, on_breach: continue,", &[flood, beside])]).open();
    project.fifo("never");
    project.start("").exits(0);
    let (read, counted) = (samples(&project, "beside").len(), samples(&project, "flood"));
    assert!(read >= 8, "{read} readings in 4 s beside a log that never pauses");
    assert!(counted.iter().any(|sample| sample["value"].as_u64() > Some(1000)), "{counted:?}");
}

#[test]
fn a_log_that_is_not_there_is_an_error_until_it_is() {
    let probe = "{name: p, log: {path: '{{ env.T }}/later.log', contains: ERROR}, interval: 50ms, timeout: 20s, failure_condition: 'count > 1', consecutive_error_limit: 1000000}";
    let project = steps(&[&watch("for: 1h,", &[probe])]).open();
    let mut child = project.begin();
    let until = Instant::now() + Duration::from_secs(60);
    while project.runs().is_empty() || samples(&project, "p").len() < 3 {
        assert!(Instant::now() < until);
        pause(Duration::from_millis(10));
    }
    append(&project.path("later.tmp"), "ERROR one\nERROR two\n");
    fs::rename(project.path("later.tmp"), project.path("later.log")).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5));
    assert_eq!(decided(&project, "p").0, "fail", "what it has when it comes is new");
    assert!(samples(&project, "p")[0]["value"].as_str().unwrap().contains("later.log: No such file"));
}

#[test]
fn what_comes_after_the_last_whole_interval_is_counted_at_the_end() {
    let probe =
        "{name: p, log: {path: '{{ env.T }}/app.log', contains: ERROR}, interval: 1h, failure_condition: 'count > 0'}";
    let writes = "{name: w, run: 'echo ERROR >> \"$T/app.log\"', interval: 100ms, timeout: 20s, success_condition: 'exit_code == 0'}";
    let project = steps(&["{id: old, run: 'touch \"$T/app.log\"'}", &watch("for: 1s,", &[probe, writes])]).open();
    project.start("").exits(5).says(&["1 failed, more than the 0 allowed; the last was", "; fails where count > 0"]);
    assert_eq!(samples(&project, "p").len(), 1);
}
