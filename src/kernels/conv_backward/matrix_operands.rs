//! What the products of `matrices.rs` multiply, made of one block in bf16: `a` by pairs of positions and turned over, dz by
//! positions and by pairs of them.

use super::dz::{Dz, Tile};
use crate::kernels::bf16::Bf16;
use crate::kernels::conv::Conv;
use crate::kernels::pack_weights::filled;
use crate::kernels::products::{SIDE, Simd};
use crate::kernels::reader::Reader;
use crate::kernels::winograd::{Block, Cut, OUTPUTS, PRODUCTS, TileInputs};

/// Positions of dz that reach into a block's inputs from before, and inputs that a clip's last ones reach behind.
pub const MORE: usize = PRODUCTS - OUTPUTS;

/// Lengths of rows, in values.
#[derive(Clone, Copy)]
pub struct Rows {
    /// Channels read, whole tiles of them.
    pub cin: usize,
    /// Channels of dz: whole panels, which are whole tiles of a sum, too.
    pub cout: usize,
    /// Positions of `a`, in pairs, whole tiles of them, and what the last tap reads behind.
    pub turned: usize,
}

impl Rows {
    pub fn of(conv: &Conv) -> Rows {
        let pairs = Cut::of(conv).positions(2 * MORE).div_ceil(2).next_multiple_of(SIDE);
        Rows { cin: conv.cin.next_multiple_of(SIDE), cout: filled(conv.cout), turned: pairs + SIDE }
    }

    /// Pairs that the weights' gradient sums over at most.
    pub fn pairs(&self) -> usize {
        self.turned - SIDE
    }
}

/// Inputs of a clip whose gradient a block gives away: three a tile, and those behind a clip's last.
pub fn given(cut: &Cut, block: &Block) -> usize {
    OUTPUTS * block.tiles.len() + if cut.is_last(block.tiles.end - 1) { MORE } else { 0 }
}

/// `a` of a block's inputs by pairs of positions, `[pair, rows.cin]`, an even number of positions a clip. Gives the
/// number of pairs, whole tiles of them, those behind the last filled with zeros.
///
/// # Safety
/// The processor has `S`'s instructions; `pairs` has room for them.
#[inline(always)]
pub unsafe fn make_pairs<S: Simd>(
    reader: &Reader<Bf16>,
    conv: &Conv,
    cut: &Cut,
    block: &Block,
    rows: Rows,
    pairs: &mut [f32],
) -> usize {
    let tiles = block.tiles.len();
    let each = (OUTPUTS * tiles + MORE).div_ceil(2);
    let depth = (block.clips.len() * each).next_multiple_of(SIDE);
    assert!(pairs.len() >= depth * rows.cin);
    let nothing = TileInputs::nowhere(reader, conv);
    for (i, clip) in block.clips.clone().enumerate() {
        // Two tiles are three pairs; behind the last tile come the inputs that its last outputs read.
        for t in (0..tiles + 1).step_by(2) {
            let first = block.tiles.start + if t < tiles { t } else { t - 1 };
            let low = TileInputs::new(reader, conv, clip, cut.input(conv, first));
            let high = if t + 1 < tiles { TileInputs::new(reader, conv, clip, cut.input(conv, first + 1)) } else { nothing };
            let at = i * each + t / 2 * 3;
            for from in (0..rows.cin).step_by(S::LANES) {
                let n = S::LANES.min(conv.cin - from);
                // SAFETY: the caller's promise; channels behind the last are zeros.
                unsafe {
                    let to = pairs.as_mut_ptr().add(at * rows.cin + from);
                    if t == tiles {
                        let [a, b] = [low.activation::<S>(OUTPUTS, from, n), low.activation::<S>(OUTPUTS + 1, from, n)];
                        S::store(to, S::pairs(a, b));
                        continue;
                    }
                    let a = [low.activation::<S>(0, from, n), low.activation::<S>(1, from, n), low.activation::<S>(2, from, n)];
                    let b = if t + 1 == tiles {
                        [low.activation::<S>(OUTPUTS, from, n), low.activation::<S>(OUTPUTS + 1, from, n), S::splat(0.0)]
                    } else {
                        [high.activation::<S>(0, from, n), high.activation::<S>(1, from, n), high.activation::<S>(2, from, n)]
                    };
                    S::store(to, S::pairs(a[0], a[1]));
                    S::store(to.add(rows.cin), S::pairs(a[2], b[0]));
                    S::store(to.add(2 * rows.cin), S::pairs(b[1], b[2]));
                }
            }
        }
    }
    pairs[block.clips.len() * each * rows.cin..depth * rows.cin].fill(0.0);
    depth
}

/// `[pair, rows.cin]` to `[channel, rows.turned]`, where a row holds the channel's positions side by side.
///
/// # Safety
/// The processor has `S`'s instructions; both have room for `depth` pairs of all channels.
#[inline(always)]
pub unsafe fn turn<S: Simd>(pairs: &[f32], depth: usize, rows: Rows, turned: &mut [f32]) {
    assert!(pairs.len() >= depth * rows.cin && turned.len() >= rows.cin * rows.turned && depth <= rows.turned);
    assert!(SIDE.is_multiple_of(S::LANES));
    for channel in (0..rows.cin).step_by(S::LANES) {
        for pair in (0..depth).step_by(S::LANES) {
            // SAFETY: inside both; whole squares.
            unsafe {
                let from = pairs.as_ptr().add(pair * rows.cin + channel);
                S::turn(from, rows.cin, turned.as_mut_ptr().add(channel * rows.turned + pair), rows.turned);
            }
        }
    }
}

/// dz of a block, rounded to bf16, in both orders. `dz` `[position, rows.cout]` for the input's gradient: of a clip the two
/// positions before the block, the block's, and behind a clip's last two more of zeros; `pairs` `[pair, rows.cout]`
/// for the weights': of the block's positions alone, zeros where [`make_pairs`] has more.
///
/// # Safety
/// The processor has `S`'s instructions; `dz` and `pairs` have room, and `room` for four rows of two tiles.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // What it reads, its place, and both orders.
pub unsafe fn make_dz<S: Simd>(
    maker: &Dz<Bf16>,
    conv: &Conv,
    cut: &Cut,
    block: &Block,
    rows: Rows,
    room: &mut [f32],
    dz: &mut [Bf16],
    pairs: &mut [f32],
) {
    let (tiles, stride) = (block.tiles.len(), rows.cout);
    let (in_pairs, in_rows) = ((OUTPUTS * tiles + MORE).div_ceil(2), given(cut, block) + MORE);
    let depth = (block.clips.len() * in_pairs).next_multiple_of(SIDE);
    assert!(dz.len() >= block.clips.len() * in_rows * rows.cout && pairs.len() >= depth * stride);
    let (room, other) = room.split_at_mut(room.len() / 2);
    for (i, clip) in block.clips.clone().enumerate() {
        let dz = &mut dz[i * in_rows * rows.cout..][..in_rows * rows.cout];
        let pairs = &mut pairs[i * in_pairs * stride..][..in_pairs * stride];
        if block.follows() {
            let before = Tile::new(maker, conv, cut, (clip, block.tiles.start - 1), stride, room);
            for from in (0..stride).step_by(S::LANES) {
                // SAFETY: the caller's promise; a row is filled up to whole panels.
                unsafe {
                    let [_, a, b] = before.dz::<S, Bf16>(maker, conv, stride, from);
                    S::narrow(dz.as_mut_ptr().add(from), a);
                    S::narrow(dz.as_mut_ptr().add(rows.cout + from), b);
                }
            }
        } else {
            dz[..MORE * rows.cout].fill(Bf16::ZERO);
        }
        dz[(MORE + OUTPUTS * tiles) * rows.cout..].fill(Bf16::ZERO);
        // Behind an even number of tiles comes a pair of zeros, behind an odd one a tile of them is made below.
        pairs[(OUTPUTS * tiles).div_ceil(2) * stride..].fill(0.0);
        for t in (0..tiles).step_by(2) {
            let low = Tile::new(maker, conv, cut, (clip, block.tiles.start + t), stride, room);
            let whole = t + 1 < tiles;
            // No closure: it would be a function of its own, compiled without the instructions.
            let high =
                if whole { Some(Tile::new(maker, conv, cut, (clip, block.tiles.start + t + 1), stride, other)) } else { None };
            for from in (0..stride).step_by(S::LANES) {
                // SAFETY: as above.
                unsafe {
                    let a = low.dz::<S, Bf16>(maker, conv, stride, from);
                    let b = match &high {
                        Some(high) => high.dz::<S, Bf16>(maker, conv, stride, from),
                        None => [S::splat(0.0); OUTPUTS],
                    };
                    let to = dz.as_mut_ptr().add((MORE + OUTPUTS * t) * rows.cout + from);
                    for k in 0..OUTPUTS {
                        S::narrow(to.add(k * rows.cout), a[k]);
                        if whole {
                            S::narrow(to.add((OUTPUTS + k) * rows.cout), b[k]);
                        }
                    }
                    let to = pairs.as_mut_ptr().add(t / 2 * 3 * stride + from);
                    S::store(to, S::pairs(a[0], a[1]));
                    S::store(to.add(stride), S::pairs(a[2], b[0]));
                    S::store(to.add(2 * stride), S::pairs(b[1], b[2]));
                }
            }
        }
    }
    pairs[block.clips.len() * in_pairs * stride..depth * stride].fill(0.0);
}
