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

/// Whether the CPU takes a layer this way. The choice's `OUTPUTS` of 1 turns it off.
pub fn applies(conv: &Conv, choice: &Choice) -> bool {
    choice.is_native()
        && choice.tile("OUTPUTS", OUTPUTS as u32) == OUTPUTS as u32
        && (conv.taps, conv.stride) == (3, 1)
        && (conv.windows.size == OUTPUTS || conv.unpooled())
        && conv.cin > 1
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

    /// Whether `t` is its clip's last tile.
    pub fn is_last(&self, t: usize) -> bool {
        t + 1 == self.tiles
    }
}

/// Row `r` of plane `i`, of planes that are `plane` values apart.
fn row(values: &[f32], plane: usize, i: usize, r: usize, length: usize) -> &[f32] {
    &values[i * plane + r * length..][..length]
}

/// The same row of all five planes, to be written.
fn rows(values: &mut [f32], plane: usize, r: usize, length: usize) -> [&mut [f32]; PRODUCTS] {
    let mut planes = values.chunks_mut(plane);
    std::array::from_fn(|_| &mut planes.next().expect("five planes")[r * length..][..length])
}

/// V = Bᵀ a `[product, tile, cin]` of a block's tiles; `ring` is room for five rows of `a`.
#[inline(always)]
pub fn transform_input(reader: &Reader, conv: &Conv, cut: &Cut, block: &Block, ring: &mut [f32], v: &mut [f32]) {
    let c = conv.cin;
    let plane = block.rows() * c;
    let v = &mut v[..PRODUCTS * plane];
    let mut tile = 0;
    for clip in block.clips.clone() {
        let first = cut.input(conv, block.tiles.start);
        for k in 0..2 {
            reader.row_or_zeros(clip, first + k as isize, conv, &mut ring[k % PRODUCTS * c..][..c]);
        }
        for t in 0..block.tiles.len() {
            // Two of its five inputs are the tile's before.
            let at = OUTPUTS * t;
            for k in at + 2..at + PRODUCTS {
                reader.row_or_zeros(clip, first + k as isize, conv, &mut ring[k % PRODUCTS * c..][..c]);
            }
            let [d0, d1, d2, d3, d4] = [0, 1, 2, 3, 4].map(|k| &ring[(at + k) % PRODUCTS * c..][..c]);
            let [v0, v1, v2, v3, v4] = rows(v, plane, tile, c);
            for i in 0..c {
                let (d1, d2, d3) = (d1[i], d2[i], d3[i]);
                v0[i] = (d0[i] - d2) + 0.5 * (d3 - d1);
                v1[i] = d1 + 0.5 * (d2 - d3);
                v2[i] = d2 - (2.0 / 3.0 * d1 + 1.0 / 3.0 * d3);
                v3[i] = d3 - d1;
                v4[i] = (d1 - d3) + 0.5 * (d4[i] - d2);
            }
            tile += 1;
        }
    }
}

/// z = Aᵀ M of tile `r`: three rows, one after the other in `z`. M's planes are `plane` values apart.
#[inline(always)]
pub fn transform_output(m: &[f32], plane: usize, r: usize, width: usize, z: &mut [f32]) {
    let [m0, m1, m2, m3, m4] = [0, 1, 2, 3, 4].map(|i| row(m, plane, i, r, width));
    let (z0, z) = z.split_at_mut(width);
    let (z1, z2) = z.split_at_mut(width);
    let z2 = &mut z2[..width];
    for i in 0..width {
        let (sum, difference) = (m1[i] + m2[i], m1[i] - m2[i]);
        z0[i] = (m0[i] + m3[i]) + sum;
        z1[i] = difference + 2.0 * m3[i];
        z2[i] = (sum + m4[i]) + 4.0 * m3[i];
    }
}

/// dM = A dz of tile `r` from its three rows of dz.
#[inline(always)]
pub fn transform_gradient(dz: &[f32], length: usize, dm: &mut [f32], plane: usize, r: usize) {
    let [d0, d1, d2] = [0, 1, 2].map(|j| &dz[j * length..][..length]);
    let [m0, m1, m2, m3, m4] = rows(dm, plane, r, length);
    for i in 0..length {
        let (d0, d1, d2) = (d0[i], d1[i], d2[i]);
        m0[i] = d0;
        m1[i] = (d0 + d2) + d1;
        m2[i] = (d0 + d2) - d1;
        m3[i] = (d0 + 4.0 * d2) + 2.0 * d1;
        m4[i] = d2;
    }
}

/// da = B dV of tile `r`: `da` holds three rows that are finished with it, and takes their place's
/// two that the next tile adds to behind them: rows 0 and 1 come in with what the tile before gave.
#[inline(always)]
pub fn transform_input_gradient(dv: &[f32], plane: usize, r: usize, width: usize, da: &mut [f32]) {
    let [v0, v1, v2, v3, v4] = [0, 1, 2, 3, 4].map(|i| row(dv, plane, i, r, width));
    let mut parts = da[..PRODUCTS * width].chunks_exact_mut(width);
    let [a0, a1, a2, a3, a4] = std::array::from_fn(|_| parts.next().expect("five rows"));
    for i in 0..width {
        let (v0, v1, v2, v3, v4) = (v0[i], v1[i], v2[i], v3[i], v4[i]);
        a0[i] += v0;
        a1[i] += (v1 - 2.0 / 3.0 * v2) + (v4 - v3) - 0.5 * v0;
        a2[i] = (v2 - v0) + 0.5 * (v1 - v4);
        a3[i] = (v3 - v4) + 0.5 * (v0 - v1) - 1.0 / 3.0 * v2;
        a4[i] = 0.5 * v4;
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
