//! How long answers took, as percentiles.

/// How many values are told apart one by one.
const EXACT: u64 = 128;
/// Into how many buckets each doubling above that is divided.
const STEPS: u64 = 64;

/// Counts of latencies, by which any percentile of all of them is known.
///
/// # Why
/// Readings go on for hours, and memory is not to grow with them. Buckets as in
/// [HdrHistogram](https://hdrhistogram.github.io/HdrHistogram/): up to 127 ms exact, above that at most 1.6 % too high, never
/// too low. A few hundred counters hold whatever a timeout lets through.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    buckets: Vec<u32>,
    count: u64,
    highest: u64,
}

impl Latency {
    /// Counts one more, in milliseconds.
    pub fn record(&mut self, ms: u64) {
        let at = bucket(ms);
        if self.buckets.len() <= at {
            self.buckets.resize(at + 1, 0);
        }
        self.buckets[at] = self.buckets[at].saturating_add(1);
        self.count += 1;
        self.highest = self.highest.max(ms);
    }

    /// The shortest time, in milliseconds, that at least `percent` of a hundred did not exceed; `None` where nothing was counted.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut below = 0;
        let at = self.buckets.iter().position(|n| {
            below += u64::from(*n);
            below >= rank
        })?;
        Some(longest(at as u64).min(self.highest))
    }
}

/// The bucket that `ms` falls in.
fn bucket(ms: u64) -> usize {
    // 24 doublings are half a day.
    let ms = ms.min(EXACT << 24);
    let at = if ms < EXACT {
        ms
    } else {
        let doublings = u64::from(ms.ilog2() - EXACT.ilog2());
        // The value without its last bits lies between 64 and 127.
        let step = (ms >> (doublings + 1)) - STEPS;
        EXACT + doublings * STEPS + step
    };
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// The highest value that falls in the bucket.
fn longest(at: u64) -> u64 {
    if at < EXACT {
        return at;
    }
    let (doublings, step) = ((at - EXACT) / STEPS, (at - EXACT) % STEPS);
    ((STEPS + step + 1) << (doublings + 1)) - 1
}

#[cfg(test)]
mod tests {
    use super::{Latency, bucket, longest};

    #[test]
    fn every_value_is_in_the_bucket_that_ends_close_above_it() {
        for ms in (0..100_000).chain((0..30).map(|n| 100_000 + n * 9973)) {
            let end = longest(bucket(ms) as u64);
            assert!(end >= ms && end <= ms + ms / 64, "{ms} is in the bucket up to {end}");
            assert_eq!(bucket(end), bucket(ms));
            assert_eq!(bucket(end + 1), bucket(ms) + 1, "none is left out above {end}");
        }
    }

    #[test]
    fn percentiles_are_those_of_all_that_was_counted() {
        let mut latency = Latency::default();
        assert_eq!(latency.percentile(50), None);
        (1..=100).for_each(|ms| latency.record(ms));
        assert_eq!([50, 95, 99, 100].map(|p| latency.percentile(p)), [Some(50), Some(95), Some(99), Some(100)]);
        latency.record(30_000);
        assert_eq!((latency.percentile(50), latency.percentile(100)), (Some(51), Some(30_000)));
    }
}
