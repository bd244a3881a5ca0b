//! `conv_forward` in Rust.

use super::{Arguments, ConvForward};

pub fn run(_kernel: &ConvForward, _args: &Arguments) {
    todo!()
}

pub fn tiles(_kernel: &ConvForward) -> usize {
    todo!()
}

pub fn workspace(_kernel: &ConvForward) -> usize {
    todo!()
}
