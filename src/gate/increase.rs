//! By how much a total has grown.

/// Turns readings of a total that only ever grows into what was added since the reading before.
///
/// # Why
/// A total tells nothing of now, and it begins anew when its process does. As
/// [Prometheus has it](https://prometheus.io/docs/prometheus/latest/querying/functions/#increase), a total that fell began at
/// zero: what it shows was all added since.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Increase {
    last: Option<f64>,
}

impl Increase {
    /// What was added up to the reading `total`; `None` at the first, which there is nothing before.
    pub fn of(&mut self, total: f64) -> Option<f64> {
        let last = self.last.replace(total)?;
        Some(if total < last { total } else { total - last })
    }
}
