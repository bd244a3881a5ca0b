//! How kernels are computed: the families, their names, and the one rule that says which of a GPU's a layer's product is
//! computed in.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::conv::Conv;
use super::products::Isa;
use super::winograd::{OUTPUTS, SIZE, WIDE};
use super::{Choice, Precision, Product, cooperative};

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
    /// The family that a product of a layer is computed in: what the choice says of it, or, where the shape
    /// does not suit that, the next that it suits: F(3,3), registers, tiles; cooperative matrices, tiles. The one place
    /// that decides it.
    pub fn family_for(&self, product: Product, conv: &Conv) -> Family {
        let (pool, narrowest) = (conv.windows.size, conv.cin.min(conv.cout));
        // Channels go in fours: a wave has one.
        let registers = conv.cin.is_multiple_of(4) && conv.cout.is_multiple_of(4) && conv.stride == 1;
        // In narrower layers few terms do not average away what the transforms magnify, as on the CPU; checks take them all.
        let wide = narrowest >= WIDE || self.tiles.get(SIZE) == Some(&(OUTPUTS as u32));
        let winograd = registers && conv.taps == 3 && (pool == OUTPUTS || conv.unpooled()) && wide;
        match self.rooms.get(product.name()).copied().unwrap_or(self.family) {
            Family::Native(isa) => Family::Native(isa),
            _ if product == Product::Forward && pool > LARGEST_WINDOW => Family::Plain,
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

    /// Of shapes that miss one condition each.
    #[test]
    fn a_layer_is_computed_in_the_family_that_its_shape_suits() {
        use crate::kernels::conv::cases;
        use Family::{Cooperative, Plain, Registers, Tiled, Winograd};
        // clips, positions, channels, taps, stride, pool of a case; F(3,3), registers, cooperative matrices.
        let wanted = [
            ([2, 27, 64, 64, 3, 1, 3], [Winograd, Registers, Cooperative(16)]),
            ([5, 10, 68, 64, 3, 1, 1], [Winograd, Registers, Cooperative(16)]),
            ([2, 18, 64, 64, 3, 1, 2], [Registers, Registers, Cooperative(16)]),
            ([2, 9, 64, 64, 1, 1, 1], [Registers, Registers, Tiled]),
            ([2, 20, 64, 64, 2, 1, 1], [Registers, Registers, Tiled]),
            ([1, 30, 64, 64, 3, 3, 1], [Tiled, Tiled, Tiled]),
            ([3, 29, 36, 32, 3, 1, 3], [Registers, Registers, Cooperative(16)]),
            ([2, 28, 130, 100, 3, 1, 3], [Tiled, Tiled, Cooperative(16)]),
            ([2, 45, 5, 7, 3, 2, 1], [Tiled, Tiled, Tiled]),
        ];
        for ([clips, input, cin, cout, taps, stride, pool], families) in wanted {
            let case = cases().into_iter().find(|case| {
                let c = &case.conv;
                (c.clips, c.input, c.cin, c.cout) == (clips, input, cin, cout)
                    && (c.taps, c.stride, c.windows.size) == (taps, stride, pool)
            });
            let conv = case.unwrap_or_else(|| panic!("no case {clips} x {input}, {cin} to {cout}")).conv;
            for (family, want) in [Winograd, Registers, Cooperative(16)].into_iter().zip(families) {
                for product in Product::ALL {
                    let choice = Choice::gpu(family);
                    assert_eq!(choice.family_for(product, &conv), want, "{product:?}, {family}: {conv:?}");
                    let mut mixed = choice.clone();
                    mixed.rooms.insert(product.name().into(), Plain);
                    assert_eq!(mixed.family_for(product, &conv), Plain, "a family of its own: {product:?}");
                }
            }
        }
    }
}
