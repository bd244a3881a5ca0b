//! `conv_forward` in Rust by direct products: a job's blocks one after the other, each from the rows
//! of the layer below to z, p and the statistics while it is in the cache.

use std::marker::PhantomData;

use rayon::prelude::*;

use super::statistics::Statistics;
use super::{Arguments, ConvForward, Places};
use crate::kernels::Precision;
use crate::kernels::bf16::{Bf16, Element};
use crate::kernels::blocks::{Block, Cut, gather};
use crate::kernels::cpu::{Shared, whole_lines};
use crate::kernels::pooling::replaces;
use crate::kernels::products::{Product, Simd, Work, product};
use crate::kernels::reader::Reader;

pub fn tiles(kernel: &ConvForward) -> usize {
    Cut::of(&kernel.conv).jobs
}

/// Workspace of a thread: gathered rows, z of a block, the job's statistics and a block's.
struct Workspace {
    gathered: usize,
    z: usize,
    statistics: usize,
}

fn sizes(kernel: &ConvForward) -> Workspace {
    let cut = Cut::of(&kernel.conv);
    Workspace {
        gathered: cut.gathered(&kernel.conv).next_multiple_of(16),
        z: (cut.rows(&kernel.conv) * padded(kernel)).next_multiple_of(16),
        statistics: kernel.conv.cout.next_multiple_of(16),
    }
}

/// Output channels filled up to whole panels.
fn padded(kernel: &ConvForward) -> usize {
    kernel.conv.cout.next_multiple_of(kernel.choice.isa().width())
}

pub fn workspace(kernel: &ConvForward) -> usize {
    let sizes = sizes(kernel);
    sizes.gathered + sizes.z + 4 * sizes.statistics
}

pub fn run(kernel: &ConvForward, args: &Arguments) {
    match kernel.choice.precision {
        Precision::F32 => jobs::<f32>(kernel, args),
        Precision::Mixed => jobs::<Bf16>(kernel, args),
    }
}

fn jobs<E: Element>(kernel: &ConvForward, args: &Arguments) {
    let cut = Cut::of(&kernel.conv);
    let run = |job| kernel.choice.isa().run(Job::<E> { kernel, args, cut, job, element: PhantomData });
    (0..cut.jobs).into_par_iter().for_each(run);
}

struct Job<'a, 'b, E> {
    kernel: &'a ConvForward,
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
        let Places { weights, gamma, z, p, partials } = kernel.places();
        let (weights, gamma) = (args.read(weights), gamma.map(|g| args.read(g)));
        let (z, p, partials) = (z.map(|z| args.share(z)), p.map(|p| args.share(p)), partials.map(|s| args.write(s)));
        let reader = Reader::<E>::new(&kernel.source, conv, args);
        let (c, stride) = (conv.cout, padded(kernel));
        let sizes = sizes(kernel);
        // SAFETY: once a task.
        let space = unsafe { args.workspace() };
        let (rows, space) = space.split_at_mut(sizes.gathered);
        let (tile, space) = space.split_at_mut(sizes.z);
        let mut statistics = Statistics::new(space, c, sizes.statistics);
        for b in cut.job(job) {
            let block = cut.block(conv, b);
            gather(&reader, conv, &cut, &block, rows);
            let count = block.clips.len() * block.positions.len();
            let depth = conv.taps * conv.cin;
            // SAFETY: as `sizes` says; the panels hold `depth` rows each.
            unsafe {
                product::<S>(&mut Product {
                    rows: count,
                    depth,
                    panels: stride / (S::LANES * S::VECTORS),
                    a: rows,
                    a_row: cut.row_stride(conv),
                    a_depth: 1,
                    b: weights,
                    b_panel: depth * S::LANES * S::VECTORS,
                    b_depth: S::LANES * S::VECTORS,
                    c: tile,
                    c_row: stride,
                    accumulate: false,
                });
            }
            if E::HALF {
                // From here on z is what is stored: what backward reads.
                for z in &mut tile[..count * stride] {
                    *z = E::from(*z).into();
                }
            }
            if partials.is_some() {
                statistics.add(&tile[..count * stride], stride);
            }
            if let Some(z) = &z {
                // SAFETY: blocks own disjoint positions.
                unsafe { write_rows::<S, E>(z, conv, &block, tile, stride) };
            }
            if let (Some(p), Some(gamma)) = (&p, gamma) {
                for (i, clip) in block.clips.clone().enumerate() {
                    let first = i * block.positions.len();
                    for w in block.windows.clone() {
                        let at = (clip * conv.windows.count + w) * c;
                        // SAFETY: blocks own disjoint windows.
                        let held = unsafe { p.range(at..at + c) };
                        let mut positions =
                            conv.windows.positions(w).map(|l| &tile[(first + l - block.positions.start) * stride..][..c]);
                        let first = positions.next().expect("windows are not empty");
                        for i in 0..c {
                            held[i] = E::from(first[i]);
                        }
                        for row in positions {
                            for i in 0..c {
                                held[i] = if replaces(row[i], held[i].into(), gamma[i]) { E::from(row[i]) } else { held[i] };
                            }
                        }
                    }
                }
            }
        }
        if let Some(partials) = partials {
            // SAFETY: a job owns its tile.
            statistics.write(unsafe { partials.range(job * 3 * c..(job + 1) * 3 * c) });
        }
    }
}

/// Writes a block's rows of z, past the caches where whole vectors fit: nobody reads z before
/// backward.
///
/// # Safety
/// The block's positions are this task's alone.
#[inline(always)]
unsafe fn write_rows<S: Simd, E: Element>(
    z: &Shared<E>,
    conv: &crate::kernels::conv::Conv,
    block: &Block,
    tile: &[f32],
    stride: usize,
) {
    let c = conv.cout;
    for (i, clip) in block.clips.clone().enumerate() {
        for (j, l) in block.positions.clone().enumerate() {
            let row = &tile[(i * block.positions.len() + j) * stride..][..c];
            let at = (clip * conv.length() + l) * c;
            // SAFETY: the caller's promise; operands begin at a multiple of 64 bytes.
            unsafe { write_past::<S, E>(z.range(at..at + c), row) };
        }
    }
}

/// Copies a row past the caches where whole vectors fit.
///
/// # Safety
/// The processor has `S`'s instructions; a row of whole lines of 16 values begins at one.
#[inline(always)]
pub unsafe fn write_past<S: Simd, E: Element>(to: &mut [E], row: &[f32]) {
    let c = to.len();
    let row = &row[..c];
    let aligned = whole_lines(to.as_ptr(), c);
    for v in (0..c).step_by(S::LANES) {
        let n = S::LANES.min(c - v);
        // SAFETY: in both slices, and whole vectors where aligned.
        unsafe { E::store_past::<S>(to.as_mut_ptr().add(v), S::load_some(row.as_ptr().add(v), n), n, aligned) };
    }
}
