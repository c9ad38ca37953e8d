//! Sizes as people write them.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The units, in bytes.
const UNITS: &[(&str, u64)] = &[
    ("B", 1),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// How much of an output is kept, in bytes: `64MiB`, `1GiB`, `500kB`, or a number alone; [`Limit::LEAST`] or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Limit(u64);

impl Limit {
    /// The least that may be kept, in bytes.
    pub const LEAST: u64 = 64 * 1024;

    /// So many bytes.
    ///
    /// # Errors
    /// Where that is too few.
    pub fn of(bytes: u64) -> Result<Self, String> {
        if bytes < Self::LEAST {
            return Err(format!("{bytes} bytes are too few: keep 64KiB or more"));
        }
        Ok(Self(bytes))
    }

    /// Reads a size.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let digits = text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let unit = UNITS.iter().find(|(name, _)| *name == unit.trim_start()).map(|(_, bytes)| *bytes);
        let unit = if digits == text.len() { Some(1) } else { unit };
        let (Ok(number), Some(unit)) = (number.parse::<u64>(), unit) else {
            return Err(format!("`{text}` is not a size such as 64MiB, 1GiB or 500kB"));
        };
        Self::of(number.checked_mul(unit).ok_or_else(|| format!("`{text}` is more than can be counted"))?)
    }

    /// The size in bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.0
    }
}

/// 1 GiB.
impl Default for Limit {
    fn default() -> Self {
        Self(1 << 30)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Size;
        impl Visitor<'_> for Size {
            type Value = Limit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size")
            }

            fn visit_u64<E: Error>(self, bytes: u64) -> Result<Limit, E> {
                Limit::of(bytes).map_err(E::custom)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Limit, E> {
                Limit::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Size)
    }
}

#[cfg(test)]
mod tests {
    use super::Limit;

    #[test]
    fn sizes_are_read_in_bytes_and_in_units_that_mean_one_thing() {
        let read = |text: &str| Limit::parse(text).map(Limit::bytes);
        let sizes = ["65536", "64KiB", "64MiB", "1GiB", "500kB", "2 TB", "99999B"].map(read);
        let bytes = [65536, 65536, 67_108_864, 1_073_741_824, 500_000, 2_000_000_000_000, 99_999];
        assert_eq!(sizes, bytes.map(Ok));
        for wrong in ["", "1G", "64M", "64mb", "1.5GiB", "-1", "MiB", "1GiB x", "65535", "0", "99999999999TiB"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let of_json = |text: &str| serde_json::from_str::<Limit>(text).map(Limit::bytes).ok();
        assert_eq!(["70000", "\"1GiB\"", "1", "true"].map(of_json), [Some(70_000), Some(1 << 30), None, None]);
    }
}
