//! Who a process is: its id alone is not enough, because ids are used again.

use std::fs;
use std::process::Command;

use sha2::{Digest as _, Sha256};

/// When the process `pid` began, as a number that tells it from another one with the same id; `None` where there is no such
/// process, or it has ended and was not waited for.
///
/// On Linux these are the clock ticks after boot of `/proc/PID/stat`, field 22 (see `proc_pid_stat(5)`). Elsewhere it is a hash
/// of what `ps` says, and 0 where there is no `ps`.
#[must_use]
pub fn started(pid: u32) -> Option<u64> {
    if cfg!(target_os = "linux") {
        of_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    } else {
        ask_ps(pid)
    }
}

/// The name of the program stands in parentheses as the second field and may hold anything, parentheses too.
fn of_stat(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_ascii_whitespace();
    let state = fields.next()?;
    let ended = matches!(state, "Z" | "X" | "x");
    fields.nth(18)?.parse().ok().filter(|_| !ended)
}

fn ask_ps(pid: u32) -> Option<u64> {
    let mut ps = Command::new("ps");
    ps.args(["-o", "lstart=", "-p", &pid.to_string()]).env("LC_ALL", "C").env("TZ", "UTC");
    let Ok(said) = ps.output() else { return Some(0) };
    let at = said.stdout.trim_ascii();
    let hash = Sha256::digest(at);
    let number = hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
    (said.status.success() && !at.is_empty()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::{ask_ps, of_stat, started};

    #[test]
    fn the_start_is_field_22_whatever_the_program_is_called() {
        let stat = "7 (a) b) (c) S 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2 3";
        assert_eq!(of_stat(stat), Some(98765));
        assert_eq!(of_stat(&stat.replace(" S ", " Z ")), None);
        assert_eq!(of_stat("7 (a"), None);
    }

    #[test]
    fn this_process_has_one_start_and_nobody_has_none() {
        let own = std::process::id();
        assert!(started(own).is_some_and(|at| at > 0));
        assert_eq!(started(own), started(own));
        assert_eq!(ask_ps(own), ask_ps(own));
        assert_eq!(started(u32::MAX), None);
    }
}
