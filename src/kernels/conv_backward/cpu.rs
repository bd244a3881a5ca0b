//! `conv_backward` in Rust.

use super::{Arguments, ConvBackward};

pub fn run(_kernel: &ConvBackward, _args: &Arguments) {
    todo!()
}

pub fn tiles(_kernel: &ConvBackward) -> usize {
    todo!()
}

pub fn weight_parts(_kernel: &ConvBackward) -> usize {
    todo!()
}

pub fn workspace(_kernel: &ConvBackward) -> usize {
    todo!()
}
