//! What the scripts say of themselves: a line when one begins and a line when it ends, each one write to the end of a file.

/// One call of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The step, with `undo:` before it where it was its undo.
    pub(crate) key: String,
    pub(crate) attempt: u32,
    pub(crate) pid: i32,
    /// The exit code it was about to end with.
    pub(crate) end: Option<i32>,
}

/// The script. Its arguments: a word that finds its process, `do` or `undo`, how long it takes in seconds, and the exit codes of
/// its first, second, … whole call; the last one stands for all behind it.
pub(crate) const SCRIPT: &str = r#"#!/bin/sh
word=$1 way=$2 long=$3
shift 3
key=$HOTFIX_STAGE/$HOTFIX_STEP
[ "$way" = do ] || key=undo:$key
record=$T/calls
echo "begin $key $HOTFIX_ATTEMPT $$" >>"$record"
echo "$key begins, $HOTFIX_COLOUR"
[ "$long" = 0 ] || sleep "$long" >/dev/null 2>&1
[ "$HOTFIX_STEP" != edit ] || echo two >app.txt
before=$(grep -c "^end $key " "$record")
while [ "$before" -gt 0 ] && [ $# -gt 1 ]; do
    before=$((before - 1))
    shift
done
echo "$key ends with $1"
echo "end $key $HOTFIX_ATTEMPT $$ $1" >>"$record"
exit "$1"
"#;

/// The calls that the record `text` tells of, in the order they began.
pub(crate) fn calls(text: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let (key, attempt, pid) = (words[1].to_owned(), words[2].parse().unwrap(), words[3].parse().unwrap());
        if words[0] == "begin" {
            calls.push(Call { key, attempt, pid, end: None });
        } else {
            let begun = |call: &&mut Call| call.key == key && call.attempt == attempt && call.pid == pid;
            let call = calls.iter_mut().rev().find(begun).unwrap_or_else(|| panic!("ended and never began: {line}"));
            assert_eq!(call.end.replace(words[4].parse().unwrap()), None, "ended twice: {line}");
        }
    }
    calls
}
