//! `conv_forward` in Rust by F(3,3) ([`winograd`](crate::kernels::winograd)). A block's V is made once;
//! then, a register tile at a time, the five products and what follows from them, z, its pooled values
//! and the statistics, while they are in the first cache.

use rayon::prelude::*;

use super::cpu::write_past;
use super::statistics::Statistics;
use super::{Arguments, ConvForward, Places};
use crate::kernels::blocks::Reader;
use crate::kernels::cpu::Shared;
use crate::kernels::pooling::replaces;
use crate::kernels::products::{Product, Simd, Work, heights, product};
use crate::kernels::winograd::{Block, Cut, OUTPUTS, PRODUCTS, transform_input, transform_output};

pub fn tiles(kernel: &ConvForward) -> usize {
    Cut::of(&kernel.conv).jobs
}

/// Room of a thread, in f32 values.
struct Room {
    /// Five rows of `a`.
    ring: usize,
    /// V of a block.
    v: usize,
    /// M of a register tile, and z made of it.
    m: usize,
    z: usize,
    statistics: usize,
}

fn room(kernel: &ConvForward) -> Room {
    let (conv, isa) = (&kernel.conv, kernel.choice.isa());
    let round = |n: usize| n.next_multiple_of(16);
    Room {
        ring: round(PRODUCTS * conv.cin),
        v: round(PRODUCTS * Cut::of(conv).rows() * conv.cin),
        m: round(PRODUCTS * isa.rows() * isa.width()),
        z: round(OUTPUTS * isa.rows() * isa.width()),
        statistics: round(conv.cout),
    }
}

pub fn workspace(kernel: &ConvForward) -> usize {
    let r = room(kernel);
    r.ring + r.v + r.m + r.z + 4 * r.statistics
}

pub fn run(kernel: &ConvForward, args: &Arguments) {
    let cut = Cut::of(&kernel.conv);
    (0..cut.jobs).into_par_iter().for_each(|job| kernel.choice.isa().run(Job { kernel, args, cut, job }));
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
        let conv = &kernel.conv;
        let Places { weights, gamma, z, p, partials } = kernel.places();
        let weights = args.read(weights);
        let out =
            Out { kernel, cut, gamma: gamma.map(|g| args.read(g)), z: z.map(|z| args.write(z)), p: p.map(|p| args.write(p)) };
        let reader = Reader::new(&kernel.source, args);
        let room = room(kernel);
        let width = S::LANES * S::VECTORS;
        // SAFETY: once a task.
        let space = unsafe { args.workspace() };
        let (ring, space) = space.split_at_mut(room.ring);
        let (v, space) = space.split_at_mut(room.v);
        let (m, space) = space.split_at_mut(room.m);
        let (z, space) = space.split_at_mut(room.z);
        let mut statistics = Statistics::new(space, conv.cout, room.statistics);
        for b in cut.job(job) {
            let block = cut.block(conv, b);
            let rows = block.rows();
            transform_input(&reader, conv, &cut, &block, ring, v);
            let mut positions = 0;
            for n in 0..conv.cout.div_ceil(width) {
                let channels = n * width..((n + 1) * width).min(conv.cout);
                positions = 0;
                for some in heights::<S>(rows) {
                    for i in 0..PRODUCTS {
                        // SAFETY: sizes as `room` has them; the packed panels are `[panel, product, cin, width]`.
                        unsafe {
                            product::<S>(&Product {
                                rows: some.len(),
                                depth: conv.cin,
                                panels: 1,
                                a: v[(i * rows + some.start) * conv.cin..].as_ptr(),
                                a_row: conv.cin,
                                a_depth: 1,
                                b: weights[(n * PRODUCTS + i) * conv.cin * width..].as_ptr(),
                                b_panel: 0,
                                b_depth: width,
                                c: m[i * S::ROWS * width..].as_mut_ptr(),
                                c_row: width,
                                accumulate: false,
                            });
                        }
                    }
                    let mut made = 0;
                    for (r, tile) in some.enumerate() {
                        transform_output(m, S::ROWS * width, r, width, &mut z[made * width..]);
                        // SAFETY: every tile is one task's.
                        made += unsafe { out.finish::<S>(&block, tile, n * width, channels.len(), &mut z[made * width..]) };
                    }
                    if partials.is_some() {
                        statistics.add(channels.clone(), positions, &z[..made * width], width);
                    }
                    positions += made;
                }
            }
            statistics.advance(positions);
        }
        if let Some(partials) = partials {
            let c = conv.cout;
            // SAFETY: a job owns its tile.
            statistics.write(unsafe { args.write(partials).range(job * 3 * c..(job + 1) * 3 * c) });
        }
        // SAFETY: orders the streaming stores before the job's end is seen.
        unsafe { S::fence() };
    }
}

/// Where a tile's outputs go.
struct Out<'a, 'b> {
    kernel: &'a ConvForward,
    cut: Cut,
    gamma: Option<&'b [f32]>,
    z: Option<Shared<'b, f32>>,
    p: Option<Shared<'b, f32>>,
}

impl Out<'_, '_> {
    /// Writes `channels` channels, from `from` on, of tile `row` of the block: its three rows of z,
    /// those outside the layer dropped, and what is pooled of them. Gives the number of real rows,
    /// which lie at the beginning of `rows` then.
    ///
    /// # Safety
    /// The tile's positions and window are this task's alone.
    #[inline(always)]
    unsafe fn finish<S: Simd>(&self, block: &Block, row: usize, from: usize, channels: usize, rows: &mut [f32]) -> usize {
        let (conv, c) = (&self.kernel.conv, self.kernel.conv.cout);
        let width = S::LANES * S::VECTORS;
        let (clip, tile) = (block.clips.start + row / block.tiles.len(), block.tiles.start + row % block.tiles.len());
        let begin = self.cut.position(tile);
        let real = begin.max(0) as usize..((begin + OUTPUTS as isize) as usize).min(conv.length());
        if begin < 0 {
            rows.copy_within((-begin) as usize * width..OUTPUTS * width, 0);
        }
        let rows = &rows[..OUTPUTS * width];
        if let Some(z) = &self.z {
            for (row, l) in rows.chunks_exact(width).zip(real.clone()) {
                let at = (clip * conv.length() + l) * c + from;
                // SAFETY: the caller's promise.
                unsafe { write_past::<S>(z.range(at..at + channels), &row[..channels]) };
            }
        }
        if let (Some(p), Some(gamma)) = (&self.p, self.gamma)
            && tile < conv.windows.count
        {
            let gamma = &gamma[from..from + channels];
            let mut held = [0.0f32; 64];
            let held = &mut held[..channels];
            held.copy_from_slice(&rows[..channels]);
            for row in rows.chunks_exact(width).take(real.len()).skip(1) {
                let row = &row[..channels];
                for i in 0..channels {
                    held[i] = if replaces(row[i], held[i], gamma[i]) { row[i] } else { held[i] };
                }
            }
            let at = (clip * conv.windows.count + tile) * c + from;
            // SAFETY: the caller's promise.
            unsafe { write_past::<S>(p.range(at..at + channels), held) };
        }
        real.len()
    }
}
