//! Why a step failed, as `status` has it: its first lines, and where the rest is.

/// How many lines are shown.
const LINES: usize = 4;
/// How much of a line is shown, in letters.
const LETTERS: usize = 240;

/// The first lines of `message`, and last the command line `all` where that is not all of it.
pub(super) fn first_lines(message: &str, all: &str) -> Vec<String> {
    let lines = || message.lines().map(str::trim_end).filter(|line| !line.trim().is_empty());
    let mut cut = lines().count() > LINES;
    let shown = lines().take(LINES).map(|line| match line.char_indices().nth(LETTERS) {
        None => line.trim().to_owned(),
        Some((end, _)) => {
            cut = true;
            format!("{}…", line[..end].trim())
        }
    });
    let mut shown: Vec<_> = shown.collect();
    if cut {
        shown.push(format!("… all of it: {all}"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{LETTERS, first_lines};

    #[test]
    fn a_long_message_is_its_first_lines_and_where_the_rest_is() {
        assert_eq!(first_lines("exit code 3", "x"), ["exit code 3"]);
        assert_eq!(first_lines("it ended with 3\n    one\n\n    two\n", "x"), ["it ended with 3", "one", "two"]);
        let many: Vec<_> = (1..9).map(|n| format!("line {n}")).collect();
        let shown = first_lines(&many.join("\n"), "hotfix log");
        assert_eq!(shown, ["line 1", "line 2", "line 3", "line 4", "… all of it: hotfix log"]);
        let wide = first_lines(&"值".repeat(LETTERS + 1), "hotfix log");
        assert_eq!((wide[0].chars().count(), wide.len()), (LETTERS + 1, 2));
        assert_eq!(first_lines("", "x"), Vec::<String>::new());
    }
}
