//! `sgd`'s dispatches: the update by blocks, then the first block that is not finite.

use super::super::gpu::{Binding, Value, count, grid, whole};
use super::{Access, BLOCK, Dispatch, Kernel, Limits, Sgd};

pub fn dispatches(kernel: &Sgd, limits: &Limits) -> Vec<Dispatch> {
    let blocks = kernel.elements / BLOCK;
    let operands = kernel.operands();
    let [gradients, hyper, parameters, momenta, status, flags] = [0, 1, 2, 3, 4, 5].map(|i| whole(&operands, i));
    let groups = grid(blocks, limits);
    vec![
        Dispatch {
            shader: "sgd",
            entry: "main",
            constants: vec![
                ("BLOCKS", count(blocks)),
                ("BLOCK", count(BLOCK)),
                ("UNSCALE", Value::F32(1.0 / kernel.choice.loss_scale())),
                ("GRID", Value::U32(groups[0])),
            ],
            bindings: vec![gradients, hyper, parameters, momenta, flags.clone()],
            workgroups: groups,
        },
        Dispatch {
            shader: "sgd_status",
            entry: "main",
            constants: vec![("BLOCKS", count(blocks))],
            bindings: vec![Binding { access: Access::Read, ..flags }, status],
            workgroups: [1, 1, 1],
        },
    ]
}
