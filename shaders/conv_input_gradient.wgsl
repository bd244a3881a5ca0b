// da[b,j,i] = Σ dz[b,l,o] · w[k,i,o] over l·STRIDE + k − PAD = j,   dy' = da where the layer below passed
// its ReLU, else 0, and of each tile the sums that the layer below needs of dy' (see `factor`).
//
// An invocation owns one input channel of one tile, TILE positions side by side, and walks over them
// in order.

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
const BELOW_DY_AT: u32 = 0u;
const PARTIALS_AT: u32 = 0u;
const SUMS: u32 = 2u;
const TILE: u32 = 32u;
const GRID: u32 = 1u;

const TILES: u32 = (INPUT + TILE - 1u) / TILE;

// Operands that a call has not are never touched; their bindings name another operand.
@group(0) @binding(0) var<storage, read> source: array<u32>; // [clip, sample] of the wave, or p below: [clip, position, cin]
@group(0) @binding(1) var<storage, read> first_weights: array<f32>; // [tap, cin] of layer 1
@group(0) @binding(2) var<storage, read> norm: array<f32>; // [4, cin]: scale, beta, mean, 1/deviation
@group(0) @binding(3) var<storage, read> z: array<f32>; // [clip, position, cout]
@group(0) @binding(4) var<storage, read> p: array<f32>; // [clip, window, cout]
@group(0) @binding(5) var<storage, read> dy: array<f32>; // [clip, window, cout]
@group(0) @binding(6) var<storage, read> coefficients: array<f32>; // [4, cout]: s, c0, c1, mean
@group(0) @binding(7) var<storage, read> weights: array<f32>; // [tap, cin, cout]
@group(0) @binding(8) var<storage, read_write> below_dy: array<f32>; // [clip, position, cin]
@group(0) @binding(9) var<storage, read_write> below_partials: array<f32>; // [clip, tile, sum, cin]

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

// What the layer below sums dy' with: p' of zero mean and unit variance, or the samples of its patches;
// one sum is of dy' alone.
fn factor(sum: u32, clip: u32, j: u32, i: u32) -> f32 {
    if SOURCE == 2u {
        if sum == 0u {
            return 1.0;
        }
        return (below(clip, j, i) - norm[2u * CIN + i]) * norm[3u * CIN + i];
    }
    if sum == FIRST_TAPS {
        return 1.0;
    }
    return sample(clip, i32(j * FIRST_STRIDE + sum) - i32(FIRST_PAD));
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

fn input_gradient(clip: u32, j: u32, i: u32) -> f32 {
    var sum = 0.0;
    for (var k = 0u; k < TAPS; k++) {
        let reach = i32(j + PAD) - i32(k);
        let l = reach / i32(STRIDE);
        if reach < 0 || l * i32(STRIDE) != reach || l >= i32(LENGTH) {
            continue;
        }
        for (var o = 0u; o < COUT; o++) {
            sum += dz(clip, u32(l), o) * weights[(k * CIN + i) * COUT + o];
        }
    }
    return sum;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let job = (group.x + group.y * GRID) * 64u + local;
    let clip = group.z;
    let tile = job / CIN;
    let i = job % CIN;
    if tile >= TILES {
        return;
    }
    var sums: array<f32, SUMS>;
    for (var j = tile * TILE; j < min((tile + 1u) * TILE, INPUT); j++) {
        var gradient = 0.0;
        if norm[i] * (below(clip, j, i) - norm[2u * CIN + i]) + norm[CIN + i] > 0.0 {
            gradient = input_gradient(clip, j, i);
        }
        for (var s = 0u; s < SUMS; s++) {
            sums[s] += gradient * factor(s, clip, j, i);
        }
        if SOURCE == 2u {
            below_dy[BELOW_DY_AT + (clip * INPUT + j) * CIN + i] = gradient;
        }
    }
    for (var s = 0u; s < SUMS; s++) {
        below_partials[PARTIALS_AT + ((clip * TILES + tile) * SUMS + s) * CIN + i] = sums[s];
    }
}
