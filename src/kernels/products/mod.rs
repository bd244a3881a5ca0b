//! The CPU's products: register tiles for each instruction set, chosen at run time.

use serde::{Deserialize, Serialize};

/// Instruction sets with a product of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Isa {
    Avx512,
    Avx2,
    Neon,
    Portable,
}

impl Isa {
    /// The best one that this processor has.
    pub fn detect() -> Isa {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                return Isa::Avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Isa::Avx2;
            }
        }
        if cfg!(target_arch = "aarch64") { Isa::Neon } else { Isa::Portable }
    }

    /// Output channels of a register tile: the width of a packed panel.
    pub fn width(self) -> usize {
        match self {
            Isa::Avx512 => 32,
            Isa::Avx2 | Isa::Neon | Isa::Portable => 16,
        }
    }
}
