//! `sgd`'s dispatches.

use super::{Dispatch, Limits, Sgd};

pub fn dispatches(_kernel: &Sgd, _limits: &Limits) -> Vec<Dispatch> {
    todo!()
}
