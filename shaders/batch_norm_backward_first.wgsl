// All of layer 1's gradient, from D_k = Σ patch_k·dy and dbeta = Σ dy; μ, C: the patches' mean and covariance.
// With e_k = D_k − μ_k·dbeta:  dgamma = r·Σ_k w_k·e_k,  dw_k = s·e_k − s·r·dgamma·(C w)_k.
//
// A workgroup owns WIDE channels. DEEP invocations share a channel: each adds up every DEEP-th
// tile, then a tree joins them, one of the TAPS + 1 sums after the other.

const C: u32 = 1u;
const TILES: u32 = 1u;
const TAPS: u32 = 3u;
const ROWS: u32 = TAPS + 1u;
const WIDE: u32 = 8u;
const DEEP: u32 = 32u;

@group(0) @binding(0) var<storage, read> partials: array<f32>; // [tile, tap + 1, channel]
@group(0) @binding(1) var<storage, read> norm: array<f32>; // [4, channel]
@group(0) @binding(2) var<storage, read> patches: array<f32>; // [1 + tap, tap]: mean, covariance
@group(0) @binding(3) var<storage, read> weights: array<f32>; // [tap, channel]
@group(0) @binding(4) var<storage, read_write> gamma_gradient: array<f32>; // [channel]
@group(0) @binding(5) var<storage, read_write> beta_gradient: array<f32>; // [channel]
@group(0) @binding(6) var<storage, read_write> weights_gradient: array<f32>; // [tap, channel]

var<workgroup> parts: array<f32, WIDE * DEEP>;
var<workgroup> sums: array<f32, ROWS * WIDE>;

@compute @workgroup_size(WIDE * DEEP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let slice = local / WIDE;
    let lane = local % WIDE;
    let c = group.x * WIDE + lane;
    for (var row = 0u; row < ROWS; row++) {
        var mine = 0.0;
        if c < C {
            for (var tile = slice; tile < TILES; tile += DEEP) {
                mine += partials[(tile * ROWS + row) * C + c];
            }
        }
        parts[local] = mine;
        for (var half = DEEP / 2u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if slice < half {
                parts[local] += parts[local + half * WIDE];
            }
        }
        if slice == 0u {
            sums[row * WIDE + lane] = parts[local];
        }
    }
    if slice == 0u && c < C {
        let dbeta = sums[TAPS * WIDE + lane];
        let s = norm[c];
        let r = norm[3u * C + c];
        var dgamma = 0.0;
        for (var k = 0u; k < TAPS; k++) {
            dgamma += weights[k * C + c] * (sums[k * WIDE + lane] - patches[k] * dbeta);
        }
        dgamma *= r;
        beta_gradient[c] = dbeta;
        gamma_gradient[c] = dgamma;
        for (var k = 0u; k < TAPS; k++) {
            var row = 0.0;
            for (var j = 0u; j < TAPS; j++) {
                row += patches[(1u + k) * TAPS + j] * weights[j * C + c];
            }
            let e = sums[k * WIDE + lane] - patches[k] * dbeta;
            weights_gradient[k * C + c] = s * e - s * r * dgamma * row;
        }
    }
}
