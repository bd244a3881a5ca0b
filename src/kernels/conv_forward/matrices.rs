//! `conv_forward` in Rust by direct products of pairs of bf16 on a matrix unit. A block's rows of `a` are made once; then, a
//! panel of channels at a time, the product, whose rows are the overlapping rows of three, and what follows from it.

use rayon::prelude::*;

use super::outputs::{Out, Outputs};
use super::statistics::Statistics;
use super::{Arguments, ConvForward};
use crate::kernels::bf16::Bf16;
use crate::kernels::conv::Conv;
use crate::kernels::pack_weights::filled;
use crate::kernels::products::{COLUMNS, Matrices, SIDE, Simd, Work, matrix_product};
use crate::kernels::reader::Reader;
use crate::kernels::winograd::{Block, Cut, OUTPUTS, PRODUCTS, TileInputs};

/// Inputs that a clip's last outputs read behind their own.
const MORE: usize = PRODUCTS - OUTPUTS;

pub fn tiles(kernel: &ConvForward) -> usize {
    Cut::of(&kernel.conv).jobs
}

/// Workspace of a thread, in f32 values.
struct Workspace {
    /// Rows of `a` of a block, in bf16.
    a: usize,
    /// z of a block, a panel of channels.
    z: usize,
    statistics: usize,
}

fn sizes(kernel: &ConvForward) -> Workspace {
    let conv = &kernel.conv;
    let rows = Cut::of(conv).positions(MORE).next_multiple_of(SIDE);
    // The product's last rows are filled up: they read what is no row, and nobody reads them.
    Workspace { a: (rows + MORE) * filled(conv.cin) / 2, z: rows * COLUMNS, statistics: conv.cout.next_multiple_of(16) }
}

pub fn workspace(kernel: &ConvForward) -> usize {
    let r = sizes(kernel);
    r.a + r.z + 4 * r.statistics
}

pub fn run(kernel: &ConvForward, args: &Arguments) {
    let cut = Cut::of(&kernel.conv);
    let run = |job| kernel.choice.isa().run(Job { kernel, args, cut, job });
    (0..cut.jobs).into_par_iter().for_each(run);
}

struct Job<'a, 'b> {
    kernel: &'a ConvForward,
    args: &'a Arguments<'b>,
    cut: Cut,
    job: usize,
}

impl Work for Job<'_, '_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Job { kernel, args, cut, job } = self;
        let (conv, isa, places) = (&kernel.conv, kernel.choice.isa(), kernel.places());
        let weights = args.read(places.weights);
        let out = Out::<Bf16>::new(kernel, args, cut);
        let reader = Reader::<Bf16>::new(&kernel.source, conv, args);
        assert!(S::LANES * S::VECTORS == COLUMNS, "what follows a product is a panel's");
        let (sizes, row) = (sizes(kernel), filled(conv.cin));
        let depth = conv.taps * row / 2;
        // SAFETY: once a task.
        let space = unsafe { args.workspace() };
        let (a, space) = space.split_at_mut(sizes.a);
        let (z, space) = space.split_at_mut(sizes.z);
        let mut statistics = Statistics::new(space, conv.cout, sizes.statistics);
        let a: &mut [Bf16] = bytemuck::cast_slice_mut(a);
        for b in cut.job(job) {
            let block = cut.block(conv, b);
            let each = OUTPUTS * block.tiles.len() + MORE;
            // SAFETY: as `sizes` says, and below. The packed panels are `[panel, tap, row / 2, COLUMNS]` of pairs.
            unsafe { make_rows::<S>(&reader, conv, &cut, &block, a) };
            let mut ahead = 0;
            for n in 0..conv.cout.div_ceil(COLUMNS) {
                unsafe {
                    matrix_product(
                        isa,
                        &mut Matrices {
                            taps: 1,
                            rows: (block.clips.len() * each - MORE).next_multiple_of(SIDE),
                            depth,
                            panels: 1,
                            a,
                            a_row: row,
                            b: &weights[n * depth * COLUMNS..],
                            b_panel: 0,
                            b_depth: COLUMNS,
                            c: z,
                            c_row: COLUMNS,
                            c_tap: 0,
                            accumulate: false,
                        },
                    );
                }
                let made = Made { z, tiles: block.tiles.len(), each };
                // SAFETY: every tile is one task's.
                ahead = unsafe { out.finish::<S>(&made, &block, 0..block.rows(), n * COLUMNS, 0, &mut statistics) };
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

/// z of a block, a panel of channels: `each` rows a clip, three a tile.
struct Made<'a> {
    z: &'a [f32],
    tiles: usize,
    each: usize,
}

impl Outputs for Made<'_> {
    #[inline(always)]
    unsafe fn of<S: Simd>(&self, row: usize, channel: usize) -> [S::V; OUTPUTS] {
        let at = row / self.tiles * self.each + OUTPUTS * (row % self.tiles);
        // SAFETY: the caller's promise.
        unsafe {
            let z = self.z.as_ptr().add(at * COLUMNS + channel);
            [S::load(z), S::load(z.add(COLUMNS)), S::load(z.add(2 * COLUMNS))]
        }
    }
}

/// Rows of `a` that a block's outputs read, clip after clip, `[position, filled(cin)]` in bf16.
///
/// # Safety
/// The processor has `S`'s instructions; `a` has room for them.
#[inline(always)]
unsafe fn make_rows<S: Simd>(reader: &Reader<Bf16>, conv: &Conv, cut: &Cut, block: &Block, a: &mut [Bf16]) {
    let (c, row) = (conv.cin, filled(conv.cin));
    let tiles = block.tiles.len();
    assert!(a.len() >= block.clips.len() * (OUTPUTS * tiles + MORE) * row);
    let mut at = 0;
    for r in 0..block.rows() {
        let (clip, tile) = block.place(r);
        let inputs = TileInputs::new(reader, conv, clip, cut.input(conv, tile));
        let count = if tile + 1 == block.tiles.end { PRODUCTS } else { OUTPUTS };
        for from in (0..row).step_by(S::LANES) {
            let n = S::LANES.min(c.saturating_sub(from));
            for k in 0..count {
                // SAFETY: the caller's promise; channels behind the last are zeros.
                unsafe {
                    let value = if n > 0 { inputs.activation::<S>(k, from, n) } else { S::splat(0.0) };
                    S::narrow(a.as_mut_ptr().add((at + k) * row + from), value);
                }
            }
        }
        at += count;
    }
}
