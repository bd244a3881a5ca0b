//! What a run decides of its kernels: family, tile sizes, precision. It decides the order of sums and their rounding, so
//! it is kept with the run.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::gpu::Value;
use super::products::Isa;
use super::{Family, winograd};
use crate::tensor::DType;

/// What z, p and dy are stored as, and what wide layers multiply (`algebra.md`, 2 and 5). Statistics, weights, their
/// gradients, updates, losses and every sum are f32 in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    #[default]
    F32,
    /// z, p and dy in 16 bits: bf16 on a CPU, and wide layers' products of bf16 pairs where those are faster
    /// ([`winograd::PAIRS`]); f16 on a GPU, and a loss scale.
    Mixed,
}

impl Precision {
    /// In a word.
    pub fn name(self) -> &'static str {
        if self == Precision::F32 { "f32" } else { "mixed" }
    }

    fn is_default(&self) -> bool {
        *self == Precision::F32
    }
}

/// A family and the values of its tile sizes (`SHADER.NAME`, names of the shader's top-level `const`
/// lines; those not named have their default). Which there are, their bounds and defaults: [`super::tiles`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub family: Family,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tiles: BTreeMap<String, u32>,
    /// Of a GPU's products, by their names ([`super::Product::name`]), those that are computed in another family than the rest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rooms: BTreeMap<String, Family>,
    #[serde(default, skip_serializing_if = "Precision::is_default")]
    pub precision: Precision,
    /// What a GPU's mixed precision multiplies the gradient of the logits by, and all that follows from it up to the
    /// gradients of the parameters, which `sgd` divides again: a power of two, so that nothing but f16's range is
    /// changed. 1 where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_scale: Option<u32>,
}

impl Choice {
    pub fn native(isa: Isa) -> Choice {
        Choice::of(Family::Native(isa))
    }

    pub fn gpu(family: Family) -> Choice {
        Choice::of(family)
    }

    /// A family as it stands, in f32.
    pub fn of(family: Family) -> Choice {
        Choice { family, tiles: BTreeMap::new(), rooms: BTreeMap::new(), precision: Precision::F32, loss_scale: None }
    }

    /// The CPU's choice of a precision, with its best instructions.
    pub fn cpu(precision: Precision) -> Choice {
        Choice::best(Isa::detect_in(precision), precision)
    }

    /// The faster products of an instruction set in a precision.
    pub fn best(isa: Isa, precision: Precision) -> Choice {
        let choice = Choice::native(isa).in_precision(precision);
        match precision {
            Precision::F32 => choice,
            Precision::Mixed => choice.with(winograd::PAIRS, isa.pairs_are_faster().into()),
        }
    }

    /// The same in a precision.
    pub fn in_precision(mut self, precision: Precision) -> Choice {
        self.precision = precision;
        self
    }

    /// The loss scale, as a factor.
    pub fn loss_scale(&self) -> f32 {
        self.loss_scale.map_or(1.0, |scale| scale as f32)
    }

    /// What z, p and dy are stored as.
    pub fn storage(&self) -> DType {
        match self.precision {
            Precision::F32 => DType::F32,
            Precision::Mixed if self.is_native() => DType::Bf16,
            Precision::Mixed => DType::F16,
        }
    }

    /// Whether they are f16: a shader's constant HALF.
    pub fn half(&self) -> (&'static str, Value) {
        ("HALF", Value::U32(u32::from(self.storage() == DType::F16)))
    }

    /// Its family, then those of rooms that have another.
    pub fn families(&self) -> impl Iterator<Item = Family> {
        std::iter::once(self.family).chain(self.rooms.values().copied())
    }

    /// Rows and columns of the cooperative matrices that any room multiplies on.
    pub fn cooperative_size(&self) -> Option<u8> {
        self.families().find_map(|family| if let Family::Cooperative(size) = family { Some(size) } else { None })
    }

    /// The same with a tile size.
    pub fn with(mut self, tile: &str, size: u32) -> Choice {
        self.tiles.insert(tile.into(), size);
        self
    }

    /// The CPU's instruction set; the portable one where the family is a GPU's.
    pub fn isa(&self) -> Isa {
        match self.family {
            Family::Native(isa) => isa,
            _ => Isa::Portable,
        }
    }

    pub fn is_native(&self) -> bool {
        self.family.is_native()
    }
}

/// In a word or two: what people are told computes.
impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.family {
            Family::Native(Isa::Avx512Bf16) if !winograd::paired(self) => write!(f, "{} (f32 products)", self.family),
            Family::Native(_) => self.family.fmt(f),
            _ if !self.tiles.is_empty() || !self.rooms.is_empty() => f.write_str("tuned shaders"),
            family => write!(f, "{family} shaders"),
        }
    }
}
