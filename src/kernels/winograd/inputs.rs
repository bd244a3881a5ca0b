//! What a tile reads: five input positions of one clip, a vector of channels at a time, through batch
//! norm and ReLU of the layer below; and V, which is made of them.

use super::matrices::input;
use super::{Block, Cut, PRODUCTS};
use crate::kernels::conv::{Conv, norm};
use crate::kernels::products::Simd;
use crate::kernels::reader::Reader;
use crate::network::MOST_FIRST_TAPS;

/// The five inputs from position `first` on; those in the padding read 0.
pub struct TileInputs<'a, 'b> {
    reader: &'a Reader<'b>,
    channels: usize,
    /// Place of each input's first channel, where it is stored; `None` in the padding.
    at: [Option<usize>; PRODUCTS],
    /// The samples that layer 1 reads for each input.
    patches: [[f32; MOST_FIRST_TAPS]; PRODUCTS],
}

impl<'a, 'b> TileInputs<'a, 'b> {
    #[inline(always)]
    pub fn new(reader: &'a Reader<'b>, conv: &Conv, clip: usize, first: isize) -> Self {
        let mut inputs =
            TileInputs { reader, channels: conv.cin, at: [None; PRODUCTS], patches: [[0.0; MOST_FIRST_TAPS]; PRODUCTS] };
        for k in 0..PRODUCTS {
            let j = first + k as isize;
            if j < 0 || j as usize >= conv.input {
                continue;
            }
            assert!(clip < conv.clips);
            inputs.at[k] = Some((clip * conv.input + j as usize) * conv.cin);
            if let Reader::FirstLayer { layer, .. } = reader {
                reader.patch(clip, j as usize, &mut inputs.patches[k][..layer.kernel]);
            }
        }
        inputs
    }

    /// Where input `k` lies in the layer below, from its first channel on.
    #[inline(always)]
    pub fn place(&self, k: usize) -> Option<usize> {
        self.at[k]
    }

    /// Layer 1's samples for input `k`.
    #[inline(always)]
    pub fn patch(&self, k: usize) -> &[f32; MOST_FIRST_TAPS] {
        &self.patches[k]
    }

    /// `n` channels of input `k`, from `from` on, behind batch norm: ReLU's mask is where they are
    /// greater than 0.
    ///
    /// # Safety
    /// The processor has `S`'s instructions; the channels exist; input `k` is no padding.
    #[inline(always)]
    pub unsafe fn normed<S: Simd>(&self, k: usize, from: usize, n: usize) -> S::V {
        let c = self.channels;
        // SAFETY: the caller's promise.
        unsafe {
            match self.reader {
                Reader::Below { below, norm } => {
                    let p = S::load_some(below.as_ptr().add(self.at[k].unwrap_unchecked() + from), n);
                    let norm = norm.as_ptr().add(from);
                    S::fma(S::load_some(norm.add(norm::SCALE * c), n), p, S::load_some(norm.add(norm::SHIFT * c), n))
                }
                Reader::FirstLayer { layer, weights, norm, .. } => {
                    let (x, w, norm) = (&self.patches[k], weights.as_ptr().add(from), norm.as_ptr().add(from));
                    let mut z = S::mul(S::splat(x[0]), S::load_some(w, n));
                    if layer.kernel == 3 {
                        // The released network's case, without a loop.
                        z = S::fma(S::splat(x[1]), S::load_some(w.add(c), n), z);
                        z = S::fma(S::splat(x[2]), S::load_some(w.add(2 * c), n), z);
                    } else {
                        for (tap, &x) in x[..layer.kernel].iter().enumerate().skip(1) {
                            z = S::fma(S::splat(x), S::load_some(w.add(tap * c), n), z);
                        }
                    }
                    S::fma(S::load_some(norm.add(norm::SCALE * c), n), z, S::load_some(norm.add(norm::SHIFT * c), n))
                }
                Reader::Wave { .. } => unreachable!("layers on a wave are done directly"),
            }
        }
    }

    /// The same behind ReLU; 0 in the padding.
    ///
    /// # Safety
    /// As [`TileInputs::normed`].
    #[inline(always)]
    pub unsafe fn activation<S: Simd>(&self, k: usize, from: usize, n: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe {
            let zero = S::splat(0.0);
            if self.at[k].is_some() { S::max(self.normed::<S>(k, from, n), zero) } else { zero }
        }
    }
}

/// V = Bᵀ a `[product, tile, cin]` of a block's tiles.
///
/// # Safety
/// The processor has `S`'s instructions; `v` has room for them.
#[inline(always)]
pub unsafe fn transform_inputs<S: Simd>(reader: &Reader, conv: &Conv, cut: &Cut, block: &Block, v: &mut [f32]) {
    let c = conv.cin;
    let plane = block.rows() * c;
    assert!(v.len() >= PRODUCTS * plane);
    for row in 0..block.rows() {
        let (clip, tile) = block.place(row);
        let inputs = TileInputs::new(reader, conv, clip, cut.input(conv, tile));
        for from in (0..c).step_by(S::LANES) {
            let n = S::LANES.min(c - from);
            // SAFETY: the caller's promise; these are channels of `row`.
            unsafe {
                let mut d = [S::splat(0.0); PRODUCTS];
                for (k, d) in d.iter_mut().enumerate() {
                    *d = inputs.activation::<S>(k, from, n);
                }
                for (i, value) in input::<S>(d).into_iter().enumerate() {
                    S::store_some(v.as_mut_ptr().add(i * plane + row * c + from), value, n);
                }
            }
        }
    }
}
