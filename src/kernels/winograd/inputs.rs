//! What a tile reads: five input positions of one clip, a vector of channels at a time, through batch
//! norm and ReLU of the layer below; and V, which is made of them.

use super::transforms::input;
use super::{Block, Cut, PRODUCTS};
use crate::kernels::bf16::{Bf16, Element};
use crate::kernels::conv::{Conv, norm};
use crate::kernels::products::Simd;
use crate::kernels::reader::Reader;
use crate::network::MOST_FIRST_TAPS;

/// The five inputs from position `first` on; those in the padding read 0.
#[derive(Clone, Copy)]
pub struct TileInputs<'a, 'b, E> {
    reader: &'a Reader<'b, E>,
    channels: usize,
    /// Place of each input's first channel, where it is stored; `None` in the padding.
    at: [Option<usize>; PRODUCTS],
    /// The samples that layer 1 reads for each input.
    patches: [[f32; MOST_FIRST_TAPS]; PRODUCTS],
}

impl<'a, 'b, E: Element> TileInputs<'a, 'b, E> {
    /// All of them in the padding.
    #[inline(always)]
    pub fn nowhere(reader: &'a Reader<'b, E>, conv: &Conv) -> Self {
        TileInputs { reader, channels: conv.cin, at: [None; PRODUCTS], patches: [[0.0; MOST_FIRST_TAPS]; PRODUCTS] }
    }

    #[inline(always)]
    pub fn new(reader: &'a Reader<'b, E>, conv: &Conv, clip: usize, first: isize) -> Self {
        let mut inputs = TileInputs::nowhere(reader, conv);
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
                    let p = E::load_some::<S>(below.as_ptr().add(self.at[k].unwrap_unchecked() + from), n);
                    self.affine::<S>(p, norm, from, n)
                }
                Reader::FirstLayer { layer, weights, norm, .. } => {
                    let (x, w) = (&self.patches[k], weights.as_ptr().add(from));
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
                    self.affine::<S>(z, norm, from, n)
                }
                Reader::Wave { .. } => unreachable!("layers on a wave are done directly"),
            }
        }
    }

    /// scale·(z − mean) + beta.
    ///
    /// # Safety
    /// As [`TileInputs::normed`].
    #[inline(always)]
    unsafe fn affine<S: Simd>(&self, z: S::V, norm: &[f32], from: usize, n: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe {
            // No closure: it would be a function of its own, compiled without the instructions.
            let at = norm.as_ptr().add(from);
            let scale = S::load_some(at.add(norm::SCALE * self.channels), n);
            let beta = S::load_some(at.add(norm::BETA * self.channels), n);
            let mean = S::load_some(at.add(norm::MEAN * self.channels), n);
            S::fma(scale, S::sub(z, mean), beta)
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

/// V of one tile's inputs, a vector of channels from `from` on.
///
/// # Safety
/// The processor has `S`'s instructions; the channels exist.
#[inline(always)]
unsafe fn transformed<S: Simd, E: Element>(inputs: &TileInputs<E>, from: usize, n: usize) -> [S::V; PRODUCTS] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut d = [S::splat(0.0); PRODUCTS];
        for (k, d) in d.iter_mut().enumerate() {
            *d = inputs.activation::<S>(k, from, n);
        }
        input::<S>(d)
    }
}

/// f32 values from one tile's V to the next one's of `c` channels: a pair of bf16 takes one.
pub fn row_values(paired: bool, c: usize) -> usize {
    if paired { c.div_ceil(2) } else { c }
}

/// V = Bᵀ a `[product, tile, cin]` of a block's tiles; if `PAIRED` rounded to bf16, rows filled up to pairs with a zero.
///
/// # Safety
/// The processor has `S`'s instructions; `v` has room for them.
#[inline(always)]
pub unsafe fn transform_inputs<S: Simd, E: Element, const PAIRED: bool>(
    reader: &Reader<E>,
    conv: &Conv,
    cut: &Cut,
    block: &Block,
    v: &mut [f32],
) {
    let (c, each) = (conv.cin, row_values(PAIRED, conv.cin));
    let plane = block.rows() * each;
    assert!(v.len() >= PRODUCTS * plane);
    for row in 0..block.rows() {
        let (clip, tile) = block.place(row);
        let inputs = TileInputs::new(reader, conv, clip, cut.input(conv, tile));
        for from in (0..c).step_by(S::LANES) {
            let n = S::LANES.min(c - from);
            // SAFETY: the caller's promise; these are channels of `row`. A vector's lanes are even in number, and those
            // behind the last channel are 0.
            unsafe {
                for (i, value) in transformed::<S, E>(&inputs, from, n).into_iter().enumerate() {
                    let to = v.as_mut_ptr().add(i * plane + row * each);
                    if PAIRED {
                        S::narrow_some(to.cast::<Bf16>().add(from), value, n.next_multiple_of(2));
                    } else {
                        S::store_some(to.add(from), value, n);
                    }
                }
            }
        }
    }
}

/// V as pairs of tiles `[product, pair, cin]`, as the weights' gradient sums over tiles; behind an odd number of
/// tiles comes a zero.
///
/// # Safety
/// As [`transform_inputs`].
#[inline(always)]
pub unsafe fn transform_input_pairs<S: Simd, E: Element>(
    reader: &Reader<E>,
    conv: &Conv,
    cut: &Cut,
    block: &Block,
    v: &mut [f32],
) {
    let (c, rows) = (conv.cin, block.rows());
    let plane = rows.div_ceil(2) * c;
    assert!(v.len() >= PRODUCTS * plane);
    for pair in 0..rows.div_ceil(2) {
        let (clip, tile) = block.place(2 * pair);
        let low = TileInputs::new(reader, conv, clip, cut.input(conv, tile));
        let whole = 2 * pair + 1 < rows;
        let (clip, tile) = block.place(if whole { 2 * pair + 1 } else { 2 * pair });
        let high = TileInputs::new(reader, conv, clip, cut.input(conv, tile));
        for from in (0..c).step_by(S::LANES) {
            let n = S::LANES.min(c - from);
            // SAFETY: the caller's promise; these are channels of the pair.
            unsafe {
                let lows = transformed::<S, E>(&low, from, n);
                let highs = if whole { transformed::<S, E>(&high, from, n) } else { [S::splat(0.0); PRODUCTS] };
                for (i, (low, high)) in lows.into_iter().zip(highs).enumerate() {
                    S::store_some(v.as_mut_ptr().add(i * plane + pair * c + from), S::pairs(low, high), n);
                }
            }
        }
    }
}
