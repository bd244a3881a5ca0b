// parts[b,segment,k,i,o] = Σ a[b, l·STRIDE + k − PAD, i] · dz[b,l,o] over the SEGMENT positions l of a segment;
// conv_weight_join adds the parts up.
//
// A workgroup owns HEIGHT rows (k,i) × WIDTH channels o of one part, a thread ROW_QUADS × QUADS fours of
// them, in registers. DEPTH positions at a time go through workgroup memory: `held` a, `panel` dz.

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
const PARTS_AT: u32 = 0u;
const SEGMENT: u32 = 2048u;
const ROW_QUADS: u32 = 2u;
const QUADS: u32 = 2u;
const LANES: u32 = 8u; // threads along rows
const COLUMNS: u32 = 8u; // threads along channels
const DEPTH: u32 = 16u;
const GRID: u32 = 1u;

const CIN_WORDS: u32 = CIN - HALF * (CIN / 2u); // from a position to the next
const COUT_WORDS: u32 = COUT - HALF * (COUT / 2u);
const SEGMENTS: u32 = (LENGTH + SEGMENT - 1u) / SEGMENT;
const THREADS: u32 = LANES * COLUMNS;
const HEIGHT: u32 = 4u * ROW_QUADS * LANES;
const WIDTH: u32 = 4u * QUADS * COLUMNS;
const ROWS: u32 = TAPS * CIN;
const BANDS: u32 = (ROWS + HEIGHT - 1u) / HEIGHT;
const BLOCKS: u32 = (COUT + WIDTH - 1u) / WIDTH;

// Operands that a call has not are never touched; their bindings name another operand.
@group(0) @binding(0) var<storage, read> source: array<u32>; // [clip, sample] of the wave, or p below: [clip, position, cin]
@group(0) @binding(1) var<storage, read> first_weights: array<f32>; // [tap, cin] of layer 1
@group(0) @binding(2) var<storage, read> norm: array<f32>; // [4, cin]: scale, beta, mean, 1/deviation
@group(0) @binding(3) var<storage, read> z: array<u32>; // [clip, position, cout]
@group(0) @binding(4) var<storage, read> p: array<u32>; // [clip, window, cout]
@group(0) @binding(5) var<storage, read> dy: array<u32>; // [clip, window, cout]
@group(0) @binding(6) var<storage, read> coefficients: array<f32>; // [4, cout]: s, c0, c1, mean
@group(0) @binding(7) var<storage, read_write> parts: array<f32>; // [clip, segment, tap, cin, cout]

var<workgroup> held: array<vec4<f32>, DEPTH * HEIGHT / 4u>;
var<workgroup> panel: array<vec4<f32>, DEPTH * WIDTH / 4u>;

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

// Rows and channels past the end, and positions past the segment's, are 0.
fn fill_held(clip: u32, begin: u32, end: u32, band: u32, local: u32) {
    for (var n = local; n < DEPTH * HEIGHT / 4u; n += THREADS) {
        let l = begin + n / (HEIGHT / 4u);
        let row = band * HEIGHT + 4u * (n % (HEIGHT / 4u));
        var quad = vec4<f32>();
        for (var e = 0u; e < 4u; e++) {
            if l < end && row + e < ROWS {
                quad[e] = input(clip, i32(l * STRIDE + (row + e) / CIN) - i32(PAD), (row + e) % CIN);
            }
        }
        held[n] = quad;
    }
}

fn fill_panel(clip: u32, begin: u32, end: u32, block: u32, local: u32) {
    for (var n = local; n < DEPTH * WIDTH / 4u; n += THREADS) {
        let l = begin + n / (WIDTH / 4u);
        let o = block * WIDTH + 4u * (n % (WIDTH / 4u));
        var quad = vec4<f32>();
        for (var e = 0u; e < 4u; e++) {
            if l < end && o + e < COUT {
                quad[e] = dz(clip, l, o + e);
            }
        }
        panel[n] = quad;
    }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let job = group.x + group.y * GRID;
    let clip = group.z;
    let segment = job / (BANDS * BLOCKS);
    let band = job / BLOCKS % BANDS;
    let block = job % BLOCKS;
    if segment >= SEGMENTS {
        return;
    }
    let lane = local / COLUMNS;
    let column = local % COLUMNS;
    let end = min((segment + 1u) * SEGMENT, LENGTH);

    var sums: array<vec4<f32>, 4u * ROW_QUADS * QUADS>;
    for (var begin = segment * SEGMENT; begin < end; begin += DEPTH) {
        workgroupBarrier();
        fill_held(clip, begin, end, band, local);
        fill_panel(clip, begin, end, block, local);
        workgroupBarrier();
        for (var d = 0u; d < DEPTH; d++) {
            for (var r = 0u; r < ROW_QUADS; r++) {
                let a = held[d * (HEIGHT / 4u) + r * LANES + lane];
                for (var q = 0u; q < QUADS; q++) {
                    let g = panel[d * (WIDTH / 4u) + q * COLUMNS + column];
                    let at = 4u * (r * QUADS + q);
                    sums[at] = fma(vec4(a.x), g, sums[at]);
                    sums[at + 1u] = fma(vec4(a.y), g, sums[at + 1u]);
                    sums[at + 2u] = fma(vec4(a.z), g, sums[at + 2u]);
                    sums[at + 3u] = fma(vec4(a.w), g, sums[at + 3u]);
                }
            }
        }
    }

    for (var r = 0u; r < 4u * ROW_QUADS; r++) {
        let row = band * HEIGHT + 4u * (r / 4u * LANES + lane) + r % 4u;
        for (var q = 0u; q < QUADS; q++) {
            let o = block * WIDTH + 4u * (q * COLUMNS + column);
            let sum = sums[4u * (r / 4u * QUADS + q) + r % 4u];
            for (var e = 0u; e < 4u; e++) {
                if row < ROWS && o + e < COUT {
                    parts[PARTS_AT + ((clip * SEGMENTS + segment) * ROWS + row) * COUT + o + e] = sum[e];
                }
            }
        }
    }
}
