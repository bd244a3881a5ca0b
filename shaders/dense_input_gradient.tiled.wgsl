// dy[b,f] = mask[b,f]·[scale·(p − mean) + beta > 0]·Σ_o g[b,o]·w[f,o], and the clip's Σ dy and Σ dy·(p − mean)·r
// over its positions.
//
// A workgroup owns T channels of T clips, an invocation one channel of one clip, all positions. T
// outputs at a time, weights and gradients are loaded once into workgroup memory, along the
// outputs, and read T times from there.

const CLIPS: u32 = 1u;
const POSITIONS: u32 = 1u;
const C: u32 = 1u;
const OUTPUTS: u32 = 1u;
const T: u32 = 16u; // even
const HALF: u32 = 0u; // 1: p and dy are f16, two to a word; an odd channel count is filled up to whole words

const C_WORDS: u32 = C - HALF * (C / 2u); // from a position to the next

@group(0) @binding(0) var<storage, read> below: array<u32>; // [clip, position, channel]
@group(0) @binding(1) var<storage, read> norm: array<f32>; // [4, channel]
@group(0) @binding(2) var<storage, read> mask: array<f32>; // [clip, feature]
@group(0) @binding(3) var<storage, read> weights: array<f32>; // [feature, output]
@group(0) @binding(4) var<storage, read> logits_gradient: array<f32>; // [clip, output]
@group(0) @binding(5) var<storage, read_write> dy: array<u32>; // [clip, position, channel]
@group(0) @binding(6) var<storage, read_write> partials: array<f32>; // [clip, 2, channel]

var<workgroup> gradients: array<f32, T * T>; // [clip, output]
// [channel, output]; a row is one longer, so that a column's values lie in different banks.
var<workgroup> rows: array<f32, T * (T + 1u)>;

// Channel c of a stored value, from its word.
fn stored(word: u32, c: u32) -> f32 {
    if HALF == 1u {
        return unpack2x16float(word >> (16u * (c & 1u))).x;
    }
    return bitcast<f32>(word);
}

// Four values as they are stored, in four words, or as f16 in two: to the nearest, ties to even, by the bits, since a
// driver may cut off instead.
fn words(v: vec4<f32>) -> vec4<u32> {
    let bits = bitcast<vec4<u32>>(v);
    if HALF == 0u {
        return bits;
    }
    let size = bits & vec4(0x7fffffffu);
    let odd = (size >> vec4(13u)) & vec4(1u);
    let normal = (size + vec4(0xfffu) + odd - vec4(0x38000000u)) >> vec4(13u);
    // Below 2^-14 a step is 2^-24; from 65520 on, half a step past the largest, it is infinite.
    let small = vec4<u32>(round(abs(v) * 16777216.0));
    var half = select(normal, small, size < vec4(0x38800000u));
    half = select(half, vec4(0x7c00u), size >= vec4(0x477ff000u));
    half = select(half, vec4(0x7e00u), size > vec4(0x7f800000u));
    half |= (bits >> vec4(16u)) & vec4(0x8000u);
    return vec4(half.xz | (half.yw << vec2(16u)), 0u, 0u);
}

// Back from two words.
fn widened(both: vec4<u32>) -> vec4<f32> {
    return vec4(unpack2x16float(both.x), unpack2x16float(both.y));
}

fn gradient(b: u32, o: u32) -> f32 {
    if b >= CLIPS || o >= OUTPUTS {
        return 0.0;
    }
    return logits_gradient[b * OUTPUTS + o];
}

fn weight(l: u32, c: u32, o: u32) -> f32 {
    if c >= C || o >= OUTPUTS {
        return 0.0;
    }
    return weights[(l * C + c) * OUTPUTS + o];
}

@compute @workgroup_size(T, T)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let c = group.x * T + local.x;
    let b = group.y * T + local.y;
    let mine = b < CLIPS && c < C;
    var sums = vec2(0.0, 0.0);
    for (var l = 0u; l < POSITIONS; l++) {
        var product = 0.0;
        for (var first = 0u; first < OUTPUTS; first += T) {
            workgroupBarrier();
            gradients[local.y * T + local.x] = gradient(b, first + local.x);
            rows[local.y * (T + 1u) + local.x] = weight(l, group.x * T + local.y, first + local.x);
            workgroupBarrier();
            var run = 0.0;
            for (var j = 0u; j < T; j++) {
                run += gradients[local.y * T + j] * rows[local.x * (T + 1u) + j];
            }
            product += run;
        }
        var d = 0.0;
        var apart = 0.0;
        let word = (b * POSITIONS + l) * C_WORDS + (c >> HALF);
        if mine {
            apart = stored(below[word], c) - norm[2u * C + c];
            d = select(0.0, mask[(b * POSITIONS + l) * C + c] * product, norm[c] * apart + norm[C + c] > 0.0);
        }
        // Whoever has the even channel of a word writes both; its neighbour lies beside it.
        workgroupBarrier();
        gradients[local.y * T + local.x] = d;
        workgroupBarrier();
        if mine && (c & HALF) == 0u {
            dy[word] = words(vec4(d, gradients[local.y * T + (local.x | HALF)], 0.0, 0.0)).x;
        }
        if HALF == 1u {
            // The sums are of what is stored.
            d = widened(words(vec4(d))).x;
        }
        if mine {
            sums += vec2(d, d * apart * norm[3u * C + c]);
        }
    }
    if mine {
        partials[b * 2u * C + c] = sums.x;
        partials[(b * 2u + 1u) * C + c] = sums.y;
    }
}
