//! `pack_weights` in Rust.

use super::{Arguments, PackWeights};

pub fn run(_kernel: &PackWeights, _args: &Arguments) {
    todo!()
}
