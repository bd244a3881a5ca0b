//! `loss`'s dispatch: a workgroup a clip; with the gradient in training, and there with
//! weights of tags.

use super::super::gpu::{Value, count, whole, word};
use super::{Dispatch, Kernel, Limits, Loss};

pub fn dispatches(kernel: &Loss, _limits: &Limits) -> Vec<Dispatch> {
    let operands = kernel.operands();
    let (entry, places): (_, &[usize]) = match (kernel.gradient, kernel.by_tag) {
        (true, true) => ("train_by_tag", &[0, 1, 2, 3, 6, 7, 5, 4]),
        (true, false) => ("train", &[0, 1, 2, 3, 5, 6, 4]),
        (false, _) => ("evaluate", &[0, 1, 2, 3, 4, 5]),
    };
    let mut constants = vec![("TAGS", count(kernel.tags)), ("HEADS", count(kernel.heads)), ("SCALE", Value::F32(kernel.scale))];
    constants.extend([("LAMBDA", Value::F32(kernel.lambda)), ("LOSS_SCALE", Value::F32(kernel.choice.loss_scale()))]);
    let bindings = places.iter().map(|&i| whole(&operands, i)).collect();
    vec![Dispatch { shader: "loss", entry, constants, bindings, workgroups: [word(kernel.clips), 1, 1] }]
}
