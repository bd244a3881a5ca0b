//! `dense_backward`'s dispatches: the gradients of weights and bias, then the input's with its sums.

use super::super::Family;
use super::super::gpu::{Value, count, line, shader_name, whole, word};
use super::{DenseBackward, Dispatch, Kernel, Limits};

/// Clips and channels of a tile.
const TILE: usize = 16;

pub fn dispatches(kernel: &DenseBackward, limits: &Limits) -> Vec<Dispatch> {
    let operands = kernel.operands();
    let bind = |places: &[usize]| places.iter().map(|&i| whole(&operands, i)).collect();
    let [below, norm, mask, weights, logits_gradient, weights_gradient, bias_gradient, dy, partials] =
        [0, 1, 2, 3, 4, 5, 6, 7, 8];

    let shape = [("CLIPS", count(kernel.clips)), ("C", count(kernel.channels)), ("OUTPUTS", count(kernel.outputs))];
    // One more row: the bias.
    let groups = line((kernel.features() + 1) * kernel.outputs, limits);
    let mut constants = shape.to_vec();
    constants.push(kernel.choice.half());
    constants.extend([("FEATURES", count(kernel.features())), ("GRID", Value::U32(groups[0]))]);
    let first = Dispatch {
        shader: "dense_weight_gradient",
        entry: "main",
        constants,
        bindings: bind(&[below, norm, mask, logits_gradient, weights_gradient, bias_gradient]),
        workgroups: groups,
    };

    let mut constants = shape.to_vec();
    constants.push(("POSITIONS", count(kernel.positions)));
    let workgroups = if kernel.choice.family != Family::Plain {
        constants.extend([("T", count(TILE)), kernel.choice.half()]);
        [word(kernel.channels.div_ceil(TILE)), word(kernel.clips.div_ceil(TILE)), 1]
    } else {
        let groups = line(kernel.clips * kernel.channels, limits);
        constants.push(("GRID", Value::U32(groups[0])));
        groups
    };
    let second = Dispatch {
        shader: shader_name("dense_input_gradient", "dense_input_gradient.tiled", kernel.choice.family),
        entry: "main",
        constants,
        bindings: bind(&[below, norm, mask, weights, logits_gradient, dy, partials]),
        workgroups,
    };
    vec![first, second]
}
