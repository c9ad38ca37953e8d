//! A sandbox, and the program in it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use hotfix::drill::Sandbox;
use hotfix::event::Event;
use hotfix::journal::{Contents, read};
use tempfile::TempDir;

pub(crate) const EXE: &str = env!("CARGO_BIN_EXE_hotfix");

/// A drill's sandbox.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    // Dropped after the sandbox, which removes its own directory within.
    _parent: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let parent = TempDir::new().unwrap();
        let sandbox = Sandbox::create(parent.path().join("drill"), Path::new(EXE)).unwrap();
        Self { sandbox, _parent: parent }
    }

    /// The program with `args`, to be started in the repository.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.sandbox.command(EXE);
        command.args(args);
        command
    }

    pub(crate) fn hotfix(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Starts the program and hands back the lines it writes.
    pub(crate) fn begin(&self, args: &[&str]) -> (Child, Lines) {
        let mut child = self.command(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = Lines(BufReader::new(child.stderr.take().unwrap()), Vec::new());
        (child, lines)
    }

    /// Writes a file of answers and hands back its path.
    pub(crate) fn answers(&self, text: &str) -> String {
        let path = self.sandbox.dir().join("answers.yaml");
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// The answers of the drill, with some in place of others.
    pub(crate) fn answers_but(&self, strategy: &str, other: &[(&str, &str)]) -> String {
        let mut lines: Vec<String> = Sandbox::answers(strategy).lines().map(str::to_owned).collect();
        for (key, value) in other {
            let at = lines.iter().position(|line| line.starts_with(&format!("{key}:")));
            let line = format!("{key}: {value}");
            match at {
                Some(at) => lines[at] = line,
                None => lines.push(line),
            }
        }
        self.answers(&(lines.join("\n") + "\n"))
    }

    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        let dir = self.sandbox.repository().join(".git/hotfix/runs");
        let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
        let mut runs: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        runs.sort();
        runs
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.runs().last().unwrap().join("journal.jsonl")
    }

    pub(crate) fn contents(&self) -> Contents {
        read(&self.journal()).unwrap()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.contents().records.into_iter().map(|record| record.event).collect()
    }

    /// The names of the scripts that were called, without npm's and without arguments.
    pub(crate) fn scripts(&self) -> Vec<String> {
        let calls = self.sandbox.calls();
        let scripts = calls.iter().map(|call| call.split(' ').next().unwrap().to_owned());
        scripts.filter(|script| std::path::Path::new(script).extension().is_some_and(|end| end == "sh")).collect()
    }

    /// The version that production serves.
    pub(crate) fn production(&self) -> String {
        let url = format!("{}/health", self.sandbox.production_url());
        let output = self.hotfix(&["drill-get", &url]);
        let health: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        health["version"].as_str().unwrap().to_owned()
    }
}

/// What the program writes to standard error.
pub(crate) struct Lines(BufReader<ChildStderr>, Vec<String>);

impl Lines {
    /// The next line; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let n = self.0.read_until(b'\n', &mut line).unwrap();
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        self.1.push(line.clone());
        (n > 0).then_some(line)
    }

    /// Reads on until a line has `text` in it.
    pub(crate) fn wait_for(&mut self, text: &str) {
        while let Some(line) = self.next() {
            if line.contains(text) {
                return;
            }
        }
        panic!("it ended without `{text}`:\n{}", self.1.join("\n"));
    }

    /// Everything that was written, to the end.
    pub(crate) fn all(mut self) -> String {
        while self.next().is_some() {}
        self.1.join("\n")
    }
}

/// What a program said, on both channels.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
pub(crate) fn ends(output: &Output, code: i32) -> String {
    let said = said(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// Kills a child that this test started, without a chance to tidy up.
pub(crate) fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}
