//! A fix in every kind of repository, or the reason why there is none.

use std::fs;

use hotfix::git::{Error, Kind, Outcome};

use super::sandbox::Sandbox;

#[test]
fn sha256() {
    let sandbox = Sandbox::with(&["--object-format=sha256"], |_| {});
    sandbox.fix();
    assert_eq!(sandbox.git("remote.git", "rev-parse main").len(), 64);
}

#[test]
fn reftable() {
    if let Some(sandbox) = Sandbox::reftable() {
        sandbox.fix();
    }
}

/// The SHA-256 of a file as another program tells it.
fn told(sandbox: &Sandbox, name: &str) -> Option<String> {
    let told = sandbox.run("sha256sum", "work", &[name]);
    let told = if told.status.success() { told } else { sandbox.run("shasum", "work", &["-a", "256", name]) };
    String::from_utf8(told.stdout).unwrap().split(' ').next().map(str::to_owned)
}

#[test]
fn a_file_s_digest_is_of_the_bytes_that_are_checked_out_in_every_format() {
    for options in [&[][..], &["--object-format=sha256"]] {
        let sandbox = Sandbox::with(options, |it| {
            fs::write(it.path("work/binary"), [0, 159, 146, 150]).unwrap();
            it.write(".gitattributes", "*.bat text eol=crlf\n*.sh filter=case\n");
            it.config("filter.case.smudge", "tr A-Z a-z");
            it.config("filter.case.clean", "tr a-z A-Z");
            it.write("a.bat", "one\r\n");
            it.write("a.sh", "one\n");
        });
        let head = sandbox.git("work", "rev-parse HEAD");
        let digest = |name: &str| sandbox.open().file_sha256(&head, &format!("./{name}")).unwrap();
        for name in ["binary", "a.bat", "a.sh"] {
            let expected = told(&sandbox, name);
            assert_eq!(digest(name), expected, "{name}");
            fs::remove_file(sandbox.path(&format!("work/{name}"))).unwrap();
            assert_eq!(digest(name), expected, "{name}");
        }
        sandbox.write("file", "changed\n");
        assert_ne!(digest("file"), told(&sandbox, "file"));
        assert!(digest("gone").is_none() && !sandbox.open().has_file(&head, "gone").unwrap());
    }
}

#[test]
fn a_linked_worktree_while_the_first_one_is_on_main() {
    let sandbox = Sandbox::new();
    sandbox.git("work", "worktree add -q --detach ../linked");
    sandbox.fix_in("linked");
    // Main is taken along where it is checked out; here there is nothing left to be on but its commit.
    assert_eq!(sandbox.text("work/file"), "two\n");
    assert_eq!(sandbox.git("work", "status --porcelain --branch"), "## main");
    assert_eq!(sandbox.git("linked", "rev-parse --abbrev-ref HEAD"), "HEAD");
}

#[test]
fn a_branch_that_another_work_tree_has_is_deleted_nowhere() {
    let sandbox = Sandbox::new();
    sandbox.git("work", "worktree add -q -b hotfix/1 ../linked");
    sandbox.git("work", "push -q origin hotfix/1");
    let error = sandbox.open().delete_branch("hotfix/1", "main", Some("origin")).unwrap_err();
    assert!(matches!(&error, Error::Elsewhere { at, .. } if at.ends_with("/linked")), "{error}");
    assert!(sandbox.git("remote.git", "for-each-ref").contains("hotfix/1"));
}

#[test]
fn a_partial_clone() {
    for filter in ["blob:none", "tree:0"] {
        let sandbox = Sandbox::with(&[], |it| it.write("deploy.sh", "#!/bin/sh\n"));
        sandbox.git("remote.git", "config uploadpack.allowFilter true");
        sandbox.git("remote.git", "config uploadpack.allowAnySHA1InWant true");
        let url = format!("file://{}", sandbox.path("remote.git").display());
        sandbox.git("work", "commit -q --allow-empty -m second");
        sandbox.write("other", "more\n");
        sandbox.git("work", "add .");
        sandbox.git("work", "commit -q -m third");
        sandbox.git("work", "push -q origin main");
        sandbox.git(".", &format!("clone -q --filter={filter} --no-checkout {url} partial"));
        sandbox.git("partial", "checkout -q main");
        let found = sandbox.preflight(&sandbox.path("partial"), "v1.2.3", "v1.2.4");
        assert_eq!(found.missing_scripts, Vec::<String>::new(), "{filter}");
        sandbox.fix_in("partial");
        assert_eq!(sandbox.git("remote.git", "ls-tree --name-only main"), "deploy.sh\nfile\nother");
    }
}

#[test]
fn a_shallow_clone_is_refused_and_works_when_it_is_whole() {
    let sandbox = Sandbox::new();
    sandbox.git("work", "commit -q --allow-empty -m second");
    sandbox.git("work", "push -q origin main");
    let url = format!("file://{}", sandbox.path("remote.git").display());
    sandbox.git(".", &format!("clone -q --depth 1 --no-single-branch {url} shallow"));
    sandbox.is_refused("shallow", "the clone is shallow", "git fetch --unshallow --tags");
    sandbox.git("shallow", "fetch -q --unshallow --tags");
    sandbox.fix_in("shallow");
}

#[test]
fn a_clone_of_a_single_branch() {
    let sandbox = Sandbox::new();
    sandbox.git("work", "push -q origin main:refs/heads/develop");
    sandbox.git(".", "clone -q --single-branch --branch develop remote.git single");
    let repository = sandbox.open_at("single");
    sandbox.git("single", "switch -q -c hotfix/1");
    sandbox.git("single", "commit -q --allow-empty -m fix");
    repository.merge("hotfix/1", "main", Some("origin"), "merge").unwrap();
    repository.delete_branch("hotfix/1", "main", Some("origin")).unwrap();
    // There is no main here, and none is made.
    assert_eq!(sandbox.git("single", "for-each-ref --format=%(refname) refs/heads"), "refs/heads/develop");
    assert_eq!(sandbox.git("single", "rev-parse --symbolic-full-name HEAD"), "HEAD");
    assert_eq!(sandbox.git("single", "rev-parse HEAD"), sandbox.git("remote.git", "rev-parse main^2"));
    let error = repository.merge("develop", "gone", Some("origin"), "merge").unwrap_err();
    assert!(matches!(&error, Error::Missing { name, .. } if name == "origin/gone"), "{error}");
}

#[test]
fn a_sparse_checkout_works_but_for_scripts_that_it_leaves_out() {
    let sandbox = Sandbox::with(&[], |it| {
        it.write("deploy.sh", "#!/bin/sh\n");
        it.write("far/away", "one\n");
    });
    sandbox.git("work", "sparse-checkout set --no-cone /file");
    assert!(!sandbox.path("work/deploy.sh").exists());
    sandbox.is_refused("work", "`deploy.sh` is left out", "git sparse-checkout add deploy.sh");
    sandbox.git("work", "sparse-checkout add deploy.sh");
    sandbox.fix();
    assert!(!sandbox.path("work/far").exists());
    assert_eq!(sandbox.git("remote.git", "show main:far/away"), "one");
}

#[test]
fn a_repository_of_somebody_else_is_refused_until_it_is_trusted() {
    let mut sandbox = Sandbox::new();
    sandbox.set("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1");
    sandbox.is_refused("work", "git does not trust", "git config --global --add safe.directory");
    let root = sandbox.work().canonicalize().unwrap().display().to_string();
    // What the variable pretends holds for the remote's directory too.
    for path in [root, sandbox.path("remote.git").canonicalize().unwrap().display().to_string()] {
        assert!(sandbox.run("git", ".", &["config", "--global", "--add", "safe.directory", &path]).status.success());
    }
    sandbox.fix();
}

#[test]
fn what_is_under_way_is_refused_with_what_ends_it() {
    let sandbox = Sandbox::new();
    sandbox.git("work", "commit -q --allow-empty -m second");
    sandbox.put("edit", "#!/bin/sh\nsed -i.bak s/^pick/edit/ \"$1\"\n");
    let editor = format!("sequence.editor={}", sandbox.path("edit").display());
    assert!(sandbox.run("git", "work", &["-c", &editor, "rebase", "-q", "-i", "HEAD~1"]).status.success());
    sandbox.is_refused("work", "a rebase is under way", "git rebase --abort");
    sandbox.git("work", "rebase --abort");
    // Each of the others stops with nothing changed in the work tree.
    for (start, what, abort) in [
        ("merge -q --no-ff --no-commit -s ours other", "a merge is under way", "git merge --abort"),
        ("cherry-pick other", "a cherry-pick is under way", "git cherry-pick --abort"),
    ] {
        sandbox.git("work", "branch -f other");
        sandbox.git("work", "checkout -q other");
        sandbox.git("work", "commit -q --allow-empty -m other");
        sandbox.git("work", "checkout -q main");
        let _ = sandbox.run("git", "work", &start.split(' ').collect::<Vec<_>>());
        sandbox.is_refused("work", what, abort);
        sandbox.git("work", abort.strip_prefix("git ").unwrap());
    }
    // One that reverts nothing does not stop by itself.
    sandbox.put("work/.git/REVERT_HEAD", &(sandbox.git("work", "rev-parse HEAD") + "\n"));
    sandbox.is_refused("work", "a revert is under way", "git revert --abort");
    fs::remove_file(sandbox.path("work/.git/REVERT_HEAD")).unwrap();
    sandbox.git("work", "push -q origin main");
    sandbox.fix();
}

#[test]
fn a_mirror_and_a_git_that_is_too_old_are_refused() {
    let mut sandbox = Sandbox::new();
    sandbox.git("work", "config remote.origin.mirror true");
    sandbox.is_refused("work", "`origin` is a mirror", "git config --unset remote.origin.mirror");
    sandbox.git("work", "config --unset remote.origin.mirror");
    let real = String::from_utf8(sandbox.run("sh", ".", &["-c", "command -v git"]).stdout).unwrap();
    let wrapper = format!(
        "#!/bin/sh\ncase \"$*\" in *' version') echo 'git version 2.39.5 (Apple Git-154)';; *) exec {} \"$@\";; esac\n",
        real.trim()
    );
    sandbox.put("old/git", &wrapper);
    let path = format!("{}:{}", sandbox.path("old").display(), std::env::var("PATH").unwrap());
    sandbox.set("PATH", &path);
    sandbox.is_refused("work", "git version 2.39.5 (Apple Git-154) is too old", "install a later git");
}

#[test]
fn the_remote_s_url_is_the_one_that_the_configuration_makes_of_it() {
    let sandbox = Sandbox::new();
    let root = sandbox.dir.path().display().to_string();
    sandbox.config(&format!("url.{root}/.insteadOf"), "team:");
    sandbox.git("work", "remote set-url origin team:remote.git");
    sandbox.fix();
    // Fetched from one place, pushed to another.
    let sandbox = Sandbox::new();
    sandbox.git(".", "clone -q --bare remote.git copy.git");
    sandbox.config(&format!("url.{}.pushInsteadOf", sandbox.path("copy.git").display()), "../remote.git");
    sandbox.git("work", "branch hotfix/1");
    sandbox.open().push("origin", &[(Kind::Branch, "hotfix/1")]).unwrap();
    assert!(sandbox.git("copy.git", "for-each-ref").contains("refs/heads/hotfix/1"));
    assert!(!sandbox.git("remote.git", "for-each-ref").contains("refs/heads/hotfix/1"));
}

#[test]
fn several_urls_to_push_to_are_each_pushed_to_or_not() {
    let sandbox = Sandbox::new();
    sandbox.git(".", "clone -q --bare remote.git copy.git");
    for url in ["../remote.git", "../copy.git"] {
        sandbox.git("work", &format!("remote set-url --add --push origin {url}"));
    }
    sandbox.put("copy.git/hooks/update", "#!/bin/sh\n[ -e \"$T/open\" ]\n");
    sandbox.git("work", "branch hotfix/1");
    let push = || sandbox.open().push("origin", &[(Kind::Branch, "hotfix/1")]);
    assert!(matches!(push().unwrap_err(), Error::Rejected(_)));
    assert!(!sandbox.git("copy.git", "for-each-ref").contains("hotfix/1"));
    sandbox.put("open", "");
    assert_eq!([push().unwrap(), push().unwrap()], [Outcome::Done, Outcome::Already]);
    for dir in ["remote.git", "copy.git"] {
        assert!(sandbox.git(dir, "for-each-ref").contains("refs/heads/hotfix/1"), "{dir}");
    }
}

#[test]
fn nobody_is_guessed_to_be_the_one_who_commits() {
    for settings in ["[user]\nuseConfigOnly=true\nname=Ada\n", "[committer]\nname=Ada\nemail=a@b\n", ""] {
        let sandbox = Sandbox::new();
        sandbox.put("gitconfig", settings);
        sandbox.is_refused("work", "git does not know who commits", "git config user.name");
    }
    let sandbox = Sandbox::new();
    sandbox.put(
        "gitconfig",
        "[user]\nuseConfigOnly=true\n[author]\nname=Eve\nemail=e@b\n[committer]\nname=Ada\nemail=a@b\n",
    );
    sandbox.fix();
    assert_eq!(sandbox.git("remote.git", "log -1 --format=%an,%cn main"), "Eve,Ada");
}

#[test]
fn a_moved_tag_elsewhere_does_not_stand_in_the_way_of_a_merge() {
    let sandbox = Sandbox::new();
    sandbox.git("work", "tag nightly");
    sandbox.git("work", "push -q origin nightly");
    sandbox.git("work", "commit -q --allow-empty -m second");
    sandbox.git("work", "push -q origin main");
    sandbox.git("work", "tag -f nightly");
    sandbox.git("work", "switch -q -c hotfix/1");
    sandbox.git("work", "commit -q --allow-empty -m fix");
    sandbox.open().merge("hotfix/1", "main", Some("origin"), "merge").unwrap();
    sandbox.open().delete_branch("hotfix/1", "main", Some("origin")).unwrap();
    // Where all tags are fetched, it is named, and so is what helps.
    let error = sandbox.open().fetch("origin").unwrap_err();
    assert!(matches!(&error, Error::OtherTags { tags, .. } if tags == "nightly"), "{error}");
    sandbox.git("work", "tag -d nightly");
    sandbox.open().fetch("origin").unwrap();
}
