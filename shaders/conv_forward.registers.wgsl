// z[b,l,o] = Σ a[b, l + k − PAD, i] · w[k,i,o],   p = select(z) in each window, and of each tile count, mean and
// Σ(z − mean)², joined as Chan, Golub and LeVeque (1983), as differences from one value of the tile.
//
// A thread owns a tile: REPEAT times ROWS positions side by side (whole windows, the first one beginning at
// −LEFT) × QUADS fours of channels, in registers. `held` is a with its padding, made by conv_input: what the
// taps of a position read are values side by side, so taps and channels are one sum. Nothing is shared.

const CIN: u32 = 4u; // both multiples of 4
const COUT: u32 = 4u;
const TAPS: u32 = 3u;
const LENGTH: u32 = 9u; // positions a clip of z
const POOL: u32 = 3u;
const LEFT: u32 = 0u; // positions by which window 0 begins before position 0
const WINDOWS: u32 = 3u;
const WRITE_Z: u32 = 1u;
const WRITE_P: u32 = 1u;
const STATISTICS: u32 = 1u;
// Elements by which a range of clips begins inside its binding (offsets are aligned).
const Z_AT: u32 = 0u;
const P_AT: u32 = 0u;
const PARTIALS_AT: u32 = 0u;
// Sets of weights, which clips take in turn: the products of F(3,3), each of which is a clip and has one tap.
const SETS: u32 = 1u;
const HELD: u32 = 11u; // rows of `held` a clip; row 0 is what tap 0 of the first tile reads
const ROWS: u32 = 9u; // a dispatch makes it a multiple of POOL
const QUADS: u32 = 4u;
const REPEAT: u32 = 4u;
const THREADS: u32 = 32u;
const GRID: u32 = 1u;

const DEPTH: u32 = TAPS * CIN / 4u;
const STEP: u32 = CIN / 4u; // fours from a row of `held` to the next
const FOURS: u32 = COUT / 4u;
const COLUMNS: u32 = (FOURS + QUADS - 1u) / QUADS;
const SPAN: u32 = REPEAT * ROWS;
const TILES: u32 = (LENGTH + LEFT + SPAN - 1u) / SPAN;

// Operands that a call has not are never touched; their bindings name another operand.
@group(0) @binding(0) var<storage, read> held: array<vec4<f32>>; // [clip, row, cin]; of F(3,3) tiles: [clip, set, row, cin]
@group(0) @binding(1) var<storage, read> weights: array<vec4<f32>>; // [set, tap, cin, cout]
@group(0) @binding(2) var<storage, read> gamma: array<vec4<f32>>; // [cout]
@group(0) @binding(3) var<storage, read_write> z: array<vec4<f32>>; // [clip, position, cout]; of F(3,3) products: [clip, set, tile, cout]
@group(0) @binding(4) var<storage, read_write> p: array<vec4<f32>>; // [clip, window, cout]
@group(0) @binding(5) var<storage, read_write> partials: array<vec4<f32>>; // [clip, tile, 3, cout]: count, mean, Σ(z − mean)²

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let job = (group.x + group.y * GRID) * THREADS + local;
    let clip = group.z;
    let column = job % COLUMNS;
    let tile = job / COLUMNS;
    if tile >= TILES {
        return;
    }
    var count = 0.0;
    var pivots: array<vec4<f32>, QUADS>;
    var means: array<vec4<f32>, QUADS>; // less the pivots
    var deviations: array<vec4<f32>, QUADS>;
    for (var repeat = 0u; repeat < REPEAT; repeat++) {
        let begin = tile * SPAN + repeat * ROWS;
        let own = i32(begin) - i32(LEFT);
        let real = max(min(own + i32(ROWS), i32(LENGTH)) - max(own, 0), 0);
        if real == 0 {
            break;
        }
        var sums: array<array<vec4<f32>, ROWS>, QUADS>;
        sums = array<array<vec4<f32>, ROWS>, QUADS>();
        let row = (clip * HELD + begin) * STEP;
        for (var k = 0u; k < DEPTH; k++) {
            var a: array<vec4<f32>, ROWS>;
            for (var r = 0u; r < ROWS; r++) {
                a[r] = held[row + r * STEP + k];
            }
            for (var q = 0u; q < QUADS; q++) {
                let at = 4u * (clip % SETS * DEPTH + k) * FOURS + min(q * COLUMNS + column, FOURS - 1u);
                let w0 = weights[at];
                let w1 = weights[at + FOURS];
                let w2 = weights[at + 2u * FOURS];
                let w3 = weights[at + 3u * FOURS];
                for (var r = 0u; r < ROWS; r++) {
                    sums[q][r] += fma(vec4(a[r].y), w1, a[r].x * w0) + fma(vec4(a[r].w), w3, a[r].z * w2);
                }
            }
        }

        let share = f32(real) / (count + f32(real));
        for (var q = 0u; q < QUADS; q++) {
            let quad = q * COLUMNS + column;
            if quad < FOURS {
                if repeat == 0u {
                    pivots[q] = sums[q][0];
                }
                var mean = vec4<f32>();
                for (var r = 0u; r < ROWS; r++) {
                    let l = own + i32(r);
                    if l >= 0 && l < i32(LENGTH) {
                        mean += sums[q][r] - pivots[q];
                        if WRITE_Z == 1u {
                            z[Z_AT / 4u + (clip * LENGTH + u32(l)) * FOURS + quad] = sums[q][r];
                        }
                    }
                }
                if WRITE_P == 1u {
                    var sign = gamma[quad];
                    var selected = vec4<f32>();
                    for (var r = 0u; r < ROWS; r++) {
                        let l = own + i32(r);
                        let inside = l >= 0 && l < i32(LENGTH);
                        // The first real position of a window.
                        let begins = r % POOL == 0u || l == 0;
                        let value = sums[q][r];
                        let replaces = ((sign > vec4(0.0)) & (value > selected)) | ((sign < vec4(0.0)) & (value < selected));
                        selected = select(selected, value, (replaces | vec4(begins)) & vec4(inside));
                        let window = (begin + r) / POOL;
                        if r % POOL == POOL - 1u && window < WINDOWS {
                            p[P_AT / 4u + (clip * WINDOWS + window) * FOURS + quad] = selected;
                        }
                    }
                }
                if STATISTICS == 1u {
                    mean /= f32(real);
                    var deviation = vec4<f32>();
                    for (var r = 0u; r < ROWS; r++) {
                        let l = own + i32(r);
                        if l >= 0 && l < i32(LENGTH) {
                            let apart = sums[q][r] - pivots[q] - mean;
                            deviation += apart * apart;
                        }
                    }
                    let apart = mean - means[q];
                    means[q] += apart * share;
                    deviations[q] += deviation + apart * apart * (count * share);
                }
            }
        }
        count += f32(real);
    }
    if STATISTICS == 1u {
        for (var q = 0u; q < QUADS; q++) {
            let quad = q * COLUMNS + column;
            if quad < FOURS {
                let at = PARTIALS_AT / 4u + (clip * TILES + tile) * 3u * FOURS + quad;
                partials[at] = vec4(count);
                partials[at + FOURS] = pivots[q] + means[q];
                partials[at + 2u * FOURS] = deviations[q];
            }
        }
    }
}
