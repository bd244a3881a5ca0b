// z[b,l,o] = Σ a[b, l + k − PAD, i] · w[k,i,o],   p = select(z) in each window, and of each tile count, mean and Σ(z − mean)²:
// conv_forward.tiled's results, a and w as f16, their products summed in f32 by cooperative matrices.
//
// A workgroup owns SPAN positions (whole windows, the first one beginning at −LEFT) × WIDTH channels. Its subgroups,
// however many there are and however wide, take strips of two matrices side by side in turn. DEPTH input channels
// at a time go through workgroup memory: `held` the positions with those that the taps reach, `panel` the weights of all
// taps. The sums meet in `tile`. (coopLoadT and coopStoreT take rows; coopLoad takes columns.)
enable f16;
enable wgpu_cooperative_matrix;

const SIZE: u32 = 8u; // rows and columns of a matrix: of the three types, which go with it
alias MatrixA = coop_mat8x8<f16, A>;
alias MatrixB = coop_mat8x8<f16, B>;
alias Accumulator = coop_mat8x8<f32, C>;
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
const HALF: u32 = 1u; // z, p and dy are f16, two to a word; an odd channel count is filled up to whole words
// Words by which a range of clips begins inside its binding (offsets are aligned).
const SOURCE_AT: u32 = 0u;
const Z_AT: u32 = 0u;
const P_AT: u32 = 0u;
const PARTIALS_AT: u32 = 0u;
const SPAN: u32 = 48u; // a multiple of SIZE and of POOL
const WIDTH: u32 = 32u; // a multiple of 2·SIZE
const DEPTH: u32 = 32u; // a multiple of SIZE
const THREADS: u32 = 128u;
const GRID: u32 = 1u;

const CIN_WORDS: u32 = CIN - HALF * (CIN / 2u); // from a position to the next
const COUT_WORDS: u32 = COUT - HALF * (COUT / 2u);
const TILES: u32 = (LENGTH + LEFT + SPAN - 1u) / SPAN;
const BLOCKS: u32 = (COUT + WIDTH - 1u) / WIDTH;
const HELD: u32 = SPAN + TAPS - 1u;
const PAIRS: u32 = WIDTH / (2u * SIZE);
const STRIPS: u32 = SPAN / SIZE * PAIRS;

// Operands that a call has not are never touched; their bindings name another operand.
@group(0) @binding(0) var<storage, read> source: array<u32>; // [clip, sample] of the wave, or p below: [clip, position, cin]
@group(0) @binding(1) var<storage, read> first_weights: array<f32>; // [tap, cin] of layer 1
@group(0) @binding(2) var<storage, read> norm: array<f32>; // [4, cin]: scale, beta, mean, 1/deviation
@group(0) @binding(3) var<storage, read> weights: array<f32>; // [tap, cin, cout]
@group(0) @binding(4) var<storage, read> gamma: array<f32>; // [cout]
@group(0) @binding(5) var<storage, read_write> z: array<u32>; // [clip, position, cout]
@group(0) @binding(6) var<storage, read_write> p: array<u32>; // [clip, window, cout]
@group(0) @binding(7) var<storage, read_write> partials: array<f32>; // [clip, tile, 3, cout]: count, mean, Σ(z − mean)²

var<workgroup> held: array<f16, HELD * DEPTH>;
var<workgroup> panel: array<f16, TAPS * DEPTH * WIDTH>;
var<workgroup> tile: array<f32, SPAN * WIDTH>;

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

fn fill_held(clip: u32, first: i32, channel: u32, local: u32) {
    for (var n = local; n < HELD * DEPTH; n += THREADS) {
        let i = channel + n % DEPTH;
        var a = 0.0;
        if i < CIN {
            a = input(clip, first + i32(n / DEPTH) - i32(PAD), i);
        }
        held[n] = f16(a);
    }
}

fn fill_panel(channel: u32, block: u32, local: u32) {
    for (var n = local; n < TAPS * DEPTH * WIDTH; n += THREADS) {
        let i = channel + n / WIDTH % DEPTH;
        let o = block * WIDTH + n % WIDTH;
        var w = 0.0;
        if i < CIN && o < COUT {
            w = weights[(n / WIDTH / DEPTH * CIN + i) * COUT + o];
        }
        panel[n] = f16(w);
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

fn four(row: u32, column: u32) -> vec4<f32> {
    let at = row * WIDTH + column;
    return vec4(tile[at], tile[at + 1u], tile[at + 2u], tile[at + 3u]);
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
) {
    let job = group.x + group.y * GRID;
    let clip = group.z;
    let number = job / BLOCKS;
    let block = job % BLOCKS;
    if number >= TILES {
        return;
    }
    let first = i32(number * SPAN) - i32(LEFT);

    // As many turns for every subgroup, since they wait for each other.
    for (var turn = 0u; turn < STRIPS; turn += subgroups) {
        // Subgroups too many do the last strip again: matrices are multiplied where all threads go the same way.
        let strip = min(turn + subgroup, STRIPS - 1u);
        let row = strip / PAIRS * SIZE;
        let column = strip % PAIRS * 2u * SIZE;
        var left = Accumulator();
        var right = Accumulator();
        for (var channel = 0u; channel < CIN; channel += DEPTH) {
            workgroupBarrier();
            fill_held(clip, first, channel, local);
            fill_panel(channel, block, local);
            workgroupBarrier();
            for (var tap = 0u; tap < TAPS; tap++) {
                for (var d = 0u; d < DEPTH; d += SIZE) {
                    let a = coopLoadT<MatrixA>(&held[(row + tap) * DEPTH + d], DEPTH);
                    let at = (tap * DEPTH + d) * WIDTH + column;
                    let b = coopLoadT<MatrixB>(&panel[at], WIDTH);
                    let beside = coopLoadT<MatrixB>(&panel[at + SIZE], WIDTH);
                    left = coopMultiplyAdd(a, b, left);
                    right = coopMultiplyAdd(a, beside, right);
                }
            }
        }
        coopStoreT(left, &tile[row * WIDTH + column], WIDTH);
        coopStoreT(right, &tile[row * WIDTH + column + SIZE], WIDTH);
    }
    workgroupBarrier();

    // z; what follows is of the stored values.
    for (var n = local; n < SPAN * WIDTH / 4u; n += THREADS) {
        let r = n / (WIDTH / 4u);
        let c = 4u * (n % (WIDTH / 4u));
        let l = first + i32(r);
        let o = block * WIDTH + c;
        let put = words(four(r, c));
        let value = widened(put);
        for (var e = 0u; e < 4u; e++) {
            tile[r * WIDTH + c + e] = value[e];
        }
        if WRITE_Z == 1u && l >= 0 && l < i32(LENGTH) {
            let at = Z_AT + (clip * LENGTH + u32(l)) * COUT_WORDS + o / 2u;
            for (var e = 0u; e < 2u; e++) {
                if o + 2u * e < COUT {
                    z[at + e] = put[e];
                }
            }
        }
    }
    workgroupBarrier();
    if WRITE_P == 1u {
        for (var n = local; n < SPAN / POOL * (WIDTH / 4u); n += THREADS) {
            write_window(clip, first, n / (WIDTH / 4u), block, 4u * (n % (WIDTH / 4u)));
        }
    }
    if STATISTICS == 1u {
        for (var c = local; c < WIDTH; c += THREADS) {
            write_statistics(clip, number, first, block * WIDTH + c, c);
        }
    }
}

// p of a window of the tile, four channels of it.
fn write_window(clip: u32, first: i32, inside: u32, block: u32, c: u32) {
    let o = block * WIDTH + c;
    let begin = first + i32(inside * POOL);
    let window = u32(begin + i32(LEFT)) / POOL;
    if window >= WINDOWS {
        return;
    }
    var sign = vec4<f32>();
    for (var e = 0u; e < 4u; e++) {
        if o + e < COUT {
            sign[e] = gamma[o + e];
        }
    }
    var selected = vec4<f32>();
    var begun = false;
    for (var r = 0u; r < POOL; r++) {
        let l = begin + i32(r);
        if l < 0 || l >= i32(LENGTH) {
            continue;
        }
        let value = four(inside * POOL + r, c);
        let replaces = ((sign > vec4(0.0)) & (value > selected)) | ((sign < vec4(0.0)) & (value < selected));
        selected = select(selected, value, replaces | vec4(!begun));
        begun = true;
    }
    let at = P_AT + (clip * WINDOWS + window) * COUT_WORDS + o / 2u;
    let put = words(selected);
    for (var e = 0u; e < 2u; e++) {
        if o + 2u * e < COUT {
            p[at + e] = put[e];
        }
    }
}

// In two passes, means as differences from one value; see conv_forward.tiled.
fn write_statistics(clip: u32, number: u32, first: i32, o: u32, c: u32) {
    if o >= COUT {
        return;
    }
    let begin = u32(max(-first, 0));
    let end = u32(clamp(i32(LENGTH) - first, 0, i32(SPAN)));
    let count = f32(end - begin);
    let pivot = tile[begin * WIDTH + c];
    var mean = 0.0;
    for (var r = begin; r < end; r++) {
        mean += tile[r * WIDTH + c] - pivot;
    }
    mean = pivot + mean / count;
    var deviation = 0.0;
    for (var r = begin; r < end; r++) {
        let apart = tile[r * WIDTH + c] - mean;
        deviation += apart * apart;
    }
    let at = PARTIALS_AT + (clip * TILES + number) * 3u * COUT + o;
    partials[at] = count;
    partials[at + COUT] = mean;
    partials[at + 2u * COUT] = deviation;
}
