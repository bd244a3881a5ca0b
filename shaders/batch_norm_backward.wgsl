// dbeta = Σ dy, dgamma = Σ dy·(p − mean)·r over all tiles; and what dz is made of:
// coefficients = (s, c0, c1, mean), c1 = −s·r·dgamma/N, c0 = −s·dbeta/N.
//
// A workgroup owns WIDE channels. DEEP invocations share a channel: each adds up every DEEP-th
// tile, then a tree joins them.

const C: u32 = 1u;
const TILES: u32 = 1u;
const POSITIONS: f32 = 1.0f;
const WIDE: u32 = 8u;
const DEEP: u32 = 32u;

@group(0) @binding(0) var<storage, read> partials: array<f32>; // [tile, 2, channel]
@group(0) @binding(1) var<storage, read> norm: array<f32>; // [4, channel]
@group(0) @binding(2) var<storage, read_write> gamma_gradient: array<f32>; // [channel]
@group(0) @binding(3) var<storage, read_write> beta_gradient: array<f32>; // [channel]
@group(0) @binding(4) var<storage, read_write> coefficients: array<f32>; // [4, channel]

var<workgroup> parts: array<vec2<f32>, WIDE * DEEP>;

@compute @workgroup_size(WIDE * DEEP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let slice = local / WIDE;
    let c = group.x * WIDE + local % WIDE;
    var mine = vec2(0.0, 0.0);
    if c < C {
        for (var tile = slice; tile < TILES; tile += DEEP) {
            let at = tile * 2u * C + c;
            mine += vec2(partials[at], partials[at + C]);
        }
    }
    parts[local] = mine;
    for (var half = DEEP / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if slice < half {
            parts[local] += parts[local + half * WIDE];
        }
    }
    if slice == 0u && c < C {
        let dbeta = parts[local].x;
        let dgamma = parts[local].y;
        let s = norm[c];
        let mean = norm[2u * C + c];
        let r = norm[3u * C + c];
        let c1 = -s * r * dgamma / POSITIONS;
        beta_gradient[c] = dbeta;
        gamma_gradient[c] = dgamma;
        coefficients[c] = s;
        coefficients[C + c] = -s * dbeta / POSITIONS;
        coefficients[2u * C + c] = c1;
        coefficients[3u * C + c] = mean;
    }
}
