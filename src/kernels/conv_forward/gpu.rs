//! `conv_forward`'s dispatches.

use super::{ConvForward, Dispatch, Limits};

pub fn dispatches(_kernel: &ConvForward, _limits: &Limits) -> Vec<Dispatch> {
    todo!()
}

pub fn tiles(_kernel: &ConvForward) -> usize {
    todo!()
}
