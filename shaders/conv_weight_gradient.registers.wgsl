// parts[b,segment,k,i,o] = Σ a[b, l + k − PAD, i] · dz[b,l,o] over the SEGMENT positions l of a segment;
// conv_weight_join adds the parts up.
//
// A thread owns ROWS fours of rows (k,i) × QUADS fours of channels o of one part, in registers. `held` is a and
// `gradients` dz, both with their padding, made by conv_input and conv_output_gradient: the rows (k,i) of a position
// are values side by side.

const CIN: u32 = 4u; // both multiples of 4
const COUT: u32 = 4u;
const TAPS: u32 = 3u;
const LENGTH: u32 = 9u; // positions a clip of z
const PARTS_AT: u32 = 0u; // elements by which a range of clips begins inside its binding (offsets are aligned)
const HELD: u32 = 11u; // rows of `held` a clip
const HELD_AT: u32 = 0u; // its row that tap 0 of position 0 reads
const GRADIENT_ROWS: u32 = 11u; // rows of `gradients` a clip
const BEFORE: u32 = 1u; // its row of position 0
const SEGMENT: u32 = 2048u;
const ROWS: u32 = 3u;
const QUADS: u32 = 4u;
const THREADS: u32 = 32u;
const GRID: u32 = 1u;

const DEPTH: u32 = TAPS * CIN / 4u; // fours of rows
const STEP: u32 = CIN / 4u;
const FOURS: u32 = COUT / 4u;
const COLUMNS: u32 = (FOURS + QUADS - 1u) / QUADS;
const BANDS: u32 = (DEPTH + ROWS - 1u) / ROWS;
const SEGMENTS: u32 = (LENGTH + SEGMENT - 1u) / SEGMENT;

@group(0) @binding(0) var<storage, read> held: array<vec4<f32>>; // [clip, row, cin]; of F(3,3) tiles: [clip, product, row, cin]
@group(0) @binding(1) var<storage, read> gradients: array<vec4<f32>>; // [clip, row, cout]; of F(3,3) tiles: [clip, product, row, cout]
@group(0) @binding(2) var<storage, read_write> parts: array<vec4<f32>>; // [clip, segment, tap, cin, cout]; of F(3,3): [clip, product, segment, cin, cout]

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let job = (group.x + group.y * GRID) * THREADS + local;
    let clip = group.z;
    let column = job % COLUMNS;
    let band = job / COLUMNS % BANDS;
    let segment = job / COLUMNS / BANDS;
    if segment >= SEGMENTS {
        return;
    }
    var sums: array<array<array<vec4<f32>, 4>, ROWS>, QUADS>;
    for (var l = segment * SEGMENT; l < min((segment + 1u) * SEGMENT, LENGTH); l++) {
        let row = (clip * HELD + HELD_AT + l) * STEP;
        let across = (clip * GRADIENT_ROWS + BEFORE + l) * FOURS;
        var a: array<vec4<f32>, ROWS>;
        for (var r = 0u; r < ROWS; r++) {
            a[r] = held[row + min(band * ROWS + r, DEPTH - 1u)];
        }
        for (var q = 0u; q < QUADS; q++) {
            let g = gradients[across + min(q * COLUMNS + column, FOURS - 1u)];
            for (var r = 0u; r < ROWS; r++) {
                sums[q][r][0] = fma(vec4(a[r].x), g, sums[q][r][0]);
                sums[q][r][1] = fma(vec4(a[r].y), g, sums[q][r][1]);
                sums[q][r][2] = fma(vec4(a[r].z), g, sums[q][r][2]);
                sums[q][r][3] = fma(vec4(a[r].w), g, sums[q][r][3]);
            }
        }
    }
    for (var q = 0u; q < QUADS; q++) {
        let quad = q * COLUMNS + column;
        for (var r = 0u; r < ROWS; r++) {
            let four = band * ROWS + r;
            if quad < FOURS && four < DEPTH {
                let at = PARTS_AT / 4u + ((clip * SEGMENTS + segment) * 4u * DEPTH + 4u * four) * FOURS + quad;
                for (var e = 0u; e < 4u; e++) {
                    parts[at + e * FOURS] = sums[q][r][e];
                }
            }
        }
    }
}
