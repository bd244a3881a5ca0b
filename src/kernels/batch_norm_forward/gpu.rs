//! `batch_norm_forward`'s dispatches: one shader for each place that mean and variance come from.

use super::super::gpu::{Value, count, line, whole, word};
use super::{BatchNormForward, Dispatch, From, Kernel, Limits};

/// Channels a workgroup of the shader that joins tiles.
const WIDE: usize = 8;

pub fn dispatches(kernel: &BatchNormForward, limits: &Limits) -> Vec<Dispatch> {
    let operands = kernel.operands();
    let n = kernel.positions as f32;
    let unbiased = if kernel.unbiased && kernel.positions > 1 { n / (n - 1.0) } else { 1.0 };
    let mut constants = vec![("C", count(kernel.channels)), ("EPS", Value::F32(kernel.eps))];
    if kernel.from != From::Running {
        constants.extend([("MOMENTUM", Value::F32(kernel.momentum)), ("UNBIASED", Value::F32(unbiased))]);
    }
    let (shader, workgroups) = match kernel.from {
        From::Partials { tiles } => {
            constants.extend([("TILES", count(tiles)), ("POSITIONS", Value::F32(n)), ("WIDE", count(WIDE))]);
            ("batch_norm_forward", [word(kernel.channels.div_ceil(WIDE)), 1, 1])
        }
        From::Patches { taps } => {
            constants.push(("TAPS", count(taps)));
            ("batch_norm_forward_patches", line(kernel.channels, limits))
        }
        From::Running => ("batch_norm_forward_running", line(kernel.channels, limits)),
    };
    let bindings = (0..operands.len()).map(|i| whole(&operands, i)).collect();
    vec![Dispatch { shader, entry: "main", constants, bindings, workgroups }]
}
