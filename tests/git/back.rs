//! Merging back where the branch moves meanwhile, where there are commits of one's own, and where nobody may push.

use hotfix::git::{Along, Error, Kind, Merge, Outcome, Waiting, Why};

use super::sandbox::Sandbox;

/// A fix on its branch, another clone of the remote, and `hotfix/1` checked out.
pub(super) fn ready() -> Sandbox {
    let sandbox = Sandbox::with(&[], |it| it.write("other", "one\n"));
    sandbox.git(".", "clone -q remote.git other");
    sandbox.git("work", "switch -q -c hotfix/1");
    sandbox.write("file", "fix\n");
    sandbox.git("work", "commit -qam fix");
    sandbox
}

/// Has somebody else push a change of `name` to `branch`.
pub(super) fn elsewhere(sandbox: &Sandbox, branch: &str, name: &str, text: &str) {
    sandbox.git("other", "fetch -q");
    sandbox.git("other", &format!("switch -q -C {branch} origin/{branch}"));
    sandbox.put(&format!("other/{name}"), text);
    sandbox.git("other", "add .");
    sandbox.git("other", "commit -q -m elsewhere");
    sandbox.git("other", &format!("push -q origin {branch}"));
}

pub(super) fn merge(sandbox: &Sandbox) -> Result<Merge, Error> {
    sandbox.open().merge("hotfix/1", "main", Some("origin"), "merge")
}

#[track_caller]
pub(super) fn merges(sandbox: &Sandbox, outcome: Outcome) {
    match merge(sandbox) {
        Ok(merge) => assert_eq!(merge, Merge { outcome, left: false }),
        Err(error) => panic!("{error}"),
    }
}

/// Has somebody else push to main while the merge is being made, `times` times.
fn busy(sandbox: &Sandbox, times: usize) {
    let hook = format!(
        "#!/bin/sh\nn=$(($(cat \"$T/pushed\" 2>/dev/null || echo 0) + 1))\n[ $n -le {times} ] || exit 0\necho $n > \"$T/pushed\"\n\
         unset GIT_DIR\ncd \"$T/other\" && git commit -q --allow-empty -m other && git push -q origin main\n"
    );
    sandbox.put("work/.git/hooks/commit-msg", &hook);
}

#[test]
fn a_main_that_moves_meanwhile_is_merged_with_again() {
    let sandbox = ready();
    busy(&sandbox, 2);
    merges(&sandbox, Outcome::Done);
    assert_eq!(sandbox.text("pushed"), "2\n");
    let expected = [sandbox.git("other", "rev-parse main"), sandbox.git("work", "rev-parse hotfix/1")].join("\n");
    assert_eq!(sandbox.git("remote.git", "rev-parse main^1 main^2"), expected);
    assert_eq!(sandbox.git("work", "rev-parse main"), sandbox.git("remote.git", "rev-parse main"));
    merges(&sandbox, Outcome::Already);
}

#[test]
fn a_main_that_never_rests_is_given_up_after_five_times() {
    let sandbox = ready();
    busy(&sandbox, 99);
    let before = sandbox.git("work", "rev-parse main");
    let error = merge(&sandbox).unwrap_err();
    assert!(matches!(&error, Error::Rejected(it) if it.is(Why::Behind)), "{error}");
    assert_eq!(sandbox.text("pushed"), "5\n");
    assert_eq!(sandbox.git("work", "rev-parse main"), before);
    assert_eq!(sandbox.git("remote.git", "rev-parse main"), sandbox.git("other", "rev-parse main"));
}

#[test]
fn commits_of_one_s_own_on_main_are_neither_pushed_nor_moved() {
    for diverged in [false, true] {
        let sandbox = ready();
        sandbox.git("work", "switch -q main");
        sandbox.git("work", "commit -q --allow-empty -m mine");
        let mine = sandbox.git("work", "rev-parse main");
        if diverged {
            elsewhere(&sandbox, "main", "other", "two\n");
        }
        assert_eq!(merge(&sandbox).unwrap(), Merge { outcome: Outcome::Done, left: true });
        assert_eq!(sandbox.git("work", "rev-parse main"), mine);
        assert_eq!(sandbox.git("remote.git", "log --format=%s --grep=mine main"), "");
        assert_eq!(sandbox.git("remote.git", "show main:file"), "fix");
        assert_eq!(merge(&sandbox).unwrap(), Merge { outcome: Outcome::Already, left: true });
        assert_eq!(sandbox.git("work", "rev-parse main"), mine);
    }
}

#[test]
fn a_merge_by_hand_is_pushed_as_it_is() {
    let sandbox = ready();
    sandbox.git("work", "switch -q main");
    sandbox.git("work", "merge -q --no-ff -m mine hotfix/1");
    let mine = sandbox.git("work", "rev-parse main");
    merges(&sandbox, Outcome::Done);
    assert_eq!(sandbox.git("remote.git", "rev-parse main"), mine);
}

#[test]
fn a_push_that_was_killed_before_main_moved_here_is_made_up_for() {
    let sandbox = ready();
    let before = sandbox.git("work", "rev-parse main");
    merges(&sandbox, Outcome::Done);
    sandbox.git("work", &format!("update-ref refs/heads/main {before}"));
    merges(&sandbox, Outcome::Already);
    assert_eq!(sandbox.git("work", "rev-parse main"), sandbox.git("remote.git", "rev-parse main"));
}

/// Has the remote take nothing for the refs that fit `pattern`, and tell where a request is opened for any other.
fn protect(sandbox: &Sandbox, pattern: &str) {
    let text = format!(
        "#!/bin/sh\ncase $1 in {pattern}) echo 'main is protected' >&2; exit 1;; esac\necho 'open a request: http://localhost/new' >&2\n"
    );
    sandbox.put("remote.git/hooks/update", &text);
}

#[track_caller]
fn waits(sandbox: &Sandbox) -> Waiting {
    match merge(sandbox).unwrap_err() {
        Error::Waiting(waiting) => *waiting,
        error => panic!("{error}"),
    }
}

#[test]
fn a_protected_main_gets_a_branch_with_the_merge_and_is_done_when_it_has_it() {
    let sandbox = ready();
    sandbox.git("work", "push -q origin hotfix/1");
    protect(&sandbox, "refs/heads/main");
    let before = sandbox.git("work", "rev-parse main");
    let waiting = waits(&sandbox);
    assert_eq!(
        (waiting.request.as_str(), waiting.said.as_str()),
        ("hotfix/1-merge-main", "open a request: http://localhost/new")
    );
    let said = waiting.to_string();
    for part in [
        "lets nobody push to `main`",
        "main is protected",
        "open a request",
        "then try again",
        "from `hotfix/1-merge-main` into `main`",
    ] {
        assert!(said.contains(part), "{said}");
    }
    let request = sandbox.git("remote.git", "rev-parse hotfix/1-merge-main");
    let parents = [before.clone(), sandbox.git("work", "rev-parse hotfix/1")].join("\n");
    assert_eq!(sandbox.git("remote.git", "rev-parse hotfix/1-merge-main^1 hotfix/1-merge-main^2"), parents);
    // Nothing is done while it waits, and nothing is deleted.
    waits(&sandbox);
    let error = sandbox.open().delete_branch("hotfix/1", "main", Some("origin")).unwrap_err();
    assert!(matches!(error, Error::NotContained { .. }), "{error}");
    assert_eq!(sandbox.git("remote.git", "rev-parse hotfix/1-merge-main"), request);
    assert_eq!(sandbox.git("work", "rev-parse main"), before);
    // Somebody has it merged there, by a commit of the host's.
    sandbox.put("remote.git/hooks/update", "#!/bin/sh\n");
    sandbox.git("other", "fetch -q");
    sandbox.git("other", "merge -q --no-ff -m host origin/hotfix/1-merge-main");
    sandbox.git("other", "push -q origin main");
    merges(&sandbox, Outcome::Already);
    assert_eq!(sandbox.git("work", "rev-parse main"), sandbox.git("remote.git", "rev-parse main"));
    for outcome in [Outcome::Done, Outcome::Already] {
        assert_eq!(sandbox.open().delete_branch("hotfix/1", "main", Some("origin")).unwrap(), outcome);
    }
    assert_eq!(sandbox.git("remote.git", "for-each-ref --format=%(refname) refs/heads"), "refs/heads/main");
}

#[test]
fn a_request_is_what_is_pushed_when_main_is_open_again() {
    let sandbox = ready();
    protect(&sandbox, "refs/heads/main");
    waits(&sandbox);
    let request = sandbox.git("remote.git", "rev-parse hotfix/1-merge-main");
    sandbox.put("remote.git/hooks/update", "#!/bin/sh\n");
    merges(&sandbox, Outcome::Done);
    assert_eq!(sandbox.git("remote.git", "rev-parse main"), request);
    sandbox.open().delete_branch("hotfix/1", "main", Some("origin")).unwrap();
    assert_eq!(sandbox.git("remote.git", "for-each-ref --format=%(refname) refs/heads"), "refs/heads/main");
}

#[test]
fn a_request_that_somebody_has_worked_on_stays_as_it_is() {
    let sandbox = ready();
    protect(&sandbox, "refs/heads/main");
    waits(&sandbox);
    elsewhere(&sandbox, "hotfix/1-merge-main", "other", "reviewed\n");
    let reviewed = sandbox.git("remote.git", "rev-parse hotfix/1-merge-main");
    waits(&sandbox);
    assert_eq!(sandbox.git("remote.git", "rev-parse hotfix/1-merge-main"), reviewed);
    // Somebody's branch that only has the name is not overwritten either.
    sandbox.git("other", "push -q -f origin origin/main:refs/heads/hotfix/1-merge-main");
    elsewhere(&sandbox, "hotfix/1-merge-main", "other", "mine\n");
    let theirs = sandbox.git("remote.git", "rev-parse hotfix/1-merge-main");
    let error = merge(&sandbox).unwrap_err();
    assert!(matches!(&error, Error::Rejected(it) if it.is(Why::Behind)), "{error}");
    assert_eq!(sandbox.git("remote.git", "rev-parse hotfix/1-merge-main"), theirs);
}

#[test]
fn a_remote_that_takes_nothing_at_all_is_told_as_it_is() {
    let sandbox = ready();
    protect(&sandbox, "*");
    let error = merge(&sandbox).unwrap_err();
    assert!(matches!(&error, Error::Rejected(it) if it.refs[0].name == "refs/heads/main"), "{error}");
    assert_eq!(sandbox.git("remote.git", "for-each-ref --format=%(refname) refs/heads"), "refs/heads/main");
}

#[test]
fn branches_are_found_by_pattern_on_the_remote_and_here() {
    let sandbox = ready();
    for name in ["develop", "release/1.3", "releases", "old/release/1"] {
        sandbox.git("work", &format!("push -q origin main:refs/heads/{name}"));
    }
    sandbox.git("work", "branch release/2");
    sandbox.git("work", "branch develop main");
    let patterns = ["develop", "release/*", "gone"].map(str::to_owned);
    let along = |name: &str, shared| Along { name: name.to_owned(), shared };
    let expected = [along("develop", true), along("release/1.3", true), along("release/2", false)];
    assert_eq!(sandbox.open().like(&patterns, Some("origin")).unwrap(), expected);
    let expected = [along("develop", false), along("release/2", false)];
    assert_eq!(sandbox.open().like(&patterns, None).unwrap(), expected);
    // A branch that is on the remote alone gets the merge there, and is not made here.
    sandbox.open().merge("hotfix/1", "release/1.3", Some("origin"), "merge").unwrap();
    assert_eq!(sandbox.git("remote.git", "show release/1.3:file"), "fix");
    assert_eq!(sandbox.open().find(Kind::Branch, "release/1.3").unwrap(), None);
}
