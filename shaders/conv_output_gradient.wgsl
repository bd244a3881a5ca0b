// gradients[b,r,o] = dz[b, r − BEFORE, o], zeros before and behind the layer, where
// dz = c0 + c1·(z − mean), and s·dy more at the first position of a window whose z is the window's p.
// Made once for both products of backward.
//
// An invocation owns BLOCKS times POOL rows of four channels: windows, and what lies beside them.

const COUT: u32 = 4u; // a multiple of 4
const LENGTH: u32 = 9u; // positions a clip of z
const POOL: u32 = 3u;
const LEFT: u32 = 0u; // positions by which window 0 begins before position 0
const WINDOWS: u32 = 3u;
// Elements by which a range of clips begins inside its binding (offsets are aligned).
const Z_AT: u32 = 0u;
const P_AT: u32 = 0u;
const DY_AT: u32 = 0u;
const BEFORE: u32 = 1u; // rows before the layer's first position
const HELD: u32 = 11u; // rows a clip
const EARLY: u32 = 1u; // windows that would begin before window 0, so that all rows are covered
const BLOCKS: u32 = 4u;
const GRID: u32 = 1u;

const FOURS: u32 = COUT / 4u;
const ALL: u32 = (HELD + EARLY * POOL + POOL - 1u) / POOL + 1u;

@group(0) @binding(0) var<storage, read> z: array<vec4<f32>>; // [clip, position, cout]
@group(0) @binding(1) var<storage, read> p: array<vec4<f32>>; // [clip, window, cout]
@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>; // [clip, window, cout]
@group(0) @binding(3) var<storage, read> coefficients: array<vec4<f32>>; // [4, cout]: s, c0, c1, mean
@group(0) @binding(4) var<storage, read_write> gradients: array<vec4<f32>>; // [clip, row, cout]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let job = (group.x + group.y * GRID) * 64u + local;
    let clip = group.z;
    let quad = job % FOURS;
    let first = job / FOURS * BLOCKS;
    if first >= ALL {
        return;
    }
    let s = coefficients[quad];
    let c0 = coefficients[FOURS + quad];
    let c1 = coefficients[2u * FOURS + quad];
    let mean = coefficients[3u * FOURS + quad];
    for (var block = first; block < min(first + BLOCKS, ALL); block++) {
        // Positions of the window are begin and on; there are windows before 0 and behind the last that hold none.
        let window = i32(block) - i32(EARLY);
        let begin = window * i32(POOL) - i32(LEFT);
        var pooled = vec4<f32>();
        var selected = vec4<f32>();
        var open = vec4(window >= 0 && window < i32(WINDOWS));
        if open.x {
            let at = (clip * WINDOWS + u32(window)) * FOURS + quad;
            pooled = p[P_AT / 4u + at];
            selected = s * dy[DY_AT / 4u + at];
        }
        for (var r = 0u; r < POOL; r++) {
            let l = begin + i32(r);
            let row = l + i32(BEFORE);
            if row >= 0 && row < i32(HELD) {
                var gradient = vec4<f32>();
                if l >= 0 && l < i32(LENGTH) {
                    let value = z[Z_AT / 4u + (clip * LENGTH + u32(l)) * FOURS + quad];
                    let hit = open & (vec4(POOL == 1u) | (value == pooled));
                    gradient = c0 + c1 * (value - mean) + select(vec4(0.0), selected, hit);
                    open &= !hit;
                }
                gradients[(clip * HELD + u32(row)) * FOURS + quad] = gradient;
            }
        }
    }
}
