// bce(x, y) = max(x, 0) − x·y + log(1 + e), e = exp(−|x|); losses[b] = SCALE·v_b·Σ_t bce for own and
// propagated labels; gradient = SCALE·v_b·(σ(x) − y), the propagated term times LAMBDA. By tag: each of
// its terms times tag_weights[b, t].
//
// A workgroup owns one clip. Its invocations share the tags; a tree joins their sums.

const TAGS: u32 = 1u;
const HEADS: u32 = 1u;
const SCALE: f32 = 1.0f;
const LAMBDA: f32 = 1.0f;
const WIDTH: u32 = 64u;

@group(0) @binding(0) var<storage, read> logits: array<f32>; // [clip, head, tag]
@group(0) @binding(1) var<storage, read> own: array<f32>; // [clip, tag]
@group(0) @binding(2) var<storage, read> propagated: array<f32>; // [clip, tag]
@group(0) @binding(3) var<storage, read> weights: array<f32>; // [own or propagated, clip]
@group(0) @binding(4) var<storage, read_write> losses: array<f32>; // [clip, own or propagated]
@group(0) @binding(5) var<storage, read_write> probabilities: array<f32>; // [clip, tag], of head 0
@group(0) @binding(6) var<storage, read_write> gradient: array<f32>; // [clip, head, tag]
@group(0) @binding(7) var<storage, read> tag_weights: array<f32>; // [clip, tag]

var<workgroup> parts: array<vec2<f32>, WIDTH>;

// log(1 + e) for 0 ≤ e ≤ 1, as 2·artanh(e/(2 + e)): to the last bit or two where WGSL's own log may be
// wrong by 5e-7, which is more than the loss of a tag that is well known.
fn log_1p(e: f32) -> f32 {
    let s = e / (2.0 + e);
    let q = s * s;
    var sum = 1.0 / 15.0;
    sum = sum * q + 1.0 / 13.0;
    sum = sum * q + 1.0 / 11.0;
    sum = sum * q + 1.0 / 9.0;
    sum = sum * q + 1.0 / 7.0;
    sum = sum * q + 1.0 / 5.0;
    sum = sum * q + 1.0 / 3.0;
    return 2.0 * (s + s * q * sum);
}

fn bce(x: f32, y: f32) -> f32 {
    // max(x, 0) − x·y, without taking one large number from another.
    let linear = select(-x * y, x * (1.0 - y), x > 0.0);
    return linear + log_1p(exp(-abs(x)));
}

// σ(x) − y, without cancellation for y = 0 and y = 1.
fn slope(x: f32, y: f32) -> f32 {
    let e = exp(-abs(x));
    return select((1.0 - y) * e - y, (1.0 - y) - y * e, x > 0.0) / (1.0 + e);
}

// Both terms of a tag; writes its probability.
fn terms(b: u32, t: u32) -> vec2<f32> {
    let x = logits[b * HEADS * TAGS + t];
    let supported = logits[(b * HEADS + HEADS - 1u) * TAGS + t];
    probabilities[b * TAGS + t] = slope(x, 0.0);
    return vec2(bce(x, own[b * TAGS + t]), bce(supported, propagated[b * TAGS + t]));
}

// Joins the invocations' sums and writes the losses.
fn join(b: u32, clips: u32, local: u32, mine: vec2<f32>) {
    parts[local] = mine;
    for (var half = WIDTH / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            parts[local] += parts[local + half];
        }
    }
    if local == 0u {
        losses[2u * b] = SCALE * weights[b] * parts[0].x;
        losses[2u * b + 1u] = SCALE * weights[clips + b] * parts[0].y;
    }
}

fn forward(b: u32, clips: u32, local: u32) {
    var mine = vec2(0.0, 0.0);
    for (var t = local; t < TAGS; t += WIDTH) {
        mine += terms(b, t);
    }
    join(b, clips, local, mine);
}

// Writes the gradient of a tag's logits; its weights: of the own and the propagated term.
fn backward(b: u32, t: u32, term_weights: vec2<f32>) {
    let at = b * HEADS * TAGS + t;
    let supported = (HEADS - 1u) * TAGS + at;
    let term = term_weights.x * slope(logits[at], own[b * TAGS + t]);
    let supportive = term_weights.y * slope(logits[supported], propagated[b * TAGS + t]);
    if HEADS == 1u {
        gradient[at] = term + supportive;
    } else {
        gradient[at] = term;
        gradient[supported] = supportive;
    }
}

@compute @workgroup_size(WIDTH)
fn evaluate(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    forward(group.x, groups.x, local);
}

@compute @workgroup_size(WIDTH)
fn train(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let b = group.x;
    forward(b, groups.x, local);
    let term_weights = vec2(SCALE * weights[b], SCALE * LAMBDA * weights[groups.x + b]);
    for (var t = local; t < TAGS; t += WIDTH) {
        backward(b, t, term_weights);
    }
}

@compute @workgroup_size(WIDTH)
fn train_by_tag(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let b = group.x;
    var mine = vec2(0.0, 0.0);
    for (var t = local; t < TAGS; t += WIDTH) {
        mine += terms(b, t) * vec2(1.0, tag_weights[b * TAGS + t]);
    }
    join(b, groups.x, local, mine);
    let term_weights = vec2(SCALE * weights[b], SCALE * LAMBDA * weights[groups.x + b]);
    for (var t = local; t < TAGS; t += WIDTH) {
        backward(b, t, term_weights * vec2(1.0, tag_weights[b * TAGS + t]));
    }
}
