//! What a remote refuses, and in which words.

use hotfix::git::{Error, Kind, Rejection, Repository, Why};

use super::sandbox::Sandbox;

/// A fix on its branch, tagged.
fn ready() -> (Sandbox, Repository) {
    let sandbox = Sandbox::new();
    sandbox.git("work", "switch -q -c hotfix/1");
    sandbox.write("file", "two\n");
    sandbox.git("work", "commit -qam two");
    sandbox.git("work", "tag -a -m release v1.2.4");
    let repository = sandbox.open();
    (sandbox, repository)
}

const BOTH: [(Kind, &str); 2] = [(Kind::Branch, "hotfix/1"), (Kind::Tag, "v1.2.4")];

/// How a push of these was refused, none of which is on the remote.
#[track_caller]
fn refused(sandbox: &Sandbox, repository: &Repository, refs: &[(Kind, &str)]) -> Rejection {
    let before = sandbox.git("remote.git", "for-each-ref");
    let error = repository.push("origin", refs).unwrap_err();
    assert_eq!(sandbox.git("remote.git", "for-each-ref"), before);
    match error {
        Error::Rejected(rejection) => rejection,
        error => panic!("{error:?}"),
    }
}

fn whys(rejection: &Rejection) -> Vec<(&str, Why)> {
    rejection.refs.iter().map(|refusal| (refusal.name.as_str(), refusal.why)).collect()
}

#[test]
fn an_update_hook_refuses_one_ref_and_the_other_is_not_pushed() {
    let (sandbox, repository) = ready();
    sandbox.put(
        "remote.git/hooks/update",
        "#!/bin/sh\n[ $1 != refs/tags/v1.2.4 ] || { echo 'freeze until Monday'; exit 1; }\n",
    );
    let rejection = refused(&sandbox, &repository, &BOTH);
    assert_eq!(whys(&rejection), [("refs/tags/v1.2.4", Why::Forbidden)]);
    let said = rejection.to_string();
    for part in
        ["`origin` refuses the push and has taken nothing of it", "  v1.2.4: ", "freeze until Monday", "try again"]
    {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_pre_receive_hook_refuses_all() {
    let (sandbox, repository) = ready();
    sandbox.put("remote.git/hooks/pre-receive", "#!/bin/sh\necho 'ask the release team'\nexit 1\n");
    let rejection = refused(&sandbox, &repository, &BOTH);
    assert_eq!(whys(&rejection), [("refs/heads/hotfix/1", Why::Forbidden), ("refs/tags/v1.2.4", Why::Forbidden)]);
    assert_eq!(rejection.said, "ask the release team");
}

#[test]
fn a_branch_that_is_behind_and_a_tag_that_is_taken_are_told_apart() {
    let (sandbox, repository) = ready();
    sandbox.git(".", "clone -q remote.git other");
    sandbox.git("other", "switch -q -c hotfix/1");
    sandbox.git("other", "commit -q --allow-empty -m other");
    sandbox.git("other", "tag -a -m other v1.2.4");
    sandbox.git("other", "push -q origin hotfix/1");
    let rejection = refused(&sandbox, &repository, &BOTH);
    assert_eq!(whys(&rejection), [("refs/heads/hotfix/1", Why::Behind)]);
    assert!(rejection.to_string().contains("hotfix/1: it is behind"), "{rejection}");
    sandbox.git("other", "push -q origin :hotfix/1 v1.2.4");
    let rejection = refused(&sandbox, &repository, &BOTH);
    assert_eq!(whys(&rejection), [("refs/tags/v1.2.4", Why::Exists)]);
}

#[test]
fn a_remote_that_never_goes_back_is_not_forced() {
    let (sandbox, repository) = ready();
    sandbox.git("remote.git", "config receive.denyNonFastForwards true");
    repository.push("origin", &BOTH).unwrap();
    sandbox.git("work", "commit -q --amend -m three");
    let rejection = refused(&sandbox, &repository, &BOTH[..1]);
    assert_eq!(whys(&rejection), [("refs/heads/hotfix/1", Why::Behind)]);
}

#[test]
fn a_branch_the_remote_keeps_stays_here_too() {
    let (sandbox, repository) = ready();
    repository.push("origin", &BOTH).unwrap();
    repository.merge("hotfix/1", "main", Some("origin"), "merge").unwrap();
    sandbox.git("remote.git", "config receive.denyDeletes true");
    let error = repository.delete_branch("hotfix/1", "main", Some("origin")).unwrap_err();
    assert!(matches!(&error, Error::Rejected(it) if it.refs[0].why == Why::Kept), "{error:?}");
    assert!(repository.find(Kind::Branch, "hotfix/1").unwrap().is_some());
}

#[test]
fn a_pre_push_hook_is_named_with_its_words_even_where_they_look_like_git_s() {
    let (sandbox, repository) = ready();
    sandbox.put("work/.git/hooks/pre-push", "#!/bin/sh\nprintf 'a\\tb\\nno push on Fridays\\n'\nexit 1\n");
    let error = repository.push("origin", &BOTH).unwrap_err();
    assert!(
        matches!(&error, Error::Hook { hook: "pre-push", output } if output == "a\tb\nno push on Fridays"),
        "{error:?}"
    );
    assert_eq!(sandbox.git("remote.git", "tag"), "v1.2.3");
}

#[test]
fn a_remote_that_is_not_there_is_told_in_git_s_words() {
    let (sandbox, repository) = ready();
    sandbox.git("work", "remote set-url origin ../nowhere");
    let error = repository.push("origin", &BOTH).unwrap_err();
    assert!(
        matches!(&error, Error::Refused { output, .. } if output.contains("Could not read from remote")),
        "{error:?}"
    );
}
