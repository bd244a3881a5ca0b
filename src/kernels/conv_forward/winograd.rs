//! `conv_forward` in Rust by F(3,3) ([`winograd`](crate::kernels::winograd)). A block's V is made once;
//! then, a register tile at a time, the five products and what follows from them, z, its pooled values
//! and the statistics, while they are in the first cache.

use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;

use super::statistics::Statistics;
use super::{Arguments, ConvForward, Places};
use crate::kernels::Precision;
use crate::kernels::bf16::{Bf16, Element};
use crate::kernels::cpu::{Shared, whole_lines};
use crate::kernels::products::{Product, Simd, Work, heights, pair_product, product};
use crate::kernels::reader::Reader;
use crate::kernels::winograd::{Block, Cut, PRODUCTS, output, paired, row_values, transform_inputs};

pub fn tiles(kernel: &ConvForward) -> usize {
    Cut::of(&kernel.conv).jobs
}

/// Workspace of a thread, in f32 values.
struct Workspace {
    /// V of a block.
    v: usize,
    /// M of a register tile.
    m: usize,
    statistics: usize,
}

fn sizes(kernel: &ConvForward) -> Workspace {
    let (conv, isa) = (&kernel.conv, kernel.choice.isa());
    let round = |n: usize| n.next_multiple_of(16);
    Workspace {
        v: round(PRODUCTS * Cut::of(conv).rows() * conv.cin),
        m: round(PRODUCTS * isa.rows() * isa.width()),
        statistics: round(conv.cout),
    }
}

pub fn workspace(kernel: &ConvForward) -> usize {
    let r = sizes(kernel);
    r.v + r.m + 4 * r.statistics
}

pub fn run(kernel: &ConvForward, args: &Arguments) {
    match (kernel.choice.precision, paired(&kernel.choice)) {
        (Precision::F32, _) => jobs::<f32, false>(kernel, args),
        (Precision::Mixed, false) => jobs::<Bf16, false>(kernel, args),
        (Precision::Mixed, true) => jobs::<Bf16, true>(kernel, args),
    }
}

fn jobs<E: Element, const PAIRED: bool>(kernel: &ConvForward, args: &Arguments) {
    let cut = Cut::of(&kernel.conv);
    let run = |job| kernel.choice.isa().run(Job::<E, PAIRED> { kernel, args, cut, job, element: PhantomData });
    (0..cut.jobs).into_par_iter().for_each(run);
}

struct Job<'a, 'b, E, const PAIRED: bool> {
    kernel: &'a ConvForward,
    args: &'a Arguments<'b>,
    cut: Cut,
    job: usize,
    element: PhantomData<E>,
}

impl<E: Element, const PAIRED: bool> Work for Job<'_, '_, E, PAIRED> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Job { kernel, args, cut, job, .. } = self;
        let (conv, isa) = (&kernel.conv, kernel.choice.isa());
        let Places { weights, gamma, z, p, partials } = kernel.places();
        let weights = args.read(weights);
        let out = Out {
            kernel,
            cut,
            gamma: gamma.map(|g| args.read(g)),
            z: z.map(|z| args.share::<E>(z)),
            p: p.map(|p| args.share(p)),
        };
        assert!(out.z.is_none_or(|z| z.len() == conv.positions() * conv.cout));
        assert!(out.p.is_none_or(|p| p.len() == conv.clips * conv.windows.count * conv.cout));
        assert!(out.gamma.is_none_or(|gamma| gamma.len() == conv.cout));
        let reader = Reader::<E>::new(&kernel.source, conv, args);
        let sizes = sizes(kernel);
        let width = S::LANES * S::VECTORS;
        let depth = row_values(PAIRED, conv.cin);
        // SAFETY: once a task.
        let space = unsafe { args.workspace() };
        let (v, space) = space.split_at_mut(sizes.v);
        let (m, space) = space.split_at_mut(sizes.m);
        let mut statistics = Statistics::new(space, conv.cout, sizes.statistics);
        for b in cut.job(job) {
            let block = cut.block(conv, b);
            let rows = block.rows();
            // SAFETY: as `sizes` says, and below. The packed panels are `[panel, product, cin, width]`.
            unsafe { transform_inputs::<S, E, PAIRED>(&reader, conv, &cut, &block, v) };
            let mut ahead = 0;
            for n in 0..conv.cout.div_ceil(width) {
                ahead = 0;
                for some in heights::<S>(rows) {
                    for i in 0..PRODUCTS {
                        unsafe {
                            let mut one = Product {
                                rows: some.len(),
                                depth,
                                panels: 1,
                                a: &v[(i * rows + some.start) * depth..],
                                a_row: depth,
                                a_depth: 1,
                                b: &weights[(n * PRODUCTS + i) * depth * width..],
                                b_panel: 0,
                                b_depth: width,
                                c: &mut m[i * S::ROWS * width..],
                                c_row: width,
                                accumulate: false,
                            };
                            if PAIRED { pair_product::<S>(isa, &mut one) } else { product::<S>(&mut one) }
                        }
                    }
                    // SAFETY: every tile is one task's.
                    ahead += unsafe { out.finish::<S>(&block, some, n * width, m, ahead, &mut statistics) };
                }
            }
            statistics.advance(ahead);
        }
        if let Some(partials) = partials {
            let c = conv.cout;
            // SAFETY: a job owns its tile.
            statistics.write(unsafe { args.write(partials).range(job * 3 * c..(job + 1) * 3 * c) });
        }
    }
}

/// Where a register tile's outputs go.
struct Out<'a, 'b, E> {
    kernel: &'a ConvForward,
    cut: Cut,
    gamma: Option<&'b [f32]>,
    z: Option<Shared<'b, E>>,
    p: Option<Shared<'b, E>>,
}

impl<E: Element> Out<'_, '_, E> {
    /// From M of some of a block's tiles, a panel of channels from `panel` on: z past the caches (nobody reads it
    /// before backward), its pooled values, and the statistics, which have seen `ahead` rows of this
    /// block. Gives the number of rows of z.
    ///
    /// # Safety
    /// The processor has `S`'s instructions; `m` holds M `[product, S::ROWS, width]`; the tiles'
    /// positions and windows are this task's alone.
    #[inline(always)]
    unsafe fn finish<S: Simd>(
        &self,
        block: &Block,
        some: Range<usize>,
        panel: usize,
        m: &[f32],
        ahead: usize,
        statistics: &mut Statistics,
    ) -> usize {
        let conv = &self.kernel.conv;
        let (c, width) = (conv.cout, S::LANES * S::VECTORS);
        let (z, p) = (self.z.map(|z| z.pointer()), self.p.map(|p| p.pointer()));
        let aligned = [z, p].into_iter().flatten().all(|at| whole_lines(at, c));
        assert!(m.len() >= PRODUCTS * S::ROWS * width && some.len() <= S::ROWS);
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
                    let mut products = [zero; PRODUCTS];
                    for (i, v) in products.iter_mut().enumerate() {
                        *v = S::load(m.as_ptr().add((i * S::ROWS + row - some.start) * width + from - panel));
                    }
                    // From here on z is what is stored: what backward reads.
                    let mut outputs = output::<S>(products);
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
