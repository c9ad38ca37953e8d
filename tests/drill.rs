//! The drill's sandbox: the broken login, its fix, every way of deploying it, the way back, and nothing left behind.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::fs;
use std::path::Path;
use std::process::Output;

use hotfix::drill::Sandbox;
use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;

const EXE: &str = env!("CARGO_BIN_EXE_hotfix");
const RIGHT: &str = "correct-horse-battery";
const TAG: &str = "v1.2.3";
const FIX: &str = "v1.2.4";

struct Drill {
    sandbox: Sandbox,
    // Dropped after the sandbox, which removes its own directory within.
    parent: TempDir,
}

impl Drill {
    fn new() -> Self {
        let parent = TempDir::new().unwrap();
        let sandbox = Sandbox::create(parent.path().join("drill"), Path::new(EXE)).unwrap();
        Self { sandbox, parent }
    }

    /// One whose fix is committed as v1.2.4 and pushed.
    fn fixed() -> Self {
        let drill = Self::new();
        drill.ok("git", &["checkout", "--quiet", "-b", "hotfix/login", TAG]);
        drill.ok("sh", &["-c", Sandbox::fix_command()]);
        drill.ok("git", &["commit", "--quiet", "--all", "--message", "Ask for the password again"]);
        drill.ok("git", &["tag", "--annotate", FIX, "--message", "Release"]);
        drill.ok("git", &["push", "--quiet", "origin", "hotfix/login", FIX]);
        drill
    }

    fn run(&self, program: &str, args: &[&str], env: &[(&str, &str)]) -> Output {
        let path = self.sandbox.repository().join(program);
        let program = if program.starts_with("./") { path.as_path() } else { Path::new(program) };
        self.sandbox.command(program).args(args).envs(env.iter().copied()).output().unwrap()
    }

    fn ok(&self, program: &str, args: &[&str]) -> String {
        let output = self.run(program, args, &[]);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{program} {args:?}: {said}");
        said
    }

    /// The status that a login with `password` ends with in production.
    fn login(&self, password: &str) -> String {
        let url = format!("{}/auth/login", self.sandbox.production_url());
        let body = format!(r#"{{"email":"test@example.com","password":"{password}"}}"#);
        self.ok(EXE, &["drill-post", "--status", &url, &body]).trim().to_owned()
    }
}

#[test]
fn a_blue_green_deployment_mends_the_login_and_the_rollback_restores_what_was() {
    let drill = Drill::fixed();
    assert_eq!([drill.login("wrong"), drill.login(RIGHT)], ["200", "200"], "v1.2.3 lets anyone in");

    drill.ok("sh", &["-c", "npm test -- --testPathPattern=auth && npm run test:security"]);
    drill.ok("./deploy-staging.sh", &[FIX]);
    drill.ok("sh", &["-c", "npm run test:smoke:staging"]);
    drill.ok("./deploy-blue.sh", &[FIX]);
    drill.ok("./health-check-blue.sh", &[FIX]);
    assert_eq!(drill.login("wrong"), "200", "users do not reach blue yet");
    drill.ok("./switch-to-blue.sh", &[]);
    for script in ["monitor-deployment", "validate-hotfix", "test-critical-paths"] {
        drill.ok(&format!("./{script}.sh"), &[]);
    }
    for script in ["security-validation", "performance-check"] {
        drill.ok(&format!("./{script}.sh"), &[]);
    }
    assert_eq!([drill.login("wrong"), drill.login(RIGHT)], ["401", "200"]);
    let log = fs::read_to_string(drill.sandbox.dir().join("log/error.log")).unwrap();
    assert!(log.contains("auth: login of test@example.com refused"), "{log}");

    drill.ok("./deploy-production.sh", &[TAG]);
    drill.ok("./validate-rollback.sh", &[TAG]);
    assert_eq!(drill.login("wrong"), "200", "v1.2.3 is back");
    assert!(!drill.run("./validate-hotfix.sh", &[], &[]).status.success());

    let calls = drill.sandbox.calls();
    assert_eq!(calls[..3], ["npm test -- --testPathPattern=auth", "npm run test:security", "deploy-staging.sh v1.2.4"]);
    assert_eq!(calls.last().unwrap(), "validate-hotfix.sh");
}

#[test]
fn a_rolling_deployment_goes_batch_by_batch_and_says_what_remains() {
    let drill = Drill::fixed();
    let output = drill.sandbox.dir().join("output");
    let env = [("HOTFIX_OUTPUT", output.to_str().unwrap())];
    let versions = || -> Vec<bool> {
        (0..3)
            .map(|_| drill.ok(EXE, &["drill-get", &format!("{}/health", drill.sandbox.production_url())]))
            .map(|health| health.contains(FIX))
            .collect()
    };
    let fixed = |wanted: usize| assert_eq!(versions().into_iter().filter(|fixed| *fixed).count(), wanted);
    fixed(0);
    assert!(drill.run("./deploy-rolling.sh", &[FIX, "--batch-size", "1"], &env).status.success());
    fixed(1);
    for remaining in [1, 2] {
        drill.ok("./monitor-batch.sh", &[]);
        assert!(drill.run("./deploy-next-batch.sh", &[], &env).status.success());
        fixed(remaining + 1);
    }
    assert!(drill.run("./deploy-next-batch.sh", &[], &env).status.success(), "nothing remains, nothing happens");
    let batches = [("green-1", "green-2,green-3", 2), ("green-2", "green-3", 1), ("green-3", "", 0), ("", "", 0)];
    let lines = batches.map(|(hosts, waiting, left)| format!("hosts={hosts}\nwaiting={waiting}\nremaining={left}\n"));
    assert_eq!(fs::read_to_string(output).unwrap(), lines.concat());
    drill.ok("./validate-hotfix.sh", &[FIX]);
}

#[test]
fn a_script_fails_where_the_drill_says_so_but_its_undo_does_not() {
    let drill = Drill::new();
    let env = [("HOTFIX_DRILL_FAIL", "staging/deploy"), ("HOTFIX_STAGE", "staging"), ("HOTFIX_STEP", "deploy")];
    let failed = drill.run("./deploy-staging.sh", &[TAG], &env);
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("made to fail by the drill"));
    let undo = [env[0], env[1], env[2], ("HOTFIX_ROLLBACK", "1")];
    assert!(drill.run("./deploy-staging.sh", &[TAG], &undo).status.success());
    let other = [env[0], env[1], ("HOTFIX_STEP", "smoke")];
    assert!(drill.run("./deploy-staging.sh", &[TAG], &other).status.success());
    let unknown = drill.run("./deploy-staging.sh", &["v9.9.9"], &[]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no tag v9.9.9"));
    assert_eq!(drill.sandbox.calls().len(), 4, "every call is counted, the failed ones too");
}

#[test]
fn nothing_is_left_behind() {
    let Drill { sandbox, parent } = Drill::new();
    let (dir, pids) = (sandbox.dir().to_owned(), sandbox.pids());
    assert_eq!(pids.len(), 6);
    let alive = |pid: &u32| test_kill_process(Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap()).is_ok();
    assert!(pids.iter().all(alive));
    drop(sandbox);
    assert!(!pids.iter().any(alive));
    assert!(!dir.exists());
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[test]
fn a_kept_sandbox_stays_without_its_servers_and_is_not_made_over() {
    let Drill { sandbox, parent } = Drill::new();
    let dir = sandbox.keep();
    assert!(dir.join("repo/VERSION").is_file());
    assert!(Sandbox::create(&dir, Path::new(EXE)).is_err(), "a directory that holds something is refused");
    assert!(dir.join("repo/VERSION").is_file());
    drop(parent);
}
