//! Secrets out of bytes: every occurrence of a secret's value becomes `***`.
//!
//! # Why
//! Output arrives in pieces of any size and need not be text, so the work is done on bytes, and a [`Stream`] holds back
//! as many as could be the beginning of a secret. Secrets may overlap: what is covered is the union of all matches.
//! What comes out does not depend on how the input was cut.

use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, BuildError, MatchKind, packed};
use serde_json::Value;

/// What stands in the place of a secret.
pub const STARS: &str = "***";

/// The shortest secret that is masked, in bytes.
///
/// A shorter one would be found in half of all words, and the holes would spell it out.
pub const SHORTEST: usize = 4;

/// Replaces the values of secrets.
#[derive(Clone, Debug, Default)]
pub struct Masker {
    finder: Option<Arc<Finder>>,
}

#[derive(Debug)]
struct Finder {
    search: AhoCorasick,
    /// Leaps over what holds no secret, which a search for overlapping ones does not; not on every machine, nor for many secrets.
    leap: Option<packed::Searcher>,
    secrets: Vec<Vec<u8>>,
}

impl Finder {
    /// Where a secret may begin in `input` that goes on behind it; its length where none does.
    fn open_end(&self, input: &[u8]) -> usize {
        let reach = self.search.max_pattern_len().saturating_sub(1);
        let more = |secret: &Vec<u8>, rest: &[u8]| secret.len() > rest.len() && secret.starts_with(rest);
        let begins = |at: &usize| self.secrets.iter().any(|secret| more(secret, &input[*at..]));
        (input.len().saturating_sub(reach)..input.len()).find(begins).unwrap_or(input.len())
    }
}

impl Masker {
    /// A masker of `secrets`; those shorter than [`SHORTEST`] are left alone. Without any it changes nothing.
    ///
    /// # Errors
    /// Where the secrets are more than the search can hold (gigabytes).
    pub fn new<I: IntoIterator<Item = S>, S: AsRef<[u8]>>(secrets: I) -> Result<Self, BuildError> {
        let secrets: Vec<Vec<u8>> = secrets.into_iter().map(|secret| secret.as_ref().to_vec()).collect();
        let secrets: Vec<_> = secrets.into_iter().filter(|secret| secret.len() >= SHORTEST).collect();
        if secrets.is_empty() {
            return Ok(Self::default());
        }
        let search = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&secrets)?;
        let leap = packed::Searcher::new(&secrets);
        Ok(Self { finder: Some(Arc::new(Finder { search, leap, secrets })) })
    }

    /// `input` without the secrets.
    #[must_use]
    pub fn bytes(&self, input: &[u8]) -> Vec<u8> {
        let mut stream = self.stream();
        let mut output = stream.push(input);
        output.extend(stream.finish());
        output
    }

    /// `text` without the secrets.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    /// `text`, which goes on where it was cut off, without the secrets: what at its end may begin one is left out.
    #[must_use]
    pub fn beginning(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.stream().push(text.as_bytes())).into_owned()
    }

    /// Takes the secrets out of every text in `value`; the names of its fields stay.
    pub fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.value(field)),
            _ => {}
        }
    }

    /// A masker of input that comes in pieces.
    #[must_use]
    pub fn stream(&self) -> Stream {
        Stream { masker: self.clone(), held: Vec::new(), covered: 0 }
    }

    /// Where secrets stand in `input`: sorted, overlapping ones made one.
    fn ranges(&self, input: &[u8]) -> Vec<Range<usize>> {
        let Some(finder) = &self.finder else { return Vec::new() };
        let first = finder.leap.as_ref().map_or(Some(0), |leap| leap.find(input).map(|at| at.start()));
        let Some(first) = first else { return Vec::new() };
        let all = finder.search.find_overlapping_iter(&input[first..]);
        let mut found: Vec<Range<usize>> = all.map(|at| at.start() + first..at.end() + first).collect();
        found.sort_unstable_by_key(|range| (range.start, range.end));
        let mut union: Vec<Range<usize>> = Vec::with_capacity(found.len());
        for range in found {
            match union.last_mut() {
                Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                _ => union.push(range),
            }
        }
        union
    }
}

/// A masker that remembers what may be the beginning of a secret.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    masker: Masker,
    held: Vec<u8>,
    /// How many of the held bytes are of a secret whose stars are out already.
    covered: usize,
}

impl Stream {
    /// Takes `input`, and gives what is certain by now.
    pub fn push(&mut self, input: &[u8]) -> Vec<u8> {
        let mut output = Vec::with_capacity(input.len());
        self.feed(input, |bytes| output.extend_from_slice(bytes));
        output
    }

    /// The same, piece by piece to `give`: what holds no secret is not copied.
    pub fn feed(&mut self, input: &[u8], mut give: impl FnMut(&[u8])) {
        let Some(finder) = self.masker.finder.clone() else { return give(input) };
        if self.held.is_empty() {
            let cut = finder.open_end(input);
            self.release(input, cut, give);
            self.held.extend_from_slice(&input[cut..]);
        } else {
            let mut held = std::mem::take(&mut self.held);
            held.extend_from_slice(input);
            let cut = finder.open_end(&held);
            self.release(&held, cut, give);
            held.drain(..cut);
            self.held = held;
        }
    }

    /// Gives what was held back. The stream is then as new.
    pub fn finish(&mut self) -> Vec<u8> {
        let (held, mut output) = (std::mem::take(&mut self.held), Vec::new());
        self.release(&held, held.len(), |bytes| output.extend_from_slice(bytes));
        output
    }

    /// Gives what was held back, and goes on holding it: where it was the beginning of a secret, no more of that comes out.
    pub fn show(&mut self) -> Vec<u8> {
        let held = self.held.clone();
        let shown = self.finish();
        (self.covered, self.held) = (held.len(), held);
        shown
    }

    /// Gives what stands in `bytes` before `cut`; no secret that begins there is cut off by their end.
    fn release(&mut self, bytes: &[u8], cut: usize, mut give: impl FnMut(&[u8])) {
        let mut at = 0;
        let mut open = self.covered;
        for range in self.masker.ranges(bytes) {
            if range.start < open {
                open = open.max(range.end);
            } else if range.start < cut {
                give(&bytes[at.max(open)..range.start]);
                give(STARS.as_bytes());
                open = range.end;
            } else {
                break;
            }
            at = open;
        }
        let plain = at.max(open);
        if plain < cut {
            give(&bytes[plain..cut]);
        }
        self.covered = open.saturating_sub(cut);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::Masker;
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    fn masked(secrets: &[&str], input: &str) -> String {
        Masker::new(secrets).unwrap().text(input)
    }

    #[test]
    fn the_beginning_of_a_text_does_not_end_with_the_beginning_of_a_secret() {
        let masker = Masker::new(["hunter2"]).unwrap();
        assert_eq!(masker.beginning("hunter2 and hunt"), "*** and ");
        assert_eq!(masker.beginning("no secret"), "no secret");
    }

    #[test]
    fn secrets_become_stars_overlapping_ones_together() {
        assert_eq!(masked(&["hunter2"], "a hunter2 b hunter2"), "a *** b ***");
        assert_eq!(masked(&["abcd", "cdef"], "xabcdefy"), "x***y");
        assert_eq!(masked(&["abcdef", "bcde"], "xabcdefy"), "x***y");
        assert_eq!(masked(&["abcd"], "abcdabcd"), "******");
    }

    #[test]
    fn without_secrets_and_with_very_short_ones_nothing_changes() {
        assert_eq!(masked(&[], "as it is"), "as it is");
        assert_eq!(masked(&["", "a", "is "], "as it is"), "as it is");
        assert_eq!(Masker::default().bytes(b"\xff\0"), b"\xff\0");
    }

    #[test]
    fn only_what_may_begin_a_secret_is_held_back() {
        let mut stream = Masker::new(["hunter2", "longer-than-that"]).unwrap().stream();
        assert_eq!(stream.push(b"a prompt: "), b"a prompt: ");
        assert_eq!(stream.push(b"is it hunt"), b"is it ");
        assert_eq!(stream.push(b"ing?"), b"hunting?");
        assert_eq!(stream.push(b"hunter2"), b"***");
    }

    #[test]
    fn what_is_shown_before_it_is_certain_is_not_shown_again_and_what_follows_of_a_secret_is_not() {
        let mut stream = Masker::new(["hunter2", "abcd", "abcdefgh"]).unwrap().stream();
        assert_eq!(stream.push(b"a hun"), b"a ");
        assert_eq!((stream.show(), stream.show()), (b"hun".to_vec(), Vec::new()));
        assert_eq!(stream.push(b"ting hun"), b"ting ");
        assert_eq!(stream.show(), b"hun");
        assert_eq!((stream.push(b"te"), stream.push(b"r2!")), (Vec::new(), b"!".to_vec()));
        assert_eq!((stream.push(b"abcd"), stream.show()), (Vec::new(), b"***".to_vec()));
        assert_eq!(stream.push(b"efgh, abcd."), b", ***.");
        assert_eq!((stream.push(b"hun"), stream.show(), stream.finish()), (Vec::new(), b"hun".to_vec(), Vec::new()));
        assert_eq!(stream.push(b"ter2"), b"ter2");
    }

    #[test]
    fn bytes_that_are_not_text_pass() {
        let masker = Masker::new(["s\u{e9}cret"]).unwrap();
        assert_eq!(masker.bytes(b"\xff\xfes\xc3\xa9cret\x80"), b"\xff\xfe***\x80");
    }

    proptest! {
        #[test]
        fn what_comes_out_does_not_depend_on_the_cuts(
            letters in prop::collection::vec(0u8..3, 0..60),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let masker = Masker::new(["aaaa", "abab", "babab", "acab"]).unwrap();
            let input: Vec<u8> = letters.iter().map(|letter| b'a' + letter).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
            cuts.push(input.len());
            cuts.sort_unstable();
            let mut expected = Vec::new();
            let mut from = 0;
            for range in masker.ranges(&input) {
                expected.extend_from_slice(&input[from..range.start]);
                expected.extend_from_slice(b"***");
                from = range.end;
            }
            expected.extend_from_slice(&input[from..]);
            let (mut stream, mut output, mut from) = (masker.stream(), Vec::new(), 0);
            for cut in cuts {
                output.extend(stream.push(&input[from..cut]));
                from = cut;
            }
            output.extend(stream.finish());
            prop_assert_eq!(output, expected);
        }
    }
}
