//! What the register and F(3,3) families of a GPU have in common: the tensors that they make before they multiply. What a convolution reads and dz are then made once for each value, not once for
//! each product, and lie with their padding, so that products need ask for no edge. Clips go through these
//! scratch tensors some at a time.

use super::clip_ranges::{Bind, Part, ranges};
use super::conv::{Conv, Source};
use super::conv_shaders::{binds, constants};
use super::gpu::{Dispatch, LINE, Limits, Value, numbers};
use super::tiles::Registers;
use super::winograd::{OUTPUTS, PRODUCTS};
use super::{Access, Operand};

/// Bytes that a scratch tensor takes at most, where one clip takes less.
const CHUNK: u64 = 64 << 20;

/// Names of the scratch tensors: what a convolution reads, and its tiles; dz, and its tiles; products of tiles.
pub const ACTIVATIONS: &str = "activations";
pub const INPUT_TILES: &str = "input tiles";
pub const GRADIENTS: &str = "gradients";
pub const GRADIENT_TILES: &str = "gradient tiles";
pub const PRODUCTS_OF_TILES: &str = "products";

/// Rows that an invocation of `conv_input` makes.
const INPUT_ROWS: usize = 8;
/// Windows that an invocation of `conv_output_gradient` makes.
const GRADIENT_WINDOWS: usize = 4;
/// Tiles that an invocation of the transforms makes.
const TILES: usize = 4;

/// The place of a scratch tensor of a call that has it.
pub fn place(operands: &[Operand], name: &str) -> usize {
    operands.iter().position(|o| o.name == name).unwrap_or_else(|| panic!("no scratch tensor '{name}'"))
}

/// Ranges of clips that go through scratch together; `by_clip` are the other operands that are bound by clips.
pub fn parts<'a>(
    operands: &'a [Operand],
    by_clip: impl Iterator<Item = usize>,
    clips: usize,
    limits: &'a Limits,
) -> Vec<Part<'a>> {
    let each = by_clip.map(|o| (operands[o].bytes() / clips) as u64);
    let scratch = operands.iter().filter(|o| o.access == Access::Scratch && o.shape.len() > 2);
    let sizes: Vec<u64> = each.chain(scratch.map(|o| (o.bytes() / o.shape[0]) as u64)).collect();
    let most = Limits {
        max_binding: limits.max_binding.min(CHUNK),
        // The products of F(3,3) are clips of the grid.
        max_workgroups: limits.max_workgroups / PRODUCTS as u32,
        ..*limits
    };
    ranges(&sizes, clips, &most).into_iter().map(|range| Part { clips, range, operands, limits }).collect()
}

/// Rows a clip of what a convolution reads, where `positions` outputs from −left on are computed.
pub fn input_rows(conv: &Conv, positions: usize) -> usize {
    positions + conv.taps - 1
}

/// Rows a clip of dz, where `positions` of the input's gradient are computed.
pub fn gradient_rows(conv: &Conv, positions: usize) -> usize {
    (positions + conv.taps - 1).max(conv.length() + shift(conv))
}

/// Rows of dz before its first position: as many as the last tap of the first input reaches over.
pub fn shift(conv: &Conv) -> usize {
    (conv.taps - 1).saturating_sub(conv.padding[0])
}

/// Makes what a convolution reads, `rows` a clip, into the operand `scratch`.
pub fn input(part: &Part, conv: &Conv, source: &Source, rows: usize, scratch: usize) -> Dispatch {
    let mut bound = binds(source, source.count()).to_vec();
    bound.push(Bind::Made(scratch));
    let mut all = reading(constants(conv, source));
    all.extend(numbers(&[("BEFORE", conv.windows.left + conv.padding[0]), ("HELD", rows), ("ROWS", INPUT_ROWS)]));
    let groups = (rows.div_ceil(INPUT_ROWS) * conv.cin / 4).div_ceil(LINE);
    part.dispatch("conv_input", &all, &bound, groups)
}

/// Makes dz, `rows` a clip, into the operand `scratch`; z, p, dy and the coefficients are `reads`.
pub fn gradients(part: &Part, conv: &Conv, reads: &[Bind], rows: usize, scratch: usize) -> Dispatch {
    let bound = [reads, &[Bind::Made(scratch)]].concat();
    let (pool, before) = (conv.windows.size, shift(conv));
    let early = before.saturating_sub(conv.windows.left).div_ceil(pool);
    let mut all = pooling(constants(conv, &Source::Below));
    all.extend(numbers(&[("BEFORE", before), ("HELD", rows), ("EARLY", early), ("BLOCKS", GRADIENT_WINDOWS)]));
    let windows = (rows + early * pool).div_ceil(pool) + 1;
    let groups = (windows.div_ceil(GRADIENT_WINDOWS) * conv.cout / 4).div_ceil(LINE);
    part.dispatch("conv_output_gradient", &all, &bound, groups)
}

/// Tiles of F(3,3) that one partial sum is of, where what they give is put together.
pub const TILES_A_SUM: usize = 16;

/// How a layer is cut into tiles of F(3,3).
#[derive(Clone, Copy, Debug)]
pub struct Tiles {
    /// Tiles a clip.
    pub count: usize,
    /// Rows of the tensors of tiles: what threads of the products read, past the last tile too.
    pub rows: usize,
}

impl Tiles {
    /// In products whose threads own as many tiles as `sizes` say positions.
    pub fn of(conv: &Conv, sizes: &[Registers]) -> Tiles {
        let count = Tiles::count(conv);
        let rows = sizes.iter().map(|s| count.next_multiple_of(s.span())).max();
        Tiles { count, rows: rows.unwrap_or(count) }
    }

    /// Tiles a clip.
    pub fn count(conv: &Conv) -> usize {
        (conv.length() + conv.windows.left).div_ceil(OUTPUTS)
    }

    /// A scratch tensor of what is multiplied.
    pub fn factors(&self, name: &'static str, channels: usize, clips: usize) -> Operand {
        scratch(name, &[PRODUCTS, self.rows, channels], clips)
    }

    /// A scratch tensor of the products.
    pub fn products(&self, name: &'static str, channels: usize, clips: usize) -> Operand {
        scratch(name, &[PRODUCTS, self.count, channels], clips)
    }

    /// Makes the tiles of what a convolution reads, from its rows.
    pub fn input(&self, part: &Part, conv: &Conv, rows: usize, [from, to]: [usize; 2]) -> Dispatch {
        let bound = [Bind::Held(from), Bind::Made(to)];
        let sizes = [("ROWS", self.rows), ("CIN", conv.cin), ("HELD", rows), ("SPAN", TILES)];
        let all = self.constants(&sizes);
        part.dispatch("winograd_input", &all, &bound, self.groups(TILES, conv.cin))
    }

    /// Makes the tiles of dz, from its rows.
    pub fn gradient(&self, part: &Part, conv: &Conv, rows: usize, [from, to]: [usize; 2]) -> Dispatch {
        let bound = [Bind::Held(from), Bind::Made(to)];
        let (left, before) = (conv.windows.left, shift(conv));
        let places = [("LENGTH", conv.length()), ("LEFT", left), ("BEFORE", before), ("HELD", rows)];
        let mut all = self.constants(&[("ROWS", self.rows), ("COUT", conv.cout), ("SPAN", TILES)]);
        all.extend(numbers(&places));
        part.dispatch("winograd_output_gradient", &all, &bound, self.groups(TILES, conv.cout))
    }

    /// Multiplies tiles, `reduced` channels, with transformed weights: `given` channels.
    pub fn product(
        &self,
        part: &Part,
        sizes: &Registers,
        [reduced, given]: [usize; 2],
        [from, weights, to]: [usize; 3],
    ) -> Dispatch {
        // The five products are clips of one tap, without a pool, that take five sets of weights in turn.
        let bound =
            [Bind::Held(from), Bind::Whole(weights), Bind::Unused(weights), Bind::Made(to), Bind::Unused(to), Bind::Unused(to)];
        let shape =
            [("LENGTH", self.count), ("POOL", 1), ("LEFT", 0), ("WINDOWS", self.count), ("CIN", reduced), ("COUT", given)];
        let flags = [("WRITE_Z", 1), ("WRITE_P", 0), ("STATISTICS", 0), ("TAPS", 1), ("SETS", PRODUCTS), ("HELD", self.rows)];
        let mut all: Vec<_> = numbers(&shape).chain(numbers(&flags)).collect();
        all.extend(sizes.constants());
        let groups = (self.count.div_ceil(sizes.span()) * sizes.columns(given)).div_ceil(sizes.threads);
        let mut all = part.dispatch("conv_forward.registers", &all, &bound, groups);
        all.workgroups[2] *= PRODUCTS as u32;
        all
    }

    /// Constants of a shader that goes over tiles.
    pub fn constants(&self, more: &[(&'static str, usize)]) -> Vec<(&'static str, Value)> {
        numbers(&[("TILES", self.count)]).chain(numbers(more)).collect()
    }

    fn groups(&self, span: usize, channels: usize) -> usize {
        (self.count.div_ceil(span) * channels / 4).div_ceil(LINE)
    }
}

/// A scratch tensor of `shape` a clip, for as many clips as go through it at a time.
pub fn scratch(name: &'static str, shape: &[usize], clips: usize) -> Operand {
    let bytes = 4 * shape.iter().product::<usize>() as u64;
    let at_a_time = (CHUNK / bytes.max(1)).clamp(1, clips as u64) as usize;
    Operand::scratch(name, &[&[at_a_time], shape].concat())
}

/// Of a convolution's constants those of its source.
pub fn reading(all: Vec<(&'static str, Value)>) -> Vec<(&'static str, Value)> {
    const OF_SOURCE: [&str; 8] = ["SOURCE", "INPUT", "CIN", "SAMPLES", "WAVE_STRIDE", "FIRST_TAPS", "FIRST_STRIDE", "FIRST_PAD"];
    only(all, &OF_SOURCE)
}

/// Of a convolution's constants those of its pooling.
pub fn pooling(all: Vec<(&'static str, Value)>) -> Vec<(&'static str, Value)> {
    only(all, &["COUT", "LENGTH", "POOL", "LEFT", "WINDOWS"])
}

fn only(all: Vec<(&'static str, Value)>, names: &[&str]) -> Vec<(&'static str, Value)> {
    all.into_iter().filter(|(name, _)| names.contains(name)).collect()
}
