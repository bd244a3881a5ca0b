//! Segments: songs cut one after the other from the start, what is left over at the end not used
//! (`samplecnn.md`, 2). Validation batches of first segments: no dropout, no propagated labels.

use rayon::prelude::*;

use super::{Batch, Clip, cut};
use crate::dataset::{Dataset, Split};
use crate::error::Result;
use crate::network::Network;
use crate::playlists::Labels;

/// Segments of a song: ⌊samples / clip⌋, at least one (a shorter song is padded with silence).
pub fn segments(samples: usize, clip: usize) -> usize {
    (samples / clip).max(1)
}

/// The first segment of each of some songs, in batches of one size: what validation loss is taken on
/// (`paper.md`, 0.21).
pub struct Segments<'l, 'a> {
    labels: &'l Labels<'a>,
    network: Network,
    songs: Vec<u32>,
    batch: usize,
}

impl<'l, 'a> Segments<'l, 'a> {
    /// Segments of the given songs, in that order.
    pub fn new(labels: &'l Labels<'a>, network: &Network, songs: Vec<u32>, batch: usize) -> Segments<'l, 'a> {
        Segments { labels, network: network.clone(), songs, batch }
    }

    /// The songs of a split that have audio, ascending.
    pub fn songs_of(dataset: &Dataset, split: Split) -> Vec<u32> {
        dataset.heard(split).map(|song| song as u32).collect()
    }

    pub fn batches(&self) -> usize {
        self.songs.len().div_ceil(self.batch)
    }

    /// A batch of the right size.
    pub fn batch(&self) -> Result<Batch> {
        Batch::new(&self.network, self.batch)
    }

    /// Fills batch `index`: own labels with weight 1, or 0 where the song's are masked; what is
    /// left over in the last batch is silence with weight 0, beyond `batch.filled`. Evaluation
    /// reads neither mask nor patches: they stay as they are.
    pub fn fill(&self, index: usize, batch: &mut Batch) {
        let songs = self.songs.chunks(self.batch).nth(index).unwrap_or(&[]);
        batch.filled = songs.len();
        batch.weights.fill(0.0);
        batch.propagated.fill(0.0);
        let rows = (
            batch.waves.par_chunks_mut(self.network.wave_stride()),
            batch.own.par_chunks_mut(self.network.tags),
            &mut batch.weights[..self.batch],
            &mut batch.clips,
        );
        rows.into_par_iter().enumerate().for_each(|(example, (wave, own, weight, clip))| {
            let Some(&song) = songs.get(example) else {
                wave.fill(0);
                own.fill(0.0);
                *clip = Clip::default();
                return;
            };
            *clip = Clip { song, start: 0 };
            cut(self.labels.dataset().wave(song as usize), 0, self.network.clip_length, wave);
            *weight = self.labels.own(song as usize, own);
        });
    }
}
