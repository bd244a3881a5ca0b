// logits[b,o] = bias[o] + Σ_f max(scale·(p[b,f] − mean) + beta, 0)·mask[b,f]·w[f,o], f over [position, channel].
//
// An invocation owns one logit. It adds up a position's share at a time, RUN products in a row, so
// that the rounding error grows with RUN and the number of runs, not with their product.

const CLIPS: u32 = 1u;
const FEATURES: u32 = 1u;
const C: u32 = 1u;
const OUTPUTS: u32 = 1u;
const MASKED: u32 = 1u;
const GRID: u32 = 1u;
const RUN: u32 = 32u;

@group(0) @binding(0) var<storage, read> below: array<f32>; // [clip, position, channel]
@group(0) @binding(1) var<storage, read> norm: array<f32>; // [4, channel]
@group(0) @binding(2) var<storage, read> weights: array<f32>; // [feature, output]
@group(0) @binding(3) var<storage, read> bias: array<f32>; // [output]
@group(0) @binding(4) var<storage, read> mask: array<f32>; // [clip, feature], looked at if MASKED
@group(0) @binding(5) var<storage, read_write> logits: array<f32>; // [clip, output]

fn feature(b: u32, f: u32) -> f32 {
    let i = b * FEATURES + f;
    let c = f % C;
    let a = max(norm[c] * (below[i] - norm[2u * C + c]) + norm[C + c], 0.0);
    if MASKED == 1u {
        return a * mask[i];
    }
    return a;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.x + group.y * GRID) * 64u + local;
    if i >= CLIPS * OUTPUTS {
        return;
    }
    let b = i / OUTPUTS;
    let o = i % OUTPUTS;
    var sum = bias[o];
    for (var first = 0u; first < FEATURES; first += RUN) {
        var run = 0.0;
        for (var f = first; f < min(first + RUN, FEATURES); f++) {
            run += feature(b, f) * weights[f * OUTPUTS + o];
        }
        sum += run;
    }
    logits[i] = sum;
}
