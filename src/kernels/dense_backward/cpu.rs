//! `dense_backward` in Rust.

use super::{Arguments, DenseBackward};

pub fn run(_kernel: &DenseBackward, _args: &Arguments) {
    todo!()
}
