// Evaluation: norm from the running statistics. The running mean counts the convolution's bias, z does
// not: mean of z = running mean − bias.
//
// An invocation owns one channel.

const C: u32 = 1u;
const EPS: f32 = 0.001f;

@group(0) @binding(0) var<storage, read> gamma: array<f32>; // [channel]
@group(0) @binding(1) var<storage, read> beta: array<f32>; // [channel]
@group(0) @binding(2) var<storage, read> bias: array<f32>; // [channel]
@group(0) @binding(3) var<storage, read> running: array<f32>; // [2, channel]
@group(0) @binding(4) var<storage, read_write> norm: array<f32>; // [4, channel]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = id.x;
    if c >= C {
        return;
    }
    let mean = running[c] - bias[c];
    let r = 1.0 / sqrt(running[C + c] + EPS);
    norm[c] = gamma[c] * r;
    norm[C + c] = beta[c];
    norm[2u * C + c] = mean;
    norm[3u * C + c] = r;
}
