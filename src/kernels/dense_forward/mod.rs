//! `logits[b,o] = bias[o] + Σ_f max(scale·(p[b,f] − mean) + beta, 0)·mask[b,f]·w[f,o]`; features run over
//! [position, channel], outputs over [head, tag].

mod cpu;
mod gpu;

use super::{Choice, Kernel, Operand, cpu::Arguments, gpu::Dispatch, gpu::Limits};

/// Operands: `below [clip, position, channel]`, `below_norm [4, channel]`,
/// `mask [clip, feature]` (0 or 1/(1 − rate)) if `masked`, `weights [feature, output]`,
/// `bias [output]`, `logits [clip, output]`.
#[derive(Clone, Debug)]
pub struct DenseForward {
    pub clips: usize,
    pub positions: usize,
    pub channels: usize,
    /// heads x tags
    pub outputs: usize,
    /// Training has dropout, evaluation has not.
    pub masked: bool,
    pub choice: Choice,
}

impl DenseForward {
    /// The shapes it is checked on.
    pub fn cases(choice: &Choice) -> Vec<DenseForward> {
        let mut all = Vec::new();
        for (clips, positions, channels, outputs) in super::DENSE_SHAPES {
            for masked in [true, false] {
                all.push(DenseForward { clips, positions, channels, outputs, masked, choice: choice.clone() });
            }
        }
        all
    }

    pub fn features(&self) -> usize {
        self.positions * self.channels
    }
}

impl Kernel for DenseForward {
    fn name(&self) -> &'static str {
        "dense_forward"
    }

    fn operands(&self) -> Vec<Operand> {
        let f = self.features();
        let mut all = vec![
            Operand::read("below", &[self.clips, self.positions, self.channels]).stored(self.choice.storage()),
            Operand::read("below_norm", &[4, self.channels]),
        ];
        if self.masked {
            all.push(Operand::read("mask", &[self.clips, f]));
        }
        all.extend([
            Operand::read("weights", &[f, self.outputs]),
            Operand::read("bias", &[self.outputs]),
            Operand::write("logits", &[self.clips, self.outputs]),
        ]);
        all
    }

    fn flops(&self) -> u64 {
        2 * (self.clips * self.features() * self.outputs) as u64
    }

    fn run(&self, args: &Arguments) {
        cpu::run(self, args)
    }

    fn dispatches(&self, limits: &Limits) -> Vec<Dispatch> {
        gpu::dispatches(self, limits)
    }
}
