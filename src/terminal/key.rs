//! Keys, out of the bytes that a terminal sends.

/// One key, or one paste.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Letter(char),
    /// A letter with Ctrl, in lower case.
    Ctrl(char),
    Enter,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    Esc,
    /// What was pasted, as one.
    Paste(String),
    /// Any other key.
    Other,
}

/// The bytes so far of a key that is not whole.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    bytes: Vec<u8>,
    pasted: Option<Vec<u8>>,
}

/// What a decoder waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    Nothing,
    /// The rest of a key; an Esc of its own has none.
    Rest,
    /// The end of a paste.
    PasteEnd,
}

const PASTE_END: &[u8] = b"\x1b[201~";

impl Decoder {
    /// Takes `byte`; the key that it completed.
    pub(super) fn push(&mut self, byte: u8) -> Option<Key> {
        if let Some(pasted) = &mut self.pasted {
            pasted.push(byte);
            return if pasted.ends_with(PASTE_END) { self.give_up() } else { None };
        }
        // An Esc twice is two keys; an Esc inside a sequence begins anew.
        if byte == 0x1b && !self.bytes.is_empty() {
            self.bytes = vec![byte];
            return Some(Key::Esc);
        }
        self.bytes.push(byte);
        match self.bytes[..] {
            [0x1b, b'[', .., last @ 0x40..=0x7e] | [0x1b, b'O', last] => {
                let sequence = std::mem::take(&mut self.bytes);
                if sequence == b"\x1b[200~" {
                    self.pasted = Some(Vec::new());
                    return None;
                }
                Some(named(&sequence, last))
            }
            [0x1b] | [0x1b, b'O'] | [0x1b, b'[', ..] => None,
            // Alt and a key.
            [0x1b, ..] => {
                self.bytes.clear();
                Some(Key::Other)
            }
            _ => self.letter(),
        }
    }

    pub(super) fn waiting(&self) -> Waiting {
        match (&self.pasted, self.bytes.is_empty()) {
            (Some(_), _) => Waiting::PasteEnd,
            (None, true) => Waiting::Nothing,
            (None, false) => Waiting::Rest,
        }
    }

    /// No more comes: what there is, is the key.
    pub(super) fn give_up(&mut self) -> Option<Key> {
        if let Some(mut pasted) = self.pasted.take() {
            if pasted.ends_with(PASTE_END) {
                pasted.truncate(pasted.len() - PASTE_END.len());
            }
            return Some(Key::Paste(String::from_utf8_lossy(&pasted).into_owned()));
        }
        let bytes = std::mem::take(&mut self.bytes);
        match bytes[..] {
            [] => None,
            [0x1b] => Some(Key::Esc),
            _ => Some(Key::Other),
        }
    }

    fn letter(&mut self) -> Option<Key> {
        let key = match std::str::from_utf8(&self.bytes) {
            Ok(text) => text.chars().next().map(plain),
            Err(error) if error.error_len().is_none() => return None,
            Err(_) => Some(Key::Other),
        };
        self.bytes.clear();
        key
    }
}

fn plain(letter: char) -> Key {
    match letter {
        '\r' | '\n' => Key::Enter,
        '\x7f' | '\x08' => Key::Backspace,
        '\t' => Key::Other,
        '\x01'..='\x1a' => Key::Ctrl(char::from(letter as u8 - 1 + b'a')),
        letter if letter.is_control() => Key::Other,
        letter => Key::Letter(letter),
    }
}

fn named(sequence: &[u8], last: u8) -> Key {
    match (last, sequence) {
        (b'A', _) => Key::Up,
        (b'B', _) => Key::Down,
        (b'C', _) => Key::Right,
        (b'D', _) => Key::Left,
        (b'H', _) | (_, b"\x1b[1~" | b"\x1b[7~") => Key::Home,
        (b'F', _) | (_, b"\x1b[4~" | b"\x1b[8~") => Key::End,
        (_, b"\x1b[3~") => Key::Delete,
        (b'M', b"\x1bOM") => Key::Enter,
        _ => Key::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::{Decoder, Key, Waiting};

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = Decoder::default();
        let mut keys: Vec<_> = bytes.iter().filter_map(|byte| decoder.push(*byte)).collect();
        keys.extend(decoder.give_up());
        keys
    }

    #[test]
    fn keys_are_read_whole() {
        let cases: [(&[u8], &[Key]); 8] = [
            ("a是".as_bytes(), &[Key::Letter('a'), Key::Letter('是')]),
            (b"\r\n", &[Key::Enter, Key::Enter]),
            (b"\x03\x04", &[Key::Ctrl('c'), Key::Ctrl('d')]),
            (b"\x1b[A\x1bOB\x1b[1;5C", &[Key::Up, Key::Down, Key::Right]),
            (b"\x1b", &[Key::Esc]),
            (b"\x1b\x1b", &[Key::Esc, Key::Esc]),
            (b"\x1b[200~y\ny\r\x1b[201~n", &[Key::Paste("y\ny\r".into()), Key::Letter('n')]),
            (b"\xffy", &[Key::Other, Key::Letter('y')]),
        ];
        for (bytes, expected) in cases {
            assert_eq!(keys(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn an_esc_waits_for_what_may_follow() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.push(0x1b), None);
        assert_eq!(decoder.waiting(), Waiting::Rest);
        assert_eq!(decoder.give_up(), Some(Key::Esc));
        assert_eq!(decoder.waiting(), Waiting::Nothing);
    }
}
