//! From a layer's sums, gradients of gamma and beta and the four numbers a channel of which dz is
//! made (`algebra.md`, 3, with c1·(z − mean) kept together: where dz is a small rest of large terms,
//! its readers would lose digits to c1·z and c1·mean cancelling):
//!
//! ```text
//! dbeta = Σ dy   dgamma = Σ dy·(p − mean)·r
//! s = scale   c1 = −s·r·dgamma/N   c0 = −s·dbeta/N
//! ```
//!
//! For a recomputed layer 1 (`algebra.md`, 4; D_k = Σ patch_k·dy, μ and C the patches' mean and
//! covariance), written so that nothing cancels:
//!
//! ```text
//! dgamma = r·(Σ_k w_k·D_k − mean·dbeta)
//! dw_k = s·(D_k − μ_k·dbeta) + c1·N·(C w)_k
//! ```

mod cpu;
mod gpu;

use super::{Choice, Kernel, Operand, cpu::Arguments, gpu::Dispatch, gpu::Limits};

/// What the sums are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// A stored layer: tiles of Σ dy and Σ dy·(p − mean)·r.
    Stored,
    /// A recomputed layer 1 of `taps` samples: tiles of D_0.. and Σ dy.
    FirstLayer { taps: usize },
}

/// Operands, Stored: `partials [tile, 2, channel]`, `norm [4, channel]`, `gamma_gradient [channel]`,
/// `beta_gradient [channel]`, `coefficients [4, channel]` (s, c0, c1, mean).
/// FirstLayer: `partials [tile, taps + 1, channel]`, `norm [4, channel]`, `patches [taps + 1, taps]`,
/// `weights [taps, channel]`, `gamma_gradient`, `beta_gradient`, `weights_gradient [taps, channel]`.
#[derive(Clone, Debug)]
pub struct BatchNormBackward {
    pub channels: usize,
    pub of: Of,
    pub tiles: usize,
    /// Positions over all clips: N.
    pub positions: usize,
    pub choice: Choice,
}

impl BatchNormBackward {
    /// The shapes it is checked on.
    pub fn cases(choice: &Choice) -> Vec<BatchNormBackward> {
        let mut all = Vec::new();
        for (i, channels) in [1, 3, 5, 7, 31, 33, 64, 100, 128, 130, 512].into_iter().enumerate() {
            let tiles = [1, 2, 3, 7, 64, 65, 130, 257][i % 8];
            let positions = tiles * [3, 2, 5, 9][i % 4] + i % 2 + 4;
            let of = [Of::Stored, Of::Stored, Of::FirstLayer { taps: [2, 3, 5, 9][i % 4] }, Of::FirstLayer { taps: 3 }];
            for (j, of) in of.into_iter().enumerate() {
                let tiles = if j % 2 == 0 { tiles } else { i + 1 };
                all.push(BatchNormBackward { channels, of, tiles, positions, choice: choice.clone() });
            }
        }
        all
    }
}

impl Kernel for BatchNormBackward {
    fn name(&self) -> &'static str {
        "batch_norm_backward"
    }

    fn operands(&self) -> Vec<Operand> {
        let c = self.channels;
        let read = Operand::read;
        let write = Operand::write;
        match self.of {
            Of::Stored => vec![
                read("partials", &[self.tiles, 2, c]),
                read("norm", &[4, c]),
                write("gamma_gradient", &[c]),
                write("beta_gradient", &[c]),
                write("coefficients", &[4, c]),
            ],
            Of::FirstLayer { taps } => vec![
                read("partials", &[self.tiles, taps + 1, c]),
                read("norm", &[4, c]),
                read("patches", &[taps + 1, taps]),
                read("weights", &[taps, c]),
                write("gamma_gradient", &[c]),
                write("beta_gradient", &[c]),
                write("weights_gradient", &[taps, c]),
            ],
        }
    }

    fn flops(&self) -> u64 {
        let sums = match self.of {
            Of::Stored => 2,
            Of::FirstLayer { taps } => taps + 1,
        };
        (sums * self.tiles * self.channels) as u64
    }

    fn run(&self, args: &Arguments) {
        cpu::run(self, args)
    }

    fn dispatches(&self, limits: &Limits) -> Vec<Dispatch> {
        gpu::dispatches(self, limits)
    }
}
