// z = Aᵀ m of the five products m of each tile of three positions, p = select(z) in each window, and of SPAN tiles
// count, mean and Σ(z − mean)², kept up value by value (Welford 1962).
//
// Winograd (1980), as Lavin and Gray (2016), on the points 0, 1, −1, 2, ∞ (algebra.md, 5):
// Aᵀ = 1  1   1  1  0
//      0  1  −1  2  0
//      0  1   1  4  1
//
// An invocation owns SPAN tiles of four channels, the first tile beginning at −LEFT. A window is a tile, or one position.

const COUT: u32 = 4u; // a multiple of 4
const LENGTH: u32 = 9u; // positions a clip of z
const LEFT: u32 = 0u; // positions by which tile 0 begins before position 0
const WINDOWS: u32 = 3u;
const WRITE_Z: u32 = 1u;
const WRITE_P: u32 = 1u;
const STATISTICS: u32 = 1u;
// Elements by which a range of clips begins inside its binding (offsets are aligned).
const Z_AT: u32 = 0u;
const P_AT: u32 = 0u;
const PARTIALS_AT: u32 = 0u;
const TILES: u32 = 3u; // tiles a clip
const SPAN: u32 = 16u;
const GRID: u32 = 1u;

const FOURS: u32 = COUT / 4u;
const BLOCKS: u32 = (TILES + SPAN - 1u) / SPAN;

// Operands that a call has not are never touched; their bindings name another operand.
@group(0) @binding(0) var<storage, read> products: array<vec4<f32>>; // [clip, product, tile, cout]
@group(0) @binding(1) var<storage, read> gamma: array<vec4<f32>>; // [cout]
@group(0) @binding(2) var<storage, read_write> z: array<vec4<f32>>; // [clip, position, cout]
@group(0) @binding(3) var<storage, read_write> p: array<vec4<f32>>; // [clip, window, cout]
@group(0) @binding(4) var<storage, read_write> partials: array<vec4<f32>>; // [clip, block, 3, cout]: count, mean, Σ(z − mean)²

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let job = (group.x + group.y * GRID) * 64u + local;
    let clip = group.z;
    let quad = job % FOURS;
    let block = job / FOURS;
    if block >= BLOCKS {
        return;
    }
    var sign = vec4<f32>();
    if WRITE_P == 1u {
        sign = gamma[quad];
    }
    var count = 0.0;
    var mean = vec4<f32>();
    var deviation = vec4<f32>();
    for (var tile = block * SPAN; tile < min((block + 1u) * SPAN, TILES); tile++) {
        let at = (5u * clip * TILES + tile) * FOURS + quad;
        let m0 = products[at];
        let m1 = products[at + TILES * FOURS];
        let m2 = products[at + 2u * TILES * FOURS];
        let m3 = products[at + 3u * TILES * FOURS];
        let m4 = products[at + 4u * TILES * FOURS];
        let sum = m1 + m2;
        var outputs = array<vec4<f32>, 3>((m0 + m3) + sum, 2.0 * m3 + (m1 - m2), 4.0 * m3 + (sum + m4));
        let begin = i32(3u * tile) - i32(LEFT);
        var selected = vec4<f32>();
        var begun = false;
        for (var r = 0u; r < 3u; r++) {
            let l = begin + i32(r);
            if l >= 0 && l < i32(LENGTH) {
                let value = outputs[r];
                let replaces = ((sign > vec4(0.0)) & (value > selected)) | ((sign < vec4(0.0)) & (value < selected));
                selected = select(selected, value, replaces | vec4(!begun));
                begun = true;
                if WRITE_Z == 1u {
                    z[Z_AT / 4u + (clip * LENGTH + u32(l)) * FOURS + quad] = value;
                }
                if STATISTICS == 1u {
                    count += 1.0;
                    let apart = value - mean;
                    mean += apart / count;
                    deviation += apart * (value - mean);
                }
            }
        }
        if WRITE_P == 1u && tile < WINDOWS {
            p[P_AT / 4u + (clip * WINDOWS + tile) * FOURS + quad] = selected;
        }
    }
    if STATISTICS == 1u {
        let at = PARTIALS_AT / 4u + (clip * BLOCKS + block) * 3u * FOURS + quad;
        partials[at] = vec4(count);
        partials[at + FOURS] = mean;
        partials[at + 2u * FOURS] = deviation;
    }
}
