//! Count, mean and squared deviations a channel, a tile of rows at a time (Chan, Golub and LeVeque
//! 1983): no cancellation where a mean is large beside its deviation.

use std::ops::Range;

/// A job's statistics.
pub struct Statistics<'a> {
    count: f32,
    mean: &'a mut [f32],
    squares: &'a mut [f32],
    tile_mean: &'a mut [f32],
    tile_squares: &'a mut [f32],
}

impl<'a> Statistics<'a> {
    /// In room for four times `each` values, which are at least `channels`.
    pub fn new(space: &'a mut [f32], channels: usize, each: usize) -> Statistics<'a> {
        let mut parts = space.chunks_exact_mut(each).map(|s| &mut s[..channels]);
        let mut next = || parts.next().expect("room for four");
        let (mean, squares, tile_mean, tile_squares) = (next(), next(), next(), next());
        mean.fill(0.0);
        squares.fill(0.0);
        Statistics { count: 0.0, mean, squares, tile_mean, tile_squares }
    }

    /// Adds the rows of `tile`, `stride` apart, to some channels, which have seen `ahead` rows more
    /// than [`Statistics::advance`] was told.
    #[inline(always)]
    pub fn add(&mut self, channels: Range<usize>, ahead: usize, tile: &[f32], stride: usize) {
        let c = channels.len();
        let n = (tile.len() / stride) as f32;
        let (tile_mean, tile_squares) = (&mut self.tile_mean[..c], &mut self.tile_squares[..c]);
        tile_mean.fill(0.0);
        tile_squares.fill(0.0);
        for row in tile.chunks_exact(stride) {
            let row = &row[..c];
            for i in 0..c {
                tile_mean[i] += row[i];
            }
        }
        for m in tile_mean.iter_mut() {
            *m /= n;
        }
        for row in tile.chunks_exact(stride) {
            let row = &row[..c];
            for i in 0..c {
                let d = row[i] - tile_mean[i];
                tile_squares[i] += d * d;
            }
        }
        let before = self.count + ahead as f32;
        let (to_mean, to_squares) = (n / (before + n), before * n / (before + n));
        let (mean, squares) = (&mut self.mean[channels.clone()], &mut self.squares[channels]);
        for i in 0..c {
            let d = tile_mean[i] - mean[i];
            mean[i] += d * to_mean;
            squares[i] += tile_squares[i] + d * d * to_squares;
        }
    }

    /// All channels have seen `rows` rows more.
    pub fn advance(&mut self, rows: usize) {
        self.count += rows as f32;
    }

    /// `[3, channel]`: count, mean, squared deviations.
    pub fn write(&self, out: &mut [f32]) {
        let c = self.mean.len();
        out[..c].fill(self.count);
        out[c..2 * c].copy_from_slice(self.mean);
        out[2 * c..].copy_from_slice(self.squares);
    }
}
