// packed[n, r, j] = (G w(r, j))[n]: the weights that F(3,3) multiplies with.
//
// Winograd (1980), as Lavin and Gray (2016), on the points 0, 1, −1, 2, ∞ (algebra.md, 5):
// G =   1     0    0
//       1     1    1
//     1/2  −1/2  1/2
//     1/6   1/3  2/3
//       0     0    2
//
// Forward: r is cin, j cout. Input's gradient: r is cout, j cin. An invocation owns the five values of a pair (r, j).

const CIN: u32 = 1u;
const COUT: u32 = 1u;
const FORWARD: u32 = 1u;
const GRID: u32 = 1u;

@group(0) @binding(0) var<storage, read> weights: array<f32>; // [3, cin, cout]
@group(0) @binding(1) var<storage, read_write> packed: array<f32>; // [n, r, j]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let at = (group.x + group.y * GRID) * 64u + local;
    if at >= CIN * COUT {
        return;
    }
    let pair = select(at % CIN * COUT + at / CIN, at, FORWARD == 1u);
    let w0 = weights[pair];
    let w1 = weights[CIN * COUT + pair];
    let w2 = weights[2u * CIN * COUT + pair];
    packed[at] = w0;
    packed[CIN * COUT + at] = (w0 + w2) + w1;
    packed[2u * CIN * COUT + at] = 0.5 * ((w0 + w2) - w1);
    packed[3u * CIN * COUT + at] = 1.0 / 6.0 * w0 + (1.0 / 3.0 * w1 + 2.0 / 3.0 * w2);
    packed[4u * CIN * COUT + at] = 2.0 * w2;
}
