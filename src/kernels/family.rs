//! How kernels are computed: the families, their names, and the one rule that says which of a GPU's a layer's product is
//! computed in.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::conv::Conv;
use super::products::Isa;
use super::winograd::{OUTPUTS, WIDE};
use super::{Choice, Precision, cooperative};

/// Positions of a window at most that a thread of `conv_forward`'s tiles takes; longer windows are left to its plain
/// shader, which has f32 only.
pub const LARGEST_WINDOW: usize = 24;

/// How kernels are computed. A family decides the order of sums, so it is kept with a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Rust on the CPU, with these instructions.
    Native(Isa),
    /// WGSL, one invocation an output: the obvious one.
    Plain,
    /// WGSL, tiles in registers and workgroup memory.
    Tiled,
    /// WGSL, larger tiles in registers alone.
    Registers,
    /// WGSL, F(3,3): five products where the definition has nine, in registers ([`super::winograd`]).
    Winograd,
    /// WGSL, f16 products on cooperative matrices of so many rows and columns ([`super::cooperative`]). Of mixed
    /// precision only.
    Cooperative(u8),
}

impl Family {
    /// All there are. Of cooperative matrices only an adapter says which sizes it has: here they are the larger ones.
    pub const ALL: [Family; 12] = [
        Family::Plain,
        Family::Tiled,
        Family::Registers,
        Family::Winograd,
        Family::Cooperative(16),
        Family::Native(Isa::Amx),
        Family::Native(Isa::AmxTwin),
        Family::Native(Isa::Avx512Bf16),
        Family::Native(Isa::Avx512),
        Family::Native(Isa::Avx2),
        Family::Native(Isa::Neon),
        Family::Native(Isa::Portable),
    ];

    /// Its name, whatever the size of matrices.
    pub fn name(self) -> &'static str {
        match self {
            Family::Native(isa) => isa.name(),
            Family::Plain => "plain",
            Family::Tiled => "tiled",
            Family::Registers => "registers",
            Family::Winograd => "winograd",
            Family::Cooperative(_) => "cooperative",
        }
    }

    /// Whether it is the CPU's.
    pub fn is_native(self) -> bool {
        matches!(self, Family::Native(_))
    }

    /// Whether it computes in a precision.
    pub fn has(self, precision: Precision) -> bool {
        match precision {
            Precision::F32 => !matches!(self, Family::Cooperative(_) | Family::Native(Isa::Avx512Bf16 | Isa::Amx | Isa::AmxTwin)),
            Precision::Mixed => !matches!(self, Family::Plain | Family::Registers | Family::Winograd),
        }
    }
}

/// Its name, and the size of matrices.
impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Family::Cooperative(size) => write!(f, "{}({size})", self.name()),
            _ => f.pad(self.name()),
        }
    }
}

impl Choice {
    /// The family that a room's product of a layer is computed in: what the choice says of the room, or, where the shape
    /// does not suit that, the next that it suits: F(3,3), registers, tiles; cooperative matrices, tiles. The one place
    /// that decides it.
    pub fn family_for(&self, room: &str, conv: &Conv) -> Family {
        let (pool, narrowest) = (conv.windows.size, conv.cin.min(conv.cout));
        // Channels go in fours: a wave has one.
        let registers = conv.cin.is_multiple_of(4) && conv.cout.is_multiple_of(4) && conv.stride == 1;
        // In narrower layers few terms do not average away what the transforms magnify, as on the CPU.
        let winograd = registers && conv.taps == 3 && (pool == OUTPUTS || conv.unpooled()) && narrowest >= WIDE;
        match self.rooms.get(room).copied().unwrap_or(self.family) {
            Family::Native(isa) => Family::Native(isa),
            _ if room == "conv_forward" && pool > LARGEST_WINDOW => Family::Plain,
            Family::Winograd if winograd => Family::Winograd,
            Family::Winograd | Family::Registers if registers => Family::Registers,
            Family::Cooperative(size) if cooperative::suits(conv) => Family::Cooperative(size),
            Family::Winograd | Family::Registers | Family::Cooperative(_) => Family::Tiled,
            wanted => wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A family that a run's configuration names is one that `--family` names by the same word.
    #[test]
    fn every_family_has_one_name() {
        let names: BTreeSet<&str> = Family::ALL.iter().map(|family| family.name()).collect();
        assert_eq!(names.len(), Family::ALL.len());
        for family in Family::ALL {
            let kept = serde_json::to_string(&family).unwrap();
            assert!(kept.contains(&format!("\"{}\"", family.name())), "{kept}");
        }
        for isa in [Precision::F32, Precision::Mixed].into_iter().flat_map(Isa::available_in) {
            assert!(Family::ALL.contains(&Family::Native(isa)), "{isa:?}");
        }
    }
}
