//! `batch_norm_forward`'s dispatches.

use super::{BatchNormForward, Dispatch, Limits};

pub fn dispatches(_kernel: &BatchNormForward, _limits: &Limits) -> Vec<Dispatch> {
    todo!()
}
