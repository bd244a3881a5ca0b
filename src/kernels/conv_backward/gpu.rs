//! `conv_backward`'s dispatches.

use super::{ConvBackward, Dispatch, Limits};

pub fn dispatches(_kernel: &ConvBackward, _limits: &Limits) -> Vec<Dispatch> {
    todo!()
}

pub fn tiles(_kernel: &ConvBackward) -> usize {
    todo!()
}

pub fn weight_parts(_kernel: &ConvBackward) -> usize {
    todo!()
}
