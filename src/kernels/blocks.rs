//! How the CPU cuts a convolution into work: blocks that fit a core's cache, jobs that are
//! independent of the number of threads, and the rows `a` that a block's products read.
//!
//! A long layer's block is a range of windows of one clip, read as one slab of input rows that the
//! taps share (row l is the `taps · cin` values from row `l · stride` on). A short layer's block is
//! some whole clips, and every position gets a row of its own.

use std::ops::Range;

use super::conv::{Conv, Source, norm};
use super::cpu::Arguments;
use crate::network::MOST_FIRST_TAPS;

/// Positions that a block aims at: six register tiles of AVX-512.
const ROWS: usize = 84;
/// Layers shorter than this are cut into groups of clips.
const SHORT: usize = 64;
/// Positions that a group of clips aims at, and its most clips.
const SHORT_ROWS: usize = 42;
const SHORT_CLIPS: usize = 12;
/// Operations that make a job worth its part of the weights' gradient.
const JOB_FLOPS: u64 = 64 << 20;
const JOBS: usize = 64;

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
        let jobs = usize::try_from(conv.product_flops() / JOB_FLOPS).unwrap_or(JOBS).clamp(2, JOBS).min(blocks);
        Cut { each, short, blocks, jobs, per_clip }
    }

    /// Blocks of job `j`, in order.
    pub fn job(&self, j: usize) -> Range<usize> {
        self.blocks * j / self.jobs..self.blocks * (j + 1) / self.jobs
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

/// What a convolution reads, with its operands in hand.
pub enum Reader<'a> {
    Wave {
        wave: &'a [i16],
        stride: usize,
    },
    FirstLayer {
        wave: &'a [i16],
        stride: usize,
        samples: usize,
        layer: &'a crate::network::Layer,
        weights: &'a [f32],
        norm: &'a [f32],
    },
    Below {
        below: &'a [f32],
        norm: &'a [f32],
    },
}

impl<'a> Reader<'a> {
    pub fn new(source: &'a Source, conv: &Conv, args: &Arguments<'a>) -> Reader<'a> {
        match source {
            Source::Wave { stride } => Reader::Wave { wave: args.samples(0), stride: *stride },
            Source::FirstLayer { layer, samples, stride } => Reader::FirstLayer {
                wave: args.samples(0),
                stride: *stride,
                samples: *samples,
                layer,
                weights: args.read(1),
                norm: args.read(2),
            },
            Source::Below => Reader::Below { below: args.read(0), norm: args.read(1) },
        }
        .checked(conv)
    }

    /// What is read by pointers is as long as the layer says.
    fn checked(self, conv: &Conv) -> Reader<'a> {
        let norms = 4 * conv.cin;
        match &self {
            Reader::Wave { wave, stride } => assert!(wave.len() == conv.clips * stride),
            Reader::FirstLayer { wave, stride, weights, norm, layer, .. } => {
                assert!(wave.len() == conv.clips * stride && norm.len() == norms && weights.len() == layer.kernel * conv.cin);
            }
            Reader::Below { below, norm } => {
                assert!(below.len() == conv.clips * conv.input * conv.cin && norm.len() == norms);
            }
        }
        self
    }

    /// The samples of layer 1's patch at position `j` of `clip`; padded ones are 0.
    #[inline(always)]
    pub fn patch(&self, clip: usize, j: usize, patch: &mut [f32]) {
        let Reader::FirstLayer { wave, stride, samples, layer, .. } = self else { return };
        let wave = &wave[clip * stride..clip * stride + samples];
        let start = (j * layer.stride) as isize - layer.padding[0] as isize;
        for (k, x) in patch.iter_mut().enumerate() {
            *x = wave.get((start + k as isize) as usize).map_or(0.0, |&s| f32::from(s) * (1.0 / 32768.0));
        }
    }

    /// Row `j` of `clip`: `cin` values after batch norm and ReLU. `j` is a real position.
    #[inline(always)]
    pub fn row(&self, clip: usize, j: usize, conv: &Conv, row: &mut [f32]) {
        self.part(clip, j, conv, 0, &mut row[..conv.cin]);
    }

    /// The same where `j` may lie in the padding, which reads 0.
    #[inline(always)]
    pub fn row_or_zeros(&self, clip: usize, j: isize, conv: &Conv, row: &mut [f32]) {
        if j >= 0 && (j as usize) < conv.input {
            self.row(clip, j as usize, conv, row);
        } else {
            row.fill(0.0);
        }
    }

    /// The channels from `from` on that `row` has room for.
    #[inline(always)]
    pub fn part(&self, clip: usize, j: usize, conv: &Conv, from: usize, row: &mut [f32]) {
        let n = row.len();
        match self {
            Reader::Wave { wave, stride } => row[0] = f32::from(wave[clip * stride + j]) * (1.0 / 32768.0),
            Reader::FirstLayer { layer, weights, norm, .. } => {
                let c = conv.cin;
                let mut patch = [0.0f32; MOST_FIRST_TAPS];
                let patch = &mut patch[..layer.kernel];
                self.patch(clip, j, patch);
                let (scale, shift) = (&norm[norm::SCALE * c + from..][..n], &norm[norm::SHIFT * c + from..][..n]);
                let row = &mut row[..n];
                if let [x0, x1, x2] = *patch {
                    // The released network's case, one pass over the channels.
                    let (w0, w1, w2) = (&weights[from..][..n], &weights[c + from..][..n], &weights[2 * c + from..][..n]);
                    for i in 0..n {
                        let z = x0 * w0[i] + x1 * w1[i] + x2 * w2[i];
                        row[i] = (scale[i] * z + shift[i]).max(0.0);
                    }
                } else {
                    row.fill(0.0);
                    for (x, w) in patch.iter().zip(weights.chunks_exact(c)) {
                        let w = &w[from..][..n];
                        for i in 0..n {
                            row[i] += x * w[i];
                        }
                    }
                    for i in 0..n {
                        row[i] = (scale[i] * row[i] + shift[i]).max(0.0);
                    }
                }
            }
            Reader::Below { below, norm } => {
                let c = conv.cin;
                let p = &below[(clip * conv.input + j) * c + from..][..n];
                let (scale, shift) = (&norm[norm::SCALE * c + from..][..n], &norm[norm::SHIFT * c + from..][..n]);
                let row = &mut row[..n];
                for i in 0..n {
                    row[i] = (scale[i] * p[i] + shift[i]).max(0.0);
                }
            }
        }
    }
}

/// Makes the rows that a block's products read: row of position l, from `Cut::row_stride` times its
/// place in the block on, holds `taps · cin` values. Padding reads 0.
#[inline(always)]
pub fn gather(reader: &Reader, conv: &Conv, cut: &Cut, block: &Block, rows: &mut [f32]) {
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
