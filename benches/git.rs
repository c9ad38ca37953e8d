//! The whole path of a hotfix through git, beside the `git` commands that the procedure lists for it: on a small repository, and on
//! one of 60,000 files.
//!
//! `cargo bench --bench git`; `HOTFIX_BENCH_FILES` says how many files there are in the large one. Each is done in a clone of its
//! own, in turn, by the program as it is started: with its log, its questions and what it looks at before it begins.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and may fail anywhere")]

#[expect(dead_code, reason = "it makes its own repositories")]
mod measure;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use measure::{EXE, median, ms, ratio, runs, time};
use tempfile::TempDir;

/// The way, with a stop where a person works, and one where production is watched.
const RUNBOOK: &str = "name: bench
version: 1
stages:
  - id: start
    steps:
      - { id: fetch, git: fetch }
      - { id: branch, git: { branch: '{{ branch }}', from: '{{ tag }}' } }
  - id: release
    steps:
      - { id: fixed, confirm: Fixed? }
      - { id: commit, git: { commit: 'fix: {{ issue }}' } }
      - { id: tag, git: { tag: '{{ new_tag }}', message: 'Hotfix {{ new_tag }}' } }
      - { id: push, git: { push: ['{{ branch }}', '{{ new_tag }}'] } }
  - id: back
    steps:
      - { id: good, confirm: Good? }
      - { id: merge, git: { merge: '{{ branch }}', into: '{{ main }}' } }
      - { id: delete, git: { delete_branch: '{{ branch }}' } }
";
/// How it is answered up to the end of each part.
const ANSWERS: [&str; 3] = ["{}", "{release/fixed: yes, release/commit: yes}", "back/good: yes"];
const PARTS: [&str; 3] = ["start", "release", "merge-back"];
/// How many times as long as git it may take: each part, then all of them; on the large repository.
const LIMITS: [Option<f64>; 4] = [Some(1.1), None, Some(0.3), Some(0.6)];

/// Where main is when a fix begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Main {
    /// Where production is.
    AtTheTag,
    /// It has other files.
    WentOn,
}

fn main() {
    let files = std::env::var("HOTFIX_BENCH_FILES").ok().and_then(|text| text.parse().ok()).unwrap_or(60_000);
    for (files, main, limits) in [
        (200, Main::WentOn, [LIMITS[0], None, None, None]),
        (files, Main::WentOn, LIMITS),
        (files, Main::AtTheTag, LIMITS),
    ] {
        compare(files, main, limits);
    }
}

fn compare(files: usize, main: Main, limits: [Option<f64>; 4]) {
    let world = World::new(files, main);
    let runs = runs(7);
    let mut took = [[const { Vec::new() }; 4], [const { Vec::new() }; 4]];
    // In turn, so that whatever else the machine does befalls both; the first time is not counted.
    for turn in 0..=runs {
        for (side, act) in [World::git_alone as fn(&World, usize) -> [Duration; 3], World::program].iter().enumerate() {
            let parts = act(&world, turn);
            let all = parts.iter().sum();
            for (found, part) in took[side].iter_mut().zip(parts.into_iter().chain([all])).filter(|_| turn > 0) {
                found.push(part);
            }
        }
    }
    let went = if main == Main::WentOn { "main went on since the tag" } else { "main is where the tag is" };
    println!("{files} files, {went}; medians of {runs} runs");
    let [git, program] = took.map(|parts| parts.map(median));
    for (at, name) in PARTS.into_iter().chain(["all of it"]).enumerate() {
        let verdict = limits[at].map_or_else(String::new, |limit| {
            let within = program[at].as_secs_f64() <= git[at].as_secs_f64() * limit;
            format!("{} {limit}x", if within { "within" } else { "MORE THAN" })
        });
        let [git, ours] = [git[at], program[at]];
        println!("{name:<12} git {:>11}   hotfix {:>11}   {:>6}   {verdict}", ms(git), ms(ours), ratio(ours, git));
    }
}

/// Two clones, `git` and `hotfix`, each with a remote of its own.
struct World {
    dir: TempDir,
    main: Main,
}

impl World {
    fn new(files: usize, main: Main) -> Self {
        let world = Self { dir: TempDir::new().unwrap(), main };
        fs::write(world.path("runbook.yaml"), RUNBOOK).unwrap();
        // Nothing is tidied up meanwhile, in the background, by either.
        fs::write(world.path("gitconfig"), "[gc]\nauto = 0\n[maintenance]\nauto = false\n").unwrap();
        for (part, answers) in PARTS.iter().zip(ANSWERS) {
            fs::write(world.path(part), answers).unwrap();
        }
        world.run("git", ".", &["init", "-q", "--bare", "-b", "main", "git.git"]);
        world.run("git", ".", &["init", "-q", "-b", "main", "git"]);
        world.run("git", "git", &["remote", "add", "origin", "../git.git"]);
        for n in 0..files {
            let path = file(&world.path("git"), n);
            if n % 100 == 0 {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
            }
            fs::write(path, format!("{n}\n")).unwrap();
        }
        let commit = |name: &str| {
            world.run("git", "git", &["add", "."]);
            world.run("git", "git", &["commit", "-q", "-m", name]);
        };
        commit("first");
        world.run("git", "git", &["tag", "-a", "-m", "release", "v1.2.3"]);
        if main == Main::WentOn {
            fs::write(world.path("git/new.txt"), "new\n").unwrap();
            commit("second");
        }
        world.run("git", "git", &["push", "-q", "origin", "main", "v1.2.3"]);
        world.run("git", "git.git", &["gc", "-q"]);
        world.run("cp", ".", &["-R", "git.git", "hotfix.git"]);
        for name in ["git", "hotfix"] {
            if name == "git" {
                fs::remove_dir_all(world.path(name)).unwrap();
            }
            world.run("git", ".", &["clone", "-q", &format!("{name}.git"), name]);
        }
        world.run("sync", ".", &[]);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, program: &str, dir: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.path(dir)).env_clear().stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null()).env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", self.dir.path()).env("HOTFIX_RUNBOOK", self.path("runbook.yaml"));
        command.env("GIT_CONFIG_GLOBAL", self.path("gitconfig")).env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@example.com");
        }
        command
    }

    fn run(&self, program: &str, dir: &str, args: &[&str]) -> Duration {
        time(&mut self.command(program, dir, args))
    }

    /// The tag to fix the `n`th time, and the one to make.
    fn tags(&self, n: usize) -> [String; 2] {
        let tag = |n: usize| format!("v1.2.{}", 3 + n);
        [tag(if self.main == Main::WentOn { 0 } else { n }), tag(n + 1)]
    }

    /// Mends a file, in the clone `dir`.
    fn mend(&self, dir: &str, n: usize) {
        fs::write(file(&self.path(dir), n), format!("fixed {n}\n")).unwrap();
    }

    /// How long each part takes by what the procedure lists, and the two commands that look at what is there.
    fn git_alone(&self, n: usize) -> [Duration; 3] {
        let [tag, new_tag] = self.tags(n);
        let branch = format!("hotfix/{n}");
        let all = |lines: &[&[&str]]| lines.iter().map(|args| self.run("git", "git", args)).sum();
        let start = all(&[
            &["status", "--porcelain"],
            &["ls-remote", "origin"],
            &["fetch", "--tags"],
            &["checkout", &format!("tags/{tag}")],
            &["checkout", "-b", &branch],
        ]);
        self.mend("git", n);
        let release = all(&[
            &["add", "."],
            &["commit", "-m", "fix"],
            &["tag", "-a", &new_tag, "-m", "Hotfix"],
            &["push", "origin", &branch],
            &["push", "origin", &new_tag],
        ]);
        let back = all(&[
            &["checkout", "main"],
            &["pull", "origin", "main"],
            &["merge", "--no-edit", &branch],
            &["push", "origin", "main"],
            &["branch", "-d", &branch],
            &["push", "origin", "--delete", &branch],
        ]);
        [start, release, back]
    }

    /// How long each part takes by the program.
    fn program(&self, n: usize) -> [Duration; 3] {
        let [tag, new_tag] = self.tags(n);
        let issue = n.to_string();
        let go = |part: &str, args: &[&str], code: i32| {
            let mut command = self.command(EXE, "hotfix", args);
            command.arg("--answers").arg(self.path(part));
            let begun = Instant::now();
            let ended = command.status().unwrap();
            assert_eq!(ended.code(), Some(code), "{part}");
            begun.elapsed()
        };
        let start = go("start", &["start", &tag, &issue, "--new-tag", &new_tag], 7);
        self.mend("hotfix", n);
        [start, go("release", &["resume"], 7), go("merge-back", &["resume"], 0)]
    }
}

/// The `n`th file, in a directory of a hundred.
fn file(top: &Path, n: usize) -> PathBuf {
    top.join(format!("d{}/e{}/f{n}", n / 5000, n / 100))
}
