//! Walks and rows of labels as training makes them, on all threads: every song of a dataset in turn,
//! each with a generator of its own, into rows that a thread uses again and again.

use std::time::Instant;

use rayon::prelude::*;
use serde::Serialize;

use super::Quantiles;
use crate::batch::drop_out;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::playlists::{self, Labels};
use crate::random::{Purpose, generator};

/// Songs that a thread takes at once: what it costs to hand them out does not count.
const SONGS: usize = 1024;
/// The released network's features, each with its place in a dropout mask.
const FEATURES: usize = 512;

/// What came out: medians of rounds over all songs, every figure on all threads together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    pub songs: usize,
    pub playlists: usize,
    pub tags: usize,
    /// Walks drawn, generator included, nothing written.
    pub walks_per_second: f64,
    /// Songs with their walk and their rows of own and propagated labels and both weights.
    pub songs_per_second: f64,
    /// (p90 - p10) / median of `songs_per_second`.
    pub spread: f64,
    /// Dropout masks of 512 features.
    pub masks_per_second: f64,
}

/// Measures `rounds` rounds on `threads` threads; 0: one a core. Fails where an option is out of range.
pub fn run(dataset: &Dataset, options: &playlists::Options, rounds: usize, threads: usize) -> Result<Figures> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::device(format!("cannot start the threads: {e}")))?;
    let labels = Labels::new(dataset, options, 0)?;
    let (songs, tags) = (dataset.songs(), dataset.vocabulary().len());
    let walks = |round, first: usize, past: usize| {
        for song in first..past {
            let random = &mut generator(0, Purpose::Walk, [0, round, song as u64]);
            std::hint::black_box(labels.walks().draw(song, options.exclude_self, random));
        }
    };
    let rows = |round, first: usize, past: usize| {
        let (mut own, mut propagated) = (vec![0.0; tags], vec![0.0; tags]);
        let mut weights = vec![0.0; labels.tag_weights().len()];
        let mut sums = vec![0.0; labels.workspace()];
        for song in first..past {
            let random = &mut generator(0, Purpose::Walk, [0, round, song as u64]);
            std::hint::black_box(labels.row(song, random, &mut own, &mut propagated, &mut weights, &mut sums));
            std::hint::black_box((&own, &propagated));
        }
    };
    let masks = |round, first: usize, past: usize| {
        let mut mask = [0.0f32; FEATURES];
        for song in first..past {
            drop_out(0.5, &mut generator(0, Purpose::Dropout, [0, round, song as u64]), &mut mask);
            std::hint::black_box(&mask);
        }
    };
    let (mut walk_rates, mut row_rates, mut mask_rates) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds as u64 {
        walk_rates.push(rate(&pool, songs, &|first, past| walks(round, first, past)));
        row_rates.push(rate(&pool, songs, &|first, past| rows(round, first, past)));
        mask_rates.push(rate(&pool, songs, &|first, past| masks(round, first, past)));
    }
    let songs_per_second = Quantiles::of(row_rates);
    Ok(Figures {
        songs,
        playlists: dataset.playlists().len(),
        tags,
        walks_per_second: Quantiles::of(walk_rates).median,
        songs_per_second: songs_per_second.median,
        spread: songs_per_second.spread(),
        masks_per_second: Quantiles::of(mask_rates).median,
    })
}

/// Songs a second.
fn rate(pool: &rayon::ThreadPool, songs: usize, work: &(dyn Fn(usize, usize) + Sync)) -> f64 {
    let start = Instant::now();
    pool.install(|| (0..songs.div_ceil(SONGS)).into_par_iter().for_each(|i| work(i * SONGS, songs.min((i + 1) * SONGS))));
    songs as f64 / start.elapsed().as_secs_f64()
}
