// da = B v of the five products v of each tile, neighbours' added where they overlap, then the mask of the layer
// below, dy'[b,j,i] = da · [a > 0], and of SPAN tiles the sums of dy' times what the layer below multiplies with.
//
// Winograd (1980), as Lavin and Gray (2016), on the points 0, 1, −1, 2, ∞ (algebra.md, 5):
// B =    1     0     0   0     0
//     −1/2     1  −2/3  −1     1
//       −1   1/2     1   0  −1/2
//      1/2  −1/2  −1/3   1    −1
//        0     0     0   0   1/2
//
// An invocation owns SPAN tiles of four channels, tile t being the inputs from 3t − BEFORE on; the last two inputs of a
// tile are the first of the next.

const SOURCE: u32 = 2u; // what lies below: 1 layer 1 made from the wave, 2 a stored p
const INPUT: u32 = 9u; // positions a clip of the layer below
const CIN: u32 = 4u; // a multiple of 4
const SAMPLES: u32 = 27u;
const WAVE_STRIDE: u32 = 28u; // samples from a clip to the next
const FIRST_TAPS: u32 = 3u;
const FIRST_STRIDE: u32 = 3u;
const FIRST_PAD: u32 = 0u;
// Elements by which a range of clips begins inside its binding (offsets are aligned).
const SOURCE_AT: u32 = 0u;
const BELOW_DY_AT: u32 = 0u;
const PARTIALS_AT: u32 = 0u;
const SUMS: u32 = 2u; // 2 of a stored p, FIRST_TAPS + 1 of layer 1
const BEFORE: u32 = 1u; // inputs of tile 0 before position 0
const TILES: u32 = 3u; // tiles a clip
const SPAN: u32 = 8u;
const GRID: u32 = 1u;

const FOURS: u32 = CIN / 4u;
const BLOCKS: u32 = (INPUT + BEFORE + 3u * SPAN - 1u) / (3u * SPAN);

// Operands that a call has not are never touched; their bindings name another operand.
@group(0) @binding(0) var<storage, read> source: array<u32>; // [clip, sample] of the wave, or p below: [clip, position, cin]
@group(0) @binding(1) var<storage, read> first_weights: array<vec4<f32>>; // [tap, cin] of layer 1
@group(0) @binding(2) var<storage, read> norm: array<vec4<f32>>; // [4, cin]: scale, beta, mean, 1/deviation
@group(0) @binding(3) var<storage, read> products: array<vec4<f32>>; // [clip, product, tile, cin]
@group(0) @binding(4) var<storage, read_write> below_dy: array<vec4<f32>>; // [clip, position, cin]
@group(0) @binding(5) var<storage, read_write> below_partials: array<vec4<f32>>; // [clip, block, sum, cin]

// Sample s of a clip; two to a word, the earlier in the low half; outside the clip 0.
fn sample(clip: u32, s: i32) -> f32 {
    if s < 0 || s >= i32(SAMPLES) {
        return 0.0;
    }
    let at = clip * WAVE_STRIDE + u32(s);
    let word = bitcast<i32>(source[SOURCE_AT + at / 2u]);
    return f32(extractBits(word, 16u * (at & 1u), 16u)) * (1.0 / 32768.0);
}

// B v of a tile.
fn inputs(clip: u32, tile: u32, quad: u32) -> array<vec4<f32>, 5> {
    if tile >= TILES {
        return array<vec4<f32>, 5>();
    }
    let at = (5u * clip * TILES + tile) * FOURS + quad;
    let v0 = products[at];
    let v1 = products[at + TILES * FOURS];
    let v2 = products[at + 2u * TILES * FOURS];
    let v3 = products[at + 3u * TILES * FOURS];
    let v4 = products[at + 4u * TILES * FOURS];
    return array<vec4<f32>, 5>(
        v0,
        ((v1 - 2.0 / 3.0 * v2) - (v3 - v4)) - 0.5 * v0,
        0.5 * (v1 - v4) + (v2 - v0),
        (0.5 * (v0 - v1) + (v3 - v4)) - 1.0 / 3.0 * v2,
        0.5 * v4,
    );
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let job = (group.x + group.y * GRID) * 64u + local;
    let clip = group.z;
    let quad = job % FOURS;
    let block = job / FOURS;
    if block >= BLOCKS {
        return;
    }
    let scale = norm[quad];
    let beta = norm[FOURS + quad];
    let mean = norm[2u * FOURS + quad];
    let inverse = norm[3u * FOURS + quad];
    var totals: array<vec4<f32>, SUMS>;
    var before: array<vec4<f32>, 5>;
    if block > 0u {
        before = inputs(clip, block * SPAN - 1u, quad);
    }
    for (var tile = block * SPAN; tile < (block + 1u) * SPAN; tile++) {
        var own = inputs(clip, tile, quad);
        var da = array<vec4<f32>, 3>(own[0] + before[3], own[1] + before[4], own[2]);
        before = own;
        for (var r = 0u; r < 3u; r++) {
            let j = i32(3u * tile + r) - i32(BEFORE);
            if j >= 0 && j < i32(INPUT) {
                if SOURCE == 2u {
                    let at = SOURCE_AT + (clip * INPUT + u32(j)) * CIN + 4u * quad;
                    let z = bitcast<vec4<f32>>(vec4(source[at], source[at + 1u], source[at + 2u], source[at + 3u]));
                    let gradient = select(vec4(0.0), da[r], scale * (z - mean) + beta > vec4(0.0));
                    below_dy[BELOW_DY_AT / 4u + (clip * INPUT + u32(j)) * FOURS + quad] = gradient;
                    totals[0] += gradient;
                    totals[SUMS - 1u] += gradient * ((z - mean) * inverse);
                } else {
                    var z = vec4<f32>();
                    var samples: array<f32, FIRST_TAPS>;
                    for (var k = 0u; k < FIRST_TAPS; k++) {
                        samples[k] = sample(clip, j * i32(FIRST_STRIDE) + i32(k) - i32(FIRST_PAD));
                        z += samples[k] * first_weights[k * FOURS + quad];
                    }
                    let gradient = select(vec4(0.0), da[r], scale * (z - mean) + beta > vec4(0.0));
                    for (var k = 0u; k < FIRST_TAPS; k++) {
                        totals[min(k, SUMS - 1u)] += gradient * samples[k];
                    }
                    totals[SUMS - 1u] += gradient;
                }
            }
        }
    }
    for (var s = 0u; s < SUMS; s++) {
        below_partials[PARTIALS_AT / 4u + ((clip * BLOCKS + block) * SUMS + s) * FOURS + quad] = totals[s];
    }
}
