//! Labels that have gone several hops: Y <- a P Y + (1 − a) Y0, P by eq. (4) over the whole playlists, so
//! that songs without tags pass on what reached them. Y0 has the tags of songs that lend. Beside the
//! labels goes their mass, the same sum over a column that is 1 for songs whose tags count (those that
//! lend; with `zeros` all): a label is Y / mass with weight mass, as `expected` has Σ P y / Σ P with Σ P.
//! A song in no list has itself (paper.json, `multi_hop`), and in training no propagated term.

use rayon::prelude::*;

use super::{Labels, Reading, UntaggedLenders, Walks};

/// Bytes of the two buffers that labels go to and fro between: so many tags at once fit.
const BUFFERS: usize = 256 << 20;

/// Y after so many hops. `start` is Y0, `[song, columns]`. The walks' range is P's; with `exclude_self` no hop
/// stays at its song.
pub fn propagate(walks: &Walks<'_>, start: &[f64], columns: usize, hops: usize, alpha: f64, exclude_self: bool) -> Vec<f64> {
    let mut y = start.to_vec();
    let mut next = vec![0.0; y.len()];
    for _ in 0..hops {
        next.par_chunks_mut(columns).enumerate().for_each(|(song, row)| {
            row.copy_from_slice(&start[song * columns..(song + 1) * columns]);
            row.iter_mut().for_each(|v| *v *= 1.0 - alpha);
            step(walks, song, exclude_self, &mut |to, p| {
                let from = &y[to as usize * columns..(to as usize + 1) * columns];
                row.iter_mut().zip(from).for_each(|(sum, v)| *sum += alpha * p * v);
            });
        });
        std::mem::swap(&mut y, &mut next);
    }
    y
}

/// A row of P: calls `emit` with songs, some more than once, and probabilities.
pub(super) fn step(walks: &Walks<'_>, song: usize, exclude_self: bool, emit: &mut impl FnMut(u32, f64)) {
    if walks.playlists_of(song).is_empty() {
        return emit(song as u32, 1.0);
    }
    walks.each(Reading::Eq2, song, exclude_self, &mut |o| emit(o.song, o.probability));
}

/// Soft labels of the songs that are trained on, made once: 4 bytes a song and tag, the one thing beside indices that grows
/// with the number of songs.
pub(super) struct Hops {
    /// Row of each song; `u32::MAX`: none.
    rows: Vec<u32>,
    tags: usize,
    /// `[row, tag]`
    labels: Vec<f32>,
    /// `[row, walk]`: one for each range.
    mass: Vec<f32>,
    walks: usize,
}

impl Hops {
    pub fn of(labels: &Labels<'_>) -> Hops {
        let songs = labels.dataset().songs();
        let tags = labels.dataset().vocabulary().len();
        let borrows = |song: &usize| labels.trains(*song) && !labels.walks().playlists_of(*song).is_empty();
        let trained: Vec<usize> = (0..songs).filter(borrows).collect();
        let mut rows = vec![u32::MAX; songs];
        trained.iter().enumerate().for_each(|(row, &song)| rows[song] = row as u32);
        let ranges = labels.ranges().len();
        let mut made =
            Hops { rows, tags, labels: vec![0.0; trained.len() * tags], mass: vec![0.0; trained.len() * ranges], walks: ranges };
        let most = (BUFFERS / (2 * size_of::<f64>() * songs.max(1))).clamp(2, 1 << 10);
        for (which, walks) in labels.ranges().iter().enumerate() {
            let all: Vec<usize> = (0..tags).filter(|&tag| labels.range_of(tag) == which).collect();
            for some in all.chunks(most - 1) {
                let columns = some.len() + 1;
                let y = propagate(
                    walks,
                    &labels.start(some),
                    columns,
                    labels.options().hops,
                    labels.options().alpha,
                    labels.options().exclude_self,
                );
                for (row, &song) in trained.iter().enumerate() {
                    let y = &y[song * columns..(song + 1) * columns];
                    made.mass[row * ranges + which] = y[0] as f32;
                    for (&tag, sum) in some.iter().zip(&y[1..]).filter(|_| y[0] > 0.0) {
                        made.labels[row * tags + tag] = (sum / y[0]).min(1.0) as f32;
                    }
                }
            }
        }
        made
    }

    /// A song's labels, and their weight in the walk of a range.
    pub fn row(&self, song: usize, which: usize) -> Option<(&[f32], f32)> {
        let row = self.rows[song] as usize;
        let labels = self.labels.get(row.checked_mul(self.tags)?..)?.get(..self.tags)?;
        Some((labels, self.mass[row * self.walks + which]))
    }
}

impl Labels<'_> {
    /// Y0 with its mass first: `[song, 1 + tags]` of some tags.
    pub(super) fn start(&self, tags: &[usize]) -> Vec<f64> {
        let columns = tags.len() + 1;
        let mut start = vec![0.0; self.dataset().songs() * columns];
        let zeros = self.options().untagged_lenders == UntaggedLenders::Zeros;
        for (song, row) in start.chunks_mut(columns).enumerate() {
            let lends = self.walks().can_lend(song);
            row[0] = f64::from(u8::from(lends || zeros));
            if lends {
                let bits = self.tags().bits(song).unwrap_or(&[]);
                let has = |&tag: &usize| bits.get(tag / 8).is_some_and(|byte| byte >> (tag % 8) & 1 == 1);
                row[1..].iter_mut().zip(tags).for_each(|(y, tag)| *y = f64::from(u8::from(has(tag))));
            }
        }
        start
    }
}
