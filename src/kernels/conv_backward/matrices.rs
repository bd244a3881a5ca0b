//! `conv_backward` in Rust by direct products of pairs of bf16 on a matrix unit: one pass over z, p, dy and what the layer
//! reads. A block makes `a` once, turned over, a row a channel, so that another tap is the same rows begun a position
//! later; and dz in both orders that the products need, by positions and by pairs of them. Then both products, and the
//! input's gradient ends with the mask and the sums of the layer below.

use rayon::prelude::*;

use super::below::{Below, Gradients};
use super::dz::Dz;
use super::matrix_operands::{MORE, Rows, given, make_dz, make_pairs, turn};
use super::{Arguments, ConvBackward};
use crate::kernels::bf16::Bf16;
use crate::kernels::products::{COLUMNS, MOST_ROWS, Matrices, SIDE, Simd, Work, matrix_product};
use crate::kernels::reader::Reader;
use crate::kernels::winograd::{Cut, OUTPUTS, PRODUCTS};

pub fn tiles(kernel: &ConvBackward) -> usize {
    Cut::of(&kernel.conv).jobs
}

/// Values of a job's part of dw: `[tap, cin, cout]`, both filled up.
fn part(kernel: &ConvBackward) -> usize {
    let rows = Rows::of(&kernel.conv);
    kernel.conv.taps * rows.cin * rows.cout
}

pub fn weight_parts(kernel: &ConvBackward) -> usize {
    let c = &kernel.conv;
    (tiles(kernel) * part(kernel)).div_ceil(c.taps * c.cin * c.cout)
}

/// Workspace of a thread, in f32 values.
struct Workspace {
    /// `a` by pairs of positions, `[pair, cin]`, and turned over, `[cin, pair]`.
    pairs: usize,
    turned: usize,
    /// dz in bf16 by positions, `[position, cout]`, and by pairs of them.
    dz: usize,
    dz_pairs: usize,
    /// Three rows of dz, and room to make them, where a tile is no whole window; of two tiles.
    rows: usize,
    /// da of a block, a panel of channels.
    da: usize,
    /// The sums of the layer below: a job's and a block's.
    sums: usize,
}

fn sizes(kernel: &ConvBackward) -> Workspace {
    let conv = &kernel.conv;
    let rows = Rows::of(conv);
    // The product's last rows are filled up: they read what is no row, and nobody reads them.
    let positions = Cut::of(conv).positions(2 * MORE).next_multiple_of(SIDE);
    Workspace {
        pairs: rows.pairs() * rows.cin,
        turned: rows.cin * rows.turned,
        dz: (positions + MORE) * rows.cout / 2,
        dz_pairs: rows.pairs() * rows.cout,
        rows: 2 * ((OUTPUTS + 1) * rows.cout).next_multiple_of(16),
        da: positions * COLUMNS,
        sums: (kernel.sums() * conv.cin).next_multiple_of(16),
    }
}

pub fn workspace(kernel: &ConvBackward) -> usize {
    let r = sizes(kernel);
    r.pairs + r.turned + r.dz + r.dz_pairs + r.rows + r.da + 2 * r.sums
}

pub fn run(kernel: &ConvBackward, args: &Arguments) {
    let cut = Cut::of(&kernel.conv);
    (0..cut.jobs).into_par_iter().for_each(|job| kernel.choice.isa().run(Job { kernel, args, cut, job }));
    join_weights(kernel, args, cut.jobs);
}

/// dw, the jobs' parts added in their order: the same bits on any number of threads.
fn join_weights(kernel: &ConvBackward, args: &Arguments, jobs: usize) {
    let (conv, at) = (&kernel.conv, kernel.places());
    let (parts, out) = (args.write(at.weight_partials), args.write(at.weights_gradient));
    let (c, rows, each) = (conv.cout, Rows::of(conv), part(kernel));
    (0..conv.taps * conv.cin).into_par_iter().with_min_len(16).for_each(|row| {
        let (tap, channel) = (row / conv.cin, row % conv.cin);
        // SAFETY: rows are disjoint.
        let sum = unsafe { out.range(row * c..(row + 1) * c) };
        for job in 0..jobs {
            let start = job * each + (tap * rows.cin + channel) * rows.cout;
            // SAFETY: nobody writes the parts any more.
            let part = unsafe { parts.range(start..start + c) };
            if job == 0 {
                sum.copy_from_slice(part);
            } else {
                sum.iter_mut().zip(part).for_each(|(sum, v)| *sum += *v);
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
        let (conv, isa, at) = (&kernel.conv, kernel.choice.isa(), kernel.places());
        let reader = Reader::<Bf16>::new(&kernel.source, conv, args);
        assert!(S::LANES * S::VECTORS == COLUMNS, "what follows a product is a panel's");
        let (sizes, rows) = (sizes(kernel), Rows::of(conv));
        // SAFETY: once a task.
        let space = unsafe { args.workspace() };
        let (pairs, space) = space.split_at_mut(sizes.pairs);
        let (turned, space) = space.split_at_mut(sizes.turned);
        let (dz, space) = space.split_at_mut(sizes.dz);
        let (dz_pairs, space) = space.split_at_mut(sizes.dz_pairs);
        let (room, space) = space.split_at_mut(sizes.rows);
        let (da, space) = space.split_at_mut(sizes.da);
        let (sums, space) = space.split_at_mut(sizes.sums);
        let block_sums = &mut space[..sizes.sums];
        let dz: &mut [Bf16] = bytemuck::cast_slice_mut(dz);
        sums.fill(0.0);
        // Read by the last tap behind the last position, where dz is 0: any number will do, but it must be one.
        turned.fill(0.0);

        let weights = args.read(at.weights.expect("layers on a wave are done directly"));
        let each = part(kernel);
        // SAFETY: a job owns its part.
        let part = unsafe { args.write(at.weight_partials).range(job * each..(job + 1) * each) };
        let maker = Dz::<Bf16>::new(conv, args, &at);
        let below = Below { conv, reader: &reader, dy: at.below_dy.map(|p| args.share(p)) };
        for (b, first_block) in cut.job(job).zip(std::iter::once(true).chain(std::iter::repeat(false))) {
            let block = cut.block(conv, b);
            // SAFETY: as `sizes` says.
            let depth = unsafe {
                let depth = make_pairs::<S>(&reader, conv, &cut, &block, rows, pairs);
                turn::<S>(pairs, depth, rows, turned);
                make_dz::<S>(&maker, conv, &cut, &block, rows, room, dz, dz_pairs);
                depth
            };
            let mut product = Matrices {
                taps: conv.taps,
                rows: rows.cin,
                depth,
                panels: rows.cout / COLUMNS,
                a: bytemuck::cast_slice(turned),
                a_row: 2 * rows.turned,
                b: dz_pairs,
                b_panel: COLUMNS,
                b_depth: rows.cout,
                c: part,
                c_row: rows.cout,
                c_tap: rows.cin * rows.cout,
                accumulate: !first_block,
            };
            // SAFETY: the caller has the instructions.
            unsafe { matrix_product(isa, &mut product) };

            block_sums.fill(0.0);
            let (tiles, each) = (block.tiles.len(), given(&cut, &block) + MORE);
            for n in 0..conv.cin.div_ceil(COLUMNS) {
                let depth = conv.taps * rows.cout / 2;
                let mut product = Matrices {
                    taps: 1,
                    rows: (block.clips.len() * each - MORE).next_multiple_of(SIDE),
                    depth,
                    panels: 1,
                    a: dz,
                    a_row: rows.cout,
                    b: &weights[n * depth * COLUMNS..],
                    b_panel: 0,
                    b_depth: COLUMNS,
                    c: da,
                    c_row: COLUMNS,
                    c_tap: 0,
                    accumulate: false,
                };
                // SAFETY: as above; the packed panels are `[panel, tap, filled / 2, COLUMNS]` of pairs.
                unsafe { matrix_product(isa, &mut product) };
                for from in (0..block.rows()).step_by(MOST_ROWS) {
                    let some = from..block.rows().min(from + MOST_ROWS);
                    // SAFETY: every input is given away by one tile.
                    unsafe {
                        let mut made = Made { da, tiles, each, channel: 0 };
                        below.finish_tiles::<S>(&cut, &block, some, 0, n * COLUMNS, &mut made, block_sums);
                    }
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

/// da of a block, a panel of channels: `each` rows a clip, three a tile.
struct Made<'a> {
    da: &'a [f32],
    tiles: usize,
    each: usize,
    channel: usize,
}

impl<S: Simd> Gradients<S> for Made<'_> {
    #[inline(always)]
    unsafe fn begin(&mut self, channel: usize) {
        self.channel = channel;
    }

    #[inline(always)]
    unsafe fn next(&mut self, row: usize, last: bool) -> [S::V; PRODUCTS] {
        let at = row / self.tiles * self.each + OUTPUTS * (row % self.tiles);
        // SAFETY: the caller's promise.
        unsafe {
            let da = self.da.as_ptr().add(at * COLUMNS + self.channel);
            let mut values = [S::splat(0.0); PRODUCTS];
            for (k, v) in values.iter_mut().enumerate() {
                if k < OUTPUTS || last {
                    *v = S::load(da.add(k * COLUMNS));
                }
            }
            values
        }
    }

    #[inline(always)]
    unsafe fn end(&mut self) {}
}
