//! The program: parse, run, return the exit code.

fn main() {}
