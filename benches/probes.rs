//! A thousand probes at one second, on one core: whether any comes late, and whether memory stays flat.
//!
//! `cargo bench --bench probes`; `HOTFIX_BENCH_SECONDS=10` for a shorter run. The server is another process, on another core
//! where there is a `taskset` to put it there. What was measured when is read from the samples that the run keeps.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and may fail anywhere")]

#[expect(dead_code, reason = "what other benchmarks need of it")]
mod measure;

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hotfix::clock::{Timestamp, pause};
use measure::{EXE, World};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const PROBES: usize = 1000;
/// Every tenth reads this machine; the others ask the server.
const IN_PROCESS: usize = 10;
const INTERVAL: i64 = 1000;
/// Set in the process that is the server.
const SERVER: &str = "HOTFIX_BENCH_SERVER";
/// The longest run of whose samples none is thinned out, in seconds.
const LONGEST: u64 = 180;

fn main() {
    if env::var_os(SERVER).is_some() {
        return serve();
    }
    let seconds = env::var("HOTFIX_BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let seconds: u64 = u64::clamp(seconds, 5, LONGEST);
    let mut server = pinned(1, env::current_exe().unwrap().to_str().unwrap(), &[]);
    let mut server = server.env(SERVER, "1").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).unwrap();

    let world = World::new();
    let runbook = world.sandbox.dir().join("probes.yaml");
    fs::write(&runbook, text(url.trim(), seconds)).unwrap();
    let answers = world.sandbox.dir().join("answers.yaml");
    fs::write(&answers, "{}").unwrap();
    let [runbook, answers] = [&runbook, &answers].map(|path| path.to_str().unwrap());
    let args = ["start", "v1.2.3", "1234", "--runbook", runbook, "--answers", answers];
    let one_core = pinned(0, EXE, &args);
    let all: Vec<_> = one_core.get_args().map(|arg| arg.to_str().unwrap()).collect();
    let begun = Instant::now();
    let mut run = world.command(one_core.get_program(), &all).spawn().unwrap();
    let early = memory_after(&mut run, begun, Duration::from_secs(seconds / 4 + 2));
    let (late, busy) = {
        // Shortly before the end, while its figures can still be read.
        let late = memory_after(&mut run, begun, Duration::from_secs(seconds));
        (late, cpu(&run))
    };
    let took = begun.elapsed();
    let status = run.wait().unwrap();
    drop(server.stdin.take());
    server.wait().unwrap();
    assert!(status.success(), "the monitor did not pass: {status}");

    let runs = world.sandbox.repository().join(".git/hotfix/runs");
    let run = fs::read_dir(runs).unwrap().next().unwrap().unwrap().path();
    report(&fs::read_to_string(run.join("samples.jsonl")).unwrap(), seconds);
    let unknown = || "unknown here".to_owned();
    let [early, late] = [early, late].map(|kb| kb.map_or_else(unknown, |kb| format!("{:.1} MB", kb / 1024.0)));
    println!("{:<40}{early:>12}", "most memory after a quarter of the time");
    println!("{:<40}{late:>12}", "most memory at the end");
    let share = busy.map_or_else(unknown, |busy| format!("{:.0} %", 100.0 * busy / took.as_secs_f64()));
    println!("{:<40}{share:>12}", "of its core");
}

/// A command on one core, where `taskset` is there to put it there.
fn pinned(core: u32, program: &str, args: &[&str]) -> Command {
    if Command::new("taskset").arg("--version").output().is_err() {
        let mut command = Command::new(program);
        command.args(args);
        return command;
    }
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string(), program]).args(args);
    command
}

fn text(url: &str, seconds: u64) -> String {
    let mut text = format!(
        "name: bench\nversion: 1\nstages:\n  - id: all\n    steps:\n      - id: watch\n        monitor:\n          for: {seconds}s\n          probes:\n"
    );
    for n in 0..PROBES {
        let source = if n % IN_PROCESS == 0 {
            "system: {}, success_condition: 'memory_percent <= 100'".to_owned()
        } else {
            format!("http: '{url}/{n}', success_condition: 'status == 200 and json.ok and p99 < 1000'")
        };
        writeln!(text, "            - {{ name: p{n}, interval: 1s, {source} }}").unwrap();
    }
    text
}

/// What was read when: how many readings there are, how late the latest came, and how many did not come in their second.
fn report(samples: &str, seconds: u64) {
    let mut times = BTreeMap::<String, Vec<i64>>::new();
    let mut wrong = 0;
    for line in samples.lines() {
        let sample: Value = serde_json::from_str(line).unwrap();
        let at = Timestamp::parse(sample["at"].as_str().unwrap()).unwrap().millis();
        times.entry(sample["probe"].as_str().unwrap().to_owned()).or_default().push(at);
        wrong += usize::from(sample["outcome"] != "success");
    }
    let expected = usize::try_from(seconds).unwrap() - 1;
    let (mut missed, mut late) = (0, Vec::new());
    for times in times.values() {
        missed += expected.saturating_sub(times.len());
        // The beat of a probe is that of its promptest reading.
        let beat = times.iter().enumerate().map(|(n, at)| at - i64::try_from(n).unwrap() * INTERVAL).min().unwrap();
        for (n, at) in times.iter().enumerate() {
            let after = at - beat - i64::try_from(n).unwrap() * INTERVAL;
            missed += usize::from(after >= INTERVAL);
            late.push(after);
        }
    }
    late.sort_unstable();
    let readings = late.len();
    println!("{} probes at {INTERVAL} ms for {seconds} s, one core", times.len());
    println!("{:<40}{readings:>12}", "readings");
    println!("{:<40}{missed:>12}", "deadlines missed");
    println!("{:<40}{wrong:>12}", "readings that were no success");
    for (name, at) in
        [("median", readings / 2), ("99 of 100 within", readings * 99 / 100), ("the latest", readings - 1)]
    {
        println!("{:<40}{:>9} ms", format!("behind the beat, {name}"), late[at]);
    }
    assert_eq!((times.len(), missed, wrong), (PROBES, 0, 0), "every probe reads in its second");
}

/// The most memory that `run` had in use, in kilobytes, once it has run so long.
fn memory_after(run: &mut Child, begun: Instant, so_long: Duration) -> Option<f64> {
    let mut memory = None;
    while begun.elapsed() < so_long && run.try_wait().unwrap().is_none() {
        memory = status(run.id()).or(memory);
        pause(Duration::from_millis(50));
    }
    memory
}

fn status(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}

/// How long `run` has had a core, in seconds.
fn cpu(run: &Child) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", run.id())).ok()?;
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    // A tick is a hundredth of a second on every Linux there is.
    Some(ticks / 100.0)
}

/// Answers every request until its standard input ends.
fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let work = async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(4096).unwrap();
        println!("http://{}", listener.local_addr().unwrap());
        std::io::stdout().flush().unwrap();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::task::spawn_local(async move {
                let mut head = [0; 4096];
                if stream.read(&mut head).await.is_ok() {
                    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 12\r\nconnection: close\r\n\r\n{\"ok\": true}";
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            });
        }
    };
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // The other end closes it.
        let _ = std::io::stdin().read_line(&mut String::new());
        let _ = ended.send(());
    });
    let local = tokio::task::LocalSet::new();
    runtime.block_on(local.run_until(async {
        tokio::select! { () = work => {}, _ = end => {} }
    }));
}
