// logits[b,o] = bias[o] + Σ_f max(scale·(p[b,f] − mean) + beta, 0)·mask[b,f]·w[f,o], f over [position, channel].
//
// A workgroup owns T clips times T outputs, an invocation one of these logits. T features at a
// time, every value is loaded once into workgroup memory and read T times from there.

const CLIPS: u32 = 1u;
const FEATURES: u32 = 1u;
const C: u32 = 1u;
const OUTPUTS: u32 = 1u;
const MASKED: u32 = 1u;
const T: u32 = 16u;
const HALF: u32 = 0u; // 1: p and dy are f16, two to a word; an odd channel count is filled up to whole words

const C_WORDS: u32 = C - HALF * (C / 2u); // from a position to the next

@group(0) @binding(0) var<storage, read> below: array<u32>; // [clip, position, channel]
@group(0) @binding(1) var<storage, read> norm: array<f32>; // [4, channel]
@group(0) @binding(2) var<storage, read> weights: array<f32>; // [feature, output]
@group(0) @binding(3) var<storage, read> bias: array<f32>; // [output]
@group(0) @binding(4) var<storage, read> mask: array<f32>; // [clip, feature], looked at if MASKED
@group(0) @binding(5) var<storage, read_write> logits: array<f32>; // [clip, output]

var<workgroup> features: array<f32, T * T>; // [clip, feature]
var<workgroup> columns: array<f32, T * T>; // [feature, output]

// Channel c of a stored value, from its word.
fn stored(word: u32, c: u32) -> f32 {
    if HALF == 1u {
        return unpack2x16float(word >> (16u * (c & 1u))).x;
    }
    return bitcast<f32>(word);
}

fn feature(b: u32, f: u32) -> f32 {
    if b >= CLIPS || f >= FEATURES {
        return 0.0;
    }
    let i = b * FEATURES + f;
    let c = f % C;
    let p = stored(below[i / C * C_WORDS + (c >> HALF)], c);
    let a = max(norm[c] * (p - norm[2u * C + c]) + norm[C + c], 0.0);
    if MASKED == 1u {
        return a * mask[i];
    }
    return a;
}

fn weight(f: u32, o: u32) -> f32 {
    if f >= FEATURES || o >= OUTPUTS {
        return 0.0;
    }
    return weights[f * OUTPUTS + o];
}

@compute @workgroup_size(T, T)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let o = group.x * T + local.x;
    let b = group.y * T + local.y;
    let at = local.y * T + local.x;
    var sum = 0.0;
    for (var first = 0u; first < FEATURES; first += T) {
        workgroupBarrier();
        features[at] = feature(b, first + local.x);
        columns[at] = weight(first + local.y, o);
        workgroupBarrier();
        var run = 0.0;
        for (var j = 0u; j < T; j++) {
            run += features[local.y * T + j] * columns[j * T + local.x];
        }
        sum += run;
    }
    if b < CLIPS && o < OUTPUTS {
        logits[b * OUTPUTS + o] = bias[o] + sum;
    }
}
