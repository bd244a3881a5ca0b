//! `conv_forward`'s dispatches: one shader over tiles of positions, blocks of channels and clips.

use super::super::clip_ranges::{self, Bind, Part};
use super::super::conv_shaders::{binds, constants, quads, sides, threads};
use super::super::cooperative::{self, CHANNELS, POSITIONS};
use super::super::gpu::{LINE, Value, numbers};
use super::super::prepared::{self, ACTIVATIONS, INPUT_TILES, PRODUCTS_OF_TILES, TILES_A_SUM, Tiles, place};
use super::super::tiles::{Registers, Sizes};
use super::super::winograd::OUTPUTS;
use super::super::{Family, Operand, Product};
use super::{ConvForward, Dispatch, Kernel, Limits};

/// How the work of a clip is cut.
enum Tiling {
    /// An invocation a channel of `tile` windows.
    Plain { tile: usize },
    /// A workgroup `lanes`·`rows` positions × 4·`quads`·`columns` channels.
    Tiled { rows: usize, quads: usize, lanes: usize, columns: usize, depth: usize, halo: bool },
    /// A thread `repeat`·`rows` positions × 4·`quads` channels.
    Registers(Registers),
    /// The same of the tiles of F(3,3), and what follows for [`TILES_A_SUM`] tiles a thread.
    Winograd(Registers),
    /// A workgroup [`POSITIONS`] × [`CHANNELS`].
    Cooperative { size: u8 },
}

impl Tiling {
    fn of(kernel: &ConvForward) -> Tiling {
        let conv = &kernel.conv;
        let choice = &kernel.choice;
        let pool = conv.windows.size;
        let covered = conv.length() + conv.windows.left;
        match choice.family_for(Product::Forward, conv) {
            Family::Plain => return Tiling::Plain { tile: choice.tile(Product::Forward.shader(Family::Plain), "TILE") as usize },
            Family::Registers => {
                let sizes = Registers::of(choice, Product::Forward);
                return Tiling::Registers(sizes.within(covered, pool, conv.cout));
            }
            Family::Winograd => {
                let sizes = Registers::of(choice, Product::Forward);
                return Tiling::Winograd(sizes.within(Tiles::count(conv), 1, conv.cout));
            }
            Family::Cooperative(size) => return Tiling::Cooperative { size },
            Family::Tiled | Family::Native(_) => {}
        }
        let (taps, cin) = sides(conv, &kernel.source);
        let sizes = Sizes::of(choice, Product::Forward);
        let span = covered.next_multiple_of(pool);
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
            Tiling::Registers(sizes) => covered.div_ceil(sizes.span()),
            Tiling::Winograd(_) => Tiles::count(&kernel.conv).div_ceil(TILES_A_SUM),
            Tiling::Cooperative { .. } => covered.div_ceil(POSITIONS),
        }
    }
}

pub fn dispatches(kernel: &ConvForward, limits: &Limits) -> Vec<Dispatch> {
    let tiling = Tiling::of(kernel);
    let operands: Vec<Operand> = kernel.operands();
    let conv = &kernel.conv;
    let places = kernel.places();
    // Every call writes z or p; what it has not is bound to what it has.
    let written = places.z.or(places.p).expect("z or p is written");
    let optional = |place: Option<usize>, name| place.map_or(Bind::Unused(written), |o| Bind::Clips(o, name));
    let flag = |place: Option<usize>| Value::U32(u32::from(place.is_some()));

    let ends = [
        Bind::Whole(places.weights),
        places.gamma.map_or(Bind::Unused(places.weights), Bind::Whole),
        optional(places.z, "Z_AT"),
        optional(places.p, "P_AT"),
        optional(places.partials, "PARTIALS_AT"),
    ];
    let mut constants = constants(conv, &kernel.source);
    let flags = [("WRITE_Z", flag(places.z)), ("WRITE_P", flag(places.p)), ("STATISTICS", flag(places.partials))];
    if let Tiling::Registers(sizes) | Tiling::Winograd(sizes) = tiling {
        let by_clip = [Some(0), places.z, places.p, places.partials].into_iter().flatten();
        let parts = prepared::parts(&operands, by_clip, conv.clips, limits);
        let dispatches = |part| match tiling {
            Tiling::Winograd(_) => winograd(kernel, &sizes, &ends, &flags, &part),
            _ => registers(kernel, &sizes, &ends, &flags, &part),
        };
        return parts.into_iter().flat_map(dispatches).collect();
    }
    let mut bound = binds(&kernel.source, places.weights).to_vec();
    bound.extend(ends);
    constants.extend(flags);

    let tiles = tiling.tiles(kernel);
    let (shader, groups, sizes) = match tiling {
        Tiling::Plain { tile } => ("conv_forward", (tiles * conv.cout).div_ceil(64), vec![("TILE", tile)]),
        Tiling::Tiled { rows, quads, lanes, columns, depth, halo } => {
            constants.push(kernel.choice.half());
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
            constants.push(kernel.choice.half());
            constants.extend(cooperative::matrices(size));
            let sizes = vec![("SPAN", POSITIONS), ("WIDTH", CHANNELS)];
            ("conv_forward.cooperative", tiles * conv.cout.div_ceil(CHANNELS), sizes)
        }
        Tiling::Registers(_) | Tiling::Winograd(_) => unreachable!("these have gone their way"),
    };
    constants.extend(numbers(&sizes));
    clip_ranges::dispatches(shader, &constants, &bound, groups, conv.clips, &operands, limits)
}

/// Scratch operands: what the layer reads, made before it is multiplied; for F(3,3) its tiles and their products too.
pub fn scratch(kernel: &ConvForward) -> Vec<Operand> {
    let conv = &kernel.conv;
    let activations = |rows| prepared::scratch(ACTIVATIONS, &[rows, conv.cin], conv.clips);
    match Tiling::of(kernel) {
        Tiling::Registers(sizes) => vec![activations(held(kernel, &sizes))],
        Tiling::Winograd(sizes) => {
            let tiles = Tiles::of(conv, &[sizes]);
            vec![
                activations(prepared::input_rows(conv, OUTPUTS * tiles.count)),
                tiles.factors(INPUT_TILES, conv.cin, conv.clips),
                tiles.products(PRODUCTS_OF_TILES, conv.cout, conv.clips),
            ]
        }
        _ => vec![],
    }
}

/// Rows a clip of what threads of these sizes read.
fn held(kernel: &ConvForward, sizes: &Registers) -> usize {
    let covered = kernel.conv.length() + kernel.conv.windows.left;
    prepared::input_rows(&kernel.conv, covered.next_multiple_of(sizes.span()))
}

/// What is read is made, then multiplied.
fn registers(
    kernel: &ConvForward,
    sizes: &Registers,
    ends: &[Bind],
    flags: &[(&'static str, Value)],
    part: &Part,
) -> Vec<Dispatch> {
    let conv = &kernel.conv;
    let rows = held(kernel, sizes);
    let activations = place(part.operands, ACTIVATIONS);
    let mut all = prepared::pooling(constants(conv, &kernel.source));
    all.extend_from_slice(flags);
    all.extend(numbers(&[("CIN", conv.cin), ("TAPS", conv.taps), ("HELD", rows)]));
    all.extend(sizes.constants());
    let bound = [&[Bind::Held(activations)], ends].concat();
    let covered = conv.length() + conv.windows.left;
    let groups = (covered.div_ceil(sizes.span()) * sizes.columns(conv.cout)).div_ceil(sizes.threads);
    vec![
        prepared::input(part, conv, &kernel.source, rows, activations),
        part.dispatch("conv_forward.registers", &all, &bound, groups),
    ]
}

/// What is read is made, cut into tiles, multiplied, and put together.
fn winograd(
    kernel: &ConvForward,
    sizes: &Registers,
    ends: &[Bind],
    flags: &[(&'static str, Value)],
    part: &Part,
) -> Vec<Dispatch> {
    let conv = &kernel.conv;
    let tiles = Tiles::of(conv, &[*sizes]);
    let rows = prepared::input_rows(conv, OUTPUTS * tiles.count);
    let [activations, inputs, products] = [ACTIVATIONS, INPUT_TILES, PRODUCTS_OF_TILES].map(|name| place(part.operands, name));
    let weights = kernel.places().weights;
    let windows = &conv.windows;
    let mut all = tiles.constants(&[
        ("COUT", conv.cout),
        ("LENGTH", conv.length()),
        ("LEFT", windows.left),
        ("WINDOWS", windows.count),
        ("SPAN", TILES_A_SUM),
    ]);
    all.extend_from_slice(flags);
    // The weights have been multiplied with.
    let bound = [&[Bind::Held(products)], &ends[1..]].concat();
    let groups = (tiles.count.div_ceil(TILES_A_SUM) * conv.cout / 4).div_ceil(LINE);
    vec![
        prepared::input(part, conv, &kernel.source, rows, activations),
        tiles.input(part, conv, rows, [activations, inputs]),
        tiles.product(part, sizes, [conv.cin, conv.cout], [inputs, weights, products]),
        part.dispatch("winograd_output", &all, &bound, groups),
    ]
}

pub fn tiles(kernel: &ConvForward) -> usize {
    kernel.conv.clips * Tiling::of(kernel).tiles(kernel)
}
