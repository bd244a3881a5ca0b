//! Linear models on statistics of songs' sound, with the labels and weights that a network would be trained on: the floor
//! of every arm, in seconds where the network takes minutes.

use std::collections::HashMap;

use super::audio::statistics::{Statistics, WIDTH};
use super::linear;
use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::playlists::{Labels, Mode, Options};
use crate::random::{Purpose, generator};

/// A tag's model each.
pub struct Floor {
    pub models: Vec<linear::Model>,
    /// Songs that it was fitted to.
    pub songs: usize,
}

/// The songs with audio of train, validation and test, which a floor needs statistics of.
pub fn heard(dataset: &Dataset) -> Vec<usize> {
    (0..dataset.songs()).filter(|&s| dataset.samples(s) > 0 && dataset.split(s) != Split::None).collect()
}

/// Scales statistics by the training songs among them.
pub fn standardise(dataset: &Dataset, statistics: &mut Statistics) {
    let trains = |&row: &usize| dataset.split(statistics.songs[row]) == Split::Train;
    let rows: Vec<usize> = (0..statistics.songs.len()).filter(trains).collect();
    statistics.standardise(&rows);
}

/// Labels `[songs, tags]` and weights `[songs]` that both terms of a song make together, since the loss is linear in the
/// label: the weighted mean of the own and the expected propagated label. `mode` is `none` or `expected`.
pub fn targets(labels: &Labels, songs: &[usize], lambda: f64) -> (Vec<f32>, Vec<f64>) {
    let tags = labels.dataset().vocabulary().len();
    let (mut all, mut weights) = (Vec::with_capacity(songs.len() * tags), Vec::with_capacity(songs.len()));
    let (mut own, mut lent) = (vec![0f32; tags], vec![0f32; tags]);
    let mut workspace = vec![0f64; labels.workspace()];
    // Neither mode draws anything.
    let mut random = generator(0, Purpose::Walk, [0; 3]);
    for &song in songs {
        let row = labels.row(song, &mut random, &mut own, &mut lent, &mut [], &mut workspace);
        let (a, b) = (f64::from(row.own), lambda * f64::from(row.propagated));
        let mean =
            |(x, y): (&f32, &f32)| if a + b > 0.0 { ((a * f64::from(*x) + b * f64::from(*y)) / (a + b)) as f32 } else { 0.0 };
        all.extend(own.iter().zip(&lent).map(mean));
        weights.push(a + b);
    }
    (all, weights)
}

impl Floor {
    /// Fits the songs that these options train on, all of which must have a row of standardised statistics. A walk is
    /// taken by its expectation. `seed` decides whose tags are removed.
    pub fn fit(
        dataset: &Dataset,
        statistics: &Statistics,
        options: &Options,
        seed: u64,
        lambda: f64,
        how: &linear::Options,
    ) -> Result<Floor> {
        let mode = if options.mode == Mode::None { Mode::None } else { Mode::Expected };
        Floor::of(&Labels::new(dataset, &Options { mode, ..options.clone() }, seed)?, statistics, lambda, how)
    }

    /// The same from labels of any contexts; their mode is `none` or `expected`.
    pub fn of(labels: &Labels, statistics: &Statistics, lambda: f64, how: &linear::Options) -> Result<Floor> {
        let dataset = labels.dataset();
        if labels.options().weighs_tags() {
            return Err(Error::usage("--tag-weights", "and ranges by category are not for the linear model: it weighs songs"));
        }
        let (songs, inputs) = rows(statistics, |song| labels.trains(song));
        if songs.is_empty() {
            return Err(Error::input(dataset.folder(), "no song is trained on")
                .help("`tagwalk info` shows the splits; --remove may leave no song with tags."));
        }
        let (targets, weights) = targets(labels, &songs, lambda);
        let models = linear::fit_all(&inputs, WIDTH, &targets, &weights, dataset.vocabulary().len(), how);
        Ok(Floor { models, songs: songs.len() })
    }

    /// Probabilities `[song, tag]` of songs that have a row of the same statistics. Panics where one has none.
    pub fn score(&self, statistics: &Statistics, songs: &[usize]) -> Vec<f32> {
        let places: HashMap<usize, usize> = statistics.songs.iter().enumerate().map(|(row, &song)| (song, row)).collect();
        let each = |&song: &usize| {
            let row = statistics.row(places[&song]);
            self.models.iter().map(|model| model.probability(row) as f32).collect::<Vec<f32>>()
        };
        songs.iter().flat_map(each).collect()
    }
}

/// The songs of some rows, and those rows.
pub fn rows(statistics: &Statistics, choose: impl Fn(usize) -> bool) -> (Vec<usize>, Vec<f64>) {
    let chosen: Vec<usize> = (0..statistics.songs.len()).filter(|&row| choose(statistics.songs[row])).collect();
    (
        chosen.iter().map(|&row| statistics.songs[row]).collect(),
        chosen.iter().flat_map(|&row| statistics.row(row).iter().copied()).collect(),
    )
}
