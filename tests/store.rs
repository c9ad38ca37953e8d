//! The state directory's promises: no half-made run, nobody else may read, a dead holder blocks nobody.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use hotfix::clock::{FakeClock, Timestamp};
use hotfix::event::Event;
use hotfix::journal::read;
use hotfix::store::{Holder, RunPaths, Store, StoreError};

fn begin(store: &Store, issue: &str) -> Result<RunPaths, StoreError> {
    let clock = FakeClock::at(Timestamp::from_millis(1_763_870_220_000));
    let first = Event::RunStarted {
        program: "0".into(),
        format: hotfix::event::FORMAT,
        runbook: "name: x\n".into(),
        vars: BTreeMap::new(),
        environment: BTreeMap::new(),
        incident_began: None,
        warnings: vec![],
    };
    store.begin(&clock, issue, ("ada", "db1"), ("name: x\n", vec![first]))
}

fn holder(run: &str) -> Holder {
    let (host, user, since) = ("db1".into(), "ada".into(), "2025-11-23T03:57:00.000Z".into());
    Holder { pid: std::process::id(), host, user, since, run: run.into(), started: 0, detached: false }
}

#[test]
fn a_run_is_there_with_its_first_record_and_its_runbook_and_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::under(dir.path());
    assert_eq!(store.runs().unwrap(), []);
    let run = begin(&store, "1234").unwrap();
    assert_eq!(run.id, "20251123-035700-1234");
    assert_eq!(read(&run.journal).unwrap().records.len(), 1);
    assert_eq!(fs::read_to_string(&run.runbook).unwrap(), "name: x\n");
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        [mode(&run.dir), mode(&run.output), mode(&run.journal), mode(&run.runbook)],
        [0o700, 0o700, 0o600, 0o600]
    );
    assert_eq!(store.runs().unwrap(), [run]);
}

#[test]
fn two_runs_of_one_second_do_not_meet_and_ids_sort_by_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::under(dir.path());
    let ids = [begin(&store, "../../etc").unwrap().id, begin(&store, "../../etc").unwrap().id];
    assert_eq!(ids, ["20251123-035700-etc", "20251123-035700-etc.2"]);
    let listed: Vec<String> = store.runs().unwrap().into_iter().map(|run| run.id).collect();
    assert_eq!(listed, ids);
}

#[test]
fn a_run_that_cannot_be_begun_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("hotfix")).unwrap();
    fs::write(dir.path().join("hotfix/runs"), "in the way").unwrap();
    let store = Store::under(dir.path());
    assert!(matches!(begin(&store, "1"), Err(StoreError::Io { .. })));
    assert_eq!(fs::read_to_string(dir.path().join("hotfix/runs")).unwrap(), "in the way");
}

#[test]
fn a_run_still_being_made_is_not_listed() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::under(dir.path());
    begin(&store, "1").unwrap();
    fs::create_dir(dir.path().join("hotfix/runs/.new-x")).unwrap();
    assert_eq!(store.runs().unwrap().len(), 1);
}

#[test]
fn the_lock_names_its_holder_and_goes_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::under(dir.path());
    let lock = store.lock(&holder("r1")).unwrap();
    let refused = store.lock(&holder("r2")).unwrap_err();
    assert!(matches!(&refused, StoreError::Locked(Some(by)) if *by == holder("r1")));
    let pid = std::process::id();
    let expected = format!("run r1 is driven by ada on db1 (process {pid}) since 2025-11-23T03:57:00.000Z");
    assert_eq!(refused.to_string(), expected);
    drop(lock);
    let _lock = store.lock(&holder("r2")).unwrap();
    assert!(matches!(store.lock(&holder("r3")), Err(StoreError::Locked(Some(by))) if by.run == "r2"));
}

#[test]
fn the_lock_of_a_process_that_is_gone_is_waited_for_while_a_child_of_it_lets_go() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::under(dir.path());
    let mut gone = std::process::Command::new("true").spawn().unwrap();
    let dead = Holder { pid: gone.id(), ..holder("r1") };
    gone.wait().unwrap();
    let lock = store.lock(&dead).unwrap();
    let (sender, taken) = std::sync::mpsc::channel();
    let waiting = store.clone();
    std::thread::spawn(move || sender.send(waiting.lock(&holder("r2")).is_ok()));
    assert!(taken.recv_timeout(std::time::Duration::from_millis(100)).is_err(), "it is waited for");
    drop(lock);
    assert_eq!(taken.recv(), Ok(true));
}

#[test]
fn what_was_left_of_a_run_whose_beginning_was_cut_off_long_ago_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::under(dir.path());
    let paths = begin(&store, "1").unwrap();
    let [old, new] = [".new-old", ".new-new"].map(|name| dir.path().join("hotfix/runs").join(name));
    [&old, &new].iter().for_each(|path| fs::create_dir(path).unwrap());
    let hour = std::time::Duration::from_secs(3600);
    fs::File::open(&old).unwrap().set_modified(std::time::SystemTime::now() - hour).unwrap();
    fs::File::open(&paths.dir).unwrap().set_modified(std::time::SystemTime::now() - hour).unwrap();
    store.sweep();
    assert!(!old.exists() && new.exists() && paths.journal.exists());
}
