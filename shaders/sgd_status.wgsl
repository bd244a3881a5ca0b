// status = min over blocks of flags: the first block with a value that is not finite, or 2^32 − 1.
//
// One workgroup: each invocation takes every WIDTH-th block, then a tree joins them.

const BLOCKS: u32 = 1u;
const WIDTH: u32 = 256u;

@group(0) @binding(0) var<storage, read> flags: array<u32>; // [block]
@group(0) @binding(1) var<storage, read_write> status: array<u32>; // [1]

var<workgroup> least: array<u32, WIDTH>;

@compute @workgroup_size(WIDTH)
fn main(@builtin(local_invocation_index) local: u32) {
    var mine = 0xffffffffu;
    for (var i = local; i < BLOCKS; i += WIDTH) {
        mine = min(mine, flags[i]);
    }
    least[local] = mine;
    for (var half = WIDTH / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            least[local] = min(least[local], least[local + half]);
        }
    }
    if local == 0u {
        status[0] = least[0];
    }
}
