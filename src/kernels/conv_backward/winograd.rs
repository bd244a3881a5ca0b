//! `conv_backward` in Rust by F(3,3) ([`winograd`](crate::kernels::winograd)): one pass over z, p, dy and
//! what the layer reads. A block makes V and dM once, then both products; dV is turned into the
//! input's gradient a register tile at a time and ends with the mask and the sums of the layer below.

use rayon::prelude::*;

use super::below::Below;
use super::dz::Dz;
use super::{Arguments, ConvBackward};
use crate::kernels::blocks::Reader;
use crate::kernels::conv::Conv;
use crate::kernels::products::{Product, Simd, Work, heights, product};
use crate::kernels::winograd::{
    Block, Cut, OUTPUTS, PRODUCTS, transform_gradient, transform_input, transform_input_gradient, transform_weight_gradient,
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

/// Room of a thread, in f32 values.
struct Room {
    /// Five rows of `a`.
    ring: usize,
    /// V of a block.
    v: usize,
    /// Three rows of dz, and room to make them.
    dz: usize,
    /// dM of a block and of the tile before it.
    dm: usize,
    /// dV of a register tile.
    dv: usize,
    /// Five rows of da.
    da: usize,
    /// The sums of the layer below: a job's and a block's.
    sums: usize,
}

fn room(kernel: &ConvBackward) -> Room {
    let (conv, isa) = (&kernel.conv, kernel.choice.isa());
    let rows = Cut::of(conv).rows();
    let round = |n: usize| n.next_multiple_of(16);
    Room {
        ring: round(PRODUCTS * conv.cin),
        v: round(PRODUCTS * rows * conv.cin),
        dz: round((OUTPUTS + 1) * padded(kernel)),
        dm: round(PRODUCTS * (rows + 1) * padded(kernel)),
        dv: round(PRODUCTS * isa.rows() * isa.width()),
        da: round(PRODUCTS * isa.width()),
        sums: round(kernel.sums() * conv.cin),
    }
}

pub fn workspace(kernel: &ConvBackward) -> usize {
    let r = room(kernel);
    // Joining takes a row of each of the five products.
    (r.ring + r.v + r.dz + r.dm + r.dv + r.da + 2 * r.sums).max(PRODUCTS * padded(kernel))
}

pub fn run(kernel: &ConvBackward, args: &Arguments) {
    let cut = Cut::of(&kernel.conv);
    (0..cut.jobs).into_par_iter().for_each(|job| kernel.choice.isa().run(Job { kernel, args, cut, job }));
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

struct Job<'a, 'b> {
    kernel: &'a ConvBackward,
    args: &'a Arguments<'b>,
    cut: Cut,
    job: usize,
}

impl Work for Job<'_, '_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Job { kernel, args, cut, job } = self;
        let conv = &kernel.conv;
        let at = kernel.places();
        let reader = Reader::new(&kernel.source, args);
        let room = room(kernel);
        let width = S::LANES * S::VECTORS;
        let (cin, stride) = (conv.cin, padded(kernel));
        // SAFETY: once a task.
        let space = unsafe { args.workspace() };
        let (ring, space) = space.split_at_mut(room.ring);
        let (v, space) = space.split_at_mut(room.v);
        let (dz, space) = space.split_at_mut(room.dz);
        let (dm, space) = space.split_at_mut(room.dm);
        let (dv, space) = space.split_at_mut(room.dv);
        let (da, space) = space.split_at_mut(room.da);
        let (sums, space) = space.split_at_mut(room.sums);
        let block_sums = &mut space[..room.sums];
        sums.fill(0.0);

        let weights = args.read(at.weights.expect("layers on a wave are done directly"));
        let each = part(kernel);
        // SAFETY: a job owns its part.
        let part = unsafe { args.write(at.weight_partials).range(job * each..(job + 1) * each) };
        let maker = Dz::new(args, &at);
        let below = Below { conv, reader: &reader, dy: at.below_dy.map(|p| args.write(p)) };
        for (b, first_block) in cut.job(job).zip(std::iter::once(true).chain(std::iter::repeat(false))) {
            let block = cut.block(conv, b);
            transform_input(&reader, conv, &cut, &block, ring, v);
            let made = make_dm(&maker, conv, &cut, &block, stride, dz, dm);
            let rows = block.rows();
            let before = made - rows;
            for i in 0..PRODUCTS {
                // SAFETY: V has `rows` rows a product, dM `made`, the part `cin`.
                unsafe {
                    product::<S>(&Product {
                        rows: cin,
                        depth: rows,
                        panels: stride / width,
                        a: v[i * rows * cin..].as_ptr(),
                        a_row: 1,
                        a_depth: cin,
                        b: dm[(i * made + before) * stride..].as_ptr(),
                        b_panel: width,
                        b_depth: stride,
                        c: part[i * cin * stride..].as_mut_ptr(),
                        c_row: stride,
                        accumulate: !first_block,
                    });
                }
            }

            block_sums.fill(0.0);
            for n in 0..cin.div_ceil(width) {
                let channels = (cin - n * width).min(width);
                da.fill(0.0);
                for some in heights::<S>(made) {
                    for i in 0..PRODUCTS {
                        // SAFETY: sizes as `room` has them; the packed panels are `[panel, product, cout, width]`.
                        unsafe {
                            product::<S>(&Product {
                                rows: some.len(),
                                depth: conv.cout,
                                panels: 1,
                                a: dm[(i * made + some.start) * stride..].as_ptr(),
                                a_row: stride,
                                a_depth: 1,
                                b: weights[(n * PRODUCTS + i) * conv.cout * width..].as_ptr(),
                                b_panel: 0,
                                b_depth: width,
                                c: dv[i * S::ROWS * width..].as_mut_ptr(),
                                c_row: width,
                                accumulate: false,
                            });
                        }
                    }
                    for (r, row) in some.enumerate() {
                        transform_input_gradient(dv, S::ROWS * width, r, width, da);
                        if row >= before {
                            finish(&below, &cut, &block, row - before, n * width, channels, width, da, block_sums);
                        }
                        da.copy_within(OUTPUTS * width..PRODUCTS * width, 0);
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

/// dM = A dz of a block's tiles, behind that of the tile before them in their clip, whose inputs reach into
/// theirs. Gives the number of rows.
#[inline(always)]
fn make_dm(maker: &Dz, conv: &Conv, cut: &Cut, block: &Block, stride: usize, dz: &mut [f32], dm: &mut [f32]) -> usize {
    let before = usize::from(block.follows());
    let made = block.rows() + before;
    let (dz, open) = dz.split_at_mut(OUTPUTS * stride);
    let mut row = 0;
    for clip in block.clips.clone() {
        for tile in block.tiles.start - before..block.tiles.end {
            let begin = cut.position(tile);
            let real = begin.max(0) as usize..((begin + OUTPUTS as isize) as usize).min(conv.length());
            if real.len() < OUTPUTS {
                dz.fill(0.0);
            }
            let skipped = real.start.strict_sub_signed(begin) * stride;
            maker.rows(conv, clip, real, stride, &mut dz[skipped..], open);
            transform_gradient(dz, stride, dm, made * stride, row);
            row += 1;
        }
    }
    made
}

/// Gives away the inputs of a tile that no later tile adds to; of a clip's last tile all of them.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // All of them change from call to call.
fn finish(
    below: &Below,
    cut: &Cut,
    block: &Block,
    row: usize,
    from: usize,
    channels: usize,
    width: usize,
    da: &mut [f32],
    sums: &mut [f32],
) {
    let (clip, tile) = (block.clips.start + row / block.tiles.len(), block.tiles.start + row % block.tiles.len());
    let begin = cut.input(below.conv, tile);
    let last = cut.is_last(tile);
    for (k, da_row) in da.chunks_exact_mut(width).take(if last { PRODUCTS } else { OUTPUTS }).enumerate() {
        let j = begin + k as isize;
        if j >= 0 && (j as usize) < below.conv.input {
            below.finish(clip, j as usize, from, &mut da_row[..channels], sums);
        }
    }
    if last {
        // Nothing of this clip reaches the next one.
        da.fill(0.0);
    }
}
