//! The kernels of a step, a room each, and what they have in common: operands, the Rust that
//! computes them, and the dispatches that compute them on a GPU, as plain data.
//!
//! To add a kernel: copy the smallest room (`sgd`) and add a line here; write its shader and add a line to
//! [`shaders::TABLE`]; judge it in `measure/check`, a line of `ROOMS` there; call it in `plan/build`; and add its cases
//! to `kernels()` in `tests/shaders.rs`. To make one faster: touch one file, run `tagwalk check NAME`.
//!
//! Beside the rooms:
//!
//! | file | idea |
//! |---|---|
//! | `choice`, `family`, `product` | what a run decides of its kernels, and which family a layer's product is computed in |
//! | `conv`, `pooling`, `winograd/` | shapes of convolutions, pooling windows, and F(3,3), for both devices |
//! | `cpu`, `reader`, `blocks`, `jobs`, `products/`, `bf16` | the CPU's: memory, what convolutions read, how work is cut, register tiles, 16 bits |
//! | `gpu`, `clip_ranges`, `shaders`, `f16` | a GPU's: dispatches as data, ranges of clips, the shaders' texts, 16 bits |
//! | `conv_shaders`, `tiles`, `prepared`, `cooperative` | the convolutions' shaders: constants, tile sizes, what is made beforehand, matrix units |
//! | `reference/` | the judge |

pub mod batch_norm_backward;
pub mod batch_norm_forward;
pub mod bf16;
pub mod blocks;
pub mod choice;
pub mod clip_ranges;
pub mod conv;
pub mod conv_backward;
pub mod conv_forward;
pub mod conv_shaders;
pub mod cooperative;
pub mod cpu;
pub mod dense_backward;
pub mod dense_forward;
pub mod f16;
pub mod family;
pub mod gpu;
pub mod jobs;
pub mod loss;
pub mod pack_weights;
pub mod pooling;
pub mod prepared;
pub mod product;
pub mod products;
pub mod reader;
pub mod reference;
pub mod sgd;
pub mod shaders;
pub mod tiles;
pub mod way;
pub mod winograd;

use std::fmt::Debug;

use crate::tensor::DType;

pub use choice::{Choice, Precision};
pub use family::Family;
pub use product::Product;
pub use way::Way;

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
