//! Products of pairs of bf16 by AMX (`tdpbf16ps`): C 16 x 16 += A of 16 rows x B of 16 columns, 16 pairs of the sum at a
//! time. Panels and rows lie as every product of pairs has them: a row of A is a tile's row, a panel's row of pairs is
//! B's. Of a transposed A 16 rows at a time are turned.
//!
//! Stable Rust has no intrinsics for it, so the instructions are inline assembly ([`Amx`]), with a twin in plain Rust
//! ([`Twin`]) that any processor can run. **The assembly has not been run**: no machine with AMX could be had. It
//! assembles, and is reached only where [`has_amx`] says so, which holds it against its twin first.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::ops::Range;
use std::sync::OnceLock;

use super::tile::{Product, checked};
use crate::kernels::bf16::{Bf16, pair};

/// Rows of a tile, columns of C and B, pairs of the sum: 64 bytes a row.
const SIDE: usize = 16;
/// Pairs of a transposed A that are turned at once.
const TURNED: usize = 4 * SIDE;

/// The tile registers: two of C, one of A, two of B. Strides in bytes.
pub trait Tiles {
    /// Shapes of all that follows: `rows` of A and C, `depth` pairs of A and B, each at most [`SIDE`].
    ///
    /// # Safety
    /// The processor has the instructions and the system lets them be used, here and below.
    unsafe fn shaped(rows: usize, depth: usize) -> Self;
    /// # Safety
    /// As `shaped`.
    unsafe fn clear(&mut self);
    /// # Safety
    /// Both tiles of C, side by side, are readable.
    unsafe fn load_c(&mut self, c: *const f32, stride: usize);
    /// # Safety
    /// As [`Tiles::load_c`], writable.
    unsafe fn store_c(&self, c: *mut f32, stride: usize);
    /// C += A·B, both tiles of C.
    ///
    /// # Safety
    /// `a`'s tile and `b`'s two, side by side, are readable.
    unsafe fn multiply(&mut self, a: *const f32, a_stride: usize, b: *const f32, b_stride: usize);
}

/// A product of pairs; panels are of 32 columns.
///
/// # Safety
/// As [`Tiles::shaped`].
pub unsafe fn pair_product<T: Tiles>(p: &mut Product) {
    checked(p, 2 * SIDE);
    assert!(p.depth > 0, "a sum of nothing");
    if p.a_depth == 1 {
        // SAFETY: the caller's promise, and the lengths by `checked`.
        return unsafe { product::<T>(p, p.a.as_ptr(), p.a_row, 0..p.rows, 0..p.depth, p.accumulate) };
    }
    let mut turned = [0.0f32; SIDE * TURNED];
    for row in (0..p.rows).step_by(SIDE) {
        let rows = row..p.rows.min(row + SIDE);
        for from in (0..p.depth).step_by(TURNED) {
            let depth = from..p.depth.min(from + TURNED);
            for k in depth.clone() {
                for r in rows.clone() {
                    turned[(r - row) * TURNED + k - from] = p.a[r * p.a_row + k * p.a_depth];
                }
            }
            // SAFETY: as above; `turned` holds these rows.
            unsafe { product::<T>(p, turned.as_ptr(), TURNED, rows.clone(), depth, p.accumulate || from > 0) };
        }
    }
}

/// Some rows of C over some of the sum; `a` is A's first row there, pairs side by side.
///
/// # Safety
/// As [`pair_product`]; `a` holds the rows.
unsafe fn product<T: Tiles>(
    p: &mut Product,
    a: *const f32,
    a_row: usize,
    rows: Range<usize>,
    depth: Range<usize>,
    accumulate: bool,
) {
    let bytes = size_of::<f32>();
    // Whole tiles of the sum, then what is left: a shape holds for all tiles of a product.
    let whole = depth.len() / SIDE * SIDE;
    for part in [0..whole, whole..depth.len()].into_iter().filter(|part| !part.is_empty()) {
        for row in rows.clone().step_by(SIDE) {
            let some = SIDE.min(rows.end - row);
            // SAFETY: the caller's promise.
            unsafe {
                let mut tiles = T::shaped(some, SIDE.min(part.len()));
                for n in 0..p.panels {
                    let c = p.c.as_mut_ptr().add(row * p.c_row + n * 2 * SIDE);
                    if accumulate || part.start > 0 {
                        tiles.load_c(c, bytes * p.c_row)
                    } else {
                        tiles.clear()
                    }
                    for k in part.clone().step_by(SIDE) {
                        let a = a.add((row - rows.start) * a_row + k);
                        let b = p.b.as_ptr().add(n * p.b_panel + (depth.start + k) * p.b_depth);
                        tiles.multiply(a, bytes * a_row, b, bytes * p.b_depth);
                    }
                    tiles.store_c(c, bytes * p.c_row);
                }
            }
        }
    }
}

/// The processor's tiles: C in tmm0 and tmm1, A in tmm2, B in tmm3 and tmm4. The compiler uses none of them.
pub struct Amx;

impl Tiles for Amx {
    unsafe fn shaped(rows: usize, depth: usize) -> Amx {
        // Palette 1; from byte 16 on bytes a row of each tile, from 48 on its rows.
        #[repr(align(64))]
        struct Shapes([u8; 64]);
        let mut shapes = Shapes([0; 64]);
        shapes.0[0] = 1;
        let row = 4 * SIDE;
        for (tile, (rows, row)) in
            [(rows, row), (rows, row), (rows, 4 * depth), (depth, row), (depth, row)].into_iter().enumerate()
        {
            shapes.0[16 + 2 * tile] = row as u8;
            shapes.0[48 + tile] = rows as u8;
        }
        // SAFETY: the caller's promise.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &shapes, options(nostack, readonly, preserves_flags)) };
        Amx
    }

    #[inline(always)]
    unsafe fn clear(&mut self) {
        // SAFETY: the caller's promise.
        unsafe { asm!("tilezero tmm0", "tilezero tmm1", options(nostack, nomem, preserves_flags)) };
    }

    #[inline(always)]
    unsafe fn load_c(&mut self, c: *const f32, stride: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            asm!(
                "tileloadd tmm0, [{c} + {stride}*1]",
                "tileloadd tmm1, [{c} + {stride}*1 + 64]",
                c = in(reg) c,
                stride = in(reg) stride,
                options(nostack, readonly, preserves_flags)
            );
        }
    }

    #[inline(always)]
    unsafe fn store_c(&self, c: *mut f32, stride: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            asm!(
                "tilestored [{c} + {stride}*1], tmm0",
                "tilestored [{c} + {stride}*1 + 64], tmm1",
                c = in(reg) c,
                stride = in(reg) stride,
                options(nostack, preserves_flags)
            );
        }
    }

    #[inline(always)]
    unsafe fn multiply(&mut self, a: *const f32, a_stride: usize, b: *const f32, b_stride: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            asm!(
                "tileloadd tmm2, [{a} + {a_stride}*1]",
                "tileloadd tmm3, [{b} + {b_stride}*1]",
                "tileloadd tmm4, [{b} + {b_stride}*1 + 64]",
                "tdpbf16ps tmm0, tmm2, tmm3",
                "tdpbf16ps tmm1, tmm2, tmm4",
                a = in(reg) a,
                a_stride = in(reg) a_stride,
                b = in(reg) b,
                b_stride = in(reg) b_stride,
                options(nostack, readonly, preserves_flags)
            );
        }
    }
}

/// Gives the tiles back: a thread that holds some is slower to switch.
///
/// # Safety
/// As [`Tiles::shaped`].
pub unsafe fn release() {
    // SAFETY: the caller's promise.
    unsafe { asm!("tilerelease", options(nostack, nomem, preserves_flags)) };
}

/// Whether the processor has AMX with bf16, the system lets this process use it (Linux is asked for it, once), and the
/// assembly computes what its twin does.
pub fn has_amx() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        // Leaf 7 exists where AVX-512 does. Its bits of edx: 22 AMX-BF16, 24 AMX-TILE.
        super::has_avx512_bf16() && __cpuid_count(7, 0).edx >> 22 & 0b101 == 0b101 && asked() && agrees()
    })
}

/// arch_prctl(ARCH_REQ_XCOMP_PERM, XTILEDATA), which fails where the system does not know the tiles.
#[cfg(target_os = "linux")]
fn asked() -> bool {
    let mut result: u64 = 158;
    // SAFETY: a system call that changes nothing but what this process may use; it spoils rcx and r11.
    unsafe {
        asm!("syscall", inout("rax") result, in("rdi") 0x1023, in("rsi") 18, out("rcx") _, out("r11") _, options(nostack));
    }
    result == 0
}

#[cfg(not(target_os = "linux"))]
fn asked() -> bool {
    false
}

/// Holds the assembly against its twin, on numbers whose products and sums are exact.
fn agrees() -> bool {
    let (rows, depth) = (14, 17);
    let value = |i: usize| Bf16::from((i * 7 % 31) as f32 / 16.0 - 1.0);
    let pairs: Vec<f32> = (0..depth * 2 * SIDE).map(|i| pair(value(i), value(i + 3))).collect();
    let computed = |multiply: unsafe fn(&mut Product)| {
        let mut c = vec![0.0; rows * 2 * SIDE];
        let (a, b) = (&pairs[..rows * depth], &pairs[..]);
        let (a_row, b_panel, [b_depth, c_row]) = (depth, depth * 2 * SIDE, [2 * SIDE; 2]);
        let mut p =
            Product { rows, depth, panels: 1, a, a_row, a_depth: 1, b, b_panel, b_depth, c: &mut c, c_row, accumulate: false };
        // SAFETY: processor and system were asked.
        unsafe { multiply(&mut p) };
        c
    };
    let same = computed(pair_product::<Amx>) == computed(pair_product::<Twin>);
    // SAFETY: as above.
    unsafe { release() };
    same
}

/// The same in plain Rust, sums in the order of the instruction's definition.
pub struct Twin {
    rows: usize,
    depth: usize,
    c: [[f32; 2 * SIDE]; SIDE],
}

impl Tiles for Twin {
    unsafe fn shaped(rows: usize, depth: usize) -> Twin {
        Twin { rows, depth, c: [[0.0; 2 * SIDE]; SIDE] }
    }

    unsafe fn clear(&mut self) {
        self.c = [[0.0; 2 * SIDE]; SIDE];
    }

    unsafe fn load_c(&mut self, c: *const f32, stride: usize) {
        for (r, row) in self.c.iter_mut().enumerate().take(self.rows) {
            // SAFETY: the caller's promise.
            unsafe { std::ptr::copy_nonoverlapping(c.byte_add(r * stride), row.as_mut_ptr(), 2 * SIDE) };
        }
    }

    unsafe fn store_c(&self, c: *mut f32, stride: usize) {
        for (r, row) in self.c.iter().enumerate().take(self.rows) {
            // SAFETY: the caller's promise.
            unsafe { std::ptr::copy_nonoverlapping(row.as_ptr(), c.byte_add(r * stride), 2 * SIDE) };
        }
    }

    unsafe fn multiply(&mut self, a: *const f32, a_stride: usize, b: *const f32, b_stride: usize) {
        // What is no normal number is taken for zero.
        let half = |bits: u32| if bits & 0x7f80_0000 == 0 { 0.0 } else { f32::from_bits(bits) };
        for (r, row) in self.c.iter_mut().enumerate().take(self.rows) {
            for k in 0..self.depth {
                // SAFETY: the caller's promise.
                let a = unsafe { a.byte_add(r * a_stride).add(k).read_unaligned() }.to_bits();
                for (n, c) in row.iter_mut().enumerate() {
                    // SAFETY: the caller's promise.
                    let b = unsafe { b.byte_add(k * b_stride).add(n).read_unaligned() }.to_bits();
                    *c += half(a << 16) * half(b << 16);
                    *c += half(a & !0xffff) * half(b & !0xffff);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows, pairs, panels, whether A is transposed, whether C is added to.
    const SHAPES: [(usize, usize, usize, bool, bool); 8] = [
        (1, 1, 1, false, false),
        (14, 64, 1, false, false),
        (13, 17, 2, false, true),
        (16, 16, 3, false, true),
        (33, 40, 2, false, false),
        (128, 21, 4, true, true),
        (5, 3, 1, true, false),
        (40, 150, 2, true, false),
    ];

    /// C of a product, and what it should be in f64.
    fn computed<T: Tiles>(
        (rows, depth, panels, transposed, accumulate): (usize, usize, usize, bool, bool),
    ) -> (Vec<f32>, Vec<f64>) {
        let value = |seed: usize, i: usize| Bf16::from(((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0);
        let pairs = |seed, count| (0..count).map(|i| pair(value(seed, 2 * i), value(seed, 2 * i + 1))).collect::<Vec<f32>>();
        let (a, b) = (pairs(1, rows * depth), pairs(2, panels * depth * 32));
        let before: Vec<f32> = (0..rows * panels * 32).map(|i| f32::from(value(3, i))).collect();
        let (a_row, a_depth) = if transposed { (1, rows) } else { (depth, 1) };
        let mut c = before.clone();
        let mut p = Product {
            rows,
            depth,
            panels,
            a: &a,
            a_row,
            a_depth,
            b: &b,
            b_panel: depth * 32,
            b_depth: 32,
            c: &mut c,
            c_row: panels * 32,
            accumulate,
        };
        // SAFETY: the twin needs nothing; the assembly is only called where the processor has it.
        unsafe { pair_product::<T>(&mut p) };
        let halves = |v: f32| [f32::from_bits(v.to_bits() << 16), f32::from_bits(v.to_bits() & !0xffff)].map(f64::from);
        let exact = |i: usize| {
            let (row, n, column) = (i / (panels * 32), i % (panels * 32) / 32, i % 32);
            let term = |k: usize| {
                let [a, b] = [a[row * a_row + k * a_depth], b[(n * depth + k) * 32 + column]].map(halves);
                a[0] * b[0] + a[1] * b[1]
            };
            (0..depth).map(term).sum::<f64>() + if accumulate { before[i].into() } else { 0.0 }
        };
        let want = (0..before.len()).map(exact).collect();
        (c, want)
    }

    #[test]
    fn the_twin_multiplies() {
        for shape in SHAPES {
            let (got, want) = computed::<Twin>(shape);
            for (i, (got, want)) in got.iter().zip(want).enumerate() {
                assert!((f64::from(*got) - want).abs() < 1e-4, "{shape:?}, {i}: {got} against {want}");
            }
        }
    }

    #[test]
    fn the_assembly_is_its_twin() {
        if !has_amx() {
            println!("skipped: no AMX");
            return;
        }
        for shape in SHAPES {
            let ((got, _), (want, _)) = (computed::<Amx>(shape), computed::<Twin>(shape));
            // SAFETY: it is there.
            unsafe { release() };
            for (got, want) in got.iter().zip(&want) {
                assert!((got - want).abs() < 1e-4, "{shape:?}: {got} against {want}");
            }
        }
    }
}
