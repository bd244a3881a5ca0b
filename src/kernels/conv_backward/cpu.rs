//! `conv_backward` in Rust by direct products: one pass over z, p and dy. A block makes its rows of `a` and of dz once,
//! then both products; the input's gradient ends with the mask and the sums of the layer below.

use std::marker::PhantomData;

use rayon::prelude::*;

use super::below::Below;
use super::dz::{Dz, Owned, Slab, spread_rows};
use super::{Arguments, ConvBackward, Source};
use crate::kernels::Precision;
use crate::kernels::bf16::{Bf16, Element};
use crate::kernels::blocks::{Cut, gather};
use crate::kernels::conv::Conv;
use crate::kernels::products::{Product, Simd, Work, product};
use crate::kernels::reader::Reader;

pub fn tiles(kernel: &ConvBackward) -> usize {
    Cut::of(&kernel.conv).jobs
}

pub fn weight_parts(kernel: &ConvBackward) -> usize {
    // Rows of a part are filled up to whole panels, so more parts may be needed than jobs.
    let c = &kernel.conv;
    (tiles(kernel) * padded(kernel, c.cout)).div_ceil(c.cout)
}

/// Channels filled up to whole panels.
fn padded(kernel: &ConvBackward, channels: usize) -> usize {
    channels.next_multiple_of(kernel.choice.isa().width())
}

/// Workspace of a thread, in f32 values.
struct Workspace {
    /// Rows of `a`.
    gathered: usize,
    /// Rows of dz, compact, with those that the input's gradient needs on both sides.
    dz: usize,
    /// Rows of dz by tap, where a row of its own is needed for every input position.
    spread: usize,
    /// Rows of da.
    da: usize,
    /// A row of `a`, and a window's gradient still to be given away.
    row: usize,
    /// The sums of the layer below: a job's and a block's.
    sums: usize,
}

/// Whether the input's gradient can run along the compact rows of dz: long layers with stride 1.
fn overlapping(cut: &Cut, conv: &Conv) -> bool {
    !cut.short && conv.stride == 1
}

/// The most input positions that a block owns.
fn owned(cut: &Cut, conv: &Conv) -> usize {
    if cut.short {
        cut.rows(conv).div_ceil(conv.length()) * conv.input
    } else {
        // The first block of a clip owns what lies before, the last what lies behind.
        cut.rows(conv) * conv.stride + conv.taps + conv.stride
    }
}

fn sizes(kernel: &ConvBackward) -> Workspace {
    let conv = &kernel.conv;
    let cut = Cut::of(conv);
    let wave = matches!(kernel.source, Source::Wave { .. });
    let stride = padded(kernel, conv.cout);
    let owned = if wave { 0 } else { owned(&cut, conv) };
    let round = |n: usize| n.next_multiple_of(16);
    Workspace {
        gathered: round(cut.gathered(conv)),
        dz: round((cut.rows(conv) + 3 * (conv.taps + 1)) * stride),
        spread: if wave || overlapping(&cut, conv) { 0 } else { round(owned * conv.taps * stride) },
        da: round(owned * padded(kernel, conv.cin)),
        row: round(conv.cin.max(conv.cout)),
        sums: round(kernel.sums() * conv.cin),
    }
}

pub fn workspace(kernel: &ConvBackward) -> usize {
    let r = sizes(kernel);
    r.gathered + r.dz + r.spread + r.da + r.row + 2 * r.sums
}

pub fn run(kernel: &ConvBackward, args: &Arguments) {
    match kernel.choice.precision {
        Precision::F32 => jobs::<f32>(kernel, args),
        Precision::Mixed => jobs::<Bf16>(kernel, args),
    }
}

fn jobs<E: Element>(kernel: &ConvBackward, args: &Arguments) {
    let cut = Cut::of(&kernel.conv);
    let run = |job| kernel.choice.isa().run(Job::<E> { kernel, args, cut, job, element: PhantomData });
    (0..cut.jobs).into_par_iter().for_each(run);
    join_weights(kernel, args, cut.jobs);
}

/// Adds the jobs' parts of dw in their order: the same bits on any number of threads.
fn join_weights(kernel: &ConvBackward, args: &Arguments, jobs: usize) {
    let conv = &kernel.conv;
    let at = kernel.places();
    let (parts, out) = (args.write(at.weight_partials), args.write(at.weights_gradient));
    let (rows, c, stride) = (conv.taps * conv.cin, conv.cout, padded(kernel, conv.cout));
    (0..rows).into_par_iter().with_min_len(16).for_each(|row| {
        // SAFETY: rows are disjoint, and nobody writes the parts any more.
        let out = unsafe { out.range(row * c..(row + 1) * c) };
        for job in 0..jobs {
            let start = (job * rows + row) * stride;
            // SAFETY: as above.
            let part = unsafe { parts.range(start..start + c) };
            if job == 0 {
                out.copy_from_slice(part);
            } else {
                out.iter_mut().zip(part).for_each(|(sum, v)| *sum += *v);
            }
        }
    });
}

struct Job<'a, 'b, E> {
    kernel: &'a ConvBackward,
    args: &'a Arguments<'b>,
    cut: Cut,
    job: usize,
    element: PhantomData<E>,
}

impl<E: Element> Work for Job<'_, '_, E> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Job { kernel, args, cut, job, .. } = self;
        let conv = &kernel.conv;
        let at = kernel.places();
        let reader = Reader::<E>::new(&kernel.source, conv, args);
        let sizes = sizes(kernel);
        let width = S::LANES * S::VECTORS;
        let stride = padded(kernel, conv.cout);
        // SAFETY: once a task.
        let space = unsafe { args.workspace() };
        let (rows, space) = space.split_at_mut(sizes.gathered);
        let (dz, space) = space.split_at_mut(sizes.dz);
        let (spread, space) = space.split_at_mut(sizes.spread);
        let (da, space) = space.split_at_mut(sizes.da);
        let (row, space) = space.split_at_mut(sizes.row);
        let (sums, space) = space.split_at_mut(sizes.sums);
        let block_sums = &mut space[..sizes.sums];
        sums.fill(0.0);

        let depth = conv.taps * conv.cin;
        let part_length = depth * stride;
        // SAFETY: a job owns its part.
        let part = unsafe { args.write(at.weight_partials).range(job * part_length..(job + 1) * part_length) };
        let maker = Dz::<E>::new(conv, args, &at);
        let mut first_block = true;
        for b in cut.job(job) {
            let block = cut.block(conv, b);
            gather(&reader, conv, &cut, &block, rows);
            let owned = Owned::of(&cut, conv, &block);
            let slab = if at.weights.is_some() { owned.slab(&cut, conv, &block) } else { Slab::whole(&block) };
            for (i, clip) in block.clips.clone().enumerate() {
                slab.fill(&maker, conv, clip, stride, &mut dz[i * slab.rows * stride..], row);
            }
            let own_rows = &dz[slab.place(block.positions.start as isize) * stride..];
            let count = block.clips.len() * block.positions.len();
            // SAFETY: `rows` holds `count` rows, `dz` too, the part `depth` rows of `stride`.
            unsafe {
                product::<S>(&mut Product {
                    rows: depth,
                    depth: count,
                    panels: stride / width,
                    a: rows,
                    a_row: 1,
                    a_depth: cut.row_stride(conv),
                    b: own_rows,
                    b_panel: width,
                    b_depth: stride,
                    c: part,
                    c_row: stride,
                    accumulate: !first_block,
                });
            }
            first_block = false;
            let Some(weights) = at.weights else { continue };

            let da_stride = padded(kernel, conv.cin);
            let (a, a_row) = if overlapping(&cut, conv) {
                // Input position j's taps begin at dz of position j + pad − (taps − 1).
                let start = (owned.positions.start + conv.padding[0]) as isize - (conv.taps as isize - 1);
                (&dz[slab.place(start) * stride..], stride)
            } else {
                spread_rows(conv, &owned, &slab, block.clips.len(), stride, dz, spread);
                (&spread[..], conv.taps * stride)
            };
            // The packed weights' rows are (tap', cout); where dz's rows are longer, a product a tap.
            let reduced = conv.taps * conv.cout;
            let (products, depth) = if stride == conv.cout { (1, reduced) } else { (conv.taps, conv.cout) };
            for k in 0..products {
                // SAFETY: as `sizes` says.
                unsafe {
                    product::<S>(&mut Product {
                        rows: block.clips.len() * owned.positions.len(),
                        depth,
                        panels: da_stride / width,
                        a: &a[k * stride..],
                        a_row,
                        a_depth: 1,
                        b: &args.read(weights)[k * conv.cout * width..],
                        b_panel: reduced * width,
                        b_depth: width,
                        c: da,
                        c_row: da_stride,
                        accumulate: k > 0,
                    });
                }
            }
            block_sums.fill(0.0);
            let below = Below { conv, reader: &reader, dy: at.below_dy.map(|p| args.share(p)) };
            let mut rows = da.chunks_exact_mut(da_stride);
            for clip in block.clips.clone() {
                for (j, da) in owned.positions.clone().zip(&mut rows) {
                    below.finish_row(clip, j, da, row, block_sums);
                }
            }
            sums.iter_mut().zip(block_sums.iter()).for_each(|(sum, v)| *sum += *v);
        }
        if let Some(partials) = at.below_partials {
            let n = kernel.sums() * conv.cin;
            // SAFETY: a job owns its tile.
            unsafe { args.write(partials).range(job * n..(job + 1) * n) }.copy_from_slice(&sums[..n]);
        }
    }
}
