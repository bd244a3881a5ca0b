//! `conv_forward`'s dispatches: one shader over tiles of positions, blocks of channels and clips.

use super::super::clip_ranges::{self, Bind};
use super::super::conv_shaders::{binds, constants, quads, sides, threads};
use super::super::gpu::Value;
use super::super::{Family, Operand};
use super::{ConvForward, Dispatch, Kernel, Limits};

/// How the work of a clip is cut.
enum Tiling {
    /// An invocation a channel of `tile` windows.
    Plain { tile: usize },
    /// A workgroup `lanes`·`rows` positions × 4·`quads`·`columns` channels.
    Tiled { rows: usize, quads: usize, lanes: usize, columns: usize, depth: usize, halo: bool },
}

/// Windows larger than this do not fit a thread's registers; the plain shader does them.
const LARGEST_WINDOW: usize = 24;
/// Rows × channels of the input kept for all taps of a chunk: 6 KiB of workgroup memory.
const HALO_VALUES: usize = 1536;

impl Tiling {
    fn of(kernel: &ConvForward) -> Tiling {
        let conv = &kernel.conv;
        let choice = &kernel.choice;
        let pool = conv.windows.size;
        if choice.family != Family::Tiled || pool > LARGEST_WINDOW {
            return Tiling::Plain { tile: choice.tile("TILE", 16).max(1) as usize };
        }
        let (taps, cin) = sides(conv, &kernel.source);
        let span = (conv.length() + conv.windows.left).next_multiple_of(pool);
        let rows = (choice.tile("ROWS", 8) as usize / pool).max(1) * pool;
        let rows = rows.min(span);
        // Eight lanes, fewer where windows are long: a tile is then about 64 positions too.
        let lanes = threads(span, rows, choice.tile("LANES", (64 / rows as u32).clamp(1, 8)));
        let quads = quads(conv.cout, choice.tile("QUADS", 2));
        let columns = threads(conv.cout, 4 * quads, choice.tile("COLUMNS", 8));
        let depth = (choice.tile("DEPTH", 16) as usize).min(cin).next_multiple_of(4);
        let halo = taps > 1 && ((lanes * rows - 1) * conv.stride + taps) * depth <= HALO_VALUES;
        Tiling::Tiled { rows, quads, lanes, columns, depth, halo }
    }

    /// Tiles a clip.
    fn tiles(&self, kernel: &ConvForward) -> usize {
        let covered = kernel.conv.length() + kernel.conv.windows.left;
        match self {
            Tiling::Plain { tile } => covered.div_ceil(kernel.conv.windows.size).div_ceil(*tile),
            Tiling::Tiled { rows, lanes, .. } => covered.div_ceil(rows * lanes),
        }
    }
}

pub fn dispatches(kernel: &ConvForward, limits: &Limits) -> Vec<Dispatch> {
    let tiling = Tiling::of(kernel);
    let operands: Vec<Operand> = kernel.operands();
    let conv = &kernel.conv;
    let places = kernel.places();
    // Every call writes z or p; what it has not is bound to what it has.
    let written = places.z.or(places.p).unwrap_or_default();
    let optional = |place: Option<usize>, name| place.map_or(Bind::Unused(written), |o| Bind::Clips(o, name));
    let flag = |place: Option<usize>| Value::U32(u32::from(place.is_some()));

    let mut bound = binds(&kernel.source, places.weights).to_vec();
    bound.extend([
        Bind::Whole(places.weights),
        places.gamma.map_or(Bind::Unused(places.weights), Bind::Whole),
        optional(places.z, "Z_AT"),
        optional(places.p, "P_AT"),
        optional(places.partials, "PARTIALS_AT"),
    ]);
    let mut constants = constants(conv, &kernel.source);
    constants.extend([("WRITE_Z", flag(places.z)), ("WRITE_P", flag(places.p)), ("STATISTICS", flag(places.partials))]);

    let tiles = tiling.tiles(kernel);
    let (shader, groups, sizes) = match tiling {
        Tiling::Plain { tile } => ("conv_forward", (tiles * conv.cout).div_ceil(64), vec![("TILE", tile)]),
        Tiling::Tiled { rows, quads, lanes, columns, depth, halo } => {
            let sizes = vec![
                ("ROWS", rows),
                ("QUADS", quads),
                ("LANES", lanes),
                ("COLUMNS", columns),
                ("DEPTH", depth),
                ("HALO", usize::from(halo)),
            ];
            ("conv_forward.tiled", tiles * conv.cout.div_ceil(4 * quads * columns), sizes)
        }
    };
    constants.extend(sizes.into_iter().map(|(name, size)| (name, Value::U32(size as u32))));
    clip_ranges::dispatches(shader, &constants, &bound, groups, conv.clips, &operands, limits)
}

pub fn tiles(kernel: &ConvForward) -> usize {
    kernel.conv.clips * Tiling::of(kernel).tiles(kernel)
}
