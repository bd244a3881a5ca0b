//! How the CPU cuts a convolution into work: blocks that fit a core's cache, jobs that are
//! independent of the number of threads, and the rows `a` that a block's products read.
//!
//! A long layer's block is a range of windows of one clip, read as one slab of input rows that the
//! taps share (row l is the `taps · cin` values from row `l · stride` on). A short layer's block is
//! some whole clips, and every position gets a row of its own.

use std::ops::Range;

use super::bf16::Element;
use super::conv::Conv;
use super::jobs::{jobs, share};
use super::reader::Reader;

/// Positions that a block aims at: six register tiles of AVX-512.
const ROWS: usize = 84;
/// Layers shorter than this are cut into groups of clips.
const SHORT: usize = 64;
/// Positions that a group of clips aims at, and its most clips.
const SHORT_ROWS: usize = 42;
const SHORT_CLIPS: usize = 12;

/// How a convolution is cut. Decided by its shape alone.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Windows a block if long; clips a block if short.
    each: usize,
    pub short: bool,
    pub blocks: usize,
    pub jobs: usize,
    per_clip: usize,
}

/// A block: positions of z of some clips.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub clips: Range<usize>,
    pub windows: Range<usize>,
    pub positions: Range<usize>,
    /// Whether it is the last of its clip: it then owns what lies behind as well.
    pub last: bool,
}

impl Cut {
    pub fn of(conv: &Conv) -> Cut {
        let windows = conv.windows;
        let short = windows.length < SHORT;
        let (each, per_clip, blocks) = if short {
            let each = (SHORT_ROWS / windows.length).clamp(1, SHORT_CLIPS);
            (each, 1, conv.clips.div_ceil(each))
        } else {
            let each = (ROWS / windows.size).max(1);
            let per_clip = windows.count.div_ceil(each);
            (each, per_clip, per_clip * conv.clips)
        };
        Cut { each, short, blocks, jobs: jobs(conv, blocks), per_clip }
    }

    /// Blocks of job `j`, in order.
    pub fn job(&self, j: usize) -> Range<usize> {
        share(self.blocks, self.jobs, j)
    }

    pub fn block(&self, conv: &Conv, b: usize) -> Block {
        let w = conv.windows;
        if self.short {
            let clips = b * self.each..((b + 1) * self.each).min(conv.clips);
            return Block { clips, windows: 0..w.count, positions: 0..w.length, last: true };
        }
        let (clip, i) = (b / self.per_clip, b % self.per_clip);
        let windows = i * self.each..((i + 1) * self.each).min(w.count);
        let last = windows.end == w.count;
        // Positions in no window belong to the last block.
        let end = if last { w.length } else { w.positions(windows.end - 1).end };
        Block { clips: clip..clip + 1, positions: w.positions(windows.start).start..end, windows, last }
    }

    /// The most positions a block has.
    pub fn rows(&self, conv: &Conv) -> usize {
        let w = conv.windows;
        if self.short { self.each.min(conv.clips) * w.length } else { (self.each * w.size + w.size - 1).min(w.length) }
    }

    /// f32 values that [`gather`] writes at most.
    pub fn gathered(&self, conv: &Conv) -> usize {
        let rows = self.rows(conv);
        if self.short { rows * conv.taps * conv.cin } else { ((rows - 1) * conv.stride + conv.taps) * conv.cin }
    }

    /// Values from one row to the next of what [`gather`] writes.
    pub fn row_stride(&self, conv: &Conv) -> usize {
        if self.short { conv.taps * conv.cin } else { conv.stride * conv.cin }
    }
}

/// Makes the rows that a block's products read: row of position l, from `Cut::row_stride` times its
/// place in the block on, holds `taps · cin` values. Padding reads 0.
#[inline(always)]
pub fn gather<E: Element>(reader: &Reader<E>, conv: &Conv, cut: &Cut, block: &Block, rows: &mut [f32]) {
    let c = conv.cin;
    let first = |l: usize| (l * conv.stride) as isize - conv.padding[0] as isize;
    if !cut.short {
        let clip = block.clips.start;
        let start = first(block.positions.start);
        let count = (block.positions.len() - 1) * conv.stride + conv.taps;
        for (i, row) in rows[..count * c].chunks_exact_mut(c).enumerate() {
            reader.row_or_zeros(clip, start + i as isize, conv, row);
        }
        return;
    }
    let mut rows = rows.chunks_exact_mut(c);
    for clip in block.clips.clone() {
        for l in block.positions.clone() {
            for k in 0..conv.taps {
                let row = rows.next().expect("room for every tap of every position");
                reader.row_or_zeros(clip, first(l) + k as isize, conv, row);
            }
        }
    }
}
