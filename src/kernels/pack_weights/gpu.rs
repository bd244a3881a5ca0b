//! `pack_weights`' dispatch: one shader for every layout, all of them panels of a matrix.

use super::super::gpu::{Value, count, line, whole};
use super::{Dispatch, Kernel, Layout, Limits, Operand, PackWeights, Packing};

pub fn dispatches(kernel: &PackWeights, limits: &Limits) -> Vec<Dispatch> {
    let operands = kernel.operands();
    let packing = &kernel.packing;
    let length = operands[1].len();
    // As the parameter lies: one panel of the forward product. Turned: one of the input's gradient.
    let (turned, reversed, width) = match packing.layout {
        Layout::AsIs => (false, false, packing.cout),
        Layout::Turned => (true, false, packing.cin),
        // In one panel.
        Layout::Winograd { .. } => return vec![winograd(packing, &operands, limits)],
        Layout::WinogradPairs { .. } | Layout::Pairs => unreachable!("no GPU family packs so"),
        Layout::Panels { width } => (packing.is_turned(), packing.is_turned(), width),
    };
    let groups = line(length, limits);
    let constants = vec![
        ("TAPS", count(packing.taps)),
        ("CIN", count(packing.cin)),
        ("COUT", count(packing.cout)),
        ("FORWARD", Value::U32(u32::from(!turned))),
        ("REVERSED", Value::U32(u32::from(reversed))),
        ("WIDTH", count(width)),
        ("LENGTH", count(length)),
        ("GRID", Value::U32(groups[0])),
    ];
    let bindings = vec![whole(&operands, 0), whole(&operands, 1)];
    vec![Dispatch { shader: "pack_weights", entry: "main", constants, bindings, workgroups: groups }]
}

fn winograd(packing: &Packing, operands: &[Operand], limits: &Limits) -> Dispatch {
    let groups = line(packing.cin * packing.cout, limits);
    let constants = vec![
        ("CIN", count(packing.cin)),
        ("COUT", count(packing.cout)),
        ("FORWARD", Value::U32(u32::from(!packing.is_turned()))),
        ("GRID", Value::U32(groups[0])),
    ];
    let bindings = vec![whole(operands, 0), whole(operands, 1)];
    Dispatch { shader: "pack_weights_winograd", entry: "main", constants, bindings, workgroups: groups }
}
