//! Tile sizes of the shaders: which a choice may set, and within which bounds. The one place where a
//! choice from outside, a run's `config.json` or the tuner's cache, is held to what the shaders can do,
//! on every adapter: WebGPU's limits are enough for all of it.

use super::family::LARGEST_WINDOW;
use super::gpu::{Limits, Value};
use super::{Choice, DType, Family, cooperative, winograd};
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
}

const fn tile(shader: &'static str, name: &'static str, least: u32, most: u32) -> Tile {
    Tile { shader, name, least, most, step: 1 }
}

const fn fours(shader: &'static str, name: &'static str, least: u32, most: u32) -> Tile {
    Tile { shader, name, least, most, step: 4 }
}

/// Every tile size there is on a GPU.
pub const TILES: &[Tile] = &[
    tile("conv_forward", "TILE", 1, 1024),
    tile("conv_forward.registers", "ROWS", 1, 32),
    tile("conv_forward.registers", "QUADS", 1, 8),
    tile("conv_forward.registers", "REPEAT", 1, 16),
    tile("conv_forward.registers", "THREADS", 8, 256),
    tile("conv_forward.tiled", "ROWS", 1, 32),
    tile("conv_forward.tiled", "QUADS", 1, 8),
    tile("conv_forward.tiled", "LANES", 1, 64),
    tile("conv_forward.tiled", "COLUMNS", 1, 64),
    fours("conv_forward.tiled", "DEPTH", 4, 64),
    tile("conv_input_gradient", "TILE", 1, 1024),
    tile("conv_input_gradient.registers", "ROWS", 1, 32),
    tile("conv_input_gradient.registers", "QUADS", 1, 8),
    tile("conv_input_gradient.registers", "REPEAT", 1, 16),
    tile("conv_input_gradient.registers", "THREADS", 8, 256),
    tile("conv_input_gradient.tiled", "ROWS", 1, 32),
    tile("conv_input_gradient.tiled", "QUADS", 1, 8),
    tile("conv_input_gradient.tiled", "LANES", 1, 64),
    tile("conv_input_gradient.tiled", "COLUMNS", 1, 64),
    fours("conv_input_gradient.tiled", "DEPTH", 4, 64),
    // Shorter segments would make the parts of the gradient larger than what they are made from;
    // longer ones lose more of an f32 sum than its order does.
    tile("conv_weight_gradient", "SEGMENT", 64, 2048),
    tile("conv_weight_gradient.registers", "SEGMENT", 64, 2048),
    tile("conv_weight_gradient.registers", "ROWS", 1, 16),
    tile("conv_weight_gradient.registers", "QUADS", 1, 8),
    tile("conv_weight_gradient.registers", "THREADS", 8, 256),
    tile("conv_weight_gradient.tiled", "SEGMENT", 64, 2048),
    tile("conv_weight_gradient.tiled", "ROW_QUADS", 1, 8),
    tile("conv_weight_gradient.tiled", "QUADS", 1, 8),
    tile("conv_weight_gradient.tiled", "LANES", 1, 64),
    tile("conv_weight_gradient.tiled", "COLUMNS", 1, 64),
    tile("conv_weight_gradient.tiled", "DEPTH", 1, 64),
];

/// What a choice may set for the CPU: outputs of a convolution's tile, and whether products are of pairs of bf16.
const NATIVE: &[(&str, [u32; 2])] = &[(winograd::SIZE, [1, 3]), (winograd::PAIRS, [0, 1])];

/// The rooms' products that may have a family of their own.
pub const ROOMS: [&str; 3] = ["conv_forward", "conv_weight_gradient", "conv_input_gradient"];

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
    pub fn of(choice: &Choice, shader: &str) -> Registers {
        let tile = |name, default| choice.tile(&format!("{shader}.{name}"), default) as usize;
        let rows = if shader.starts_with("conv_weight_gradient") { 3 } else { 9 };
        Registers { rows: tile("ROWS", rows), quads: tile("QUADS", 4), repeat: tile("REPEAT", 4), threads: tile("THREADS", 32) }
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
        let value = |size| Value::U32(size as u32);
        [
            ("ROWS", value(self.rows)),
            ("QUADS", value(self.quads)),
            ("REPEAT", value(self.repeat)),
            ("THREADS", value(self.threads)),
        ]
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
    /// Positions a thread.
    pub rows: usize,
    /// Fours of channels a thread.
    pub quads: usize,
    /// Threads along positions.
    pub lanes: usize,
    /// Threads along channels.
    pub columns: usize,
    /// Channels that go through workgroup memory at a time.
    pub depth: usize,
}

impl Sizes {
    /// Of `conv_forward.tiled` or `conv_input_gradient.tiled`.
    pub fn of(choice: &Choice, shader: &str) -> Sizes {
        let tile = |name, default| choice.tile(&format!("{shader}.{name}"), default) as usize;
        Sizes {
            rows: tile("ROWS", 8),
            quads: tile("QUADS", 2),
            lanes: tile("LANES", 8),
            columns: tile("COLUMNS", 8),
            depth: tile("DEPTH", 16),
        }
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
            if !ROOMS.contains(&room.as_str()) || self.is_native() || family.is_native() {
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
        let forward = Sizes::of(self, "conv_forward.tiled");
        fits(
            "conv_forward.tiled",
            &forward,
            forward.rows * forward.quads,
            (forward.rows * forward.lanes).max(LARGEST_WINDOW),
            2,
        )?;
        let input = Sizes::of(self, "conv_input_gradient.tiled");
        fits("conv_input_gradient.tiled", &input, input.rows * input.quads, input.rows * input.lanes, 1)?;
        for room in ROOMS {
            let sizes = Registers::of(self, &format!("{room}.registers"));
            // A thread of the weights' gradient owns fours of rows.
            let sums = sizes.rows * sizes.quads * if room == "conv_weight_gradient" { 4 } else { 1 };
            if sums > MORE_SUMS {
                return Err(wrong(format!("tiles: {room}.registers has {sums} fours of sums a thread, more than {MORE_SUMS}")));
            }
        }
        // What the others hold of positions, it holds of rows (tap, channel).
        let (weights, row_quads) = weight_sizes(self);
        fits("conv_weight_gradient.tiled", &weights, 4 * row_quads * weights.quads, 4 * row_quads * weights.lanes, 0)
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

/// Sizes of `conv_weight_gradient.tiled`, whose threads own fours of rows: `rows` is 0, and the fours
/// come beside.
pub fn weight_sizes(choice: &Choice) -> (Sizes, usize) {
    let sizes = Sizes::of(choice, "conv_weight_gradient.tiled");
    (Sizes { rows: 0, ..sizes }, choice.tile("conv_weight_gradient.tiled.ROW_QUADS", 2) as usize)
}

/// Threads, sums a thread, and workgroup memory of one shader.
fn fits(shader: &str, sizes: &Sizes, sums: usize, held: usize, kept: usize) -> Result<()> {
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
    Error::input("settings.choice", what).help("`tagwalk tune` finds sizes that fit; without any, the shaders' own are taken.")
}

#[cfg(test)]
mod tests {
    use super::super::shaders;
    use super::*;

    #[test]
    fn every_tile_is_a_line_of_its_shader() {
        for tile in TILES {
            let value = super::super::gpu::Value::U32(tile.most);
            shaders::text(tile.shader, &[(tile.name, value)]).unwrap_or_else(|e| panic!("{}.{}: {e}", tile.shader, tile.name));
        }
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
