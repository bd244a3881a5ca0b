//! `dense_forward`'s dispatch: a logit an invocation, or tiles of clips times outputs.

use super::super::Family;
use super::super::gpu::{Value, count, line, shader_name, whole, word};
use super::{DenseForward, Dispatch, Kernel, Limits};

/// Clips and outputs of a tile.
const TILE: usize = 16;

pub fn dispatches(kernel: &DenseForward, limits: &Limits) -> Vec<Dispatch> {
    let operands = kernel.operands();
    let mut constants = vec![
        ("CLIPS", count(kernel.clips)),
        ("FEATURES", count(kernel.features())),
        ("C", count(kernel.channels)),
        ("OUTPUTS", count(kernel.outputs)),
        ("MASKED", Value::U32(u32::from(kernel.masked))),
    ];
    let workgroups = if kernel.choice.family != Family::Plain {
        constants.extend([("T", count(TILE)), kernel.choice.half()]);
        [word(kernel.outputs.div_ceil(TILE)), word(kernel.clips.div_ceil(TILE)), 1]
    } else {
        let groups = line(kernel.clips * kernel.outputs, limits);
        constants.push(("GRID", Value::U32(groups[0])));
        groups
    };
    // Evaluation has no mask: what is below is bound in its place, and not looked at.
    let after = 2 + usize::from(kernel.masked);
    let places = [0, 1, after, after + 1, if kernel.masked { 2 } else { 0 }, after + 2];
    let bindings = places.map(|i| whole(&operands, i)).to_vec();
    let shader = shader_name("dense_forward", "dense_forward.tiled", kernel.choice.family);
    vec![Dispatch { shader, entry: "main", constants, bindings, workgroups }]
}
