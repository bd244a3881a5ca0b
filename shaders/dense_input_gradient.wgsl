// dy[b,f] = mask[b,f]·[scale·(p − mean) + beta > 0]·Σ_o g[b,o]·w[f,o], and the clip's Σ dy and Σ dy·(p − mean)·r
// over its positions.
//
// An invocation owns one channel of one clip, all positions.

const CLIPS: u32 = 1u;
const POSITIONS: u32 = 1u;
const C: u32 = 1u;
const OUTPUTS: u32 = 1u;
const GRID: u32 = 1u;
const RUN: u32 = 32u;

@group(0) @binding(0) var<storage, read> below: array<f32>; // [clip, position, channel]
@group(0) @binding(1) var<storage, read> norm: array<f32>; // [4, channel]
@group(0) @binding(2) var<storage, read> mask: array<f32>; // [clip, feature]
@group(0) @binding(3) var<storage, read> weights: array<f32>; // [feature, output]
@group(0) @binding(4) var<storage, read> logits_gradient: array<f32>; // [clip, output]
@group(0) @binding(5) var<storage, read_write> dy: array<f32>; // [clip, position, channel]
@group(0) @binding(6) var<storage, read_write> partials: array<f32>; // [clip, 2, channel]

// RUN products in a row, so that the rounding error stays small for a thousand tags.
fn product(b: u32, f: u32) -> f32 {
    var sum = 0.0;
    for (var first = 0u; first < OUTPUTS; first += RUN) {
        var run = 0.0;
        for (var o = first; o < min(first + RUN, OUTPUTS); o++) {
            run += logits_gradient[b * OUTPUTS + o] * weights[f * OUTPUTS + o];
        }
        sum += run;
    }
    return sum;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.x + group.y * GRID) * 64u + local;
    if i >= CLIPS * C {
        return;
    }
    let b = i / C;
    let c = i % C;
    let mean = norm[2u * C + c];
    let r = norm[3u * C + c];
    var sums = vec2(0.0, 0.0);
    for (var l = 0u; l < POSITIONS; l++) {
        let at = (b * POSITIONS + l) * C + c;
        let apart = below[at] - mean;
        var d = 0.0;
        if norm[c] * apart + norm[C + c] > 0.0 {
            d = mask[at] * product(b, l * C + c);
        }
        dy[at] = d;
        sums += vec2(d, d * apart * r);
    }
    partials[b * 2u * C + c] = sums.x;
    partials[(b * 2u + 1u) * C + c] = sums.y;
}
