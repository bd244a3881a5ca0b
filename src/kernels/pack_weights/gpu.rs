//! `pack_weights`'s dispatches.

use super::{Dispatch, Limits, PackWeights};

pub fn dispatches(_kernel: &PackWeights, _limits: &Limits) -> Vec<Dispatch> {
    todo!()
}
