//! `conv_forward` in Rust by F(3,3) ([`winograd`](crate::kernels::winograd)). A block's V is made once;
//! then, a register tile at a time, the five products and what follows from them, z, its pooled values
//! and the statistics, while they are in the first cache.

use std::marker::PhantomData;

use rayon::prelude::*;

use super::outputs::{Out, Outputs};
use super::statistics::Statistics;
use super::{Arguments, ConvForward};
use crate::kernels::Precision;
use crate::kernels::bf16::{Bf16, Element};
use crate::kernels::products::{Product, Simd, Work, heights, pair_product, product};
use crate::kernels::reader::Reader;
use crate::kernels::winograd::{Cut, OUTPUTS, PRODUCTS, output, paired, row_values, transform_inputs};

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
        let conv = &kernel.conv;
        let places = kernel.places();
        let weights = args.read(places.weights);
        let out = Out::<E>::new(kernel, args, cut);
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
                            if PAIRED { pair_product::<S>(&mut one) } else { product::<S>(&mut one) }
                        }
                    }
                    assert!(m.len() >= PRODUCTS * S::ROWS * width);
                    let made = Transformed { m, first: some.start };
                    // SAFETY: every tile is one task's.
                    ahead += unsafe { out.finish::<S>(&made, &block, some, n * width, ahead, &mut statistics) };
                }
            }
            statistics.advance(ahead);
        }
        if let Some(partials) = places.partials {
            let c = conv.cout;
            // SAFETY: a job owns its tile.
            statistics.write(unsafe { args.write(partials).range(job * 3 * c..(job + 1) * 3 * c) });
        }
    }
}

/// M of a register tile, whose rows begin with the block's `first`: `[product, S::ROWS, width]`.
struct Transformed<'a> {
    m: &'a [f32],
    first: usize,
}

impl Outputs for Transformed<'_> {
    #[inline(always)]
    unsafe fn of<S: Simd>(&self, row: usize, channel: usize) -> [S::V; OUTPUTS] {
        // SAFETY: the caller's promise.
        unsafe {
            let width = S::LANES * S::VECTORS;
            let mut products = [S::splat(0.0); PRODUCTS];
            for (i, v) in products.iter_mut().enumerate() {
                *v = S::load(self.m.as_ptr().add((i * S::ROWS + row - self.first) * width + channel));
            }
            output::<S>(products)
        }
    }
}
