//! dz made while reading (`algebra.md`, 3), for the positions that a block of the CPU's pass needs.

use std::ops::Range;

use super::{Arguments, Places};
use crate::kernels::bf16::Element;
use crate::kernels::blocks::{Block, Cut};
use crate::kernels::conv::Conv;
use crate::kernels::products::Simd;
use crate::kernels::winograd::{self, OUTPUTS};

/// Input positions whose gradient a block makes: every one belongs to exactly one block.
pub struct Owned {
    pub positions: Range<usize>,
}

impl Owned {
    pub fn of(cut: &Cut, conv: &Conv, block: &Block) -> Owned {
        if cut.short {
            return Owned { positions: 0..conv.input };
        }
        let start = if block.positions.start == 0 { 0 } else { (block.positions.start * conv.stride).min(conv.input) };
        let end = if block.last { conv.input } else { (block.positions.end * conv.stride).min(conv.input) };
        Owned { positions: start..end }
    }

    /// The rows of dz that these and the block's own positions need.
    pub fn slab(&self, cut: &Cut, conv: &Conv, block: &Block) -> Slab {
        if cut.short {
            return Slab::whole(block);
        }
        let (taps, pad, stride) = (conv.taps as isize, conv.padding[0] as isize, conv.stride as isize);
        let low = (self.positions.start as isize + pad - (taps - 1)).div_euclid(stride);
        let high = (self.positions.end as isize + pad - 1).div_euclid(stride) + 1;
        Slab::between(low.min(block.positions.start as isize), high.max(block.positions.end as isize))
    }
}

/// Consecutive positions of dz; those outside the layer are rows of zeros.
pub struct Slab {
    start: isize,
    pub rows: usize,
}

impl Slab {
    fn between(start: isize, end: isize) -> Slab {
        Slab { start, rows: (end - start) as usize }
    }

    pub fn whole(block: &Block) -> Slab {
        Slab::between(block.positions.start as isize, block.positions.end as isize)
    }

    /// Which row holds position `l`.
    pub fn place(&self, l: isize) -> usize {
        (l - self.start) as usize
    }

    #[inline(always)]
    pub fn fill<E: Element>(&self, maker: &Dz<E>, conv: &Conv, clip: usize, stride: usize, out: &mut [f32], open: &mut [f32]) {
        let end = self.start + self.rows as isize;
        let real = self.start.max(0) as usize..end.min(conv.length() as isize) as usize;
        let (before, rest) = out[..self.rows * stride].split_at_mut(self.place(real.start as isize) * stride);
        let (inside, behind) = rest.split_at_mut(real.len() * stride);
        before.fill(0.0);
        behind.fill(0.0);
        maker.rows(conv, clip, real, stride, inside, open);
    }
}

/// A row (tap', cout) for every owned input position: dz of the position that tap reads it, or 0.
#[inline(always)]
pub fn spread_rows(conv: &Conv, owned: &Owned, slab: &Slab, clips: usize, stride: usize, dz: &[f32], spread: &mut [f32]) {
    let mut rows = spread.chunks_exact_mut(stride);
    for clip in 0..clips {
        for j in owned.positions.clone() {
            for tap in (0..conv.taps).rev() {
                let row = rows.next().expect("room for every tap of every input position");
                let at = (j + conv.padding[0]) as isize - tap as isize;
                let l = at.div_euclid(conv.stride as isize);
                if at % conv.stride as isize == 0 && l >= 0 && (l as usize) < conv.length() {
                    row.copy_from_slice(&dz[(clip * slab.rows + slab.place(l)) * stride..][..stride]);
                } else {
                    row.fill(0.0);
                }
            }
        }
    }
}

/// Makes rows of dz.
pub struct Dz<'a, E> {
    z: &'a [E],
    p: Option<&'a [E]>,
    dy: &'a [E],
    coefficients: &'a [f32],
}

impl<'a, E: Element> Dz<'a, E> {
    pub fn new(conv: &Conv, args: &Arguments<'a>, at: &Places) -> Dz<'a, E> {
        let (z, p, dy) = (args.slice(at.z), at.p.map(|p| args.slice(p)), args.slice(at.dy));
        let coefficients = args.read(at.coefficients);
        let pooled = conv.clips * conv.windows.count * conv.cout;
        assert!(z.len() == conv.positions() * conv.cout && dy.len() == pooled && coefficients.len() == 4 * conv.cout);
        assert!(p.is_none_or(|p| p.len() == pooled));
        Dz { z, p, dy, coefficients }
    }

    /// dz at the three positions of a whole window of three, a vector of channels from `from` on; 0 in channels
    /// behind the last.
    ///
    /// # Safety
    /// The processor has `S`'s instructions; the window exists, and pooling does.
    #[inline(always)]
    pub unsafe fn window<S: Simd>(&self, conv: &Conv, clip: usize, window: usize, from: usize) -> [S::V; 3] {
        let (c, windows) = (conv.cout, conv.windows);
        if from >= c {
            // SAFETY: the caller's promise.
            return [unsafe { S::splat(0.0) }; 3];
        }
        let n = S::LANES.min(c - from);
        // SAFETY: the caller's promise.
        unsafe {
            let row = self.coefficients.as_ptr().add(from);
            let (s, c0) = (S::load_some(row, n), S::load_some(row.add(c), n));
            let (c1, mean) = (S::load_some(row.add(2 * c), n), S::load_some(row.add(3 * c), n));
            let pooled = (clip * windows.count + window) * c + from;
            let p = E::load_some::<S>(self.p.expect("a window is pooled").as_ptr().add(pooled), n);
            let zero = S::splat(0.0);
            // The first position that equals p takes the window's gradient.
            let mut open = S::mul(s, E::load_some::<S>(self.dy.as_ptr().add(pooled), n));
            let z = self.z.as_ptr().add((clip * windows.length + window * windows.size - windows.left) * c + from);
            let mut dz = [zero; 3];
            for (k, dz) in dz.iter_mut().enumerate() {
                let z = E::load_some::<S>(z.add(k * c), n);
                let rest = S::fma(c1, S::sub(z, mean), c0);
                *dz = S::add(rest, S::where_equal(z, p, open, zero));
                open = S::where_equal(z, p, zero, open);
            }
            dz
        }
    }

    /// dz at `positions` of `clip`, a row of `stride` each; `open` is room for a row.
    #[inline(always)]
    pub fn rows(&self, conv: &Conv, clip: usize, positions: Range<usize>, stride: usize, out: &mut [f32], open: &mut [f32]) {
        let (c, windows) = (conv.cout, conv.windows);
        let [s, c0, c1, mean] = [0, 1, 2, 3].map(|k| &self.coefficients[k * c..][..c]);
        let open = &mut open[..c];
        let z = |l: usize| &self.z[(clip * windows.length + l) * c..][..c];
        let mut l = positions.start;
        while l < positions.end {
            let Some(w) = windows.window_of(l) else {
                // In no window: no gradient comes down, the statistics' part remains.
                let out = &mut out[(l - positions.start) * stride..][..stride];
                let z = z(l);
                for i in 0..c {
                    out[i] = c0[i] + c1[i] * (z[i].into() - mean[i]);
                }
                out[c..].fill(0.0);
                l += 1;
                continue;
            };
            let dy = &self.dy[(clip * windows.count + w) * c..][..c];
            for i in 0..c {
                open[i] = s[i] * dy[i].into();
            }
            let Some(p) = self.p else {
                let out = &mut out[(l - positions.start) * stride..][..stride];
                let z = z(l);
                for i in 0..c {
                    out[i] = open[i] + c0[i] + c1[i] * (z[i].into() - mean[i]);
                }
                out[c..].fill(0.0);
                l += 1;
                continue;
            };
            let p = &p[(clip * windows.count + w) * c..][..c];
            // The first position that equals p takes the window's gradient; earlier ones than
            // asked for are looked at, not written.
            let window = windows.positions(w);
            l = window.end;
            for m in window {
                let z = z(m);
                if m < positions.start || m >= positions.end {
                    for i in 0..c {
                        open[i] = if z[i].into() == p[i].into() { 0.0 } else { open[i] };
                    }
                    continue;
                }
                let out = &mut out[(m - positions.start) * stride..][..stride];
                let (row, rest) = out.split_at_mut(c);
                for i in 0..c {
                    let taken = z[i].into() == p[i].into();
                    row[i] = c0[i] + c1[i] * (z[i].into() - mean[i]) + if taken { open[i] } else { 0.0 };
                    open[i] = if taken { 0.0 } else { open[i] };
                }
                rest.fill(0.0);
            }
        }
    }
}

/// dz of one tile of three positions, a vector of channels at a time.
pub struct Tile<'a> {
    clip: usize,
    tile: usize,
    /// Three rows of dz, where the tile is no whole window.
    rows: Option<&'a [f32]>,
}

impl<'a> Tile<'a> {
    /// `dz` has room for three rows of dz and one more.
    #[inline(always)]
    pub fn new<E: Element>(
        maker: &Dz<E>,
        conv: &Conv,
        cut: &winograd::Cut,
        (clip, tile): (usize, usize),
        stride: usize,
        dz: &'a mut [f32],
    ) -> Tile<'a> {
        let real = cut.real(conv, tile);
        if real.len() == OUTPUTS && !conv.unpooled() && tile < conv.windows.count {
            return Tile { clip, tile, rows: None };
        }
        let (dz, open) = dz.split_at_mut(OUTPUTS * stride);
        let first = cut.position(tile).strict_add_unsigned(real.start) as usize;
        dz.fill(0.0);
        maker.rows(conv, clip, first..first + real.len(), stride, &mut dz[real.start * stride..], open);
        Tile { clip, tile, rows: Some(dz) }
    }

    /// dz at its positions, of the channels from `from` on; 0 where there is no position.
    ///
    /// # Safety
    /// The processor has `S`'s instructions; a vector from `from` on is in a row of `stride`.
    #[inline(always)]
    pub unsafe fn dz<S: Simd, E: Element>(&self, maker: &Dz<E>, conv: &Conv, stride: usize, from: usize) -> [S::V; OUTPUTS] {
        // SAFETY: the caller's promise; a row is filled up to whole panels.
        unsafe {
            match self.rows {
                None => maker.window::<S>(conv, self.clip, self.tile, from),
                Some(rows) => {
                    let row = rows.as_ptr().add(from);
                    [S::load(row), S::load(row.add(stride)), S::load(row.add(2 * stride))]
                }
            }
        }
    }
}
