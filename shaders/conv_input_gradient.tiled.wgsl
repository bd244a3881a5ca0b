// da[b,j,i] = Σ dz[b,l,o] · w[k,i,o] over l·STRIDE + k − PAD = j,   dy' = da where the layer below passed
// its ReLU, else 0, and of each tile the sums that the layer below needs of dy' (see `factor`).
//
// A workgroup owns SPAN input positions × WIDTH input channels, a thread ROWS positions side by side × QUADS
// fours of channels, in registers. DEPTH output channels at a time go through workgroup memory: `held`
// dz, `panel` the weights of one tap, which lie turned: [tap, cout, cin].

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
const HALF: u32 = 0u; // 1: z, p and dy are f16, two to a word; an odd channel count is filled up to whole words
// Words by which a range of clips begins inside its binding (offsets are aligned).
const SOURCE_AT: u32 = 0u;
const Z_AT: u32 = 0u;
const P_AT: u32 = 0u;
const DY_AT: u32 = 0u;
const BELOW_DY_AT: u32 = 0u;
const PARTIALS_AT: u32 = 0u;
const SUMS: u32 = 2u;
const ROWS: u32 = 8u;
const QUADS: u32 = 2u;
const LANES: u32 = 8u; // threads along positions
const COLUMNS: u32 = 8u; // threads along channels
const DEPTH: u32 = 16u; // a multiple of 4
const HALO: u32 = 1u; // 1, if STRIDE is: `held` serves all taps; 0: it is filled for each tap
const GRID: u32 = 1u;

const CIN_WORDS: u32 = CIN - HALF * (CIN / 2u); // from a position to the next
const COUT_WORDS: u32 = COUT - HALF * (COUT / 2u);
const WORDS: u32 = 4u - 2u * HALF; // of four channels
const THREADS: u32 = LANES * COLUMNS;
const SPAN: u32 = LANES * ROWS;
const WIDTH: u32 = 4u * QUADS * COLUMNS;
const TILES: u32 = (INPUT + SPAN - 1u) / SPAN;
const BLOCKS: u32 = (CIN + WIDTH - 1u) / WIDTH;
const HELD: u32 = SPAN + HALO * (TAPS - 1u);

// Operands that a call has not are never touched; their bindings name another operand.
@group(0) @binding(0) var<storage, read> source: array<u32>; // [clip, sample] of the wave, or p below: [clip, position, cin]
@group(0) @binding(1) var<storage, read> first_weights: array<f32>; // [tap, cin] of layer 1
@group(0) @binding(2) var<storage, read> norm: array<f32>; // [4, cin]: scale, beta, mean, 1/deviation
@group(0) @binding(3) var<storage, read> z: array<u32>; // [clip, position, cout]
@group(0) @binding(4) var<storage, read> p: array<u32>; // [clip, window, cout]
@group(0) @binding(5) var<storage, read> dy: array<u32>; // [clip, window, cout]
@group(0) @binding(6) var<storage, read> coefficients: array<f32>; // [4, cout]: s, c0, c1, mean
@group(0) @binding(7) var<storage, read> weights: array<f32>; // [tap, cout, cin]
@group(0) @binding(8) var<storage, read_write> below_dy: array<u32>; // [clip, position, cin]
@group(0) @binding(9) var<storage, read_write> below_partials: array<f32>; // [clip, tile, sum, cin]

var<workgroup> held: array<vec4<f32>, HELD * DEPTH / 4u>;
var<workgroup> panel: array<vec4<f32>, DEPTH * WIDTH / 4u>;
var<workgroup> lanes: array<vec4<f32>, LANES * WIDTH / 4u>;

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
    let column = Z_AT + clip * LENGTH * COUT_WORDS + (o >> HALF);
    let value = stored(z[column + l * COUT_WORDS], o);
    let rest = coefficients[COUT + o] + coefficients[2u * COUT + o] * (value - coefficients[3u * COUT + o]);
    let window = (l + LEFT) / POOL;
    if window >= WINDOWS {
        return rest;
    }
    let at = (clip * WINDOWS + window) * COUT_WORDS + (o >> HALF);
    if POOL > 1u {
        let pooled = stored(p[P_AT + at], o);
        if value != pooled {
            return rest;
        }
        for (var earlier = max(window * POOL, LEFT) - LEFT; earlier < l; earlier++) {
            if stored(z[column + earlier * COUT_WORDS], o) == pooled {
                return rest;
            }
        }
    }
    return rest + coefficients[o] * stored(dy[DY_AT + at], o);
}

// Row r is the dz that reaches input position first + r through `tap`; with a halo, through the last tap.
fn fill_held(clip: u32, first: u32, tap: u32, channel: u32, local: u32) {
    for (var n = local; n < HELD * DEPTH / 4u; n += THREADS) {
        let reach = i32(first + n / (DEPTH / 4u) + PAD) - i32(tap);
        let l = reach / i32(STRIDE);
        let o = channel + 4u * (n % (DEPTH / 4u));
        var quad = vec4<f32>();
        let reaches = reach >= 0 && l * i32(STRIDE) == reach && l < i32(LENGTH);
        for (var e = 0u; e < 4u; e++) {
            if reaches && o + e < COUT {
                quad[e] = dz(clip, u32(l), o + e);
            }
        }
        held[n] = quad;
    }
}

fn fill_panel(tap: u32, channel: u32, block: u32, local: u32) {
    for (var n = local; n < DEPTH * WIDTH / 4u; n += THREADS) {
        let o = channel + n / (WIDTH / 4u);
        let i = block * WIDTH + 4u * (n % (WIDTH / 4u));
        var quad = vec4<f32>();
        for (var e = 0u; e < 4u; e++) {
            if o < COUT && i + e < CIN {
                quad[e] = weights[(tap * COUT + o) * CIN + i + e];
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

    var da: array<vec4<f32>, ROWS * QUADS>;
    for (var channel = 0u; channel < COUT; channel += DEPTH) {
        for (var tap = 0u; tap < TAPS; tap++) {
            workgroupBarrier();
            if HALO == 0u {
                fill_held(clip, tile * SPAN, tap, channel, local);
            } else if tap == 0u {
                fill_held(clip, tile * SPAN, TAPS - 1u, channel, local);
            }
            fill_panel(tap, channel, block, local);
            workgroupBarrier();
            let shift = HALO * (TAPS - 1u - tap);
            for (var d = 0u; d < DEPTH / 4u; d++) {
                for (var q = 0u; q < QUADS; q++) {
                    let at = 4u * d * (WIDTH / 4u) + q * COLUMNS + column;
                    let w0 = panel[at];
                    let w1 = panel[at + WIDTH / 4u];
                    let w2 = panel[at + 2u * (WIDTH / 4u)];
                    let w3 = panel[at + 3u * (WIDTH / 4u)];
                    for (var r = 0u; r < ROWS; r++) {
                        let g = held[(lane * ROWS + r + shift) * (DEPTH / 4u) + d];
                        var sum = da[r * QUADS + q];
                        sum = fma(vec4(g.x), w0, sum);
                        sum = fma(vec4(g.y), w1, sum);
                        sum = fma(vec4(g.z), w2, sum);
                        sum = fma(vec4(g.w), w3, sum);
                        da[r * QUADS + q] = sum;
                    }
                }
            }
        }
    }

    // The mask of the layer below; what is past the end becomes 0, so that the sums need not ask.
    for (var r = 0u; r < ROWS; r++) {
        let j = tile * SPAN + lane * ROWS + r;
        for (var q = 0u; q < QUADS; q++) {
            let i = block * WIDTH + 4u * (q * COLUMNS + column);
            let sum = da[r * QUADS + q];
            var gradient = vec4<f32>();
            for (var e = 0u; e < 4u; e++) {
                if j < INPUT && i + e < CIN {
                    if norm[i + e] * (below(clip, j, i + e) - norm[2u * CIN + i + e]) + norm[CIN + i + e] > 0.0 {
                        gradient[e] = sum[e];
                    }
                }
            }
            if SOURCE == 2u && j < INPUT {
                let at = BELOW_DY_AT + (clip * INPUT + j) * CIN_WORDS + (i >> HALF);
                let put = words(gradient);
                for (var e = 0u; e < WORDS; e++) {
                    if i + (e << HALF) < CIN {
                        below_dy[at + e] = put[e];
                    }
                }
                if HALF == 1u {
                    // The sums are of what is stored.
                    gradient = widened(put);
                }
            }
            da[r * QUADS + q] = gradient;
        }
    }
    for (var s = 0u; s < SUMS; s++) {
        for (var q = 0u; q < QUADS; q++) {
            let quad = q * COLUMNS + column;
            let i = block * WIDTH + 4u * quad;
            var sum = vec4<f32>();
            for (var r = 0u; r < ROWS; r++) {
                let j = tile * SPAN + lane * ROWS + r;
                var factors = vec4<f32>();
                for (var e = 0u; e < 4u; e++) {
                    if j < INPUT && i + e < CIN {
                        factors[e] = factor(s, clip, j, i + e);
                    }
                }
                sum += da[r * QUADS + q] * factors;
            }
            lanes[lane * (WIDTH / 4u) + quad] = sum;
        }
        workgroupBarrier();
        for (var n = local; n < WIDTH / 4u; n += THREADS) {
            let i = block * WIDTH + 4u * n;
            var sum = vec4<f32>();
            for (var other = 0u; other < LANES; other++) {
                sum += lanes[other * (WIDTH / 4u) + n];
            }
            for (var e = 0u; e < 4u; e++) {
                if i + e < CIN {
                    below_partials[PARTIALS_AT + ((clip * TILES + tile) * SUMS + s) * CIN + i + e] = sum[e];
                }
            }
        }
        workgroupBarrier();
    }
}
