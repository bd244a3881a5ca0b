//! `dense_backward`'s dispatches.

use super::{DenseBackward, Dispatch, Limits};

pub fn dispatches(_kernel: &DenseBackward, _limits: &Limits) -> Vec<Dispatch> {
    todo!()
}
