//! How sure a figure is: its bootstrap standard error (Efron 1979), resampling songs, and the standard normal interval
//! of 95 % by it, value ± 1.96 · error (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). For two score tables
//! of the same songs, the difference in the same resamples.
//!
//! Percentiles of the resamples are not taken: a positive song that is drawn twice ties with itself, which lifts
//! average precision, so that resamples of a MAP lie above it, by more than their standard deviation where a tag has few
//! songs. Songs that were measured are all different, so that is the resamples' own bias, and not the figure's: an
//! interval that takes it for the figure's (bias-corrected or basic) leans as far the other way. With a tenth of the songs
//! positive the normal interval of 95 % covered 0.89 of 200 simulated tables of 90 songs (percentiles 0.92, basic 0.75) and
//! 0.97 of those of 300 (0.96, 0.88).

use rand::RngExt;
use rayon::prelude::*;
use serde::Serialize;

use super::metrics::{Figures, Measured};
use crate::error::{Error, Result};
use crate::random::{Purpose, generator};
use crate::run::interrupt;

/// Standard deviations to each side that hold 95 % of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// What to resample, and how often.
#[derive(Clone, Debug)]
pub struct Options {
    pub replicates: usize,
    pub seed: u64,
    /// The tags that retrieval MAP and ROC-AUC are means over.
    pub tags: Vec<usize>,
}

impl Options {
    /// 1000 resamples, 95 %, over all tags with at least `min_positives` songs.
    pub fn new(measured: &Measured, min_positives: usize, seed: u64) -> Options {
        Options { replicates: 1000, seed, tags: measured.frequent(min_positives) }
    }
}

/// A figure and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// On the songs as they are.
    pub value: f64,
    /// As far below `value` as `high` is above it, so that near a figure's bounds an end may lie beyond them.
    pub low: f64,
    pub high: f64,
    /// Standard deviation over resamples: the standard error of `value`.
    pub error: f64,
    /// Resamples in which the figure was defined.
    pub replicates: usize,
}

/// Intervals of a table's figures; `None` where the figure is not defined. Fails where Ctrl-C was pressed.
pub fn intervals(measured: &Measured, options: &Options) -> Result<Figures<Option<Interval>>> {
    summarise(measured.figures(&options.tags), options, measured.songs(), |counts| measured.resampled(&options.tags, counts))
}

/// Intervals of the difference `b - a` of two tables with the same truth. Fails also where Ctrl-C was pressed.
pub fn differences(a: &Measured, b: &Measured, options: &Options) -> Result<Figures<Option<Interval>>> {
    if a.truth() != b.truth() || a.tags() != b.tags() {
        return Err(Error::input("scores", "the two tables to be compared have different truths")
            .help("Score the same songs with the same vocabulary."));
    }
    let difference = |a: Figures<Option<f64>>, b: Figures<Option<f64>>| Figures {
        annotation_map: a.annotation_map.zip(b.annotation_map).map(|(a, b)| b - a),
        retrieval_map: a.retrieval_map.zip(b.retrieval_map).map(|(a, b)| b - a),
        roc_auc: a.roc_auc.zip(b.roc_auc).map(|(a, b)| b - a),
    };
    let value = difference(a.figures(&options.tags), b.figures(&options.tags));
    summarise(value, options, a.songs(), |counts| {
        difference(a.resampled(&options.tags, counts), b.resampled(&options.tags, counts))
    })
}

/// What is computed of `replicates` resamples of `count` things, from how often each was drawn. `which` tells resamples of
/// one seed apart. Fails where Ctrl-C was pressed.
pub(super) fn resample<T: Send>(
    count: usize,
    replicates: usize,
    seed: u64,
    which: u64,
    of: impl Fn(Vec<u32>) -> T + Sync,
) -> Result<Vec<T>> {
    let replicate = |r: usize| {
        interrupt::check()?;
        let mut random = generator(seed, Purpose::Bootstrap, [r as u64, which, 0]);
        let mut drawn = vec![0u32; count];
        (0..count).for_each(|_| drawn[random.random_range(0..count)] += 1);
        Ok(of(drawn))
    };
    (0..replicates).into_par_iter().map(replicate).collect()
}

fn summarise(
    value: Figures<Option<f64>>,
    options: &Options,
    songs: usize,
    figures: impl Fn(&[u32]) -> Figures<Option<f64>> + Sync,
) -> Result<Figures<Option<Interval>>> {
    let replicates = resample(songs, options.replicates, options.seed, 0, |drawn| figures(&drawn))?;
    let of = |value, figure: fn(&Figures<Option<f64>>) -> Option<f64>| {
        interval(value, &replicates.iter().filter_map(figure).collect::<Vec<f64>>())
    };
    Ok(Figures {
        annotation_map: of(value.annotation_map, |f| f.annotation_map),
        retrieval_map: of(value.retrieval_map, |f| f.retrieval_map),
        roc_auc: of(value.roc_auc, |f| f.roc_auc),
    })
}

/// A value with what its resamples give; `None` where it, or all but one of them, is not defined.
pub(super) fn interval(value: Option<f64>, drawn: &[f64]) -> Option<Interval> {
    value.filter(|_| drawn.len() > 1).map(|value| {
        let error = deviation(drawn);
        let far = Z * error;
        Interval { value, low: value - far, high: value + far, error, replicates: drawn.len() }
    })
}

/// Standard deviation with n - 1.
fn deviation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64).sqrt()
}
