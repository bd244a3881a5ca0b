//! `C[i][j] (+)= Σ_k A(i, k)·B[k][j]` over blocks that stay in the caches, by register tiles.
//!
//! A is read one value at a time through two strides, so that overlapping rows of a convolution
//! need no copy and a transposed A (the weights' gradient) needs none either. B is read in panels
//! of `LANES · VECTORS` columns.

use std::ops::Range;

use super::Simd;

/// One product; strides in f32 values. Of pairs ([`pair_product`]) a value of A and of B is a pair of bf16.
#[derive(Debug)]
pub struct Product<'a> {
    /// Rows i.
    pub rows: usize,
    /// Length of the sum k.
    pub depth: usize,
    /// Panels of columns.
    pub panels: usize,
    pub a: &'a [f32],
    pub a_row: usize,
    pub a_depth: usize,
    /// Panel n begins `n · b_panel` further, its row k `k · b_depth` further.
    pub b: &'a [f32],
    pub b_panel: usize,
    pub b_depth: usize,
    /// Row i begins `i · c_row` further; panel n's columns are side by side with panel n − 1's.
    pub c: &'a mut [f32],
    pub c_row: usize,
    /// Add to C instead of replacing it.
    pub accumulate: bool,
}

/// Computes a product. Panics where sizes and strides reach behind A, B or C.
///
/// # Safety
/// The processor has `S`'s instructions.
#[inline(always)]
pub unsafe fn product<S: Simd>(p: &mut Product) {
    unsafe { tiles::<S, false>(p) }
}

/// The same where A and B are pairs of bf16 along the sum, whose length is that of pairs; C and the sums are f32.
///
/// # Safety
/// As `product`.
#[inline(always)]
pub unsafe fn pair_product<S: Simd>(p: &mut Product) {
    unsafe { tiles::<S, true>(p) }
}

/// Panics where sizes and strides reach behind A, B or C.
#[inline(always)]
fn checked(p: &Product, width: usize) {
    let far = |n: usize, step: usize| n.saturating_sub(1) * step;
    assert!(p.depth == 0 || far(p.rows, p.a_row) + far(p.depth, p.a_depth) < p.a.len());
    assert!(p.depth == 0 || far(p.panels, p.b_panel) + far(p.depth, p.b_depth) + width <= p.b.len());
    assert!(far(p.rows, p.c_row) + p.panels * width <= p.c.len());
}

/// # Safety
/// As `product`.
#[inline(always)]
unsafe fn tiles<S: Simd, const PAIRS: bool>(p: &mut Product) {
    if p.rows == 0 || p.panels == 0 {
        return;
    }
    let width = S::LANES * S::VECTORS;
    checked(p, width);
    for n in 0..p.panels {
        for some in heights::<S>(p.rows) {
            // SAFETY: the caller's promise, and the lengths by the lines above.
            unsafe {
                let row = some.start;
                let (a, b) = (p.a.as_ptr().add(row * p.a_row), p.b.as_ptr().add(n * p.b_panel));
                let c = p.c.as_mut_ptr().add(row * p.c_row + n * width);
                rows::<S, PAIRS>(some.len(), p, a, b, c);
            }
        }
    }
}

/// Rows cut into register tiles of nearly equal height: 16 are better done as 8 + 8 than as 14 + 2.
#[inline(always)]
pub fn heights<S: Simd>(rows: usize) -> impl Iterator<Item = Range<usize>> {
    let tiles = rows.div_ceil(S::ROWS);
    (0..tiles).map(move |t| rows * t / tiles..rows * (t + 1) / tiles)
}

/// A register tile's height as a constant.
///
/// # Safety
/// As `tile`.
#[inline(always)]
unsafe fn rows<S: Simd, const PAIRS: bool>(rows: usize, p: &Product, a: *const f32, b: *const f32, c: *mut f32) {
    macro_rules! of {
        ($($r:literal)*) => {
            match (rows, S::VECTORS) {
                // Heights that an instruction set never asks for fold away at compile time.
                $(($r, 2) if $r <= S::ROWS => unsafe { tile::<S, PAIRS, $r, 2>(p, a, b, c) },)*
                $(($r, 4) if $r <= S::ROWS => unsafe { tile::<S, PAIRS, $r, 4>(p, a, b, c) },)*
                _ => unreachable!("tiles have 1 to {} rows", S::ROWS),
            }
        };
    }
    of!(1 2 3 4 5 6 7 8 9 10 11 12 13 14)
}

/// R rows of N vectors of columns.
///
/// # Safety
/// The processor has `S`'s instructions; A, B and C hold what the product's strides reach from here.
#[inline(always)]
unsafe fn tile<S: Simd, const PAIRS: bool, const R: usize, const N: usize>(
    p: &Product,
    mut a: *const f32,
    mut b: *const f32,
    c: *mut f32,
) {
    unsafe {
        // No closures in here: they are functions of their own, which may be compiled without the
        // instructions.
        let mut sum = [[S::splat(0.0); N]; R];
        if p.accumulate {
            for (r, sum) in sum.iter_mut().enumerate() {
                for (n, v) in sum.iter_mut().enumerate() {
                    *v = S::load(c.add(r * p.c_row + n * S::LANES));
                }
            }
        }
        for _ in 0..p.depth {
            let mut columns = [S::splat(0.0); N];
            for (n, column) in columns.iter_mut().enumerate() {
                *column = S::load(b.add(n * S::LANES));
            }
            for (r, sum) in sum.iter_mut().enumerate() {
                let value = S::splat(*a.add(r * p.a_row));
                for n in 0..N {
                    sum[n] = if PAIRS { S::dot(value, columns[n], sum[n]) } else { S::fma(value, columns[n], sum[n]) };
                }
            }
            a = a.add(p.a_depth);
            b = b.add(p.b_depth);
        }
        for (r, sum) in sum.iter().enumerate() {
            for (n, v) in sum.iter().enumerate() {
                S::store(c.add(r * p.c_row + n * S::LANES), *v);
            }
        }
    }
}
