//! `conv_backward`'s dispatches: the weights' gradient in parts, their sum, and the input's gradient
//! with the mask and the sums of the layer below.

use super::super::clip_ranges::{self, Bind, ranges};
use super::super::conv_shaders::{HEIGHT, SPAN, WIDTH, binds, by_size, constants, matrices, quads, sides, threads};
use super::super::gpu::{Value, grid, whole};
use super::super::tiles::{Sizes, weight_sizes};
use super::super::{Access, Family, Operand};
use super::{ConvBackward, Dispatch, Kernel, Limits, Source};

pub fn dispatches(kernel: &ConvBackward, limits: &Limits) -> Vec<Dispatch> {
    let operands = kernel.operands();
    let mut all = weight_gradient(kernel, &operands, limits);
    all.extend(join(kernel, &operands, limits));
    if !matches!(kernel.source, Source::Wave { .. }) {
        all.extend(input_gradient(kernel, &operands, limits));
    }
    all
}

/// What both products read: source, first_weights, norm, z, p, dy, coefficients.
fn reads(kernel: &ConvBackward) -> Vec<Bind> {
    let places = kernel.places();
    let mut all = binds(&kernel.source, places.coefficients).to_vec();
    all.extend([
        Bind::Clips(places.z, "Z_AT"),
        places.p.map_or(Bind::Unused(places.coefficients), |p| Bind::Clips(p, "P_AT")),
        Bind::Clips(places.dy, "DY_AT"),
        Bind::Whole(places.coefficients),
    ]);
    all
}

fn values(sizes: &[(&'static str, usize)]) -> impl Iterator<Item = (&'static str, Value)> {
    sizes.iter().map(|&(name, size)| (name, Value::U32(size as u32)))
}

/// Positions a part of the weights' gradient: a clip cut evenly into segments of at most 2048, beyond
/// which f32 sums lose more than their order does.
fn segment(kernel: &ConvBackward) -> usize {
    let length = kernel.conv.length();
    let wanted = match kernel.choice.family_of("conv_weight_gradient") {
        Family::Plain => "conv_weight_gradient.SEGMENT",
        _ => "conv_weight_gradient.tiled.SEGMENT",
    };
    length.div_ceil(length.div_ceil(kernel.choice.tile(wanted, 2048) as usize))
}

fn segments(kernel: &ConvBackward) -> usize {
    kernel.conv.length().div_ceil(segment(kernel))
}

/// Parts of dw: the segments of every clip.
pub fn weight_parts(kernel: &ConvBackward) -> usize {
    kernel.conv.clips * segments(kernel)
}

fn weight_gradient(kernel: &ConvBackward, operands: &[Operand], limits: &Limits) -> Vec<Dispatch> {
    let conv = &kernel.conv;
    let mut bound = reads(kernel);
    bound.push(Bind::Clips(kernel.places().weight_partials, "PARTS_AT"));
    let mut constants = constants(conv, &kernel.source);
    constants.push(kernel.choice.half());
    constants.extend(values(&[("SEGMENT", segment(kernel))]));
    let height = conv.taps * conv.cin;
    let family = kernel.choice.family_of("conv_weight_gradient");
    let (shader, groups) = if let Some(size) = matrices(conv, &kernel.source, family) {
        constants.extend(values(&[("HEIGHT", HEIGHT), ("WIDTH", WIDTH)]));
        let shader = by_size(size, "conv_weight_gradient.cooperative8", "conv_weight_gradient.cooperative16");
        (shader, segments(kernel) * conv.cin.div_ceil(HEIGHT) * conv.cout.div_ceil(WIDTH))
    } else if *family != Family::Plain {
        let (sizes, row_quads) = weight_sizes(&kernel.choice);
        let row_quads = quads(height, row_quads);
        let quads = quads(conv.cout, sizes.quads);
        let lanes = threads(height, 4 * row_quads, sizes.lanes);
        let columns = threads(conv.cout, 4 * quads, sizes.columns);
        let depth = sizes.depth.min(segment(kernel));
        constants.extend(values(&[
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
fn join(kernel: &ConvBackward, operands: &[Operand], limits: &Limits) -> Vec<Dispatch> {
    let places = kernel.places();
    let parts = weight_parts(kernel);
    let weights = operands[places.weights_gradient].len();
    let workgroups = grid(weights.div_ceil(64), limits);
    let one = |range: std::ops::Range<usize>| {
        let (binding, before) = clip_ranges::binding(operands, places.weight_partials, parts, &range, limits);
        let constants = [
            ("WEIGHTS", weights),
            ("PARTS", range.len()),
            ("FIRST", usize::from(range.start == 0)),
            ("PARTS_AT", before as usize),
            ("GRID", workgroups[0] as usize),
        ];
        let access = if range.start == 0 { Access::Write } else { Access::Update };
        Dispatch {
            shader: "conv_weight_join",
            entry: "main",
            constants: values(&constants).collect(),
            bindings: vec![
                super::super::gpu::Binding { access: Access::Read, ..binding },
                super::super::gpu::Binding { access, ..whole(operands, places.weights_gradient) },
            ],
            workgroups,
        }
    };
    // Parts are no dimension of the grid: only the binding limits a range.
    let limits = Limits { max_workgroups: u32::MAX, ..*limits };
    ranges(&[4 * weights as u64], parts, &limits).into_iter().map(one).collect()
}

/// How the input's gradient of a clip is cut; see the shaders' headers.
enum Tiling {
    Plain { tile: usize },
    Tiled { rows: usize, quads: usize, lanes: usize, columns: usize, depth: usize, halo: bool },
    Cooperative { size: u8 },
}

impl Tiling {
    fn of(kernel: &ConvBackward) -> Tiling {
        let conv = &kernel.conv;
        if *kernel.choice.family_of("conv_input_gradient") == Family::Plain {
            return Tiling::Plain { tile: kernel.choice.tile("conv_input_gradient.TILE", 32) as usize };
        }
        if let Some(size) = matrices(conv, &kernel.source, kernel.choice.family_of("conv_input_gradient")) {
            return Tiling::Cooperative { size };
        }
        let (_, cin) = sides(conv, &kernel.source);
        let sizes = Sizes::of(&kernel.choice, "conv_input_gradient.tiled");
        let rows = sizes.rows.min(conv.input);
        let quads = quads(cin, sizes.quads);
        let lanes = threads(conv.input, rows, sizes.lanes);
        let columns = threads(cin, 4 * quads, sizes.columns);
        let depth = sizes.depth.min(conv.cout).next_multiple_of(4);
        let sizes = Sizes { rows, quads, lanes, columns, depth };
        // dz of all taps is kept where there is room for it.
        let halo = conv.stride == 1 && sizes.fit(lanes * rows + conv.taps - 1, 1);
        Tiling::Tiled { rows, quads, lanes, columns, depth, halo }
    }

    /// Tiles a clip.
    fn tiles(&self, kernel: &ConvBackward) -> usize {
        match self {
            Tiling::Plain { tile } => kernel.conv.input.div_ceil(*tile),
            Tiling::Tiled { rows, lanes, .. } => kernel.conv.input.div_ceil(rows * lanes),
            Tiling::Cooperative { .. } => kernel.conv.input.div_ceil(SPAN),
        }
    }
}

/// Rows of `below_partials`; none where the source is the wave.
pub fn tiles(kernel: &ConvBackward) -> usize {
    kernel.conv.clips * Tiling::of(kernel).tiles(kernel)
}

fn input_gradient(kernel: &ConvBackward, operands: &[Operand], limits: &Limits) -> Vec<Dispatch> {
    let conv = &kernel.conv;
    let places = kernel.places();
    let (weights, partials) = (places.weights.unwrap_or_default(), places.below_partials.unwrap_or_default());
    let mut bound = reads(kernel);
    bound.extend([
        Bind::Whole(weights),
        places.below_dy.map_or(Bind::Unused(partials), |o| Bind::Clips(o, "BELOW_DY_AT")),
        Bind::Clips(partials, "PARTIALS_AT"),
    ]);
    let mut constants = constants(conv, &kernel.source);
    constants.push(kernel.choice.half());
    constants.extend(values(&[("SUMS", kernel.sums())]));
    let tiling = Tiling::of(kernel);
    let tiles = tiling.tiles(kernel);
    let (shader, groups) = match tiling {
        Tiling::Plain { tile } => {
            constants.extend(values(&[("TILE", tile)]));
            ("conv_input_gradient", (tiles * conv.cin).div_ceil(64))
        }
        Tiling::Tiled { rows, quads, lanes, columns, depth, halo } => {
            constants.extend(values(&[
                ("ROWS", rows),
                ("QUADS", quads),
                ("LANES", lanes),
                ("COLUMNS", columns),
                ("DEPTH", depth),
                ("HALO", usize::from(halo)),
            ]));
            ("conv_input_gradient.tiled", tiles * conv.cin.div_ceil(4 * quads * columns))
        }
        Tiling::Cooperative { size } => {
            constants.extend(values(&[("SPAN", SPAN), ("WIDTH", WIDTH)]));
            let shader = by_size(size, "conv_input_gradient.cooperative8", "conv_input_gradient.cooperative16");
            (shader, tiles * conv.cin.div_ceil(WIDTH))
        }
    };
    clip_ranges::dispatches(shader, &constants, &bound, groups, conv.clips, operands, limits)
}
