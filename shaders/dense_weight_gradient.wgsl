// dw[f,o] = Σ_b max(scale·(p[b,f] − mean) + beta, 0)·mask[b,f]·g[b,o], and dbias[o] = Σ_b g[b,o].
//
// An invocation owns one weight, or one bias: row FEATURES, where what is read is 1.

const CLIPS: u32 = 1u;
const FEATURES: u32 = 1u;
const C: u32 = 1u;
const OUTPUTS: u32 = 1u;
const GRID: u32 = 1u;
const HALF: u32 = 0u; // 1: p and dy are f16, two to a word; an odd channel count is filled up to whole words

const C_WORDS: u32 = C - HALF * (C / 2u); // from a position to the next

@group(0) @binding(0) var<storage, read> below: array<u32>; // [clip, position, channel]
@group(0) @binding(1) var<storage, read> norm: array<f32>; // [4, channel]
@group(0) @binding(2) var<storage, read> mask: array<f32>; // [clip, feature]
@group(0) @binding(3) var<storage, read> logits_gradient: array<f32>; // [clip, output]
@group(0) @binding(4) var<storage, read_write> weights_gradient: array<f32>; // [feature, output]
@group(0) @binding(5) var<storage, read_write> bias_gradient: array<f32>; // [output]

// Channel c of a stored value, from its word.
fn stored(word: u32, c: u32) -> f32 {
    if HALF == 1u {
        return unpack2x16float(word >> (16u * (c & 1u))).x;
    }
    return bitcast<f32>(word);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.x + group.y * GRID) * 64u + local;
    let f = i / OUTPUTS;
    let o = i % OUTPUTS;
    if f > FEATURES {
        return;
    }
    var sum = 0.0;
    if f == FEATURES {
        for (var b = 0u; b < CLIPS; b++) {
            sum += logits_gradient[b * OUTPUTS + o];
        }
        bias_gradient[o] = sum;
        return;
    }
    let c = f % C;
    for (var b = 0u; b < CLIPS; b++) {
        let at = b * FEATURES + f;
        let p = stored(below[at / C * C_WORDS + (c >> HALF)], c);
        let a = max(norm[c] * (p - norm[2u * C + c]) + norm[C + c], 0.0);
        sum += a * mask[at] * logits_gradient[b * OUTPUTS + o];
    }
    weights_gradient[i] = sum;
}
