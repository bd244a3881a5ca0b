//! How sure a gain is: the bootstrap of the difference between two ways to score the same songs, as a mean
//! over several pairs (an experiment's seeds). Songs, whole groups of them, or tags are resampled; one that
//! is in several pairs is drawn the same number of times in each, for it is the same one.

use std::collections::HashMap;

use serde::Serialize;

use super::bootstrap::{Interval, interval, resample};
use super::metrics::{Figures, Measured};
use crate::error::{Error, Result};

/// Two tables of the same songs and tags: `b` is compared with `a`.
pub struct Pair<'a> {
    pub a: &'a Measured,
    pub b: &'a Measured,
    /// The songs' numbers, one a row: equal ones are the same song in every pair.
    pub songs: &'a [u32],
    /// The songs' groups, one a row; a song without one stands for itself.
    pub groups: &'a [Option<u32>],
    /// The tags that retrieval MAP and ROC-AUC are means over.
    pub tags: &'a [usize],
}

/// What is resampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    Songs,
    /// Artists, albums or other groups: songs of one are alike, so they are fewer than they look.
    Groups,
    Tags,
}

/// A gain of `b` over `a`, and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Gain {
    /// Mean over pairs of `b - a`.
    pub difference: Interval,
    /// Mean over pairs of `b` over that of `a`, less 1.
    pub relative: Interval,
}

/// How often, how sure, from which seed.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub replicates: usize,
    pub seed: u64,
}

/// A figure of both tables of all pairs, in order.
type Values = Vec<[Option<f64>; 2]>;

/// The gains by figure; `None` where a pair lacks the figure. Tags resample retrieval MAP and ROC-AUC only. Fails also where
/// Ctrl-C was pressed.
pub fn gains(pairs: &[Pair], unit: Unit, options: &Options) -> Result<Figures<Option<Gain>>> {
    for pair in pairs {
        if pair.a.truth() != pair.b.truth() || pair.a.songs() != pair.songs.len() || pair.songs.len() != pair.groups.len() {
            return Err(Error::input("scores", "the two tables of a pair are not of the same songs and tags"));
        }
    }
    let places = Places::new(pairs, unit);
    let own: Vec<Vec<u32>> = pairs.iter().map(|pair| vec![1; pair.songs.len()]).collect();
    let value = figures(pairs, &own, unit, None);
    let of = |drawn: Vec<u32>| {
        let of_songs: Vec<Vec<u32>> = if unit == Unit::Tags {
            own.clone()
        } else {
            places.of.iter().map(|of| of.iter().map(|&place| drawn[place]).collect()).collect()
        };
        figures(pairs, &of_songs, unit, (unit == Unit::Tags).then_some(&drawn))
    };
    let replicates = resample(places.count, options.replicates, options.seed, 1 + unit as u64, of)?;
    let gain = |value: &Values, of: fn(&Figures<Values>) -> &Values| {
        let both = |r: fn(&Values) -> Option<f64>| {
            let drawn: Vec<f64> = replicates.iter().filter_map(|f| r(of(f))).collect();
            interval(r(value), &drawn)
        };
        Some(Gain { difference: both(difference)?, relative: both(relative)? })
    };
    Ok(Figures {
        annotation_map: (unit != Unit::Tags).then(|| gain(&value.annotation_map, |f| &f.annotation_map)).flatten(),
        retrieval_map: gain(&value.retrieval_map, |f| &f.retrieval_map),
        roc_auc: gain(&value.roc_auc, |f| &f.roc_auc),
    })
}

/// Where each pair's songs stand among all that are resampled.
struct Places {
    of: Vec<Vec<usize>>,
    count: usize,
}

impl Places {
    fn new(pairs: &[Pair], unit: Unit) -> Places {
        if unit == Unit::Tags {
            return Places { of: Vec::new(), count: pairs.first().map_or(0, |pair| pair.a.tags()) };
        }
        let mut numbers: HashMap<(bool, u32), usize> = HashMap::new();
        let mut place = |song: u32, group: Option<u32>| {
            let key = group.filter(|_| unit == Unit::Groups).map_or((false, song), |group| (true, group));
            let next = numbers.len();
            *numbers.entry(key).or_insert(next)
        };
        let of = |pair: &Pair| pair.songs.iter().zip(pair.groups).map(|(&song, &group)| place(song, group)).collect();
        let of = pairs.iter().map(of).collect();
        Places { of, count: numbers.len() }
    }
}

/// Figures of all pairs, songs there as often as `songs` says and tags as often as `tags` says.
fn figures(pairs: &[Pair], songs: &[Vec<u32>], unit: Unit, tags: Option<&Vec<u32>>) -> Figures<Values> {
    let mut all = Figures { annotation_map: Vec::new(), retrieval_map: Vec::new(), roc_auc: Vec::new() };
    for (pair, counts) in pairs.iter().zip(songs) {
        let one = |table: &Measured| match (unit, tags) {
            (Unit::Tags, Some(tags)) => {
                let mean = |value: fn(&super::metrics::OfTag) -> Option<f64>| {
                    let each = pair.tags.iter().filter_map(|&t| Some((value(&table.by_tag()[t])?, f64::from(tags[t]))));
                    let (sum, n) = each.fold((0.0, 0.0), |(sum, n), (value, count)| (sum + value * count, n + count));
                    (n > 0.0).then(|| sum / n)
                };
                Figures { annotation_map: None, retrieval_map: mean(|t| t.average_precision), roc_auc: mean(|t| t.roc_auc) }
            }
            _ => table.resampled(pair.tags, counts),
        };
        let (a, b) = (one(pair.a), one(pair.b));
        all.annotation_map.push([a.annotation_map, b.annotation_map]);
        all.retrieval_map.push([a.retrieval_map, b.retrieval_map]);
        all.roc_auc.push([a.roc_auc, b.roc_auc]);
    }
    all
}

/// Means of both sides; `None` where a pair lacks one.
fn means(values: &Values) -> Option<[f64; 2]> {
    let mut sums = [0.0; 2];
    for &[a, b] in values {
        sums = [sums[0] + a?, sums[1] + b?];
    }
    (!values.is_empty()).then(|| sums.map(|sum| sum / values.len() as f64))
}

fn difference(values: &Values) -> Option<f64> {
    means(values).map(|[a, b]| b - a)
}

fn relative(values: &Values) -> Option<f64> {
    means(values).filter(|[a, _]| *a > 0.0).map(|[a, b]| b / a - 1.0)
}
