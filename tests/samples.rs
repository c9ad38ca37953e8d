//! The file with the readings: bounded by thinning, sealed when a gate decides.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use hotfix::clock::Timestamp;
use hotfix::gate::Past;
use hotfix::samples::{ALL, Checked, SHARE, Sample, Samples, check, latest, past};
use serde_json::Value;

fn add(samples: &mut Samples, probe: &str, n: u64) {
    let at = Timestamp::from_millis(i64::try_from(n).unwrap() * 1000);
    samples.add(&Sample { step: "s/m", probe, at, value: &n.into(), outcome: "success" }, 0).unwrap();
}

/// The values of each probe in the file, in its order.
fn values(path: &Path) -> BTreeMap<String, Vec<u64>> {
    let mut values = BTreeMap::<String, Vec<u64>>::new();
    for line in fs::read_to_string(path).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        values.entry(line["probe"].as_str().unwrap().to_owned()).or_default().push(line["value"].as_u64().unwrap());
    }
    values
}

#[test]
fn a_line_has_the_fields_of_a_reading_and_one_that_was_torn_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("samples.jsonl");
    assert_eq!(Samples::at(path.clone()).seal().unwrap(), None);
    assert!(!path.exists());
    let name = "a \",\"at\":\" \\ b";
    add(&mut Samples::at(path.clone()), name, 7);
    let whole = fs::read_to_string(&path).unwrap();
    let line =
        r#"{"step":"s/m","probe":"a \",\"at\":\" \\ b","at":"1970-01-01T00:00:07.000Z","value":7,"outcome":"success"}"#;
    assert_eq!(whole, format!("{line}\n"));
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"step\":\"s").unwrap();
    add(&mut Samples::at(path.clone()), name, 8);
    assert_eq!(values(&path)[name], [7, 8]);
}

#[test]
fn what_is_older_is_sparser_and_the_newest_is_all_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("samples.jsonl");
    let mut samples = Samples::at(path.clone());
    add(&mut samples, "quiet", 1);
    for n in 0..SHARE * 4 {
        add(&mut samples, "busy", n);
        if n == SHARE * 2 {
            // Whoever goes on knows how many there are.
            samples = Samples::at(path.clone());
        }
    }
    let values = values(&path);
    assert_eq!(values["quiet"], [1]);
    let busy = &values["busy"];
    assert!(busy.len() as u64 <= SHARE && busy.len() as u64 > SHARE / 2, "{}", busy.len());
    assert!(busy.is_sorted());
    let newest = busy.iter().rev().zip((0..SHARE * 4).rev()).take_while(|(kept, n)| *kept == n).count();
    assert!(newest as u64 >= SHARE / 2, "the newest {newest} are all there");
    let gaps: Vec<_> = busy.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().rev().is_sorted(), "the older, the sparser");
    assert_eq!(busy[0], 0, "it goes back to the beginning");
}

#[test]
fn many_probes_together_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("samples.jsonl");
    let mut samples = Samples::at(path.clone());
    let names: Vec<_> = (0..2000).map(|n| format!("p{n}")).collect();
    for n in 0..150 {
        names.iter().for_each(|name| add(&mut samples, name, n));
    }
    let values = values(&path);
    assert_eq!(values.len(), names.len());
    let all: u64 = values.values().map(|of| of.len() as u64).sum();
    assert!(all <= ALL + 2000 && all > ALL / 2, "{all}");
    assert!(values.values().all(|of| *of.last().unwrap() == 149));
}

#[test]
fn what_is_sealed_stays_as_it_is_and_every_seal_holds() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("samples.jsonl");
    let mut samples = Samples::at(path.clone());
    let mut seals = Vec::new();
    for n in 0..SHARE * 3 {
        add(&mut samples, "p", n);
        if n == 100 || n == SHARE * 2 {
            seals.extend(samples.seal().unwrap());
            assert_eq!(samples.seal().unwrap().as_ref(), seals.last());
        }
    }
    assert_eq!(seals[0].count, 101);
    assert_eq!(values(&path)["p"][..101], (0..=100).collect::<Vec<_>>());
    assert_eq!(check(&path, &seals).unwrap(), Checked::Unbroken(seals[1].count));
    assert_eq!(
        seals[1].sha256,
        hotfix::digest::sha256(&fs::read(&path).unwrap()[..usize::try_from(seals[1].bytes).unwrap()])
    );
    // Another process knows by the journal what is sealed.
    let mut again = Samples::at(path.clone());
    for n in 0..SHARE * 2 {
        let at = Timestamp::from_millis(0);
        let sample = Sample { step: "s/m", probe: "p", at, value: &n.into(), outcome: "success" };
        again.add(&sample, seals[1].bytes).unwrap();
    }
    assert_eq!(check(&path, &seals).unwrap(), Checked::Unbroken(seals[1].count));

    assert_eq!(check(&path, []).unwrap(), Checked::None);
    assert_eq!(check(&dir.path().join("gone"), &seals).unwrap(), Checked::Absent);
    let mut bytes = fs::read(&path).unwrap();
    bytes[50] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(check(&path, &seals).unwrap(), Checked::Broken(_)));
    bytes[50] ^= 1;
    bytes.truncate(usize::try_from(seals[1].bytes).unwrap() - 1);
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(check(&path, &seals).unwrap(), Checked::Broken(_)));
}

#[test]
fn the_latest_are_of_what_is_watched_now_also_in_a_long_file_whose_end_was_torn() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("samples.jsonl");
    assert_eq!(latest(&path).unwrap(), []);
    let mut samples = Samples::at(path.clone());
    let mut write = |step: &str, probe: &str, n: i64| {
        let at = Timestamp::from_millis(n * 1000);
        samples.add(&Sample { step, probe, at, value: &n.into(), outcome: "success" }, 0).unwrap();
    };
    write("s/old", "gone", 1);
    (0..3500).for_each(|n| write("s/m", "b", n));
    write("s/other", "c", 3400);
    write("s/m", "a", 3500);
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"step\":\"s/m\",\"probe\":\"a\"").unwrap();
    assert!(fs::metadata(&path).unwrap().len() > 256 * 1024);
    let found = latest(&path).unwrap();
    let found: Vec<_> = found.iter().map(|reading| (&*reading.step, &*reading.probe, reading.value.as_i64())).collect();
    assert_eq!(found, [("s/m", "a", Some(3500)), ("s/m", "b", Some(3499)), ("s/other", "c", Some(3400))]);
}

#[test]
fn what_was_measured_before_is_counted_from_where_it_counts_and_its_end_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("samples.jsonl");
    let at = |n: i64| Timestamp::from_millis(n * 1000);
    assert_eq!(past(&path, "s/m", (at(0), None)).unwrap(), Past::default());
    let mut samples = Samples::at(path.clone());
    let readings =
        [(1, "s/m", "failure"), (2, "s/m", "success"), (3, "s/m", "error"), (4, "s/m", "error"), (5, "s/o", "failure")];
    for (n, step, outcome) in readings {
        samples.add(&Sample { step, probe: "p", at: at(n), value: &n.into(), outcome }, 0).unwrap();
    }
    let of = |began, decided: Option<i64>| past(&path, "s/m", (at(began), decided.map(at))).unwrap();
    let whole = of(1, None);
    let tally = whole.tallies["p"];
    assert_eq!((whole.last, tally.successes, tally.failures, tally.consecutive_errors), (Some(at(4)), 1, 1, 2));
    assert_eq!(whole.wrong, [("p".to_owned(), at(3))].into(), "since it was last well");
    let later = of(0, Some(3));
    assert_eq!((later.last, later.tallies["p"].errors, later.tallies["p"].failures), (Some(at(4)), 1, 0));
    assert_eq!(of(5, None), Past::default());
}
