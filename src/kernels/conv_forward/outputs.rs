//! What follows from z of the CPU's tiles of three outputs, while it is in the first cache: z and its pooled values are
//! written, and the statistics taken.

use std::ops::Range;

use super::statistics::Statistics;
use super::{Arguments, ConvForward};
use crate::kernels::bf16::Element;
use crate::kernels::cpu::{Shared, whole_lines};
use crate::kernels::products::Simd;
use crate::kernels::winograd::{Block, Cut, OUTPUTS};

/// Where a tile's three outputs come from.
pub trait Outputs {
    /// Those of a block's row, a vector of a panel's channels from `channel` on.
    ///
    /// # Safety
    /// The processor has `S`'s instructions; the row and the channels are there.
    unsafe fn of<S: Simd>(&self, row: usize, channel: usize) -> [S::V; OUTPUTS];
}

/// Where they go.
pub struct Out<'a, 'b, E> {
    kernel: &'a ConvForward,
    cut: Cut,
    gamma: Option<&'b [f32]>,
    z: Option<Shared<'b, E>>,
    p: Option<Shared<'b, E>>,
}

impl<'a, 'b, E: Element> Out<'a, 'b, E> {
    pub fn new(kernel: &'a ConvForward, args: &Arguments<'b>, cut: Cut) -> Self {
        let (conv, places) = (&kernel.conv, kernel.places());
        let gamma = places.gamma.map(|g| args.read(g));
        let (z, p) = (places.z.map(|z| args.share::<E>(z)), places.p.map(|p| args.share::<E>(p)));
        assert!(z.is_none_or(|z| z.len() == conv.positions() * conv.cout));
        assert!(p.is_none_or(|p| p.len() == conv.clips * conv.windows.count * conv.cout));
        assert!(gamma.is_none_or(|gamma| gamma.len() == conv.cout));
        Out { kernel, cut, gamma, z, p }
    }

    /// Of some of a block's tiles, a panel of channels from `panel` on: z (of f32 past the caches: nobody reads it
    /// before backward), its pooled values, and the statistics, which have seen `ahead` rows of this
    /// block. Gives the number of rows of z.
    ///
    /// # Safety
    /// The processor has `S`'s instructions; `made` has the tiles' outputs; their positions and windows are this task's
    /// alone.
    #[inline(always)]
    pub unsafe fn finish<S: Simd>(
        &self,
        made: &impl Outputs,
        block: &Block,
        some: Range<usize>,
        panel: usize,
        ahead: usize,
        statistics: &mut Statistics,
    ) -> usize {
        let conv = &self.kernel.conv;
        let (c, width) = (conv.cout, S::LANES * S::VECTORS);
        let (z, p) = (self.z.map(|z| z.pointer()), self.p.map(|p| p.pointer()));
        let aligned = [z, p].into_iter().flatten().all(|at| whole_lines(at, c));
        let mut seen = 0;
        for from in (panel..c.min(panel + width)).step_by(S::LANES) {
            let n = S::LANES.min(c - from);
            seen = 0;
            // SAFETY: the caller's promise.
            unsafe {
                let zero = S::splat(0.0);
                let gamma = match self.gamma {
                    Some(gamma) => S::load_some(gamma.as_ptr().add(from), n),
                    None => zero,
                };
                let (mut near, mut sums) = (zero, [zero; 2]);
                for row in some.clone() {
                    let (clip, tile) = block.place(row);
                    let begin = self.cut.position(tile);
                    let real = self.cut.real(conv, tile);
                    // From here on z is what is stored: what backward reads.
                    let mut outputs = made.of::<S>(row, from - panel);
                    for value in &mut outputs {
                        *value = E::rounded::<S>(*value);
                    }
                    if row == some.start {
                        let first = if real.start == 0 { outputs[0] } else { outputs[1] };
                        near = statistics.near::<S>(from, n, ahead, first);
                    }
                    // In pooling's order: the first real one, then what is larger (gamma > 0), or smaller.
                    let (mut first, mut least, mut most) = (outputs[0], outputs[0], outputs[0]);
                    for (k, &value) in outputs.iter().enumerate() {
                        if k < real.start || k >= real.end {
                            continue;
                        }
                        if let Some(z) = z {
                            let l = begin.strict_add_unsigned(k) as usize;
                            E::store_past::<S>(z.add((clip * conv.length() + l) * c + from), value, n, aligned);
                        }
                        let d = S::sub(value, near);
                        sums = [S::add(sums[0], d), S::fma(d, d, sums[1])];
                        if k == real.start {
                            (first, least, most) = (value, value, value);
                        } else {
                            (least, most) = (S::min(value, least), S::max(value, most));
                        }
                    }
                    seen += real.len();
                    if let Some(p) = p
                        && tile < conv.windows.count
                    {
                        let held = S::where_greater(gamma, zero, most, S::where_greater(zero, gamma, least, first));
                        E::store_past::<S>(p.add((clip * conv.windows.count + tile) * c + from), held, n, aligned);
                    }
                }
                if self.kernel.statistics {
                    statistics.join::<S>(from, n, ahead, seen, near, sums);
                }
            }
        }
        seen
    }
}
