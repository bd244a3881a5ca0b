// dw = Gᵀ dU, where dU[n,i,o] = Σ parts[clip,n,segment,i,o], in order of the clips and segments.
//
// Winograd (1980), as Lavin and Gray (2016), on the points 0, 1, −1, 2, ∞ (algebra.md, 5):
// Gᵀ = 1  1   1/2  1/6  0
//      0  1  −1/2  1/3  0
//      0  1   1/2  2/3  2
//
// An invocation owns the three taps of a weight (i,o). Parts that do not fit one binding come in several dispatches,
// each going on from what the one before left.

const WEIGHTS: u32 = 16u; // CIN · COUT
const CLIPS: u32 = 3u;
const SEGMENTS: u32 = 1u;
const FIRST: u32 = 1u; // whether this dispatch begins the sum
const PARTS_AT: u32 = 0u;
const GRID: u32 = 1u;

@group(0) @binding(0) var<storage, read> parts: array<f32>; // [clip, product, segment, weight]
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>; // [tap, weight]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let weight = (group.x + group.y * GRID) * 64u + local;
    if weight >= WEIGHTS {
        return;
    }
    var u: array<f32, 5>;
    for (var clip = 0u; clip < CLIPS; clip++) {
        for (var n = 0u; n < 5u; n++) {
            for (var segment = 0u; segment < SEGMENTS; segment++) {
                u[n] += parts[PARTS_AT + ((5u * clip + n) * SEGMENTS + segment) * WEIGHTS + weight];
            }
        }
    }
    var taps = vec3(
        (u[0] + u[1]) + (0.5 * u[2] + 1.0 / 6.0 * u[3]),
        (u[1] - 0.5 * u[2]) + 1.0 / 3.0 * u[3],
        (u[1] + 0.5 * u[2]) + (2.0 / 3.0 * u[3] + 2.0 * u[4]),
    );
    for (var k = 0u; k < 3u; k++) {
        if FIRST == 0u {
            taps[k] += gradient[k * WEIGHTS + weight];
        }
        gradient[k * WEIGHTS + weight] = taps[k];
    }
}
