//! The ways in which the CPU computes a convolution, and which of them a layer takes.

use super::Choice;
use super::conv::Conv;
use super::winograd::applies;

/// How the CPU computes a convolution, forward and backward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Direct products of f32 (a room's `cpu.rs`): any shape.
    Direct,
    /// F(3,3) (`winograd.rs`): wide layers of kernel 3.
    Winograd,
    /// Direct products of pairs of bf16 on a matrix unit (`matrices.rs`), which multiplies so fast that F(3,3)'s transforms
    /// would cost more than they save: the same layers, in mixed precision.
    Matrices,
}

impl Way {
    /// `None` where a GPU computes.
    pub fn of(conv: &Conv, choice: &Choice) -> Option<Way> {
        match choice.is_native() {
            false => None,
            true if !applies(conv, choice) => Some(Way::Direct),
            true if choice.isa().has_matrices() => Some(Way::Matrices),
            true => Some(Way::Winograd),
        }
    }
}
