//! `loss` in Rust.

use super::{Arguments, Loss};

pub fn run(_kernel: &Loss, _args: &Arguments) {
    todo!()
}
