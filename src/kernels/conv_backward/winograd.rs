//! `conv_backward` in Rust by F(3,3) ([`winograd`](crate::kernels::winograd)): one pass over z, p, dy and
//! what the layer reads. A block makes V and dM once, then both products; dV is turned into the
//! input's gradient a register tile at a time and ends with the mask and the sums of the layer below.

use rayon::prelude::*;

use super::below::Below;
use super::dz::Dz;
use super::{Arguments, ConvBackward};
use crate::kernels::conv::Conv;
use crate::kernels::products::{Product, Simd, Work, heights, product};
use crate::kernels::reader::Reader;
use crate::kernels::winograd::{Block, Cut, OUTPUTS, PRODUCTS, output_gradient, transform_inputs, transform_weight_gradient};

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
    /// V of a block.
    v: usize,
    /// Three rows of dz, and room to make them, where a tile is no whole window.
    dz: usize,
    /// dM of a block and of the tile before it.
    dm: usize,
    /// dV of a register tile.
    dv: usize,
    /// Two rows of da, which the next tile adds to.
    carry: usize,
    /// The sums of the layer below: a job's and a block's.
    sums: usize,
}

fn room(kernel: &ConvBackward) -> Room {
    let (conv, isa) = (&kernel.conv, kernel.choice.isa());
    let rows = Cut::of(conv).rows();
    let round = |n: usize| n.next_multiple_of(16);
    Room {
        v: round(PRODUCTS * rows * conv.cin),
        dz: round((OUTPUTS + 1) * padded(kernel)),
        dm: round(PRODUCTS * (rows + 1) * padded(kernel)),
        dv: round(PRODUCTS * isa.rows() * isa.width()),
        carry: round(2 * isa.width()),
        sums: round(kernel.sums() * conv.cin),
    }
}

pub fn workspace(kernel: &ConvBackward) -> usize {
    let r = room(kernel);
    // Joining takes a row of each of the five products.
    (r.v + r.dz + r.dm + r.dv + r.carry + 2 * r.sums).max(PRODUCTS * padded(kernel))
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
        let reader = Reader::new(&kernel.source, conv, args);
        let room = room(kernel);
        let width = S::LANES * S::VECTORS;
        let (cin, stride) = (conv.cin, padded(kernel));
        // SAFETY: once a task.
        let space = unsafe { args.workspace() };
        let (v, space) = space.split_at_mut(room.v);
        let (dz, space) = space.split_at_mut(room.dz);
        let (dm, space) = space.split_at_mut(room.dm);
        let (dv, space) = space.split_at_mut(room.dv);
        let (carry, space) = space.split_at_mut(room.carry);
        let (sums, space) = space.split_at_mut(room.sums);
        let block_sums = &mut space[..room.sums];
        sums.fill(0.0);

        let weights = args.read(at.weights.expect("layers on a wave are done directly"));
        let each = part(kernel);
        // SAFETY: a job owns its part.
        let part = unsafe { args.write(at.weight_partials).range(job * each..(job + 1) * each) };
        let maker = Dz::new(conv, args, &at);
        let below = Below { conv, reader: &reader, dy: at.below_dy.map(|p| args.write(p)) };
        for (b, first_block) in cut.job(job).zip(std::iter::once(true).chain(std::iter::repeat(false))) {
            let block = cut.block(conv, b);
            // SAFETY: `room` has their sizes.
            let made = unsafe {
                transform_inputs::<S>(&reader, conv, &cut, &block, v);
                make_dm::<S>(&maker, conv, &cut, &block, stride, dz, dm)
            };
            let rows = block.rows();
            let before = made - rows;
            for i in 0..PRODUCTS {
                // SAFETY: V has `rows` rows a product, dM `made`, the part `cin`.
                unsafe {
                    product::<S>(&mut Product {
                        rows: cin,
                        depth: rows,
                        panels: stride / width,
                        a: &v[i * rows * cin..],
                        a_row: 1,
                        a_depth: cin,
                        b: &dm[(i * made + before) * stride..],
                        b_panel: width,
                        b_depth: stride,
                        c: &mut part[i * cin * stride..],
                        c_row: stride,
                        accumulate: !first_block,
                    });
                }
            }

            block_sums.fill(0.0);
            for n in 0..cin.div_ceil(width) {
                carry.fill(0.0);
                for some in heights::<S>(made) {
                    for i in 0..PRODUCTS {
                        // SAFETY: sizes as `room` has them; the packed panels are `[panel, product, cout, width]`.
                        unsafe {
                            product::<S>(&mut Product {
                                rows: some.len(),
                                depth: conv.cout,
                                panels: 1,
                                a: &dm[(i * made + some.start) * stride..],
                                a_row: stride,
                                a_depth: 1,
                                b: &weights[(n * PRODUCTS + i) * conv.cout * width..],
                                b_panel: 0,
                                b_depth: width,
                                c: &mut dv[i * S::ROWS * width..],
                                c_row: width,
                                accumulate: false,
                            });
                        }
                    }
                    // SAFETY: every input is given away by one tile.
                    unsafe { below.finish_tiles::<S>(&cut, &block, some, before, n * width, dv, carry, block_sums) };
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

/// dM = A dz of a block's tiles, behind that of the tile before them in their clip, whose inputs reach
/// into theirs. Gives the number of rows.
///
/// # Safety
/// The processor has `S`'s instructions; `dm` has room for the rows.
#[inline(always)]
unsafe fn make_dm<S: Simd>(
    maker: &Dz,
    conv: &Conv,
    cut: &Cut,
    block: &Block,
    stride: usize,
    dz: &mut [f32],
    dm: &mut [f32],
) -> usize {
    let before = usize::from(block.follows());
    let made = block.rows() + before;
    let (dz, open) = dz.split_at_mut(OUTPUTS * stride);
    assert!(dm.len() >= PRODUCTS * made * stride);
    for row in 0..made {
        let (clip, tile) = if row < before { (block.clips.start, block.tiles.start - 1) } else { block.place(row - before) };
        let real = cut.real(conv, tile);
        let whole = real.len() == OUTPUTS && !conv.unpooled() && tile < conv.windows.count;
        if !whole {
            let first = cut.position(tile).strict_add_unsigned(real.start) as usize;
            dz.fill(0.0);
            maker.rows(conv, clip, first..first + real.len(), stride, &mut dz[real.start * stride..], open);
        }
        for from in (0..stride).step_by(S::LANES) {
            // SAFETY: the caller's promise; a row is filled up to whole panels.
            unsafe {
                let d = if whole {
                    maker.window::<S>(conv, clip, tile, from)
                } else {
                    let row = dz.as_ptr().add(from);
                    [S::load(row), S::load(row.add(stride)), S::load(row.add(2 * stride))]
                };
                for (i, v) in output_gradient::<S>(d).into_iter().enumerate() {
                    S::store(dm.as_mut_ptr().add((i * made + row) * stride + from), v);
                }
            }
        }
    }
    made
}
