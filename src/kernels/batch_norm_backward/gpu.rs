//! `batch_norm_backward`'s dispatches: one shader for a stored layer, one for all of layer 1's gradient.

use super::super::gpu::{Value, count, whole, word};
use super::{BatchNormBackward, Dispatch, Kernel, Limits, Of};

/// Channels a workgroup.
const WIDE: usize = 8;

pub fn dispatches(kernel: &BatchNormBackward, _limits: &Limits) -> Vec<Dispatch> {
    let operands = kernel.operands();
    let mut constants = vec![("C", count(kernel.channels)), ("TILES", count(kernel.tiles)), ("WIDE", count(WIDE))];
    let shader = match kernel.of {
        Of::Stored => {
            constants.push(("POSITIONS", Value::F32(kernel.positions as f32)));
            "batch_norm_backward"
        }
        Of::FirstLayer { taps } => {
            constants.push(("TAPS", count(taps)));
            "batch_norm_backward_first"
        }
    };
    let bindings = (0..operands.len()).map(|i| whole(&operands, i)).collect();
    let workgroups = [word(kernel.channels.div_ceil(WIDE)), 1, 1];
    vec![Dispatch { shader, entry: "main", constants, bindings, workgroups }]
}
