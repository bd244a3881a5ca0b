// dy[b,f] = mask[b,f]·[scale·(p − mean) + beta > 0]·Σ_o g[b,o]·w[f,o], and the clip's Σ dy and Σ dy·(p − mean)·r
// over its positions.
//
// A workgroup owns T channels of T clips, an invocation one channel of one clip, all positions. T
// outputs at a time, weights and gradients are loaded once into workgroup memory, along the
// outputs, and read T times from there.

const CLIPS: u32 = 1u;
const POSITIONS: u32 = 1u;
const C: u32 = 1u;
const OUTPUTS: u32 = 1u;
const T: u32 = 16u;

@group(0) @binding(0) var<storage, read> below: array<f32>; // [clip, position, channel]
@group(0) @binding(1) var<storage, read> norm: array<f32>; // [4, channel]
@group(0) @binding(2) var<storage, read> mask: array<f32>; // [clip, feature]
@group(0) @binding(3) var<storage, read> weights: array<f32>; // [feature, output]
@group(0) @binding(4) var<storage, read> logits_gradient: array<f32>; // [clip, output]
@group(0) @binding(5) var<storage, read_write> dy: array<f32>; // [clip, position, channel]
@group(0) @binding(6) var<storage, read_write> partials: array<f32>; // [clip, 2, channel]

var<workgroup> gradients: array<f32, T * T>; // [clip, output]
// [channel, output]; a row is one longer, so that a column's values lie in different banks.
var<workgroup> rows: array<f32, T * (T + 1u)>;

fn gradient(b: u32, o: u32) -> f32 {
    if b >= CLIPS || o >= OUTPUTS {
        return 0.0;
    }
    return logits_gradient[b * OUTPUTS + o];
}

fn weight(l: u32, c: u32, o: u32) -> f32 {
    if c >= C || o >= OUTPUTS {
        return 0.0;
    }
    return weights[(l * C + c) * OUTPUTS + o];
}

@compute @workgroup_size(T, T)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let c = group.x * T + local.x;
    let b = group.y * T + local.y;
    let mine = b < CLIPS && c < C;
    var sums = vec2(0.0, 0.0);
    for (var l = 0u; l < POSITIONS; l++) {
        var product = 0.0;
        for (var first = 0u; first < OUTPUTS; first += T) {
            workgroupBarrier();
            gradients[local.y * T + local.x] = gradient(b, first + local.x);
            rows[local.y * (T + 1u) + local.x] = weight(l, group.x * T + local.y, first + local.x);
            workgroupBarrier();
            var run = 0.0;
            for (var j = 0u; j < T; j++) {
                run += gradients[local.y * T + j] * rows[local.x * (T + 1u) + j];
            }
            product += run;
        }
        if mine {
            let at = (b * POSITIONS + l) * C + c;
            let apart = below[at] - norm[2u * C + c];
            let d = select(0.0, mask[at] * product, norm[c] * apart + norm[C + c] > 0.0);
            dy[at] = d;
            sums += vec2(d, d * apart * norm[3u * C + c]);
        }
    }
    if mine {
        partials[b * 2u * C + c] = sums.x;
        partials[(b * 2u + 1u) * C + c] = sums.y;
    }
}
