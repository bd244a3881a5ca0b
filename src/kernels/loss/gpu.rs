//! `loss`'s dispatches.

use super::{Dispatch, Limits, Loss};

pub fn dispatches(_kernel: &Loss, _limits: &Limits) -> Vec<Dispatch> {
    todo!()
}
