//! Count, mean and squared deviations a channel, a tile of rows at a time (Chan, Golub and LeVeque
//! 1983): no cancellation where a mean is large beside its deviation.

use crate::kernels::products::Simd;

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

    /// Adds the rows of `tile`, `stride` apart, to all channels.
    #[inline(always)]
    pub fn add(&mut self, tile: &[f32], stride: usize) {
        let c = self.mean.len();
        let n = (tile.len() / stride) as f32;
        let [to_mean, to_squares] = self.shares(0, n);
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
        let (mean, squares) = (&mut self.mean[..c], &mut self.squares[..c]);
        for i in 0..c {
            let d = tile_mean[i] - mean[i];
            mean[i] += d * to_mean;
            squares[i] += tile_squares[i] + d * d * to_squares;
        }
        self.advance(tile.len() / stride);
    }

    /// How much of `d` and of `d²` a tile of `n` rows adds, whose mean is `d` away.
    fn shares(&self, ahead: usize, n: f32) -> [f32; 2] {
        let before = self.count + ahead as f32;
        [n / (before + n), before * n / (before + n)]
    }

    /// The mean so far of a vector of channels; `first` where nothing was added yet.
    ///
    /// # Safety
    /// The processor has `S`'s instructions; the channels exist, here and below.
    #[inline(always)]
    pub unsafe fn near<S: Simd>(&self, from: usize, some: usize, ahead: usize, first: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { if self.count + ahead as f32 > 0.0 { S::load_some(self.mean.as_ptr().add(from), some) } else { first } }
    }

    /// Adds `n` rows to a vector of channels: Σ(x − near) and Σ(x − near)² of them. With `near` a few
    /// deviations from their mean at most, nothing cancels.
    ///
    /// # Safety
    /// As [`Statistics::near`].
    #[inline(always)]
    pub unsafe fn join<S: Simd>(&mut self, from: usize, some: usize, ahead: usize, n: usize, near: S::V, sums: [S::V; 2]) {
        let n = n as f32;
        let [to_mean, to_squares] = self.shares(ahead, n);
        // SAFETY: the caller's promise.
        unsafe {
            let (mean, squares) = (self.mean.as_mut_ptr().add(from), self.squares.as_mut_ptr().add(from));
            let shift = S::mul(sums[0], S::splat(1.0 / n));
            let within = S::max(S::sub(sums[1], S::mul(sums[0], shift)), S::splat(0.0));
            let before = S::load_some(mean, some);
            let d = S::sub(S::add(near, shift), before);
            S::store_some(mean, S::fma(d, S::splat(to_mean), before), some);
            let between = S::fma(S::mul(d, d), S::splat(to_squares), within);
            S::store_some(squares, S::add(S::load_some(squares, some), between), some);
        }
    }

    /// All channels have seen `rows` rows more: those that were joined with `ahead` counting up to them.
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
