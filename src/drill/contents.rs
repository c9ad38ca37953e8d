//! What the drill's repository and its `bin` hold, embedded in the program.

/// Sourced by every script; lies outside the repository.
pub(crate) const PROLOGUE: &str = include_str!("scripts/prologue.sh");
/// The stand-in for npm; lies outside the repository, on the sandbox's `PATH`.
pub(crate) const NPM: &str = include_str!("scripts/npm");
/// The repository's own runbook.
pub(crate) const RUNBOOK: &str = include_str!("runbook.yaml");
/// What `hotfix drill --auto` answers; `{fix}` and `{strategy}` are put in.
pub(crate) const ANSWERS: &str = include_str!("answers.yaml");
/// The login check of v1.2.2, which is sound.
pub(crate) const LOGIN: &str = include_str!("app/login.sh");
/// The login check of v1.2.3, which lets anyone in.
pub(crate) const LOGIN_BROKEN: &str = include_str!("app/login-broken.sh");
/// The tests of the repository, by name.
pub(crate) const TESTS: [(&str, &str); 2] =
    [("auth.sh", include_str!("app/auth.sh")), ("security.sh", include_str!("app/security.sh"))];
/// The scripts that the procedure calls, by name.
pub(crate) const SCRIPTS: [(&str, &str); 16] = [
    ("deploy-staging.sh", include_str!("scripts/deploy-staging.sh")),
    ("deploy-blue.sh", include_str!("scripts/deploy-blue.sh")),
    ("health-check-blue.sh", include_str!("scripts/health-check-blue.sh")),
    ("switch-to-blue.sh", include_str!("scripts/switch-to-blue.sh")),
    ("monitor-deployment.sh", include_str!("scripts/monitor-deployment.sh")),
    ("deploy-rolling.sh", include_str!("scripts/deploy-rolling.sh")),
    ("monitor-batch.sh", include_str!("scripts/monitor-batch.sh")),
    ("deploy-next-batch.sh", include_str!("scripts/deploy-next-batch.sh")),
    ("undo-batch.sh", include_str!("scripts/undo-batch.sh")),
    ("switch-to-green.sh", include_str!("scripts/switch-to-green.sh")),
    ("deploy-production.sh", include_str!("scripts/deploy-production.sh")),
    ("validate-hotfix.sh", include_str!("scripts/validate-hotfix.sh")),
    ("test-critical-paths.sh", include_str!("scripts/test-critical-paths.sh")),
    ("security-validation.sh", include_str!("scripts/security-validation.sh")),
    ("performance-check.sh", include_str!("scripts/performance-check.sh")),
    ("validate-rollback.sh", include_str!("scripts/validate-rollback.sh")),
];
/// The password of the one user that the application knows.
pub(crate) const PASSWORD: &str = "correct-horse-battery";
/// Its email address, as the procedure has it.
pub(crate) const EMAIL: &str = "test@example.com";
