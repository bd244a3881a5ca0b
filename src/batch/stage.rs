//! The stage that makes training batches. Everything in a batch follows from (seed, epoch, step,
//! example), so it is the same on any number of threads, in any order, in a resumed run.

use rand::{Rng, RngExt};
use rayon::prelude::*;

use super::{Batch, Clip, Order, Patches, cut};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::plan::MOST_CLIPS;
use crate::playlists::Labels;
use crate::random::{Purpose, generator};

/// How clips are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Clips a step.
    pub batch: usize,
    /// Clips of each song in an epoch.
    pub clips_per_song: usize,
    pub seed: u64,
}

/// Makes the batches of a run. An epoch has every training song `clips_per_song` times, each time
/// cut at a new random place, in an order of its own. Its last batch wraps round to the beginning
/// of the epoch's order (as the released software's validation does), so all batches are full.
pub struct Stage<'a> {
    labels: Labels<'a>,
    network: Network,
    patches: Option<Patches>,
    sampling: Sampling,
    songs: Vec<u32>,
    short: usize,
}

impl<'a> Stage<'a> {
    /// Fails where the dataset has another number of tags than the network, or no song to train on, and where
    /// clips a step or a song are not 1 to [`MOST_CLIPS`].
    pub fn new(labels: Labels<'a>, network: &Network, sampling: Sampling) -> Result<Stage<'a>> {
        let dataset = labels.dataset();
        for (field, value) in [("sampling.batch", sampling.batch), ("sampling.clips_per_song", sampling.clips_per_song)] {
            if !(1..=MOST_CLIPS).contains(&value) {
                return Err(Error::usage(field, format!("{value} is not between 1 and {MOST_CLIPS}")));
            }
        }
        let tags = dataset.vocabulary().len();
        if tags != network.tags {
            return Err(Error::input(dataset.folder(), format!("has {tags} tags, the network {}", network.tags))
                .help("Train a network made for this dataset, or take the dataset it was made for."));
        }
        let songs: Vec<u32> = (0..dataset.songs() as u32).filter(|&s| labels.trains(s as usize)).collect();
        if songs.is_empty() {
            return Err(Error::input(dataset.folder(), "has no song to train on")
                .help("Training songs are of split train, with audio, and with tags that --remove leaves unless --untagged says otherwise."));
        }
        let short = songs.iter().filter(|&&s| dataset.samples(s as usize) < network.clip_length).count();
        Ok(Stage { patches: Patches::of(network)?, labels, network: network.clone(), sampling, songs, short })
    }

    /// A batch of the right size.
    pub fn batch(&self) -> Result<Batch> {
        Batch::new(&self.network, self.sampling.batch)
    }

    pub fn labels(&self) -> &Labels<'a> {
        &self.labels
    }

    /// The training songs, ascending.
    pub fn songs(&self) -> &[u32] {
        &self.songs
    }

    /// Training songs shorter than a clip, which are padded with silence at their end.
    pub fn short(&self) -> usize {
        self.short
    }

    fn clips(&self) -> u64 {
        self.songs.len() as u64 * self.sampling.clips_per_song as u64
    }

    /// Steps an epoch: ⌈songs · clips_per_song / batch⌉.
    pub fn steps(&self) -> u64 {
        self.clips().div_ceil(self.sampling.batch as u64)
    }

    /// Fills a batch with those clips of `epoch` that step `step` (from 0, within the epoch) is
    /// trained on. Allocates nothing.
    pub fn fill(&self, epoch: u64, step: u64, batch: &mut Batch) {
        let Sampling { batch: size, seed, .. } = self.sampling;
        let network = &self.network;
        let dataset = self.labels.dataset();
        let clips = self.clips();
        let order = Order::new(clips, seed, epoch);
        let tags = network.tags;
        let features = batch.mask.len() / size;
        let by_tag = self.labels.options().weighs_tags();
        let (own_weights, propagated_weights) = batch.weights.split_at_mut(size);
        let rows = (
            batch.waves.par_chunks_mut(network.wave_stride()),
            batch.own.par_chunks_mut(tags),
            batch.propagated.par_chunks_mut(tags),
            batch.tag_weights.par_chunks_mut(tags),
            batch.sums.par_chunks_mut(tags),
            batch.mask.par_chunks_mut(features),
            own_weights,
            propagated_weights,
            &mut batch.clips,
        );
        rows.into_par_iter().enumerate().for_each(|(example, row)| {
            let (wave, own, propagated, tag_weights, sums, mask, own_weight, propagated_weight, clip) = row;
            let random = |purpose| generator(seed, purpose, [epoch, step, example as u64]);
            let place = (step * size as u64 + example as u64) % clips;
            let song = self.songs[(order.at(place) / self.sampling.clips_per_song as u64) as usize] as usize;

            let audio = dataset.wave(song);
            let spare = audio.len().saturating_sub(network.clip_length);
            let start = if spare == 0 { 0 } else { random(Purpose::Clip).random_range(0..=spare) };
            *clip = Clip { song: song as u32, start: start as u64 };
            cut(audio, start, network.clip_length, wave);

            let sums = &mut sums[..self.labels.workspace()];
            let tag_weights = &mut tag_weights[..if by_tag { tags } else { 0 }];
            let weights = self.labels.row(song, &mut random(Purpose::Walk), own, propagated, tag_weights, sums);
            (*own_weight, *propagated_weight) = (weights.own, weights.propagated);
            drop_out(network.dropout, &mut random(Purpose::Dropout), mask);
        });
        batch.filled = size;
        if let Some(patches) = &self.patches {
            batch.sum_patches(patches, network);
        }
    }
}

/// Fills a dropout mask: 0 with probability `rate`, else 1/(1 − rate), by a 32-bit number each.
pub fn drop_out(rate: f64, random: &mut impl Rng, mask: &mut [f32]) {
    let threshold = (rate * 2f64.powi(32)) as u64;
    let kept = ((1.0 / (1.0 - rate)) as f32).to_bits();
    let mut numbers = [0u32; 64];
    for mask in mask.chunks_mut(numbers.len()) {
        let numbers = &mut numbers[..mask.len()];
        random.fill_bytes(bytemuck::cast_slice_mut(numbers));
        for (value, &number) in mask.iter_mut().zip(numbers.iter()) {
            // Without a branch: which way it goes is chance.
            *value = f32::from_bits(kept * u32::from(u64::from(number) >= threshold));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs are resumed by masks that are drawn again, so how they are drawn is fixed.
    #[test]
    fn a_feature_is_dropped_by_one_number_of_32_bits() {
        for (rate, features) in [(0.5, 512), (0.1, 70), (0.0, 5), (0.9, 64)] {
            let random = || generator(7, Purpose::Dropout, [1, 2, 3]);
            let mut mask = vec![f32::NAN; features];
            drop_out(rate, &mut random(), &mut mask);
            let mut numbers = random();
            for value in mask {
                let kept = f64::from(numbers.next_u32()) >= rate * 2f64.powi(32);
                assert_eq!(value, if kept { (1.0 / (1.0 - rate)) as f32 } else { 0.0 });
            }
        }
    }
}
