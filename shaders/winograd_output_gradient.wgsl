// tiles[b,n,t,o] = (A dz)[n]: what F(3,3) multiplies backwards, five values for the three positions of a tile.
//
// Winograd (1980), as Lavin and Gray (2016), on the points 0, 1, −1, 2, ∞ (algebra.md, 5):
// A = 1   0  0
//     1   1  1
//     1  −1  1
//     1   2  4
//     0   0  1
//
// An invocation owns SPAN tiles of four channels, the first tile beginning at −LEFT.

const COUT: u32 = 4u; // a multiple of 4
const LENGTH: u32 = 9u; // positions a clip of dz
const LEFT: u32 = 0u; // positions by which tile 0 begins before position 0
const BEFORE: u32 = 1u; // row of `gradients` that is position 0
const HELD: u32 = 11u; // rows of `gradients` a clip
const TILES: u32 = 3u; // tiles a clip
const ROWS: u32 = 3u; // rows of `tiles`, TILES or more
const SPAN: u32 = 4u;
const GRID: u32 = 1u;

const FOURS: u32 = COUT / 4u;

@group(0) @binding(0) var<storage, read> gradients: array<vec4<f32>>; // [clip, row, cout]
@group(0) @binding(1) var<storage, read_write> tiles: array<vec4<f32>>; // [clip, product, row, cout], a row a tile

fn gradient(clip: u32, l: i32, quad: u32) -> vec4<f32> {
    if l < 0 || l >= i32(LENGTH) {
        return vec4<f32>();
    }
    return gradients[(clip * HELD + BEFORE + u32(l)) * FOURS + quad];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let job = (group.x + group.y * GRID) * 64u + local;
    let clip = group.z;
    let quad = job % FOURS;
    let first = job / FOURS * SPAN;
    if first >= TILES {
        return;
    }
    for (var tile = first; tile < min(first + SPAN, TILES); tile++) {
        let begin = i32(3u * tile) - i32(LEFT);
        let d0 = gradient(clip, begin, quad);
        let d1 = gradient(clip, begin + 1, quad);
        let d2 = gradient(clip, begin + 2, quad);
        let sum = d0 + d2;
        let at = (5u * clip * ROWS + tile) * FOURS + quad;
        tiles[at] = d0;
        tiles[at + ROWS * FOURS] = sum + d1;
        tiles[at + 2u * ROWS * FOURS] = sum - d1;
        tiles[at + 3u * ROWS * FOURS] = 2.0 * d1 + (4.0 * d2 + d0);
        tiles[at + 4u * ROWS * FOURS] = d2;
    }
}
