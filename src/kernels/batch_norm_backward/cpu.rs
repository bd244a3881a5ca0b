//! `batch_norm_backward` in Rust.

use super::{Arguments, BatchNormBackward};

pub fn run(_kernel: &BatchNormBackward, _args: &Arguments) {
    todo!()
}
