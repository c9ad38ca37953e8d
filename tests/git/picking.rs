//! Taking a commit that main has, as `git cherry-pick -x` does.

use std::fs;
use std::path::Path;

use hotfix::git::{Error, Picked, Source};

use super::killed::{Killed, arm, copy, disarm};
use super::sandbox::Sandbox;

const MAIN: Source<'static> = Source { branch: "main", remote: Some("origin") };

/// A hotfix branch at the tag, and what main has done since, a commit for each: its files with their texts, and its subject. The
/// last is on the remote's main alone.
fn branched(commits: &[(&[(&str, &str)], &str)]) -> Sandbox {
    let sandbox = Sandbox::with(&[], |it| {
        for name in ["mode", "dir/deep", "gone"] {
            it.write(name, "one\n");
        }
    });
    for (files, subject) in commits {
        files.iter().for_each(|(name, text)| sandbox.write(name, text));
        sandbox.git("work", "add .");
        let author = "--author=Bob <bob@example.com>";
        let args = ["commit", "-q", author, "--date=2026-02-03T04:05:06+0000", "-m", subject];
        assert!(sandbox.run("git", "work", &args).status.success());
    }
    sandbox.git("work", "push -q origin main");
    sandbox.git("work", "switch -q -c hotfix/1 v1.2.3");
    sandbox.git("work", "branch -f main main~1");
    sandbox
}

fn id(sandbox: &Sandbox, subject: &str) -> String {
    sandbox.git("work", &format!("log -1 --format=%H --grep=^{subject} origin/main"))
}

const TWO: [(&[(&str, &str)], &str); 2] = [(&[("file", "two\n")], "fix"), (&[("other", "new\n")], "more")];

#[test]
fn what_main_has_here_and_there_is_offered_and_taken_with_its_author_and_where_it_is_from() {
    let sandbox = branched(&TWO);
    sandbox.git("work", "switch -q --detach origin/main");
    sandbox.git("work", "merge -q --no-ff -m merge HEAD~1 v1.2.3");
    sandbox.git("work", "switch -q hotfix/1");
    let it = sandbox.open();
    let offered = it.candidates(MAIN, 12).unwrap();
    let told: Vec<_> =
        offered.iter().map(|one| (one.subject.as_str(), one.date.as_str(), one.author.as_str())).collect();
    assert_eq!(told, [("more", "2026-02-03", "Bob"), ("fix", "2026-02-03", "Bob")], "the newest first");
    let fix = id(&sandbox, "fix");
    assert_eq!(it.candidate(MAIN, &fix[..8]).unwrap().id, fix);
    assert_eq!(it.pick(MAIN, &fix).unwrap(), Picked::Done);
    let said = sandbox.git("work", "log -1 --format=%an,%ad,%cn,%B --date=short");
    assert_eq!(said, format!("Bob,2026-02-03,Ada,fix\n\n(cherry picked from commit {fix})"));
    assert_eq!(it.pick(MAIN, &fix).unwrap(), Picked::Already);
    assert_eq!(it.taken(MAIN, &[]).unwrap(), [fix.as_str()]);
    let left = it.candidates(MAIN, 12).unwrap();
    assert_eq!(left.iter().map(|one| one.subject.as_str()).collect::<Vec<_>>(), ["more"]);
    assert_eq!(sandbox.git("work", "status --porcelain"), "");
}

#[test]
fn only_the_latest_are_offered_and_none_that_is_here_by_its_patch() {
    let many: Vec<(String, String)> = (0..5).map(|n| (format!("f{n}"), format!("change {n}"))).collect();
    let files: Vec<[(&str, &str); 1]> = many.iter().map(|(name, _)| [(name.as_str(), "x\n")]).collect();
    let commits: Vec<(&[(&str, &str)], &str)> =
        files.iter().zip(&many).map(|(files, (_, subject))| (&files[..], subject.as_str())).collect();
    let sandbox = branched(&commits);
    sandbox.write("f3", "x\n");
    sandbox.git("work", "add .");
    sandbox.git("work", "commit -q -m backported");
    let it = sandbox.open();
    let offered = it.candidates(MAIN, 2).unwrap();
    assert_eq!(offered.iter().map(|one| one.subject.as_str()).collect::<Vec<_>>(), ["change 4", "change 2"]);
    assert_eq!(it.pick(MAIN, &id(&sandbox, "change.3")).unwrap(), Picked::Empty);
    assert_eq!(it.picking().unwrap(), None);
    assert_eq!(sandbox.git("work", "log -1 --format=%s"), "backported");
}

#[test]
fn a_conflict_is_left_to_be_solved_where_it_is_and_keeps_its_message() {
    let sandbox = branched(&[(&[("file", "two\n")], "#7 fix\n\nSigned-off-by: Bob"), (&[("other", "new\n")], "more")]);
    sandbox.write("file", "mine\n");
    sandbox.git("work", "commit -q -a -m mine");
    let it = sandbox.open();
    let fix = id(&sandbox, "#7");
    let open = Picked::Open(vec!["file".to_owned()]);
    assert_eq!(it.pick(MAIN, &fix).unwrap(), open);
    assert_eq!(it.pick(MAIN, &fix).unwrap(), open, "it goes on with what is under way");
    let more = id(&sandbox, "more");
    assert!(matches!(it.pick(MAIN, &more), Err(Error::OtherPick(other)) if other == fix));
    sandbox.git("work", "add file");
    let error = it.go_on_picking(MAIN).unwrap_err();
    assert!(matches!(&error, Error::Markers(lines) if lines.contains("file:1")), "{error}");
    sandbox.write("file", "both\n");
    assert_eq!(it.go_on_picking(MAIN).unwrap(), open, "it is changed, and not told to git");
    sandbox.git("work", "add file");
    assert_eq!(it.go_on_picking(MAIN).unwrap(), Picked::Done);
    let said = sandbox.git("work", "log -1 --format=%an,%B");
    assert_eq!(said, format!("Bob,#7 fix\n\nSigned-off-by: Bob\n(cherry picked from commit {fix})"));
    assert_eq!(it.pick(MAIN, &fix).unwrap(), Picked::Already);
}

#[test]
fn a_conflict_that_is_given_up_leaves_nothing_and_one_solved_to_nothing_is_empty() {
    let sandbox = branched(&TWO);
    sandbox.write("file", "mine\n");
    sandbox.git("work", "commit -q -a -m mine");
    sandbox.write("unknown", "mine\n");
    let it = sandbox.open();
    let fix = id(&sandbox, "fix");
    it.pick(MAIN, &fix).unwrap();
    it.leave_picking().unwrap();
    it.leave_picking().unwrap();
    assert_eq!(sandbox.git("work", "status --porcelain"), "?? unknown");
    it.pick(MAIN, &fix).unwrap();
    sandbox.git("work", "checkout --ours file");
    sandbox.git("work", "add file");
    assert_eq!(it.go_on_picking(MAIN).unwrap(), Picked::Empty);
    assert_eq!(sandbox.git("work", "log -1 --format=%s"), "mine");
    assert!(it.taken(MAIN, &[]).unwrap().is_empty());
}

#[test]
fn what_cannot_be_taken_is_refused_with_the_reason() {
    let sandbox = branched(&TWO);
    let it = sandbox.open();
    let refused = |text: &str| it.candidate(MAIN, text).unwrap_err().to_string();
    for text in ["--all", "main", "f00", "HEAD~1", ""] {
        assert!(refused(text).contains("0-9 and a-f"), "{text}");
    }
    assert!(refused("ffffffff").contains("no such commit"));
    let trunk = Source { branch: "trunk", remote: None };
    let said = it.candidate(trunk, "ffffffff").unwrap_err().to_string();
    assert!(said.contains("`git log trunk` shows them"), "{said}");
    sandbox.git("work", "branch beefbeef");
    assert!(refused("beefbeef").contains("no such commit"));
    let first = sandbox.git("work", "rev-parse v1.2.3^{commit}");
    assert!(refused(&first).contains("the first commit"));
    sandbox.git("work", "merge -q --no-ff -m merge main");
    let merge = sandbox.git("work", "rev-parse HEAD");
    assert!(refused(&merge).contains("it is a merge"));
    sandbox.git("work", "reset -q --hard v1.2.3");
    let fix = id(&sandbox, "fix");
    for (name, text) in [("file", "mine\n"), ("mode", "mine\n")] {
        sandbox.write(name, text);
        let error = it.pick(MAIN, &fix).unwrap_err();
        assert!(matches!(&error, Error::Unclean(files) if files == name), "{error}");
        assert_eq!(sandbox.text(&format!("work/{name}")), text);
        sandbox.git("work", "checkout -q .");
    }
    fs::remove_file(sandbox.path("work/gone")).unwrap();
    assert!(matches!(it.pick(MAIN, &fix).unwrap_err(), Error::Unclean(files) if files == "gone"));
    sandbox.git("work", "checkout -q .");
    sandbox.write("other", "mine\n");
    let error = it.pick(MAIN, &id(&sandbox, "more")).unwrap_err();
    assert!(matches!(&error, Error::Refused { output, .. } if output.contains("would be overwritten")), "{error}");
    assert_eq!(sandbox.text("work/other"), "mine\n");
    sandbox.put("work/.git/hooks/prepare-commit-msg", "#!/bin/sh\necho no ticket >&2\nexit 1\n");
    let error = it.pick(MAIN, &fix).unwrap_err();
    assert!(matches!(&error, Error::Refused { output, .. } if output.contains("no ticket")), "{error}");
    sandbox.put("work/.git/hooks/prepare-commit-msg", "#!/bin/sh\n");
    assert_eq!(it.pick(MAIN, &fix).unwrap(), Picked::Done);
}

/// Kills git at every moment while it takes a commit that changes, adds and removes files; doing it again ends as undisturbed.
#[track_caller]
fn killed_everywhere(how: Killed) -> usize {
    let files: &[(&str, &str)] = &[("file", "two\n"), ("dir/deep", "a longer text\n"), ("dir/new", "new\n")];
    let original = branched(&[(files, "fix"), (&[("other", "new\n")], "more")]);
    let fix = id(&original, "fix");
    let state = |sandbox: &Sandbox| {
        let all = ["log --format=%B%T -2", "status --porcelain", "ls-files -s", "symbolic-ref HEAD"];
        all.map(|words| sandbox.git("work", words)).join("\n")
    };
    let undisturbed = copy(&original);
    assert_eq!(undisturbed.open().pick(MAIN, &fix).unwrap(), Picked::Done);
    let expected = state(&undisturbed);
    for n in 1.. {
        let mut sandbox = copy(&original);
        arm(&mut sandbox, how, n);
        let _ = sandbox.open().pick(MAIN, &fix);
        if !sandbox.path("killed").exists() {
            return n - 1;
        }
        disarm(&mut sandbox);
        loop {
            match sandbox.open().pick(MAIN, &fix) {
                Ok(Picked::Done | Picked::Already) => break,
                Err(Error::Locked { file, .. }) => fs::remove_file(Path::new(&file)).unwrap(),
                other => panic!("{how:?} {n}: {other:?}\n{}", state(&sandbox)),
            }
        }
        assert_eq!(state(&sandbox), expected, "{how:?} {n}");
        assert_eq!(sandbox.open().picking().unwrap(), None, "{how:?} {n}");
    }
    unreachable!("it ends");
}

#[test]
fn killed_at_any_moment_it_is_taken_once_when_it_is_done_again() {
    for how in [Killed::Before, Killed::After, Killed::InTransaction, Killed::InCheckout] {
        let killed = killed_everywhere(how);
        assert!(killed >= 2, "{how:?}: killed only {killed} times");
    }
}
