//! The kernels of a step, a room each, and what they have in common: operands, the Rust that
//! computes them, and the dispatches that compute them on a GPU, as plain data.
//!
//! To add a kernel: copy the smallest room, add one line here. To make one faster: touch one file,
//! run `tagwalk check NAME`.

pub mod batch_norm_backward;
pub mod batch_norm_forward;
pub mod bf16;
pub mod blocks;
pub mod clip_ranges;
pub mod conv;
pub mod conv_backward;
pub mod conv_forward;
pub mod conv_shaders;
pub mod cpu;
pub mod dense_backward;
pub mod dense_forward;
pub mod f16;
pub mod gpu;
pub mod jobs;
pub mod loss;
pub mod pack_weights;
pub mod pooling;
pub mod prepared;
pub mod products;
pub mod reader;
pub mod reference;
pub mod sgd;
pub mod shaders;
pub mod tiles;
pub mod winograd;

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use crate::tensor::DType;
use products::Isa;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    /// Every element is written, none is read.
    Write,
    /// Read and written.
    Update,
    /// Needed only while the kernel runs; nothing before or after.
    Scratch,
}

/// A tensor (or a range of one) that a kernel reads or writes, in the order of its contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operand {
    pub name: &'static str,
    pub shape: Vec<usize>,
    pub dtype: DType,
    pub access: Access,
}

impl Operand {
    pub fn new(name: &'static str, shape: &[usize], dtype: DType, access: Access) -> Operand {
        Operand { name, shape: shape.to_vec(), dtype, access }
    }

    /// An f32 operand that is read.
    pub fn read(name: &'static str, shape: &[usize]) -> Operand {
        Operand::new(name, shape, DType::F32, Access::Read)
    }

    /// An f32 operand that is written whole.
    pub fn write(name: &'static str, shape: &[usize]) -> Operand {
        Operand::new(name, shape, DType::F32, Access::Write)
    }

    /// An f32 operand that is read and written.
    pub fn update(name: &'static str, shape: &[usize]) -> Operand {
        Operand::new(name, shape, DType::F32, Access::Update)
    }

    /// An f32 operand that lives only while the kernel runs.
    pub fn scratch(name: &'static str, shape: &[usize]) -> Operand {
        Operand::new(name, shape, DType::F32, Access::Scratch)
    }

    /// The same of another element type.
    pub fn stored(mut self, dtype: DType) -> Operand {
        self.dtype = dtype;
        self
    }

    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn bytes(&self) -> usize {
        self.dtype.size(&self.shape)
    }
}

/// How kernels are computed. A family decides the order of sums, so it is kept with a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// WGSL, F(3,3): five products where the definition has nine, in registers ([`winograd`]).
    Winograd,
    /// WGSL, f16 products on cooperative matrices of so many rows and columns, where a convolution is wide
    /// ([`conv_shaders::matrices`]); elsewhere as tiled. Of mixed precision only.
    Cooperative(u8),
}

impl Family {
    /// Whether it may be chosen for a GPU's mixed precision.
    pub fn has_mixed(&self) -> bool {
        !matches!(self, Family::Plain | Family::Registers | Family::Winograd)
    }
}

/// What z, p and dy are stored as, and what wide layers multiply (`algebra.md`, 2 and 5). Statistics, weights, their
/// gradients, updates, losses and every sum are f32 in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    #[default]
    F32,
    /// z, p and dy in 16 bits: bf16 on a CPU, and F(3,3)'s products of bf16 pairs where those are faster
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
/// lines; those not named keep their default). Which there are, and within which bounds: [`tiles`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub family: Family,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tiles: BTreeMap<String, u32>,
    /// Of a GPU's products ([`tiles::ROOMS`]), those that are computed in another family than the rest.
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

    fn of(family: Family) -> Choice {
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
    pub fn half(&self) -> (&'static str, gpu::Value) {
        ("HALF", gpu::Value::U32(u32::from(self.storage() == DType::F16)))
    }

    /// The family of one of a GPU's products.
    pub fn family_of(&self, room: &str) -> &Family {
        self.rooms.get(room).unwrap_or(&self.family)
    }

    /// Rows and columns of the cooperative matrices that any room multiplies on.
    pub fn matrices(&self) -> Option<u8> {
        let families = std::iter::once(&self.family).chain(self.rooms.values());
        families.into_iter().find_map(|family| if let Family::Cooperative(size) = family { Some(*size) } else { None })
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
        matches!(self.family, Family::Native(_))
    }

    /// A tile size by name, `default` where the choice does not set it.
    pub fn tile(&self, name: &str, default: u32) -> u32 {
        self.tiles.get(name).copied().unwrap_or(default)
    }
}

/// Shapes that the dense layer's rooms are checked on: clips, positions, channels, outputs.
const DENSE_SHAPES: [(usize, usize, usize, usize); 22] = [
    (1, 1, 1, 1),
    (1, 1, 3, 1),
    (2, 1, 5, 3),
    (3, 1, 7, 5),
    (5, 2, 3, 6),
    (23, 1, 31, 50),
    (23, 1, 33, 1),
    (4, 1, 128, 100),
    (2, 3, 33, 7),
    (1, 1, 512, 50),
    (23, 1, 128, 50),
    (5, 1, 130, 64),
    (2, 1, 64, 1000),
    (3, 1, 100, 999),
    (1, 5, 16, 65),
    (17, 1, 17, 17),
    (16, 1, 16, 16),
    (33, 1, 15, 31),
    (8, 4, 8, 128),
    (64, 1, 5, 2),
    (7, 9, 7, 22),
    (2, 2, 130, 33),
];

/// One call of a step, with all its shapes in it.
pub trait Kernel: Send + Sync + Debug {
    /// The room's name.
    fn name(&self) -> &'static str;

    /// What it reads and writes, in order. Calls and dispatches refer to operands by their place.
    fn operands(&self) -> Vec<Operand>;

    /// Floating-point operations as the textbook counts them (2 a multiply-add).
    fn flops(&self) -> u64;

    /// The least bytes it must move: every operand but scratch once.
    fn bytes(&self) -> u64 {
        let moved = |o: &Operand| match o.access {
            Access::Read | Access::Write => o.bytes() as u64,
            Access::Update => 2 * o.bytes() as u64,
            Access::Scratch => 0,
        };
        self.operands().iter().map(moved).sum()
    }

    /// f32 values of working space that each CPU thread needs.
    fn workspace(&self) -> usize {
        0
    }

    /// Computes it on the CPU, on the threads of the pool it is called in. The result does not
    /// depend on how many those are.
    fn run(&self, args: &cpu::Arguments);

    /// The dispatches that compute it on a GPU, in order.
    fn dispatches(&self, limits: &gpu::Limits) -> Vec<gpu::Dispatch>;
}
