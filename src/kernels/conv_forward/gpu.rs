//! `conv_forward`'s dispatches: one shader over tiles of positions, blocks of channels and clips.

use super::super::clip_ranges::{self, Bind};
use super::super::conv_shaders::{SPAN, WIDTH, binds, by_size, constants, matrices, quads, sides, threads};
use super::super::gpu::Value;
use super::super::tiles::{LARGEST_WINDOW, Sizes};
use super::super::{Family, Operand};
use super::{ConvForward, Dispatch, Kernel, Limits};

/// How the work of a clip is cut.
enum Tiling {
    /// An invocation a channel of `tile` windows.
    Plain { tile: usize },
    /// A workgroup `lanes`·`rows` positions × 4·`quads`·`columns` channels.
    Tiled { rows: usize, quads: usize, lanes: usize, columns: usize, depth: usize, halo: bool },
    /// A workgroup [`SPAN`] positions × [`WIDTH`] channels.
    Cooperative { size: u8 },
}

impl Tiling {
    fn of(kernel: &ConvForward) -> Tiling {
        let conv = &kernel.conv;
        let choice = &kernel.choice;
        let pool = conv.windows.size;
        // Larger windows do not fit a thread's registers; the plain shader does them.
        if *choice.family_of("conv_forward") == Family::Plain || pool > LARGEST_WINDOW {
            return Tiling::Plain { tile: choice.tile("conv_forward.TILE", 16) as usize };
        }
        if let Some(size) = matrices(conv, &kernel.source, choice.family_of("conv_forward")) {
            return Tiling::Cooperative { size };
        }
        let (taps, cin) = sides(conv, &kernel.source);
        let sizes = Sizes::of(choice, "conv_forward.tiled");
        let span = (conv.length() + conv.windows.left).next_multiple_of(pool);
        let rows = ((sizes.rows / pool).max(1) * pool).min(span);
        // Fewer lanes where windows are long: a tile then has about as many positions too.
        let lanes = threads(span, rows, (sizes.rows * sizes.lanes / rows).clamp(1, sizes.lanes));
        let quads = quads(conv.cout, sizes.quads);
        let columns = threads(conv.cout, 4 * quads, sizes.columns);
        let depth = sizes.depth.min(cin).next_multiple_of(4);
        let sizes = Sizes { rows, quads, lanes, columns, depth };
        // The input of all taps is kept where there is room for it.
        let halo = taps > 1 && sizes.fit((lanes * rows - 1) * conv.stride + taps, 2);
        Tiling::Tiled { rows, quads, lanes, columns, depth, halo }
    }

    /// Tiles a clip.
    fn tiles(&self, kernel: &ConvForward) -> usize {
        let covered = kernel.conv.length() + kernel.conv.windows.left;
        match self {
            Tiling::Plain { tile } => covered.div_ceil(kernel.conv.windows.size).div_ceil(*tile),
            Tiling::Tiled { rows, lanes, .. } => covered.div_ceil(rows * lanes),
            Tiling::Cooperative { .. } => covered.div_ceil(SPAN),
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
    constants.push(kernel.choice.half());
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
        Tiling::Cooperative { size } => {
            let shader = by_size(size, "conv_forward.cooperative8", "conv_forward.cooperative16");
            (shader, tiles * conv.cout.div_ceil(WIDTH), vec![("SPAN", SPAN), ("WIDTH", WIDTH)])
        }
    };
    constants.extend(sizes.into_iter().map(|(name, size)| (name, Value::U32(size as u32))));
    clip_ranges::dispatches(shader, &constants, &bound, groups, conv.clips, &operands, limits)
}

pub fn tiles(kernel: &ConvForward) -> usize {
    kernel.conv.clips * Tiling::of(kernel).tiles(kernel)
}
