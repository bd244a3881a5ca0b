// parts[b,segment,k,i,o] = Σ a[b, l·STRIDE + k − PAD, i] · dz[b,l,o] over the SEGMENT positions l of a segment;
// conv_weight_join adds the parts up.
//
// An invocation owns one weight of one part and sums in order of l.

const SOURCE: u32 = 2u; // what `input` reads: 0 the wave, 1 layer 1 made from the wave, 2 the p below
const INPUT: u32 = 9u; // positions a clip of the layer below
const CIN: u32 = 4u; // for the wave: taps, since a patch is then what channels are
const COUT: u32 = 4u;
const TAPS: u32 = 3u; // for the wave: 1
const STRIDE: u32 = 1u;
const PAD: u32 = 1u;
const LENGTH: u32 = 9u; // positions a clip of z
const POOL: u32 = 3u;
const LEFT: u32 = 0u; // positions by which window 0 begins before position 0
const WINDOWS: u32 = 3u;
const SAMPLES: u32 = 27u;
const WAVE_STRIDE: u32 = 28u; // samples from a clip to the next
const FIRST_TAPS: u32 = 3u;
const FIRST_STRIDE: u32 = 3u;
const FIRST_PAD: u32 = 0u;
// Words by which a range of clips begins inside its binding (offsets are aligned).
const SOURCE_AT: u32 = 0u;
const Z_AT: u32 = 0u;
const P_AT: u32 = 0u;
const DY_AT: u32 = 0u;
const PARTS_AT: u32 = 0u;
const SEGMENT: u32 = 2048u;
const GRID: u32 = 1u;

const SEGMENTS: u32 = (LENGTH + SEGMENT - 1u) / SEGMENT;
const WEIGHTS: u32 = TAPS * CIN * COUT;

// Operands that a call has not are never touched; their bindings name another operand.
@group(0) @binding(0) var<storage, read> source: array<u32>; // [clip, sample] of the wave, or p below: [clip, position, cin]
@group(0) @binding(1) var<storage, read> first_weights: array<f32>; // [tap, cin] of layer 1
@group(0) @binding(2) var<storage, read> norm: array<f32>; // [4, cin]: scale, beta, mean, 1/deviation
@group(0) @binding(3) var<storage, read> z: array<f32>; // [clip, position, cout]
@group(0) @binding(4) var<storage, read> p: array<f32>; // [clip, window, cout]
@group(0) @binding(5) var<storage, read> dy: array<f32>; // [clip, window, cout]
@group(0) @binding(6) var<storage, read> coefficients: array<f32>; // [4, cout]: s, c0, c1, mean
@group(0) @binding(7) var<storage, read_write> parts: array<f32>; // [clip, segment, tap, cin, cout]

// Sample s of a clip; two to a word, the earlier in the low half; outside the clip 0.
fn sample(clip: u32, s: i32) -> f32 {
    if s < 0 || s >= i32(SAMPLES) {
        return 0.0;
    }
    let at = clip * WAVE_STRIDE + u32(s);
    let word = bitcast<i32>(source[SOURCE_AT + at / 2u]);
    return f32(extractBits(word, 16u * (at & 1u), 16u)) * (1.0 / 32768.0);
}

// What the layer below gives at position j, before its batch norm.
fn below(clip: u32, j: u32, i: u32) -> f32 {
    if SOURCE == 2u {
        return bitcast<f32>(source[SOURCE_AT + (clip * INPUT + j) * CIN + i]);
    }
    var z = 0.0;
    for (var k = 0u; k < FIRST_TAPS; k++) {
        z += sample(clip, i32(j * FIRST_STRIDE + k) - i32(FIRST_PAD)) * first_weights[k * CIN + i];
    }
    return z;
}

// a: max(scale·(below − mean) + beta, 0), and 0 in the padding; or tap i of the patch that begins at sample j.
fn input(clip: u32, j: i32, i: u32) -> f32 {
    if SOURCE == 0u {
        return sample(clip, j + i32(i));
    }
    if j < 0 || j >= i32(INPUT) {
        return 0.0;
    }
    return max(norm[i] * (below(clip, u32(j), i) - norm[2u * CIN + i]) + norm[CIN + i], 0.0);
}

// dz = c0 + c1·(z − mean), and s·dy more at the first position of a window whose z is the window's p.
fn dz(clip: u32, l: u32, o: u32) -> f32 {
    let column = Z_AT + clip * LENGTH * COUT + o;
    let value = z[column + l * COUT];
    let rest = coefficients[COUT + o] + coefficients[2u * COUT + o] * (value - coefficients[3u * COUT + o]);
    let window = (l + LEFT) / POOL;
    if window >= WINDOWS {
        return rest;
    }
    let at = (clip * WINDOWS + window) * COUT + o;
    if POOL > 1u {
        let pooled = p[P_AT + at];
        if value != pooled {
            return rest;
        }
        for (var earlier = max(window * POOL, LEFT) - LEFT; earlier < l; earlier++) {
            if z[column + earlier * COUT] == pooled {
                return rest;
            }
        }
    }
    return rest + coefficients[o] * dy[DY_AT + at];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let job = (group.x + group.y * GRID) * 64u + local;
    let clip = group.z;
    let segment = job / WEIGHTS;
    let weight = job % WEIGHTS;
    if segment >= SEGMENTS {
        return;
    }
    let o = weight % COUT;
    let i = weight / COUT % CIN;
    let k = weight / COUT / CIN;
    var sum = 0.0;
    for (var l = segment * SEGMENT; l < min((segment + 1u) * SEGMENT, LENGTH); l++) {
        sum += input(clip, i32(l * STRIDE + k) - i32(PAD), i) * dz(clip, l, o);
    }
    parts[PARTS_AT + (clip * SEGMENTS + segment) * WEIGHTS + weight] = sum;
}
