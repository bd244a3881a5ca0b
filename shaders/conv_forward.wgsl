// z[b,l,o] = Σ a[b, l·STRIDE + k − PAD, i] · w[k,i,o],   p = select(z) in each window, and of each tile
// count, mean and Σ(z − mean)², kept up value by value (Welford 1962).
//
// An invocation owns one output channel of one tile, TILE windows side by side, and walks over them
// in order. Positions left over behind the last window count as windows without a p.

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
const WRITE_Z: u32 = 1u;
const WRITE_P: u32 = 1u;
const STATISTICS: u32 = 1u;
// Words by which a range of clips begins inside its binding (offsets are aligned).
const SOURCE_AT: u32 = 0u;
const Z_AT: u32 = 0u;
const P_AT: u32 = 0u;
const PARTIALS_AT: u32 = 0u;
const TILE: u32 = 16u;
const GRID: u32 = 1u;

const GROUPS: u32 = (LENGTH + LEFT + POOL - 1u) / POOL;
const TILES: u32 = (GROUPS + TILE - 1u) / TILE;

// Operands that a call has not are never touched; their bindings name another operand.
@group(0) @binding(0) var<storage, read> source: array<u32>; // [clip, sample] of the wave, or p below: [clip, position, cin]
@group(0) @binding(1) var<storage, read> first_weights: array<f32>; // [tap, cin] of layer 1
@group(0) @binding(2) var<storage, read> norm: array<f32>; // [4, cin]: scale, beta, mean, 1/deviation
@group(0) @binding(3) var<storage, read> weights: array<f32>; // [tap, cin, cout]
@group(0) @binding(4) var<storage, read> gamma: array<f32>; // [cout]
@group(0) @binding(5) var<storage, read_write> z: array<f32>; // [clip, position, cout]
@group(0) @binding(6) var<storage, read_write> p: array<f32>; // [clip, window, cout]
@group(0) @binding(7) var<storage, read_write> partials: array<f32>; // [clip, tile, 3, cout]: count, mean, Σ(z − mean)²

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

fn convolution(clip: u32, l: u32, o: u32) -> f32 {
    var sum = 0.0;
    for (var k = 0u; k < TAPS; k++) {
        let j = i32(l * STRIDE + k) - i32(PAD);
        for (var i = 0u; i < CIN; i++) {
            sum += input(clip, j, i) * weights[(k * CIN + i) * COUT + o];
        }
    }
    return sum;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let job = (group.x + group.y * GRID) * 64u + local;
    let clip = group.z;
    let tile = job / COUT;
    let o = job % COUT;
    if tile >= TILES {
        return;
    }
    let sign = gamma[o];
    var count = 0.0;
    var mean = 0.0;
    var deviation = 0.0;
    for (var window = tile * TILE; window < min((tile + 1u) * TILE, GROUPS); window++) {
        let begin = max(window * POOL, LEFT) - LEFT;
        var selected = 0.0;
        for (var l = begin; l < min(window * POOL + POOL - LEFT, LENGTH); l++) {
            let value = convolution(clip, l, o);
            if l == begin || (sign > 0.0 && value > selected) || (sign < 0.0 && value < selected) {
                selected = value;
            }
            count += 1.0;
            let before = value - mean;
            mean += before / count;
            deviation += before * (value - mean);
            if WRITE_Z == 1u {
                z[Z_AT + (clip * LENGTH + l) * COUT + o] = value;
            }
        }
        if WRITE_P == 1u && window < WINDOWS {
            p[P_AT + (clip * WINDOWS + window) * COUT + o] = selected;
        }
    }
    if STATISTICS == 1u {
        let at = PARTIALS_AT + (clip * TILES + tile) * 3u * COUT + o;
        partials[at] = count;
        partials[at + COUT] = mean;
        partials[at + 2u * COUT] = deviation;
    }
}
