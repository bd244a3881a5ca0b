// Nesterov momentum: u = m·u + g, p = p − rate·(g + m·u), over all parameters at once.
//
// A workgroup owns a block of elements, an invocation one of them. The block's word says whether
// every gradient and new parameter in it is finite; sgd_status joins the words.

const BLOCKS: u32 = 1u;
const BLOCK: u32 = 64u;
const UNSCALE: f32 = 1.0f; // 1 over the loss scale: gradients come times that
const GRID: u32 = 1u;

@group(0) @binding(0) var<storage, read> gradients: array<f32>; // [element]
@group(0) @binding(1) var<storage, read> hyper: array<f32>; // [2]: rate, momentum
@group(0) @binding(2) var<storage, read_write> parameters: array<f32>; // [element]
@group(0) @binding(3) var<storage, read_write> momenta: array<f32>; // [element]
@group(0) @binding(4) var<storage, read_write> flags: array<u32>; // [block]

var<workgroup> bad: array<u32, BLOCK>;

// By the bits: a compiler may assume that no float is infinite or NaN, and drop `x != x`.
fn is_bad(x: f32) -> u32 {
    return u32((bitcast<u32>(x) & 0x7f800000u) == 0x7f800000u);
}

@compute @workgroup_size(BLOCK)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let block = group.x + group.y * GRID;
    if block >= BLOCKS {
        return;
    }
    let i = block * BLOCK + local;
    let rate = hyper[0];
    let momentum = hyper[1];
    let g = UNSCALE * gradients[i];
    let u = momentum * momenta[i] + g;
    let p = parameters[i] - rate * (g + momentum * u);
    momenta[i] = u;
    parameters[i] = p;

    bad[local] = is_bad(g) | is_bad(p);
    for (var half = BLOCK / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            bad[local] |= bad[local + half];
        }
    }
    if local == 0u {
        flags[block] = select(0xffffffffu, block, bad[0] != 0u);
    }
}
