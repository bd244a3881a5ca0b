//! AMX, the matrix unit of Intel's processors since Sapphire Rapids: eight tile registers of 16 rows of 64 bytes, and
//! `tdpbf16ps`, which adds 16 x 16 sums of 16 products of pairs of bf16. Stable Rust has no intrinsics for it, so the
//! instructions are inline assembly; their twin in plain Rust is beside the trait ([`super::matrices`]). Values stay in
//! tile registers from one piece of assembly to the next: nothing else touches them, since no `amx-tile` is on for the
//! compiler.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::sync::OnceLock;

use super::matrices::{SIDE, Tiles, sample};
use crate::kernels::bf16::Bf16;

/// C in tmm0 and tmm1, below them tmm2 and tmm3; A in tmm4, below it tmm5; B in tmm6 and tmm7.
pub struct Amx;

impl Tiles for Amx {
    #[inline(always)]
    unsafe fn new() -> Amx {
        // Palette 1; from byte 16 on bytes a row of each tile, two bytes each, from 48 on its rows.
        static SHAPES: [u8; 64] = {
            let mut shapes = [0; 64];
            shapes[0] = 1;
            let mut tile = 0;
            while tile < 8 {
                shapes[16 + 2 * tile] = 64;
                shapes[48 + tile] = SIDE as u8;
                tile += 1;
            }
            shapes
        };
        // SAFETY: the caller's promise.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &SHAPES, options(nostack, readonly, preserves_flags)) };
        Amx
    }

    #[inline(always)]
    unsafe fn clear(&mut self) {
        // SAFETY: the caller's promise.
        unsafe {
            asm!("tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3", options(nostack, nomem, preserves_flags))
        };
    }

    #[inline(always)]
    unsafe fn load_c<const HIGH: usize>(&mut self, c: *const f32, stride: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            asm!(
                "tileloadd tmm0, [{c} + {stride}*1]",
                "tileloadd tmm1, [{c} + {stride}*1 + 64]",
                c = in(reg) c,
                stride = in(reg) stride,
                options(nostack, readonly, preserves_flags)
            );
            if HIGH == 2 {
                asm!(
                    "tileloadd tmm2, [{c} + {stride}*1]",
                    "tileloadd tmm3, [{c} + {stride}*1 + 64]",
                    c = in(reg) c.byte_add(SIDE * stride),
                    stride = in(reg) stride,
                    options(nostack, readonly, preserves_flags)
                );
            }
        }
    }

    #[inline(always)]
    unsafe fn store_c<const HIGH: usize>(&self, c: *mut f32, stride: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            asm!(
                "tilestored [{c} + {stride}*1], tmm0",
                "tilestored [{c} + {stride}*1 + 64], tmm1",
                c = in(reg) c,
                stride = in(reg) stride,
                options(nostack, preserves_flags)
            );
            if HIGH == 2 {
                asm!(
                    "tilestored [{c} + {stride}*1], tmm2",
                    "tilestored [{c} + {stride}*1 + 64], tmm3",
                    c = in(reg) c.byte_add(SIDE * stride),
                    stride = in(reg) stride,
                    options(nostack, preserves_flags)
                );
            }
        }
    }

    #[inline(always)]
    unsafe fn multiply<const HIGH: usize>(&mut self, a: *const Bf16, a_stride: usize, b: *const f32, b_stride: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            if HIGH == 1 {
                asm!(
                    "tileloadd tmm4, [{a} + {a_stride}*1]",
                    "tileloadd tmm6, [{b} + {b_stride}*1]",
                    "tileloadd tmm7, [{b} + {b_stride}*1 + 64]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    a = in(reg) a,
                    a_stride = in(reg) a_stride,
                    b = in(reg) b,
                    b_stride = in(reg) b_stride,
                    options(nostack, readonly, preserves_flags)
                );
            } else {
                asm!(
                    "tileloadd tmm4, [{a} + {a_stride}*1]",
                    "tileloadd tmm6, [{b} + {b_stride}*1]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm7, [{b} + {b_stride}*1 + 64]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tileloadd tmm5, [{below} + {a_stride}*1]",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    a = in(reg) a,
                    below = in(reg) a.byte_add(SIDE * a_stride),
                    a_stride = in(reg) a_stride,
                    b = in(reg) b,
                    b_stride = in(reg) b_stride,
                    options(nostack, readonly, preserves_flags)
                );
            }
        }
    }
}

/// Gives the tiles back when it is dropped, after a panic too: a thread that holds some is slower to switch.
pub struct Release(());

impl Release {
    /// # Safety
    /// As [`Tiles::new`].
    pub unsafe fn later() -> Release {
        Release(())
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        // SAFETY: promised when it was made.
        unsafe { asm!("tilerelease", options(nostack, nomem, preserves_flags)) };
    }
}

/// Whether the processor has AMX with bf16, the system lets this process use it (Linux is asked for it, once), and the
/// assembly multiplies.
pub fn has_amx() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| offered() && multiplies())
}

/// Whether processor and system have it.
pub fn offered() -> bool {
    // Leaf 7 exists where AVX-512 does. Its bits of edx: 22 AMX-BF16, 24 AMX-TILE.
    super::has_avx512_bf16() && __cpuid_count(7, 0).edx >> 22 & 0b101 == 0b101 && asked()
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

/// Tries all instructions, on numbers whose products and sums are exact.
fn multiplies() -> bool {
    // SAFETY: processor and system were asked.
    let _release = unsafe { Release::later() };
    [false, true].into_iter().all(|accumulate| {
        let (got, want) = sample::<Amx>([3 * SIDE, 2 * SIDE, 2, 2], accumulate);
        got == want
    })
}
