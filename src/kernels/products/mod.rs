//! The CPU's products: register tiles for each instruction set, chosen at run time.
//!
//! A kernel writes its work once, generic over [`Simd`], and [`Isa::run`] compiles and calls it
//! for each instruction set, so that everything elementwise around a product uses the same
//! vectors as the product itself.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod matrices;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
mod rate;
mod simd;
mod tile;

use serde::{Deserialize, Serialize};

use super::Precision;

pub use matrices::{COLUMNS, Matrices, SIDE, matrix_product};
pub use simd::{MOST_ROWS, Simd, Work};
pub use tile::{Product, heights, pair_product, product};

/// Instruction sets with a product of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Isa {
    /// AVX-512 whose products of pairs of bf16 are instructions (AVX-512 BF16): for mixed precision only.
    Avx512Bf16,
    Avx512,
    Avx2,
    Neon,
    Portable,
    /// Products of pairs by AMX ([`Matrices`]) beside AVX-512 BF16: for mixed precision only.
    Amx,
    /// The same with AMX in plain Rust, beside AVX-512: what tests compute by where there is none.
    AmxTwin,
}

/// All that [`avx2::run`] is compiled with.
#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

/// All that [`avx512::run`] is compiled with.
#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f") && has_avx2()
}

/// All that [`avx512::run_bf16`] is compiled with.
#[cfg(target_arch = "x86_64")]
fn has_avx512_bf16() -> bool {
    is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("avx512bw") && has_avx512()
}

impl Isa {
    /// The best one that this processor has for f32.
    pub fn detect() -> Isa {
        Isa::detect_in(Precision::F32)
    }

    /// The best one that this processor has for a precision.
    pub fn detect_in(precision: Precision) -> Isa {
        *Isa::available_in(precision).first().unwrap_or(&Isa::Portable)
    }

    /// All that this processor has for f32, best first.
    pub fn available() -> Vec<Isa> {
        Isa::available_in(Precision::F32)
    }

    /// All that this processor has for a precision, best first.
    pub fn available_in(precision: Precision) -> Vec<Isa> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if precision == Precision::Mixed && amx::has_amx() {
                all.push(Isa::Amx);
            }
            if precision == Precision::Mixed && has_avx512_bf16() {
                all.push(Isa::Avx512Bf16);
            }
            if has_avx512() {
                all.push(Isa::Avx512);
            }
            if has_avx2() {
                all.push(Isa::Avx2);
            }
        }
        if cfg!(target_arch = "aarch64") {
            all.push(Isa::Neon);
        }
        all.push(Isa::Portable);
        #[cfg(target_arch = "x86_64")]
        if precision == Precision::Mixed && has_avx512() {
            all.push(Isa::AmxTwin);
        }
        all
    }

    /// Whether it has products on a matrix unit ([`matrix_product`]).
    pub fn has_matrices(self) -> bool {
        matches!(self, Isa::Amx | Isa::AmxTwin)
    }

    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Avx512Bf16 => "avx512bf16",
            Isa::Avx512 => "avx512",
            Isa::Avx2 => "avx2",
            Isa::Neon => "neon",
            Isa::Portable => "portable",
            Isa::Amx => "amx",
            Isa::AmxTwin => "amxtwin",
        }
    }

    /// Output channels of a register tile: the width of a packed panel.
    pub fn width(self) -> usize {
        match self {
            Isa::Amx | Isa::AmxTwin | Isa::Avx512Bf16 | Isa::Avx512 => 32,
            Isa::Avx2 | Isa::Neon | Isa::Portable => 16,
        }
    }

    /// Rows of a register tile at most.
    pub fn rows(self) -> usize {
        match self {
            Isa::Amx | Isa::AmxTwin | Isa::Avx512Bf16 | Isa::Avx512 => 14,
            Isa::Avx2 | Isa::Neon => 6,
            Isa::Portable => 3,
        }
    }

    /// Runs `work` with this instruction set. Panics if the processor has it not: a plan is
    /// only loaded where its choice can run.
    pub fn run(self, work: impl Work) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16 => {
                assert!(has_avx512_bf16());
                // SAFETY: just detected.
                unsafe { avx512::run_bf16(work) }
            }
            #[cfg(target_arch = "x86_64")]
            // SAFETY: just detected.
            Isa::AmxTwin if has_avx512_bf16() => unsafe { avx512::run_bf16(work) },
            #[cfg(target_arch = "x86_64")]
            Isa::AmxTwin => {
                assert!(has_avx512());
                // SAFETY: just detected.
                unsafe { avx512::run(work) }
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Amx => {
                assert!(amx::has_amx());
                // SAFETY: just detected.
                unsafe {
                    let _release = amx::Release::later();
                    avx512::run_bf16(work);
                }
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                assert!(has_avx512());
                // SAFETY: just detected.
                unsafe { avx512::run(work) }
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => {
                assert!(has_avx2());
                // SAFETY: just detected.
                unsafe { avx2::run(work) }
            }
            #[cfg(target_arch = "aarch64")]
            // SAFETY: every aarch64 processor that Rust supports has NEON.
            Isa::Neon => unsafe { neon::run(work) },
            // SAFETY: needs nothing.
            Isa::Portable => unsafe { work.run::<portable::Portable>() },
            #[allow(unreachable_patterns)]
            other => panic!("{other:?} is not an instruction set of this processor"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_sets_tile_is_what_its_vectors_say() {
        struct Tile<'a>(&'a mut (usize, usize));
        impl Work for Tile<'_> {
            #[inline(always)]
            unsafe fn run<S: Simd>(self) {
                *self.0 = (S::ROWS, S::LANES * S::VECTORS);
            }
        }
        for isa in Isa::available_in(Precision::Mixed) {
            let mut tile = (0, 0);
            isa.run(Tile(&mut tile));
            assert_eq!(tile, (isa.rows(), isa.width()), "{isa:?}");
        }
    }
}
