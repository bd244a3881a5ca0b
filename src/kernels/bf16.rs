//! bf16, the upper half of an f32: what mixed precision stores on a CPU, with 8 bits of significand.

use bytemuck::{Pod, Zeroable};

use super::products::Simd;

/// A bf16: sign, 8 bits of exponent, 7 bits of fraction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct Bf16(pub u16);

impl Bf16 {
    pub const ZERO: Bf16 = Bf16(0);
}

impl From<f32> for Bf16 {
    /// To nearest, ties to even; what is no number stays none.
    #[inline(always)]
    fn from(x: f32) -> Bf16 {
        let bits = x.to_bits();
        let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
        Bf16(if x.is_nan() { 0x7fc0 } else { rounded as u16 })
    }
}

impl From<Bf16> for f32 {
    #[inline(always)]
    fn from(x: Bf16) -> f32 {
        f32::from_bits(u32::from(x.0) << 16)
    }
}

/// A pair as the lane that [`Simd::dot`] reads, moved about as an f32.
#[inline(always)]
pub fn pair(low: Bf16, high: Bf16) -> f32 {
    f32::from_bits(u32::from(low.0) | u32::from(high.0) << 16)
}

/// What z, p and dy are stored as.
pub trait Element: Pod + Send + Sync + From<f32> + Into<f32> + 'static {
    /// Whether it is bf16.
    const HALF: bool;

    /// The first `n` values as f32, zeros behind them.
    ///
    /// # Safety
    /// The processor has `S`'s instructions, here and below; `p` is readable for `n` values, at most a vector.
    unsafe fn load_some<S: Simd>(p: *const Self, n: usize) -> S::V;

    /// The values as they will be stored.
    ///
    /// # Safety
    /// As `load_some`.
    unsafe fn rounded<S: Simd>(v: S::V) -> S::V;

    /// Stores the first `n` lanes, past the caches if `aligned`: then `p` is, to whole lines of the cache.
    ///
    /// # Safety
    /// `p` is writable for `n` values, at most a vector; a whole one if `aligned`.
    unsafe fn store_past<S: Simd>(p: *mut Self, v: S::V, n: usize, aligned: bool);
}

impl Element for f32 {
    const HALF: bool = false;

    #[inline(always)]
    unsafe fn load_some<S: Simd>(p: *const f32, n: usize) -> S::V {
        unsafe { S::load_some(p, n) }
    }

    #[inline(always)]
    unsafe fn rounded<S: Simd>(v: S::V) -> S::V {
        v
    }

    #[inline(always)]
    unsafe fn store_past<S: Simd>(p: *mut f32, v: S::V, n: usize, aligned: bool) {
        unsafe { S::store_past(p, v, n, aligned) }
    }
}

impl Element for Bf16 {
    const HALF: bool = true;

    #[inline(always)]
    unsafe fn load_some<S: Simd>(p: *const Bf16, n: usize) -> S::V {
        unsafe { S::widen_some(p, n) }
    }

    #[inline(always)]
    unsafe fn rounded<S: Simd>(v: S::V) -> S::V {
        unsafe { S::rounded(v) }
    }

    // A vector is half a line of the cache: stores past the caches would write each line twice.
    #[inline(always)]
    unsafe fn store_past<S: Simd>(p: *mut Bf16, v: S::V, n: usize, _aligned: bool) {
        unsafe { S::narrow_some(p, v, n) }
    }
}
