//! Mean and covariance of layer 1's patches over a batch, from which the device gets layer 1's
//! batch statistics (`algebra.md`, 4): mean(z) = wᵀμ, var(z) = wᵀCw. Samples in padding are 0,
//! samples in no patch do not count.
//!
//! Sums are exact integers: of N patches a product sums to at most N·2^30, N below 2^33. Only the
//! last division rounds, and the order of the sums is of no account.

use crate::error::Result;
use crate::network::{Layer, Network};

/// The longest first filter whose layer is recomputed ([`Network::recomputes_first_layer`]).
const TAPS: usize = crate::network::MOST_FIRST_TAPS;

/// Shape of layer 1's patches.
#[derive(Clone, Debug)]
pub struct Patches {
    layer: Layer,
    /// Samples a clip.
    samples: usize,
    /// Patches a clip.
    positions: usize,
}

/// Sums over one clip's patches of the samples at each tap, and of their products (the upper
/// triangle).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moments {
    sums: [i64; TAPS],
    products: [[i64; TAPS]; TAPS],
}

impl Moments {
    #[inline]
    fn add(&mut self, patch: &[i16]) {
        for (t, &x) in patch.iter().enumerate() {
            self.sums[t] += x as i64;
            for (u, &y) in patch.iter().enumerate().skip(t) {
                self.products[t][u] += (x as i32 * y as i32) as i64;
            }
        }
    }

    /// Patches of a fixed length that lie wholly in the clip; `stride` apart.
    fn add_all<const K: usize>(&mut self, samples: &[i16], stride: usize, count: usize) {
        let mut sums = [0i64; K];
        let mut products = [[0i64; K]; K];
        for i in 0..count {
            let patch: &[i16; K] = samples[i * stride..].first_chunk().expect("count patches lie in the clip");
            for t in 0..K {
                sums[t] += patch[t] as i64;
                for u in t..K {
                    products[t][u] += (patch[t] as i32 * patch[u] as i32) as i64;
                }
            }
        }
        self.sums.iter_mut().zip(sums).for_each(|(all, sum)| *all += sum);
        for (all, row) in self.products.iter_mut().zip(products) {
            all.iter_mut().zip(row).for_each(|(all, product)| *all += product);
        }
    }
}

impl Patches {
    /// The patches of a network whose layer 1 is recomputed; `None` for others.
    pub fn of(network: &Network) -> Result<Option<Patches>> {
        let positions = network.lengths()?[0].conv;
        let layer = network.layers[0].clone();
        let patches = Patches { layer, samples: network.clip_length, positions };
        Ok(network.recomputes_first_layer().then_some(patches))
    }

    /// Values that `write` writes.
    pub fn len(&self) -> usize {
        (self.layer.kernel + 1) * self.layer.kernel
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sums over one clip. `clip` may be longer by what aligns it.
    pub(super) fn sum(&self, clip: &[i16]) -> Moments {
        let clip = &clip[..self.samples];
        let (taps, stride, left) = (self.layer.kernel, self.layer.stride, self.layer.padding[0]);
        let mut moments = Moments::default();
        // Patches first..after lie wholly in the clip, the others reach into the padding.
        let first = left.div_ceil(stride).min(self.positions);
        let after = (clip.len() + left).checked_sub(taps).map_or(first, |last| last / stride + 1);
        let after = after.clamp(first, self.positions);
        for position in (0..first).chain(after..self.positions) {
            let mut patch = [0i16; TAPS];
            for (tap, x) in patch[..taps].iter_mut().enumerate() {
                let at = (position * stride + tap).checked_sub(left);
                *x = at.and_then(|at| clip.get(at)).copied().unwrap_or(0);
            }
            moments.add(&patch[..taps]);
        }
        let inside = clip.get(first * stride - left.min(first * stride)..).unwrap_or(&[]);
        let add = match taps {
            1 => Moments::add_all::<1>,
            2 => Moments::add_all::<2>,
            3 => Moments::add_all::<3>,
            4 => Moments::add_all::<4>,
            5 => Moments::add_all::<5>,
            6 => Moments::add_all::<6>,
            7 => Moments::add_all::<7>,
            8 => Moments::add_all::<8>,
            _ => Moments::add_all::<9>,
        };
        add(&mut moments, inside, stride, after - first);
        moments
    }

    /// Joins the clips' sums and writes `[taps + 1, taps]`: the mean, then the covariance, of
    /// samples / 32768.
    pub(super) fn write(&self, clips: &[Moments], patches: &mut [f32]) {
        let taps = self.layer.kernel;
        let n = (clips.len() * self.positions) as i128;
        let (mean, covariance) = patches.split_at_mut(taps);
        let sum = |t: usize| clips.iter().map(|m| m.sums[t]).sum::<i64>() as i128;
        for t in 0..taps {
            mean[t] = (sum(t) as f64 / n as f64 / 32768.0) as f32;
            for u in t..taps {
                let product = clips.iter().map(|m| m.products[t][u]).sum::<i64>() as i128;
                let exact = n * product - sum(t) * sum(u);
                let value = (exact as f64 / (n as f64 * n as f64) / (32768.0 * 32768.0)) as f32;
                covariance[t * taps + u] = value;
                covariance[u * taps + t] = value;
            }
        }
    }
}
