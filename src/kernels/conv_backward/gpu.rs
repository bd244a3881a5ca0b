//! `conv_backward`'s dispatches: the weights' gradient in parts, their sum, and the input's gradient
//! with the mask and the sums of the layer below.

use super::super::clip_ranges::{self, Bind, Part, ranges};
use super::super::conv_shaders::{self, HEIGHT, WIDTH, binds, by_size, constants, matrices, quads, sides, threads};
use super::super::gpu::{LINE, Value, grid, whole};
use super::super::prepared::{Tiles, family, gradient_rows, input, input_rows, numbers, parts, reading, shift};
use super::super::tiles::{Registers, Sizes, weight_sizes};
use super::super::winograd::{OUTPUTS, PRODUCTS};
use super::super::{Access, Family, Operand};
use super::{Conv, ConvBackward, Dispatch, Kernel, Limits, Source};

pub fn dispatches(kernel: &ConvBackward, limits: &Limits) -> Vec<Dispatch> {
    let operands = kernel.operands();
    let ways = Ways::of(kernel);
    let mut all = prepared(kernel, &ways, &operands, limits);
    if !ways.weights_prepared() {
        all.extend(weight_gradient(kernel, &operands, limits));
    }
    all.extend(join(kernel, &ways, &operands, limits));
    if !ways.input_prepared() && !matches!(kernel.source, Source::Wave { .. }) {
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

/// Positions a part of the weights' gradient: a clip cut evenly into segments of at most 2048, beyond
/// which f32 sums lose more than their order does.
fn segment(kernel: &ConvBackward) -> usize {
    let ways = Ways::of(kernel);
    let (length, wanted) = match ways.weights {
        Family::Plain => (kernel.conv.length(), "conv_weight_gradient.SEGMENT"),
        Family::Registers => (kernel.conv.length(), "conv_weight_gradient.registers.SEGMENT"),
        // Of tiles, not positions.
        Family::Winograd => (Tiles::count(&kernel.conv), "conv_weight_gradient.registers.SEGMENT"),
        _ => (kernel.conv.length(), "conv_weight_gradient.tiled.SEGMENT"),
    };
    length.div_ceil(length.div_ceil(kernel.choice.tile(wanted, 2048) as usize))
}

fn segments(kernel: &ConvBackward) -> usize {
    let by_tiles = Ways::of(kernel).weights == Family::Winograd;
    let length = if by_tiles { Tiles::count(&kernel.conv) } else { kernel.conv.length() };
    length.div_ceil(segment(kernel))
}

/// Parts of dw: the segments of every clip.
pub fn weight_parts(kernel: &ConvBackward) -> usize {
    kernel.conv.clips * segments(kernel)
}

/// Values of a part: of F(3,3) not yet the weights'.
pub fn weight_values(kernel: &ConvBackward) -> usize {
    let winograd = Ways::of(kernel).weights == Family::Winograd;
    (if winograd { PRODUCTS } else { kernel.conv.taps }) * kernel.conv.cin * kernel.conv.cout
}

fn weight_gradient(kernel: &ConvBackward, operands: &[Operand], limits: &Limits) -> Vec<Dispatch> {
    let conv = &kernel.conv;
    let mut bound = reads(kernel);
    bound.push(Bind::Clips(kernel.places().weight_partials, "PARTS_AT"));
    let mut constants = constants(conv, &kernel.source);
    constants.push(kernel.choice.half());
    constants.extend(numbers(&[("SEGMENT", segment(kernel))]));
    let height = conv.taps * conv.cin;
    let family = Ways::of(kernel).weights;
    let (shader, groups) = if let Some(size) = matrices(conv, &kernel.source, &family) {
        constants.extend(numbers(&[("HEIGHT", HEIGHT), ("WIDTH", WIDTH)]));
        let shader = by_size(size, "conv_weight_gradient.cooperative8", "conv_weight_gradient.cooperative16");
        (shader, segments(kernel) * conv.cin.div_ceil(HEIGHT) * conv.cout.div_ceil(WIDTH))
    } else if family != Family::Plain {
        let (sizes, row_quads) = weight_sizes(&kernel.choice);
        let row_quads = quads(height, row_quads);
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
fn join(kernel: &ConvBackward, ways: &Ways, operands: &[Operand], limits: &Limits) -> Vec<Dispatch> {
    let places = kernel.places();
    // The parts of F(3,3) are joined by clips: five of them make a weight.
    let winograd = ways.weights == Family::Winograd;
    let parts = if winograd { kernel.conv.clips } else { weight_parts(kernel) };
    let of_part = operands[places.weight_partials].len() / parts;
    let weights = if winograd { kernel.conv.cin * kernel.conv.cout } else { of_part };
    let workgroups = grid(weights.div_ceil(64), limits);
    let one = |range: std::ops::Range<usize>| {
        let (binding, before) = clip_ranges::binding(operands, places.weight_partials, parts, &range, limits);
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
                super::super::gpu::Binding { access: Access::Read, ..binding },
                super::super::gpu::Binding { access, ..whole(operands, places.weights_gradient) },
            ],
            workgroups,
        }
    };
    // Parts are no dimension of the grid: only the binding limits a range.
    let limits = Limits { max_workgroups: u32::MAX, ..*limits };
    ranges(&[4 * of_part as u64], parts, &limits).into_iter().map(one).collect()
}

/// How the input's gradient of a clip is cut; see the shaders' headers.
enum Tiling {
    Plain { tile: usize },
    Tiled { rows: usize, quads: usize, lanes: usize, columns: usize, depth: usize, halo: bool },
    Registers(Registers),
    Winograd,
    Cooperative { size: u8 },
}

/// Tiles of F(3,3) that one partial sum is of.
const SPAN: usize = 16;

impl Tiling {
    fn of(kernel: &ConvBackward) -> Tiling {
        let conv = &kernel.conv;
        let ways = Ways::of(kernel);
        match ways.input {
            Family::Plain => {
                return Tiling::Plain { tile: kernel.choice.tile("conv_input_gradient.TILE", 32) as usize };
            }
            Family::Registers => return Tiling::Registers(ways.input_sizes),
            Family::Winograd => return Tiling::Winograd,
            _ => {}
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
            Tiling::Registers(sizes) => kernel.conv.input.div_ceil(sizes.span()),
            Tiling::Winograd => slots(kernel).div_ceil(SPAN),
            Tiling::Cooperative { .. } => kernel.conv.input.div_ceil(conv_shaders::SPAN),
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
    constants.extend(numbers(&[("SUMS", kernel.sums())]));
    let tiling = Tiling::of(kernel);
    let tiles = tiling.tiles(kernel);
    let (shader, groups) = match tiling {
        Tiling::Plain { tile } => {
            constants.extend(numbers(&[("TILE", tile)]));
            ("conv_input_gradient", (tiles * conv.cin).div_ceil(64))
        }
        Tiling::Tiled { rows, quads, lanes, columns, depth, halo } => {
            constants.extend(numbers(&[
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
            constants.extend(numbers(&[("SPAN", conv_shaders::SPAN), ("WIDTH", WIDTH)]));
            let shader = by_size(size, "conv_input_gradient.cooperative8", "conv_input_gradient.cooperative16");
            (shader, tiles * conv.cin.div_ceil(WIDTH))
        }
        Tiling::Registers(_) | Tiling::Winograd => unreachable!("these have gone their way"),
    };
    clip_ranges::dispatches(shader, &constants, &bound, groups, conv.clips, operands, limits)
}

/// The families of a layer's two products, and what their threads own.
struct Ways {
    weights: Family,
    input: Family,
    weight_sizes: Registers,
    input_sizes: Registers,
}

impl Ways {
    fn of(kernel: &ConvBackward) -> Ways {
        let (conv, choice) = (&kernel.conv, &kernel.choice);
        let [weights, input] =
            ["conv_weight_gradient", "conv_input_gradient"].map(|room| family(choice, room, conv, &kernel.source));
        let wanted = Registers::of(choice, "conv_weight_gradient.registers");
        let rows = if weights == Family::Winograd { conv.cin } else { conv.taps * conv.cin } / 4;
        let weight_sizes =
            Registers { rows: wanted.rows.min(rows.max(1)), quads: wanted.quads.min(conv.cout.div_ceil(4)), ..wanted };
        let positions = if input == Family::Winograd { Tiles::count(conv) } else { conv.input };
        let input_sizes = Registers::of(choice, "conv_input_gradient.registers").within(positions, 1, conv.cin);
        Ways { weights, input, weight_sizes, input_sizes }
    }

    fn weights_prepared(&self) -> bool {
        matches!(self.weights, Family::Registers | Family::Winograd)
    }

    fn input_prepared(&self) -> bool {
        matches!(self.input, Family::Registers | Family::Winograd)
    }

    /// Rows a clip of what the layer reads.
    fn activation_rows(&self, conv: &Conv) -> usize {
        match self.weights {
            Family::Winograd => input_rows(conv, OUTPUTS * Tiles::count(conv)),
            _ => input_rows(conv, conv.length() + conv.windows.left),
        }
    }

    /// Rows a clip of dz.
    fn gradient_rows(&self, conv: &Conv) -> usize {
        gradient_rows(conv, conv.input.next_multiple_of(self.input_sizes.span()))
    }

    fn tiles(&self, conv: &Conv) -> Tiles {
        Tiles::of(conv, if self.input == Family::Winograd { std::slice::from_ref(&self.input_sizes) } else { &[] })
    }
}

/// Tiles of the input's gradient: those of the layer, and what the last one reaches over.
fn slots(kernel: &ConvBackward) -> usize {
    let conv = &kernel.conv;
    (conv.input + conv.windows.left + conv.padding[0]).div_ceil(OUTPUTS)
}

/// Names of what is made before it is multiplied.
const ACTIVATIONS: &str = "activations";
const GRADIENTS: &str = "gradients";
const INPUT_TILES: &str = "input tiles";
const GRADIENT_TILES: &str = "gradient tiles";
const PRODUCTS_OF_TILES: &str = "products";

/// Scratch operands behind `weight_partials`.
pub fn scratch(kernel: &ConvBackward) -> Vec<Operand> {
    let conv = &kernel.conv;
    let ways = Ways::of(kernel);
    let tiles = ways.tiles(conv);
    let (by_weights, by_input) = (ways.weights == Family::Winograd, ways.input == Family::Winograd);
    let rows = |name, rows, channels| super::super::prepared::scratch(name, &[rows, channels], conv.clips);
    let mut all = Vec::new();
    all.extend(ways.weights_prepared().then(|| rows(ACTIVATIONS, ways.activation_rows(conv), conv.cin)));
    all.extend((ways.weights_prepared() || ways.input_prepared()).then(|| rows(GRADIENTS, ways.gradient_rows(conv), conv.cout)));
    all.extend(by_weights.then(|| tiles.factors(INPUT_TILES, conv.cin, conv.clips)));
    all.extend((by_weights || by_input).then(|| tiles.factors(GRADIENT_TILES, conv.cout, conv.clips)));
    all.extend(by_input.then(|| tiles.products(PRODUCTS_OF_TILES, conv.cin, conv.clips)));
    all
}

/// The products in registers: what they multiply is made for both, some clips at a time.
fn prepared(kernel: &ConvBackward, ways: &Ways, operands: &[Operand], limits: &Limits) -> Vec<Dispatch> {
    if !ways.weights_prepared() && !ways.input_prepared() {
        return Vec::new();
    }
    let (conv, places) = (&kernel.conv, kernel.places());
    let at = |name| operands.iter().position(|o| o.name == name).unwrap_or_default();
    let reads = reads(kernel);
    let by_clip = reads.iter().filter_map(|b| if let Bind::Clips(o, _) = b { Some(*o) } else { None });
    let by_clip = by_clip.chain([Some(places.weight_partials), places.below_dy, places.below_partials].into_iter().flatten());
    let (activation_rows, gradient_rows, tiles) = (ways.activation_rows(conv), ways.gradient_rows(conv), ways.tiles(conv));
    let (activations, gradients) = (at(ACTIVATIONS), at(GRADIENTS));
    let [input_tiles, gradient_tiles] = [at(INPUT_TILES), at(GRADIENT_TILES)];
    let mut all = Vec::new();
    for part in parts(operands, by_clip, conv.clips, limits) {
        all.push(super::super::prepared::gradients(&part, conv, &reads[3..], gradient_rows, gradients));
        if ways.weights == Family::Winograd || ways.input == Family::Winograd {
            all.push(tiles.gradient(&part, conv, gradient_rows, [gradients, gradient_tiles]));
        }
        if ways.weights_prepared() {
            all.push(input(&part, conv, &kernel.source, activation_rows, activations));
        }
        match ways.weights {
            Family::Registers => all.push(weight_products(kernel, ways, &part, activations, gradients)),
            Family::Winograd => {
                all.push(tiles.input(&part, conv, activation_rows, [activations, input_tiles]));
                all.push(weight_products(kernel, ways, &part, input_tiles, gradient_tiles));
            }
            _ => {}
        }
        match ways.input {
            Family::Registers => all.push(input_products(kernel, ways, &part, gradients)),
            Family::Winograd => {
                let (products, weights) = (at(PRODUCTS_OF_TILES), places.weights.unwrap_or_default());
                let sides = [conv.cout, conv.cin];
                all.push(tiles.product(&part, &ways.input_sizes, sides, [gradient_tiles, weights, products]));
                let ends = ends(kernel, products, &[]);
                let mut constants = tiles.constants(&[("SPAN", SPAN), ("BEFORE", conv.windows.left + conv.padding[0])]);
                constants.extend(below(kernel));
                let groups = (slots(kernel).div_ceil(SPAN) * conv.cin / 4).div_ceil(LINE);
                all.push(part.dispatch("winograd_input_gradient", &constants, &ends, groups));
            }
            _ => {}
        }
    }
    all
}

/// Parts of the weights' gradient from rows, or tiles, of what the layer reads and of dz.
fn weight_products(kernel: &ConvBackward, ways: &Ways, part: &Part, held: usize, gradients: usize) -> Dispatch {
    let conv = &kernel.conv;
    let sizes = &ways.weight_sizes;
    let bound = [Bind::Held(held), Bind::Held(gradients), Bind::Clips(kernel.places().weight_partials, "PARTS_AT")];
    let winograd = ways.weights == Family::Winograd;
    // The five products are clips of one tap.
    let (taps, length, rows, clips) = match winograd {
        true => {
            let tiles = ways.tiles(conv);
            (1, tiles.count, [tiles.rows, 0, tiles.rows, 0], PRODUCTS)
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
    dispatch.workgroups[2] *= clips as u32;
    dispatch
}

/// The input's gradient from rows of dz.
fn input_products(kernel: &ConvBackward, ways: &Ways, part: &Part, gradients: usize) -> Dispatch {
    let conv = &kernel.conv;
    let sizes = &ways.input_sizes;
    let mut all: Vec<_> = below(kernel).collect();
    all.extend(numbers(&[("COUT", conv.cout), ("TAPS", conv.taps), ("GRADIENT_ROWS", ways.gradient_rows(conv))]));
    all.extend(sizes.constants());
    let groups = (conv.input.div_ceil(sizes.span()) * sizes.columns(conv.cin)).div_ceil(sizes.threads);
    let weights = Bind::Whole(kernel.places().weights.unwrap_or_default());
    part.dispatch("conv_input_gradient.registers", &all, &ends(kernel, gradients, &[weights]), groups)
}

/// Constants of the layer below, of which sums are made.
fn below(kernel: &ConvBackward) -> impl Iterator<Item = (&'static str, Value)> {
    let all = reading(constants(&kernel.conv, &kernel.source));
    all.into_iter().chain(numbers(&[("SUMS", kernel.sums())]).collect::<Vec<_>>())
}

/// Bindings of the input's gradient: the source, what is put together or multiplied, and what is written.
fn ends(kernel: &ConvBackward, from: usize, with: &[Bind]) -> Vec<Bind> {
    let places = kernel.places();
    let partials = places.below_partials.unwrap_or_default();
    let mut all = binds(&kernel.source, places.coefficients).to_vec();
    all.push(Bind::Held(from));
    all.extend_from_slice(with);
    all.push(places.below_dy.map_or(Bind::Unused(partials), |o| Bind::Clips(o, "BELOW_DY_AT")));
    all.push(Bind::Clips(partials, "PARTIALS_AT"));
    all
}
