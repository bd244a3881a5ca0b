//! Statistics of a layer's z, and from them what its readers need (`algebra.md`, 1):
//!
//! ```text
//! r = 1/sqrt(var + eps)   scale = gamma·r   a = max(scale·(z − mean) + beta, 0)
//! running = (1 − m)·running + m·batch        (mean with the convolution's bias added)
//! ```
//!
//! In evaluation the running statistics take the place of the batch's.

mod cpu;
mod gpu;

use super::{Choice, Kernel, Operand, cpu::Arguments, gpu::Dispatch, gpu::Limits};

/// Where mean and variance come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// `conv_forward`'s tiles, joined pairwise (Chan, Golub and LeVeque 1983).
    Partials { tiles: usize },
    /// Layer 1, recomputed: mean and covariance of the wave's patches of `taps` samples:
    /// mean = wᵀμ, var = wᵀCw.
    Patches { taps: usize },
    /// Evaluation: running statistics, which are only read.
    Running,
}

/// Operands, in order: Partials: `partials [tile, 3, channel]` (count, mean, Σ(z − mean)²);
/// Patches: `patches [taps + 1, taps]` (row 0: mean; then the covariance), `weights [taps, channel]`;
/// then always `gamma`, `beta`, `bias` (each `[channel]`), `running [2, channel]` (mean, variance;
/// updated, or read in evaluation), `norm [4, channel]` (rows: [`super::conv::norm`]).
#[derive(Clone, Debug)]
pub struct BatchNormForward {
    pub channels: usize,
    pub from: From,
    /// Positions over all clips: N.
    pub positions: usize,
    pub eps: f32,
    /// PyTorch's sense.
    pub momentum: f32,
    /// Running variance takes n/(n − 1) times the batch's (PyTorch) instead of the biased one
    /// (the released software; the default).
    pub unbiased: bool,
    pub choice: Choice,
}

impl BatchNormForward {
    /// The shapes it is checked on.
    pub fn cases(choice: &Choice) -> Vec<BatchNormForward> {
        let mut all = Vec::new();
        for (i, channels) in [1, 3, 5, 7, 31, 33, 64, 100, 128, 130, 512].into_iter().enumerate() {
            let tiles = [1, 2, 3, 7, 64, 65, 130][i % 7];
            let positions = tiles * [1, 2, 5, 9][i % 4] + i % 2 + 2;
            let taps = [2, 3, 5, 9][i % 4];
            for from in [From::Partials { tiles }, From::Partials { tiles: 300 - 20 * i }, From::Patches { taps }, From::Running]
            {
                let positions = if let From::Partials { tiles } = from { positions.max(2 * tiles) } else { positions };
                let (eps, momentum) = [(1e-3, 0.01), (1e-5, 0.1)][i % 2];
                all.push(BatchNormForward {
                    channels,
                    from,
                    positions,
                    eps,
                    momentum,
                    unbiased: i % 3 == 1,
                    choice: choice.clone(),
                });
            }
        }
        all
    }
}

impl Kernel for BatchNormForward {
    fn name(&self) -> &'static str {
        "batch_norm_forward"
    }

    fn operands(&self) -> Vec<Operand> {
        let c = self.channels;
        let mut all = match self.from {
            From::Partials { tiles } => vec![Operand::read("partials", &[tiles, 3, c])],
            From::Patches { taps } => vec![Operand::read("patches", &[taps + 1, taps]), Operand::read("weights", &[taps, c])],
            From::Running => vec![],
        };
        all.extend([Operand::read("gamma", &[c]), Operand::read("beta", &[c]), Operand::read("bias", &[c])]);
        all.push(if self.from == From::Running {
            Operand::read("running", &[2, c])
        } else {
            Operand::update("running", &[2, c])
        });
        all.push(Operand::write("norm", &[4, c]));
        all
    }

    fn flops(&self) -> u64 {
        match self.from {
            From::Partials { tiles } => (10 * tiles * self.channels) as u64,
            From::Patches { taps } => (2 * (taps + 1) * taps * self.channels) as u64,
            From::Running => (4 * self.channels) as u64,
        }
    }

    fn run(&self, args: &Arguments) {
        cpu::run(self, args)
    }

    fn dispatches(&self, limits: &Limits) -> Vec<Dispatch> {
        gpu::dispatches(self, limits)
    }
}
