// dw[weight] = Σ parts[part, weight], in order of the parts.
//
// An invocation owns one weight. Parts that do not fit one binding come in several dispatches, each
// going on from the sum that the one before left.

const WEIGHTS: u32 = 48u;
const PARTS: u32 = 3u;
const FIRST: u32 = 1u; // whether this dispatch begins the sum
const PARTS_AT: u32 = 0u;
const GRID: u32 = 1u;

@group(0) @binding(0) var<storage, read> parts: array<f32>; // [part, weight]
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>; // [weight]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let weight = (group.x + group.y * GRID) * 64u + local;
    if weight >= WEIGHTS {
        return;
    }
    var sum = 0.0;
    if FIRST == 0u {
        sum = gradient[weight];
    }
    for (var part = 0u; part < PARTS; part++) {
        sum += parts[PARTS_AT + part * WEIGHTS + weight];
    }
    gradient[weight] = sum;
}
