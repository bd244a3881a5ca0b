//! Eqs. (1) and (3) of the paper, negated, and their gradient at the logits x:
//!
//! ```text
//! bce(x, y) = max(x, 0) − x·y + log(1 + exp(−|x|))
//! own = 1/N Σ_b v_b Σ_t bce(x, y)     propagated the same with its own labels and weights
//! loss = own + λ·propagated           N = clips·tags for the mean, 1 for the sum
//! ```
//!
//! `by_tag`: bce of the propagated labels times tag_weights\[b, t\].
//!
//! With one head both terms read the same logits; with two the supportive term reads head 1.

mod cpu;
mod gpu;

use super::{Choice, Kernel, Operand, cpu::Arguments, gpu::Dispatch, gpu::Limits};

/// Operands: `logits [clip, head x tag]`, `own [clip, tag]`, `propagated [clip, tag]`,
/// `weights [2, clip]` (own, propagated), `tag_weights [clip, tag]` if `by_tag`,
/// `logits_gradient [clip, head x tag]` if `gradient`, `losses [clip, 2]` (each clip's part of own and
/// propagated, λ not yet applied: their sums over clips are the two losses), `probabilities [clip, tag]`
/// (of head 0).
#[derive(Clone, Debug)]
pub struct Loss {
    pub clips: usize,
    pub tags: usize,
    pub heads: usize,
    /// 1/N
    pub scale: f32,
    pub lambda: f32,
    /// Training needs it, evaluation does not.
    pub gradient: bool,
    /// Whether the propagated term has weights of its tags; only with a gradient.
    pub by_tag: bool,
    pub choice: Choice,
}

impl Loss {
    /// The shapes it is checked on.
    pub fn cases(choice: &Choice) -> Vec<Loss> {
        let mut all = Vec::new();
        let shapes = [(1, 1), (1, 3), (2, 3), (3, 5), (5, 22), (23, 50), (4, 1000), (2, 999), (1, 64), (64, 65), (257, 2)];
        for by_tag in [false, true] {
            // By tag without the first shape: one logit far out, whose gradient is 0 in f64, has no relative error.
            for (i, (clips, tags)) in shapes.into_iter().enumerate().skip(usize::from(by_tag)) {
                let kinds = [(1, true), (2, true), (1, false), (2, false)];
                for (heads, gradient) in kinds.into_iter().filter(|kind| kind.1 || !by_tag) {
                    let scale = if i % 2 == 0 { 1.0 / (clips * tags) as f32 } else { 1.0 };
                    let lambda = [1.0, 0.7, 0.0, 0.4][(i + heads) % 4];
                    all.push(Loss { clips, tags, heads, scale, lambda, gradient, by_tag, choice: choice.clone() });
                }
            }
        }
        all
    }
}

impl Kernel for Loss {
    fn name(&self) -> &'static str {
        "loss"
    }

    fn operands(&self) -> Vec<Operand> {
        let (b, t) = (self.clips, self.tags);
        let mut all = vec![
            Operand::read("logits", &[b, self.heads * t]),
            Operand::read("own", &[b, t]),
            Operand::read("propagated", &[b, t]),
            Operand::read("weights", &[2, b]),
        ];
        if self.by_tag {
            all.push(Operand::read("tag_weights", &[b, t]));
        }
        if self.gradient {
            all.push(Operand::write("logits_gradient", &[b, self.heads * t]));
        }
        all.extend([Operand::write("losses", &[b, 2]), Operand::write("probabilities", &[b, t])]);
        all
    }

    fn flops(&self) -> u64 {
        (20 * self.clips * self.tags) as u64
    }

    fn run(&self, args: &Arguments) {
        cpu::run(self, args)
    }

    fn dispatches(&self, limits: &Limits) -> Vec<Dispatch> {
        gpu::dispatches(self, limits)
    }
}
