//! Three outputs of a kernel-3 convolution by five products instead of nine: Toom and Cook's F(3,3)
//! on the points 0, 1, −1, 2, ∞, known as a Winograd convolution (`algebra.md`, 5).
//!
//! ```text
//! forward    U = G w     V = Bᵀ a     M = V U                   z = Aᵀ M
//! backward   dM = A dz   dU = Vᵀ dM   dV = dM Uᵀ   dw = Gᵀ dU   da = B dV, overlaps added
//! ```
//!
//! A tile is three outputs: the pooling window, where there is pooling. This file has the five
//! matrices, and how the CPU cuts a layer into tiles; the rooms have the products.

use std::ops::Range;

use super::Choice;
use super::blocks::Reader;
use super::conv::Conv;
use super::products::Simd;
use super::tile_inputs::TileInputs;

/// The tile size of the CPU's families: outputs of a convolution that are computed together, 1 (direct
/// products) or 3.
pub const SIZE: &str = "OUTPUTS";
/// Channels of a wide layer.
const WIDE: usize = 32;
/// Outputs of a tile.
pub const OUTPUTS: usize = 3;
/// Products of a tile, and inputs that it reads.
pub const PRODUCTS: usize = 5;
/// Tiles that a block aims at, less one: the gradient of a block's input needs the tile before too,
/// and 42 are three register tiles of AVX-512.
const TILES: usize = 41;
/// Operations that make a job worth its part of the weights' gradient.
const JOB_FLOPS: u64 = 64 << 20;
const JOBS: usize = 64;
/// Values that the parts of a layer's dU may take together.
const PARTS: usize = 6 << 20;

/// Whether the CPU takes a layer this way: where its shape allows, and the choice's tile size
/// [`SIZE`], the outputs of a tile, is 3. Where the choice does not say: layers at least as wide as a
/// register tile; in narrower ones the transforms, which F(3,3) shares among the channels, cost what the
/// products save, and few terms do not average their rounding away.
pub fn applies(conv: &Conv, choice: &Choice) -> bool {
    let fits = (conv.taps, conv.stride) == (3, 1) && (conv.windows.size == OUTPUTS || conv.unpooled()) && conv.cin > 1;
    let outputs = match choice.tiles.get(SIZE) {
        Some(&outputs) => outputs as usize,
        None if conv.cin.min(conv.cout) >= WIDE => OUTPUTS,
        None => 1,
    };
    choice.is_native() && fits && outputs == OUTPUTS
}

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
        let worth = usize::try_from(conv.product_flops() / JOB_FLOPS).unwrap_or(JOBS);
        let most = JOBS.min(PARTS / (PRODUCTS * conv.cin * conv.cout)).max(2);
        Cut { tiles, left, per_clip, clips, blocks, jobs: worth.clamp(2, most).min(blocks) }
    }

    /// Blocks of job `j`, in order.
    pub fn job(&self, j: usize) -> Range<usize> {
        self.blocks * j / self.jobs..self.blocks * (j + 1) / self.jobs
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

/// V = Bᵀ a `[product, tile, cin]` of a block's tiles.
///
/// # Safety
/// The processor has `S`'s instructions; `v` has room for them.
#[inline(always)]
pub unsafe fn transform_inputs<S: Simd>(reader: &Reader, conv: &Conv, cut: &Cut, block: &Block, v: &mut [f32]) {
    let c = conv.cin;
    let plane = block.rows() * c;
    assert!(v.len() >= PRODUCTS * plane);
    for row in 0..block.rows() {
        let (clip, tile) = block.place(row);
        let inputs = TileInputs::new(reader, conv, clip, cut.input(conv, tile));
        for from in (0..c).step_by(S::LANES) {
            let n = S::LANES.min(c - from);
            // SAFETY: the caller's promise; these are channels of `row`.
            unsafe {
                let mut d = [S::splat(0.0); PRODUCTS];
                for (k, d) in d.iter_mut().enumerate() {
                    *d = inputs.activation::<S>(k, from, n);
                }
                for (i, value) in input::<S>(d).into_iter().enumerate() {
                    S::store_some(v.as_mut_ptr().add(i * plane + row * c + from), value, n);
                }
            }
        }
    }
}

/// Bᵀ d.
///
/// # Safety
/// The processor has `S`'s instructions, here and below.
#[inline(always)]
pub unsafe fn input<S: Simd>([d0, d1, d2, d3, d4]: [S::V; PRODUCTS]) -> [S::V; PRODUCTS] {
    unsafe {
        let half = S::splat(0.5);
        [
            S::fma(half, S::sub(d3, d1), S::sub(d0, d2)),
            S::fma(half, S::sub(d2, d3), d1),
            S::fma(S::splat(-1.0 / 3.0), d3, S::fma(S::splat(-2.0 / 3.0), d1, d2)),
            S::sub(d3, d1),
            S::fma(half, S::sub(d4, d2), S::sub(d1, d3)),
        ]
    }
}

/// Aᵀ m.
///
/// # Safety
/// As [`input`].
#[inline(always)]
pub unsafe fn output<S: Simd>([m0, m1, m2, m3, m4]: [S::V; PRODUCTS]) -> [S::V; OUTPUTS] {
    unsafe {
        let sum = S::add(m1, m2);
        [S::add(S::add(m0, m3), sum), S::fma(S::splat(2.0), m3, S::sub(m1, m2)), S::fma(S::splat(4.0), m3, S::add(sum, m4))]
    }
}

/// A d.
///
/// # Safety
/// As [`input`].
#[inline(always)]
pub unsafe fn output_gradient<S: Simd>([d0, d1, d2]: [S::V; OUTPUTS]) -> [S::V; PRODUCTS] {
    unsafe {
        let sum = S::add(d0, d2);
        [d0, S::add(sum, d1), S::sub(sum, d1), S::fma(S::splat(2.0), d1, S::fma(S::splat(4.0), d2, d0)), d2]
    }
}

/// B v.
///
/// # Safety
/// As [`input`].
#[inline(always)]
pub unsafe fn input_gradient<S: Simd>([v0, v1, v2, v3, v4]: [S::V; PRODUCTS]) -> [S::V; PRODUCTS] {
    unsafe {
        let (half, difference) = (S::splat(0.5), S::sub(v3, v4));
        [
            v0,
            S::fma(S::splat(-0.5), v0, S::sub(S::fma(S::splat(-2.0 / 3.0), v2, v1), difference)),
            S::fma(half, S::sub(v1, v4), S::sub(v2, v0)),
            S::fma(S::splat(-1.0 / 3.0), v2, S::fma(half, S::sub(v0, v1), difference)),
            S::mul(half, v4),
        ]
    }
}

/// U = G w, of one weight's three taps.
#[inline(always)]
pub fn transform_weight([w0, w1, w2]: [f32; OUTPUTS]) -> [f32; PRODUCTS] {
    [w0, (w0 + w2) + w1, 0.5 * ((w0 + w2) - w1), 1.0 / 6.0 * w0 + (1.0 / 3.0 * w1 + 2.0 / 3.0 * w2), 2.0 * w2]
}

/// dw = Gᵀ dU, of one weight.
#[inline(always)]
pub fn transform_weight_gradient([u0, u1, u2, u3, u4]: [f32; PRODUCTS]) -> [f32; OUTPUTS] {
    [(u0 + u1) + (0.5 * u2 + 1.0 / 6.0 * u3), (u1 - 0.5 * u2) + 1.0 / 3.0 * u3, (u1 + 0.5 * u2) + (2.0 / 3.0 * u3 + 2.0 * u4)]
}
