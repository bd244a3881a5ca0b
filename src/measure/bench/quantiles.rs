//! Order statistics of times.

use serde::Serialize;

/// See the module's page.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    pub least: f64,
    pub p10: f64,
    pub median: f64,
    pub p90: f64,
    pub most: f64,
}

impl Quantiles {
    /// Of at least one value. The median of an even number is the mean of the middle two; the other
    /// quantiles are the values next below.
    pub fn of(mut values: Vec<f64>) -> Quantiles {
        values.sort_by(f64::total_cmp);
        let n = values.len();
        let at = |share: f64| values[((n - 1) as f64 * share) as usize];
        Quantiles {
            least: values[0],
            p10: at(0.1),
            median: (values[(n - 1) / 2] + values[n / 2]) / 2.0,
            p90: at(0.9),
            most: at(1.0),
        }
    }

    /// (p90 - p10) / median.
    pub fn spread(&self) -> f64 {
        (self.p90 - self.p10) / self.median
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_one_two_and_many() {
        let q = Quantiles::of(vec![3.0]);
        assert_eq!((q.least, q.p10, q.median, q.p90, q.most), (3.0, 3.0, 3.0, 3.0, 3.0));
        assert_eq!(Quantiles::of(vec![4.0, 1.0]).median, 2.5);
        let q = Quantiles::of((0..=10).rev().map(f64::from).collect());
        assert_eq!((q.least, q.p10, q.median, q.p90, q.most), (0.0, 1.0, 5.0, 9.0, 10.0));
        assert_eq!(q.spread(), 8.0 / 5.0);
    }
}
