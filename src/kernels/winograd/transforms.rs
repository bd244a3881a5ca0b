//! The five matrices of F(3,3), a vector of channels at a time; of weights, one weight at a time.

use super::{OUTPUTS, PRODUCTS};
use crate::kernels::products::Simd;

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
/// As `input`.
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
/// As `input`.
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
/// As `input`.
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
