// mean and variance of a layer's z from its tiles, and norm = (gamma·r, beta, mean, r)
// with r = 1/sqrt(variance + eps); running = (1 − m)·running + m·batch.
//
// A workgroup owns WIDE channels. DEEP invocations share a channel: each joins every DEEP-th
// tile (Chan, Golub and LeVeque 1983: count, mean, squared deviations), then a tree joins them.

const C: u32 = 1u;
const TILES: u32 = 1u;
const POSITIONS: f32 = 1.0f;
const EPS: f32 = 0.001f;
const MOMENTUM: f32 = 0.01f;
// What the batch's variance is multiplied by for the running one: 1, or n/(n − 1).
const UNBIASED: f32 = 1.0f;
const WIDE: u32 = 8u;
const DEEP: u32 = 32u;

@group(0) @binding(0) var<storage, read> partials: array<f32>; // [tile, 3, channel]
@group(0) @binding(1) var<storage, read> gamma: array<f32>; // [channel]
@group(0) @binding(2) var<storage, read> beta: array<f32>; // [channel]
@group(0) @binding(3) var<storage, read> bias: array<f32>; // [channel]
@group(0) @binding(4) var<storage, read_write> running: array<f32>; // [2, channel]
@group(0) @binding(5) var<storage, read_write> norm: array<f32>; // [4, channel]

var<workgroup> parts: array<vec3<f32>, WIDE * DEEP>;

fn join(a: vec3<f32>, b: vec3<f32>) -> vec3<f32> {
    if a.x == 0.0 {
        return b;
    }
    let share = b.x / (a.x + b.x);
    let apart = b.y - a.y;
    return vec3(a.x + b.x, a.y + apart * share, a.z + b.z + apart * apart * a.x * share);
}

@compute @workgroup_size(WIDE * DEEP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let slice = local / WIDE;
    let c = group.x * WIDE + local % WIDE;
    var mine = vec3(0.0, 0.0, 0.0);
    if c < C {
        for (var tile = slice; tile < TILES; tile += DEEP) {
            let at = tile * 3u * C + c;
            mine = join(mine, vec3(partials[at], partials[at + C], partials[at + 2u * C]));
        }
    }
    parts[local] = mine;
    for (var half = DEEP / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if slice < half {
            parts[local] = join(parts[local], parts[local + half * WIDE]);
        }
    }
    if slice == 0u && c < C {
        let mean = parts[local].y;
        let variance = parts[local].z / POSITIONS;
        let r = 1.0 / sqrt(variance + EPS);
        norm[c] = gamma[c] * r;
        norm[C + c] = beta[c];
        norm[2u * C + c] = mean;
        norm[3u * C + c] = r;
        running[c] = (1.0 - MOMENTUM) * running[c] + MOMENTUM * (mean + bias[c]);
        running[C + c] = (1.0 - MOMENTUM) * running[C + c] + MOMENTUM * UNBIASED * variance;
    }
}
