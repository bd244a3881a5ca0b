//! Products of pairs of bf16 on a processor's matrix unit: `C[i][j] (+)= Σ_k A[i][2k]·B[k][j] + A[i][2k+1]·B'[k][j]`, B and B'
//! the halves of B's pairs. C goes 32 rows and 32 columns at a time, the sum 16 pairs at a time: four tiles of C, two of
//! A, two of B.
//!
//! A row of A lies as the sum runs. So the overlapping rows of a convolution need no copy, and a row of a channel's
//! positions, begun one or two positions later, is the next tap's.

use super::Isa;
#[cfg(target_arch = "x86_64")]
use super::amx::Amx;
use crate::kernels::bf16::Bf16;

/// Rows of a tile, columns of C and B, pairs of the sum: 64 bytes a row.
pub const SIDE: usize = 16;
/// Columns of a panel.
pub const COLUMNS: usize = 2 * SIDE;

/// Products of one B with several A, each begun a value later than the one before. Rows and depth are whole [`SIDE`]s:
/// whoever calls fills up, the sum with zeros.
pub struct Matrices<'a> {
    /// How many.
    pub taps: usize,
    /// Rows i.
    pub rows: usize,
    /// Length of the sum k, in pairs.
    pub depth: usize,
    /// Panels of [`COLUMNS`] columns.
    pub panels: usize,
    pub a: &'a [Bf16],
    /// Row i begins `i · a_row` further.
    pub a_row: usize,
    /// A lane is a pair. Panel n begins `n · b_panel` further, its row k `k · b_depth` further.
    pub b: &'a [f32],
    pub b_panel: usize,
    pub b_depth: usize,
    /// Row i begins `i · c_row` further; panel n's columns are side by side with panel n − 1's.
    pub c: &'a mut [f32],
    pub c_row: usize,
    /// The next tap's C begins so much further.
    pub c_tap: usize,
    /// Add to C instead of replacing it.
    pub accumulate: bool,
}

/// Computes a product. Panics where sizes and strides reach behind A, B or C.
///
/// # Safety
/// The processor has `isa`, which has matrices.
#[inline(always)]
pub unsafe fn matrix_product(isa: Isa, p: &mut Matrices) {
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller's promise.
        Isa::Amx => unsafe { blocks::<Amx>(p) },
        // SAFETY: it needs nothing.
        Isa::AmxTwin => unsafe { blocks::<Twin>(p) },
        other => unreachable!("{other:?} has no matrices"),
    }
}

/// The tiles of a matrix unit: C `[2][2]`, A `[2]`, B `[2]`. `HIGH`, 1 or 2, is how many rows of tiles are meant. Strides
/// are in bytes.
pub trait Tiles {
    /// # Safety
    /// The processor has the instructions and the system lets them be used, here and below.
    unsafe fn new() -> Self;
    /// # Safety
    /// As `new`.
    unsafe fn clear(&mut self);
    /// # Safety
    /// `HIGH` x 2 tiles of C are readable.
    unsafe fn load_c<const HIGH: usize>(&mut self, c: *const f32, stride: usize);
    /// # Safety
    /// As [`Tiles::load_c`], writable.
    unsafe fn store_c<const HIGH: usize>(&self, c: *mut f32, stride: usize);
    /// C += A·B, `HIGH` x 2 tiles.
    ///
    /// # Safety
    /// `HIGH` tiles of A, one below the other, and two of B, side by side, are readable.
    unsafe fn multiply<const HIGH: usize>(&mut self, a: *const Bf16, a_stride: usize, b: *const f32, b_stride: usize);
}

/// # Safety
/// As [`Tiles::new`].
#[inline(always)]
pub unsafe fn blocks<T: Tiles>(p: &mut Matrices) {
    let far = |n: usize, step: usize| n.saturating_sub(1) * step;
    assert!(p.rows.is_multiple_of(SIDE) && p.depth.is_multiple_of(SIDE) && p.depth > 0);
    assert!(far(p.rows, p.a_row) + 2 * p.depth + far(p.taps, 1) <= p.a.len());
    assert!(far(p.panels, p.b_panel) + far(p.depth, p.b_depth) + COLUMNS <= p.b.len());
    assert!(far(p.taps, p.c_tap) + far(p.rows, p.c_row) + p.panels * COLUMNS <= p.c.len());
    // SAFETY: the caller's promise, and the lengths by the lines above.
    unsafe {
        let mut tiles = T::new();
        for row in (0..p.rows).step_by(2 * SIDE) {
            for n in 0..p.panels {
                // One after the other, while what they read is in the first cache.
                for tap in 0..p.taps {
                    match p.rows - row {
                        SIDE => block::<T, 1>(&mut tiles, p, row, n, tap),
                        _ => block::<T, 2>(&mut tiles, p, row, n, tap),
                    }
                }
            }
        }
    }
}

/// `HIGH` tiles of rows from `row` on, a panel of columns, of a tap.
///
/// # Safety
/// As [`blocks`]; they are there.
#[inline(always)]
unsafe fn block<T: Tiles, const HIGH: usize>(tiles: &mut T, p: &mut Matrices, row: usize, n: usize, tap: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let c = p.c.as_mut_ptr().add(tap * p.c_tap + row * p.c_row + n * COLUMNS);
        let (a, b) = (p.a.as_ptr().add(row * p.a_row + tap), p.b.as_ptr().add(n * p.b_panel));
        let [a_row, b_depth, c_row] = [p.a_row * size_of::<Bf16>(), p.b_depth * 4, p.c_row * 4];
        if p.accumulate {
            tiles.load_c::<HIGH>(c, c_row)
        } else {
            tiles.clear()
        }
        for k in (0..p.depth).step_by(SIDE) {
            tiles.multiply::<HIGH>(a.add(2 * k), a_row, b.add(k * p.b_depth), b_depth);
        }
        tiles.store_c::<HIGH>(c, c_row);
    }
}

/// The same in plain Rust, a product after the other: what tests compute by.
pub struct Twin([[f32; COLUMNS]; 2 * SIDE]);

impl Tiles for Twin {
    unsafe fn new() -> Twin {
        Twin([[0.0; COLUMNS]; 2 * SIDE])
    }

    unsafe fn clear(&mut self) {
        self.0 = [[0.0; COLUMNS]; 2 * SIDE];
    }

    unsafe fn load_c<const HIGH: usize>(&mut self, c: *const f32, stride: usize) {
        for (r, row) in self.0.iter_mut().enumerate().take(HIGH * SIDE) {
            // SAFETY: the caller's promise.
            unsafe { std::ptr::copy_nonoverlapping(c.byte_add(r * stride), row.as_mut_ptr(), COLUMNS) };
        }
    }

    unsafe fn store_c<const HIGH: usize>(&self, c: *mut f32, stride: usize) {
        for (r, row) in self.0.iter().enumerate().take(HIGH * SIDE) {
            // SAFETY: the caller's promise.
            unsafe { std::ptr::copy_nonoverlapping(row.as_ptr(), c.byte_add(r * stride), COLUMNS) };
        }
    }

    unsafe fn multiply<const HIGH: usize>(&mut self, a: *const Bf16, a_stride: usize, b: *const f32, b_stride: usize) {
        // Subnormal numbers are taken for zero.
        let half = |bits: u32| if bits & 0x7f80_0000 == 0 { 0.0 } else { f32::from_bits(bits) };
        for (r, row) in self.0.iter_mut().enumerate().take(HIGH * SIDE) {
            for k in 0..SIDE {
                // SAFETY: the caller's promise.
                let [low, high] = [0, 1].map(|i| half(u32::from(unsafe { *a.byte_add(r * a_stride).add(2 * k + i) }.0) << 16));
                for (n, c) in row.iter_mut().enumerate() {
                    // SAFETY: the caller's promise.
                    let b = unsafe { *b.byte_add(k * b_stride).add(n) }.to_bits();
                    *c += low * half(b << 16);
                    *c += high * half(b & !0xffff);
                }
            }
        }
    }
}

/// What `T` makes of products with numbers whose sums are exact in f32, and what it should be.
#[cfg(any(test, target_arch = "x86_64"))]
pub fn sample<T: Tiles>([rows, depth, panels, taps]: [usize; 4], accumulate: bool) -> (Vec<f32>, Vec<f32>) {
    use crate::kernels::bf16::pair;
    let value = |seed: usize, i: usize| Bf16::from(((i * 7919 + seed * 104_729) % 31) as f32 / 16.0 - 1.0);
    // Rows of A overlap, and do not begin at pairs.
    let a_row = 2 * depth / 3 + 5;
    let a: Vec<Bf16> = (0..rows * a_row + 2 * depth + taps).map(|i| value(1, i)).collect();
    let b: Vec<f32> = (0..panels * depth * COLUMNS).map(|i| pair(value(2, i), value(3, i))).collect();
    let (b_panel, b_depth, c_row) = (depth * COLUMNS, COLUMNS, panels * COLUMNS);
    let c_tap = rows * c_row;
    let mut c: Vec<f32> = (0..taps * c_tap).map(|i| value(4, i).into()).collect();
    let exact = |i: usize| {
        let (tap, row, n, column) = (i / c_tap, i % c_tap / c_row, i % c_row / COLUMNS, i % COLUMNS);
        let term = |k: usize| {
            let [low, high] = [0, 1].map(|half| f32::from(a[row * a_row + 2 * k + half + tap]));
            let place = (n * depth + k) * COLUMNS + column;
            low * f32::from(value(2, place)) + high * f32::from(value(3, place))
        };
        (0..depth).map(term).sum::<f32>() + if accumulate { c[i] } else { 0.0 }
    };
    let want = (0..c.len()).map(exact).collect();
    let (a, b) = (&a[..], &b[..]);
    let mut p = Matrices { taps, rows, depth, panels, a, a_row, b, b_panel, b_depth, c: &mut c, c_row, c_tap, accumulate };
    // SAFETY: whoever asks for `T` has it.
    unsafe { blocks::<T>(&mut p) };
    (c, want)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows, pairs, panels, taps; whether C is added to.
    const SHAPES: [([usize; 4], bool); 6] = [
        ([16, 16, 1, 1], false),
        ([32, 48, 1, 2], false),
        ([48, 16, 2, 3], true),
        ([128, 32, 3, 1], true),
        ([80, 96, 2, 2], false),
        ([16, 64, 4, 3], true),
    ];

    #[test]
    fn the_twin_multiplies() {
        for (shape, accumulate) in SHAPES {
            let (got, want) = sample::<Twin>(shape, accumulate);
            assert_eq!(got, want, "{shape:?}");
        }
    }

    /// Behind the lengths are raw reads and writes.
    #[test]
    fn what_is_too_short_is_refused() {
        let (rows, depth) = (SIDE, SIDE);
        let whole = [(rows - 1) * 40 + 2 * depth + 2, 2 * depth * COLUMNS, 2 * rows * COLUMNS + 2 * 4096];
        let computed = |[a, b, c]: [usize; 3], depth: usize| {
            let (a, b, mut c) = (vec![Bf16::ZERO; a], vec![0.0; b], vec![0.0; c]);
            let (a, b, c) = (&a[..], &b[..], &mut c[..]);
            let (b_panel, b_depth, c_row) = (SIDE * COLUMNS, COLUMNS, 2 * COLUMNS);
            let mut p = Matrices {
                taps: 3,
                rows,
                depth,
                panels: 2,
                a,
                a_row: 40,
                b,
                b_panel,
                b_depth,
                c,
                c_row,
                c_tap: 4096,
                accumulate: false,
            };
            // SAFETY: the twin needs nothing.
            unsafe { blocks::<Twin>(&mut p) };
        };
        computed(whole, depth);
        let refused = |lengths, depth| {
            assert!(std::panic::catch_unwind(|| computed(lengths, depth)).is_err(), "{lengths:?}, {depth}");
        };
        for i in 0..3 {
            let mut lengths = whole;
            lengths[i] -= 1;
            refused(lengths, depth);
        }
        refused(whole, depth - 1);
        refused(whole, 0);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_assembly_multiplies() {
        use super::super::amx::{Release, offered};
        // Not whether it is trusted: assembly that is wrong is not.
        if !offered() {
            eprintln!("skipped: AMX's assembly, for there is none");
            return;
        }
        // SAFETY: it is there.
        let _release = unsafe { Release::later() };
        for (shape, accumulate) in SHAPES {
            let (got, want) = sample::<Amx>(shape, accumulate);
            assert_eq!(got, want, "{shape:?}");
        }
    }
}
