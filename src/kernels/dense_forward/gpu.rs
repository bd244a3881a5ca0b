//! `dense_forward`'s dispatches.

use super::{DenseForward, Dispatch, Limits};

pub fn dispatches(_kernel: &DenseForward, _limits: &Limits) -> Vec<Dispatch> {
    todo!()
}
