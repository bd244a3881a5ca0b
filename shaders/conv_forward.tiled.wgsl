// z[b,l,o] = Σ a[b, l·STRIDE + k − PAD, i] · w[k,i,o],   p = select(z) in each window, and of each tile
// count, mean and Σ(z − mean)²: a thread's from its registers, joined as Chan, Golub and LeVeque (1983).
// Means are summed and joined as differences from one value: where |mean| is many deviations, each rounding
// of a mean itself would cost as many digits.
//
// A workgroup owns SPAN positions (whole windows, the first one beginning at −LEFT) × WIDTH channels, a
// thread ROWS positions side by side × QUADS fours of channels, in registers. What is multiplied comes by
// DEPTH input channels through workgroup memory: `held` the positions, `panel` the weights of one tap.

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
const HALF: u32 = 0u; // 1: z, p and dy are f16, two to a word; an odd channel count is filled up to whole words
// Words by which a range of clips begins inside its binding (offsets are aligned).
const SOURCE_AT: u32 = 0u;
const Z_AT: u32 = 0u;
const P_AT: u32 = 0u;
const PARTIALS_AT: u32 = 0u;
const ROWS: u32 = 8u; // a dispatch makes it a multiple of POOL
const QUADS: u32 = 2u;
const LANES: u32 = 8u; // threads along positions
const COLUMNS: u32 = 8u; // threads along channels
const DEPTH: u32 = 16u; // a multiple of 4
const HALO: u32 = 1u; // 1: `held` serves all taps; 0: it is filled for each tap
const GRID: u32 = 1u;

const CIN_WORDS: u32 = CIN - HALF * (CIN / 2u); // from a position to the next
const COUT_WORDS: u32 = COUT - HALF * (COUT / 2u);
const WORDS: u32 = 4u - 2u * HALF; // of four channels
const THREADS: u32 = LANES * COLUMNS;
const SPAN: u32 = LANES * ROWS;
const WIDTH: u32 = 4u * QUADS * COLUMNS;
const TILES: u32 = (LENGTH + LEFT + SPAN - 1u) / SPAN;
const BLOCKS: u32 = (COUT + WIDTH - 1u) / WIDTH;
const STEP: u32 = 1u + HALO * (STRIDE - 1u); // rows of `held` from a position to the next
const HELD: u32 = (SPAN - 1u) * STEP + 1u + HALO * (TAPS - 1u);

// Operands that a call has not are never touched; their bindings name another operand.
@group(0) @binding(0) var<storage, read> source: array<u32>; // [clip, sample] of the wave, or p below: [clip, position, cin]
@group(0) @binding(1) var<storage, read> first_weights: array<f32>; // [tap, cin] of layer 1
@group(0) @binding(2) var<storage, read> norm: array<f32>; // [4, cin]: scale, beta, mean, 1/deviation
@group(0) @binding(3) var<storage, read> weights: array<f32>; // [tap, cin, cout]
@group(0) @binding(4) var<storage, read> gamma: array<f32>; // [cout]
@group(0) @binding(5) var<storage, read_write> z: array<u32>; // [clip, position, cout]
@group(0) @binding(6) var<storage, read_write> p: array<u32>; // [clip, window, cout]
@group(0) @binding(7) var<storage, read_write> partials: array<f32>; // [clip, tile, 3, cout]: count, mean, Σ(z − mean)²

var<workgroup> held: array<vec4<f32>, HELD * DEPTH / 4u>;
var<workgroup> panel: array<vec4<f32>, DEPTH * WIDTH / 4u>;
var<workgroup> means: array<vec4<f32>, LANES * WIDTH / 4u>;
var<workgroup> deviations: array<vec4<f32>, LANES * WIDTH / 4u>;

// Sample s of a clip; two to a word, the earlier in the low half; outside the clip 0.
fn sample(clip: u32, s: i32) -> f32 {
    if s < 0 || s >= i32(SAMPLES) {
        return 0.0;
    }
    let at = clip * WAVE_STRIDE + u32(s);
    let word = bitcast<i32>(source[SOURCE_AT + at / 2u]);
    return f32(extractBits(word, 16u * (at & 1u), 16u)) * (1.0 / 32768.0);
}

// Channel c of a stored value, from its word.
fn stored(word: u32, c: u32) -> f32 {
    if HALF == 1u {
        return unpack2x16float(word >> (16u * (c & 1u))).x;
    }
    return bitcast<f32>(word);
}

// What the layer below gives at position j, before its batch norm.
fn below(clip: u32, j: u32, i: u32) -> f32 {
    if SOURCE == 2u {
        return stored(source[SOURCE_AT + (clip * INPUT + j) * CIN_WORDS + (i >> HALF)], i);
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

fn fill_held(clip: u32, first: i32, tap: u32, channel: u32, local: u32) {
    for (var n = local; n < HELD * DEPTH / 4u; n += THREADS) {
        let row = n / (DEPTH / 4u);
        let j = first * i32(STRIDE) + i32(row * (STRIDE / STEP) + tap) - i32(PAD);
        let i = channel + 4u * (n % (DEPTH / 4u));
        var quad = vec4<f32>();
        for (var e = 0u; e < 4u; e++) {
            if i + e < CIN {
                quad[e] = input(clip, j, i + e);
            }
        }
        held[n] = quad;
    }
}

fn fill_panel(tap: u32, channel: u32, block: u32, local: u32) {
    for (var n = local; n < DEPTH * WIDTH / 4u; n += THREADS) {
        let i = channel + n / (WIDTH / 4u);
        let o = block * WIDTH + 4u * (n % (WIDTH / 4u));
        var quad = vec4<f32>();
        for (var e = 0u; e < 4u; e++) {
            if i < CIN && o + e < COUT {
                quad[e] = weights[(tap * CIN + i) * COUT + o + e];
            }
        }
        panel[n] = quad;
    }
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

// Real positions among a thread's rows.
fn rows(first: i32, lane: u32) -> u32 {
    let begin = first + i32(lane * ROWS);
    return u32(max(min(begin + i32(ROWS), i32(LENGTH)) - max(begin, 0), 0));
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let job = group.x + group.y * GRID;
    let clip = group.z;
    let tile = job / BLOCKS;
    let block = job % BLOCKS;
    if tile >= TILES {
        return;
    }
    let lane = local / COLUMNS;
    let column = local % COLUMNS;
    let first = i32(tile * SPAN) - i32(LEFT);

    var sums: array<vec4<f32>, ROWS * QUADS>;
    for (var channel = 0u; channel < CIN; channel += DEPTH) {
        for (var tap = 0u; tap < TAPS; tap++) {
            workgroupBarrier();
            if HALO == 0u || tap == 0u {
                fill_held(clip, first, tap, channel, local);
            }
            fill_panel(tap, channel, block, local);
            workgroupBarrier();
            for (var d = 0u; d < DEPTH / 4u; d++) {
                for (var q = 0u; q < QUADS; q++) {
                    let at = 4u * d * (WIDTH / 4u) + q * COLUMNS + column;
                    let w0 = panel[at];
                    let w1 = panel[at + WIDTH / 4u];
                    let w2 = panel[at + 2u * (WIDTH / 4u)];
                    let w3 = panel[at + 3u * (WIDTH / 4u)];
                    for (var r = 0u; r < ROWS; r++) {
                        let a = held[((lane * ROWS + r) * STEP + HALO * tap) * (DEPTH / 4u) + d];
                        sums[r * QUADS + q] += fma(vec4(a.y), w1, a.x * w0) + fma(vec4(a.w), w3, a.z * w2);
                    }
                }
            }
        }
    }

    if HALF == 1u {
        // What follows is of the stored values.
        for (var n = 0u; n < ROWS * QUADS; n++) {
            sums[n] = widened(words(sums[n]));
        }
    }
    let own = first + i32(lane * ROWS);
    for (var q = 0u; q < QUADS; q++) {
        let quad = q * COLUMNS + column;
        let o = block * WIDTH + 4u * quad;
        var mean = vec4<f32>();
        let pivot = sums[q];
        for (var r = 0u; r < ROWS; r++) {
            let l = own + i32(r);
            if l >= 0 && l < i32(LENGTH) {
                let value = sums[r * QUADS + q];
                mean += value - pivot;
                if WRITE_Z == 1u {
                    let at = Z_AT + (clip * LENGTH + u32(l)) * COUT_WORDS + (o >> HALF);
                    let put = words(value);
                    for (var e = 0u; e < WORDS; e++) {
                        if o + (e << HALF) < COUT {
                            z[at + e] = put[e];
                        }
                    }
                }
            }
        }
        mean = pivot + mean / f32(max(rows(first, lane), 1u));
        var deviation = vec4<f32>();
        for (var r = 0u; r < ROWS; r++) {
            let l = own + i32(r);
            if l >= 0 && l < i32(LENGTH) {
                let apart = sums[r * QUADS + q] - mean;
                deviation += apart * apart;
            }
        }
        means[lane * (WIDTH / 4u) + quad] = mean;
        deviations[lane * (WIDTH / 4u) + quad] = deviation;
        if WRITE_P == 1u {
            write_windows(clip, own, o, q, &sums);
        }
    }
    workgroupBarrier();
    if STATISTICS == 1u {
        for (var n = local; n < WIDTH / 4u; n += THREADS) {
            write_statistics(clip, tile, first, block * WIDTH + 4u * n, n);
        }
    }
}

// p of the windows among a thread's rows.
fn write_windows(clip: u32, own: i32, o: u32, q: u32, sums: ptr<function, array<vec4<f32>, ROWS * QUADS>>) {
    var sign = vec4<f32>();
    for (var e = 0u; e < 4u; e++) {
        if o + e < COUT {
            sign[e] = gamma[o + e];
        }
    }
    for (var inside = 0u; inside < ROWS / POOL; inside++) {
        let begin = own + i32(inside * POOL);
        let window = u32(begin + i32(LEFT)) / POOL;
        if window >= WINDOWS {
            return;
        }
        var selected = vec4<f32>();
        var begun = false;
        for (var r = 0u; r < POOL; r++) {
            let l = begin + i32(r);
            if l < 0 || l >= i32(LENGTH) {
                continue;
            }
            let value = (*sums)[(inside * POOL + r) * QUADS + q];
            let replaces = ((sign > vec4(0.0)) & (value > selected)) | ((sign < vec4(0.0)) & (value < selected));
            selected = select(selected, value, replaces | vec4(!begun));
            begun = true;
        }
        let at = P_AT + (clip * WINDOWS + window) * COUT_WORDS + (o >> HALF);
        let put = words(selected);
        for (var e = 0u; e < WORDS; e++) {
            if o + (e << HALF) < COUT {
                p[at + e] = put[e];
            }
        }
    }
}

fn write_statistics(clip: u32, tile: u32, first: i32, o: u32, quad: u32) {
    var count = 0.0;
    // The first lane has a position of its own: tiles begin inside the clip, or less than POOL before.
    let pivot = means[quad];
    var mean = vec4<f32>();
    var deviation = vec4<f32>();
    for (var lane = 0u; lane < LANES; lane++) {
        let more = f32(rows(first, lane));
        if more > 0.0 {
            let apart = means[lane * (WIDTH / 4u) + quad] - pivot - mean;
            let share = more / (count + more);
            mean += apart * share;
            deviation += deviations[lane * (WIDTH / 4u) + quad] + apart * apart * (count * share);
            count += more;
        }
    }
    for (var e = 0u; e < 4u; e++) {
        if o + e < COUT {
            let at = PARTIALS_AT + (clip * TILES + tile) * 3u * COUT + o + e;
            partials[at] = count;
            partials[at + COUT] = pivot[e] + mean[e];
            partials[at + 2u * COUT] = deviation[e];
        }
    }
}
