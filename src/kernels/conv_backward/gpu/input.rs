//! The input's gradient: the product, ending with the mask and the sums of the layer below.

use super::{NO_WAVE, Ways, reads};
use crate::kernels::clip_ranges::{self, Bind, Part};
use crate::kernels::conv_backward::ConvBackward;
use crate::kernels::conv_shaders::{binds, constants, quads, sides, threads};
use crate::kernels::cooperative::{self, CHANNELS, POSITIONS};
use crate::kernels::gpu::{Dispatch, LINE, Limits, Value, numbers};
use crate::kernels::prepared::{TILES_A_SUM, reading};
use crate::kernels::tiles::{Registers, Sizes};
use crate::kernels::winograd::OUTPUTS;
use crate::kernels::{Family, Operand, Product};

/// How the input's gradient of a clip is cut; see the shaders' headers.
enum Tiling {
    Plain { tile: usize },
    Tiled { rows: usize, quads: usize, lanes: usize, columns: usize, depth: usize, halo: bool },
    Registers(Registers),
    Winograd,
    Cooperative { size: u8 },
}

impl Tiling {
    fn of(kernel: &ConvBackward) -> Tiling {
        let conv = &kernel.conv;
        let ways = Ways::of(kernel);
        match ways.input {
            Family::Plain => {
                return Tiling::Plain { tile: kernel.choice.tile(Product::InputGradient.shader(Family::Plain), "TILE") as usize };
            }
            Family::Registers => return Tiling::Registers(ways.input_sizes),
            Family::Winograd => return Tiling::Winograd,
            Family::Cooperative(size) => return Tiling::Cooperative { size },
            Family::Tiled | Family::Native(_) => {}
        }
        let (_, cin) = sides(conv, &kernel.source);
        let sizes = Sizes::of(&kernel.choice, Product::InputGradient);
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
            Tiling::Winograd => slots(kernel).div_ceil(TILES_A_SUM),
            Tiling::Cooperative { .. } => kernel.conv.input.div_ceil(POSITIONS),
        }
    }
}

/// Rows of `below_partials`; none where the source is the wave.
pub fn tiles(kernel: &ConvBackward) -> usize {
    kernel.conv.clips * Tiling::of(kernel).tiles(kernel)
}

pub fn dispatches(kernel: &ConvBackward, operands: &[Operand], limits: &Limits) -> Vec<Dispatch> {
    let conv = &kernel.conv;
    let places = kernel.places();
    let (weights, partials) = (places.weights.expect(NO_WAVE), places.below_partials.expect(NO_WAVE));
    let mut bound = reads(kernel);
    bound.extend([
        Bind::Whole(weights),
        places.below_dy.map_or(Bind::Unused(partials), |o| Bind::Clips(o, "BELOW_DY_AT")),
        Bind::Clips(partials, "PARTIALS_AT"),
    ]);
    let mut constants = constants(conv, &kernel.source);
    constants.extend(numbers(&[("SUMS", kernel.sums())]));
    let tiling = Tiling::of(kernel);
    let tiles = tiling.tiles(kernel);
    let (shader, groups) = match tiling {
        Tiling::Plain { tile } => {
            constants.extend(numbers(&[("TILE", tile)]));
            ("conv_input_gradient", (tiles * conv.cin).div_ceil(64))
        }
        Tiling::Tiled { rows, quads, lanes, columns, depth, halo } => {
            constants.push(kernel.choice.half());
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
            constants.push(kernel.choice.half());
            constants.extend(cooperative::matrices(size));
            constants.extend(numbers(&[("SPAN", POSITIONS), ("WIDTH", CHANNELS)]));
            ("conv_input_gradient.cooperative", tiles * conv.cin.div_ceil(CHANNELS))
        }
        Tiling::Registers(_) | Tiling::Winograd => unreachable!("these have gone their way"),
    };
    clip_ranges::dispatches(shader, &constants, &bound, groups, conv.clips, operands, limits)
}

/// Tiles of the input's gradient: those of the layer, and what the last one reaches over.
fn slots(kernel: &ConvBackward) -> usize {
    let conv = &kernel.conv;
    (conv.input + conv.windows.left + conv.padding[0]).div_ceil(OUTPUTS)
}

/// The input's gradient from rows of dz.
pub fn products(kernel: &ConvBackward, ways: &Ways, part: &Part, gradients: usize) -> Dispatch {
    let conv = &kernel.conv;
    let sizes = &ways.input_sizes;
    let mut all: Vec<_> = below(kernel).collect();
    all.extend(numbers(&[("COUT", conv.cout), ("TAPS", conv.taps), ("GRADIENT_ROWS", ways.gradient_rows(conv))]));
    all.extend(sizes.constants());
    let groups = (conv.input.div_ceil(sizes.span()) * sizes.columns(conv.cin)).div_ceil(sizes.threads);
    let weights = Bind::Whole(kernel.places().weights.expect(NO_WAVE));
    part.dispatch("conv_input_gradient.registers", &all, &ends(kernel, gradients, &[weights]), groups)
}

/// The input's gradient from the products of F(3,3).
pub fn joined(kernel: &ConvBackward, ways: &Ways, part: &Part, products: usize) -> Dispatch {
    let conv = &kernel.conv;
    let before = conv.windows.left + conv.padding[0];
    let mut constants = ways.tiles(conv).constants(&[("SPAN", TILES_A_SUM), ("BEFORE", before)]);
    constants.extend(below(kernel));
    let groups = (slots(kernel).div_ceil(TILES_A_SUM) * conv.cin / 4).div_ceil(LINE);
    part.dispatch("winograd_input_gradient", &constants, &ends(kernel, products, &[]), groups)
}

/// Constants of the layer below, of which sums are made.
fn below(kernel: &ConvBackward) -> impl Iterator<Item = (&'static str, Value)> {
    let all = reading(constants(&kernel.conv, &kernel.source));
    all.into_iter().chain(numbers(&[("SUMS", kernel.sums())]).collect::<Vec<_>>())
}

/// Bindings of the input's gradient: the source, what is put together or multiplied, and what is written.
fn ends(kernel: &ConvBackward, from: usize, with: &[Bind]) -> Vec<Bind> {
    let places = kernel.places();
    let partials = places.below_partials.expect(NO_WAVE);
    let mut all = binds(&kernel.source, places.coefficients).to_vec();
    all.push(Bind::Held(from));
    all.extend_from_slice(with);
    all.push(places.below_dy.map_or(Bind::Unused(partials), |o| Bind::Clips(o, "BELOW_DY_AT")));
    all.push(Bind::Clips(partials, "PARTIALS_AT"));
    all
}
