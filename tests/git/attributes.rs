//! Filters, line ends, and how files are merged that are not plain text.

use hotfix::git::Error;

use super::sandbox::Sandbox;

/// A sandbox whose files pass through `tr`, as large files do through git-lfs: upper case in the repository.
fn filtered() -> Sandbox {
    Sandbox::with(&[], |it| {
        for (name, value) in [
            ("filter.case.clean", "tr a-z A-Z"),
            ("filter.case.smudge", "tr A-Z a-z"),
            ("filter.case.required", "true"),
        ] {
            it.config(name, value);
        }
        it.write(".gitattributes", "*.asset filter=case\n");
        it.write("a.asset", "one\n");
    })
}

#[test]
fn filters_clean_what_is_committed_and_smudge_what_is_checked_out() {
    let sandbox = filtered();
    assert_eq!(sandbox.git("work", "show v1.2.3:a.asset"), "ONE");
    let repository = sandbox.open();
    repository.create_branch("hotfix/2", "v1.2.3").unwrap();
    sandbox.write("a.asset", "two\n");
    repository.commit("asset", &["a.asset".to_owned()]).unwrap();
    assert_eq!(sandbox.git("work", "show HEAD:a.asset"), "TWO");
    sandbox.git("work", "switch -q main");
    assert_eq!(sandbox.text("work/a.asset"), "one\n");
    repository.merge("hotfix/2", "main", Some("origin"), "merge").unwrap();
    assert_eq!(sandbox.text("work/a.asset"), "two\n");
    assert_eq!(sandbox.git("work", "status --porcelain"), "");
    sandbox.git("work", "branch -q -D hotfix/2");
    sandbox.fix();
}

#[test]
fn a_filter_that_is_required_and_fails_refuses_the_commit() {
    let sandbox = filtered();
    sandbox.config("filter.case.clean", "false");
    sandbox.write("a.asset", "two\n");
    let error = sandbox.open().commit("asset", &["a.asset".to_owned()]).unwrap_err();
    assert!(error.to_string().contains("clean filter 'case' failed"), "{error}");
}

#[test]
fn line_ends_are_as_the_configuration_and_the_attributes_say() {
    let sandbox = Sandbox::with(&[], |it| {
        it.config("core.autocrlf", "true");
        it.write(".gitattributes", "*.bat text eol=crlf\n*.sh text eol=lf\n");
        it.write("a.bat", "one\r\ntwo\r\n");
        it.write("a.sh", "one\ntwo\n");
        it.write("a.txt", "one\r\ntwo\r\n");
    });
    sandbox.fix();
    sandbox.git("work", "switch -q -c other v1.2.3");
    let repository = sandbox.open();
    for (name, text) in [("a.bat", "one\r\nthree\r\n"), ("a.sh", "one\nthree\n"), ("a.txt", "one\r\nthree\r\n")] {
        sandbox.write(name, text);
        repository.commit(name, &[name.to_owned()]).unwrap();
        assert_eq!(sandbox.git("work", &format!("cat-file blob HEAD:{name}")), "one\nthree");
    }
    sandbox.git("work", "switch -q main");
    repository.merge("other", "main", Some("origin"), "merge").unwrap();
    assert_eq!(sandbox.text("work/a.bat"), "one\r\nthree\r\n");
    assert_eq!(sandbox.text("work/a.sh"), "one\nthree\n");
    assert_eq!(sandbox.text("work/a.txt"), "one\r\nthree\r\n");
}

/// A sandbox with `attribute` for `list` on main only, where main and hotfix/1 have each added a line to it.
fn contended(attribute: &str) -> Sandbox {
    let sandbox = Sandbox::with(&[], |it| it.write("list", "one\n"));
    sandbox.git("work", "switch -q -c hotfix/1");
    sandbox.write("list", "one\nfix\n");
    sandbox.git("work", "commit -qam fix");
    sandbox.git("work", "switch -q main");
    sandbox.write("list", "one\nmain\n");
    sandbox.write(".gitattributes", &format!("list {attribute}\n"));
    sandbox.git("work", "add .");
    sandbox.git("work", "commit -q -m main");
    sandbox.git("work", "switch -q hotfix/1");
    sandbox
}

#[test]
fn union_is_honoured_as_the_branch_has_it_that_is_merged_into() {
    let sandbox = contended("merge=union");
    sandbox.open().merge("hotfix/1", "main", None, "merge").unwrap();
    assert_eq!(sandbox.git("work", "show main:list"), "one\nmain\nfix");
    let sandbox = contended("-merge");
    let error = sandbox.open().merge("hotfix/1", "main", None, "merge").unwrap_err();
    assert!(matches!(&error, Error::Conflict(it) if it.files == ["list"]), "{error}");
}

#[test]
fn a_merge_driver_of_the_configuration_is_asked() {
    let sandbox = contended("merge=both");
    sandbox.config("merge.both.driver", "cat %B >> %A; echo %P >> %A");
    sandbox.open().merge("hotfix/1", "main", None, "merge").unwrap();
    assert_eq!(sandbox.git("work", "show main:list"), "one\nmain\none\nfix\nlist");
    let sandbox = contended("merge=never");
    sandbox.config("merge.never.driver", "exit 1");
    let error = sandbox.open().merge("hotfix/1", "main", None, "merge").unwrap_err();
    assert!(matches!(&error, Error::Conflict(it) if it.files == ["list"]), "{error}");
}

/// A sandbox where main has attributes that not every file of it follows yet, and hotfix/1 has a line that main lacks.
fn not_as_its_attributes_say(main: &str) -> Sandbox {
    let sandbox = Sandbox::with(&[], |it| it.write("a.txt", "one\r\ntwo\r\nthree\r\n"));
    sandbox.git("work", "switch -q -c hotfix/1");
    sandbox.write("a.txt", "one\r\ntwo\r\nfix\r\n");
    sandbox.git("work", "commit -qam fix");
    sandbox.git("work", "switch -q main");
    sandbox.write("a.txt", main);
    sandbox.git("work", "commit -qam main --allow-empty");
    sandbox.write(".gitattributes", "*.txt text\n");
    sandbox.git("work", "add .gitattributes");
    sandbox.git("work", "commit -q -m attributes");
    sandbox.git("work", "switch -q -f hotfix/1");
    sandbox
}

#[test]
fn a_file_that_was_never_normalized_is_not_taken_for_changed_where_it_is_merged() {
    let sandbox = not_as_its_attributes_say("main\r\ntwo\r\nthree\r\n");
    sandbox.config("merge.renormalize", "true");
    sandbox.open().merge("hotfix/1", "main", None, "merge").unwrap();
    assert_eq!(sandbox.git("work", "cat-file blob main:a.txt"), "main\ntwo\nfix");
}

#[test]
fn a_file_that_was_never_normalized_is_no_hindrance_to_a_conflict_of_others() {
    let sandbox = not_as_its_attributes_say("main\r\ntwo\r\nthree\r\n");
    for (branch, text) in [("main", "main\n"), ("hotfix/1", "fix\n")] {
        sandbox.git("work", &format!("switch -q -f {branch}"));
        sandbox.write("file", text);
        sandbox.git("work", "add file");
        sandbox.git("work", "commit -q -m file");
    }
    let conflict = match sandbox.open().merge("hotfix/1", "main", None, "merge").unwrap_err() {
        Error::Conflict(conflict) => conflict,
        error => panic!("{error}"),
    };
    assert_eq!(conflict.files, ["file"]);
    let merged = std::fs::read_to_string(conflict.at.join("a.txt")).unwrap();
    assert_eq!(merged.lines().collect::<Vec<_>>(), ["main", "two", "fix"]);
}
