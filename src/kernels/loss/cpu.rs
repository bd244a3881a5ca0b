//! `loss` in Rust: clip by clip.

use super::{Arguments, Loss};

pub fn run(kernel: &Loss, args: &Arguments) {
    let (clips, tags, heads) = (kernel.clips, kernel.tags, kernel.heads);
    let [logits, own, propagated, weights] = [0, 1, 2, 3].map(|i| args.read(i));
    let tag_weights = kernel.by_tag.then(|| args.read(4));
    let written = 4 + usize::from(kernel.by_tag);
    let first = written + usize::from(kernel.gradient);
    // SAFETY: the only slices of these operands.
    let (losses, probabilities) = unsafe { (args.write(first).all(), args.write(first + 1).all()) };
    let mut gradient = kernel.gradient.then(|| unsafe { args.write(written).all() });
    for b in 0..clips {
        let (v, u) = (weights[b], weights[clips + b]);
        let (mut sum_own, mut sum_propagated) = (0.0f32, 0.0f32);
        for t in 0..tags {
            let x = logits[b * heads * tags + t];
            // The supportive term's logit: the same, or the second head's.
            let at = b * heads * tags + (heads - 1) * tags + t;
            let x2 = logits[at];
            let (y, y2) = (own[b * tags + t], propagated[b * tags + t]);
            sum_own += cross_entropy(x, y);
            let w = tag_weights.map_or(1.0, |w| w[b * tags + t]);
            sum_propagated += w * cross_entropy(x2, y2);
            probabilities[b * tags + t] = sigmoid(x);
            if let Some(gradient) = &mut gradient {
                let (d, d2) = (v * (sigmoid(x) - y), kernel.lambda * u * w * (sigmoid(x2) - y2));
                if heads == 1 {
                    gradient[at] = kernel.scale * (d + d2);
                } else {
                    gradient[b * heads * tags + t] = kernel.scale * d;
                    gradient[at] = kernel.scale * d2;
                }
            }
        }
        losses[2 * b] = kernel.scale * v * sum_own;
        losses[2 * b + 1] = kernel.scale * u * sum_propagated;
    }
}

/// Binary cross-entropy of logit x and label y, which may be soft.
fn cross_entropy(x: f32, y: f32) -> f32 {
    x.max(0.0) - x * y + (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f32) -> f32 {
    // The smaller exponential never overflows.
    let e = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}
