//! `sgd` in Rust.

use super::{Arguments, Sgd};

pub fn run(_kernel: &Sgd, _args: &Arguments) {
    todo!()
}
