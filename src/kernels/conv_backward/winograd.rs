//! `conv_backward` in Rust by F(3,3) ([`winograd`](crate::kernels::winograd)): one pass over z, p, dy and
//! what the layer reads. A block makes V and dM once, then both products; dV is turned into the
//! input's gradient a register tile at a time and ends with the mask and the sums of the layer below.

use std::marker::PhantomData;

use rayon::prelude::*;

use super::below::{Below, Gradients};
use super::dz::{Dz, Tile};
use super::{Arguments, ConvBackward};
use crate::kernels::Precision;
use crate::kernels::bf16::{Bf16, Element};
use crate::kernels::conv::Conv;
use crate::kernels::products::{Product, Simd, Work, heights, pair_product, product};
use crate::kernels::reader::Reader;
use crate::kernels::winograd::{
    Block, Cut, OUTPUTS, PRODUCTS, input_gradient, output_gradient, paired, row_values, transform_input_pairs, transform_inputs,
    transform_weight_gradient,
};

pub fn tiles(kernel: &ConvBackward) -> usize {
    Cut::of(&kernel.conv).jobs
}

/// Output channels filled up to whole panels.
fn padded(kernel: &ConvBackward) -> usize {
    kernel.conv.cout.next_multiple_of(kernel.choice.isa().width())
}

/// Values of a job's part of dU.
fn part(kernel: &ConvBackward) -> usize {
    PRODUCTS * kernel.conv.cin * padded(kernel)
}

pub fn weight_parts(kernel: &ConvBackward) -> usize {
    let c = &kernel.conv;
    (tiles(kernel) * part(kernel)).div_ceil(c.taps * c.cin * c.cout)
}

/// Workspace of a thread, in f32 values.
struct Workspace {
    /// V of a block.
    v: usize,
    /// Three rows of dz, and room to make them, where a tile is no whole window; of two tiles.
    dz: usize,
    /// dM of a block and of the tile before it.
    dm: usize,
    /// Of products of pairs, dM once more: pairs of tiles.
    dm_pairs: usize,
    /// dV of a register tile.
    dv: usize,
    /// Two rows of da, which the next tile adds to.
    carry: usize,
    /// The sums of the layer below: a job's and a block's.
    sums: usize,
}

fn sizes(kernel: &ConvBackward) -> Workspace {
    let (conv, isa) = (&kernel.conv, kernel.choice.isa());
    let rows = Cut::of(conv).rows();
    let round = |n: usize| n.next_multiple_of(16);
    Workspace {
        v: round(PRODUCTS * rows.next_multiple_of(2) * conv.cin),
        dz: 2 * round((OUTPUTS + 1) * padded(kernel)),
        dm: round(PRODUCTS * (rows + 1) * padded(kernel)),
        dm_pairs: if paired(&kernel.choice) { round(PRODUCTS * rows.div_ceil(2) * padded(kernel)) } else { 0 },
        dv: round(PRODUCTS * isa.rows() * isa.width()),
        carry: round(2 * isa.width()),
        sums: round(kernel.sums() * conv.cin),
    }
}

pub fn workspace(kernel: &ConvBackward) -> usize {
    let r = sizes(kernel);
    // Joining takes a row of each of the five products.
    (r.v + r.dz + r.dm + r.dm_pairs + r.dv + r.carry + 2 * r.sums).max(PRODUCTS * padded(kernel))
}

pub fn run(kernel: &ConvBackward, args: &Arguments) {
    match (kernel.choice.precision, paired(&kernel.choice)) {
        (Precision::F32, _) => jobs::<f32, false>(kernel, args),
        (Precision::Mixed, false) => jobs::<Bf16, false>(kernel, args),
        (Precision::Mixed, true) => jobs::<Bf16, true>(kernel, args),
    }
}

fn jobs<E: Element, const PAIRED: bool>(kernel: &ConvBackward, args: &Arguments) {
    let cut = Cut::of(&kernel.conv);
    let run = |job| kernel.choice.isa().run(Job::<E, PAIRED> { kernel, args, cut, job, element: PhantomData });
    (0..cut.jobs).into_par_iter().for_each(run);
    join_weights(kernel, args, cut.jobs);
}

/// dw = Gᵀ dU, the jobs' parts added in their order: the same bits on any number of threads.
fn join_weights(kernel: &ConvBackward, args: &Arguments, jobs: usize) {
    let conv = &kernel.conv;
    let at = kernel.places();
    let (parts, out) = (args.write(at.weight_partials), args.write(at.weights_gradient));
    let (c, stride, each) = (conv.cout, padded(kernel), part(kernel));
    (0..conv.cin).into_par_iter().with_min_len(16).for_each(|row| {
        // SAFETY: once a task.
        let sums = &mut unsafe { args.workspace() }[..PRODUCTS * stride];
        for (i, sum) in sums.chunks_exact_mut(stride).enumerate() {
            for job in 0..jobs {
                let start = job * each + (i * conv.cin + row) * stride;
                // SAFETY: nobody writes the parts any more.
                let part = unsafe { parts.range(start..start + stride) };
                if job == 0 {
                    sum.copy_from_slice(part);
                } else {
                    sum.iter_mut().zip(part).for_each(|(sum, v)| *sum += *v);
                }
            }
        }
        for o in 0..c {
            let u = std::array::from_fn(|i| sums[i * stride + o]);
            for (tap, w) in transform_weight_gradient(u).into_iter().enumerate() {
                let at = (tap * conv.cin + row) * c + o;
                // SAFETY: rows are disjoint.
                let to = unsafe { out.range(at..at + 1) };
                to[0] = w;
            }
        }
    });
}

struct Job<'a, 'b, E, const PAIRED: bool> {
    kernel: &'a ConvBackward,
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
        let at = kernel.places();
        let reader = Reader::<E>::new(&kernel.source, conv, args);
        let sizes = sizes(kernel);
        let width = S::LANES * S::VECTORS;
        let (cin, stride) = (conv.cin, padded(kernel));
        // SAFETY: once a task.
        let space = unsafe { args.workspace() };
        let (v, space) = space.split_at_mut(sizes.v);
        let (dz, space) = space.split_at_mut(sizes.dz);
        let (dm, space) = space.split_at_mut(sizes.dm);
        let (dm_pairs, space) = space.split_at_mut(sizes.dm_pairs);
        let (dv, space) = space.split_at_mut(sizes.dv);
        let (carry, space) = space.split_at_mut(sizes.carry);
        let (sums, space) = space.split_at_mut(sizes.sums);
        let block_sums = &mut space[..sizes.sums];
        sums.fill(0.0);

        let weights = args.read(at.weights.expect("layers on a wave are done directly"));
        let each = part(kernel);
        // SAFETY: a job owns its part.
        let part = unsafe { args.write(at.weight_partials).range(job * each..(job + 1) * each) };
        let maker = Dz::<E>::new(conv, args, &at);
        let below = Below { conv, reader: &reader, dy: at.below_dy.map(|p| args.share(p)) };
        for (b, first_block) in cut.job(job).zip(std::iter::once(true).chain(std::iter::repeat(false))) {
            let block = cut.block(conv, b);
            // SAFETY: as `sizes` says.
            let made = unsafe {
                if PAIRED {
                    transform_input_pairs::<S, E>(&reader, conv, &cut, &block, v);
                    make_dm_pairs::<S, E>(&maker, conv, &cut, &block, stride, dz, dm, dm_pairs)
                } else {
                    transform_inputs::<S, E, false>(&reader, conv, &cut, &block, v);
                    make_dm::<S, E>(&maker, conv, &cut, &block, stride, dz, dm)
                }
            };
            let rows = block.rows();
            let before = made - rows;
            for i in 0..PRODUCTS {
                // SAFETY: V has `rows` rows a product, dM `made`, the part `cin`.
                unsafe {
                    let depth = if PAIRED { rows.div_ceil(2) } else { rows };
                    let mut one = Product {
                        rows: cin,
                        depth,
                        panels: stride / width,
                        a: &v[i * depth * cin..],
                        a_row: 1,
                        a_depth: cin,
                        b: if PAIRED { &dm_pairs[i * depth * stride..] } else { &dm[(i * made + before) * stride..] },
                        b_panel: width,
                        b_depth: stride,
                        c: &mut part[i * cin * stride..],
                        c_row: stride,
                        accumulate: !first_block,
                    };
                    if PAIRED { pair_product::<S>(&mut one) } else { product::<S>(&mut one) }
                }
            }

            block_sums.fill(0.0);
            for n in 0..cin.div_ceil(width) {
                carry.fill(0.0);
                for some in heights::<S>(made) {
                    for i in 0..PRODUCTS {
                        // SAFETY: as `sizes` says; the packed panels are `[panel, product, cout, width]`.
                        unsafe {
                            let (depth, row) = (row_values(PAIRED, conv.cout), row_values(PAIRED, stride));
                            let mut one = Product {
                                rows: some.len(),
                                depth,
                                panels: 1,
                                a: &dm[(i * made + some.start) * row..],
                                a_row: row,
                                a_depth: 1,
                                b: &weights[(n * PRODUCTS + i) * depth * width..],
                                b_panel: 0,
                                b_depth: width,
                                c: &mut dv[i * S::ROWS * width..],
                                c_row: width,
                                accumulate: false,
                            };
                            if PAIRED { pair_product::<S>(&mut one) } else { product::<S>(&mut one) }
                        }
                    }
                    assert!(dv.len() >= PRODUCTS * S::ROWS * width && carry.len() >= 2 * width);
                    // SAFETY: every input is given away by one tile.
                    unsafe {
                        let mut da = Overlapping::<S> { dv, first: some.start, carry, channel: 0, held: [S::splat(0.0); 2] };
                        below.finish_tiles::<S>(&cut, &block, some, before, n * width, &mut da, block_sums);
                    }
                }
            }
            sums.iter_mut().zip(block_sums.iter()).for_each(|(sum, v)| *sum += *v);
        }
        if let Some(partials) = at.below_partials {
            let n = kernel.sums() * cin;
            // SAFETY: a job owns its tile.
            unsafe { args.write(partials).range(job * n..(job + 1) * n) }.copy_from_slice(&sums[..n]);
        }
    }
}

/// da = B dV of a register tile, overlaps added.
struct Overlapping<'a, S: Simd> {
    /// `[product, S::ROWS, width]`; its rows begin with the block's `first`.
    dv: &'a [f32],
    first: usize,
    /// `[2, width]`: what a tile gives to the first two inputs of the next, from one register tile to the next.
    carry: &'a mut [f32],
    channel: usize,
    held: [S::V; 2],
}

impl<S: Simd> Gradients<S> for Overlapping<'_, S> {
    #[inline(always)]
    unsafe fn begin(&mut self, channel: usize) {
        self.channel = channel;
        // SAFETY: the caller's promise.
        unsafe {
            let carry = self.carry.as_ptr().add(channel);
            self.held = [S::load(carry), S::load(carry.add(S::LANES * S::VECTORS))];
        }
    }

    #[inline(always)]
    unsafe fn next(&mut self, row: usize, last: bool) -> [S::V; PRODUCTS] {
        let width = S::LANES * S::VECTORS;
        // SAFETY: the caller's promise.
        unsafe {
            let zero = S::splat(0.0);
            let mut v = [zero; PRODUCTS];
            for (i, v) in v.iter_mut().enumerate() {
                *v = S::load(self.dv.as_ptr().add((i * S::ROWS + row - self.first) * width + self.channel));
            }
            let mut da = input_gradient::<S>(v);
            (da[0], da[1]) = (S::add(da[0], self.held[0]), S::add(da[1], self.held[1]));
            self.held = if last { [zero; 2] } else { [da[3], da[4]] };
            da
        }
    }

    #[inline(always)]
    unsafe fn end(&mut self) {
        // SAFETY: as `begin`.
        unsafe {
            let carry = self.carry.as_mut_ptr().add(self.channel);
            S::store(carry, self.held[0]);
            S::store(carry.add(S::LANES * S::VECTORS), self.held[1]);
        }
    }
}

/// dM of a block's tiles, behind that of the tile before them in their clip, whose inputs reach into theirs:
/// `[product, tile, cout]`. Gives the number of rows.
///
/// # Safety
/// The processor has `S`'s instructions; `dm` has room for the rows.
#[inline(always)]
unsafe fn make_dm<S: Simd, E: Element>(
    maker: &Dz<E>,
    conv: &Conv,
    cut: &Cut,
    block: &Block,
    stride: usize,
    dz: &mut [f32],
    dm: &mut [f32],
) -> usize {
    let before = usize::from(block.follows());
    let made = block.rows() + before;
    assert!(dm.len() >= PRODUCTS * made * stride);
    for row in 0..made {
        let place = if row < before { (block.clips.start, block.tiles.start - 1) } else { block.place(row - before) };
        let tile = Tile::new(maker, conv, cut, place, stride, dz);
        for from in (0..stride).step_by(S::LANES) {
            // SAFETY: the caller's promise; a row is filled up to whole panels.
            unsafe {
                for (i, v) in output_gradient::<S>(tile.dz::<S, E>(maker, conv, stride, from)).into_iter().enumerate() {
                    S::store(dm.as_mut_ptr().add((i * made + row) * stride + from), v);
                }
            }
        }
    }
    made
}

/// The same rounded to bf16, in both orders that the products of pairs need: `dm` `[product, tile, cout]` for the input's
/// gradient, and `pairs` `[product, pair of tiles, cout]`, without the tile before and with zeros behind an odd number,
/// for the weights'.
///
/// # Safety
/// As [`make_dm`]; `pairs` has room for half as many rows, rounded up; `dz` for twice as many as of one tile.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // As `make_dm`, and one order more.
unsafe fn make_dm_pairs<S: Simd, E: Element>(
    maker: &Dz<E>,
    conv: &Conv,
    cut: &Cut,
    block: &Block,
    stride: usize,
    dz: &mut [f32],
    dm: &mut [f32],
    pairs: &mut [f32],
) -> usize {
    let before = usize::from(block.follows());
    let (rows, made) = (block.rows(), block.rows() + before);
    let half = rows.div_ceil(2);
    assert!(2 * dm.len() >= PRODUCTS * made * stride && pairs.len() >= PRODUCTS * half * stride);
    let (dz, other) = dz.split_at_mut(dz.len() / 2);
    let dm = dm.as_mut_ptr().cast::<Bf16>();
    if before > 0 {
        let tile = Tile::new(maker, conv, cut, (block.clips.start, block.tiles.start - 1), stride, dz);
        for from in (0..stride).step_by(S::LANES) {
            // SAFETY: the caller's promise; a row is filled up to whole panels.
            unsafe {
                for (i, v) in output_gradient::<S>(tile.dz::<S, E>(maker, conv, stride, from)).into_iter().enumerate() {
                    S::narrow(dm.add(i * made * stride + from), v);
                }
            }
        }
    }
    for pair in 0..half {
        let (row, whole) = (2 * pair + before, 2 * pair + 1 < rows);
        let low = Tile::new(maker, conv, cut, block.place(2 * pair), stride, dz);
        let high = if whole { Some(Tile::new(maker, conv, cut, block.place(2 * pair + 1), stride, other)) } else { None };
        for from in (0..stride).step_by(S::LANES) {
            // SAFETY: as above.
            unsafe {
                let lows = output_gradient::<S>(low.dz::<S, E>(maker, conv, stride, from));
                let highs = match &high {
                    Some(high) => output_gradient::<S>(high.dz::<S, E>(maker, conv, stride, from)),
                    None => [S::splat(0.0); PRODUCTS],
                };
                for (i, (low, high)) in lows.into_iter().zip(highs).enumerate() {
                    let to = dm.add((i * made + row) * stride + from);
                    S::narrow(to, low);
                    if whole {
                        S::narrow(to.add(stride), high);
                    }
                    S::store(pairs.as_mut_ptr().add((i * half + pair) * stride + from), S::pairs(low, high));
                }
            }
        }
    }
    made
}
