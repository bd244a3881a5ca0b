//! The dense layer backwards; dropout and ReLU applied while reading (g is the logits' gradient):
//!
//! ```text
//! dw[f,o] = Σ_b a[b,f]·mask[b,f]·g[b,o]   dbias[o] = Σ_b g[b,o]
//! dy[b,f] = mask[b,f]·[scale·(p − mean) + beta > 0]·Σ_o g[b,o]·w[f,o]
//! ```
//!
//! and the last layer's sums Σ dy, Σ dy·(p − mean)·r in tiles.

mod cpu;
mod gpu;

use super::{Choice, Kernel, Operand, cpu::Arguments, gpu::Dispatch, gpu::Limits};

/// Operands: `below [clip, position, channel]`, `below_norm [4, channel]`, `mask [clip, feature]`,
/// `weights [feature, output]`, `logits_gradient [clip, output]`, `weights_gradient [feature, output]`,
/// `bias_gradient [output]`, `dy [clip, position, channel]`, `partials [tile, 2, channel]`.
#[derive(Clone, Debug)]
pub struct DenseBackward {
    pub clips: usize,
    pub positions: usize,
    pub channels: usize,
    /// heads x tags
    pub outputs: usize,
    pub choice: Choice,
}

impl DenseBackward {
    /// The shapes it is checked on.
    pub fn cases(choice: &Choice) -> Vec<DenseBackward> {
        let mut all = Vec::new();
        for (clips, positions, channels, outputs) in super::DENSE_SHAPES {
            all.push(DenseBackward { clips, positions, channels, outputs, choice: choice.clone() });
            let (positions, outputs) = (positions + 1, 2 * outputs);
            all.push(DenseBackward { clips, positions, channels, outputs, choice: choice.clone() });
        }
        all
    }

    pub fn features(&self) -> usize {
        self.positions * self.channels
    }

    /// Rows of `partials`: a tile is a clip.
    pub fn tiles(&self) -> usize {
        self.clips
    }
}

impl Kernel for DenseBackward {
    fn name(&self) -> &'static str {
        "dense_backward"
    }

    fn operands(&self) -> Vec<Operand> {
        let (b, f, o) = (self.clips, self.features(), self.outputs);
        vec![
            Operand::read("below", &[b, self.positions, self.channels]).stored(self.choice.storage()),
            Operand::read("below_norm", &[4, self.channels]),
            Operand::read("mask", &[b, f]),
            Operand::read("weights", &[f, o]),
            Operand::read("logits_gradient", &[b, o]),
            Operand::write("weights_gradient", &[f, o]),
            Operand::write("bias_gradient", &[o]),
            Operand::write("dy", &[b, self.positions, self.channels]).stored(self.choice.storage()),
            Operand::write("partials", &[self.tiles(), 2, self.channels]),
        ]
    }

    fn flops(&self) -> u64 {
        4 * (self.clips * self.features() * self.outputs) as u64
    }

    fn run(&self, args: &Arguments) {
        cpu::run(self, args)
    }

    fn dispatches(&self, limits: &Limits) -> Vec<Dispatch> {
        gpu::dispatches(self, limits)
    }
}
