// da[b,j,i] = Σ dz[b,l,o] · w[k,i,o] over l + k − PAD = j, then the mask of the layer below,
// dy'[b,j,i] = da · [a > 0], and of each tile the sums of dy' times what the layer below multiplies with.
//
// A thread owns a tile: REPEAT times ROWS positions side by side × QUADS fours of channels, in registers.
// `gradients` is dz with its padding, made by conv_output_gradient, the weights lie [k', o, i] with their taps in
// reverse: what a position reads are values side by side, so taps and channels are one sum. Nothing is shared.

const SOURCE: u32 = 2u; // what lies below: 1 layer 1 made from the wave, 2 a stored p
const INPUT: u32 = 9u; // positions a clip of the layer below
const CIN: u32 = 4u; // both multiples of 4
const COUT: u32 = 4u;
const TAPS: u32 = 3u;
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
const GRADIENT_ROWS: u32 = 11u; // rows of `gradients` a clip; row 0 is what tap 0 of position 0 reads
const ROWS: u32 = 9u;
const QUADS: u32 = 4u;
const REPEAT: u32 = 4u;
const THREADS: u32 = 32u;
const GRID: u32 = 1u;

const DEPTH: u32 = TAPS * COUT / 4u;
const STEP: u32 = COUT / 4u; // fours from a row of `gradients` to the next
const FOURS: u32 = CIN / 4u;
const COLUMNS: u32 = (FOURS + QUADS - 1u) / QUADS;
const SPAN: u32 = REPEAT * ROWS;
const TILES: u32 = (INPUT + SPAN - 1u) / SPAN;

// Operands that a call has not are never touched; their bindings name another operand.
@group(0) @binding(0) var<storage, read> source: array<u32>; // [clip, sample] of the wave, or p below: [clip, position, cin]
@group(0) @binding(1) var<storage, read> first_weights: array<vec4<f32>>; // [tap, cin] of layer 1
@group(0) @binding(2) var<storage, read> norm: array<vec4<f32>>; // [4, cin]: scale, beta, mean, 1/deviation
@group(0) @binding(3) var<storage, read> gradients: array<vec4<f32>>; // [clip, row, cout]
@group(0) @binding(4) var<storage, read> weights: array<vec4<f32>>; // [tap, cout, cin], the taps in reverse
@group(0) @binding(5) var<storage, read_write> below_dy: array<vec4<f32>>; // [clip, position, cin]
@group(0) @binding(6) var<storage, read_write> below_partials: array<vec4<f32>>; // [clip, tile, sum, cin]

// Sample s of a clip; two to a word, the earlier in the low half; outside the clip 0.
fn sample(clip: u32, s: i32) -> f32 {
    if s < 0 || s >= i32(SAMPLES) {
        return 0.0;
    }
    let at = clip * WAVE_STRIDE + u32(s);
    let word = bitcast<i32>(source[SOURCE_AT + at / 2u]);
    return f32(extractBits(word, 16u * (at & 1u), 16u)) * (1.0 / 32768.0);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let job = (group.x + group.y * GRID) * THREADS + local;
    let clip = group.z;
    let column = job % COLUMNS;
    let tile = job / COLUMNS;
    if tile >= TILES {
        return;
    }
    var totals: array<array<vec4<f32>, SUMS>, QUADS>;
    for (var repeat = 0u; repeat < REPEAT; repeat++) {
        let begin = tile * SPAN + repeat * ROWS;
        if begin >= INPUT {
            break;
        }
        var da: array<array<vec4<f32>, ROWS>, QUADS>;
        da = array<array<vec4<f32>, ROWS>, QUADS>();
        let row = (clip * GRADIENT_ROWS + begin) * STEP;
        for (var k = 0u; k < DEPTH; k++) {
            var g: array<vec4<f32>, ROWS>;
            for (var r = 0u; r < ROWS; r++) {
                g[r] = gradients[row + r * STEP + k];
            }
            for (var q = 0u; q < QUADS; q++) {
                let at = 4u * k * FOURS + min(q * COLUMNS + column, FOURS - 1u);
                let w0 = weights[at];
                let w1 = weights[at + FOURS];
                let w2 = weights[at + 2u * FOURS];
                let w3 = weights[at + 3u * FOURS];
                for (var r = 0u; r < ROWS; r++) {
                    da[q][r] += fma(vec4(g[r].y), w1, g[r].x * w0) + fma(vec4(g[r].w), w3, g[r].z * w2);
                }
            }
        }
        for (var q = 0u; q < QUADS; q++) {
            let quad = q * COLUMNS + column;
            if quad < FOURS {
                let scale = norm[quad];
                let beta = norm[FOURS + quad];
                let mean = norm[2u * FOURS + quad];
                let inverse = norm[3u * FOURS + quad];
                for (var r = 0u; r < ROWS; r++) {
                    let j = begin + r;
                    if j < INPUT {
                        if SOURCE == 2u {
                            let at = SOURCE_AT + (clip * INPUT + j) * CIN + 4u * quad;
                            let z = bitcast<vec4<f32>>(vec4(source[at], source[at + 1u], source[at + 2u], source[at + 3u]));
                            let gradient = select(vec4(0.0), da[q][r], scale * (z - mean) + beta > vec4(0.0));
                            below_dy[BELOW_DY_AT / 4u + (clip * INPUT + j) * FOURS + quad] = gradient;
                            totals[q][0] += gradient;
                            totals[q][SUMS - 1u] += gradient * ((z - mean) * inverse);
                        } else {
                            var z = vec4<f32>();
                            var samples: array<f32, FIRST_TAPS>;
                            for (var k = 0u; k < FIRST_TAPS; k++) {
                                samples[k] = sample(clip, i32(j * FIRST_STRIDE + k) - i32(FIRST_PAD));
                                z += samples[k] * first_weights[k * FOURS + quad];
                            }
                            let gradient = select(vec4(0.0), da[q][r], scale * (z - mean) + beta > vec4(0.0));
                            for (var k = 0u; k < FIRST_TAPS; k++) {
                                totals[q][min(k, SUMS - 1u)] += gradient * samples[k];
                            }
                            totals[q][SUMS - 1u] += gradient;
                        }
                    }
                }
            }
        }
    }
    for (var q = 0u; q < QUADS; q++) {
        let quad = q * COLUMNS + column;
        if quad < FOURS {
            for (var s = 0u; s < SUMS; s++) {
                below_partials[PARTIALS_AT / 4u + ((clip * TILES + tile) * SUMS + s) * FOURS + quad] = totals[q][s];
            }
        }
    }
}
