// Layer 1, which is never stored: mean = wᵀμ, variance = wᵀCw from the mean μ and the covariance C of
// the wave's patches; then as batch_norm_forward.
//
// An invocation owns one channel.

const C: u32 = 1u;
const TAPS: u32 = 3u;
const EPS: f32 = 0.001f;
const MOMENTUM: f32 = 0.01f;
const UNBIASED: f32 = 1.0f;

@group(0) @binding(0) var<storage, read> patches: array<f32>; // [1 + tap, tap]: mean, covariance
@group(0) @binding(1) var<storage, read> weights: array<f32>; // [tap, channel]
@group(0) @binding(2) var<storage, read> gamma: array<f32>; // [channel]
@group(0) @binding(3) var<storage, read> beta: array<f32>; // [channel]
@group(0) @binding(4) var<storage, read> bias: array<f32>; // [channel]
@group(0) @binding(5) var<storage, read_write> running: array<f32>; // [2, channel]
@group(0) @binding(6) var<storage, read_write> norm: array<f32>; // [4, channel]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = id.x;
    if c >= C {
        return;
    }
    var mean = 0.0;
    var variance = 0.0;
    for (var k = 0u; k < TAPS; k++) {
        var row = 0.0;
        for (var j = 0u; j < TAPS; j++) {
            row += patches[(1u + k) * TAPS + j] * weights[j * C + c];
        }
        mean += patches[k] * weights[k * C + c];
        variance += weights[k * C + c] * row;
    }
    // A covariance rounded to f32 may give a little less than 0.
    variance = max(variance, 0.0);
    let r = 1.0 / sqrt(variance + EPS);
    norm[c] = gamma[c] * r;
    norm[C + c] = beta[c];
    norm[2u * C + c] = mean;
    norm[3u * C + c] = r;
    running[c] = (1.0 - MOMENTUM) * running[c] + MOMENTUM * (mean + bias[c]);
    running[C + c] = (1.0 - MOMENTUM) * running[C + c] + MOMENTUM * UNBIASED * variance;
}
