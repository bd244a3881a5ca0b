//! What an instruction set has to offer: vectors of f32, and of bf16 widened to f32, as a trait that kernels are generic
//! over.

use super::super::bf16::{self, Bf16};

/// Vectors of f32 and the shape of the register tile that suits them.
pub trait Simd: Copy {
    /// f32 values a vector.
    const LANES: usize;
    /// Vectors side by side in a register tile; `LANES · VECTORS` is the panels' width.
    const VECTORS: usize;
    /// Rows of a register tile.
    const ROWS: usize;
    type V: Copy;

    /// # Safety
    /// The processor has the instructions, here and below.
    unsafe fn splat(x: f32) -> Self::V;
    /// # Safety
    /// `p` is readable for a vector.
    unsafe fn load(p: *const f32) -> Self::V;
    /// # Safety
    /// `p` is writable for a vector.
    unsafe fn store(p: *mut f32, v: Self::V);
    /// A store that leaves the caches alone; `p` aligned to the vector.
    ///
    /// # Safety
    /// As `store`. [`super::Isa::run`] ends with [`Simd::fence`], before another thread may read.
    unsafe fn stream(p: *mut f32, v: Self::V);
    /// Orders streaming stores before later stores.
    ///
    /// # Safety
    /// Always safe where the instructions exist.
    unsafe fn fence();
    /// a·b + c, rounded once.
    ///
    /// # Safety
    /// As `splat`.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// # Safety
    /// As `splat`.
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// # Safety
    /// As `splat`.
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    /// # Safety
    /// As `splat`.
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// a where a > b, else b: of what is no number, b.
    ///
    /// # Safety
    /// As `splat`.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// a where a < b, else b: of what is no number, b.
    ///
    /// # Safety
    /// As `splat`.
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    /// `yes` where a = b, else `no`.
    ///
    /// # Safety
    /// As `splat`.
    unsafe fn where_equal(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// `yes` where a > b, else `no`.
    ///
    /// # Safety
    /// As `splat`.
    unsafe fn where_greater(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;

    /// A vector of bf16 as f32.
    ///
    /// # Safety
    /// `p` is readable for a vector's number of bf16.
    #[inline(always)]
    unsafe fn widen(p: *const Bf16) -> Self::V {
        let mut lanes = [0.0f32; MOST_LANES];
        unsafe {
            for (i, lane) in lanes.iter_mut().enumerate().take(Self::LANES) {
                *lane = (*p.add(i)).into();
            }
            Self::load(lanes.as_ptr())
        }
    }

    /// Stores a vector rounded to bf16, to nearest, ties to even.
    ///
    /// # Safety
    /// `p` is writable for a vector's number of bf16.
    #[inline(always)]
    unsafe fn narrow(p: *mut Bf16, v: Self::V) {
        let mut lanes = [0.0f32; MOST_LANES];
        unsafe {
            Self::store(lanes.as_mut_ptr(), v);
            for (i, &lane) in lanes.iter().enumerate().take(Self::LANES) {
                *p.add(i) = lane.into();
            }
        }
    }

    /// `v` as [`Simd::narrow`] would store it.
    ///
    /// # Safety
    /// As `splat`.
    #[inline(always)]
    unsafe fn rounded(v: Self::V) -> Self::V {
        let mut lanes = [0.0f32; MOST_LANES];
        unsafe {
            Self::store(lanes.as_mut_ptr(), v);
            for lane in lanes.iter_mut().take(Self::LANES) {
                *lane = Bf16::from(*lane).into();
            }
            Self::load(lanes.as_ptr())
        }
    }

    /// Pairs of bf16, a lane each: `low`, rounded, in the lower half, `high` in the upper one. Only its bits mean
    /// something: it is moved about as f32 and read by [`Simd::dot`].
    ///
    /// # Safety
    /// As `splat`.
    #[inline(always)]
    unsafe fn pairs(low: Self::V, high: Self::V) -> Self::V {
        let (mut lows, mut highs) = ([0.0f32; MOST_LANES], [0.0f32; MOST_LANES]);
        unsafe {
            Self::store(lows.as_mut_ptr(), low);
            Self::store(highs.as_mut_ptr(), high);
            for (low, &high) in lows.iter_mut().zip(&highs) {
                *low = bf16::pair((*low).into(), high.into());
            }
            Self::load(lows.as_ptr())
        }
    }

    /// a·b + c of pairs, both their products added, in f32.
    ///
    /// # Safety
    /// As `splat`.
    #[inline(always)]
    unsafe fn dot(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe {
            let c = Self::fma(Self::highs(a), Self::highs(b), c);
            Self::fma(Self::lows(a), Self::lows(b), c)
        }
    }

    /// A square of lanes turned over: column i of the rows at `from` becomes row i at `to`.
    ///
    /// # Safety
    /// [`Simd::LANES`] rows of as many are readable, `from_row` values apart, and writable, `to_row` apart.
    #[inline(always)]
    unsafe fn turn(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        for i in 0..Self::LANES {
            for j in 0..Self::LANES {
                // SAFETY: the caller's promise.
                unsafe { *to.add(j * to_row + i) = *from.add(i * from_row + j) };
            }
        }
    }

    /// The lower halves of pairs, as f32.
    ///
    /// # Safety
    /// As `splat`.
    #[inline(always)]
    unsafe fn lows(pairs: Self::V) -> Self::V {
        let mut lanes = [0.0f32; MOST_LANES];
        unsafe {
            Self::store(lanes.as_mut_ptr(), pairs);
            for lane in lanes.iter_mut().take(Self::LANES) {
                *lane = f32::from_bits(lane.to_bits() << 16);
            }
            Self::load(lanes.as_ptr())
        }
    }

    /// The upper halves of pairs, as f32.
    ///
    /// # Safety
    /// As `splat`.
    #[inline(always)]
    unsafe fn highs(pairs: Self::V) -> Self::V {
        let mut lanes = [0.0f32; MOST_LANES];
        unsafe {
            Self::store(lanes.as_mut_ptr(), pairs);
            for lane in lanes.iter_mut().take(Self::LANES) {
                *lane = f32::from_bits(lane.to_bits() & 0xffff_0000);
            }
            Self::load(lanes.as_ptr())
        }
    }

    /// The first `n` bf16 as f32, zeros behind them.
    ///
    /// # Safety
    /// `p` is readable for `n` values, which are at most a vector.
    #[inline(always)]
    unsafe fn widen_some(p: *const Bf16, n: usize) -> Self::V {
        if n == Self::LANES {
            return unsafe { Self::widen(p) };
        }
        let mut values = [Bf16::ZERO; MOST_LANES];
        unsafe {
            std::ptr::copy_nonoverlapping(p, values.as_mut_ptr(), n);
            Self::widen(values.as_ptr())
        }
    }

    /// Stores the first `n` lanes rounded to bf16.
    ///
    /// # Safety
    /// `p` is writable for `n` values, which are at most a vector.
    #[inline(always)]
    unsafe fn narrow_some(p: *mut Bf16, v: Self::V, n: usize) {
        if n == Self::LANES {
            return unsafe { Self::narrow(p, v) };
        }
        let mut values = [Bf16::ZERO; MOST_LANES];
        unsafe {
            Self::narrow(values.as_mut_ptr(), v);
            std::ptr::copy_nonoverlapping(values.as_ptr(), p, n);
        }
    }

    /// The first `n` lanes, zeros behind them.
    ///
    /// # Safety
    /// `p` is readable for `n` values, which are at most a vector.
    #[inline(always)]
    unsafe fn load_some(p: *const f32, n: usize) -> Self::V {
        if n == Self::LANES {
            return unsafe { Self::load(p) };
        }
        let mut lanes = [0.0f32; MOST_LANES];
        unsafe {
            std::ptr::copy_nonoverlapping(p, lanes.as_mut_ptr(), n);
            Self::load(lanes.as_ptr())
        }
    }

    /// Stores the first `n` lanes.
    ///
    /// # Safety
    /// `p` is writable for `n` values, which are at most a vector.
    #[inline(always)]
    unsafe fn store_some(p: *mut f32, v: Self::V, n: usize) {
        if n == Self::LANES {
            return unsafe { Self::store(p, v) };
        }
        let mut lanes = [0.0f32; MOST_LANES];
        unsafe {
            Self::store(lanes.as_mut_ptr(), v);
            std::ptr::copy_nonoverlapping(lanes.as_ptr(), p, n);
        }
    }

    /// Stores the first `n` lanes, past the caches if `aligned`: then `p` is, and `n` a whole vector.
    ///
    /// # Safety
    /// As [`Simd::store_some`] and [`Simd::stream`].
    #[inline(always)]
    unsafe fn store_past(p: *mut f32, v: Self::V, n: usize, aligned: bool) {
        unsafe { if aligned { Self::stream(p, v) } else { Self::store_some(p, v, n) } }
    }
}

/// The most rows of a register tile.
pub const MOST_ROWS: usize = 14;

/// The most lanes an instruction set has.
const MOST_LANES: usize = 16;

/// A piece of work that is compiled for every instruction set.
pub trait Work {
    /// Mark the implementation `#[inline(always)]`, or it is compiled without the instructions.
    ///
    /// # Safety
    /// Called only where the processor has `S`'s instructions.
    unsafe fn run<S: Simd>(self);
}

#[cfg(test)]
mod tests {
    use super::super::super::Precision;
    use super::super::Isa;
    use super::*;

    /// Rounding, widening and pairs against [`Bf16`] one number at a time; products of pairs against f64.
    #[test]
    fn bf16_means_the_same_in_every_instruction_set() {
        struct Halves<'a> {
            given: [&'a [f32]; 2],
            narrow: &'a mut [Bf16],
            rounded: &'a mut [f32],
            pairs: &'a mut [f32],
            dots: &'a mut [f32],
        }
        impl Work for Halves<'_> {
            #[inline(always)]
            unsafe fn run<S: Simd>(self) {
                for from in (0..self.given[0].len()).step_by(S::LANES) {
                    let n = S::LANES.min(self.given[0].len() - from);
                    // SAFETY: the caller has the instructions, and all have `n` values more.
                    unsafe {
                        let [low, high] = self.given.map(|v| S::load_some(v.as_ptr().add(from), n));
                        S::narrow_some(self.narrow.as_mut_ptr().add(from), low, n);
                        S::store_some(self.rounded.as_mut_ptr().add(from), S::rounded(low), n);
                        let pairs = S::pairs(low, high);
                        S::store_some(self.pairs.as_mut_ptr().add(from), pairs, n);
                        let twice = S::pairs(S::splat(2.0), S::splat(-0.5));
                        let widened = S::widen_some(self.narrow.as_ptr().add(from), n);
                        S::store_some(self.dots.as_mut_ptr().add(from), S::dot(twice, pairs, widened), n);
                    }
                }
            }
        }
        let mut low: Vec<f32> = vec![0.0, -0.0, 1.0, 1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0, -1.0 - 1.0 / 256.0, 3.4e38, 1e-30];
        low.extend([f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::from_bits(0x7fff_ffff), f32::from_bits(0xff80_0001)]);
        low.extend((0..200u32).map(|i| (f32::from_bits(0x3f00_0000 + i * 40_503) - 1.0) * (1 << (i % 13)) as f32));
        let high: Vec<f32> = low.iter().rev().map(|v| if v.is_finite() { v * 0.3 } else { 0.7 }).collect();
        for isa in Isa::available_in(Precision::Mixed) {
            let n = low.len();
            let (mut narrow, mut rounded) = (vec![Bf16::ZERO; n], vec![0.0; n]);
            let (mut pairs, mut dots) = (vec![0.0; n], vec![0.0; n]);
            isa.run(Halves {
                given: [&low, &high],
                narrow: &mut narrow,
                rounded: &mut rounded,
                pairs: &mut pairs,
                dots: &mut dots,
            });
            for i in 0..n {
                let (l, h) = (f32::from(Bf16::from(low[i])), f32::from(Bf16::from(high[i])));
                if l.is_nan() {
                    let paired = f32::from_bits(pairs[i].to_bits() << 16);
                    assert!([narrow[i].into(), rounded[i], paired, dots[i]].iter().all(|v| v.is_nan()), "{isa:?}: {i}");
                    continue;
                }
                assert_eq!((narrow[i], rounded[i].to_bits()), (Bf16::from(low[i]), l.to_bits()), "{isa:?}: {}", low[i]);
                assert_eq!(pairs[i].to_bits(), bf16::pair(Bf16::from(low[i]), Bf16::from(high[i])).to_bits(), "{isa:?}");
                let want = 2.0 * f64::from(l) - 0.5 * f64::from(h) + f64::from(l);
                let near = (f64::from(dots[i]) - want).abs() <= 1e-6 * want.abs();
                assert!(near || f64::from(dots[i]) == f64::from(want as f32), "{isa:?}: {} against {want}", dots[i]);
            }
        }
    }

    #[test]
    fn a_square_is_turned_over_in_every_instruction_set() {
        struct Turn<'a>(&'a [f32], &'a mut [f32]);
        impl Work for Turn<'_> {
            #[inline(always)]
            unsafe fn run<S: Simd>(self) {
                assert!(S::LANES <= MOST_LANES);
                // SAFETY: both hold a square of the most lanes, rows 20 and 18 apart.
                unsafe { S::turn(self.0.as_ptr(), 20, self.1.as_mut_ptr(), 18) };
                for (i, &v) in self.1.iter().enumerate() {
                    let (row, column) = (i / 18, i % 18);
                    let inside = row < S::LANES && column < S::LANES;
                    assert_eq!(v, if inside { self.0[column * 20 + row] } else { -1.0 }, "{row}, {column}");
                }
            }
        }
        let from: Vec<f32> = (0..MOST_LANES * 20).map(|i| i as f32).collect();
        for isa in Isa::available_in(Precision::Mixed) {
            isa.run(Turn(&from, &mut [-1.0; MOST_LANES * 18]));
        }
    }

    #[test]
    fn comparisons_mean_the_same_in_every_instruction_set() {
        struct Compare<'a>(f32, f32, &'a mut [f32; 4]);
        impl Work for Compare<'_> {
            #[inline(always)]
            unsafe fn run<S: Simd>(self) {
                let mut lanes = [0.0f32; MOST_LANES];
                // SAFETY: the caller has the instructions, and `lanes` a vector.
                unsafe {
                    let (a, b, yes, no) = (S::splat(self.0), S::splat(self.1), S::splat(1.0), S::splat(0.0));
                    let all = [S::max(a, b), S::min(a, b), S::where_equal(a, b, yes, no), S::where_greater(a, b, yes, no)];
                    for (to, v) in self.2.iter_mut().zip(all) {
                        S::store(lanes.as_mut_ptr(), v);
                        *to = lanes[0];
                    }
                }
            }
        }
        let numbers = [0.0, -0.0, 1.5, -2.0, f32::INFINITY, f32::NAN];
        for isa in Isa::available_in(Precision::Mixed) {
            for (a, b) in numbers.iter().flat_map(|&a| numbers.map(|b| (a, b))) {
                let mut got = [9.0; 4];
                isa.run(Compare(a, b, &mut got));
                let want = [
                    if a > b { a } else { b },
                    if a < b { a } else { b },
                    f32::from(u8::from(a == b)),
                    f32::from(u8::from(a > b)),
                ];
                assert_eq!(got.map(f32::to_bits), want.map(f32::to_bits), "{isa:?}: {a} and {b}");
            }
        }
    }
}
