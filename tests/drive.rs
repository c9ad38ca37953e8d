//! Whole runs from the command line, on the drill's real repository, remote, scripts and services.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::path::Path;
use std::process::Output;

use hotfix::drill::Sandbox;
use tempfile::TempDir;

const EXE: &str = env!("CARGO_BIN_EXE_hotfix");

struct World {
    sandbox: Sandbox,
    // Dropped after the sandbox, which removes its own directory within.
    _parent: TempDir,
}

impl World {
    fn new() -> Self {
        let parent = TempDir::new().unwrap();
        let sandbox = Sandbox::create(parent.path().join("drill"), Path::new(EXE)).unwrap();
        Self { sandbox, _parent: parent }
    }

    fn hotfix(&self, args: &[&str]) -> Output {
        self.sandbox.command(EXE).args(args).output().unwrap()
    }

    /// Writes a file of answers and hands back its path.
    fn answers(&self, text: &str) -> String {
        let path = self.sandbox.dir().join("answers.yaml");
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_run_goes_through_all_stages_to_the_end() {
    let world = World::new();
    let answers = world.answers(&Sandbox::answers("blue-green"));
    let output = world.hotfix(&["start", "v1.2.3", "1234", "--answers", &answers]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}
