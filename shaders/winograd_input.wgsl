// tiles[b,n,t,i] = (Bᵀ a)[n]: what F(3,3) multiplies, five values for the five inputs of a tile of three outputs.
//
// Winograd (1980), as Lavin and Gray (2016), on the points 0, 1, −1, 2, ∞ (algebra.md, 5):
// Bᵀ = 1  −1/2    −1   1/2    0
//      0     1   1/2  −1/2    0
//      0  −2/3     1  −1/3    0
//      0    −1     0     1    0
//      0     1  −1/2    −1  1/2
//
// An invocation owns SPAN tiles of four channels, side by side: neighbours share two inputs.

const CIN: u32 = 4u; // a multiple of 4
const HELD: u32 = 11u; // rows of `activations` a clip; row 3t is tile t's first input
const TILES: u32 = 3u; // tiles a clip
const ROWS: u32 = 3u; // rows of `tiles`, TILES or more
const SPAN: u32 = 4u;
const GRID: u32 = 1u;

const FOURS: u32 = CIN / 4u;

@group(0) @binding(0) var<storage, read> activations: array<vec4<f32>>; // [clip, row, cin]
@group(0) @binding(1) var<storage, read_write> tiles: array<vec4<f32>>; // [clip, product, row, cin], a row a tile

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let job = (group.x + group.y * GRID) * 64u + local;
    let clip = group.z;
    let quad = job % FOURS;
    let first = job / FOURS * SPAN;
    if first >= TILES {
        return;
    }
    let rows = (clip * HELD + 3u * first) * FOURS + quad;
    var d3 = activations[rows];
    var d4 = activations[rows + FOURS];
    for (var n = 0u; n < min(SPAN, TILES - first); n++) {
        let row = rows + 3u * n * FOURS;
        let d0 = d3;
        let d1 = d4;
        let d2 = activations[row + 2u * FOURS];
        d3 = activations[row + 3u * FOURS];
        d4 = activations[row + 4u * FOURS];
        let at = (5u * clip * ROWS + first + n) * FOURS + quad;
        tiles[at] = 0.5 * (d3 - d1) + (d0 - d2);
        tiles[at + ROWS * FOURS] = 0.5 * (d2 - d3) + d1;
        tiles[at + 2u * ROWS * FOURS] = (d2 - 2.0 / 3.0 * d1) - 1.0 / 3.0 * d3;
        tiles[at + 3u * ROWS * FOURS] = d3 - d1;
        tiles[at + 4u * ROWS * FOURS] = 0.5 * (d4 - d2) + (d1 - d3);
    }
}
