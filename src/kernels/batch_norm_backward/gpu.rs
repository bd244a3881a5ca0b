//! `batch_norm_backward`'s dispatches.

use super::{BatchNormBackward, Dispatch, Limits};

pub fn dispatches(_kernel: &BatchNormBackward, _limits: &Limits) -> Vec<Dispatch> {
    todo!()
}
