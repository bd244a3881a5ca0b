//! Tile sizes of the shaders: which a choice may set, within which bounds, and what they are where it does not. The one
//! place where a choice from outside, a run's `config.json` or the tuner's cache, is held to what the shaders can do,
//! on every adapter: WebGPU's limits are enough for all of it.

use super::family::LARGEST_WINDOW;
use super::gpu::{Limits, Value, count};
use super::{Choice, DType, Family, Product, cooperative, winograd};
use crate::error::{Error, Result};

/// A top-level `const` line that a choice may set, as `SHADER.NAME`.
#[derive(Clone, Copy, Debug)]
pub struct Tile {
    pub shader: &'static str,
    pub name: &'static str,
    pub least: u32,
    pub most: u32,
    /// What it is a multiple of.
    pub step: u32,
    /// What it is where a choice does not set it, and in the shader as it stands.
    pub default: u32,
}

const fn tile(shader: &'static str, name: &'static str, [least, most]: [u32; 2], default: u32) -> Tile {
    Tile { shader, name, least, most, step: 1, default }
}

const fn fours(shader: &'static str, name: &'static str, [least, most]: [u32; 2], default: u32) -> Tile {
    Tile { shader, name, least, most, step: 4, default }
}

/// Every tile size there is on a GPU: bounds, default.
pub const TILES: &[Tile] = &[
    tile("conv_forward", "TILE", [1, 1024], 16),
    tile("conv_forward.registers", "ROWS", [1, 32], 9),
    tile("conv_forward.registers", "QUADS", [1, 8], 4),
    tile("conv_forward.registers", "REPEAT", [1, 16], 4),
    tile("conv_forward.registers", "THREADS", [8, 256], 32),
    tile("conv_forward.tiled", "ROWS", [1, 32], 8),
    tile("conv_forward.tiled", "QUADS", [1, 8], 2),
    tile("conv_forward.tiled", "LANES", [1, 64], 8),
    tile("conv_forward.tiled", "COLUMNS", [1, 64], 8),
    fours("conv_forward.tiled", "DEPTH", [4, 64], 16),
    tile("conv_input_gradient", "TILE", [1, 1024], 32),
    tile("conv_input_gradient.registers", "ROWS", [1, 32], 9),
    tile("conv_input_gradient.registers", "QUADS", [1, 8], 4),
    tile("conv_input_gradient.registers", "REPEAT", [1, 16], 4),
    tile("conv_input_gradient.registers", "THREADS", [8, 256], 32),
    tile("conv_input_gradient.tiled", "ROWS", [1, 32], 8),
    tile("conv_input_gradient.tiled", "QUADS", [1, 8], 2),
    tile("conv_input_gradient.tiled", "LANES", [1, 64], 8),
    tile("conv_input_gradient.tiled", "COLUMNS", [1, 64], 8),
    fours("conv_input_gradient.tiled", "DEPTH", [4, 64], 16),
    // Shorter segments would make the parts of the gradient larger than what they are made from;
    // longer ones lose more of an f32 sum than its order does.
    tile("conv_weight_gradient", "SEGMENT", [64, 2048], 2048),
    tile("conv_weight_gradient.registers", "SEGMENT", [64, 2048], 2048),
    tile("conv_weight_gradient.registers", "ROWS", [1, 16], 3),
    tile("conv_weight_gradient.registers", "QUADS", [1, 8], 4),
    tile("conv_weight_gradient.registers", "THREADS", [8, 256], 32),
    tile("conv_weight_gradient.tiled", "SEGMENT", [64, 2048], 2048),
    tile("conv_weight_gradient.tiled", "ROW_QUADS", [1, 8], 2),
    tile("conv_weight_gradient.tiled", "QUADS", [1, 8], 2),
    tile("conv_weight_gradient.tiled", "LANES", [1, 64], 8),
    tile("conv_weight_gradient.tiled", "COLUMNS", [1, 64], 8),
    tile("conv_weight_gradient.tiled", "DEPTH", [1, 64], 16),
];

/// What a choice may set for the CPU: outputs of a convolution's tile, and whether products are of pairs of bf16.
const NATIVE: &[(&str, [u32; 2])] = &[(winograd::SIZE, [1, 3]), (winograd::PAIRS, [0, 1])];

/// Fours of sums that a thread may hold: more would not stay in registers anywhere, and text that is
/// unrolled over them takes drivers seconds.
const SUMS: usize = 64;

/// The same of the families without workgroup memory: a driver that keeps sums in memory anyway gains by more.
const MORE_SUMS: usize = 128;

/// A loss scale at most: f16 ends at 65504, and a loss that is no mean has gradients of about 1.
pub const LARGEST_LOSS_SCALE: u32 = 1 << 24;

/// What a thread of a register family owns, as a choice wants it. A shape may make it smaller, never larger.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// Positions side by side; of the weights' gradient fours of rows.
    pub rows: usize,
    /// Fours of channels.
    pub quads: usize,
    /// How often that, one tile behind the other.
    pub repeat: usize,
    /// Threads a workgroup.
    pub threads: usize,
}

impl Registers {
    pub fn of(choice: &Choice, product: Product) -> Registers {
        let shader = product.shader(Family::Registers);
        let tile = |name| choice.tile(shader, name) as usize;
        // Threads of the weights' gradient own one tile each.
        let repeat = if product == Product::WeightGradient { 1 } else { tile("REPEAT") };
        Registers { rows: tile("ROWS"), quads: tile("QUADS"), repeat, threads: tile("THREADS") }
    }

    /// Cut to a product of `positions`, in multiples of `pool`, and `channels`.
    pub fn within(self, positions: usize, pool: usize, channels: usize) -> Registers {
        let positions = positions.next_multiple_of(pool);
        let rows = ((self.rows / pool).max(1) * pool).min(positions);
        let quads = self.quads.min(channels.div_ceil(4)).min((MORE_SUMS / rows).max(1));
        Registers { rows, quads, repeat: self.repeat.min(positions.div_ceil(rows)), ..self }
    }

    /// As the shaders have them.
    pub fn constants(&self) -> [(&'static str, Value); 4] {
        [("ROWS", self.rows), ("QUADS", self.quads), ("REPEAT", self.repeat), ("THREADS", self.threads)]
            .map(|(name, size)| (name, count(size)))
    }

    /// Threads along `channels`.
    pub fn columns(&self, channels: usize) -> usize {
        channels.div_ceil(4 * self.quads)
    }

    /// Positions a thread.
    pub fn span(&self) -> usize {
        self.rows * self.repeat
    }
}

/// How a workgroup of a tiled convolution is cut, as a choice wants it. A shape may make it smaller,
/// never larger.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Positions a thread; of the weights' gradient rows (tap, channel), in fours.
    pub rows: usize,
    /// Fours of channels a thread.
    pub quads: usize,
    /// Threads along these.
    pub lanes: usize,
    /// Threads along channels.
    pub columns: usize,
    /// Channels that go through workgroup memory at a time.
    pub depth: usize,
}

impl Sizes {
    pub fn of(choice: &Choice, product: Product) -> Sizes {
        let shader = product.shader(Family::Tiled);
        let tile = |name| choice.tile(shader, name) as usize;
        let rows = if product == Product::WeightGradient { 4 * tile("ROW_QUADS") } else { tile("ROWS") };
        Sizes { rows, quads: tile("QUADS"), lanes: tile("LANES"), columns: tile("COLUMNS"), depth: tile("DEPTH") }
    }

    /// Whether `held` rows of input, one tap's weights, and `kept` values a channel and lane fit a
    /// workgroup's memory.
    pub fn fit(&self, held: usize, kept: usize) -> bool {
        let width = 4 * self.quads * self.columns;
        let values = held * self.depth + self.depth * width + kept * self.lanes * width;
        4 * values <= Limits::WEBGPU.workgroup_memory as usize
    }
}

impl Choice {
    /// Checks that its shaders can be made so; call it on a choice from outside.
    pub fn check(&self) -> Result<()> {
        for (name, &value) in &self.tiles {
            self.check_tile(name, value).map_err(|what| wrong(format!("tiles: {name} is {value}, {what}")))?;
        }
        for (room, family) in &self.rooms {
            if Product::ALL.iter().all(|product| product.name() != room) || self.is_native() || family.is_native() {
                return Err(wrong(format!("rooms: {room} cannot be {family} where the rest is {}", self.family)));
            }
        }
        for family in self.families() {
            if !family.has(self.precision) {
                return Err(wrong(format!("precision: {family} does not compute in {}", self.precision.name())));
            }
            if let Family::Cooperative(size) = family
                && !cooperative::SIZES.contains(&size)
            {
                return Err(wrong(format!("family: {family}: the sizes that there are shaders of are {:?}", cooperative::SIZES)));
            }
        }
        if let Some(scale) = self.loss_scale
            && (self.storage() != DType::F16 || !scale.is_power_of_two() || scale > LARGEST_LOSS_SCALE)
        {
            return Err(wrong(format!(
                "loss_scale: {scale}: a GPU's mixed precision has one, a power of two up to {LARGEST_LOSS_SCALE}"
            )));
        }
        if self.is_native() {
            return Ok(());
        }
        for product in Product::ALL {
            let tiled = Sizes::of(self, product);
            // Input rows that a workgroup holds (of the weights' gradient rows of the product), and what it keeps.
            let rows = tiled.rows * tiled.lanes;
            let (held, kept) = match product {
                Product::Forward => (rows.max(LARGEST_WINDOW), 2),
                Product::WeightGradient => (rows, 0),
                Product::InputGradient => (rows, 1),
            };
            fits(product.shader(Family::Tiled), &tiled, held, kept)?;
            let registers = Registers::of(self, product);
            // A thread of the weights' gradient owns fours of rows.
            let sums = registers.rows * registers.quads * if product == Product::WeightGradient { 4 } else { 1 };
            if sums > MORE_SUMS {
                let shader = product.shader(Family::Registers);
                return Err(wrong(format!("tiles: {shader} has {sums} fours of sums a thread, more than {MORE_SUMS}")));
            }
        }
        Ok(())
    }

    /// A tile size: the choice's, or its default. Panics on one that is not in [`TILES`].
    pub fn tile(&self, shader: &str, name: &str) -> u32 {
        let Some(tile) = TILES.iter().find(|t| (t.shader, t.name) == (shader, name)) else {
            panic!("{shader}.{name} is no tile size");
        };
        self.tiles.get(&format!("{shader}.{name}")).copied().unwrap_or(tile.default)
    }

    fn check_tile(&self, name: &str, value: u32) -> std::result::Result<(), String> {
        if self.is_native() {
            let known = NATIVE.iter().any(|(known, values)| *known == name && values.contains(&value));
            return if known { Ok(()) } else { Err("which the CPU has not".into()) };
        }
        let of = |t: &&Tile| name.strip_prefix(t.shader).and_then(|n| n.strip_prefix('.')) == Some(t.name);
        let Some(tile) = TILES.iter().find(of) else { return Err("which no shader has".into()) };
        if (tile.least..=tile.most).contains(&value) && value.is_multiple_of(tile.step) {
            return Ok(());
        }
        let multiple = if tile.step > 1 { format!("a multiple of {} ", tile.step) } else { String::new() };
        Err(format!("not {multiple}from {} to {}", tile.least, tile.most))
    }
}

/// Threads, sums a thread, and workgroup memory of one shader.
fn fits(shader: &str, sizes: &Sizes, held: usize, kept: usize) -> Result<()> {
    let sums = sizes.rows * sizes.quads;
    let threads = sizes.lanes * sizes.columns;
    if threads > Limits::WEBGPU.invocations as usize {
        return Err(wrong(format!(
            "tiles: {shader} has LANES x COLUMNS = {threads} threads, more than {}",
            Limits::WEBGPU.invocations
        )));
    }
    if sums > SUMS {
        return Err(wrong(format!("tiles: {shader} has {sums} fours of sums a thread, more than {SUMS}")));
    }
    if !sizes.fit(held, kept) {
        return Err(wrong(format!(
            "tiles: {shader} takes more than {} bytes of workgroup memory",
            Limits::WEBGPU.workgroup_memory
        )));
    }
    Ok(())
}

/// An error of the field that configurations call `settings.choice`.
fn wrong(what: String) -> Error {
    Error::input("settings.choice", what).help("`tagwalk tune` finds sizes that fit; without any, the defaults are taken.")
}

#[cfg(test)]
mod tests {
    use super::super::shaders;
    use super::*;

    /// What a shader says where nothing is replaced is what runs where nothing is chosen.
    #[test]
    fn every_tile_is_a_line_of_its_shader_with_the_default() {
        for tile in TILES {
            let name = format!("{}.{}", tile.shader, tile.name);
            assert!(Choice::gpu(Family::Tiled).check_tile(&name, tile.default).is_ok(), "{name}");
            let text = shaders::text(tile.shader, &[]).unwrap();
            let line = format!("const {}: u32 = {}u;", tile.name, tile.default);
            assert!(text.lines().any(|l| l.starts_with(&line)), "{name}: no line {line}");
        }
    }

    #[test]
    fn a_tile_is_what_the_choice_says_or_its_default() {
        let choice = Choice::gpu(Family::Tiled).with("conv_forward.tiled.LANES", 4);
        let all = ["LANES", "ROWS"].map(|name| choice.tile("conv_forward.tiled", name));
        assert_eq!((all, choice.tile("conv_input_gradient.tiled", "LANES")), ([4, 8], 8));
    }

    #[test]
    #[should_panic(expected = "conv_forward.tiled.LANE is no tile size")]
    fn a_misspelt_tile_is_no_default() {
        Choice::gpu(Family::Tiled).tile("conv_forward.tiled", "LANE");
    }

    #[test]
    fn nonsense_is_refused_and_named() {
        let with = |tiles: &[(&str, u32)]| {
            let mut choice = Choice::gpu(Family::Tiled);
            choice.tiles.extend(tiles.iter().map(|(n, v)| (n.to_string(), *v)));
            choice.check()
        };
        assert!(with(&[]).is_ok());
        assert!(with(&[("conv_forward.tiled.ROWS", 9), ("conv_forward.tiled.LANES", 4)]).is_ok());
        for (wrong, says) in [
            (&[("conv_forward.tiled.DEPTH", 0)][..], "conv_forward.tiled.DEPTH is 0, not a multiple of 4 from 4 to 64"),
            (&[("conv_forward.tiled.DEPTH", 6)], "DEPTH"),
            (&[("conv_forward.tiled.ROWS", u32::MAX)], "ROWS"),
            (&[("conv_forward.tiled.GRID", 1)], "which no shader has"),
            (&[("ROWS", 8)], "which no shader has"),
            (&[("conv_input_gradient.tiled.LANES", 64), ("conv_input_gradient.tiled.COLUMNS", 64)], "4096 threads"),
            (&[("conv_forward.tiled.ROWS", 32), ("conv_forward.tiled.QUADS", 8)], "fours of sums"),
            (&[("conv_weight_gradient.tiled.DEPTH", 64)], "workgroup memory"),
        ] {
            let error = with(wrong).unwrap_err().to_string();
            assert!(error.contains(says) && error.starts_with("settings.choice"), "{error}");
        }
        let mut mixed = Choice::gpu(Family::Tiled);
        mixed.rooms.insert("conv_forward".into(), Family::Native(super::super::products::Isa::Portable));
        assert!(mixed.check().is_err());
    }
}
