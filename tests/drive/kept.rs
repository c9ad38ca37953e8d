//! What is kept of a command that talks to the operator, and the terminal that it finds.

use std::process::Command;
use std::time::{Duration, Instant};

use hotfix::clock::{Clock as _, SystemClock};
use rustix::process::{Pid, Signal, test_kill_process};

use crate::fixture::{World, ends};
use crate::lent::{failure, runbook};
use crate::terminal::{LISTENS, Person};

const TOKEN: &str = "hunter2";
const KEY: &str = "-----BEGIN-----\nc2VjcmV0\n-----END-----";

fn person(world: &World, step: &str) -> Person {
    let runbook = runbook(world, step);
    Person::at_with(world, &["start", "v1.2.3", "1234", "--runbook", &runbook], &[("TOKEN", TOKEN), ("KEY", KEY)])
}

/// A step that runs a script of `text`, none of which is on the screen before it is written.
fn script(world: &World, fields: &str, text: &str) -> String {
    let path = world.sandbox.dir().join("script.sh");
    std::fs::write(&path, text).unwrap();
    format!("{fields}run: [sh, {}]", path.display())
}

/// The file with what the step wrote.
fn kept(world: &World) -> Vec<u8> {
    std::fs::read(world.runs().last().unwrap().join("output/s.a.1.log")).unwrap()
}

fn kept_text(world: &World) -> String {
    String::from_utf8(kept(world)).unwrap()
}

/// Ends the run at the question behind the step.
fn leaves(mut person: Person) {
    person.sees(&["Really over?", LISTENS]);
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
}

/// Waits until `path` has a line in it, and gives it.
fn line(path: &std::path::Path) -> String {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if let Some((line, _)) = text.split_once('\n') {
            return line.to_owned();
        }
        assert!(Instant::now() < end, "nothing in {}", path.display());
        std::thread::yield_now();
    }
}

/// Waits until the process of this id is stopped.
fn stopped(pid: &str) {
    let end = Instant::now() + Duration::from_secs(20);
    let state = || Command::new("ps").args(["-o", "stat=", "-p", pid.trim()]).output().unwrap().stdout;
    while !state().starts_with(b"T") {
        assert!(Instant::now() < end, "{pid} is not stopped");
    }
}

/// Waits until the process of this id is no more.
fn gone(pid: &str) {
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    let dead = || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
    let end = Instant::now() + Duration::from_secs(20);
    while test_kill_process(pid).is_ok() && !dead() {
        assert!(Instant::now() < end, "{pid} lives");
        std::thread::yield_now();
    }
}

#[test]
fn what_it_writes_is_kept_without_secrets_and_without_what_is_typed_unseen() {
    let world = World::new();
    let text = r#"
        echo "the token is $T!"; echo "the key is $K!"; printf hun; printf ter2; echo
        printf "name, as in hun"; read -r name
        stty -echo; printf "\npassword: "; read -r word; stty echo
        echo "[$name, ${#word}]"; echo to the other >&2; echo to the terminal >/dev/tty"#;
    let step = script(&world, "env: {T: '{{ env.TOKEN }}', K: '{{ env.KEY }}'}, ", text);
    let mut person = person(&world, &step);
    // It ends like the beginning of a secret, and stands there all the same.
    person.sees(&["the token is ***!", "the key is ***!", "name, as in hun"]);
    person.types("joan\r");
    person.sees(&["password: "]);
    person.types("pa55w0rd\r");
    let seen = person.sees(&["[joan, 8]", "to the other", "to the terminal", "Really over?", LISTENS]);
    let raw = String::from_utf8_lossy(person.raw()).into_owned();
    for secret in [TOKEN, "c2VjcmV0", "pa55w0rd"] {
        assert!(!raw.contains(secret) && !seen.contains(secret), "{secret}: {raw:?}");
    }
    let expected = "the token is ***!\nthe key is ***!\n***\nname, as in hunjoan\n\npassword: [joan, 8]\nto the other\nto the terminal\n";
    assert_eq!(kept_text(&world), expected);
    assert_eq!(ends(&world.hotfix(&["log", "--output", "s/a"]), 0), expected);
    leaves(person);
}

#[test]
fn when_each_of_its_lines_came_is_kept_as_well() {
    let world = World::new();
    let go = world.sandbox.dir().join("go");
    let text = format!("echo before; while ! test -e {}; do sleep 0.01; done; echo behind", go.display());
    let step = script(&world, "", &text);
    let mut person = person(&world, &step);
    person.sees(&["before"]);
    // No two lines are told apart that are closer than ten milliseconds.
    let seen = Instant::now();
    while seen.elapsed() < Duration::from_millis(50) {
        std::thread::yield_now();
    }
    let between = SystemClock.now().local_time_millis();
    while seen.elapsed() < Duration::from_millis(100) {
        std::thread::yield_now();
    }
    std::fs::write(&go, "").unwrap();
    person.sees(&["behind", "Really over?", LISTENS]);
    let printed = ends(&world.hotfix(&["log", "--output", "s/a", "--timestamps"]), 0);
    let lines: Vec<_> = printed.lines().filter_map(|line| line.split_once("  ")).collect();
    let [(early, "before"), (late, "behind")] = lines[..] else { panic!("{printed}") };
    // At midnight the later time reads as the smaller.
    let turns = [early, &between, late].windows(2).filter(|two| two[0] > two[1]).count();
    assert!(turns <= 1 && early != late, "{early} {between} {late}");
    let midnight = early > late;
    assert!(midnight || (early <= between.as_str() && between.as_str() <= late), "{early} {between} {late}");
    leaves(person);
}

#[test]
fn a_secret_that_comes_slowly_is_not_all_seen_and_not_kept_at_all() {
    let world = World::new();
    let go = world.sandbox.dir().join("go");
    let text = format!(
        r#"printf "<hun"; while ! test -e {0}; do sleep 0.01; done
        printf "ter2> <hun"; while ! test -e {0}2; do sleep 0.01; done; echo "ger>""#,
        go.display()
    );
    let step = script(&world, "env: {T: '{{ env.TOKEN }}'}, ", &text);
    let mut person = person(&world, &step);
    person.sees(&["<hun"]);
    std::fs::write(&go, "").unwrap();
    person.sees(&["<hun> <hun"]);
    std::fs::write(go.with_file_name("go2"), "").unwrap();
    person.sees(&["<hun> <hunger>", "Really over?", LISTENS]);
    assert_eq!(kept_text(&world), "<***> <hunger>\n");
    leaves(person);
}

#[test]
fn it_finds_a_terminal_of_its_own_in_its_foreground() {
    let world = World::new();
    let text = r#"
        test -t 0 && test -t 1 && test -t 2 || exit 9; stty size
        test "$(ps -o pgid= -p $$)" = "$(ps -o tpgid= -p $$)" && echo in front; tty >/dev/null && echo named
        printf "say: " >/dev/tty; read -r said </dev/tty; echo "said $said" >/dev/tty"#;
    let mut person = person(&world, &script(&world, "", text));
    person.sees(&["40 80", "in front", "named", "say: "]);
    person.types("yes\r");
    leaves(person);
    assert_eq!(kept_text(&world), "40 80\nin front\nnamed\nsay: yes\nsaid yes\n");
}

#[test]
fn the_size_of_the_screen_follows() {
    let world = World::new();
    let mut person = person(&world, "run: 'trap \"stty size\" WINCH; echo ready$((1+1)); until read -r x; do :; done'");
    person.sees(&["ready2"]);
    person.resizes(31, 101);
    person.sees(&["31 101"]);
    person.types("\r");
    leaves(person);
}

#[test]
fn every_byte_passes_both_ways() {
    let world = World::new();
    let all: Vec<u8> = (0..=255).collect();
    let [there, back] = ["there", "back"].map(|name| world.sandbox.dir().join(name));
    std::fs::write(&there, &all).unwrap();
    let step = format!(
        "run: 'mode=$(stty -g); stty raw -echo; cat {}; dd bs=1 count=256 of={} 2>/dev/null; stty \"$mode\"; printf \"\\033\\143\"'",
        there.display(),
        back.display()
    );
    let mut person = person(&world, &step);
    person.receives(&all);
    person.types_bytes(&all);
    leaves(person);
    assert_eq!(std::fs::read(back).unwrap(), all);
    assert_eq!(kept(&world), [&all[..], b"\x1bc"].concat());
}

#[test]
fn ctrl_z_hangs_nothing_and_what_stops_itself_goes_on() {
    let world = World::new();
    let mut person = person(
        &world,
        "run: 'echo ready$((1+1)); read -r one; echo \"one: $one\"; kill -STOP $$; read -r two; echo \"two: $two\"'",
    );
    person.sees(&["ready2"]);
    person.types("\u{1a}");
    person.sees(&["^Z"]);
    person.types("first\r");
    person.sees(&["one: first"]);
    person.types("second\r");
    person.sees(&["two: second"]);
    leaves(person);
}

#[test]
fn ctrl_c_reaches_one_that_stopped_itself_behind_a_shell() {
    let world = World::new();
    let pid = world.sandbox.dir().join("pid");
    // Whoever begins another program just then may not hear of a Ctrl-C: dash does not, for one.
    let text = format!("trap : INT\nsh -c 'echo $$ >{}; kill -STOP $$; read -r x'\necho and over\n", pid.display());
    let mut person = person(&world, &script(&world, "", &text));
    stopped(&line(&pid));
    person.types("\u{3}");
    person.sees(&["and over"]);
    leaves(person);
}

#[test]
fn closing_the_terminal_ends_it_whatever_it_does_about_it() {
    for (trap, said) in [("trap 'echo hung up; exit 5' HUP", "hung up"), ("trap '' HUP INT TERM", "ready")] {
        let world = World::new();
        let pid = world.sandbox.dir().join("pid");
        let text = format!("{trap}\necho $$ >{}\necho ready\nwhile :; do sleep 0.05; done\n", pid.display());
        let mut person = person(&world, &script(&world, "", &text));
        person.sees(&["ready"]);
        assert_eq!(person.closes(), 129);
        gone(&line(&pid));
        let kept = kept_text(&world);
        assert!(kept.contains(said), "{kept}");
        let mut person = Person::at(&world, &["resume"]);
        person.sees(&["s/a began, and nobody knows how it ended", LISTENS]);
        person.types("\u{3}");
        assert_eq!(person.code().0, 130);
    }
}

#[test]
fn a_program_that_is_killed_takes_its_command_with_it() {
    let world = World::new();
    let pid = world.sandbox.dir().join("pid");
    let mut person = person(&world, &format!("run: 'echo $$ >{}; echo ready$((1+1)); sleep 600'", pid.display()));
    person.sees(&["ready2"]);
    person.kill();
    gone(&line(&pid));
    assert_eq!(kept_text(&world), "ready2\n");
}

#[test]
fn sigterm_ends_it_and_leaves_the_terminal_as_it_was() {
    let world = World::new();
    let mut person = person(&world, "run: 'stty raw -echo; printf ready$((1+1)); cat'");
    person.sees(&["ready2"]);
    assert_ne!(person.mode(), person.found());
    person.signal(Signal::TERM);
    person.sees(&["hotfix resume"]);
    assert_eq!(person.ended().0, 143);
    assert_eq!(person.mode(), person.found());
}

#[test]
fn one_that_takes_too_long_leaves_what_it_said_and_nobody_behind() {
    let world = World::new();
    let pid = world.sandbox.dir().join("pid");
    let step = format!(
        "timeout: 2s, kill_grace: 100ms, run: 'trap : INT TERM HUP; (trap : INT TERM HUP; sh -c \"echo \\$PPID\" >{}; while :; do sleep 0.1; done) & echo its last words; while :; do sleep 0.1; done'",
        pid.display()
    );
    let mut person = person(&world, &step);
    person.sees(&["s/a failed", LISTENS]);
    let (reason, message) = failure(&world).unwrap();
    assert_eq!(reason, "timeout");
    assert!(message.contains("its last words"), "{message}");
    gone(&line(&pid));
    person.types("\u{3}");
    assert_eq!(person.code().0, 130);
}

#[test]
fn one_that_cannot_be_started_is_said_and_the_end_of_what_one_said_is_in_its_failure() {
    for (step, reason, what) in [
        ("run: [no-such-program, --help]", "not_started", "no-such-program: No such file"),
        ("dir: no-such-dir, run: 'true'", "not_started", "no-such-dir"),
        ("run: 'echo the reason; exit 4'", "exit", "exit code 4\n    the reason"),
        ("run: 'kill -USR1 $$'", "signal", "signal"),
    ] {
        let world = World::new();
        let mut person = person(&world, step);
        person.sees(&["s/a failed", LISTENS]);
        let (said, message) = failure(&world).unwrap();
        assert!(said == reason && message.contains(what), "{step}: {said}: {message}");
        person.types("\u{3}");
        assert_eq!(person.code().0, 130);
    }
}
