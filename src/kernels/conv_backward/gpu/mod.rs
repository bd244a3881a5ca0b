//! `conv_backward`'s dispatches: the weights' gradient in parts and their sum (`weights.rs`), the input's gradient with
//! the mask and the sums of the layer below (`input.rs`). Here is the family of each, and what they have in common: what
//! both read, and what register families make beforehand for both.

mod input;
mod weights;

pub use input::tiles;
pub use weights::{parts as weight_parts, values as weight_values};

use super::super::clip_ranges::Bind;
use super::super::conv_shaders::binds;
use super::super::prepared::{
    self, ACTIVATIONS, GRADIENT_TILES, GRADIENTS, INPUT_TILES, PRODUCTS_OF_TILES, Tiles, gradient_rows, input_rows,
};
use super::super::tiles::Registers;
use super::super::winograd::OUTPUTS;
use super::super::{Family, Operand, Product};
use super::{Conv, ConvBackward, Dispatch, Kernel, Limits, Source};

pub fn dispatches(kernel: &ConvBackward, limits: &Limits) -> Vec<Dispatch> {
    let operands = kernel.operands();
    let ways = Ways::of(kernel);
    let mut all = beforehand(kernel, &ways, &operands, limits);
    if !ways.weights_prepared() {
        all.extend(weights::dispatches(kernel, &operands, limits));
    }
    all.extend(weights::join(kernel, &ways, &operands, limits));
    if !ways.input_prepared() && !matches!(kernel.source, Source::Wave { .. }) {
        all.extend(input::dispatches(kernel, &operands, limits));
    }
    all
}

/// Why operands of the input's gradient are there where it is computed.
const NO_WAVE: &str = "a wave has no gradient";

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
        let [weights, input] = [Product::WeightGradient, Product::InputGradient].map(|product| choice.family_for(product, conv));
        let wanted = Registers::of(choice, Product::WeightGradient);
        let rows = if weights == Family::Winograd { conv.cin } else { conv.taps * conv.cin } / 4;
        let weight_sizes =
            Registers { rows: wanted.rows.min(rows.max(1)), quads: wanted.quads.min(conv.cout.div_ceil(4)), ..wanted };
        let positions = if input == Family::Winograd { Tiles::count(conv) } else { conv.input };
        let input_sizes = Registers::of(choice, Product::InputGradient).within(positions, 1, conv.cin);
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

/// Scratch operands behind `weight_partials`.
pub fn scratch(kernel: &ConvBackward) -> Vec<Operand> {
    let conv = &kernel.conv;
    let ways = Ways::of(kernel);
    let tiles = ways.tiles(conv);
    let (by_weights, by_input) = (ways.weights == Family::Winograd, ways.input == Family::Winograd);
    let rows = |name, rows, channels| prepared::scratch(name, &[rows, channels], conv.clips);
    let mut all = Vec::new();
    all.extend(ways.weights_prepared().then(|| rows(ACTIVATIONS, ways.activation_rows(conv), conv.cin)));
    all.extend((ways.weights_prepared() || ways.input_prepared()).then(|| rows(GRADIENTS, ways.gradient_rows(conv), conv.cout)));
    all.extend(by_weights.then(|| tiles.factors(INPUT_TILES, conv.cin, conv.clips)));
    all.extend((by_weights || by_input).then(|| tiles.factors(GRADIENT_TILES, conv.cout, conv.clips)));
    all.extend(by_input.then(|| tiles.products(PRODUCTS_OF_TILES, conv.cin, conv.clips)));
    all
}

/// The products in registers: what they multiply is made for both, some clips at a time.
fn beforehand(kernel: &ConvBackward, ways: &Ways, operands: &[Operand], limits: &Limits) -> Vec<Dispatch> {
    if !ways.weights_prepared() && !ways.input_prepared() {
        return Vec::new();
    }
    let (conv, places) = (&kernel.conv, kernel.places());
    let at = |name| prepared::place(operands, name);
    let reads = reads(kernel);
    let by_clip = reads.iter().filter_map(|b| if let Bind::Clips(o, _) = b { Some(*o) } else { None });
    let by_clip = by_clip.chain([Some(places.weight_partials), places.below_dy, places.below_partials].into_iter().flatten());
    let (activation_rows, gradient_rows, tiles) = (ways.activation_rows(conv), ways.gradient_rows(conv), ways.tiles(conv));
    let gradients = at(GRADIENTS);
    let mut all = Vec::new();
    for part in prepared::parts(operands, by_clip, conv.clips, limits) {
        all.push(prepared::gradients(&part, conv, &reads[3..], gradient_rows, gradients));
        if ways.weights == Family::Winograd || ways.input == Family::Winograd {
            all.push(tiles.gradient(&part, conv, gradient_rows, [gradients, at(GRADIENT_TILES)]));
        }
        if ways.weights_prepared() {
            all.push(prepared::input(&part, conv, &kernel.source, activation_rows, at(ACTIVATIONS)));
        }
        match ways.weights {
            Family::Registers => all.push(weights::products(kernel, ways, &part, at(ACTIVATIONS), gradients)),
            Family::Winograd => {
                all.push(tiles.input(&part, conv, activation_rows, [at(ACTIVATIONS), at(INPUT_TILES)]));
                all.push(weights::products(kernel, ways, &part, at(INPUT_TILES), at(GRADIENT_TILES)));
            }
            _ => {}
        }
        match ways.input {
            Family::Registers => all.push(input::products(kernel, ways, &part, gradients)),
            Family::Winograd => {
                let (products, weights) = (at(PRODUCTS_OF_TILES), places.weights.expect(NO_WAVE));
                let sides = [conv.cout, conv.cin];
                all.push(tiles.product(&part, &ways.input_sizes, sides, [at(GRADIENT_TILES), weights, products]));
                all.push(input::joined(kernel, ways, &part, products));
            }
            _ => {}
        }
    }
    all
}
