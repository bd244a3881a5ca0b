// packed[panel, r, j] = w(r, panel·WIDTH + j), 0 past the last given channel: weights [tap, cin, cout] as the
// matrix of a product, cut into panels.
//
// Forward: r = (tap, cin), given: cout. Input's gradient: r = (tap, cout), given: cin, the taps in
// reverse if REVERSED. An invocation owns one packed value.

const TAPS: u32 = 1u;
const CIN: u32 = 1u;
const COUT: u32 = 1u;
const FORWARD: u32 = 0u;
const REVERSED: u32 = 0u;
const WIDTH: u32 = 1u;
const LENGTH: u32 = 1u;
const GRID: u32 = 1u;

@group(0) @binding(0) var<storage, read> weights: array<f32>; // [tap, cin, cout]
@group(0) @binding(1) var<storage, read_write> packed: array<f32>; // [panel, r, j]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.x + group.y * GRID) * 64u + local;
    if i >= LENGTH {
        return;
    }
    let inner = select(COUT, CIN, FORWARD == 1u);
    let given = select(CIN, COUT, FORWARD == 1u);
    let r = i / WIDTH % (TAPS * inner);
    let g = i / WIDTH / (TAPS * inner) * WIDTH + i % WIDTH;
    if g >= given {
        packed[i] = 0.0;
        return;
    }
    let tap = select(r / inner, TAPS - 1u - r / inner, REVERSED == 1u);
    let at = select(vec2(g, r % inner), vec2(r % inner, g), FORWARD == 1u); // cin, cout
    packed[i] = weights[(tap * CIN + at.x) * COUT + at.y];
}
