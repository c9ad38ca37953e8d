//! What is kept of an output, when it came, and who looks on from where.

use std::fs;
use std::path::Path;
use std::time::Duration;

use hotfix::clock::{Clock, SystemClock};
use hotfix::process::{End, Found, How, Job, Limit, Piece, Progress, Reader, Times, attach, began, files, start};
use tempfile::TempDir;

use super::{block, eventually, exe, finish, job, sh, supervised};

/// All that was kept of the output at `log`, and how much was not.
fn kept(log: &Path) -> (Vec<u8>, u64) {
    let (mut reader, mut all, mut bytes, mut dropped) = (Reader::open(log, 0), Vec::new(), vec![0; 4096], 0);
    loop {
        match reader.read(&mut bytes).unwrap() {
            Piece::Bytes(n) => all.extend_from_slice(&bytes[..n]),
            Piece::Dropped(n) => dropped += n,
            Piece::End => return (all, dropped),
        }
    }
}

/// Its lines, `OFFSET MILLISECONDS`.
fn index(log: &Path) -> Vec<(u64, u64)> {
    let text = fs::read_to_string(log.with_extension("index")).unwrap();
    let entries = text.lines().map(|line| line.split_once(' ').unwrap());
    entries.map(|(offset, ms)| (offset.parse().unwrap(), ms.parse().unwrap())).collect()
}

fn size_on_disk(log: &Path) -> u64 {
    files(log).unwrap().0.iter().map(|file| fs::metadata(file).unwrap().len()).sum()
}

#[test]
fn the_middle_of_too_much_is_dropped_and_counted_and_secrets_at_the_seams_are_masked() {
    let dir = TempDir::new().unwrap();
    // Secrets back to back, in writes of 1000 bytes that cut them anywhere: every seam has one across it.
    let text = "yes 'xhunter2-is-the-secret' | head -n 200000 | dd bs=1000 2>/dev/null; echo last";
    let limit = 256 * 1024;
    let job_limit = Limit::of(limit).unwrap();
    let job = Job {
        secrets: vec!["hunter2-is-the-secret".to_owned()],
        limit: job_limit,
        ..job(sh(text, dir.path()), dir.path())
    };
    let (_, end) = supervised(&job);
    assert_eq!((end.how, end.output_lost), (How::Exited(0), None));
    let (bytes, dropped) = kept(&job.output);
    let written = 200_000 * "x***\n".len() as u64 + "last\n".len() as u64;
    assert_eq!((end.dropped, dropped), (dropped, written - bytes.len() as u64));
    let kept = bytes.len() as u64;
    assert!(kept <= limit && kept >= limit - limit / 16, "{kept} of {limit}");
    assert_eq!(size_on_disk(&job.output), kept);
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("x***\nx***\n") && text.ends_with("x***\nlast\n"));
    assert!(!text.chars().any(|letter| !"x*\nlast".contains(letter)), "something of a secret was kept");
}

#[test]
fn no_more_of_a_standard_output_is_kept_by_itself_than_a_variable_may_have() {
    let dir = TempDir::new().unwrap();
    let alone = dir.path().join("alone");
    let job = Job { stdout: Some(alone.clone()), ..job(sh("yes | head -c 8000000", dir.path()), dir.path()) };
    let (_, end) = supervised(&job);
    assert_eq!((end.how, end.dropped), (How::Exited(0), 0));
    let size = fs::metadata(alone).unwrap().len();
    assert!((1024 * 1024 + 1..1024 * 1024 + 65536).contains(&size), "{size}");
    assert_eq!(fs::metadata(&job.output).unwrap().len(), 8_000_000);
}

#[test]
fn lines_are_dated_to_ten_milliseconds_and_the_index_stays_small() {
    let dir = TempDir::new().unwrap();
    let text = "echo one; sleep 1; echo two; seq 1 20000 | while read n; do echo $n; done; sleep 1; printf three";
    let job = job(sh(text, dir.path()), dir.path());
    let (_, end) = supervised(&job);
    let entries = index(&job.output);
    for pair in entries.windows(2) {
        assert!(pair[0].0 <= pair[1].0 && pair[0].1 + 10 <= pair[1].1, "{pair:?}");
    }
    let (bytes, _) = kept(&job.output);
    let started = began(&job.status).unwrap().unwrap();
    let mut times = Times::open(&job.output, started).unwrap();
    let mut of = |text: &[u8]| {
        let at = bytes.windows(text.len()).position(|window| window == text).unwrap();
        times.at(at as u64).unwrap()
    };
    let (one, two, three) = (of(b"one\n"), of(b"two\n"), of(b"three"));
    // Each is dated when it is read, and that may be late.
    assert!(two.since(one) >= Duration::from_millis(500), "{one} {two}");
    assert!(three.since(two) >= Duration::from_millis(500), "{two} {three}");
    assert!(one >= started && three <= end.ended);
}

#[test]
fn a_line_without_an_end_is_kept_as_it_came() {
    let dir = TempDir::new().unwrap();
    let job = Job {
        limit: Limit::parse("1MiB").unwrap(),
        secrets: vec!["hunter2".to_owned()],
        ..job(sh("head -c 20000000 /dev/zero; printf '\\377end'", dir.path()), dir.path())
    };
    let (seen, end) = supervised(&job);
    assert_eq!(end.how, How::Exited(0));
    assert!(seen.ends_with("end"));
    let (bytes, dropped) = kept(&job.output);
    assert_eq!(bytes.len() as u64 + dropped, 20_000_004);
    assert!(bytes.ends_with(b"\0\0\xffend") && bytes[..1 << 19].iter().all(|byte| *byte == 0));
}

#[test]
fn whoever_is_far_behind_leaps_forward_to_a_whole_line_and_is_told_over_how_much() {
    let dir = TempDir::new().unwrap();
    let text =
        "yes 'a line of some length' | head -c 52000000; echo written > done; while [ ! -e go ]; do sleep 0.02; done";
    let job = job(sh(text, dir.path()), dir.path());
    block(async {
        drop(start(&job, exe()).await.unwrap());
        eventually(|| dir.path().join("done").exists().then_some(())).await;
        let Found::Running(mut running) = attach(&job.status, 0).await.unwrap() else { panic!("not found running") };
        let Progress::Skipped(skipped) = running.next().await.unwrap() else { panic!("it did not leap") };
        assert_eq!(running.offset(), skipped);
        let Progress::Output(bytes) = running.next().await.unwrap() else { panic!("nothing behind the leap") };
        assert!(bytes.starts_with(b"a line of some length\n"));
        fs::write(dir.path().join("go"), "").unwrap();
        let (rest, end) = finish(&mut running).await;
        assert_eq!(skipped + (bytes.len() + rest.len()) as u64, 52_000_000);
        assert!(matches!(end, Progress::Ended(End { how: How::Exited(0), .. })));
    });
}

#[test]
fn whoever_comes_to_what_was_dropped_is_told_so() {
    let dir = TempDir::new().unwrap();
    let job = Job {
        limit: Limit::parse("64KiB").unwrap(),
        ..job(sh("yes 0123456 | head -c 2000000", dir.path()), dir.path())
    };
    block(async {
        let mut running = start(&job, exe()).await.unwrap();
        // The process writes on while nobody looks: its status says when it has ended.
        eventually(|| fs::read_to_string(&job.status).unwrap().contains("ended").then_some(())).await;
        let (mut shown, mut dropped) = (0, 0);
        let end = loop {
            match running.next().await.unwrap() {
                Progress::Output(bytes) => shown += bytes.len() as u64,
                Progress::Dropped(bytes) => dropped += bytes,
                Progress::Ended(end) => break end,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((dropped, shown + dropped), (end.dropped, 2_000_000));
    });
}

#[test]
fn a_line_is_found_again_by_any_place_in_it() {
    let dir = TempDir::new().unwrap();
    let log = dir.path().join("output.log");
    fs::write(&log, "first\nsecond\nthird").unwrap();
    let reader = Reader::open(&log, 0);
    let starts = [0, 3, 5, 6, 7, 13, 18].map(|at| reader.line_start(at).unwrap());
    assert_eq!(starts, [0, 0, 0, 6, 6, 13, 13]);
    fs::write(&log, "x".repeat(50_000)).unwrap();
    assert_eq!([100, 40_000].map(|at| reader.line_start(at).unwrap()), [0, 40_000]);
}

#[test]
fn a_child_that_left_and_keeps_the_pipe_open_does_not_hold_up_the_end() {
    let dir = TempDir::new().unwrap();
    // Twice forked, so that nobody waits for it, and it writes on.
    let text = "(sh -c 'while :; do echo still here; sleep 0.01; done' &) ; echo first";
    let clock = SystemClock;
    let begun = clock.now();
    let (output, end) = supervised(&job(sh(text, dir.path()), dir.path()));
    assert_eq!(end.how, How::Exited(0));
    assert!(output.contains("first\n"), "{output}");
    // When nobody reads any more it dies of that.
    assert!(clock.now().since(begun) < Duration::from_secs(20));
}

#[test]
fn a_timeout_counts_from_the_start_of_the_command_whoever_looks_on() {
    let dir = TempDir::new().unwrap();
    let mut spec = sh("echo one; sleep 3; echo two; sleep 60", dir.path());
    spec.timeout = Some(Duration::from_secs(6));
    spec.inactivity_timeout = Some(Duration::from_secs(50));
    let job = job(spec, dir.path());
    let (output, end) = block(async {
        drop(start(&job, exe()).await.unwrap());
        eventually(|| fs::read(&job.output).ok().filter(|output| output.ends_with(b"two\n"))).await;
        let Found::Running(mut running) = attach(&job.status, 4).await.unwrap() else { panic!("not found running") };
        finish(&mut running).await
    });
    let Progress::Ended(end) = end else { panic!("{end:?}") };
    assert_eq!((output.as_str(), end.how), ("two\n", How::TimedOut));
    let took = end.ended.since(end.started);
    assert!((Duration::from_millis(5900)..Duration::from_millis(8900)).contains(&took), "{took:?}");
}
