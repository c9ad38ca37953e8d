//! The one digest of this program: SHA-256 in hexadecimal, as `sha256sum` prints it.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// The digest of what comes in pieces.
#[derive(Clone, Debug, Default)]
pub struct Digest(Sha256);

impl Digest {
    /// Takes in the next piece.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all pieces so far: 64 hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        hex(&self.0.clone().finalize())
    }
}

/// SHA-256 of `bytes`: 64 hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::{Digest, sha256};

    #[test]
    fn it_is_that_of_sha256sum() {
        let mut pieces = Digest::default();
        [&b"a"[..], b"", b"bc"].iter().for_each(|piece| pieces.push(piece));
        assert_eq!(pieces.hex(), sha256(b"abc"));
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
