//! Nesterov momentum over all parameters at once, as PyTorch writes it:
//!
//! ```text
//! u = m·u + g     p = p − rate·(g + m·u)
//! ```
//!
//! and where the first value is that is not finite.

mod cpu;
mod gpu;

use super::{Access, Choice, DType, Kernel, Operand, cpu::Arguments, gpu::Dispatch, gpu::Limits};

/// Floats that one word of the status search covers: parameters begin at multiples of it.
pub const BLOCK: usize = crate::network::parameters::ALIGNMENT;

/// `status` when every gradient and every new parameter is finite.
pub const FINITE: u32 = u32::MAX;

/// Operands: `gradients [element]` (times the choice's loss scale), `hyper [2]` (rate, momentum), `parameters [element]`,
/// `momenta [element]`, `status [1]` (u32: the first [`BLOCK`] of elements whose gradient or new
/// parameter is not finite, or [`FINITE`]), `flags` (u32 scratch, a word a block).
#[derive(Clone, Debug)]
pub struct Sgd {
    /// Length of the flat tensors; a multiple of [`BLOCK`].
    pub elements: usize,
    pub choice: Choice,
}

impl Sgd {
    /// The shapes it is checked on.
    pub fn cases(choice: &Choice) -> Vec<Sgd> {
        let blocks = (1..=32).chain([33, 63, 64, 65, 100, 255, 256, 257, 1000, 1029, 4097]);
        blocks.map(|blocks| Sgd { elements: blocks * BLOCK, choice: choice.clone() }).collect()
    }
}

impl Kernel for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn operands(&self) -> Vec<Operand> {
        let n = self.elements;
        vec![
            Operand::read("gradients", &[n]),
            Operand::read("hyper", &[2]),
            Operand::update("parameters", &[n]),
            Operand::update("momenta", &[n]),
            Operand::new("status", &[1], DType::U32, Access::Write),
            Operand::new("flags", &[n / BLOCK], DType::U32, Access::Scratch),
        ]
    }

    fn flops(&self) -> u64 {
        6 * self.elements as u64
    }

    fn run(&self, args: &Arguments) {
        cpu::run(self, args)
    }

    fn dispatches(&self, limits: &Limits) -> Vec<Dispatch> {
        gpu::dispatches(self, limits)
    }
}
