//! How sure a mean over seeds is. Splits drawn anew for each seed share most of their training songs, so
//! their results are not independent: the variance is corrected for that (Nadeau and Bengio, Inference for
//! the Generalization Error, Machine Learning 52, 2003: their corrected resampled t).

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OverSeeds {
    pub seeds: usize,
    pub mean: f64,
    /// Standard error of the mean, corrected for the overlap.
    pub error: f64,
    /// Of the interval at the level asked for, by Student's t with `seeds - 1` degrees of freedom.
    pub low: f64,
    pub high: f64,
    /// Two-sided, against a mean of 0; `None` where all values are equal.
    pub p: Option<f64>,
}

/// Mean, interval and p of values that each come from a split of its own, tested on `ratio` times as many
/// songs as it was trained on. With `ratio` 0 it is the plain t. `None` for fewer than two values.
pub fn corrected(values: &[f64], ratio: f64, level: f64) -> Option<OverSeeds> {
    let n = values.len() as f64;
    if values.len() < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let error = ((1.0 / n + ratio) * variance).sqrt();
    let student = StudentsT::new(0.0, 1.0, n - 1.0).ok()?;
    let far = student.inverse_cdf((1.0 + level) / 2.0);
    let p = (error > 0.0).then(|| 2.0 * student.sf((mean / error).abs()));
    Some(OverSeeds { seeds: values.len(), mean, error, low: mean - far * error, high: mean + far * error, p })
}
