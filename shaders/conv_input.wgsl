// activations[b,r,i] = a[b, r − BEFORE, i]: what a convolution reads, made once for all who multiply it, and zeros
// where r lies before or behind the layer below.
//
// An invocation owns ROWS rows of four channels.

const SOURCE: u32 = 2u; // what is read: 1 layer 1 made from the wave, 2 the p below
const INPUT: u32 = 9u; // positions a clip of the layer below
const CIN: u32 = 4u; // a multiple of 4
const SAMPLES: u32 = 27u;
const WAVE_STRIDE: u32 = 28u; // samples from a clip to the next
const FIRST_TAPS: u32 = 3u;
const FIRST_STRIDE: u32 = 3u;
const FIRST_PAD: u32 = 0u;
// Elements by which a range of clips begins inside its binding (offsets are aligned).
const SOURCE_AT: u32 = 0u;
const BEFORE: u32 = 1u; // rows before the layer's first position
const HELD: u32 = 11u; // rows a clip
const ROWS: u32 = 8u;
const GRID: u32 = 1u;

const FOURS: u32 = CIN / 4u;

// Operands that a call has not are never touched; their bindings name another operand.
@group(0) @binding(0) var<storage, read> source: array<u32>; // [clip, sample] of the wave, or p below: [clip, position, cin]
@group(0) @binding(1) var<storage, read> first_weights: array<vec4<f32>>; // [tap, cin] of layer 1
@group(0) @binding(2) var<storage, read> norm: array<vec4<f32>>; // [4, cin]: scale, beta, mean, 1/deviation
@group(0) @binding(3) var<storage, read_write> activations: array<vec4<f32>>; // [clip, row, cin]

// Sample s of a clip; two to a word, the earlier in the low half; outside the clip 0.
fn sample(clip: u32, s: i32) -> f32 {
    if s < 0 || s >= i32(SAMPLES) {
        return 0.0;
    }
    let at = clip * WAVE_STRIDE + u32(s);
    let word = bitcast<i32>(source[SOURCE_AT + at / 2u]);
    return f32(extractBits(word, 16u * (at & 1u), 16u)) * (1.0 / 32768.0);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let job = (group.x + group.y * GRID) * 64u + local;
    let clip = group.z;
    let quad = job % FOURS;
    let begin = job / FOURS * ROWS;
    if begin >= HELD {
        return;
    }
    let scale = norm[quad];
    let beta = norm[FOURS + quad];
    let mean = norm[2u * FOURS + quad];
    var first: array<vec4<f32>, FIRST_TAPS>;
    if SOURCE == 1u {
        for (var k = 0u; k < FIRST_TAPS; k++) {
            first[k] = first_weights[k * FOURS + quad];
        }
    }
    for (var r = 0u; r < min(ROWS, HELD - begin); r++) {
        let j = i32(begin + r) - i32(BEFORE);
        var value = vec4<f32>();
        if j >= 0 && j < i32(INPUT) {
            var z = vec4<f32>();
            if SOURCE == 2u {
                let at = SOURCE_AT + (clip * INPUT + u32(j)) * CIN + 4u * quad;
                z = bitcast<vec4<f32>>(vec4(source[at], source[at + 1u], source[at + 2u], source[at + 3u]));
            } else {
                for (var k = 0u; k < FIRST_TAPS; k++) {
                    z += sample(clip, j * i32(FIRST_STRIDE) + i32(k) - i32(FIRST_PAD)) * first[k];
                }
            }
            value = max(scale * (z - mean) + beta, vec4(0.0));
        }
        activations[(clip * HELD + begin + r) * FOURS + quad] = value;
    }
}
