//! The weights' gradient: in parts, a dispatch over segments of every clip, and their sum in a fixed order.

use super::{Ways, reads};
use crate::kernels::clip_ranges::{self, Bind, Part, ranges};
use crate::kernels::conv_backward::ConvBackward;
use crate::kernels::conv_shaders::{constants, quads, threads};
use crate::kernels::cooperative::{self, CHANNELS, INPUT_CHANNELS};
use crate::kernels::gpu::{Binding, Dispatch, Limits, grid, numbers, whole};
use crate::kernels::prepared::{Tiles, shift};
use crate::kernels::tiles::Sizes;
use crate::kernels::winograd::PRODUCTS;
use crate::kernels::{Access, Family, Operand, Product};

/// Positions a part of the weights' gradient: a clip cut evenly into segments of at most SEGMENT.
fn segment(kernel: &ConvBackward) -> usize {
    let family = Ways::of(kernel).weights;
    // Cooperative matrices have no tile sizes of their own.
    let shader = Product::WeightGradient.shader(match family {
        Family::Cooperative(_) => Family::Tiled,
        family => family,
    });
    let length = length(kernel, family);
    length.div_ceil(length.div_ceil(kernel.choice.tile(shader, "SEGMENT") as usize))
}

/// Positions a clip, of F(3,3) tiles.
fn length(kernel: &ConvBackward, family: Family) -> usize {
    if family == Family::Winograd { Tiles::count(&kernel.conv) } else { kernel.conv.length() }
}

fn segments(kernel: &ConvBackward) -> usize {
    length(kernel, Ways::of(kernel).weights).div_ceil(segment(kernel))
}

/// Parts of dw: the segments of every clip.
pub fn parts(kernel: &ConvBackward) -> usize {
    kernel.conv.clips * segments(kernel)
}

/// Values of a part: of F(3,3) not yet the weights'.
pub fn values(kernel: &ConvBackward) -> usize {
    let winograd = Ways::of(kernel).weights == Family::Winograd;
    (if winograd { PRODUCTS } else { kernel.conv.taps }) * kernel.conv.cin * kernel.conv.cout
}

pub fn dispatches(kernel: &ConvBackward, operands: &[Operand], limits: &Limits) -> Vec<Dispatch> {
    let conv = &kernel.conv;
    let mut bound = reads(kernel);
    bound.push(Bind::Clips(kernel.places().weight_partials, "PARTS_AT"));
    let mut constants = constants(conv, &kernel.source);
    constants.extend(numbers(&[("SEGMENT", segment(kernel))]));
    let height = conv.taps * conv.cin;
    let family = Ways::of(kernel).weights;
    // The plain shader has no mixed precision.
    constants.extend((family != Family::Plain).then(|| kernel.choice.half()));
    let (shader, groups) = if let Family::Cooperative(size) = family {
        constants.extend(cooperative::matrices(size));
        constants.extend(numbers(&[("HEIGHT", INPUT_CHANNELS), ("WIDTH", CHANNELS)]));
        let blocks = conv.cin.div_ceil(INPUT_CHANNELS) * conv.cout.div_ceil(CHANNELS);
        ("conv_weight_gradient.cooperative", segments(kernel) * blocks)
    } else if family != Family::Plain {
        let sizes = Sizes::of(&kernel.choice, Product::WeightGradient);
        let row_quads = quads(height, sizes.rows / 4);
        let quads = quads(conv.cout, sizes.quads);
        let lanes = threads(height, 4 * row_quads, sizes.lanes);
        let columns = threads(conv.cout, 4 * quads, sizes.columns);
        let depth = sizes.depth.min(segment(kernel));
        constants.extend(numbers(&[
            ("ROW_QUADS", row_quads),
            ("QUADS", quads),
            ("LANES", lanes),
            ("COLUMNS", columns),
            ("DEPTH", depth),
        ]));
        let blocks = height.div_ceil(4 * row_quads * lanes) * conv.cout.div_ceil(4 * quads * columns);
        ("conv_weight_gradient.tiled", segments(kernel) * blocks)
    } else {
        ("conv_weight_gradient", (segments(kernel) * height * conv.cout).div_ceil(64))
    };
    clip_ranges::dispatches(shader, &constants, &bound, groups, conv.clips, operands, limits)
}

/// Adds the parts up in their order; where they do not fit one binding, in several dispatches.
pub fn join(kernel: &ConvBackward, ways: &Ways, operands: &[Operand], limits: &Limits) -> Vec<Dispatch> {
    let places = kernel.places();
    // The parts of F(3,3) are joined by clips: five of them make a weight.
    let winograd = ways.weights == Family::Winograd;
    let count = if winograd { kernel.conv.clips } else { parts(kernel) };
    let of_part = operands[places.weight_partials].len() / count;
    let weights = if winograd { kernel.conv.cin * kernel.conv.cout } else { of_part };
    let workgroups = grid(weights.div_ceil(64), limits);
    let one = |range: std::ops::Range<usize>| {
        let (binding, before) = clip_ranges::binding(operands, places.weight_partials, count, &range, limits);
        let counted = if winograd { ("CLIPS", range.len()) } else { ("PARTS", range.len()) };
        let mut constants = vec![
            ("WEIGHTS", weights),
            counted,
            ("FIRST", usize::from(range.start == 0)),
            ("PARTS_AT", before as usize),
            ("GRID", workgroups[0] as usize),
        ];
        constants.extend(winograd.then(|| ("SEGMENTS", segments(kernel))));
        let access = if range.start == 0 { Access::Write } else { Access::Update };
        Dispatch {
            shader: if winograd { "winograd_weight_join" } else { "conv_weight_join" },
            entry: "main",
            constants: numbers(&constants).collect(),
            bindings: vec![
                Binding { access: Access::Read, ..binding },
                Binding { access, ..whole(operands, places.weights_gradient) },
            ],
            workgroups,
        }
    };
    // Parts are no dimension of the grid: only the binding limits a range.
    let limits = Limits { max_workgroups: u32::MAX, ..*limits };
    ranges(&[4 * of_part as u64], count, &limits).into_iter().map(one).collect()
}

/// Parts of the weights' gradient from rows, or tiles, of what the layer reads and of dz.
pub fn products(kernel: &ConvBackward, ways: &Ways, part: &Part, held: usize, gradients: usize) -> Dispatch {
    let conv = &kernel.conv;
    let sizes = &ways.weight_sizes;
    let bound = [Bind::Held(held), Bind::Held(gradients), Bind::Clips(kernel.places().weight_partials, "PARTS_AT")];
    let winograd = ways.weights == Family::Winograd;
    // The five products are clips of one tap.
    let (taps, length, rows, clips) = match winograd {
        true => {
            let tiles = ways.tiles(conv);
            (1, tiles.count, [tiles.rows, 0, tiles.rows, 0], PRODUCTS as u32)
        }
        false => {
            let rows = [ways.activation_rows(conv), conv.windows.left, ways.gradient_rows(conv), shift(conv)];
            (conv.taps, conv.length(), rows, 1)
        }
    };
    let all: Vec<_> = numbers(&[
        ("CIN", conv.cin),
        ("COUT", conv.cout),
        ("TAPS", taps),
        ("LENGTH", length),
        ("HELD", rows[0]),
        ("HELD_AT", rows[1]),
        ("GRADIENT_ROWS", rows[2]),
        ("BEFORE", rows[3]),
        ("SEGMENT", segment(kernel)),
        ("ROWS", sizes.rows),
        ("QUADS", sizes.quads),
        ("THREADS", sizes.threads),
    ])
    .collect();
    let bands = (taps * conv.cin / 4).div_ceil(sizes.rows);
    let groups = (segments(kernel) * bands * sizes.columns(conv.cout)).div_ceil(sizes.threads);
    let mut dispatch = part.dispatch("conv_weight_gradient.registers", &all, &bound, groups);
    dispatch.workgroups[2] *= clips;
    dispatch
}
