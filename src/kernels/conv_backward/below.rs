//! The end of the input's gradient: the mask of the layer below, and that layer's sums. A row at a time
//! behind direct products, some tiles at a time where a layer is cut into tiles.

use std::ops::Range;

use crate::kernels::bf16::Element;
use crate::kernels::conv::{Conv, norm};
use crate::kernels::cpu::{Shared, whole_lines};
use crate::kernels::products::{MOST_ROWS, Simd};
use crate::kernels::reader::Reader;
use crate::kernels::winograd::{Block, Cut, OUTPUTS, PRODUCTS, TileInputs};
use crate::network::MOST_FIRST_TAPS;

/// Where da of a block's tiles comes from, a vector of channels after the other, each for tiles in their order.
pub trait Gradients<S: Simd> {
    /// # Safety
    /// The processor has `S`'s instructions, here and below; a panel's channels from `channel` on are there.
    unsafe fn begin(&mut self, channel: usize);
    /// da of the five inputs of the next tile, of the block's row `row`; the last two are whole in a clip's `last` tile
    /// only.
    ///
    /// # Safety
    /// As `begin`; rows follow each other.
    unsafe fn next(&mut self, row: usize, last: bool) -> [S::V; PRODUCTS];
    /// # Safety
    /// As `begin`.
    unsafe fn end(&mut self);
}

pub struct Below<'a, 'b, E> {
    pub conv: &'a Conv,
    pub reader: &'a Reader<'b, E>,
    /// Where dy' goes, if the layer below is stored.
    pub dy: Option<Shared<'b, E>>,
}

impl<E: Element> Below<'_, '_, E> {
    /// Finishes input position `j` of a clip: writes dy' and adds it to `sums` `[sum, cin]`. `da`, a row, becomes
    /// dy'; `a` is room for one. Every position is finished once.
    #[inline(always)]
    pub fn finish_row(&self, clip: usize, j: usize, da: &mut [f32], a: &mut [f32], sums: &mut [f32]) {
        let (conv, c) = (self.conv, self.conv.cin);
        let da = &mut da[..c];
        match self.reader {
            Reader::Below { below, norm: n } => {
                let at = (clip * conv.input + j) * c;
                let p = &below[at..][..c];
                let [scale, beta, mean, r] = [norm::SCALE, norm::BETA, norm::MEAN, norm::R].map(|k| &n[k * c..][..c]);
                let dy = self.dy.as_ref().expect("a stored layer below takes its gradient");
                // SAFETY: every input position is finished once.
                let dy = unsafe { dy.range(at..at + c) };
                let (sum, sum_normal) = sums.split_at_mut(c);
                let sum_normal = &mut sum_normal[..c];
                for i in 0..c {
                    let apart = p[i].into() - mean[i];
                    dy[i] = E::from(if scale[i] * apart + beta[i] > 0.0 { da[i] } else { 0.0 });
                    // The sums are of what is stored: of what the layer below reads.
                    let masked: f32 = dy[i].into();
                    sum[i] += masked;
                    sum_normal[i] += masked * (apart * r[i]);
                }
            }
            Reader::FirstLayer { layer, .. } => {
                let mut patch = [0.0f32; MOST_FIRST_TAPS];
                let patch = &mut patch[..layer.kernel];
                self.reader.patch(clip, j, patch);
                let a = &mut a[..c];
                self.reader.row(clip, j, conv, a);
                for i in 0..c {
                    da[i] = if a[i] > 0.0 { da[i] } else { 0.0 };
                }
                let mut sums = sums.chunks_exact_mut(c);
                for (x, sum) in patch.iter().zip(&mut sums) {
                    for i in 0..c {
                        sum[i] += x * da[i];
                    }
                }
                let sum = sums.next().expect("a sum a tap and one more");
                for i in 0..c {
                    sum[i] += da[i];
                }
            }
            Reader::Wave { .. } => unreachable!("a wave has no gradient"),
        }
    }

    /// Finishes da of rows `some` of a block (the first `before` of all are of the tile before the block), at most
    /// [`MOST_ROWS`], a panel of channels from `panel` on.
    ///
    /// # Safety
    /// The processor has `S`'s instructions; every tile of a block is finished once, in order.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)] // The block's place, and what is carried through it.
    pub unsafe fn finish_tiles<S: Simd>(
        &self,
        cut: &Cut,
        block: &Block,
        some: Range<usize>,
        before: usize,
        panel: usize,
        made: &mut impl Gradients<S>,
        sums: &mut [f32],
    ) {
        match self.reader {
            // SAFETY: the caller's promise.
            Reader::FirstLayer { layer, .. } if layer.kernel == 3 => unsafe {
                self.finish_taps::<S, 3>(cut, block, some, before, panel, made, sums);
            },
            // SAFETY: the caller's promise.
            _ => unsafe { self.finish_taps::<S, 0>(cut, block, some, before, panel, made, sums) },
        }
    }

    /// With the taps of layer 1 known where they are the released network's, so that their sums stay in
    /// registers; 0: as many as it has.
    ///
    /// # Safety
    /// As [`Below::finish_tiles`].
    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    unsafe fn finish_taps<S: Simd, const KNOWN: usize>(
        &self,
        cut: &Cut,
        block: &Block,
        some: Range<usize>,
        before: usize,
        panel: usize,
        made: &mut impl Gradients<S>,
        sums: &mut [f32],
    ) {
        let (conv, c, width) = (self.conv, self.conv.cin, S::LANES * S::VECTORS);
        let aligned = self.dy.is_some_and(|dy| whole_lines(dy.pointer(), c));
        assert!(some.len() <= MOST_ROWS);
        assert!(self.dy.is_none_or(|dy| dy.len() == conv.clips * conv.input * c));
        // Once for all vectors of channels: layer 1's samples are found one at a time.
        let mut places = [(TileInputs::nowhere(self.reader, conv), false); MOST_ROWS];
        for (row, (inputs, last)) in some.clone().zip(&mut places) {
            if row >= before {
                let (clip, tile) = block.place(row - before);
                *inputs = TileInputs::new(self.reader, conv, clip, cut.input(conv, tile));
                *last = cut.is_last(tile);
            }
        }
        for from in (panel..c.min(panel + width)).step_by(S::LANES) {
            let n = S::LANES.min(c - from);
            // SAFETY: the caller's promise.
            unsafe {
                let zero = S::splat(0.0);
                made.begin(from - panel);
                // Of a stored layer: Σ dy', Σ dy'·(p' − mean'). Of layer 1: Σ patch_k·dy' for each tap, Σ dy'.
                let mut own = [zero; SUMS];
                let taps = match self.reader {
                    Reader::FirstLayer { .. } if KNOWN > 0 => KNOWN,
                    Reader::FirstLayer { layer, .. } => layer.kernel,
                    _ => 0,
                };
                let (stored, mean) = match self.reader {
                    Reader::Below { below, norm } => (below.as_ptr(), S::load_some(norm.as_ptr().add(norm::MEAN * c + from), n)),
                    _ => (std::ptr::null(), zero),
                };
                for (row, &(ref inputs, last)) in some.clone().zip(&places) {
                    let da = made.next(row, last);
                    if row < before {
                        continue;
                    }
                    // Of a clip's last tile all, else those that the next one does not add to.
                    for (k, &da) in da.iter().enumerate() {
                        let Some(at) = inputs.place(k) else { continue };
                        if k >= OUTPUTS && !last {
                            continue;
                        }
                        let masked = S::where_greater(inputs.normed::<S>(k, from, n), zero, da, zero);
                        if let Some(dy) = &self.dy {
                            // The sums are of what is stored: of what the layer below reads.
                            let masked = E::rounded::<S>(masked);
                            E::store_past::<S>(dy.pointer().add(at + from), masked, n, aligned);
                            own[0] = S::add(own[0], masked);
                            own[1] = S::fma(masked, S::sub(E::load_some::<S>(stored.add(at + from), n), mean), own[1]);
                        } else {
                            for (tap, own) in own.iter_mut().enumerate().take(taps) {
                                *own = S::fma(S::splat(inputs.patch(k)[tap]), masked, *own);
                            }
                            own[taps] = S::add(own[taps], masked);
                        }
                    }
                }
                made.end();
                if let Reader::Below { norm, .. } = self.reader {
                    own[1] = S::mul(own[1], S::load_some(norm.as_ptr().add(norm::R * c + from), n));
                }
                let count = if self.dy.is_some() { 2 } else { taps + 1 };
                assert!(sums.len() >= count * c);
                for (i, &own) in own.iter().enumerate() {
                    if i < count {
                        let sum = sums.as_mut_ptr().add(i * c + from);
                        S::store_some(sum, S::add(S::load_some(sum, n), own), n);
                    }
                }
            }
        }
    }
}

/// Sums of the layer below at most: one a tap of layer 1, and one more.
const SUMS: usize = MOST_FIRST_TAPS + 1;
