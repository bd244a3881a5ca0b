//! `dense_forward` in Rust.

use super::{Arguments, DenseForward};

pub fn run(_kernel: &DenseForward, _args: &Arguments) {
    todo!()
}
