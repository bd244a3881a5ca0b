//! Evaluation batches: songs cut into consecutive segments from the start, what is left over at
//! the end not used (`samplecnn.md`, 2); no dropout, no propagated labels.

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

/// Which segments of a song.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// The first: what validation loss is taken on (`paper.md`, 0.21).
    First,
    All,
}

/// All segments of some songs, song after song, in batches of one size.
pub struct Segments<'l, 'a> {
    labels: &'l Labels<'a>,
    network: Network,
    songs: Vec<u32>,
    /// `[songs + 1]`: which segment a song's first one is.
    first: Vec<u64>,
    batch: usize,
}

impl<'l, 'a> Segments<'l, 'a> {
    /// Segments of the given songs, in that order.
    pub fn new(labels: &'l Labels<'a>, network: &Network, songs: Vec<u32>, of: Of, batch: usize) -> Segments<'l, 'a> {
        let mut first = vec![0];
        for &song in &songs {
            let all = segments(labels.dataset().samples(song as usize), network.clip_length);
            first.push(first[first.len() - 1] + if of == Of::First { 1 } else { all as u64 });
        }
        Segments { labels, network: network.clone(), songs, first, batch }
    }

    /// The songs of a split that have audio, ascending.
    pub fn songs_of(dataset: &Dataset, split: Split) -> Vec<u32> {
        let one = |&s: &u32| dataset.split(s as usize) == split && dataset.samples(s as usize) > 0;
        (0..dataset.songs() as u32).filter(one).collect()
    }

    pub fn songs(&self) -> &[u32] {
        &self.songs
    }

    /// Segments of all songs.
    pub fn len(&self) -> u64 {
        self.first[self.songs.len()]
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn batches(&self) -> u64 {
        self.len().div_ceil(self.batch as u64)
    }

    /// A batch of the right size.
    pub fn batch(&self) -> Result<Batch> {
        Batch::new(&self.network, self.batch)
    }

    /// Fills batch `index`: own labels with weight 1, or 0 where the song's are masked; what is
    /// left over in the last batch is silence with weight 0, beyond `batch.filled`. Evaluation
    /// reads neither mask nor patches: they stay as they are.
    pub fn fill(&self, index: u64, batch: &mut Batch) {
        let begin = index * self.batch as u64;
        let clip_length = self.network.clip_length;
        batch.filled = self.len().saturating_sub(begin).min(self.batch as u64) as usize;
        batch.weights.fill(0.0);
        batch.propagated.fill(0.0);
        let rows = (
            batch.waves.par_chunks_mut(self.network.wave_stride()),
            batch.own.par_chunks_mut(self.network.tags),
            &mut batch.weights[..self.batch],
            &mut batch.clips,
        );
        let filled = batch.filled;
        rows.into_par_iter().enumerate().for_each(|(example, (wave, own, weight, clip))| {
            if example >= filled {
                wave.fill(0);
                own.fill(0.0);
                *clip = Clip::default();
                return;
            }
            let segment = begin + example as u64;
            let at = self.first.partition_point(|&f| f <= segment) - 1;
            let song = self.songs[at] as usize;
            let start = (segment - self.first[at]) as usize * clip_length;
            *clip = Clip { song: song as u32, start: start as u64 };
            cut(self.labels.dataset().wave(song), start, clip_length, wave);
            *weight = self.labels.own(song, own);
        });
    }
}
