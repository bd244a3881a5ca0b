//! How the CPU cuts a layer into tiles of three outputs, tiles into blocks that fit a core's cache, and
//! blocks into jobs.

use std::ops::Range;

use super::{OUTPUTS, PRODUCTS};
use crate::kernels::conv::Conv;
use crate::kernels::jobs::{jobs, share};

/// Tiles that a block aims at, less one: the gradient of a block's input needs the tile before too,
/// and 42 are three register tiles of AVX-512.
const TILES: usize = 41;
/// Values that the parts of a layer's dU take together at most, unless two jobs already take more; of a direct product's dw
/// less.
const PARTS: usize = 6 << 20;

/// How a layer is cut: tiles into blocks that fit a core's cache, blocks into jobs. Decided by its
/// shape alone.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Tiles a clip.
    tiles: usize,
    /// Positions by which tile 0 begins before position 0.
    left: usize,
    /// Blocks a clip, or 0: blocks of `clips` whole clips.
    per_clip: usize,
    clips: usize,
    pub blocks: usize,
    pub jobs: usize,
}

/// A block: tiles of some clips.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub clips: Range<usize>,
    pub tiles: Range<usize>,
}

impl Block {
    /// Tiles in it, clip after clip.
    pub fn rows(&self) -> usize {
        self.clips.len() * self.tiles.len()
    }

    /// (clip, tile) of row `r`.
    #[inline(always)]
    pub fn place(&self, r: usize) -> (usize, usize) {
        (self.clips.start + r / self.tiles.len(), self.tiles.start + r % self.tiles.len())
    }

    /// Whether a tile of its clip comes before.
    pub fn follows(&self) -> bool {
        self.tiles.start > 0
    }
}

impl Cut {
    pub fn of(conv: &Conv) -> Cut {
        let left = if conv.unpooled() { 0 } else { conv.windows.left };
        let tiles = (conv.length() + left).div_ceil(OUTPUTS);
        let (per_clip, clips, blocks) = if tiles > TILES {
            let per_clip = tiles.div_ceil(TILES);
            (per_clip, 1, per_clip * conv.clips)
        } else {
            let clips = (TILES / tiles).min(conv.clips);
            (0, clips, conv.clips.div_ceil(clips))
        };
        let jobs = jobs(conv, blocks).min((PARTS / (PRODUCTS * conv.cin * conv.cout)).max(2));
        Cut { tiles, left, per_clip, clips, blocks, jobs }
    }

    /// Blocks of job `j`, in order.
    pub fn job(&self, j: usize) -> Range<usize> {
        share(self.blocks, self.jobs, j)
    }

    pub fn block(&self, conv: &Conv, b: usize) -> Block {
        if self.per_clip == 0 {
            return Block { clips: b * self.clips..((b + 1) * self.clips).min(conv.clips), tiles: 0..self.tiles };
        }
        let (clip, i) = (b / self.per_clip, b % self.per_clip);
        Block { clips: clip..clip + 1, tiles: self.tiles * i / self.per_clip..self.tiles * (i + 1) / self.per_clip }
    }

    /// The most tiles a block has.
    pub fn rows(&self) -> usize {
        if self.per_clip == 0 { self.clips * self.tiles } else { self.tiles.div_ceil(self.per_clip) }
    }

    /// The most positions a block has, three a tile and `more` a clip.
    pub fn positions(&self, more: usize) -> usize {
        let (clips, tiles) = if self.per_clip == 0 { (self.clips, self.tiles) } else { (1, self.rows()) };
        clips * (OUTPUTS * tiles + more)
    }

    /// Where tile `t`'s outputs begin; its first ones may lie before 0, its last ones behind the end.
    pub fn position(&self, t: usize) -> isize {
        (OUTPUTS * t) as isize - self.left as isize
    }

    /// Where the inputs that tile `t` reads begin.
    pub fn input(&self, conv: &Conv, t: usize) -> isize {
        self.position(t) - conv.padding[0] as isize
    }

    /// Which of tile `t`'s outputs are positions of the layer.
    pub fn real(&self, conv: &Conv, t: usize) -> Range<usize> {
        let begin = self.position(t);
        (-begin).max(0) as usize..OUTPUTS.min((conv.length() as isize - begin) as usize)
    }

    /// Whether `t` is its clip's last tile.
    pub fn is_last(&self, t: usize) -> bool {
        t + 1 == self.tiles
    }
}
